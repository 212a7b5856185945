// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: when a worker counts as blocked and when not, whatever the system
 * call: calls that do not sleep, ums_dequeue() itself, waits that end while
 * the worker is on its way to sleep, many workers at once.
 */
#include <linux/futex.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define WORKERS	16

FIXTURE(block_rules) {
	struct ut_base base;
	struct ut_thread worker[WORKERS];
	int fd[2];
};

FIXTURE_SETUP(block_rules)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open(&self->base, 64, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(block_rules)
{
	if (!self->base.slots)
		return;
	ut_base_close(&self->base);
	close(self->fd[0]);
	close(self->fd[1]);
}

static void call_without_sleep(struct ut_thread *thread)
{
	struct pollfd pfd = { .fd = *(int *)thread->arg, .events = POLLIN };
	uint32_t word = 1;
	char byte;
	int i;

	for (i = 0; i < 100; i++) {
		syscall(SYS_getppid);
		thread->ret += syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0,
				       NULL, NULL, 0) == -1;
		thread->ret += poll(&pfd, 1, 0) == 1;
		thread->ret += read(pfd.fd, &byte, 1) == 1;
	}
}

TEST_F(block_rules, call_that_does_not_sleep_gives_no_event)
{
	struct ut_thread *worker = &self->worker[0];
	struct ut_base *base = &self->base;
	struct ums_event event;
	char data[100] = {};
	long ret;

	ASSERT_EQ(sizeof(data), write(self->fd[1], data, sizeof(data)));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, call_without_sleep,
				     &self->fd[0]));
	ASSERT_EQ(1, ut_next(base, &event));
	for (;;) {
		ret = ut_execute(base->group, worker->ctx, &event);
		if (ret != UMS_REASON_BLOCKED || UT_LOAD(worker->done))
			break;
		/* Nothing but a page fault had a right to block */
		ASSERT_EQ(UMS_CAUSE_FAULT, event.cause);
		ASSERT_EQ(1, ut_next(base, &event));
	}
	if (ret == UMS_REASON_BLOCKED)
		ret = ut_finish(base, worker->ctx) ?: UMS_REASON_TERMINATED;
	ASSERT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(worker);
	EXPECT_EQ(300, worker->ret);
}

static void wait_in_dequeue(struct ut_thread *thread)
{
	struct ums_event event = {};
	int list = *(int *)thread->arg;

	ut_yield(UT_NONE);
	thread->ret = ut_dequeue(list, &event, 1, -1);
	ut_yield(event.ctx);
}

static void do_nothing(struct ut_thread *thread)
{
}

TEST_F(block_rules, worker_that_waits_in_dequeue_is_blocked)
{
	struct ut_thread *waiter = &self->worker[0];
	struct ut_thread *other = &self->worker[1];
	struct ut_base *base = &self->base;
	struct ums_event event;
	long ret;
	int list;

	list = ut_list_create(base->group, NULL);
	ASSERT_LE(0, list);
	ASSERT_EQ(0, ut_spawn_worker(base, waiter, wait_in_dequeue, &list));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, waiter->ctx, &event, UMS_REASON_YIELDED));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, waiter->ctx, &event,
				  __NR_ums_dequeue));

	/* An arrival on the list that it waits for unblocks it */
	ASSERT_EQ(0, ut_spawn_on(base, other, list, UMS_ROLE_WORKER,
				 do_nothing, NULL));
	ASSERT_EQ(1, ut_next(base, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_EQ(waiter->ctx, event.ctx);
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, waiter->ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(1, waiter->ret);
	EXPECT_EQ(other->ctx, event.arg);

	/* It was told of the other one, so that can be executed now */
	for (;;) {
		ret = ut_execute(base->group, other->ctx, &event);
		if (ret == UMS_REASON_TERMINATED)
			break;
		if (ret == -EAGAIN)
			continue;
		ASSERT_EQ(UMS_REASON_BLOCKED, ret);
		ASSERT_EQ(1, ut_dequeue(list, &event, 1, UT_LIMIT_MS));
	}
	ut_join(other);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, waiter->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(waiter);
	close(list);
}

static void read_byte(struct ut_thread *thread)
{
	int fd = *(int *)thread->arg;
	char byte;

	ut_yield(UT_NONE);
	thread->ret = read(fd, &byte, 1);
}

TEST_F(block_rules, many_workers_blocked_at_once_are_each_reported_once)
{
	struct ut_base *base = &self->base;
	bool ready[WORKERS] = {};
	struct ums_event event;
	char data[WORKERS] = {};
	struct ut_thread *worker;
	int i;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[i], read_byte,
					     &self->fd[0]));
	for (i = 0; i < WORKERS; i++) {
		worker = &self->worker[i];
		ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, worker->ctx, &event,
					  SYS_read));
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	ASSERT_EQ(WORKERS, write(self->fd[1], data, WORKERS));

	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(1, ut_next(base, &event));
		worker = (void *)(uintptr_t)event.cookie;
		EXPECT_EQ(UMS_REASON_READY, event.reason);
		EXPECT_EQ(worker->ctx, event.ctx);
		EXPECT_FALSE(ready[worker - self->worker]);
		ready[worker - self->worker] = true;
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	for (i = 0; i < WORKERS; i++) {
		worker = &self->worker[i];
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_TERMINATED));
		EXPECT_EQ(1, worker->ret);
		ut_join(worker);
	}
}

/* Woken up, but somebody else was faster: the wait goes on unseen */
TEST_F(block_rules, wait_that_goes_on_after_a_wakeup_is_one_block)
{
	struct ut_thread *worker = &self->worker[0];
	struct ut_base *base = &self->base;
	struct ums_event blocked, event;
	int i, sock[2];
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, read_byte, &sock[0]));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker->ctx, &blocked, SYS_read));

	/* This thread and the worker race for each byte */
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(1, write(sock[1], "x", 1));
		if (recv(sock[0], &byte, 1, MSG_DONTWAIT) != 1)
			break;
	}
	if (i == 200)
		ASSERT_EQ(1, write(sock[1], "x", 1));
	ASSERT_EQ(1, ut_next(base, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_LT(blocked.seq, event.seq);
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(1, worker->ret);
	EXPECT_EQ(-1, recv(sock[0], &byte, 1, MSG_DONTWAIT));
	ut_join(worker);
	close(sock[0]);
	close(sock[1]);
}

TEST_HARNESS_MAIN
