// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a worker that blocks in a system call gives its virtual
 * processor back with an event that names the call, is reported READY exactly
 * once when the wait is over, and finishes the call when it is executed.
 *
 * Each variant is one place of the kernel where a thread can wait. If that is
 * managed the thread stays there until it is executed.
 */
#include <signal.h>
#include <string.h>

#include "../kselftest_harness.h"
#include "sites.h"
#include "user.h"

#define ROUNDS		3

FIXTURE(block) {
	struct ut_base base;
	struct ut_thread worker;
	struct site site;
	struct ums_switches before;
};

FIXTURE_VARIANT(block) {
	enum sites site;
};

FIXTURE_VARIANT_ADD(block, nanosleep) { .site = SITE_NANOSLEEP };
FIXTURE_VARIANT_ADD(block, timerfd) { .site = SITE_TIMERFD };
FIXTURE_VARIANT_ADD(block, pipe_read) { .site = SITE_PIPE_READ };
FIXTURE_VARIANT_ADD(block, pipe_write) { .site = SITE_PIPE_WRITE };
FIXTURE_VARIANT_ADD(block, futex) { .site = SITE_FUTEX };
FIXTURE_VARIANT_ADD(block, futex_until) { .site = SITE_FUTEX_UNTIL };
FIXTURE_VARIANT_ADD(block, futex_waitv) { .site = SITE_FUTEX_WAITV };
FIXTURE_VARIANT_ADD(block, pi_futex) { .site = SITE_PI_FUTEX };
FIXTURE_VARIANT_ADD(block, eventfd) { .site = SITE_EVENTFD };
FIXTURE_VARIANT_ADD(block, eventfd_write) { .site = SITE_EVENTFD_WRITE };
FIXTURE_VARIANT_ADD(block, unix) { .site = SITE_UNIX };
FIXTURE_VARIANT_ADD(block, tcp) { .site = SITE_TCP };
FIXTURE_VARIANT_ADD(block, tcp_send) { .site = SITE_TCP_SEND };
FIXTURE_VARIANT_ADD(block, connect) { .site = SITE_CONNECT };
FIXTURE_VARIANT_ADD(block, accept) { .site = SITE_ACCEPT };
FIXTURE_VARIANT_ADD(block, unix_accept) { .site = SITE_UNIX_ACCEPT };
FIXTURE_VARIANT_ADD(block, unix_dgram) { .site = SITE_UNIX_DGRAM };
FIXTURE_VARIANT_ADD(block, udp) { .site = SITE_UDP };
FIXTURE_VARIANT_ADD(block, epoll) { .site = SITE_EPOLL };
FIXTURE_VARIANT_ADD(block, poll) { .site = SITE_POLL };
FIXTURE_VARIANT_ADD(block, select) { .site = SITE_SELECT };
FIXTURE_VARIANT_ADD(block, waitid) { .site = SITE_WAITID };
FIXTURE_VARIANT_ADD(block, wait4) { .site = SITE_WAIT4 };
FIXTURE_VARIANT_ADD(block, signalfd) { .site = SITE_SIGNALFD };
FIXTURE_VARIANT_ADD(block, sigwait) { .site = SITE_SIGWAIT };
FIXTURE_VARIANT_ADD(block, sigwait_until) { .site = SITE_SIGWAIT_UNTIL };
FIXTURE_VARIANT_ADD(block, uring) { .site = SITE_URING };
FIXTURE_VARIANT_ADD(block, uring_deferred) { .site = SITE_URING_DEFERRED };
FIXTURE_VARIANT_ADD(block, vfork) { .site = SITE_VFORK };
FIXTURE_VARIANT_ADD(block, flock) { .site = SITE_FLOCK };
FIXTURE_VARIANT_ADD(block, splice_pipe) { .site = SITE_SPLICE_PIPE };
FIXTURE_VARIANT_ADD(block, splice_tcp) { .site = SITE_SPLICE_TCP };
FIXTURE_VARIANT_ADD(block, splice_unix) { .site = SITE_SPLICE_UNIX };

FIXTURE_SETUP(block)
{
	sigset_t set;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
}

FIXTURE_TEARDOWN(block)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

struct caller {
	struct site *site;
	const struct site_type *type;
};

/* Yield first, so that the call starts when the test is ready for it */
static void call_and_yield(struct ut_thread *thread)
{
	struct caller *caller = thread->arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ut_yield(UT_NONE);
		ut_yield(caller->type->call(caller->site));
	}
}

/* Is the wakeup of the worker recorded, and does its thread not run for that? */
static void check_wakeup(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(block) * self, bool managed, long slept)
{
	struct ut_thread *worker = &self->worker;
	struct ums_switches now;
	long switches;

	/* In this order: a thread that was late has run */
	switches = ut_thread_switches(worker->tid);
	now = uu_switches(&self->base, worker->ctx);
	EXPECT_EQ(self->before.recorded + managed, now.recorded);
	if (!managed)
		EXPECT_EQ(self->before.late, now.late);
	if (managed && self->before.late == now.late)
		EXPECT_EQ(slept, switches);
	self->before = now;
}

static void run(struct __test_metadata *const _metadata,
		FIXTURE_DATA(block) * self, enum sites which, unsigned int flags)
{
	const struct site_type *type = &site_types[which];
	struct caller caller = { &self->site, type };
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event blocked, event;
	long slept = 0;
	struct ums_info info;
	__u64 start, seq;
	bool managed;
	int i;

	managed = type->managed && !(flags & UMS_SETUP_NO_MANAGED_SLEEP);
	ASSERT_EQ(0, ut_base_open_flags(base, 8, UMS_ORPHAN_RELEASE, flags));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, call_and_yield, &caller));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_READY, event.reason);
	ASSERT_EQ(worker->ctx, event.ctx);
	seq = event.seq;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		ASSERT_EQ(UT_NONE, event.arg);
		EXPECT_LT(seq, event.seq + ut_user_mode());
		seq = event.seq;
		ASSERT_TRUE(site_open(&self->site, worker, which));
		self->before = uu_switches(base, worker->ctx);

		start = ut_now_ns();
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, worker->ctx, &blocked,
					  type->nr));
		EXPECT_EQ(worker->ctx, blocked.ctx);
		EXPECT_EQ((uintptr_t)worker, blocked.cookie);
		EXPECT_EQ(UMS_REASON_BLOCKED, blocked.reason);
		EXPECT_EQ(UMS_CAUSE_SYSCALL, blocked.cause);
		EXPECT_EQ(type->nr, blocked.arg);
		EXPECT_LT(seq, blocked.seq);
		EXPECT_LE(start, blocked.time_ns);
		EXPECT_GE(ut_now_ns(), blocked.time_ns);

		if (type->wake) {
			EXPECT_EQ(UMS_STATE_BLOCKED,
				  ut_slot_state(base, worker->ctx));
			EXPECT_EQ(UMS_STATE_BLOCKED,
				  ut_state(base->group, worker->ctx));
			EXPECT_EQ(-EINPROGRESS,
				  ut_execute(base->group, worker->ctx, &event));
			EXPECT_EQ(-EAGAIN,
				  ut_dequeue(base->list, &event, 1, 0));
			EXPECT_EQ(0, ut_query(base->group, worker->ctx,
					      UMS_INFO_EVENT, &info));
			EXPECT_EQ(0, memcmp(&blocked, &info.event,
					    sizeof(blocked)));
		}
		EXPECT_TRUE(UT_WAIT(ut_thread_sleeps_in(worker->tid,
							type->nr)));
		slept = ut_thread_switches(worker->tid);
		if (type->wake)
			type->wake(&self->site);

		ASSERT_EQ(1, ut_next(base, &event));
		EXPECT_EQ(UMS_REASON_READY, event.reason);
		EXPECT_EQ(worker->ctx, event.ctx);
		EXPECT_EQ((uintptr_t)worker, event.cookie);
		EXPECT_EQ(UMS_CAUSE_NONE, event.cause);
		EXPECT_EQ(0, event.arg);
		EXPECT_LT(blocked.seq, event.seq);
		EXPECT_LE(blocked.time_ns, event.time_ns);
		EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker->ctx));
		EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
		if (!type->wake)
			EXPECT_LE(start + SITE_NS, ut_now_ns());
		check_wakeup(_metadata, self, managed, slept);
		seq = event.seq;

		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(type->result, (long)event.arg);
		EXPECT_LT(seq, event.seq + ut_user_mode());
		seq = event.seq;
		site_close(&self->site);
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
}

TEST_F(block, is_reported_with_its_call_and_finishes_when_executed)
{
	run(_metadata, self, variant->site, 0);
}

TEST_F(block, finishes_its_call_first_if_the_group_wants_that)
{
	run(_metadata, self, variant->site, UMS_SETUP_NO_MANAGED_SLEEP);
}

TEST_HARNESS_MAIN
