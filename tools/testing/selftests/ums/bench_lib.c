// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: what a switch costs through libums, and a worker.
 */
#include <ums/ums.h>

#include "bench.h"

/* The loops are not what is measured: four for each turn of theirs */
static void *yield_until_stopped(void *stop)
{
	while (!UT_LOAD(*(int *)stop)) {
		ums_thread_yield(NULL);
		ums_thread_yield(NULL);
		ums_thread_yield(NULL);
		ums_thread_yield(NULL);
	}
	return NULL;
}

static void run_library(unsigned int count, void *worker)
{
	for (count /= 4; count; count--) {
		ums_run(worker, NULL);
		ums_run(worker, NULL);
		ums_run(worker, NULL);
		ums_run(worker, NULL);
	}
}

/* Returns false if something failed; the process is of no use then */
static bool measure_library(struct result *result, ums_completion_list_t *list)
{
	struct ums_event event;
	ums_context_t *worker;
	pthread_t thread;
	int stop = 0;

	if (ums_scheduler_enter(list) ||
	    ums_spawn(list, yield_until_stopped, &stop, NULL, &worker,
		      &thread) ||
	    ums_dequeue(list, &event, 1, -1) != 1 ||
	    ums_run(worker, NULL) != UMS_REASON_YIELDED)
		return false;

	measure(result, run_library, 2, worker);
	UT_STORE(stop, 1);
	while (ums_run(worker, NULL) != UMS_REASON_TERMINATED)
		;
	return !ums_scheduler_leave() && !pthread_join(thread, NULL) &&
	       !delete_ums_thread_context(worker);
}

void library_switch(struct result *result)
{
	ums_completion_list_t *list;

	if (create_ums_completion_list(&list) ||
	    !measure_library(result, list) ||
	    delete_ums_completion_list(list))
		result->failed = true;
}

static void *end_at_once(void *arg)
{
	return NULL;
}

/* Returns false if something failed */
static bool live(ums_completion_list_t *list)
{
	struct ums_event event;
	ums_context_t *worker;
	pthread_t thread;
	int reason;

	if (ums_spawn(list, end_at_once, NULL, NULL, &worker, &thread))
		return false;
	do {
		if (ums_dequeue(list, &event, 1, -1) != 1)
			return false;
		reason = event.reason;
		if (reason == UMS_REASON_READY)
			reason = ums_run(worker, NULL);
		/* An event will say when it can go on, or that it has ended */
	} while (reason == UMS_REASON_BLOCKED);
	return reason == UMS_REASON_TERMINATED &&
	       !pthread_join(thread, NULL) &&
	       !delete_ums_thread_context(worker);
}

/* What the row needs, in one place */
struct lives {
	ums_completion_list_t *list;
	struct result *result;
};

static void run_lives(unsigned int count, void *arg)
{
	struct lives *lives = arg;

	while (count-- && !lives->result->failed)
		lives->result->failed = !live(lives->list);
}

void library_thread(struct result *result)
{
	struct lives lives = { .result = result };

	if (create_ums_completion_list(&lives.list) ||
	    ums_scheduler_enter(lives.list)) {
		result->failed = true;
		return;
	}
	measure(result, run_lives, 1, &lives);
	if (ums_scheduler_leave() || delete_ums_completion_list(lives.list))
		result->failed = true;
}
