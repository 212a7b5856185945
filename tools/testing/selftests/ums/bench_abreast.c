// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: a row on each of several cpus at the same time, to see what
 * they cost each other. Those with UMS are in one group, each with a list and a
 * scheduler of its own.
 */
#include "bench.h"

#define RING_THREADS	100

/**
 * struct lane - What is measured on one cpu
 *
 * @cpu: Where; threads that it makes stay there.
 * @fn: What.
 * @begin: Where all wait for each other.
 * @result: Of this cpu.
 * @thread: That does it, and makes others.
 */
struct lane {
	unsigned int cpu;
	void (*fn)(struct result *result);
	pthread_barrier_t *begin;
	struct result result;
	pthread_t thread;
};

static void *run_lane(void *arg)
{
	struct lane *lane = arg;

	bench_pin(lane->cpu);
	pthread_barrier_wait(lane->begin);
	lane->fn(&lane->result);
	return NULL;
}

/* The mean of the cpus, by batch */
static void add_lane(struct result *result, const struct lane *lane)
{
	unsigned int i;

	result->count = lane->result.count;
	result->batches = lane->result.batches;
	result->failed |= lane->result.failed;
	for (i = 0; i < result->batches; i++)
		result->value[i] += lane->result.value[i] / result->cpus;
}

/* The caller is a scheduler too: a lane that is late finds one when the others went */
static void open_group(struct ut_base *base)
{
	if (ut_base_open(base, RIG_CONTEXTS * MAX_RIGS, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(base))
		bench_die("no group for all");
}

static void abreast(struct result *result, void (*fn)(struct result *result),
		    unsigned int threads)
{
	struct ut_base base = { .group = -1 };
	struct lane lanes[MAX_RIGS];
	pthread_barrier_t begin;
	unsigned int i;

	if (!ut_absent())
		open_group(&base);
	pthread_barrier_init(&begin, NULL, result->cpus);
	for (i = 0; i < result->cpus; i++) {
		lanes[i] = (struct lane) {
			.cpu = i,
			.fn = fn,
			.begin = &begin,
			.result = *result,
		};
		lanes[i].result.group = base.group;
		lanes[i].result.threads = threads;
		if (pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]))
			bench_die("pthread_create");
	}
	for (i = 0; i < result->cpus; i++) {
		pthread_join(lanes[i].thread, NULL);
		add_lane(result, &lanes[i]);
	}
	pthread_barrier_destroy(&begin);
	if (base.group < 0)
		return;
	if (ut_detach())
		bench_die("detach");
	ut_base_close(&base);
}

void abreast_user_switch(struct result *result)
{
	abreast(result, user_switch, 0);
}

void abreast_kernel_switch(struct result *result)
{
	abreast(result, ums_execute_and_yield, 0);
}

void abreast_futex(struct result *result)
{
	abreast(result, plain_futex, 0);
}

void abreast_pipe(struct result *result)
{
	abreast(result, user_pipe, 0);
}

void abreast_plain_pipe(struct result *result)
{
	abreast(result, plain_pipe, 0);
}

void abreast_ring(struct result *result)
{
	abreast(result, ring_library_chan, RING_THREADS);
}

void abreast_plain_ring(struct result *result)
{
	abreast(result, ring_cond, RING_THREADS);
}
