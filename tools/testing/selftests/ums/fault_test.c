// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: every allocation, and every copy from and to user memory, fails in
 * turn, in each operation. An error comes back that says so, nothing is left
 * behind or lost, and the operation succeeds as soon as nothing fails.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "common.h"
#include "fault.h"

#define CONTEXTS	64
/* Of the first page of slots; index 0 is not used */
#define FIRST_PAGE	15
/* Nobody is charged for anything under that id yet */
#define SOMEBODY	47110
#define NO_CALL		-1L

/**
 * struct rig - What operations work on
 *
 * @base: A group with a list.
 * @other: Fd of a group without lists, and with few contexts.
 * @contexts: How many.
 * @epoll: Fd of an epoll instance.
 * @ctx: A context without a thread, or UT_NONE.
 * @yielder: A worker that yields whenever it is executed.
 * @sleeper: A worker that reads from @pipe whenever it is executed.
 * @waker: A thread that writes to @pipe.
 * @pipe: See there.
 * @tester: The thread whose operations fail, if they sleep.
 * @sleeps_in: When @tester sleeps in this call @waker shall write; or NO_CALL.
 * @done: All workers, and @waker, shall end.
 * @map: For @undo.
 */
struct rig {
	struct ut_base base;
	int other;
	unsigned int contexts;
	int epoll;
	__u64 ctx;
	struct ut_thread yielder;
	struct ut_thread sleeper;
	struct ut_thread waker;
	int pipe[2];
	pid_t tester;
	long sleeps_in;
	int done;
	void *map;
};

static void close_it(struct rig *rig, long ret)
{
	close(ret);
}

static long probe(struct rig *rig)
{
	return ut_probe(NULL);
}

static long setup(struct rig *rig)
{
	return ut_setup(CONTEXTS, UMS_ORPHAN_RELEASE);
}

/* Of this thread only */
static bool is_user(uid_t id)
{
	return !syscall(SYS_setresuid, -1, id, -1);
}

static bool is_somebody(struct rig *rig)
{
	return is_user(SOMEBODY);
}

static long list_create(struct rig *rig)
{
	struct ums_list_create list;

	return ut_list_create(rig->base.group, &list);
}

static bool has_empty_group(struct rig *rig)
{
	close(rig->other);
	rig->contexts = 0;
	rig->other = setup(rig);
	return rig->other >= 0;
}

/* The group has no room for its number yet */
static long first_list(struct rig *rig)
{
	struct ums_list_create list;
	long ret = ut_list_create(rig->other, &list);

	return ret < 0 || list.id ? ret : -EPROTO;
}

/* Nor for contexts. One that could not be created has used nothing up */
static long next_ctx(struct rig *rig)
{
	__u64 ctx;
	long ret = ut_ctx_create(rig->other, 0, &ctx);

	if (ret)
		return ret;
	return (__u32)ctx == ++rig->contexts ? 0 : -EPROTO;
}

static bool has_full_page(struct rig *rig)
{
	if (!has_empty_group(rig))
		return false;
	while (rig->contexts < FIRST_PAGE)
		if (next_ctx(rig))
			return false;
	return true;
}

static long ctx_create(struct rig *rig)
{
	return ut_ctx_create(rig->base.group, 0, &rig->ctx);
}

static bool has_ctx(struct rig *rig)
{
	if (rig->ctx != UT_NONE)
		ut_ctx_delete(rig->base.group, rig->ctx);
	return !ut_ctx_create(rig->base.group, 0, &rig->ctx);
}

static void ctx_undo(struct rig *rig, long ret)
{
	ut_ctx_delete(rig->base.group, rig->ctx);
	rig->ctx = UT_NONE;
}

static long ctx_delete(struct rig *rig)
{
	long ret = ut_ctx_delete(rig->base.group, rig->ctx);

	if (!ret)
		rig->ctx = UT_NONE;
	return ret;
}

static long attach(struct rig *rig)
{
	return ut_attach(rig->base.list, UMS_ROLE_SCHEDULER, rig->ctx);
}

/* Returns when it has been executed */
static long attach_worker(struct rig *rig)
{
	return ut_attach(rig->base.list, UMS_ROLE_WORKER, rig->ctx);
}

static void attach_undo(struct rig *rig, long ret)
{
	ut_detach();
}

static long yield(struct rig *rig)
{
	return ut_yield(0);
}

static long query(struct rig *rig)
{
	struct ums_info info;

	return ut_query(rig->base.group, rig->yielder.ctx, UMS_INFO_STATS, &info);
}

/* It has the old value until it has the new one */
static long set(struct rig *rig)
{
	struct ums_info info = {
		.ctx = rig->yielder.ctx,
		.info_class = UMS_INFO_COOKIE,
	};
	__u64 old = ut_slot(&rig->base, info.ctx)->cookie;
	long ret;

	info.value = old + 1;
	ret = ut_ctl(UMS_CTL_SET, rig->base.group, &info, sizeof(info));
	if (ut_slot(&rig->base, info.ctx)->cookie != (ret ? old : info.value))
		return -EPROTO;
	return ret;
}

static long map(struct rig *rig, int fd, size_t size)
{
	rig->map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	return rig->map == MAP_FAILED ? -errno : 0;
}

/* Faults have no error: they are made again */
static long map_slots(struct rig *rig)
{
	long ret = map(rig, rig->base.group, rig->base.slots_size);

	return ret ?: UT_LOAD(((struct ums_context *)rig->map)[1].state) + 1;
}

static void unmap_slots(struct rig *rig, long ret)
{
	munmap(rig->map, rig->base.slots_size);
}

static long map_ring(struct rig *rig)
{
	long ret = map(rig, rig->base.list, rig->base.ring_size);

	return ret ?: UT_LOAD(((struct ums_ring *)rig->map)->mask) + 1;
}

static void unmap_ring(struct rig *rig, long ret)
{
	munmap(rig->map, rig->base.ring_size);
}

/* Must have a line that begins so */
static long read_fdinfo(int fd, const char *begin)
{
	char path[64], text[4096], *line;
	int info;
	long ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	if (info < 0)
		return -errno;
	ret = read(info, text, sizeof(text) - 1);
	if (ret < 0)
		ret = -errno;
	close(info);
	if (ret < 0)
		return ret;
	text[ret] = 0;
	line = strstr(text, begin);
	return line && strstr(line, "\nums-ctx:") ? 0 : -EPROTO;
}

static long group_fdinfo(struct rig *rig)
{
	return read_fdinfo(rig->base.group, "\nums-group:");
}

static long list_fdinfo(struct rig *rig)
{
	return read_fdinfo(rig->base.list, "\nums-list:");
}

static long epoll_add(struct rig *rig)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(rig->epoll, EPOLL_CTL_ADD, rig->base.list, &event) ?
	       -errno : 0;
}

static void epoll_undo(struct rig *rig, long ret)
{
	epoll_ctl(rig->epoll, EPOLL_CTL_DEL, rig->base.list, NULL);
}

/* In any group, by any thread */
static const struct fault_op plain_ops[] = {
	{ "probe", NULL, probe, .sure = 2 },
	{ "setup", NULL, setup, close_it, .asks_twice = true },
	{ "setup for another user", is_somebody, setup, close_it, -ENOSPC },
	{ "list_create", NULL, list_create, close_it },
	{ "the first list", has_empty_group, first_list, close_it,
	  .asks_twice = true },
	{ "ctx_create", NULL, ctx_create, ctx_undo },
	{ "the first context", has_empty_group, next_ctx, .asks_twice = true },
	{ "the first context of a page", has_full_page, next_ctx,
	  .asks_twice = true },
	{ "ctx_delete", has_ctx, ctx_delete, .sure = 1 },
	{ "query", NULL, query, .sure = 2 },
	{ "set", NULL, set, .sure = 1 },
	{ "map the slots", NULL, map_slots, unmap_slots },
	{ "map the ring", NULL, map_ring, unmap_ring },
	{ "fdinfo of the group", NULL, group_fdinfo },
	{ "fdinfo of the list", NULL, list_fdinfo },
	{ "epoll_ctl", NULL, epoll_add, epoll_undo },
};

static long execute(struct rig *rig)
{
	struct ums_event event;
	long ret = ut_execute(rig->base.group, rig->yielder.ctx, &event);

	if (ret >= 0)
		return ret == UMS_REASON_YIELDED ? ret : -EPROTO;
	/*
	 * The event could not be written, for which there is no other reason
	 * than that somebody unmaps it meanwhile: then it is in the slot.
	 */
	if (ret == -EFAULT &&
	    ut_slot(&rig->base, rig->base.sched)->event_reason !=
	    UMS_REASON_YIELDED)
		return -EPROTO;
	return ret;
}

/* The sleeper is executed until it blocks, and nothing is on the list. */
static bool is_quiet(struct rig *rig)
{
	struct ums_event event;
	long ret;

	if (ut_run_to_block(&rig->base, rig->sleeper.ctx, &event, SYS_read) !=
	    UMS_REASON_BLOCKED)
		return false;
	do
		ret = ut_dequeue(rig->base.list, &event, 1, 0);
	while (ret == 1);
	return ret == -EAGAIN;
}

/* An event comes */
static bool has_event(struct rig *rig)
{
	return is_quiet(rig) && write(rig->pipe[1], "", 1) == 1 &&
	       UT_WAIT(ut_slot_state(&rig->base, rig->sleeper.ctx) ==
		       UMS_STATE_READY &&
		       UT_LOAD(rig->base.ring->head) !=
		       UT_LOAD(rig->base.ring->tail));
}

/* An event comes as soon as the test sleeps in that call */
static bool will_sleep_in(struct rig *rig, long call)
{
	bool quiet = is_quiet(rig);

	UT_STORE(rig->sleeps_in, call);
	return quiet;
}

static bool will_dequeue(struct rig *rig)
{
	return will_sleep_in(rig, __NR_ums_dequeue);
}

static bool will_poll(struct rig *rig)
{
	return will_sleep_in(rig, SYS_poll);
}

static long dequeue_for(struct rig *rig, long timeout_ms)
{
	struct ums_event event;
	long ret = ut_dequeue(rig->base.list, &event, 1, timeout_ms);

	if (ret == 1 && (event.ctx != rig->sleeper.ctx ||
			 event.reason != UMS_REASON_READY))
		return -EPROTO;
	return ret;
}

static long dequeue(struct rig *rig)
{
	return dequeue_for(rig, 0);
}

static long dequeue_in_time(struct rig *rig)
{
	return dequeue_for(rig, UT_LIMIT_MS);
}

static long dequeue_at_any_time(struct rig *rig)
{
	return dequeue_for(rig, -1);
}

static long wait_only(struct rig *rig)
{
	return ut_dequeue(rig->base.list, NULL, 0, UT_LIMIT_MS);
}

static long wait_in_poll(struct rig *rig)
{
	struct pollfd poll_list = { .fd = rig->base.list, .events = POLLIN };
	int ret = poll(&poll_list, 1, UT_LIMIT_MS);

	if (ret < 0)
		return -errno;
	return ret == 1 && poll_list.revents == POLLIN ? 0 : -EPROTO;
}

/* By a scheduler, which the workers need */
static const struct fault_op scheduler_ops[] = {
	{ "execute", NULL, execute, .sure = 1 },
	{ "dequeue", has_event, dequeue, .sure = 2 },
	{ "dequeue in time", will_dequeue, dequeue_in_time },
	{ "dequeue at any time", will_dequeue, dequeue_at_any_time,
	  .sure = 1 },
	{ "wait only", will_dequeue, wait_only },
	{ "poll", will_poll, wait_in_poll },
};

/* The last scheduler that goes releases the workers */
static const struct fault_op attach_op = {
	"attach", has_ctx, attach, attach_undo, .asks_twice = true
};

/* By other threads */
static const struct fault_op worker_op = {
	"attach a worker", has_ctx, attach_worker, attach_undo
};

static const struct fault_op yield_op = { "yield", NULL, yield, .sure = 1 };

static void yields(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;

	while (!UT_LOAD(rig->done))
		ut_yield(0);
}

static void sleeps(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;
	char byte;

	while (!UT_LOAD(rig->done))
		thread->ret = read(rig->pipe[0], &byte, 1);
}

static void wakes(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;

	while (!UT_LOAD(rig->done)) {
		long call = UT_LOAD(rig->sleeps_in);

		if (call == NO_CALL || !ut_thread_sleeps_in(rig->tester, call)) {
			ut_nap();
			continue;
		}
		UT_STORE(rig->sleeps_in, NO_CALL);
		thread->ret = write(rig->pipe[1], "", 1);
	}
}

FIXTURE(fault)
{
	struct rig rig;
};

FIXTURE_SETUP(fault)
{
	struct rig *rig = &self->rig;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!fault_begin())
		SKIP(return, "no fault injection here");
	ASSERT_EQ(0, ut_base_open(&rig->base, CONTEXTS, UMS_ORPHAN_RELEASE));
	rig->ctx = UT_NONE;
	rig->tester = gettid();
	rig->sleeps_in = NO_CALL;
	rig->other = setup(rig);
	ASSERT_LE(0, rig->other);
	rig->epoll = epoll_create1(0);
	ASSERT_LE(0, rig->epoll);
	ASSERT_EQ(0, pipe(rig->pipe));
	ASSERT_EQ(0, ut_spawn_worker(&rig->base, &rig->yielder, yields, rig));
	ASSERT_EQ(0, ut_spawn_worker(&rig->base, &rig->sleeper, sleeps, rig));
	ASSERT_EQ(0, ut_spawn(NULL, &rig->waker, UMS_ROLE_NONE, wakes, rig));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(&rig->base, rig->yielder.ctx) ==
			    UMS_STATE_READY));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(&rig->base, rig->sleeper.ctx) ==
			    UMS_STATE_READY));
}

FIXTURE_TEARDOWN(fault)
{
	fault_end();
}

/* What fault_everywhere() returned for @op */
static bool is_harmless(struct __test_metadata *_metadata, const struct fault_op *op,
			long points)
{
	TH_LOG("%s: %ld points", op->name, points);
	return points > 0;
}

TEST_F(fault, of_any_operation_is_its_only_effect)
{
	struct rig *rig = &self->rig;
	struct ums_event event;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(plain_ops); i++) {
		const struct fault_op *op = &plain_ops[i];

		EXPECT_TRUE(is_harmless(_metadata, op,
					fault_everywhere(rig, op)));
		ASSERT_TRUE(is_user(0));
	}
	/* The workers are still there for whoever executes them */
	ASSERT_EQ(0, ut_base_schedule_here(&rig->base));
	for (i = 0; i < ARRAY_SIZE(scheduler_ops); i++) {
		const struct fault_op *op = &scheduler_ops[i];

		EXPECT_TRUE(is_harmless(_metadata, op,
					fault_everywhere(rig, op)));
	}
	UT_STORE(rig->done, 1);
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(&rig->base, rig->sleeper.ctx, &event,
			    UMS_REASON_TERMINATED));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(&rig->base, rig->yielder.ctx, &event,
			    UMS_REASON_TERMINATED));
	ut_join(&rig->sleeper);
	ut_join(&rig->yielder);
	ut_join(&rig->waker);
	EXPECT_EQ(0, ut_detach());
	EXPECT_TRUE(is_harmless(_metadata, &attach_op,
				fault_everywhere(rig, &attach_op)));
	ut_base_close(&rig->base);
}

static void fails_to_attach(struct ut_thread *thread)
{
	thread->ret = fault_everywhere(thread->arg, &worker_op);
}

static void fails_to_yield(struct ut_thread *thread)
{
	thread->ret = fault_everywhere(thread->arg, &yield_op);
}

/* Run whatever is ready until @thread, which is none of them at the end, is done */
static void schedule_for(struct ut_base *base, struct ut_thread *thread)
{
	struct ums_event event;
	long ret;

	while (!UT_LOAD(thread->done)) {
		if (ut_dequeue(base->list, &event, 1, 10) != 1)
			continue;
		do
			ret = ut_execute(base->group, event.ctx, NULL);
		while (ret == UMS_REASON_YIELDED || ret == -EAGAIN);
	}
}

TEST_F(fault, of_a_worker_leaves_it_as_it_was)
{
	struct rig *rig = &self->rig;
	struct ums_event event;
	struct ut_thread thread;

	ASSERT_EQ(0, ut_base_schedule_here(&rig->base));
	ASSERT_TRUE(is_quiet(rig));

	ASSERT_EQ(0, ut_spawn(NULL, &thread, UMS_ROLE_NONE, fails_to_attach, rig));
	schedule_for(&rig->base, &thread);
	ut_join(&thread);
	EXPECT_TRUE(is_harmless(_metadata, &worker_op, thread.ret));

	ASSERT_EQ(0, ut_spawn_worker(&rig->base, &thread, fails_to_yield, rig));
	EXPECT_EQ(0, ut_schedule(&rig->base, 1));
	ut_join(&thread);
	EXPECT_TRUE(is_harmless(_metadata, &yield_op, thread.ret));

	UT_STORE(rig->done, 1);
	EXPECT_EQ(1, write(rig->pipe[1], "", 1));
	EXPECT_EQ(0, ut_finish(&rig->base, rig->sleeper.ctx));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(&rig->base, rig->yielder.ctx, &event,
			    UMS_REASON_TERMINATED));
	ut_join(&rig->sleeper);
	ut_join(&rig->yielder);
	ut_join(&rig->waker);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&rig->base);
}

TEST_HARNESS_MAIN
