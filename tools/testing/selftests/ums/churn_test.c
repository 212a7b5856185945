// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: workers that block and are woken as fast as the machine can, by
 * plain threads, under one or more schedulers. Every event is written down
 * under its context and sequence number; afterwards each context's events
 * must tell a possible story, without a duplicate or a gap, and the counters
 * of the kernel must agree with it.
 */
#include <limits.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_WORKERS	12
#define MAX_SCHEDULERS	3
#define MAX_WAKERS	2
#define BATCH		4
#define LOG_SIZE	(2 * 1024 * 1024)
/* How long it goes on at least, in ms; UMS_TEST_MS overrides it */
#define RUN_MS		1000
/* And how many calls each worker makes at least */
#define ROUNDS		10

/**
 * struct story - What happened to one worker
 *
 * @thread: The worker.
 * @fd: A pipe that it reads from.
 * @word: A futex that it waits on.
 * @log: Reason of the event by sequence number, 0 where there was none.
 * @executed: How often a scheduler executed it.
 * @rounds: How many calls it made.
 * @failed: It saw something wrong.
 */
struct story {
	struct ut_thread thread;
	int fd[2];
	uint32_t word;
	uint8_t *log;
	uint32_t executed;
	uint32_t rounds;
	bool failed;
};

struct churn {
	struct ut_base base;
	struct story story[MAX_WORKERS];
	struct ut_thread scheduler[MAX_SCHEDULERS];
	struct ut_thread waker[MAX_WAKERS];
	uint32_t workers;
	__u64 end;
	uint32_t stop;
	uint32_t terminated;
	uint32_t duplicates;
	uint32_t bad_events;
	uint32_t bad_calls;
};

static struct churn churn;

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void work(struct ut_thread *thread)
{
	struct story *story = thread->arg;
	unsigned int seed = thread->tid;
	struct timespec ts = {};
	uint32_t word;
	char byte;

	while (!UT_LOAD(churn.stop)) {
		switch (next_random(&seed) % 5) {
		case 0:
		case 1:
			story->failed |= read(story->fd[0], &byte, 1) != 1;
			break;
		case 2:
			word = UT_LOAD(story->word);
			syscall(SYS_futex, &story->word, FUTEX_WAIT_PRIVATE,
				word, NULL, NULL, 0);
			break;
		case 3:
			story->failed |= ut_yield(0) != 0;
			break;
		case 4:
			ts.tv_nsec = next_random(&seed) % 100000;
			story->failed |= nanosleep(&ts, NULL) != 0;
			break;
		}
		story->failed |= gettid() != thread->tid;
		story->rounds++;
	}
}

/* Keep waking until the last worker has gone, so that none is stuck */
static void wake(struct ut_thread *thread)
{
	unsigned int seed = (uintptr_t)thread >> 4;
	struct story *story;
	unsigned int i;
	int stock;

	while (UT_LOAD(churn.terminated) < churn.workers) {
		for (i = 0; i < churn.workers; i++) {
			story = &churn.story[i];
			/* No stock of bytes, or the worker would never block */
			if (ioctl(story->fd[0], FIONREAD, &stock) ||
			    (!stock && write(story->fd[1], "w", 1) != 1))
				UT_INC(churn.bad_calls);
			UT_INC(story->word);
			syscall(SYS_futex, &story->word, FUTEX_WAKE_PRIVATE,
				INT_MAX, NULL, NULL, 0);
		}
		if (next_random(&seed) % 8 == 0)
			sched_yield();
	}
}

static struct story *note(const struct ums_event *event)
{
	struct ut_thread *thread = (void *)(uintptr_t)event->cookie;
	struct story *story = thread->arg;

	if (event->ctx != thread->ctx || event->seq >= LOG_SIZE ||
	    event->reason == UMS_REASON_STARTUP ||
	    event->reason > UMS_REASON_TERMINATED)
		UT_INC(churn.bad_events);
	else if (__atomic_exchange_n(&story->log[event->seq], event->reason,
				     __ATOMIC_ACQ_REL))
		UT_INC(churn.duplicates);
	return story;
}

static void run(struct ums_event *event)
{
	struct story *story = note(event);
	__u64 ctx = event->ctx;
	long ret;

	if (event->reason != UMS_REASON_READY) {
		UT_INC(churn.bad_events);
		return;
	}
	for (;;) {
		ret = ut_execute(churn.base.group, ctx, event);
		if (ret == -EAGAIN)
			continue;
		if (ret < 0) {
			UT_INC(churn.bad_calls);
			return;
		}
		UT_INC(story->executed);
		note(event);
		if (event->ctx != ctx || event->reason != ret)
			UT_INC(churn.bad_events);
		if (ret == UMS_REASON_TERMINATED)
			UT_INC(churn.terminated);
		if (ret != UMS_REASON_YIELDED)
			return;
	}
}

static void schedule(struct ut_thread *thread)
{
	struct ums_event events[BATCH];
	long i, nr;

	while (UT_LOAD(churn.terminated) < churn.workers &&
	       ut_now_ns() < churn.end) {
		nr = ut_dequeue(churn.base.list, events, BATCH, 10);
		if (nr == -ETIMEDOUT)
			continue;
		if (nr <= 0)
			UT_INC(churn.bad_calls);
		for (i = 0; i < nr; i++)
			run(&events[i]);
	}
}

FIXTURE(churn) {
	int unused;
};

FIXTURE_VARIANT(churn) {
	unsigned int workers;
	unsigned int schedulers;
	unsigned int wakers;
};

FIXTURE_VARIANT_ADD(churn, one_worker) {
	.workers = 1, .schedulers = 1, .wakers = 1,
};

FIXTURE_VARIANT_ADD(churn, one_scheduler) {
	.workers = 6, .schedulers = 1, .wakers = 1,
};

FIXTURE_VARIANT_ADD(churn, two_schedulers) {
	.workers = 6, .schedulers = 2, .wakers = 2,
};

FIXTURE_VARIANT_ADD(churn, more_schedulers_than_workers) {
	.workers = 2, .schedulers = 3, .wakers = 1,
};

FIXTURE_VARIANT_ADD(churn, three_schedulers) {
	.workers = MAX_WORKERS, .schedulers = 3, .wakers = 2,
};

FIXTURE_SETUP(churn)
{
	struct story *story;
	unsigned int i;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	churn.workers = variant->workers;
	ASSERT_EQ(0, ut_base_open(&churn.base, 32, UMS_ORPHAN_RELEASE));
	for (i = 0; i < variant->workers; i++) {
		story = &churn.story[i];
		ASSERT_EQ(0, pipe(story->fd));
		story->log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);
		ASSERT_NE(MAP_FAILED, story->log);
	}
}

FIXTURE_TEARDOWN(churn)
{
}

/* Whether the events of @story are a possible life; counts them by reason */
static bool is_possible(struct story *story, unsigned int *count)
{
	unsigned int reason, last = UMS_REASON_BLOCKED;
	size_t i;

	for (i = 0; i < LOG_SIZE; i++) {
		reason = story->log[i];
		if (!reason)
			continue;
		/* READY comes after BLOCKED, and nothing else does */
		if (last == UMS_REASON_TERMINATED ||
		    !!(last == UMS_REASON_BLOCKED) !=
		    !!(reason == UMS_REASON_READY))
			return false;
		count[reason]++;
		last = reason;
	}
	return last == UMS_REASON_TERMINATED;
}

static bool all_have_gone_round(unsigned int workers)
{
	unsigned int i;

	for (i = 0; i < workers; i++)
		if (UT_LOAD(churn.story[i].rounds) <= ROUNDS)
			return false;
	return true;
}

TEST_F(churn, loses_and_doubles_no_event)
{
	__u64 end = ut_now_ns() + ut_run_ms(RUN_MS) * UT_NSEC_PER_MSEC;
	struct ut_base *base = &churn.base;
	struct ums_info info;
	struct story *story;
	unsigned int i;

	churn.end = end + UT_LIMIT_MS * UT_NSEC_PER_MSEC;
	for (i = 0; i < variant->schedulers; i++)
		ASSERT_EQ(0, ut_spawn(base, &churn.scheduler[i],
				      UMS_ROLE_SCHEDULER, schedule, NULL));
	for (i = 0; i < variant->schedulers; i++)
		ASSERT_TRUE(UT_WAIT(!UT_LOAD(churn.scheduler[i].attach_ret)));
	for (i = 0; i < variant->workers; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &churn.story[i].thread,
					     work, &churn.story[i]));
	for (i = 0; i < variant->wakers; i++)
		ASSERT_EQ(0, ut_spawn(base, &churn.waker[i], UMS_ROLE_NONE,
				      wake, NULL));

	UT_AWAIT(ut_now_ns() >= end);
	EXPECT_TRUE(UT_WAIT(all_have_gone_round(variant->workers)));
	UT_STORE(churn.stop, 1);
	for (i = 0; i < variant->schedulers; i++)
		ut_join(&churn.scheduler[i]);
	ASSERT_EQ(variant->workers, churn.terminated);
	for (i = 0; i < variant->wakers; i++)
		ut_join(&churn.waker[i]);

	if (!ut_user_mode())
		EXPECT_EQ(0, churn.duplicates);
	EXPECT_EQ(0, churn.bad_events);
	EXPECT_EQ(0, churn.bad_calls);
	for (i = 0; i < variant->workers; i++) {
		unsigned int count[UMS_REASON_TERMINATED + 1] = {};

		story = &churn.story[i];
		ut_join(&story->thread);
		EXPECT_FALSE(story->failed);
		/* The kernel has not seen all of it */
		if (ut_user_mode())
			continue;
		EXPECT_TRUE(is_possible(story, count));
		ASSERT_EQ(0, ut_query(base->group, story->thread.ctx,
				      UMS_INFO_STATS, &info));
		EXPECT_EQ(count[UMS_REASON_BLOCKED], info.stats.blocked);
		EXPECT_EQ(count[UMS_REASON_YIELDED], info.stats.yielded);
		EXPECT_EQ(0, info.stats.preempted);
		EXPECT_EQ(story->executed, info.stats.executed);
		EXPECT_EQ(info.stats.blocked + info.stats.yielded + 1,
			  info.stats.executed);
		EXPECT_EQ(count[UMS_REASON_BLOCKED] + 1,
			  count[UMS_REASON_READY]);
	}
	ut_base_close(base);
}

TEST_HARNESS_MAIN
