// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: threads in every state get new registers, by signals of which one
 * comes on top of the other, on a stack of their own, and by a debugger.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

#define STACK_SIZE	(64 * 1024)

/* What the ABI lets a function use below its stack pointer */
#define RED_ZONE	128

/* Of the process */
static struct states *inside;
static char *stack[NR_WHO];
static int order[NR_WHO][2];

/* That of NEW runs it before it has a stack for that */
static bool has_stack(enum who who)
{
	return who != NEW;
}

static bool is_parked(enum who who)
{
	return who >= USER_HELD && who <= WOKEN;
}

/*
 * Who is sent elsewhere: one that never ran has nothing that it could go back to,
 * and LOCKED has another debugger.
 */
static bool takes_detour(enum who who)
{
	return is_parked(who) && who != NEW && who != LOCKED;
}

FIXTURE(frame)
{
	struct states *states;
};

FIXTURE_SETUP(frame)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(frame)
{
	states_free(self->states);
}

static void take_stack(struct states *states, enum who who)
{
	stack_t own = { .ss_size = STACK_SIZE };

	own.ss_sp = malloc(STACK_SIZE);
	stack[who] = own.ss_sp;
	STATES_BAD(states, who, !own.ss_sp || sigaltstack(&own, NULL));
}

static void note_order(int sig)
{
	enum who who = states_me();
	unsigned int nr;
	char here;

	nr = UT_LOAD(inside->thread[who].handled);
	STATES_BAD(inside, who, nr > 1 || gettid() != inside->thread[who].tid);
	if (nr > 1)
		return;
	order[who][nr] = sig;
	if (has_stack(who))
		STATES_BAD(inside, who, &here < stack[who] ||
			   &here >= stack[who] + STACK_SIZE);
	UT_INC(inside->thread[who].handled);
}

/* One may interrupt the handler of the other */
static void handle_both(struct states *states)
{
	struct sigaction action = {
		.sa_handler = note_order,
		.sa_flags = SA_ONSTACK | SA_NODEFER | SA_RESTART,
	};

	inside = states;
	STATES_BAD(states, PLAIN, sigaction(SIGUSR1, &action, NULL) ||
		   sigaction(SIGUSR2, &action, NULL));
}

static void check_order(struct states *states, enum who who)
{
	int first = is_parked(who) ? SIGUSR2 : SIGUSR1;

	STATES_BAD(states, who, order[who][0] != first);
	STATES_BAD(states, who,
		   order[who][1] != (first == SIGUSR1 ? SIGUSR2 : SIGUSR1));
}

static bool send_to_all(struct states *states, int sig)
{
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		if (syscall(SYS_tgkill, states->pid, states->thread[who].tid,
			    sig))
			return false;
	return true;
}

/* Those that run have handled @nr */
static bool handled(struct states *states, unsigned int nr)
{
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		if (!is_parked(who) &&
		    !UT_WAIT(UT_LOAD(states->thread[who].handled) == nr))
			return false;
	return true;
}

TEST_F(frame, of_the_last_signal_is_on_top)
{
	struct states *states = self->states;
	enum who who;

	states->first = take_stack;
	states->before = handle_both;
	states->after = check_order;
	ASSERT_TRUE(states_start(states)) TH_LOG("%ld", states->error);
	ASSERT_TRUE(send_to_all(states, SIGUSR1));
	ASSERT_TRUE(handled(states, 1));
	ASSERT_TRUE(send_to_all(states, SIGUSR2));
	ASSERT_TRUE(handled(states, 2));
	for (who = USER_HELD; who <= WOKEN; who++)
		EXPECT_EQ(0, states->thread[who].handled);
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	for (who = 0; who < NR_WHO; who++)
		EXPECT_EQ(2, states->thread[who].handled);
}

/* Where a debugger sends a thread, in place of where it is; as if called */
static void take_a_detour(void)
{
	enum who who = states_me();

	STATES_BAD(inside, who, gettid() != inside->thread[who].tid);
	UT_INC(inside->thread[who].handled);
	states_jump();
	abort();
}

static void know_inside(struct states *states)
{
	inside = states;
}

static bool send_on_a_detour(pid_t tid)
{
	struct user_regs_struct regs;
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) ||
	    ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    !UT_WAIT(waitpid(tid, &status, __WALL | WNOHANG) == tid) ||
	    !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, tid, 0, &regs))
		return false;
	regs.rsp = ((regs.rsp - RED_ZONE) & ~15ULL) - 8;
	regs.rip = (uintptr_t)take_a_detour;
	/* No system call that would have to be restarted */
	regs.orig_rax = -1;
	return !ptrace(PTRACE_SETREGS, tid, 0, &regs) &&
	       !ptrace(PTRACE_DETACH, tid, 0, 0);
}

TEST_F(frame, that_a_debugger_has_changed_is_where_it_goes_on)
{
	struct states *states = self->states;
	enum who who;

	states->before = know_inside;
	ASSERT_TRUE(states_start(states)) TH_LOG("%ld", states->error);
	for (who = 0; who < NR_WHO; who++)
		if (takes_detour(who))
			ASSERT_TRUE(send_on_a_detour(states->thread[who].tid))
				TH_LOG("thread %d", who);
	for (who = USER_HELD; who <= WOKEN; who++)
		EXPECT_EQ(0, UT_LOAD(states->thread[who].handled));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	for (who = 0; who < NR_WHO; who++)
		EXPECT_EQ(takes_detour(who), states->thread[who].handled);
}

TEST_HARNESS_MAIN
