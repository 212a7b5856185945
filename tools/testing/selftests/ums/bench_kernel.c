// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: schedulers and workers, and what they pay when every switch is
 * a system call.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* Whoever served it may have left it blocked, and its event to come */
static bool run_to_end(struct ut_base *base, __u64 ctx)
{
	struct ums_event event;
	long ret;

	if (ut_slot_state(base, ctx) == UMS_STATE_TERMINATED)
		return true;
	ret = ut_run_to(base, ctx, &event, UMS_REASON_TERMINATED);
	return ret == UMS_REASON_TERMINATED ||
	       (ret == -EINPROGRESS && !ut_finish(base, ctx));
}

static void *schedule(void *arg)
{
	struct rig *rig = arg;
	int i;

	if (ut_base_schedule_here(&rig->base))
		bench_die("no scheduler");
	if (rig->serve)
		rig->serve(rig);
	for (i = 0; i < 2; i++)
		if (rig->worker[i].fn &&
		    !run_to_end(&rig->base, rig->worker[i].ctx))
			rig->result->failed = true;
	return NULL;
}

static long open_base(struct rig *rig)
{
	int group = rig->result->group;

	if (!group)
		return ut_base_open(&rig->base, RIG_CONTEXTS, UMS_ORPHAN_RELEASE);
	return ut_base_open_fd(&rig->base, RIG_CONTEXTS * MAX_RIGS, dup(group));
}

static void with_rig(struct result *result,
		     bool (*open)(struct pipes *pipes, struct result *result),
		     void (*serve)(struct rig *rig),
		     void (*first)(struct ut_thread *thread),
		     void (*second)(struct ut_thread *thread))
{
	void (*fn[2])(struct ut_thread *thread) = { first, second };
	struct rig rig = { .result = result, .serve = serve };
	struct ums_event event;
	pthread_t scheduler;
	int i;

	if (open_base(&rig) ||
	    (open && !open(&rig.pipes, result)))
		bench_die("no group, or no files");
	for (i = 0; i < 2; i++)
		if (fn[i] && (ut_spawn_worker(&rig.base, &rig.worker[i], fn[i],
					      &rig) ||
			      ut_dequeue(rig.base.list, &event, 1,
					 UT_LIMIT_MS) != 1))
			bench_die("no thread");
	if (pthread_create(&scheduler, NULL, schedule, &rig))
		bench_die("no thread");
	pthread_join(scheduler, NULL);
	for (i = 0; i < 2; i++)
		if (fn[i])
			ut_join(&rig.worker[i]);
	if (open)
		pipes_close(&rig.pipes);
	ut_base_close(&rig.base);
}

void with_ums(struct result *result, void (*serve)(struct rig *rig),
	      void (*first)(struct ut_thread *thread),
	      void (*second)(struct ut_thread *thread))
{
	with_rig(result, NULL, serve, first, second);
}

void with_files(struct result *result,
		bool (*open)(struct pipes *pipes, struct result *result),
		void (*serve)(struct rig *rig),
		void (*first)(struct ut_thread *thread))
{
	with_rig(result, open, serve, first, NULL);
}

static void worker_getppid(struct ut_thread *thread)
{
	plain_getppid(((struct rig *)thread->arg)->result);
}

void ums_worker_getppid(struct result *result)
{
	with_ums(result, NULL, worker_getppid, NULL);
}

static void scheduler_getppid(struct rig *rig)
{
	plain_getppid(rig->result);
}

void ums_scheduler_getppid(struct result *result)
{
	with_ums(result, scheduler_getppid, NULL, NULL);
}

static void worker_fault(struct ut_thread *thread)
{
	plain_fault(((struct rig *)thread->arg)->result);
}

void ums_worker_fault(struct result *result)
{
	with_ums(result, NULL, worker_fault, NULL);
}

static void worker_yield(struct ut_thread *thread)
{
	int i;

	for (i = 0; i < TOTAL; i++)
		ut_yield(i);
}

/* Straight calls: a block would be seen as a failure */
static void run_execute(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_event event;

	while (count--)
		if (ut_execute(rig->base.group, rig->worker[0].ctx, &event) !=
		    UMS_REASON_YIELDED)
			rig->result->failed = true;
}

static void scheduler_execute(struct rig *rig)
{
	measure(rig->result, run_execute, 2, rig);
}

void ums_execute_and_yield(struct result *result)
{
	with_ums(result, scheduler_execute, worker_yield, NULL);
}

static void run_execute_second(unsigned int count, void *arg)
{
	struct rig *rig = arg;

	while (count--)
		if (ut_execute(rig->base.group, rig->worker[1].ctx, NULL))
			rig->result->failed = true;
}

static void worker_measure_second(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;

	measure(rig->result, run_execute_second, 2, rig);
}

static void worker_execute_first(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (ut_execute(rig->base.group, rig->worker[0].ctx, NULL))
			rig->result->failed = true;
}

void ums_worker_to_worker(struct result *result)
{
	with_ums(result, NULL, worker_measure_second, worker_execute_first);
}

static void worker_read(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;
	char byte;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (read(rig->pipes.there[0], &byte, 1) != 1)
			rig->result->failed = true;
}

/* The worker is blocked here, and again when its turn is over */
static void run_unblock(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_event event;
	char byte = 0;
	long ret;

	while (count--) {
		ret = write(rig->pipes.there[1], &byte, 1);
		if (ret == 1)
			ret = ut_dequeue(rig->base.list, &event, 1, -1);
		if (ret == 1)
			ret = ut_execute(rig->base.group, event.ctx, &event);
		if (ret != UMS_REASON_BLOCKED && ret != UMS_REASON_TERMINATED)
			rig->result->failed = true;
	}
}

static void scheduler_unblock(struct rig *rig)
{
	struct ums_event event;

	if (ut_run_to_block(&rig->base, rig->worker[0].ctx, &event,
			    SYS_read) != UMS_REASON_BLOCKED)
		rig->result->failed = true;
	else
		measure(rig->result, run_unblock, 1, rig);
}

void ums_block_and_unblock(struct result *result)
{
	with_files(result, pipes_open, scheduler_unblock, worker_read);
}
