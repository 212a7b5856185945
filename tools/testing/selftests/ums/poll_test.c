// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: waiting for a completion list along with other files: poll, select,
 * epoll, io_uring.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"
#include "uring.h"

#define NR_WORKERS	16
#define NR_POLLERS	4

FIXTURE(poll)
{
	struct ut_base base;
	struct ut_thread workers[NR_WORKERS];
	int epoll;
};

FIXTURE_SETUP(poll)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, NR_WORKERS + 4, 0));
	self->epoll = epoll_create1(0);
	ASSERT_LE(0, self->epoll);
}

FIXTURE_TEARDOWN(poll)
{
	close(self->epoll);
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

/* Have an item queued, now or soon */
static long send_one(struct ut_base *base, struct ut_thread *worker)
{
	return ut_spawn_worker(base, worker, return_at_once, NULL);
}

/* Have one queued now */
static bool queue_one(struct ut_base *base, struct ut_thread *worker)
{
	__u32 tail = UT_LOAD(base->ring->tail);

	return !send_one(base, worker) &&
	       UT_WAIT(UT_LOAD(base->ring->tail) != tail);
}

static bool take_one(struct ut_base *base)
{
	struct ums_event event;

	return ut_dequeue(base->list, &event, 1, 0) == 1;
}

static int poll_list(int list, short events, int timeout_ms)
{
	struct pollfd pollfd = { .fd = list, .events = events };
	int ret = poll(&pollfd, 1, timeout_ms);

	return ret == 1 ? pollfd.revents : ret;
}

TEST_F(poll, poll_tells_whether_the_list_is_empty)
{
	const short all = POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM |
			  POLLWRNORM;
	struct ut_base *base = &self->base;

	EXPECT_EQ(0, poll_list(base->list, all, 0));
	ASSERT_TRUE(queue_one(base, &self->workers[0]));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_list(base->list, all, 0));
	EXPECT_EQ(POLLIN, poll_list(base->list, POLLIN, -1));
	EXPECT_EQ(0, poll_list(base->list, POLLOUT, 0));
	ASSERT_TRUE(queue_one(base, &self->workers[1]));
	ASSERT_TRUE(take_one(base));
	EXPECT_EQ(POLLIN, poll_list(base->list, POLLIN, 0));
	ASSERT_TRUE(take_one(base));
	EXPECT_EQ(0, poll_list(base->list, all, 0));
}

TEST_F(poll, poll_follows_entries_that_user_space_takes)
{
	struct ut_base *base = &self->base;

	ASSERT_TRUE(queue_one(base, &self->workers[0]));
	__atomic_add_fetch(&base->ring->head, 1, __ATOMIC_ACQ_REL);
	EXPECT_EQ(0, poll_list(base->list, POLLIN, 0));
}

struct waiter {
	struct ut_base *base;
	int epoll;
	int timeout_ms;
	struct epoll_event event;
};

static void wait_in_poll(struct ut_thread *thread)
{
	struct waiter *waiter = thread->arg;

	thread->ret = poll_list(waiter->base->list, POLLIN,
				waiter->timeout_ms);
}

static void wait_in_select(struct ut_thread *thread)
{
	struct waiter *waiter = thread->arg;
	int list = waiter->base->list;
	fd_set in, out, except;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(list, &in);
	FD_SET(list, &out);
	FD_SET(list, &except);
	thread->ret = select(list + 1, &in, &out, &except, NULL);
	if (!FD_ISSET(list, &in) || FD_ISSET(list, &out) ||
	    FD_ISSET(list, &except))
		thread->ret = -1;
}

static void wait_in_epoll(struct ut_thread *thread)
{
	struct waiter *waiter = thread->arg;

	thread->ret = epoll_wait(waiter->epoll, &waiter->event, 1,
				 waiter->timeout_ms);
}

static bool sleeps(struct ut_thread *thread)
{
	return UT_LOAD(thread->tid) && ut_thread_state(thread->tid) == 'S' &&
	       ut_thread_syscall(thread->tid) > 0 &&
	       !ut_thread_sleeps_in(thread->tid, SYS_futex);
}

static int add(int epoll, int list, unsigned int flags)
{
	struct epoll_event event = { .events = EPOLLIN | flags };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, list, &event);
}

TEST_F(poll, sleepers_are_woken_by_an_item)
{
	static void (*const waits[])(struct ut_thread *thread) = {
		wait_in_poll, wait_in_select, wait_in_epoll,
	};
	struct ut_base *base = &self->base;
	struct waiter waiter = {
		.base = base,
		.epoll = self->epoll,
		.timeout_ms = -1,
	};
	struct ut_thread thread;
	unsigned int i;

	ASSERT_EQ(0, add(self->epoll, base->list, 0));
	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		ASSERT_EQ(0, ut_spawn(base, &thread, UMS_ROLE_NONE, waits[i],
				      &waiter));
		ASSERT_TRUE(UT_WAIT(sleeps(&thread)));
		EXPECT_EQ(0, UT_LOAD(thread.done));
		ASSERT_EQ(0, send_one(base, &self->workers[i]));
		ut_join(&thread);
		EXPECT_EQ(1, thread.ret);
		EXPECT_TRUE(take_one(base));
	}
}

TEST_F(poll, pollers_and_dequeuers_wait_side_by_side)
{
	struct ut_base *base = &self->base;
	struct waiter waiter = { .base = base, .timeout_ms = -1 };
	struct ut_thread thread;
	struct ums_event event;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, ut_spawn(base, &thread, UMS_ROLE_NONE,
				      wait_in_poll, &waiter));
		ASSERT_TRUE(UT_WAIT(sleeps(&thread)));
		ASSERT_EQ(0, send_one(base, &self->workers[i]));
		/* It stays to be seen until the poller has seen it */
		ut_join(&thread);
		EXPECT_EQ(1, ut_dequeue(base->list, &event, 1, UT_LIMIT_MS));
	}
}

TEST_F(poll, level_triggered_epoll_reports_until_empty)
{
	struct ut_base *base = &self->base;
	struct epoll_event event;
	unsigned int i;

	ASSERT_EQ(0, add(self->epoll, base->list, 0));
	EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
	ASSERT_TRUE(queue_one(base, &self->workers[0]));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(1, epoll_wait(self->epoll, &event, 1, UT_LIMIT_MS));
		EXPECT_EQ(EPOLLIN, event.events);
	}
	ASSERT_TRUE(take_one(base));
	EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
}

TEST_F(poll, edge_triggered_epoll_reports_each_new_item)
{
	struct ut_base *base = &self->base;
	struct epoll_event event;
	unsigned int i;

	ASSERT_EQ(0, add(self->epoll, base->list, EPOLLET));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, send_one(base, &self->workers[i]));
		EXPECT_EQ(1, epoll_wait(self->epoll, &event, 1, UT_LIMIT_MS));
		EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
	}
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(take_one(base));
	EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
}

TEST_F(poll, oneshot_epoll_reports_once_until_rearmed)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	struct ut_base *base = &self->base;

	ASSERT_EQ(0, add(self->epoll, base->list, EPOLLONESHOT));
	ASSERT_EQ(0, send_one(base, &self->workers[0]));
	EXPECT_EQ(1, epoll_wait(self->epoll, &event, 1, UT_LIMIT_MS));
	ASSERT_TRUE(queue_one(base, &self->workers[1]));
	EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
	event.events = EPOLLIN | EPOLLONESHOT;
	ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_MOD, base->list,
			       &event));
	EXPECT_EQ(1, epoll_wait(self->epoll, &event, 1, UT_LIMIT_MS));
	EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
}

TEST_F(poll, exclusive_epoll_does_not_wake_all)
{
	struct ut_base *base = &self->base;
	struct waiter waiters[NR_POLLERS];
	struct ut_thread threads[NR_POLLERS];
	unsigned int i, woken = 0;

	for (i = 0; i < NR_POLLERS; i++) {
		waiters[i].epoll = epoll_create1(0);
		waiters[i].timeout_ms = -1;
		ASSERT_EQ(0, add(waiters[i].epoll, base->list,
				 EPOLLEXCLUSIVE));
		ASSERT_EQ(0, ut_spawn(base, &threads[i], UMS_ROLE_NONE,
				      wait_in_epoll, &waiters[i]));
		ASSERT_TRUE(UT_WAIT(sleeps(&threads[i])));
	}
	ASSERT_EQ(0, send_one(base, &self->workers[0]));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(threads[0].done) +
			    UT_LOAD(threads[1].done) +
			    UT_LOAD(threads[2].done) +
			    UT_LOAD(threads[3].done)));
	/* The wakeup is over, or the one who saw it could not have run */
	for (i = 0; i < NR_POLLERS; i++)
		woken += !sleeps(&threads[i]);
	EXPECT_GT(NR_POLLERS, woken);
	for (i = 1; i <= NR_POLLERS * 2; i++)
		ASSERT_TRUE(queue_one(base, &self->workers[i]));
	for (i = 0; i < NR_POLLERS; i++) {
		ut_join(&threads[i]);
		EXPECT_EQ(1, threads[i].ret);
	}
}

TEST_F(poll, worker_may_wait_in_poll)
{
	struct ut_base *base = &self->base;
	struct waiter waiter = { .base = base, .timeout_ms = -1 };
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, wait_in_poll, &waiter));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker.ctx, &event, SYS_poll));
	/* An item for the list wakes it, if it is there to be seen */
	ASSERT_EQ(0, send_one(base, &self->workers[0]));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(base, worker.ctx) ==
			    UMS_STATE_READY));
	/* Not read: it looks again when it runs */
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(POLLIN, worker.ret);
	ut_join(&worker);
}

TEST_F(poll, closing_the_list_ends_nothing_but_the_watch)
{
	struct ut_base *base = &self->base;
	struct epoll_event event;

	ASSERT_EQ(0, add(self->epoll, base->list, 0));
	ASSERT_TRUE(queue_one(base, &self->workers[0]));
	EXPECT_EQ(1, epoll_wait(self->epoll, &event, 1, UT_LIMIT_MS));
	ASSERT_EQ(0, munmap(base->ring, base->ring_size));
	base->ring = MAP_FAILED;
	ASSERT_EQ(0, close(base->list));
	base->list = -1;
	EXPECT_EQ(0, epoll_wait(self->epoll, &event, 1, 0));
}

TEST_F(poll, io_uring_polls)
{
	struct ut_base *base = &self->base;
	struct io_uring_cqe cqe;
	struct uring uring;
	int ret = uring_open(&uring);

	if (ret == -EPERM || ut_unknown(ret))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ret);

	/* Before the item and after */
	ASSERT_EQ(1, uring_poll(&uring, base->list, 0));
	EXPECT_FALSE(uring_take(&uring, &cqe, false));
	ASSERT_EQ(0, send_one(base, &self->workers[0]));
	ASSERT_TRUE(uring_take(&uring, &cqe, true));
	EXPECT_EQ(POLLIN, cqe.res & POLLIN);
	ASSERT_EQ(1, uring_poll(&uring, base->list, 0));
	ASSERT_TRUE(uring_take(&uring, &cqe, true));
	EXPECT_EQ(POLLIN, cqe.res & POLLIN);
	EXPECT_TRUE(take_one(base));
	uring_close(&uring);
}

TEST_F(poll, io_uring_polls_many_times)
{
	struct ut_base *base = &self->base;
	struct io_uring_cqe cqe;
	struct uring uring;
	unsigned int i;
	int ret = uring_open(&uring);

	if (ret == -EPERM || ut_unknown(ret))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ret);

	ASSERT_EQ(1, uring_poll(&uring, base->list, IORING_POLL_ADD_MULTI));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, send_one(base, &self->workers[i]));
		ASSERT_TRUE(uring_take(&uring, &cqe, true));
		EXPECT_EQ(POLLIN, cqe.res & POLLIN);
		EXPECT_NE(0, cqe.flags & IORING_CQE_F_MORE);
		EXPECT_TRUE(take_one(base));
	}
	/* The request holds the list; the ring goes with it pending */
	uring_close(&uring);
}

TEST_HARNESS_MAIN
