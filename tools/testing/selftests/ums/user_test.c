// SPDX-License-Identifier: GPL-2.0
/*
 * The user switch: that it is one, who runs afterwards, what it falls back to,
 * and what is counted.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define ROUNDS	1000

static __thread pid_t my_tid;

FIXTURE(user)
{
	struct ut_base base;
	struct ut_thread worker;
	struct ut_thread other;
};

FIXTURE_SETUP(user)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	/* Moved to another cpu they would need the kernel now and then */
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open_flags(&self->base, 16, UMS_ORPHAN_RELEASE,
					0));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	my_tid = uu_resolve();
}

FIXTURE_TEARDOWN(user)
{
	if (!uu.execute)
		return;
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
}

/* Counts its turns in ret */
static void yields(struct ut_thread *self)
{
	long i, rounds = (long)self->arg;

	for (i = 0; i < rounds; i++) {
		self->ret++;
		uu_yield(self, i);
	}
}

#define USER_YIELD	(UMS_REASON_YIELDED | UMS_RETURN_USER)

/* By user switch, or by system call as an interrupt came in the midst of it */
static bool has_yielded(long ret)
{
	return ret == USER_YIELD || ret == UMS_REASON_YIELDED;
}

TEST_F(user, a_switch_is_not_a_system_call)
{
	struct ums_context *slot = ut_slot(&self->base, self->base.sched);
	struct ums_switches before, after;
	long i, ret;

	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker, yields,
				     (void *)ROUNDS));
	ASSERT_TRUE(has_yielded(uu_start(&self->base, &self->worker)));
	before = uu_switches(&self->base, self->worker.ctx);
	for (i = 1; i < ROUNDS; i++) {
		ret = uu_run(&self->base, &self->worker);
		ASSERT_TRUE(has_yielded(ret));
		if (ret != USER_YIELD)
			continue;
		ASSERT_EQ(i, slot->param);
		ASSERT_EQ((__u32)self->worker.ctx, slot->yielder);
	}
	EXPECT_EQ(ROUNDS, self->worker.ret);
	after = uu_switches(&self->base, self->worker.ctx);
	EXPECT_GE(ROUNDS, after.user);
	EXPECT_LT(ROUNDS - ROUNDS / 100, after.user);
	TH_LOG("resolved %llu finished %llu slow %llu %llu %llu",
	       after.resolved, after.finished, after.slow_kernel,
	       after.slow_ids, after.slow_busy);
	EXPECT_LT(after.resolved - before.resolved, ROUNDS / 2);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->worker));
	ut_join(&self->worker);
}

static void asks_who(struct ut_thread *self)
{
	long i;

	for (i = 0; i < (long)self->arg; i++) {
		if (syscall(SYS_gettid) != self->tid)
			self->ret++;
		uu_yield(self, i);
	}
}

TEST_F(user, a_system_call_is_made_by_who_runs)
{
	long i;

	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker, asks_who,
				     (void *)ROUNDS));
	ASSERT_TRUE(has_yielded(uu_start(&self->base, &self->worker)));
	for (i = 1; i < ROUNDS; i++) {
		ASSERT_EQ(my_tid, syscall(SYS_gettid));
		ASSERT_TRUE(has_yielded(uu_run(&self->base, &self->worker)));
	}
	EXPECT_EQ(0, self->worker.ret);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->worker));
	ut_join(&self->worker);
}

/* @arg is a pipe, empty at first */
static void yields_and_reads(struct ut_thread *self)
{
	const int *pipe_fd = self->arg;
	char byte;

	uu_yield(self, 0);
	self->ret = read(pipe_fd[0], &byte, 1);
	uu_yield(self, 0);
}

/* The same call, from elsewhere on the stack */
static __attribute_noinline__ long
execute_deeper(struct ut_base *base, struct ut_thread *worker, int depth)
{
	int here = depth;
	long ret;

	/* On the stack */
	asm volatile("" : "+m" (here));
	if (depth)
		ret = execute_deeper(base, worker, depth - 1);
	else
		ret = uu_execute(base, worker);
	return here == depth ? ret : -EFAULT;
}

/*
 * The first call leaves registers both in the slot and in the kernel. Those in
 * the kernel are of no use after the second.
 */
TEST_F(user, a_scheduler_returns_from_its_last_call)
{
	struct ums_event event;
	int pipe_fd[2];

	ASSERT_EQ(0, pipe(pipe_fd));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->other,
				     yields_and_reads, pipe_fd));
	ASSERT_EQ(USER_YIELD, uu_start(&self->base, &self->other));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker, yields,
				     (void *)2));
	ASSERT_EQ(1, ut_next_of(&self->base, self->worker.ctx, &event));
	/* By system call, since it has not run before; back in user mode */
	EXPECT_EQ(USER_YIELD, execute_deeper(&self->base, &self->worker, 0));
	EXPECT_EQ(UMS_REASON_BLOCKED,
		  execute_deeper(&self->base, &self->other, 3));
	EXPECT_EQ(1, write(pipe_fd[1], "", 1));
	EXPECT_EQ(1, ut_next_of(&self->base, self->other.ctx, &event));
	EXPECT_EQ(USER_YIELD, uu_run(&self->base, &self->other));
	EXPECT_EQ(1, self->other.ret);

	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->other));
	EXPECT_EQ(USER_YIELD, uu_run(&self->base, &self->worker));
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->worker));
	ut_join(&self->other);
	ut_join(&self->worker);
}

TEST_F(user, each_slow_path_is_counted)
{
	struct ums_switches before, after;
	struct ums_event event;

	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker, yields,
				     (void *)3));
	ASSERT_EQ(1, ut_next_of(&self->base, self->worker.ctx, &event));
	before = uu_switches(&self->base, self->base.sched);
	/* Its registers are in the kernel, then in its slot */
	ASSERT_EQ(USER_YIELD, uu_execute(&self->base, &self->worker));
	ASSERT_EQ(USER_YIELD, uu_execute(&self->base, &self->worker));
	after = uu_switches(&self->base, self->base.sched);
	EXPECT_EQ(1, after.slow_kernel - before.slow_kernel);
	EXPECT_EQ(1, after.user - before.user);

	/* As if its rseq area were that of another cpu */
	uu_slot(&self->worker)->ids ^= 1;
	ASSERT_EQ(USER_YIELD, uu_execute(&self->base, &self->worker));
	after = uu_switches(&self->base, self->base.sched);
	EXPECT_EQ(1, after.slow_ids - before.slow_ids);
	EXPECT_EQ(1, after.user - before.user);

	ASSERT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->worker));
	after = uu_switches(&self->base, self->base.sched);
	before.slow_busy = after.slow_busy;
	EXPECT_EQ(-ESRCH, uu_execute(&self->base, &self->worker));
	after = uu_switches(&self->base, self->base.sched);
	EXPECT_EQ(1, after.slow_busy - before.slow_busy);
	ut_join(&self->worker);
}

TEST(group_may_be_without_user_switches)
{
	struct ut_thread worker;
	struct ut_base base;
	long i;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, ut_base_open_flags(&base, 4, UMS_ORPHAN_RELEASE,
					UMS_SETUP_KERNEL_SWITCH));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	ASSERT_EQ(0, ut_spawn_worker(&base, &worker, yields, (void *)10));
	ASSERT_EQ(UMS_REASON_YIELDED, uu_start(&base, &worker));
	for (i = 1; i < 10; i++)
		ASSERT_EQ(UMS_REASON_YIELDED, uu_run(&base, &worker));
	EXPECT_EQ(10, worker.ret);
	EXPECT_EQ(0, uu_switches(&base, worker.ctx).user);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&base, &worker));
	ut_join(&worker);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&base);
}

TEST_HARNESS_MAIN
