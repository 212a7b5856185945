// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: pthread_cancel() of a scheduler that may be cancelled at any time,
 * where it waits and while a worker has its virtual processor. It ends, and what
 * it leaves is there for another one.
 */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "user.h"

FIXTURE(cancel)
{
	struct ut_base base;
	struct ut_thread sched;
	struct ut_thread worker;
	int computes;
	int stop;
};

/* @by_user: The scheduler runs the worker by user switch. */
FIXTURE_VARIANT(cancel)
{
	bool by_user;
};

FIXTURE_VARIANT_ADD(cancel, by_system_call) {};
FIXTURE_VARIANT_ADD(cancel, by_user_switch) { .by_user = true };

FIXTURE_SETUP(cancel)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (variant->by_user && !uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(cancel)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

/* By the kernel's notice too: its thread and its context have come to their end */
static bool is_cancelled(struct ut_thread *sched)
{
	void *ret;

	return !pthread_cancel(sched->thread) &&
	       !pthread_join(sched->thread, &ret) && ret == PTHREAD_CANCELED &&
	       ut_state(sched->base->group, sched->ctx) ==
		       UMS_STATE_TERMINATED;
}

static void wait_for_ever(struct ut_thread *self)
{
	struct ums_event event;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	ut_dequeue(self->base->list, &event, 1, -1);
}

static void return_at_once(struct ut_thread *self)
{
}

/* Nobody waits in its place, and takes what is for others */
TEST_F(cancel, ends_a_scheduler_that_waits)
{
	struct ut_base *base = &self->base;

	ASSERT_EQ(0, ut_spawn(base, &self->sched, UMS_ROLE_SCHEDULER,
			      wait_for_ever, NULL));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(self->sched.tid) &&
			    ut_thread_sleeps_in(self->sched.tid,
						__NR_ums_dequeue)));
	ASSERT_TRUE(is_cancelled(&self->sched));
	ASSERT_EQ(0, ut_spawn_worker(base, &self->worker, return_at_once, NULL));
	EXPECT_EQ(0, ut_finish(base, self->worker.ctx));
	ut_join(&self->worker);
}

static void yield_and_compute(struct ut_thread *thread)
{
	FIXTURE_DATA(cancel) * self = thread->arg;

	if (uu.yield)
		uu_yield(thread, 0);
	UT_STORE(self->computes, 1);
	while (!UT_LOAD(self->stop))
		;
	thread->ret = uu_resolve() == thread->tid;
}

static void run_the_worker(struct ut_thread *thread)
{
	FIXTURE_DATA(cancel) * self = thread->arg;
	__u64 ctx = self->worker.ctx;
	struct ums_event event;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		if (uu.execute)
			uu.execute(uu_slot(thread), uu_slot(&self->worker));
		else
			ut_execute(thread->base->group, ctx, &event);
	}
}

/*
 * Its handler runs when it has got its processor back: it was told PREEMPTED, and
 * nobody else is. Its slot still says so when it is gone.
 */
TEST_F(cancel, of_a_scheduler_leaves_its_worker_ready)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker = &self->worker;
	struct ums_context *slot;
	struct ums_event event;

	ASSERT_EQ(0, ut_spawn_worker(base, worker, yield_and_compute, self));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	ASSERT_EQ(0, ut_spawn(base, &self->sched, UMS_ROLE_SCHEDULER,
			      run_the_worker, self));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(self->computes)));
	ASSERT_TRUE(is_cancelled(&self->sched));

	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker->ctx));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	slot = ut_slot(base, self->sched.ctx);
	EXPECT_EQ(worker->ctx, slot->event_ctx);
	EXPECT_EQ(UMS_REASON_PREEMPTED, slot->event_reason);

	UT_STORE(self->stop, 1);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
	EXPECT_EQ(1, worker->ret);
}

TEST_HARNESS_MAIN
