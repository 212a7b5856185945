// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: many threads that wait, workers that are ready or plain ones in
 * futex(): what it takes to make them, to keep them, and to end them with their
 * process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Each batch is a process: few of them, and one if it is large */
#define FEW	3
#define MANY	10000

#define SETTLE_US	500000

/**
 * struct crowd - Of one process; in shared memory
 *
 * @nr: How many threads.
 * @waiting: How many are there.
 * @created: Nanoseconds until all were.
 * @bytes: What is no longer free then.
 * @ending: When the process began to end; 0 if it failed before.
 * @word: Plain threads wait for it.
 * @all: All of these are there.
 */
struct crowd {
	unsigned int nr;
	unsigned int waiting;
	__u64 created;
	long bytes;
	__u64 ending;
	__u32 word;
	__u32 all;
};

static struct ut_base base;
static struct crowd *crowd;

enum kind { PLAIN, WORKERS };

/* What a row wants to know of each thread */
enum what { CREATION, MEMORY, END };

/* What cpus keep for themselves is free, too, and not in MemFree: megabytes */
static long free_memory(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	long pages = 0, nr;
	char line[128];

	if (!file)
		bench_die("/proc/zoneinfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %ld", &nr) == 1 ||
		    sscanf(line, " count: %ld", &nr) == 1)
			pages += nr;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static void *wait_plain(void *arg)
{
	if (__atomic_add_fetch(&crowd->waiting, 1, __ATOMIC_ACQ_REL) ==
	    crowd->nr) {
		UT_STORE(crowd->all, 1);
		futex_wake(&crowd->all);
	}
	futex_wait(&crowd->word, 0);
	return NULL;
}

/* @arg is the number of its context; it is never executed */
static void *wait_as_worker(void *arg)
{
	if (ut_attach(base.list, UMS_ROLE_WORKER, (uintptr_t)arg))
		_exit(EXIT_FAILURE);
	return NULL;
}

static void make_threads(enum kind kind)
{
	size_t size = sysconf(_SC_THREAD_STACK_MIN);
	struct ums_event event;
	pthread_attr_t attr;
	pthread_t thread;
	unsigned int i;
	__u64 ctx = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, size);
	for (i = 0; i < crowd->nr; i++) {
		if (kind == WORKERS && ut_ctx_create(base.group, 0, &ctx))
			_exit(EXIT_FAILURE);
		if (pthread_create(&thread, &attr, kind == WORKERS ?
				   wait_as_worker : wait_plain,
				   (void *)(uintptr_t)ctx))
			_exit(EXIT_FAILURE);
	}
	for (i = 0; i < crowd->nr && kind == WORKERS; i++)
		if (ut_dequeue(base.list, &event, 1, UT_LIMIT_MS) != 1)
			_exit(EXIT_FAILURE);
	while (kind == PLAIN && !UT_LOAD(crowd->all))
		futex_wait(&crowd->all, 0);
}

static void process(enum kind kind)
{
	long before = free_memory();
	__u64 begin;

	if (kind == WORKERS && ut_base_open(&base, crowd->nr + 1,
					    UMS_ORPHAN_RELEASE))
		_exit(EXIT_FAILURE);
	begin = ut_now_ns();
	make_threads(kind);
	crowd->created = ut_now_ns() - begin;
	crowd->bytes = before - free_memory();
	crowd->ending = ut_now_ns();
	_exit(EXIT_SUCCESS);
}

/* One process, and when it was @gone; false if it failed */
static bool live(enum kind kind, unsigned int nr, __u64 *gone)
{
	int status = -1;
	pid_t pid;

	/* What the last one had goes by RCU */
	usleep(SETTLE_US);
	memset(crowd, 0, sizeof(*crowd));
	crowd->nr = nr;
	pid = fork();
	if (!pid)
		process(kind);
	if (pid > 0)
		waitpid(pid, &status, 0);
	*gone = ut_now_ns();
	return !status;
}

static double value_of(enum what what, __u64 gone)
{
	switch (what) {
	case CREATION:
		return crowd->created;
	case MEMORY:
		return crowd->bytes;
	default:
		return gone - crowd->ending;
	}
}

static void measure_crowd(struct result *result, enum kind kind, enum what what)
{
	unsigned int i;
	__u64 gone;

	result->count = result->threads;
	result->batches = result->threads < MANY ? FEW : 1;
	crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crowd == MAP_FAILED)
		bench_die("no memory");
	/* One before, that does not count, for the memory that slabs keep */
	result->failed = !live(kind, result->threads, &gone);
	for (i = 0; i < result->batches; i++) {
		if (!live(kind, result->threads, &gone)) {
			result->failed = true;
			break;
		}
		result->value[i] = value_of(what, gone) / result->threads;
	}
	munmap(crowd, sizeof(*crowd));
}

void many_plain_creation(struct result *result)
{
	measure_crowd(result, PLAIN, CREATION);
}

void many_plain_memory(struct result *result)
{
	measure_crowd(result, PLAIN, MEMORY);
}

void many_plain_end(struct result *result)
{
	measure_crowd(result, PLAIN, END);
}

void many_worker_creation(struct result *result)
{
	measure_crowd(result, WORKERS, CREATION);
}

void many_worker_memory(struct result *result)
{
	measure_crowd(result, WORKERS, MEMORY);
}

void many_worker_end(struct result *result)
{
	measure_crowd(result, WORKERS, END);
}
