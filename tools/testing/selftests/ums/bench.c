// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: measuring, and what is printed.
 *
 *   PROGRAM [--json=FILE] [--repeat=PERCENT] [TEXT...]
 *
 * Without TEXT all rows are measured, else those whose group or name contains
 * one. --json writes them to a file as well, a row in a line. --repeat measures
 * everything twice, and fails if the medians differ by more than that, of rows
 * that should not vary: for guests with -icount, where a nanosecond is an
 * instruction.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../kselftest.h"
#include "bench.h"

/**
 * struct options - What the arguments say
 *
 * @json: Where to write to, or NULL.
 * @repeat: How many percent the second measurement may differ; negative if there
 *	is none.
 * @texts: What to look for in names, @nr_texts of them.
 * @nr_texts: 0 for all rows.
 */
struct options {
	FILE *json;
	double repeat;
	char **texts;
	int nr_texts;
};

/* For rows that are to be repeated with more and more threads, and cpus */
static const unsigned int sizes[] = { 2, 10, 100, 1000, 10000, 100000 };
static const unsigned int cpu_counts[] = { 1, 2, 4 };

/**
 * struct outcome - What a row came to, to be printed and written
 *
 * @median: Of the values.
 * @min: Of the values.
 * @max: Of the values.
 * @again: Median of the second measurement, or 0.
 * @count: Operations in a batch; 0 if there is no outcome.
 * @batches: As in &struct result.
 * @threads: As in &struct result.
 * @cpus: As in &struct result.
 * @failed: Why it is void, or NULL.
 */
struct outcome {
	double median;
	double min;
	double max;
	double again;
	unsigned int count;
	unsigned int batches;
	unsigned int threads;
	unsigned int cpus;
	const char *failed;
};

void bench_die(const char *what)
{
	fflush(stdout);
	ksft_exit_fail_msg("%s: %s\n", program_invocation_short_name, what);
}

void bench_pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity");
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * UT_NSEC_PER_SEC + ts.tv_nsec;
}

void measure_prepared(struct result *result, run_fn prepare, run_fn run,
		      unsigned int per, void *arg)
{
	__u64 start, time[BATCHES];
	int i;

	for (i = -1; i < BATCHES; i++) {
		if (prepare)
			prepare(result->count, arg);
		start = now_ns();
		run(result->count, arg);
		if (i >= 0)
			time[i] = now_ns() - start;
	}
	/* Not in between: it would change the control word of SSE */
	for (i = 0; i < BATCHES; i++)
		result->value[i] = (double)time[i] / result->count / per;
}

void measure(struct result *result, run_fn run, unsigned int per, void *arg)
{
	measure_prepared(result, NULL, run, per, arg);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* False if it failed; else its values are sorted */
static bool measure_row(const struct row *row, const struct outcome *outcome,
			struct result *result)
{
	memset(result, 0, sizeof(*result));
	result->count = row->count ?: COUNT;
	result->batches = BATCHES;
	result->threads = outcome->threads;
	result->cpus = outcome->cpus;
	row->fn(result);
	qsort(result->value, result->batches, sizeof(result->value[0]), compare);
	return !result->failed;
}

static const char *lacks(const struct row *row)
{
	static int absent = -1, user_switch;

	if (absent < 0) {
		absent = ut_absent();
		user_switch = !absent && uu_init();
	}
	if (row->needs != NEEDS_NOTHING && absent)
		return "no UMS";
	if (row->needs == NEEDS_USER_SWITCH && !user_switch)
		return "no user switch";
	return NULL;
}

static void run_row(const struct row *row, const struct options *options,
		    struct outcome *outcome)
{
	struct result result;
	double difference;

	if (!measure_row(row, outcome, &result)) {
		outcome->failed = "FAILED";
		return;
	}
	outcome->count = result.count;
	outcome->batches = result.batches;
	outcome->median = result.value[result.batches / 2];
	outcome->min = result.value[0];
	outcome->max = result.value[result.batches - 1];
	if (options->repeat < 0)
		return;
	if (!measure_row(row, outcome, &result)) {
		outcome->failed = "FAILED";
		outcome->count = 0;
		return;
	}
	outcome->again = result.value[result.batches / 2];
	difference = outcome->again / outcome->median * 100 - 100;
	if (!row->varies &&
	    (difference < -options->repeat || difference > options->repeat))
		outcome->failed = "DIFFERS";
}

static void print_row(const struct row *row, const struct options *options,
		      const struct outcome *outcome, const char *lacking)
{
	char name[64];

	if (outcome->cpus)
		snprintf(name, sizeof(name), "%s, %u cpu%s", row->name,
			 outcome->cpus, outcome->cpus > 1 ? "s" : "");
	else
		snprintf(name, sizeof(name), outcome->threads ? "%s, %u" : "%s",
			 row->name, outcome->threads);
	printf("  %-46s", name);
	if (!outcome->count) {
		printf(" %s\n", lacking ?: outcome->failed);
		fflush(stdout);
		return;
	}
	printf(" %6u %11.1f %9.1f", outcome->count, outcome->median,
	       outcome->max - outcome->min);
	if (options->repeat >= 0)
		printf(" %11.1f%s", outcome->again,
		       outcome->failed ? " DIFFERS" : "");
	printf("\n");
	fflush(stdout);
}

/* No name has a character that would have to be escaped */
static void write_row(const struct row *row, const char *group,
		      const struct options *options,
		      const struct outcome *outcome, const char *lacking,
		      bool first)
{
	FILE *json = options->json;

	fprintf(json, "%s\n{\"group\": \"%s\", \"name\": \"%s\"", first ? "" : ",",
		group, row->name);
	if (outcome->threads)
		fprintf(json, ", \"threads\": %u", outcome->threads);
	if (outcome->cpus)
		fprintf(json, ", \"cpus\": %u", outcome->cpus);
	if (lacking || outcome->failed)
		fprintf(json, ", \"error\": \"%s\"", lacking ?: outcome->failed);
	if (outcome->count)
		fprintf(json,
			", \"unit\": \"%s\", \"count\": %u, \"batches\": %u, \"median\": %.1f, \"min\": %.1f, \"max\": %.1f",
			row->unit ?: "ns", outcome->count, outcome->batches,
			outcome->median, outcome->min, outcome->max);
	if (outcome->count && outcome->again)
		fprintf(json, ", \"again\": %.1f", outcome->again);
	fprintf(json, "}");
}

static void write_begin(const char *program, FILE *json)
{
	struct utsname name;

	uname(&name);
	fprintf(json,
		"{\"program\": \"%s\", \"kernel\": \"%s %s\", \"rows\": [",
		program, name.release, name.version);
}

static bool is_wanted(const struct row *row, const char *group,
		      const struct options *options)
{
	int i;

	for (i = 0; i < options->nr_texts; i++)
		if (strstr(row->name, options->texts[i]) ||
		    strstr(group, options->texts[i]))
			return true;
	return !options->nr_texts;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "repeat", required_argument, NULL, 'r' },
		{}
	};
	int option;
	char *end;

	options->repeat = -1;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 'j':
			options->json = fopen(optarg, "w");
			if (!options->json)
				ksft_exit_fail_perror(optarg);
			break;
		case 'r':
			options->repeat = strtod(optarg, &end);
			if (*end || end == optarg)
				bench_die("--repeat: how many percent?");
			break;
		default:
			fprintf(stderr,
				"usage: %s [--json=FILE] [--repeat=PERCENT] [TEXT...]\n",
				argv[0]);
			exit(EXIT_FAILURE);
		}
	}
	options->texts = argv + optind;
	options->nr_texts = argc - optind;
}

/* What the measurement of @row after @i others is for; false: there is none */
static bool nth_of(const struct row *row, size_t i, struct outcome *outcome)
{
	size_t k;

	memset(outcome, 0, sizeof(*outcome));
	if (row->by_cpus) {
		if (i >= ARRAY_SIZE(cpu_counts))
			return false;
		outcome->cpus = cpu_counts[i];
		return true;
	}
	if (!row->from)
		return !i;
	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		if (sizes[k] < row->from || sizes[k] > row->most || i--)
			continue;
		outcome->threads = sizes[k];
		return true;
	}
	return false;
}

/* One row, as often as it is to be repeated; false if it failed */
static bool do_row(const struct row *row, const char *group,
		   const struct options *options, bool *first)
{
	struct outcome outcome;
	const char *lacking;
	bool ok = true;
	size_t i;

	for (i = 0; nth_of(row, i, &outcome); i++) {
		lacking = lacks(row);
		if (!lacking && outcome.threads)
			lacking = ut_too_small(outcome.threads);
		if (outcome.cpus > sysconf(_SC_NPROCESSORS_ONLN))
			lacking = "too few cpus";
		if (!lacking)
			run_row(row, options, &outcome);
		ok &= !outcome.failed;
		print_row(row, options, &outcome, lacking);
		if (options->json)
			write_row(row, group, options, &outcome, lacking,
				  *first);
		*first = false;
	}
	return ok;
}

int bench_main(int argc, char **argv, const struct row *rows, size_t nr)
{
	struct options options = {};
	const char *group = "", *printed = NULL;
	bool ok = true, first = true;
	size_t i;

	parse(argc, argv, &options);
	if (options.json)
		write_begin(program_invocation_short_name, options.json);
	printf("%-48s %6s %11s %9s%s\n", "ns", "count", "median", "spread",
	       options.repeat < 0 ? "" : "       again");
	for (i = 0; i < nr; i++) {
		group = rows[i].group ?: group;
		if (!is_wanted(&rows[i], group, &options))
			continue;
		if (printed != group)
			printf("%s\n", group);
		printed = group;
		ok &= do_row(&rows[i], group, &options, &first);
	}
	if (first)
		bench_die("no such row");
	if (options.json) {
		fprintf(options.json, "\n]}\n");
		if (fclose(options.json))
			ksft_exit_fail_perror("--json");
	}
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
