// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: who is woken in ums_dequeue(). One item wakes one; under load, with
 * timeouts and signals, no event is lost and none comes twice.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define NR_WAITERS	8
#define NR_WORKERS	16
#define NR_CONSUMERS	4
#define NR_LOOPS	300

FIXTURE(wake)
{
	struct ut_base base;
};

FIXTURE_SETUP(wake)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, 64, 0));
}

FIXTURE_TEARDOWN(wake)
{
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

struct waiters {
	struct ut_thread threads[NR_WAITERS];
	struct ut_thread items[NR_WAITERS];
	struct ums_event events[NR_WAITERS];
	unsigned int returned;
};

static void wait_for_one(struct ut_thread *thread)
{
	struct waiters *waiters = thread->arg;
	unsigned int me = thread - waiters->threads;

	thread->ret = ut_dequeue(thread->list, &waiters->events[me], 1, -1);
	UT_INC(waiters->returned);
}

static long context_switches(pid_t tid)
{
	char path[64], line[128];
	long count = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (count < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %ld", &count);
	fclose(file);
	return count;
}

static bool all_sleep(struct waiters *waiters)
{
	unsigned int i;

	for (i = 0; i < NR_WAITERS; i++)
		if (!UT_LOAD(waiters->threads[i].tid) ||
		    !ut_thread_sleeps_in(waiters->threads[i].tid,
					 __NR_ums_dequeue))
			return false;
	return true;
}

/* Which of the threads saw no event yet, and were not even woken */
static unsigned int count_undisturbed(struct waiters *waiters,
				      const long *switches)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_WAITERS; i++) {
		struct ut_thread *thread = &waiters->threads[i];

		n += !UT_LOAD(thread->done) &&
		     ut_thread_sleeps_in(thread->tid, __NR_ums_dequeue) &&
		     context_switches(thread->tid) == switches[i];
	}
	return n;
}

TEST_F(wake, one_item_wakes_one_waiter)
{
	static struct waiters waiters;
	struct ut_base *base = &self->base;
	long switches[NR_WAITERS];
	__u64 seen = 0, expected = 0;
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < NR_WAITERS; i++)
		ASSERT_EQ(0, ut_spawn(base, &waiters.threads[i],
				      i % 2 ? UMS_ROLE_SCHEDULER :
					      UMS_ROLE_NONE,
				      wait_for_one, &waiters));
	ASSERT_TRUE(UT_WAIT(all_sleep(&waiters)));
	for (i = 0; i < NR_WAITERS; i++)
		switches[i] = context_switches(waiters.threads[i].tid);

	for (i = 0; i < NR_WAITERS; i++) {
		ASSERT_EQ(0, ut_spawn_worker(base, &waiters.items[i],
					     return_at_once, NULL));
		ASSERT_TRUE(UT_WAIT(UT_LOAD(waiters.returned) == i + 1));
		ASSERT_EQ(NR_WAITERS - 1 - i,
			  count_undisturbed(&waiters, switches));
	}
	for (i = 0; i < NR_WAITERS; i++) {
		ut_join(&waiters.threads[i]);
		EXPECT_EQ(1, waiters.threads[i].ret);
		seen += waiters.events[i].cookie;
		expected += (uintptr_t)&waiters.items[i];
	}
	EXPECT_EQ(expected, seen);
}

TEST_F(wake, items_at_once_wake_as_many)
{
	static struct waiters waiters;
	struct ut_base *base = &self->base;
	struct ums_event event;
	unsigned int i;

	for (i = 0; i < NR_WAITERS; i++)
		ASSERT_EQ(0, ut_spawn(base, &waiters.threads[i], UMS_ROLE_NONE,
				      wait_for_one, &waiters));
	ASSERT_TRUE(UT_WAIT(all_sleep(&waiters)));
	for (i = 0; i < NR_WAITERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &waiters.items[i],
					     return_at_once, NULL));
	for (i = 0; i < NR_WAITERS; i++) {
		ut_join(&waiters.threads[i]);
		EXPECT_EQ(1, waiters.threads[i].ret);
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
}

static unsigned int handled;

static void handler(int signal)
{
	UT_INC(handled);
}

static void catch_usr1(int flags)
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = flags,
	};

	sigaction(SIGUSR1, &action, NULL);
}

struct pair {
	struct ut_thread threads[2];
	struct ut_thread item;
	struct ums_event events[2];
};

static void wait_in_pair(struct ut_thread *thread)
{
	struct pair *pair = thread->arg;

	thread->ret = ut_dequeue(thread->list,
				 &pair->events[thread - pair->threads], 1, -1);
}

static bool sleeps_or_done(struct ut_thread *thread)
{
	return UT_LOAD(thread->done) ||
	       (UT_LOAD(thread->tid) &&
		ut_thread_sleeps_in(thread->tid, __NR_ums_dequeue));
}

/* The one who is woken may leave for a signal: then the other gets the item */
TEST_F(wake, interrupted_waiter_passes_its_wakeup_on)
{
	struct ut_base *base = &self->base;
	unsigned int round, interrupted = 0, i;
	struct pair pair;

	catch_usr1(0);
	for (round = 0; round < 200; round++) {
		struct ums_event event;
		long sum;

		memset(&pair, 0, sizeof(pair));
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, ut_spawn(base, &pair.threads[i],
					      UMS_ROLE_NONE, wait_in_pair,
					      &pair));
			ASSERT_TRUE(UT_WAIT(sleeps_or_done(&pair.threads[i])));
		}
		/* The first waits longest: it is the one to be woken */
		ASSERT_EQ(0, ut_spawn_worker(base, &pair.item, return_at_once,
					     NULL));
		ASSERT_EQ(0, pthread_kill(pair.threads[0].thread, SIGUSR1));
		ut_join(&pair.threads[0]);
		if (pair.threads[0].ret == -EINTR) {
			interrupted++;
		} else {
			ASSERT_EQ(1, pair.threads[0].ret);
			ASSERT_TRUE(UT_WAIT(sleeps_or_done(&pair.threads[1])));
			ASSERT_EQ(0, pthread_kill(pair.threads[1].thread,
						  SIGUSR1));
		}
		ut_join(&pair.threads[1]);
		sum = pair.threads[0].ret + pair.threads[1].ret;
		ASSERT_EQ(1 - EINTR, sum);

		ASSERT_EQ(0, ut_base_schedule_here(base));
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, pair.item.ctx, &event,
				    UMS_REASON_TERMINATED));
		ut_join(&pair.item);
		ASSERT_EQ(0, ut_detach());
		ASSERT_EQ(0, ut_ctx_delete(base->group, pair.item.ctx));
		ASSERT_EQ(0, ut_ctx_delete(base->group, base->sched));
	}
	TH_LOG("%u of %u rounds interrupted", interrupted, round);
}

static void wait_with_bad_buffer(struct ut_thread *thread)
{
	thread->ret = ut_dequeue(thread->list, (void *)8, 1, -1);
}

static void wait_with_good_buffer(struct ut_thread *thread)
{
	struct ums_event event;

	thread->ret = ut_dequeue(thread->list, &event, 1, -1);
}

/* Who is woken and can not take the item leaves it to the next one */
TEST_F(wake, faulting_waiters_pass_their_wakeup_on)
{
	struct ut_base *base = &self->base;
	struct ut_thread threads[3], item;
	unsigned int i;
	cpu_set_t cpus;

	/* One cpu, or the nearest waiter might be the good one */
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpus), &cpus));
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		ASSERT_EQ(0, ut_spawn(base, &threads[i], UMS_ROLE_NONE,
				      i < 2 ? wait_with_bad_buffer :
					      wait_with_good_buffer, NULL));
		ASSERT_TRUE(UT_WAIT(sleeps_or_done(&threads[i])));
		EXPECT_EQ(0, UT_LOAD(threads[i].done));
	}
	ASSERT_EQ(0, ut_spawn_worker(base, &item, return_at_once, NULL));
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		ut_join(&threads[i]);
		EXPECT_EQ(i < 2 ? -EFAULT : 1, threads[i].ret);
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
}

/* Workers that read from pipes which plain threads fill */
struct load {
	struct ut_base *base;
	struct ut_thread workers[NR_WORKERS];
	struct ut_thread consumers[NR_CONSUMERS];
	int pipes[NR_WORKERS][2];
	__u64 last_seq[NR_WORKERS];
	unsigned int ready[NR_WORKERS];
	unsigned int blocked[NR_WORKERS];
	unsigned int terminated;
	unsigned int errors;
	int stop;
};

static void read_all(struct ut_thread *thread)
{
	struct load *load = thread->arg;
	unsigned int me = thread - load->workers, i;
	char byte;

	for (i = 0; i < NR_LOOPS; i++)
		if (read(load->pipes[me][0], &byte, 1) != 1)
			UT_INC(load->errors);
}

static void write_all(struct ut_thread *thread)
{
	struct load *load = thread->arg;
	unsigned int i, j;

	for (i = 0; i < NR_LOOPS; i++)
		for (j = 0; j < NR_WORKERS; j++)
			if (write(load->pipes[j][1], "x", 1) != 1)
				UT_INC(load->errors);
}

/* An event of the list; those of one context must come in order */
static void check_ready(struct load *load, const struct ums_event *event)
{
	struct ut_thread *worker = (void *)(uintptr_t)event->cookie;
	unsigned int i = worker - load->workers;

	if (i >= NR_WORKERS || worker->ctx != event->ctx ||
	    event->reason != UMS_REASON_READY ||
	    event->seq <= UT_LOAD(load->last_seq[i])) {
		UT_INC(load->errors);
		return;
	}
	UT_STORE(load->last_seq[i], event->seq);
	UT_INC(load->ready[i]);
}

static void run_load(struct load *load, __u64 ctx)
{
	struct ums_event event;
	struct ut_thread *worker;
	long ret;

	do {
		ret = ut_execute(load->base->group, ctx, &event);
	} while (ret == -EAGAIN || ret == -EINTR ||
		 ret == UMS_REASON_PREEMPTED);
	if (ret == UMS_REASON_TERMINATED) {
		UT_INC(load->terminated);
	} else if (ret == UMS_REASON_BLOCKED) {
		worker = (void *)(uintptr_t)event.cookie;
		UT_INC(load->blocked[worker - load->workers]);
	} else {
		UT_INC(load->errors);
		UT_INC(load->terminated);
	}
}

static void consume(struct ut_thread *thread)
{
	struct load *load = thread->arg;
	struct ums_event events[3];
	long ret, i;

	while (UT_LOAD(load->terminated) < NR_WORKERS) {
		ret = ut_dequeue(thread->list, events, ARRAY_SIZE(events), 2);
		if (ret < 0 && ret != -ETIMEDOUT && ret != -EINTR)
			UT_INC(load->errors);
		/* First all, or another may run what comes later */
		for (i = 0; i < ret; i++)
			check_ready(load, &events[i]);
		for (i = 0; i < ret; i++)
			run_load(load, events[i].ctx);
	}
}

static void send_signals(struct ut_thread *thread)
{
	struct load *load = thread->arg;
	unsigned int i;

	for (i = 0; !UT_LOAD(load->stop); i++) {
		pthread_kill(load->consumers[i % NR_CONSUMERS].thread, SIGUSR1);
		ut_nap();
	}
}

TEST_F(wake, many_consumers_lose_no_event_and_see_none_twice)
{
	struct ut_thread writer, sender;
	struct ut_base *base = &self->base;
	static struct load load;
	unsigned int i;

	load.base = base;
	catch_usr1(0);
	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_EQ(0, pipe(load.pipes[i]));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &load.workers[i], read_all,
					     &load));
	for (i = 0; i < NR_CONSUMERS; i++)
		ASSERT_EQ(0, ut_spawn(base, &load.consumers[i], UMS_ROLE_SCHEDULER,
				      consume, &load));
	ASSERT_EQ(0, ut_spawn(base, &sender, UMS_ROLE_NONE, send_signals,
			      &load));
	/* And they go on until all is over */
	EXPECT_TRUE(UT_WAIT(UT_LOAD(handled)));
	ASSERT_EQ(0, ut_spawn(base, &writer, UMS_ROLE_NONE, write_all, &load));
	for (i = 0; i < NR_CONSUMERS; i++)
		UT_AWAIT(UT_LOAD(load.consumers[i].done));
	UT_STORE(load.stop, 1);
	ut_join(&sender);
	for (i = 0; i < NR_CONSUMERS; i++)
		ut_join(&load.consumers[i]);
	ut_join(&writer);
	EXPECT_EQ(0, load.errors);
	EXPECT_EQ(NR_WORKERS, load.terminated);
	for (i = 0; i < NR_WORKERS; i++) {
		ut_join(&load.workers[i]);
		/* One at first and one after each block */
		EXPECT_EQ(load.blocked[i] + 1, load.ready[i]);
		EXPECT_EQ(load.blocked[i],
			  ut_slot(base, load.workers[i].ctx)->blocked);
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
	EXPECT_EQ(0, UT_LOAD(base->ring->lost));
}

TEST_HARNESS_MAIN
