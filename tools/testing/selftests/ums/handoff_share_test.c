// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: threads that hand the cpu to each other get the share of one thread
 * beside another process on the same cpu; no more, and no less.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "trace.h"
#include "user.h"

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE		62
#define PR_SCHED_CORE_CREATE	1
#endif
#define CORE_OF_PROCESS		1

#define CGROUP	"/sys/fs/cgroup"
#define TOP	CGROUP "/ums_handoff_test"
/* Inside of TOP: a nested one for the UMS process, and one for the hog */
#define OURS	TOP "/ours"
#define INNER	OURS "/inner"
#define HOGS	TOP "/hogs"

/*
 * How long the two run each time, both together, in ms of cpu time: so long that a
 * tick at either end is no more than 2 percent, and whole periods of the bandwidth.
 */
#define TIME_MS		400
/*
 * How often; an odd number. What else runs on the machine takes time from one of the
 * two, which must happen in most of these before the usual share is a wrong one.
 */
#define TIMES		9
/* How much one of them may run while both are looked at */
#define SKEW_MS		5
/* The share of a thread among two that are alike, in percent */
#define HALF		50
/*
 * A tick is 4 ms, and the two do not begin or end together. That is too wide for the
 * few percent that threads have more which only wake each other: whether they hand
 * off is for handoff_test to see.
 */
#define SLACK		3

FIXTURE(share)
{
	pid_t hog;
	pid_t ums;
	bool cgroups;
	struct trace trace;
};

static void pin_to_first(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		_exit(1);
}

static void yields_for_ever(struct ut_thread *self)
{
	for (;;)
		ut_yield(0);
}

/* Two workers that do nothing but yield; by system calls in both directions */
static int run_ums(void)
{
	struct ut_thread worker[2];
	struct ums_event event;
	struct ut_base base;
	int i;

	if (ut_base_open(&base, 4, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(&base))
		return 1;
	for (i = 0; i < 2; i++)
		if (ut_spawn_worker(&base, &worker[i], yields_for_ever, NULL) ||
		    ut_next_of(&base, worker[i].ctx, &event) != 1)
			return 2;
	for (i = 0;; i ^= 1)
		if (ut_execute(base.group, worker[i].ctx, &event) < 0)
			return 3;
}

static pid_t start(bool ums)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	pin_to_first();
	/* Until it is where it shall run */
	raise(SIGSTOP);
	if (ums)
		_exit(run_ums());
	for (;;)
		;
}

static bool stopped(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

FIXTURE_SETUP(share)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (ut_user_mode())
		SKIP(return, "the switches are not system calls");
	self->cgroups = !ut_write_file(CGROUP "/cgroup.subtree_control",
				       "+cpu") &&
			(!mkdir(TOP, 0755) || errno == EEXIST);
	if (self->cgroups) {
		ASSERT_EQ(0, ut_write_file(TOP "/cgroup.subtree_control",
					   "+cpu"));
		ASSERT_EQ(0, mkdir(OURS, 0755));
		ASSERT_EQ(0, ut_write_file(OURS "/cgroup.subtree_control",
					   "+cpu"));
		ASSERT_EQ(0, mkdir(INNER, 0755));
		ASSERT_EQ(0, mkdir(HOGS, 0755));
	}
	self->hog = start(false);
	self->ums = start(true);
	ASSERT_LT(0, self->hog);
	ASSERT_LT(0, self->ums);
	ASSERT_TRUE(stopped(self->hog));
	ASSERT_TRUE(stopped(self->ums));
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

FIXTURE_TEARDOWN(share)
{
	if (self->hog > 0)
		end(self->hog);
	if (self->ums > 0)
		end(self->ums);
	trace_remove(&self->trace);
	if (self->cgroups) {
		EXPECT_TRUE(UT_WAIT(!rmdir(INNER)));
		EXPECT_TRUE(UT_WAIT(!rmdir(OURS)));
		EXPECT_TRUE(UT_WAIT(!rmdir(HOGS)));
		EXPECT_TRUE(UT_WAIT(!rmdir(TOP)));
	}
}

/**
 * struct sample - Cpu times so far, in ms
 *
 * @hog: Of the hog.
 * @ums: Of the UMS process.
 */
struct sample {
	long hog;
	long ums;
};

/* Cpu time of a process so far, in ms */
static long ran(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return -1;
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The cpu times of both at the same time, nearly, wherever we are kept waiting */
static bool sample(FIXTURE_DATA(share) * self, struct sample *sample)
{
	do {
		sample->hog = ran(self->hog);
		sample->ums = ran(self->ums);
	} while (ran(self->hog) - sample->hog > SKEW_MS);
	return sample->hog >= 0 && sample->ums >= 0;
}

/* For a while from @from on, which is where it ends then */
static long share_since(FIXTURE_DATA(share) * self, struct sample *from)
{
	struct sample first = *from;
	long hog, ums;

	if (!UT_WAIT(ran(self->hog) + ran(self->ums) -
		     first.hog - first.ums >= TIME_MS) ||
	    !sample(self, from))
		return -1;
	hog = from->hog - first.hog;
	ums = from->ums - first.ums;
	return 100 * ums / (hog + ums);
}

/*
 * Both run for a while; the usual share of the UMS process in percent, or -1. Once
 * most of all times it was from @low to @high, that is where the median is.
 */
static long share(FIXTURE_DATA(share) * self, long low, long high)
{
	__u64 shares[TIMES];
	struct sample at;
	int i, good = 0;
	long share;

	/* From when both are there: one of them may be much later */
	if (kill(self->hog, SIGCONT) || kill(self->ums, SIGCONT) ||
	    !sample(self, &at) ||
	    !UT_WAIT(ran(self->hog) > at.hog && ran(self->ums) > at.ums) ||
	    !sample(self, &at))
		return -1;
	for (i = 0; i < TIMES && good <= TIMES / 2; i++) {
		share = share_since(self, &at);
		if (share < 0)
			return -1;
		good += low <= share && share <= high;
		shares[i] = share;
	}
	return ut_median(shares, i);
}

static int move(pid_t pid, const char *procs)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return ut_write_file(procs, text);
}

static void expect_within(struct __test_metadata *_metadata,
			  FIXTURE_DATA(share) * self, long low, long high)
{
	long seen = share(self, low, high);

	TH_LOG("%ld percent", seen);
	EXPECT_LE(low, seen);
	EXPECT_GE(high, seen);
}

static void expect_share(struct __test_metadata *_metadata,
			 FIXTURE_DATA(share) * self, long percent)
{
	expect_within(_metadata, self, percent - SLACK, percent + SLACK);
}

TEST_F(share, is_that_of_one_thread)
{
	expect_share(_metadata, self, HALF);
}

TEST_F(share, follows_the_nice_level)
{
	/* 335 of 335 + 1024 */
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, self->ums, 5));
	expect_share(_metadata, self, 25);
}

TEST_F(share, of_nested_control_groups)
{
	if (!self->cgroups)
		SKIP(return, "no control groups of our own");
	ASSERT_EQ(0, move(self->ums, INNER "/cgroup.procs"));
	ASSERT_EQ(0, move(self->hog, HOGS "/cgroup.procs"));
	expect_share(_metadata, self, HALF);
}

TEST_F(share, follows_the_weight_of_the_group)
{
	if (!self->cgroups)
		SKIP(return, "no control groups of our own");
	ASSERT_EQ(0, ut_write_file(OURS "/cpu.weight", "300"));
	ASSERT_EQ(0, move(self->ums, INNER "/cgroup.procs"));
	ASSERT_EQ(0, move(self->hog, HOGS "/cgroup.procs"));
	expect_share(_metadata, self, 75);
}

TEST_F(share, is_limited_by_the_bandwidth)
{
	if (!self->cgroups)
		SKIP(return, "no control groups of our own");
	ASSERT_EQ(0, ut_write_file(OURS "/cpu.max", "20000 100000"));
	ASSERT_EQ(0, move(self->ums, INNER "/cgroup.procs"));
	ASSERT_EQ(0, move(self->hog, HOGS "/cgroup.procs"));
	expect_share(_metadata, self, 20);
}

/**
 * struct turns - What the trace tells of the first cpu
 *
 * @woken: Who was woken last, by one that should leave the cpu; else 0.
 * @next: Who goes on in the place of such a one; else 0.
 * @due: How many there were of these.
 * @left: How many of them left at once.
 */
static struct turns {
	int woken;
	int next;
	int due;
	int left;
} turns;

static int number(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at ? atoi(at + strlen(name)) : 0;
}

/* "COMM-PID [CPU] FLAGS TIME: EVENT: ...": the second flag is need_resched */
static void play(const char *line)
{
	const char *flags = strstr(line, " [000] ");
	const char *state = strstr(line, " prev_state=");

	if (!flags)
		return;
	flags += strlen(" [000] ");
	if (strstr(flags, ": sched_wakeup: ")) {
		turns.woken = flags[1] == 'N' ? number(line, " pid=") : 0;
	} else if (state) {
		state += strlen(" prev_state=");
		if (turns.next) {
			turns.due++;
			turns.left += *state == 'R' &&
				      number(line, " prev_pid=") == turns.next;
		}
		turns.next = *state == 'R' ? 0 : turns.woken;
		if (turns.next != number(line, " next_pid="))
			turns.next = 0;
		turns.woken = 0;
	}
}

/* Each of the two for a while, from now on */
static bool both_ran(FIXTURE_DATA(share) * self, long ms)
{
	struct sample from;

	return sample(self, &from) &&
	       UT_WAIT(ran(self->hog) - from.hog >= ms &&
		       ran(self->ums) - from.ums >= ms);
}

/*
 * That the slice is used up is often seen in the middle of a hand-off. Who goes on
 * then has the cpu asked back from it; without that, one in some hundred leaves by
 * chance, and one in four or more with it.
 */
TEST_F(share, who_takes_the_place_takes_the_end_of_the_turn)
{
	if (!trace_make(&self->trace))
		SKIP(return, "no tracefs: %s", strerror(errno));
	ASSERT_EQ(0, kill(self->hog, SIGCONT));
	ASSERT_EQ(0, kill(self->ums, SIGCONT));
	ASSERT_TRUE(both_ran(self, TIME_MS / 4));
	ASSERT_TRUE(trace_write(&self->trace, "buffer_size_kb", "8192"));
	ASSERT_TRUE(trace_write(&self->trace,
				"events/sched/sched_wakeup/enable", "1"));
	ASSERT_TRUE(trace_write(&self->trace,
				"events/sched/sched_switch/enable", "1"));
	ASSERT_TRUE(both_ran(self, TIME_MS / 4));
	ASSERT_TRUE(trace_play(&self->trace, play));
	TH_LOG("%d of %d", turns.left, turns.due);
	EXPECT_LT(5, turns.due);
	/* Or stays because it is owed more */
	EXPECT_LT(turns.due / 20, turns.left);
}

/*
 * Neither of them may run beside the other one on a core with several threads; and
 * on one of these they take turns.
 */
TEST_F(share, with_core_scheduling)
{
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, self->ums,
		  CORE_OF_PROCESS, 0) ||
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, self->hog,
		  CORE_OF_PROCESS, 0))
		SKIP(return, "no core scheduling");
	/* There is no hand-off, and two threads with a pipe have 54 or 55 */
	expect_within(_metadata, self, HALF - SLACK, HALF + 2 * SLACK);
}

/* The hog never sleeps: for a real-time thread there is nothing to wait for */
TEST_F(share, of_the_real_time_class)
{
	struct sched_param fifo = { .sched_priority = 1 };

	if (sched_setscheduler(self->ums, SCHED_FIFO, &fifo))
		SKIP(return, "no real-time class for us");
	/* But for what the kernel keeps for the others */
	expect_within(_metadata, self, 85, 100);
}

TEST_HARNESS_MAIN
