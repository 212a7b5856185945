// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: what becomes of the workers when the last scheduler of their group
 * exits or detaches, by the group's policy.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	32
#define NR_EACH		4

enum worker_state { NEVER_RUN, BLOCKED, YIELDED, NR_STATES };

/* Workers in all states that a worker without a VP can have */
struct orphans {
	struct ut_base base;
	struct ut_thread threads[NR_STATES * NR_EACH];
	int pipe[2];
	unsigned int started;
};

static void return_after_read(struct ut_thread *thread)
{
	struct orphans *orphans = thread->arg;
	char byte;

	UT_INC(orphans->started);
	thread->ret = read(orphans->pipe[0], &byte, 1);
}

static void return_after_yield(struct ut_thread *thread)
{
	struct orphans *orphans = thread->arg;

	UT_INC(orphans->started);
	ut_yield(0);
	/* Nobody is there to yield to any more */
	thread->ret = ut_yield(0);
}

static void return_with_one(struct ut_thread *thread)
{
	thread->ret = 1;
}

/* Make the caller a scheduler and bring workers into each state */
static long orphans_make(struct orphans *orphans, unsigned int policy)
{
	struct ut_base *base = &orphans->base;
	struct ums_event event;
	unsigned int i;
	long ret;

	memset(orphans, 0, sizeof(*orphans));
	ret = ut_base_open(base, MAX_CONTEXTS, policy);
	if (ret)
		return ret;
	if (pipe(orphans->pipe))
		return -errno;
	ret = ut_base_schedule_here(base);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(orphans->threads); i++) {
		struct ut_thread *thread = &orphans->threads[i];

		switch (i % NR_STATES) {
		case NEVER_RUN:
			ret = ut_spawn_worker(base, thread, return_with_one,
					      orphans);
			if (!ret)
				ret = ut_next_of(base, thread->ctx, &event);
			if (ret != 1)
				return ret;
			continue;
		case BLOCKED:
			ret = ut_spawn_worker(base, thread, return_after_read,
					      orphans);
			break;
		case YIELDED:
			ret = ut_spawn_worker(base, thread, return_after_yield,
					      orphans);
			break;
		}
		if (!ret)
			ret = ut_next_of(base, thread->ctx, &event);
		if (ret != 1)
			return ret;
		if (i % NR_STATES == BLOCKED)
			ret = ut_run_to_block(base, thread->ctx, &event,
					      SYS_read);
		else
			ret = ut_run_to(base, thread->ctx, &event,
					UMS_REASON_YIELDED);
		if (ret < 0 || ret == UMS_REASON_TERMINATED)
			return -EPROTO;
	}
	return 0;
}

static unsigned int orphans_done(struct orphans *orphans)
{
	unsigned int i, done = 0;

	for (i = 0; i < ARRAY_SIZE(orphans->threads); i++)
		done += UT_LOAD(orphans->threads[i].done);
	return done;
}

static bool all_terminated(struct orphans *orphans)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(orphans->threads); i++)
		if (ut_state(orphans->base.group, orphans->threads[i].ctx) !=
		    UMS_STATE_TERMINATED)
			return false;
	return true;
}

FIXTURE(orphan)
{
	struct orphans orphans;
};

FIXTURE_SETUP(orphan)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
}

FIXTURE_TEARDOWN(orphan)
{
}

TEST_F(orphan, released_workers_go_on_as_plain_threads)
{
	struct orphans *orphans = &self->orphans;
	struct ut_thread *thread;
	unsigned int i;

	ASSERT_EQ(0, orphans_make(orphans, UMS_ORPHAN_RELEASE));
	EXPECT_EQ(0, orphans_done(orphans));
	ASSERT_EQ(0, ut_detach());

	/* All but those in read() */
	EXPECT_TRUE(UT_WAIT(orphans_done(orphans) == 2 * NR_EACH));
	for (i = 0; i < NR_EACH; i++)
		ASSERT_EQ(1, write(orphans->pipe[1], "x", 1));
	EXPECT_TRUE(UT_WAIT(orphans_done(orphans) == 3 * NR_EACH));
	EXPECT_TRUE(UT_WAIT(all_terminated(orphans)));
	for (i = 0; i < ARRAY_SIZE(orphans->threads); i++) {
		thread = &orphans->threads[i];
		ut_join(thread);
		EXPECT_EQ(i % NR_STATES == YIELDED ? -ENOTCONN : 1,
			  thread->ret)
			TH_LOG("thread %u", i);
		EXPECT_EQ(0, ut_ctx_delete(orphans->base.group, thread->ctx));
	}
}

static void schedule_and_exit(struct ut_thread *thread)
{
	struct orphans *orphans = thread->arg;

	thread->ret = orphans_make(orphans, UMS_ORPHAN_RELEASE);
	UT_STORE(thread->done, 1);
	syscall(SYS_exit, 0);
}

TEST_F(orphan, exit_of_the_last_scheduler_releases)
{
	struct orphans *orphans = &self->orphans;
	struct ut_thread sched;
	unsigned int i;

	ASSERT_EQ(0, ut_spawn(NULL, &sched, UMS_ROLE_NONE, schedule_and_exit,
			      orphans));
	ut_join(&sched);
	ASSERT_EQ(0, sched.ret);
	for (i = 0; i < NR_EACH; i++)
		ASSERT_EQ(1, write(orphans->pipe[1], "x", 1));
	EXPECT_TRUE(UT_WAIT(orphans_done(orphans) == 3 * NR_EACH));
	for (i = 0; i < ARRAY_SIZE(orphans->threads); i++)
		ut_join(&orphans->threads[i]);
}

struct stay {
	int attached;
	int leave;
};

static void stay_until_told(struct ut_thread *thread)
{
	struct stay *stay = thread->arg;

	UT_STORE(stay->attached, 1);
	UT_AWAIT(UT_LOAD(stay->leave));
}

TEST_F(orphan, workers_stay_while_one_scheduler_is_left)
{
	struct orphans *orphans = &self->orphans;
	struct stay stay = {};
	struct ut_thread other;
	unsigned int i;

	ASSERT_EQ(0, orphans_make(orphans, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_spawn(&orphans->base, &other, UMS_ROLE_SCHEDULER,
			      stay_until_told, &stay));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(stay.attached)));
	ASSERT_EQ(0, ut_detach());
	for (i = 0; i < ARRAY_SIZE(orphans->threads); i++) {
		struct ut_thread *thread = &orphans->threads[i];

		EXPECT_EQ(i % NR_STATES == BLOCKED ? UMS_STATE_BLOCKED :
						     UMS_STATE_READY,
			  ut_state(orphans->base.group, thread->ctx));
	}
	EXPECT_EQ(0, orphans_done(orphans));

	/* That of a detached thread that comes back is as good as any */
	ASSERT_EQ(0, ut_base_schedule_here(&orphans->base));
	UT_STORE(stay.leave, 1);
	ut_join(&other);
	EXPECT_EQ(0, orphans_done(orphans));
	ASSERT_EQ(0, ut_detach());
	EXPECT_TRUE(UT_WAIT(orphans_done(orphans) == 2 * NR_EACH));
}

TEST_F(orphan, workers_that_attach_before_any_scheduler_wait_for_one)
{
	struct ut_base *base = &self->orphans.base;
	struct ut_thread worker;

	ASSERT_EQ(0, ut_base_open(base, MAX_CONTEXTS, UMS_ORPHAN_KILL));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, return_with_one, NULL));
	ASSERT_EQ(0, ut_dequeue(base->list, NULL, 0, UT_LIMIT_MS));
	EXPECT_EQ(0, UT_LOAD(worker.done));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	EXPECT_EQ(0, ut_finish(base, worker.ctx));
	ut_join(&worker);
	EXPECT_EQ(1, worker.ret);
	/* Without workers it hurts nobody that the last one leaves */
	EXPECT_EQ(0, ut_detach());
}

TEST_F(orphan, release_races_with_workers_that_come_and_go)
{
	struct orphans *orphans = &self->orphans;
	struct ut_base *base = &orphans->base;
	struct ut_thread *threads = orphans->threads;
	unsigned int round, i;

	ASSERT_EQ(0, ut_base_open(base, 4096, UMS_ORPHAN_RELEASE));
	for (round = 0; round < 50; round++) {
		ASSERT_EQ(0, ut_base_schedule_here(base));
		for (i = 0; i < NR_EACH; i++)
			ASSERT_EQ(0, ut_spawn_worker(base, &threads[i],
						     return_with_one, NULL));
		/* Some have attached and some have not; those come later */
		ASSERT_EQ(0, ut_detach());
		ASSERT_EQ(0, ut_base_schedule_here(base));
		while (UT_LOAD(threads[0].done) + UT_LOAD(threads[1].done) +
		       UT_LOAD(threads[2].done) + UT_LOAD(threads[3].done) <
		       NR_EACH) {
			struct ums_event event;

			if (ut_dequeue(base->list, &event, 1, 1) != 1 ||
			    event.reason != UMS_REASON_READY)
				continue;
			while (ut_execute(base->group, event.ctx, &event) ==
			       -EAGAIN)
				;
		}
		for (i = 0; i < NR_EACH; i++)
			ut_join(&threads[i]);
		ASSERT_EQ(0, ut_detach());
	}
}

TEST_F_SIGNAL(orphan, kill_policy_kills_when_the_last_detaches, SIGKILL)
{
	ASSERT_EQ(0, orphans_make(&self->orphans, UMS_ORPHAN_KILL));
	ut_detach();
	for (;;)
		pause();
}

static void make_and_exit(struct ut_thread *thread)
{
	thread->ret = orphans_make(thread->arg, UMS_ORPHAN_KILL);
	if (!thread->ret)
		syscall(SYS_exit, 0);
}

TEST_F_SIGNAL(orphan, kill_policy_kills_when_the_last_exits, SIGKILL)
{
	struct ut_thread sched;

	ASSERT_EQ(0, ut_spawn(NULL, &sched, UMS_ROLE_NONE, make_and_exit,
			      &self->orphans));
	ut_join(&sched);
	ASSERT_EQ(0, sched.ret);
	for (;;)
		pause();
}

TEST_HARNESS_MAIN
