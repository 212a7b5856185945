// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: who gives a virtual processor away lets the next one go on in its
 * place on the cpu, where the two are alike to the kernel's scheduler; and all goes
 * on where they are not, or are being changed.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE		62
#define PR_SCHED_CORE_CREATE	1
#endif
/* Of a thread, not of its process */
#define CORE_OF_THREAD		0

#define ROUNDS		200
/* While somebody changes the threads */
#define CHANGES		2000

/* How long a thread has been runnable and not run, in ns; -1 if unknown */
static long long waited(pid_t tid)
{
	long long ran, delay;
	char path[64];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	n = fscanf(file, "%lld %lld", &ran, &delay);
	fclose(file);
	return n == 2 ? delay : -1;
}

/* For its argument as a number of times */
static void yields(struct ut_thread *self)
{
	long i;

	for (i = 0; i < (long)self->arg; i++)
		ut_yield(0);
}

/* One round trip by system calls; whether it was no other */
static bool round_trip(struct ut_base *base, struct ut_thread *worker)
{
	struct ums_event event;

	return ut_execute(base->group, worker->ctx, &event) ==
	       UMS_REASON_YIELDED;
}

FIXTURE(handoff)
{
	struct ut_base base;
	struct ut_thread worker;
};

FIXTURE_SETUP(handoff)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	/* There the kernel switches nobody */
	if (ut_user_mode())
		SKIP(return, "the switches are not system calls");
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&self->base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(handoff)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

static bool start(FIXTURE_DATA(handoff) * self, long times)
{
	struct ums_event event;

	return !ut_spawn_worker(&self->base, &self->worker, yields,
				(void *)times) &&
	       ut_next_of(&self->base, self->worker.ctx, &event) == 1 &&
	       round_trip(&self->base, &self->worker);
}

static bool end(FIXTURE_DATA(handoff) * self)
{
	struct ums_event event;

	if (ut_run_to(&self->base, self->worker.ctx, &event,
		      UMS_REASON_TERMINATED) != UMS_REASON_TERMINATED)
		return false;
	ut_join(&self->worker);
	return true;
}

/*
 * In how many of ROUNDS rounds nobody waited for the cpu; or -1, if a round was not
 * what it should be
 */
static int rounds(FIXTURE_DATA(handoff) * self)
{
	pid_t me = gettid(), worker = self->worker.tid;
	long long before, after;
	int i, n = 0;

	for (i = 0; i < ROUNDS; i++) {
		before = waited(me) + waited(worker);
		if (before < 0 || !round_trip(&self->base, &self->worker))
			return -1;
		after = waited(me) + waited(worker);
		n += before == after;
	}
	return n;
}

TEST_F(handoff, nobody_waits_for_the_cpu)
{
	int n;

	ASSERT_TRUE(start(self, ROUNDS + 1));
	n = rounds(self);
	TH_LOG("%d of %d", n, ROUNDS);
	/* Others may want the cpu now and then */
	EXPECT_LT(ROUNDS / 2, n);
	EXPECT_TRUE(end(self));
}

TEST_F(handoff, to_another_weight)
{
	ASSERT_TRUE(start(self, ROUNDS + 1));
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, self->worker.tid, 5));
	EXPECT_LE(0, rounds(self));
	EXPECT_TRUE(end(self));
}

TEST_F(handoff, to_another_policy)
{
	struct sched_param param = {};

	ASSERT_TRUE(start(self, ROUNDS + 1));
	ASSERT_EQ(0, sched_setscheduler(self->worker.tid, SCHED_BATCH, &param));
	EXPECT_LE(0, rounds(self));
	EXPECT_TRUE(end(self));
}

TEST_F(handoff, to_and_from_the_real_time_class)
{
	struct sched_param fifo = { .sched_priority = 1 }, none = {};

	ASSERT_TRUE(start(self, 3 * ROUNDS + 1));
	/* One, both, the other one */
	if (sched_setscheduler(self->worker.tid, SCHED_FIFO, &fifo))
		SKIP(return, "no real-time class for us");
	EXPECT_LE(0, rounds(self));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_RR, &fifo));
	EXPECT_LE(0, rounds(self));
	ASSERT_EQ(0, sched_setscheduler(self->worker.tid, SCHED_OTHER, &none));
	EXPECT_LE(0, rounds(self));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &none));
	EXPECT_TRUE(end(self));
}

/* Each on a cpu of its own, whoever executes it */
static void yields_on_another_cpu(struct ut_thread *self)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		self->ret += sched_getcpu() != (long)self->arg;
		ut_yield(0);
	}
}

TEST_F(handoff, one_bound_to_another_cpu_runs_there)
{
	struct ums_event event;
	cpu_set_t set;
	int cpu, i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one cpu");
	cpu = sched_getcpu() ? 0 : 1;
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker,
				     yields_on_another_cpu, (void *)(long)cpu));
	ASSERT_EQ(1, ut_next_of(&self->base, self->worker.ctx, &event));
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_EQ(0, sched_setaffinity(self->worker.tid, sizeof(set), &set));
	for (i = 0; i < ROUNDS; i++)
		ASSERT_TRUE(round_trip(&self->base, &self->worker));
	EXPECT_TRUE(end(self));
	EXPECT_EQ(0, self->worker.ret);
}

/* Its accounts are of each task that comes and goes: nobody's place is taken */
TEST_F(handoff, to_another_core_scheduling_group)
{
	int n;

	ASSERT_TRUE(start(self, ROUNDS + 1));
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, self->worker.tid,
		  CORE_OF_THREAD, 0))
		SKIP(return, "no core scheduling");
	n = rounds(self);
	TH_LOG("%d of %d", n, ROUNDS);
	EXPECT_LE(0, n);
	EXPECT_GT(ROUNDS / 2, n);
	EXPECT_TRUE(end(self));
}

/**
 * struct changes - What the scheduler does to threads that switch
 *
 * @tid: The threads.
 * @stop: Asks for the end.
 * @failed: Something was refused.
 */
struct changes {
	pid_t tid[2];
	int stop;
	int failed;
};

/* An ordinary thread; they may be anywhere between giver and taker */
static void *change(void *arg)
{
	struct sched_param param = {};
	struct changes *changes = arg;
	unsigned int i;
	cpu_set_t set;
	pid_t tid;

	for (i = 0; !UT_LOAD(changes->stop); i++) {
		tid = changes->tid[i & 1];
		CPU_ZERO(&set);
		CPU_SET(0, &set);
		if (i & 2 || sysconf(_SC_NPROCESSORS_ONLN) < 2)
			changes->failed |= sched_setaffinity(tid, sizeof(set),
							     &set);
		CPU_CLR(0, &set);
		CPU_SET(1, &set);
		if (i & 4 && sysconf(_SC_NPROCESSORS_ONLN) > 1)
			changes->failed |= sched_setaffinity(tid, sizeof(set),
							     &set);
		changes->failed |= sched_setscheduler(tid, i & 8 ? SCHED_BATCH :
						      SCHED_OTHER, &param);
		changes->failed |= setpriority(PRIO_PROCESS, tid, i / 16 % 2);
	}
	return NULL;
}

TEST_F(handoff, threads_are_changed_meanwhile)
{
	struct changes changes = {};
	pthread_t changer;
	int i;

	if (geteuid())
		SKIP(return, "not root, who may change any thread");
	ASSERT_TRUE(start(self, CHANGES + 1));
	changes.tid[0] = gettid();
	changes.tid[1] = self->worker.tid;
	ASSERT_EQ(0, pthread_create(&changer, NULL, change, &changes));
	for (i = 0; i < CHANGES; i++)
		if (!round_trip(&self->base, &self->worker))
			break;
	UT_STORE(changes.stop, 1);
	pthread_join(changer, NULL);
	EXPECT_EQ(CHANGES, i);
	EXPECT_EQ(0, changes.failed);
	EXPECT_TRUE(end(self));
}

TEST_HARNESS_MAIN
