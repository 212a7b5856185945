// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests of how processes and threads end, see lifecycle.h.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lifecycle.h"

static void spin(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;

	UT_STORE(crowd->spinning, 1);
	while (!UT_LOAD(crowd->stop))
		sched_yield();
}

static void run_the_spinner(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;
	struct ums_event event;

	ut_execute(crowd->base.group, crowd->spinner.ctx, &event);
}

static void return_at_once(struct ut_thread *thread)
{
}

static void yield_for_ever(struct ut_thread *thread)
{
	while (!ut_yield(0))
		;
}

static void block_in_read(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;
	char byte;

	thread->ret = read(crowd->pipe[0], &byte, 1);
}

static void block_in_futex(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;

	syscall(SYS_futex, &crowd->futex, FUTEX_WAIT_PRIVATE, 0, NULL, NULL,
		0);
}

static void block_in_nanosleep(struct ut_thread *thread)
{
	struct timespec ts = { .tv_sec = 1000000 };

	syscall(SYS_nanosleep, &ts, NULL);
}

static void block_in_poll(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;
	struct pollfd pollfd = { .fd = crowd->pipe[0], .events = POLLIN };

	syscall(SYS_poll, &pollfd, 1, -1);
}

static void block_in_dequeue(struct ut_thread *thread)
{
	struct ums_event event;

	ut_dequeue(*(int *)thread->arg, &event, 1, -1);
}

static long make_member(struct crowd *crowd, void (*fn)(struct ut_thread *),
			void *arg, unsigned int reason, long nr)
{
	struct ut_thread *thread = &crowd->members[crowd->nr_members++];
	struct ums_event event;
	long ret = ut_spawn_worker(&crowd->base, thread, fn, arg);

	if (ret)
		return ret;
	ret = ut_next_of(&crowd->base, thread->ctx, &event);
	if (ret != 1)
		return ret;
	if (reason == UMS_REASON_READY)
		return 0;
	if (reason == UMS_REASON_BLOCKED)
		ret = ut_run_to_block(&crowd->base, thread->ctx, &event, nr);
	else
		ret = ut_run_to(&crowd->base, thread->ctx, &event, reason);
	return ret == reason ? 0 : -EPROTO;
}

long crowd_make(struct crowd *crowd, unsigned int policy)
{
	static int empty_list;
	const struct {
		void (*fn)(struct ut_thread *thread);
		void *arg;
		unsigned int reason;
		long nr;
	} kinds[] = {
		{ return_at_once, NULL, UMS_REASON_READY, 0 },
		{ yield_for_ever, NULL, UMS_REASON_YIELDED, 0 },
		{ return_at_once, NULL, UMS_REASON_TERMINATED, 0 },
		{ block_in_read, crowd, UMS_REASON_BLOCKED, SYS_read },
		{ block_in_futex, crowd, UMS_REASON_BLOCKED, SYS_futex },
		{ block_in_nanosleep, NULL, UMS_REASON_BLOCKED,
		  SYS_nanosleep },
		{ block_in_poll, crowd, UMS_REASON_BLOCKED, SYS_poll },
		{ block_in_dequeue, &empty_list, UMS_REASON_BLOCKED,
		  __NR_ums_dequeue },
	};
	struct ut_base *base = &crowd->base;
	struct ums_event event;
	unsigned int i;
	__u64 unused;
	long ret;

	memset(crowd, 0, sizeof(*crowd));
	ret = ut_base_open(base, CROWD_SIZE + 8, policy);
	if (ret)
		return ret;
	if (pipe2(crowd->pipe, O_CLOEXEC))
		return -errno;
	empty_list = ut_list_create(base->group, NULL);
	ret = ut_base_schedule_here(base);
	if (!ret)
		ret = ut_ctx_create(base->group, 0, &unused);
	for (i = 0; !ret && i < CROWD_SIZE; i++) {
		unsigned int kind = i % ARRAY_SIZE(kinds);

		ret = make_member(crowd, kinds[kind].fn, kinds[kind].arg,
				  kinds[kind].reason, kinds[kind].nr);
	}
	if (!ret)
		ret = ut_spawn_worker(base, &crowd->spinner, spin, crowd);
	if (ret)
		return ret;
	ret = ut_next_of(base, crowd->spinner.ctx, &event);
	if (ret != 1)
		return ret;
	ret = ut_spawn(base, &crowd->other, UMS_ROLE_SCHEDULER,
		       run_the_spinner, crowd);
	if (ret)
		return ret;
	return UT_WAIT(UT_LOAD(crowd->spinning)) ? 0 : -ETIMEDOUT;
}
