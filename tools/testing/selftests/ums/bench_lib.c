// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmark: what a switch costs through libums, see ums_bench.c.
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
	for (; count; count -= 4) {
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
