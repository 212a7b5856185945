// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a thread in each state goes on, and then ends itself or the whole
 * process, in each way that there is. And a tracer of all of them ends while they
 * are stopped.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

/* As in becomes_another_program() */
#define STATUS	42

/* Who ends, and the call that does it; what seccomp says to SYS_getpgid */
static enum who ender;
static void (*end)(void);
static __u32 verdict;

FIXTURE(event_end)
{
	struct states *states;
};

FIXTURE_VARIANT(event_end)
{
	enum who who;
};

FIXTURE_VARIANT_ADD(event_end, running_worker) { .who = RUNNING };
FIXTURE_VARIANT_ADD(event_end, switched_worker) { .who = SWITCHED };
FIXTURE_VARIANT_ADD(event_end, user_held_worker) { .who = USER_HELD };
FIXTURE_VARIANT_ADD(event_end, kernel_held_worker) { .who = KERNEL_HELD };
FIXTURE_VARIANT_ADD(event_end, new_worker) { .who = NEW };
FIXTURE_VARIANT_ADD(event_end, blocked_worker) { .who = BLOCKED };
FIXTURE_VARIANT_ADD(event_end, unmanaged_worker) { .who = UNMANAGED };
FIXTURE_VARIANT_ADD(event_end, locked_worker) { .who = LOCKED };
FIXTURE_VARIANT_ADD(event_end, woken_worker) { .who = WOKEN };
FIXTURE_VARIANT_ADD(event_end, scheduler_behind) { .who = BEHIND };
FIXTURE_VARIANT_ADD(event_end, scheduler_that_switches) { .who = SWITCHES };
FIXTURE_VARIANT_ADD(event_end, scheduler_that_computes) { .who = COMPUTES };
FIXTURE_VARIANT_ADD(event_end, scheduler_that_waits) { .who = WAITS };

FIXTURE_SETUP(event_end)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ender = variant->who;
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(event_end)
{
	states_free(self->states);
}

static void becomes_another_program(void)
{
	execl("/bin/sh", "sh", "-c", "exit 42", NULL);
}

static void ends_process(void)
{
	_exit(STATUS);
}

static void ends_thread(void)
{
	syscall(SYS_exit, 0);
}

static void makes_filtered_call(void)
{
	syscall(SYS_getpgid, 0);
}

static void ends(struct states *states, enum who who)
{
	if (who != ender)
		return;
	end();
	STATES_BAD(states, who, true);
}

/* For all threads */
static void filter_calls(struct states *states)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, verdict),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	STATES_BAD(states, PLAIN,
		   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		   syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			   SECCOMP_FILTER_FLAG_TSYNC, &program));
}

/* The wait status of the process */
static int status_of_end(struct states *states, void (*how)(void))
{
	end = how;
	states->after = ends;
	if (!states_start(states))
		return -EINVAL;
	return states_finish(states);
}

static int status_of_verdict(struct states *states, __u32 what)
{
	verdict = what;
	states->before = filter_calls;
	return status_of_end(states, makes_filtered_call);
}

TEST_F(event_end, by_exec)
{
	EXPECT_EQ(W_EXITCODE(STATUS, 0),
		  status_of_end(self->states, becomes_another_program));
}

TEST_F(event_end, of_the_process)
{
	EXPECT_EQ(W_EXITCODE(STATUS, 0),
		  status_of_end(self->states, ends_process));
}

/* All the others come to their end, if need be as plain threads */
TEST_F(event_end, of_the_thread)
{
	EXPECT_EQ(0, status_of_end(self->states, ends_thread));
	EXPECT_EQ(-1 - (int)ender, states_bad(self->states));
}

TEST_F(event_end, of_the_thread_by_seccomp)
{
	EXPECT_EQ(0, status_of_verdict(self->states, SECCOMP_RET_KILL_THREAD));
	EXPECT_EQ(-1 - (int)ender, states_bad(self->states));
}

TEST_F(event_end, of_the_process_by_seccomp)
{
	int status = status_of_verdict(self->states, SECCOMP_RET_KILL_PROCESS);

	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGSYS, WTERMSIG(status));
}

FIXTURE(event)
{
	struct states *states;
};

FIXTURE_SETUP(event)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(event)
{
	states_free(self->states);
}

static struct states *inside;

/* Instead of the call, by the thread that makes it */
static void take_trap(int signal, siginfo_t *info, void *context)
{
	enum who who = states_me();

	STATES_BAD(inside, who, info->si_syscall != SYS_getpgid ||
		   gettid() != inside->thread[who].tid);
	inside->thread[who].handled++;
}

static void trap_calls(struct states *states)
{
	struct sigaction action = {
		.sa_sigaction = take_trap,
		.sa_flags = SA_SIGINFO,
	};

	inside = states;
	sigaction(SIGSYS, &action, NULL);
	filter_calls(states);
}

static void makes_trapped_call(struct states *states, enum who who)
{
	makes_filtered_call();
	STATES_BAD(states, who, states->thread[who].handled != 1);
}

TEST_F(event, calls_are_trapped)
{
	verdict = SECCOMP_RET_TRAP;
	self->states->before = trap_calls;
	self->states->after = makes_trapped_call;
	ASSERT_TRUE(states_start(self->states));
	EXPECT_EQ(0, states_finish(self->states));
	EXPECT_EQ(0, states_bad(self->states));
}

/* Stops all threads of @states, in place, and ends. LOCKED has been stopped */
static int trace_and_end(const struct states *states)
{
	int status;
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		if (who != LOCKED &&
		    (ptrace(PTRACE_SEIZE, states->thread[who].tid, NULL, NULL) ||
		     ptrace(PTRACE_INTERRUPT, states->thread[who].tid, NULL,
			    NULL)))
			return 1;
	for (who = 0; who < NR_WHO; who++)
		if (who != LOCKED &&
		    (waitpid(states->thread[who].tid, &status, __WALL) !=
			     states->thread[who].tid || !WIFSTOPPED(status)))
			return 2;
	return 0;
}

TEST_F(event, tracer_ends_while_all_are_stopped)
{
	struct states *states = self->states;
	pid_t tracer;

	ASSERT_TRUE(states_start(states));
	tracer = fork();
	if (!tracer)
		_exit(trace_and_end(states));
	EXPECT_EQ(0, ut_wait_child(tracer, UT_LIMIT_MS));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

TEST_HARNESS_MAIN
