// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: attaching and detaching in both roles, and the states a thread goes
 * through as slot and query show them.
 */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	32

FIXTURE(attach)
{
	struct ut_base base;
	int pipe[2];
};

FIXTURE_SETUP(attach)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CONTEXTS, 0));
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(attach)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

TEST_F(attach, scheduler_runs_on_with_a_vp_of_its_own)
{
	struct ut_base *base = &self->base;
	struct ums_context *slot;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	slot = ut_slot(base, base->sched);
	EXPECT_EQ(UMS_STATE_RUNNING, UT_LOAD(slot->state));
	EXPECT_EQ(UMS_ROLE_SCHEDULER, slot->role);
	EXPECT_EQ((__u32)base->sched, slot->running);
	EXPECT_EQ(gettid(), slot->tid);
	EXPECT_EQ(UMS_STATE_RUNNING, ut_state(base->group, base->sched));
	EXPECT_EQ(UMS_ROLE_SCHEDULER,
		  ut_query_value(base->group, base->sched, UMS_INFO_ROLE));
	EXPECT_EQ(gettid(),
		  ut_query_value(base->group, base->sched, UMS_INFO_TID));
	/* It is not news for the list */
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
}

TEST_F(attach, scheduler_that_detached_is_a_plain_thread)
{
	struct ut_base *base = &self->base;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_detach());
	EXPECT_EQ(UMS_STATE_TERMINATED, ut_slot_state(base, base->sched));
	EXPECT_EQ(UMS_STATE_TERMINATED, ut_state(base->group, base->sched));
	EXPECT_EQ(0, ut_query_value(base->group, base->sched, UMS_INFO_TID));
	EXPECT_EQ(-ENOTCONN, ut_detach());
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
	EXPECT_EQ(0, ut_ctx_delete(base->group, base->sched));
}

TEST_F(attach, thread_may_attach_again_with_another_context)
{
	struct ut_base *base = &self->base;
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, ut_base_schedule_here(base));
		ASSERT_EQ(0, ut_detach());
		ASSERT_EQ(0, ut_ctx_delete(base->group, base->sched));
	}
}

TEST_F(attach, attached_thread_can_not_attach)
{
	struct ut_base *base = &self->base;
	__u64 ctx;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_ctx_create(base->group, 0, &ctx));
	EXPECT_EQ(-EBUSY, ut_attach(base->list, UMS_ROLE_SCHEDULER, ctx));
	EXPECT_EQ(-EBUSY, ut_attach(base->list, UMS_ROLE_WORKER, ctx));
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(base->group, ctx));
	EXPECT_EQ(0, ut_ctx_delete(base->group, ctx));
}

static void attach_again(struct ut_thread *thread)
{
	__u64 ctx;

	thread->ret = ut_ctx_create(thread->base->group, 0, &ctx);
	if (!thread->ret)
		thread->ret = ut_attach(thread->list, UMS_ROLE_SCHEDULER, ctx);
	if (thread->ret == -EBUSY)
		thread->ret = ut_attach(thread->list, UMS_ROLE_WORKER, ctx);
	ut_ctx_delete(thread->base->group, ctx);
}

TEST_F(attach, worker_can_not_attach_again)
{
	struct ut_thread worker;

	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &worker, attach_again,
				     NULL));
	EXPECT_EQ(0, ut_schedule(&self->base, 1));
	ut_join(&worker);
	EXPECT_EQ(-EBUSY, worker.ret);
}

TEST_F(attach, context_serves_one_thread_once)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;

	/* One that is ready */
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, return_at_once, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	EXPECT_EQ(-EBUSY, ut_attach(base->list, UMS_ROLE_SCHEDULER,
				    worker.ctx));
	EXPECT_EQ(-EBUSY, ut_attach(base->list, UMS_ROLE_WORKER, worker.ctx));
	EXPECT_EQ(-EBUSY, ut_ctx_delete(base->group, worker.ctx));

	ASSERT_EQ(0, ut_base_schedule_here(base));
	EXPECT_EQ(-EBUSY, ut_ctx_delete(base->group, base->sched));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ASSERT_EQ(0, ut_detach());

	/* Both have terminated */
	EXPECT_EQ(-EBUSY, ut_attach(base->list, UMS_ROLE_SCHEDULER,
				    base->sched));
	EXPECT_EQ(-EBUSY, ut_attach(base->list, UMS_ROLE_WORKER, worker.ctx));
	EXPECT_EQ(0, ut_ctx_delete(base->group, worker.ctx));
	EXPECT_EQ(0, ut_ctx_delete(base->group, base->sched));
	ut_join(&worker);
}

TEST_F(attach, worker_waits_until_it_is_executed)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_spawn_worker(base, &worker, return_at_once, NULL));
	ASSERT_EQ(1, ut_dequeue(base->list, &event, 1, UT_LIMIT_MS));
	EXPECT_EQ(worker.ctx, event.ctx);
	EXPECT_EQ((uintptr_t)&worker, event.cookie);
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_EQ(UMS_CAUSE_NONE, event.cause);
	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker.ctx));
	EXPECT_EQ(UMS_ROLE_WORKER, ut_slot(base, worker.ctx)->role);
	EXPECT_TRUE(UT_WAIT(ut_thread_state(worker.tid) == 'S'));
	EXPECT_EQ(1, UT_LOAD(worker.attach_ret));

	/* Nor do other things that wake threads up make it go on */
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	EXPECT_EQ(1, UT_LOAD(worker.attach_ret));

	ASSERT_EQ(0, ut_base_schedule_here(base));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(0, UT_LOAD(worker.attach_ret));
	ut_join(&worker);
}

static void detach_and_wait(struct ut_thread *thread)
{
	int *go_on = thread->arg;

	thread->ret = ut_detach();
	UT_AWAIT(UT_LOAD(*go_on));
	/* Plain threads are told so */
	if (ut_detach() != -ENOTCONN || ut_yield(0) != -ENOTCONN)
		thread->ret = 1;
}

TEST_F(attach, worker_that_detached_is_a_plain_thread)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	int go_on = 0;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, detach_and_wait, &go_on));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(worker.ctx, event.ctx);
	EXPECT_EQ(0, event.arg);
	EXPECT_EQ(UMS_STATE_TERMINATED, ut_slot_state(base, worker.ctx));
	EXPECT_EQ(0, UT_LOAD(worker.done));
	EXPECT_EQ(-ESRCH, ut_execute(base->group, worker.ctx, &event));
	EXPECT_EQ(0, ut_ctx_delete(base->group, worker.ctx));

	/* It goes on beside us, and its exit is no news */
	UT_STORE(go_on, 1);
	EXPECT_TRUE(UT_WAIT(UT_LOAD(worker.done)));
	ut_join(&worker);
	EXPECT_EQ(0, worker.ret);
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
}

static void come_back_as_worker(struct ut_thread *thread)
{
	int i;

	for (i = 0; i < 10 && !thread->ret; i++) {
		ut_detach();
		thread->ret = ut_ctx_create(thread->base->group, i,
					    &thread->ctx);
		if (!thread->ret)
			thread->ret = ut_attach(thread->list, UMS_ROLE_WORKER,
						thread->ctx);
	}
}

TEST_F(attach, worker_may_detach_and_come_back)
{
	struct ut_thread worker;

	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &worker, come_back_as_worker,
				     NULL));
	EXPECT_EQ(0, ut_schedule(&self->base, 11));
	ut_join(&worker);
	EXPECT_EQ(0, worker.ret);
}

static void exit_raw(struct ut_thread *thread)
{
	syscall(SYS_exit, 7);
}

TEST_F(attach, exit_code_of_a_worker_is_reported)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, exit_raw, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(7 << 8, event.arg);
	EXPECT_EQ(UMS_CAUSE_NONE, event.cause);
	EXPECT_EQ(UMS_STATE_TERMINATED, ut_state(base->group, worker.ctx));
	ut_join(&worker);
}

static void call_yields(struct ut_thread *thread)
{
	struct ums_yield yield = { .flags = 1ULL << 63 };

	thread->ret = ut_ctl(UMS_CTL_YIELD, -1, &yield, sizeof(yield));
}

TEST_F(attach, only_workers_yield)
{
	struct ut_thread worker;

	EXPECT_EQ(-ENOTCONN, ut_yield(0));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	EXPECT_EQ(-EINVAL, ut_yield(0));

	/* Flags are refused and nothing happens */
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &worker, call_yields, NULL));
	EXPECT_EQ(0, ut_finish(&self->base, worker.ctx));
	EXPECT_EQ(-EINVAL, worker.ret);
	EXPECT_EQ(0, ut_slot(&self->base, worker.ctx)->yielded);
	ut_join(&worker);
}

struct steps {
	int spinning;
	int spun;
	int pipe[2];
};

static void walk_through_states(struct ut_thread *thread)
{
	struct steps *steps = thread->arg;
	char byte;

	UT_STORE(steps->spinning, 1);
	while (!UT_LOAD(steps->spun))
		;
	thread->ret = read(steps->pipe[0], &byte, 1);
	ut_yield(1);
}

static void run_one(struct ut_thread *thread)
{
	struct ut_thread *worker = thread->arg;
	struct ums_event event;

	thread->ret = ut_run_to_block(thread->base, worker->ctx, &event,
				      SYS_read);
}

TEST_F(attach, slot_and_query_follow_the_states)
{
	struct ut_base *base = &self->base;
	struct steps steps = { .pipe = { self->pipe[0], self->pipe[1] } };
	struct ut_thread worker, sched;
	struct ums_context *slot;
	struct ums_event event;
	struct ums_info info;

	ASSERT_EQ(0, ut_spawn_worker(base, &worker, walk_through_states,
				     &steps));
	slot = ut_slot(base, worker.ctx);
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	EXPECT_EQ(UMS_STATE_READY, UT_LOAD(slot->state));
	EXPECT_EQ(UMS_STATE_READY, ut_state(base->group, worker.ctx));
	EXPECT_EQ(worker.tid, slot->tid);
	EXPECT_EQ(worker.tid,
		  ut_query_value(base->group, worker.ctx, UMS_INFO_TID));
	EXPECT_EQ(0, slot->executed);

	/* Another thread runs it, while this one looks */
	ASSERT_EQ(0, ut_spawn(base, &sched, UMS_ROLE_SCHEDULER, run_one,
			      &worker));
	EXPECT_TRUE(UT_WAIT(UT_LOAD(steps.spinning)));
	EXPECT_EQ(UMS_STATE_RUNNING, UT_LOAD(slot->state));
	EXPECT_EQ((__u32)sched.ctx, UT_LOAD(slot->vp));
	EXPECT_EQ((__u32)worker.ctx,
		  UT_LOAD(ut_slot(base, sched.ctx)->running));
	EXPECT_EQ(UMS_STATE_RUNNING, ut_state(base->group, worker.ctx));
	EXPECT_LE(1, slot->executed);
	EXPECT_EQ(-EBUSY, ut_ctx_delete(base->group, worker.ctx));

	UT_STORE(steps.spun, 1);
	ut_join(&sched);
	EXPECT_EQ(UMS_REASON_BLOCKED, sched.ret);
	EXPECT_EQ(UMS_STATE_TERMINATED, ut_state(base->group, sched.ctx));
	ASSERT_EQ(0, ut_query(base->group, sched.ctx, UMS_INFO_EVENT, &info));
	EXPECT_EQ(0, info.event.reason);
	EXPECT_EQ(worker.ctx,
		  UT_LOAD(ut_slot(base, sched.ctx)->event_ctx));
	/* Nobody schedules it any more: it goes on by itself */
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ut_join(&worker);
}

TEST_F(attach, counters_count)
{
	struct ut_base *base = &self->base;
	struct steps steps = {
		.spun = 1,
		.pipe = { self->pipe[0], self->pipe[1] },
	};
	struct ut_thread worker;
	struct ums_context *slot;
	struct ums_event event;
	struct ums_info info;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, walk_through_states,
				     &steps));
	slot = ut_slot(base, worker.ctx);
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker.ctx, &event, SYS_read));
	EXPECT_EQ(UMS_STATE_BLOCKED, UT_LOAD(slot->state));
	EXPECT_EQ(UMS_STATE_BLOCKED, ut_state(base->group, worker.ctx));
	EXPECT_EQ((__u32)base->sched,
		  ut_slot(base, base->sched)->running);
	EXPECT_EQ(-EBUSY, ut_ctx_delete(base->group, worker.ctx));

	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_EQ(UMS_STATE_READY, UT_LOAD(slot->state));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(1, worker.ret);
	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker.ctx));
	/* The vDSO calls the kernel only where it has to */
	EXPECT_GE(1, slot->yielded);
	if (!ut_user_mode())
		EXPECT_EQ(1, slot->yielded);

	ASSERT_EQ(0, ut_query(base->group, worker.ctx, UMS_INFO_STATS, &info));
	EXPECT_EQ(slot->executed, info.stats.executed);
	EXPECT_EQ(slot->blocked, info.stats.blocked);
	EXPECT_EQ(slot->yielded, info.stats.yielded);
	EXPECT_EQ(0, info.stats.preempted);
	EXPECT_LE(1, info.stats.blocked);
	/* First run, and after each block */
	EXPECT_EQ(1 + info.stats.blocked, info.stats.executed);
	EXPECT_LT(0, info.stats.run_ns);

	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

TEST_HARNESS_MAIN
