// SPDX-License-Identifier: GPL-2.0
/*
 * The user switch, when memory fails half-way through: the target is claimed,
 * and then the slot of the one that leaves cannot be written. The kernel
 * finishes the switch, which costs nobody his life.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define ROUNDS	10

FIXTURE(half)
{
	struct ut_base base;
	struct ut_thread leaves;
	struct ut_thread target;
	pid_t tid;
	long page_size;
};

enum { NOTHING, YIELDS, SWITCHES, ENDS };

static FIXTURE_DATA(half) * half;
/* What the workers are to do when they run next */
static int order;

/* What the whole page of a slot may be used for */
static bool protect(__u64 ctx, int prot)
{
	uintptr_t slot = (uintptr_t)ut_slot(&half->base, ctx);

	return !mprotect((void *)(slot & -half->page_size), half->page_size,
			 prot);
}

static bool spoil(__u64 ctx)
{
	return protect(ctx, PROT_READ);
}

static bool mend(__u64 ctx)
{
	return protect(ctx, PROT_READ | PROT_WRITE);
}

/* What fails is counted in @ret */
static void leaves(struct ut_thread *self)
{
	long ret;

	for (;;) {
		uu_yield(self, 0);
		self->ret += !mend(half->base.sched);
		self->ret += uu_resolve() != self->tid;
		if (order == ENDS)
			return;
		if (order == NOTHING)
			continue;
		self->ret += !spoil(self->ctx);
		if (order == YIELDS) {
			ret = uu_yield(self, 0);
			ret &= ~(long)(UMS_REASON_YIELDED | UMS_RETURN_USER);
		} else {
			ret = uu.switch_to(uu_slot(self),
					   uu_slot(&half->target));
		}
		self->ret += ret != 0 || uu_resolve() != self->tid;
	}
}

static void is_target(struct ut_thread *self)
{
	for (;;) {
		uu_yield(self, 0);
		self->ret += !mend(half->leaves.ctx);
		self->ret += uu_resolve() != self->tid;
		if (order == ENDS)
			return;
	}
}

/* Leave the rest of a page of slots to contexts without a thread */
static bool next_page(FIXTURE_DATA(half) * self)
{
	unsigned int slots = self->page_size / sizeof(struct ums_context);
	__u64 ctx;

	do {
		if (ut_ctx_create(self->base.group, 0, &ctx))
			return false;
	} while ((__u32)ctx % slots != slots - 1);
	return true;
}

FIXTURE_SETUP(half)
{
	struct ut_base *base = &self->base;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	half = self;
	self->tid = gettid();
	self->page_size = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, uu_pin());
	ut_prefault();
	ASSERT_EQ(0, ut_base_open(base, 64, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_TRUE(next_page(self));
	ASSERT_EQ(0, ut_spawn_worker(base, &self->leaves, leaves, NULL));
	ASSERT_LE(0, uu_start(base, &self->leaves));
	ASSERT_TRUE(next_page(self));
	ASSERT_EQ(0, ut_spawn_worker(base, &self->target, is_target, NULL));
	ASSERT_LE(0, uu_start(base, &self->target));
}

FIXTURE_TEARDOWN(half)
{
	if (!half)
		return;
	order = ENDS;
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->leaves));
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->target));
	ut_join(&self->leaves);
	ut_join(&self->target);
	EXPECT_EQ(0, self->leaves.ret);
	EXPECT_EQ(0, self->target.ret);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
}

/* How many switches to @ctx the kernel has finished */
static __u64 finished(FIXTURE_DATA(half) * self, __u64 ctx)
{
	return uu_switches(&self->base, ctx).finished;
}

TEST_F(half, a_scheduler_whose_slot_cannot_be_written_leaves)
{
	__u64 before = finished(self, self->leaves.ctx);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(spoil(self->base.sched));
		EXPECT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
			  uu_execute(&self->base, &self->leaves));
		EXPECT_EQ(self->tid, uu_resolve());
	}
	EXPECT_EQ(before + ROUNDS, finished(self, self->leaves.ctx));
}

TEST_F(half, a_worker_whose_slot_cannot_be_written_yields)
{
	__u64 before = finished(self, self->base.sched);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		order = YIELDS;
		EXPECT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
			  uu_execute(&self->base, &self->leaves));
		EXPECT_EQ(self->tid, uu_resolve());
		EXPECT_TRUE(mend(self->leaves.ctx));
		order = NOTHING;
		EXPECT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
			  uu_execute(&self->base, &self->leaves));
	}
	/* And the last switch of a round, if an interrupt came in the midst of it */
	EXPECT_LE(before + ROUNDS, finished(self, self->base.sched));
}

TEST_F(half, a_worker_whose_slot_cannot_be_written_hands_over)
{
	__u64 before = finished(self, self->target.ctx);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		order = SWITCHES;
		EXPECT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
			  uu_execute(&self->base, &self->leaves));
		EXPECT_EQ(self->tid, uu_resolve());
		order = NOTHING;
		EXPECT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
			  uu_execute(&self->base, &self->leaves));
	}
	EXPECT_EQ(before + ROUNDS, finished(self, self->target.ctx));
}

TEST_HARNESS_MAIN
