// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a debugger that goes through a scheduler instruction by instruction,
 * its ums_execute() too. Each step ends by a signal, for which the scheduler wants
 * its processor back. The worker runs all the same.
 */
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

/* Turns of the worker to see, and calls that they may take: one each, nearly */
#define TURNS		20
#define CALLS_MAX	40

/**
 * struct seen - In shared memory
 *
 * @ready: The scheduler is in its loop.
 * @calls: Calls of ums_execute() that have returned.
 * @turns: Turns of the worker.
 */
struct seen {
	int ready;
	int calls;
	int turns;
};

static struct seen *seen;

static void take_turns(struct ut_thread *thread)
{
	for (;;) {
		UT_INC(seen->turns);
		ut_yield(0);
	}
}

/* Both on one cpu: they can't but take turns on that */
static int schedule(void)
{
	struct ut_thread worker;
	struct ums_event event;
	struct ut_base base;

	if (uu_pin() ||
	    ut_base_open_flags(&base, 4, UMS_ORPHAN_RELEASE,
			       UMS_SETUP_KERNEL_SWITCH) ||
	    ut_base_schedule_here(&base) ||
	    ut_spawn_worker(&base, &worker, take_turns, NULL) ||
	    ut_next_of(&base, worker.ctx, &event) != 1)
		return 1;
	UT_STORE(seen->ready, 1);
	for (;;) {
		ut_execute(base.group, worker.ctx, &event);
		UT_INC(seen->calls);
	}
}

/* One instruction, or to the next signal, which is not for the process */
static bool resume(pid_t pid, int request)
{
	int status;

	return !ptrace(request, pid, NULL, NULL) &&
	       waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

TEST(worker_of_a_stepped_scheduler_runs)
{
	int turns, calls;
	pid_t pid;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, seen);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME);
		_exit(schedule());
	}
	ASSERT_LT(0, pid);
	ASSERT_TRUE(UT_WAIT(UT_LOAD(seen->ready)));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));

	turns = UT_LOAD(seen->turns) + TURNS;
	calls = UT_LOAD(seen->calls) + CALLS_MAX;
	while (UT_LOAD(seen->turns) < turns && UT_LOAD(seen->calls) < calls)
		ASSERT_TRUE(resume(pid, PTRACE_SINGLESTEP));
	TH_LOG("%d calls", UT_LOAD(seen->calls) - calls + CALLS_MAX);
	EXPECT_LE(turns, UT_LOAD(seen->turns));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	munmap(seen, sizeof(*seen));
}

TEST_HARNESS_MAIN
