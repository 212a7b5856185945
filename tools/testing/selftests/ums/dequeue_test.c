// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: ums_dequeue(). Arguments, batches and order, timeouts, signals.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define NR_WORKERS	12

FIXTURE(dequeue)
{
	struct ut_base base;
	struct ut_thread workers[NR_WORKERS];
	/* Shared with children */
	__u64 *shared;
};

FIXTURE_SETUP(dequeue)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, NR_WORKERS + 4, 0));
	self->shared = mmap(NULL, sysconf(_SC_PAGESIZE),
			    PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->shared);
}

FIXTURE_TEARDOWN(dequeue)
{
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

/* Queue a READY event; false if it does not arrive */
static bool queue_one(struct ut_base *base, struct ut_thread *worker)
{
	__u32 tail = UT_LOAD(base->ring->tail);

	return !ut_spawn_worker(base, worker, return_at_once, NULL) &&
	       UT_WAIT(UT_LOAD(base->ring->tail) != tail);
}

TEST_F(dequeue, arguments_are_checked)
{
	static const struct timespec bad[] = {
		{ -1, 0 }, { 0, -1 }, { 0, 1000000000 }, { 1, 1L << 40 },
	};
	int list = self->base.list;
	struct timespec ts = {};
	struct ums_event event;
	unsigned int i;

	for (i = 0; i < 32; i++)
		EXPECT_EQ(-EINVAL, ut_dequeue_ts(list, &event, 1, &ts,
						 1U << i));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, ut_dequeue_ts(list, &event, 1, &bad[i], 0));
	EXPECT_EQ(-EFAULT, ut_dequeue_ts(list, &event, 1, (void *)8, 0));
	EXPECT_EQ(-EBADF, ut_dequeue(-1, &event, 1, 0));
	EXPECT_EQ(-EBADFD, ut_dequeue(self->base.group, &event, 1, 0));
}

TEST_F(dequeue, zero_timeout_does_not_wait)
{
	struct ums_event event;

	EXPECT_EQ(-EAGAIN, ut_dequeue(self->base.list, &event, 1, 0));
	EXPECT_EQ(-EAGAIN, ut_dequeue(self->base.list, NULL, 0, 0));
	ASSERT_TRUE(queue_one(&self->base, &self->workers[0]));
	EXPECT_EQ(1, ut_dequeue(self->base.list, &event, 1, 0));
	EXPECT_EQ(-EAGAIN, ut_dequeue(self->base.list, &event, 1, 0));
}

TEST_F(dequeue, batches_come_in_order)
{
	struct ums_event events[NR_WORKERS + 2] = {};
	__u64 before = ut_now_ns();
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_TRUE(queue_one(&self->base, &self->workers[i]));
	EXPECT_EQ(3, ut_dequeue(self->base.list, events, 3, 0));
	EXPECT_EQ(0, events[3].ctx);
	EXPECT_EQ(1, ut_dequeue(self->base.list, events + 3, 1, 0));
	EXPECT_EQ(NR_WORKERS - 4,
		  ut_dequeue(self->base.list, events + 4, NR_WORKERS - 2, 0));
	EXPECT_EQ(0, events[NR_WORKERS].ctx);
	for (i = 0; i < NR_WORKERS; i++) {
		EXPECT_EQ(self->workers[i].ctx, events[i].ctx);
		EXPECT_EQ((uintptr_t)&self->workers[i], events[i].cookie);
		EXPECT_EQ(UMS_REASON_READY, events[i].reason);
		EXPECT_EQ(UMS_CAUSE_NONE, events[i].cause);
		EXPECT_LE(before, events[i].time_ns);
		before = events[i].time_ns;
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(self->base.list, events, 1, 0));
}

TEST_F(dequeue, huge_count_is_no_promise)
{
	struct ums_event events[2];

	ASSERT_TRUE(queue_one(&self->base, &self->workers[0]));
	ASSERT_TRUE(queue_one(&self->base, &self->workers[1]));
	EXPECT_EQ(2, ut_dequeue(self->base.list, events, ~0U, -1));
}

TEST_F(dequeue, count_of_zero_waits_and_takes_nothing)
{
	struct ums_event event;
	unsigned int i;

	ASSERT_TRUE(queue_one(&self->base, &self->workers[0]));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, ut_dequeue(self->base.list, NULL, 0, 0));
		EXPECT_EQ(0, ut_dequeue(self->base.list, NULL, 0, -1));
	}
	EXPECT_EQ(1, ut_dequeue(self->base.list, &event, 1, 0));
	EXPECT_EQ(-ETIMEDOUT, ut_dequeue(self->base.list, NULL, 0, 1));
}

TEST_F(dequeue, timeouts_are_never_short)
{
	static const long timeouts_us[] = {
		1, 50, 999, 1000, 1001, 5000, 20000, 100000,
	};
	struct ums_event event;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(timeouts_us); i++) {
		struct timespec ts = { .tv_nsec = timeouts_us[i] * 1000 };
		__u64 start = ut_now_ns();

		EXPECT_EQ(-ETIMEDOUT, ut_dequeue_ts(self->base.list, &event, 1,
						    &ts, 0));
		EXPECT_LE(start + ts.tv_nsec, ut_now_ns())
			TH_LOG("%ld us", timeouts_us[i]);
		start = ut_now_ns();
		EXPECT_EQ(-ETIMEDOUT, ut_dequeue_ts(self->base.list, NULL, 0,
						    &ts, 0));
		EXPECT_LE(start + ts.tv_nsec, ut_now_ns());
	}
}

/* A thread that waits in ums_dequeue() */
struct wait {
	struct ut_base *base;
	struct ums_event event;
	unsigned int nr;
	long timeout_ms;
	__u64 elapsed;
};

static void wait_for_event(struct ut_thread *thread)
{
	struct wait *wait = thread->arg;
	__u64 start = ut_now_ns();

	thread->ret = ut_dequeue(wait->base->list, &wait->event, wait->nr,
				 wait->timeout_ms);
	wait->elapsed = ut_now_ns() - start;
}

/* Start it and see it sleep */
static bool start_waiting(struct wait *wait, struct ut_thread *thread)
{
	return !ut_spawn(wait->base, thread, UMS_ROLE_NONE, wait_for_event,
			 wait) &&
	       UT_WAIT(UT_LOAD(thread->tid)) &&
	       UT_WAIT(ut_thread_sleeps_in(thread->tid, __NR_ums_dequeue));
}

TEST_F(dequeue, event_ends_the_wait)
{
	static const long timeouts_ms[] = { -1, UT_LIMIT_MS * 10L };
	struct ut_thread thread;
	unsigned int i, nr;

	for (i = 0; i < 4; i++) {
		struct ut_thread *worker = &self->workers[i];
		struct wait wait = {
			.base = &self->base,
			.timeout_ms = timeouts_ms[i / 2],
			.nr = nr = i % 2,
		};

		ASSERT_TRUE(start_waiting(&wait, &thread));
		ASSERT_EQ(0, ut_spawn_worker(&self->base, worker,
					     return_at_once, NULL));
		ut_join(&thread);
		EXPECT_EQ(nr, thread.ret);
		if (!nr)
			EXPECT_EQ(1, ut_dequeue(self->base.list, &wait.event,
						1, 0));
		EXPECT_EQ(worker->ctx, wait.event.ctx);
	}
}

TEST_F(dequeue, timeout_races_with_an_event_and_loses_none)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker = &self->workers[0];
	unsigned int round, timeouts = 0, events = 0;
	struct ums_event event;
	long ret;

	for (round = 0; round < 300; round++) {
		struct timespec ts = { .tv_nsec = 1000 + round % 50 * 10000 };

		ASSERT_EQ(0, ut_spawn_worker(base, worker, return_at_once,
					     NULL));
		ret = ut_dequeue_ts(base->list, &event, 1, &ts, 0);
		if (ret == -ETIMEDOUT) {
			timeouts++;
			ret = ut_dequeue(base->list, &event, 1, UT_LIMIT_MS);
		} else {
			events++;
		}
		ASSERT_EQ(1, ret);
		ASSERT_EQ(worker->ctx, event.ctx);
		ASSERT_EQ(0, ut_base_schedule_here(base));
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_TERMINATED));
		ASSERT_EQ(0, ut_detach());
		ut_join(worker);
		ASSERT_EQ(0, ut_ctx_delete(base->group, worker->ctx));
		ASSERT_EQ(0, ut_ctx_delete(base->group, base->sched));
	}
	TH_LOG("%u timeouts, %u events", timeouts, events);
}

static unsigned int handled;

static void handler(int signal)
{
	UT_INC(handled);
}

static void catch(int signal, int flags)
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = flags,
	};

	sigaction(signal, &action, NULL);
}

TEST_F(dequeue, handler_interrupts_the_wait)
{
	static const struct {
		long timeout_ms;
		int flags;
	} cases[] = {
		{ -1, 0 }, { UT_LIMIT_MS, 0 }, { UT_LIMIT_MS, SA_RESTART },
	};
	struct ut_thread thread;
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct wait wait = {
			.base = &self->base,
			.timeout_ms = cases[i / 2].timeout_ms,
			.nr = nr = i % 2,
		};

		catch(SIGUSR1, cases[i / 2].flags);
		handled = 0;
		ASSERT_TRUE(start_waiting(&wait, &thread));
		ASSERT_EQ(0, pthread_kill(thread.thread, SIGUSR1));
		ut_join(&thread);
		EXPECT_EQ(-EINTR, thread.ret)
			TH_LOG("case %u", i);
		EXPECT_EQ(1, handled);
	}
}

TEST_F(dequeue, endless_wait_restarts_after_a_handler)
{
	struct wait wait = { .base = &self->base, .timeout_ms = -1, .nr = 1 };
	struct ut_thread thread;
	unsigned int i;

	catch(SIGUSR1, SA_RESTART);
	ASSERT_TRUE(start_waiting(&wait, &thread));
	for (i = 1; i <= 20; i++) {
		ASSERT_EQ(0, pthread_kill(thread.thread, SIGUSR1));
		ASSERT_TRUE(UT_WAIT(UT_LOAD(handled) == i));
		ASSERT_TRUE(UT_WAIT(ut_thread_sleeps_in(thread.tid,
							__NR_ums_dequeue)));
	}
	EXPECT_EQ(0, UT_LOAD(thread.done));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->workers[0],
				     return_at_once, NULL));
	ut_join(&thread);
	EXPECT_EQ(1, thread.ret);
	EXPECT_EQ(self->workers[0].ctx, wait.event.ctx);
}

/*
 * A child waits with a timeout and is stopped meanwhile. @shared: 0 when it
 * started to wait, 1 how long that took, 2 its result.
 */
#define STOP_TIMEOUT_MS	1000
#define STOP_MS		700

static void wait_while_stopped(__u64 *shared, unsigned int nr)
{
	struct ums_event event;
	struct ut_base base;
	__u64 start;

	if (ut_base_open(&base, 4, 0))
		_exit(1);
	start = ut_now_ns();
	UT_STORE(shared[0], start);
	shared[2] = ut_dequeue(base.list, &event, nr, STOP_TIMEOUT_MS);
	shared[1] = ut_now_ns() - start;
	_exit(0);
}

static bool process_sleeps(pid_t pid)
{
	char path[32];
	FILE *file;
	long nr = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%ld", &nr) != 1)
		nr = -1;
	fclose(file);
	return nr == __NR_ums_dequeue;
}

TEST_F(dequeue, stop_and_continue_keep_the_remaining_time)
{
	__u64 *shared = self->shared, continued;
	int status, nr;
	pid_t child;

	for (nr = 0; nr < 2; nr++) {
		memset(shared, 0, 3 * sizeof(*shared));
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			wait_while_stopped(shared, nr);
		ASSERT_TRUE(UT_WAIT(UT_LOAD(shared[0])));
		ASSERT_TRUE(UT_WAIT(process_sleeps(child)));
		ASSERT_EQ(0, kill(child, SIGSTOP));
		ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		UT_AWAIT(ut_now_ns() >= shared[0] + STOP_MS * UT_NSEC_PER_MSEC);
		continued = ut_now_ns() - shared[0];
		ASSERT_EQ(0, kill(child, SIGCONT));
		ASSERT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
		EXPECT_EQ(-ETIMEDOUT, (long)shared[2]);
		EXPECT_LE(STOP_TIMEOUT_MS * UT_NSEC_PER_MSEC, shared[1]);
		/* Had it begun anew, it would have taken this much */
		EXPECT_GT(continued + STOP_TIMEOUT_MS * UT_NSEC_PER_MSEC,
			  shared[1]);
	}
}

TEST_F(dequeue, ignored_signals_do_not_interrupt)
{
	struct wait wait = { .base = &self->base, .timeout_ms = 2000, .nr = 1 };
	struct ut_thread thread;

	signal(SIGUSR1, SIG_IGN);
	ASSERT_TRUE(start_waiting(&wait, &thread));
	ASSERT_EQ(0, pthread_kill(thread.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_kill(thread.thread, SIGWINCH));
	ut_join(&thread);
	EXPECT_EQ(-ETIMEDOUT, thread.ret);
	EXPECT_LE(wait.timeout_ms * UT_NSEC_PER_MSEC, wait.elapsed);
}

static void dequeue_as_worker(struct ut_thread *thread)
{
	struct ums_event event = {};
	int *list = thread->arg;

	thread->ret = ut_dequeue(*list, &event, 1, -1);
	if (thread->ret == 1)
		thread->ret = event.cookie;
}

TEST_F(dequeue, worker_blocks_there_as_in_any_call)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker = &self->workers[0];
	struct ut_thread *item = &self->workers[1];
	struct ums_event event;
	int other = ut_list_create(base->group, NULL);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, dequeue_as_worker, &other));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker->ctx, &event,
				  __NR_ums_dequeue));
	ASSERT_EQ(0, ut_spawn_on(base, item, other, UMS_ROLE_WORKER,
				 return_at_once, NULL));
	EXPECT_EQ(0, ut_finish(base, worker->ctx));
	ut_join(worker);
	EXPECT_EQ((uintptr_t)item, worker->ret);
}

TEST_HARNESS_MAIN
