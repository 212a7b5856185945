// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a worker has made a request to io_uring, and is not executed when it can
 * be completed. The kernel completes it all the same, by task work of that thread:
 * whoever looks at the completion ring sees it, and the worker has not run.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "uring.h"
#include "user.h"

#define ROUNDS	20

enum place { KERNEL_HELD, USER_HELD, BLOCKED };

FIXTURE(uring_park)
{
	struct ut_base base;
	struct ut_thread worker;
	struct uring uring;
	int request[2];
	int other[2];
	enum place place;
};

FIXTURE_VARIANT(uring_park)
{
	enum place place;
};

FIXTURE_VARIANT_ADD(uring_park, kernel_held) { .place = KERNEL_HELD };
FIXTURE_VARIANT_ADD(uring_park, user_held) { .place = USER_HELD };
FIXTURE_VARIANT_ADD(uring_park, blocked) { .place = BLOCKED };

FIXTURE_SETUP(uring_park)
{
	int ret;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (variant->place == USER_HELD && !uu_init())
		SKIP(return, UU_ABSENT);
	ret = uring_open(&self->uring);
	if (ret == -EPERM || ut_unknown(ret))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ret);
	self->place = variant->place;
	ASSERT_EQ(0, pipe(self->request));
	ASSERT_EQ(0, pipe(self->other));
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&self->base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(uring_park)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

static void request_and_leave(struct ut_thread *thread)
{
	FIXTURE_DATA(uring_park) * self = thread->arg;
	char got, byte;
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.fd = self->request[0],
		.addr = (uintptr_t)&got,
		.len = 1,
	};
	int i;

	for (i = 0; i < ROUNDS; i++) {
		got = 0;
		sqe.user_data = i;
		thread->ret |= uring_submit(&self->uring, &sqe) != 1;
		if (self->place == BLOCKED)
			thread->ret |= read(self->other[0], &byte, 1) != 1;
		else if (self->place == USER_HELD)
			thread->ret |= uu_yield(thread, i);
		else
			thread->ret |= ut_yield(i);
		thread->ret |= got != 'x';
	}
}

/* Until it has made its request and has left */
static bool run_to_place(FIXTURE_DATA(uring_park) * self)
{
	__u64 ctx = self->worker.ctx;
	struct ums_event event;
	long ret;

	if (self->place == BLOCKED)
		return ut_run_to_block(&self->base, ctx, &event, SYS_read) ==
			       UMS_REASON_BLOCKED &&
		       UT_WAIT(ut_thread_sleeps_in(self->worker.tid, SYS_read));
	if (self->place == USER_HELD) {
		ret = uu_run(&self->base, &self->worker);
		return (ret & ~UMS_RETURN_USER) == UMS_REASON_YIELDED &&
		       UT_LOAD(ut_slot(&self->base, ctx)->state) ==
			       (UMS_STATE_READY | UMS_STATE_USER);
	}
	return ut_run_to(&self->base, ctx, &event, UMS_REASON_YIELDED) ==
	       UMS_REASON_YIELDED;
}

static __u64 executed(FIXTURE_DATA(uring_park) * self)
{
	struct ums_info info;

	if (ut_query(self->base.group, self->worker.ctx, UMS_INFO_STATS, &info))
		return UT_NONE;
	return info.stats.executed;
}

/* A request is completed: its result, or an error if it is not */
static int completion(FIXTURE_DATA(uring_park) * self, int round)
{
	struct io_uring_cqe cqe = {};

	if (!UT_WAIT(uring_take(&self->uring, &cqe, false)))
		return -ETIMEDOUT;
	return cqe.user_data == (__u64)round ? cqe.res : -EBADMSG;
}

TEST_F(uring_park, completion_does_not_wait_for_the_worker)
{
	struct ut_base *base = &self->base;
	__u64 ctx, times;
	struct ums_event event;
	int i;

	ASSERT_EQ(0, ut_spawn_worker(base, &self->worker, request_and_leave,
				     self));
	ctx = self->worker.ctx;
	ASSERT_EQ(1, ut_next_of(base, ctx, &event));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(run_to_place(self));
		times = executed(self);
		ASSERT_EQ(1, write(self->request[1], "x", 1));
		EXPECT_EQ(1, completion(self, i));
		EXPECT_EQ(times, executed(self));
		/* Its call begins anew when it is executed, and is over then */
		if (self->place == BLOCKED) {
			ASSERT_EQ(1, ut_next_of(base, ctx, &event));
			EXPECT_EQ(UMS_REASON_READY, event.reason);
			ASSERT_EQ(1, write(self->other[1], "y", 1));
		}
		ASSERT_TRUE(UT_WAIT(ut_slot_state(base, ctx) ==
				    UMS_STATE_READY));
		/* One that was READY is that, and nobody was told anything */
		EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&self->worker);
	EXPECT_EQ(0, self->worker.ret);
}

TEST_HARNESS_MAIN
