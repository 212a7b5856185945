// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: hardware breakpoints and the user switch. A debugger sets one in one
 * thread of two that take turns. Whatever that thread does it is stopped each time,
 * and the other one never is. When the breakpoint is gone they switch in user mode
 * again.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "probe.h"
#include "user.h"

#define ROUNDS	50

enum who { SCHEDULER, WORKER, NR_WHO };

/* The scheduler sends this to itself between phases, for the debugger to see */
#define MARK	SIGUSR2

enum phase { WATCHED, UNWATCHED, PHASES };

/**
 * struct shared - Memory of the process that is debugged, and of its debugger
 *
 * @tid: Its threads, once both have run.
 * @traced: The debugger is there.
 * @word: Both write it in each round.
 * @user: User switches of both in each phase.
 * @error: What else has failed.
 */
struct shared {
	pid_t tid[NR_WHO];
	bool traced;
	unsigned long word;
	__u64 user[PHASES];
	long error;
};

static struct shared *shared;

static void worker_code(struct ut_thread *self)
{
	/* Until the process ends */
	for (;;) {
		shared->error |= uu_yield(self, 0) < 0;
		increment(&shared->word);
	}
}

static __u64 user_switches(struct ut_base *base, struct ut_thread *worker)
{
	return uu_switches(base, base->sched).user +
	       uu_switches(base, worker->ctx).user;
}

static void take_turns(struct ut_base *base, struct ut_thread *worker,
		       enum phase phase)
{
	__u64 before = user_switches(base, worker);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		increment(&shared->word);
		shared->error |= uu_run(base, worker) < 0;
	}
	shared->user[phase] = user_switches(base, worker) - before;
	raise(MARK);
}

static void process(void)
{
	struct ut_thread worker;
	struct ut_base base;

	shared->error = uu_pin() ||
			ut_base_open(&base, 4, UMS_ORPHAN_RELEASE) ||
			ut_base_schedule_here(&base) ||
			ut_spawn_worker(&base, &worker, worker_code, NULL) ||
			uu_start(&base, &worker) < 0;
	shared->tid[WORKER] = worker.tid;
	UT_STORE(shared->tid[SCHEDULER], gettid());
	UT_AWAIT(UT_LOAD(shared->traced));
	raise(MARK);
	take_turns(&base, &worker, WATCHED);
	take_turns(&base, &worker, UNWATCHED);
	_exit(0);
}

FIXTURE(watch)
{
	pid_t pid;
	unsigned int traps[NR_WHO];
	unsigned int others;
};

FIXTURE_VARIANT(watch)
{
	enum who who;
	bool code;
};

FIXTURE_VARIANT_ADD(watch, what_a_worker_writes) { .who = WORKER };
FIXTURE_VARIANT_ADD(watch, what_a_scheduler_writes) { .who = SCHEDULER };
FIXTURE_VARIANT_ADD(watch, where_a_worker_comes) {
	.who = WORKER,
	.code = true,
};

FIXTURE_VARIANT_ADD(watch, where_a_scheduler_comes) {
	.who = SCHEDULER,
	.code = true,
};

FIXTURE_SETUP(watch)
{
	int i;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		process();
	ASSERT_TRUE(UT_WAIT(UT_LOAD(shared->tid[SCHEDULER])));
	for (i = 0; i < NR_WHO; i++)
		ASSERT_EQ(0, ptrace(PTRACE_SEIZE, shared->tid[i], NULL,
				    PTRACE_O_EXITKILL));
	UT_STORE(shared->traced, true);
}

FIXTURE_TEARDOWN(watch)
{
	if (self->pid <= 0)
		return;
	kill(self->pid, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

static bool is_trap(pid_t tid, int status)
{
	siginfo_t info;

	return status >> 8 == SIGTRAP &&
	       !ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) &&
	       info.si_code == TRAP_HWBKPT;
}

/* Count traps until the scheduler stops at a mark */
static bool reach_mark(FIXTURE_DATA(watch) * self)
{
	int status, i;
	pid_t tid;

	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 || !WIFSTOPPED(status))
			return false;
		if (tid == shared->tid[SCHEDULER] && status >> 8 == MARK)
			return true;
		i = tid == shared->tid[WORKER] ? WORKER : SCHEDULER;
		if (is_trap(tid, status))
			self->traps[i]++;
		else
			self->others++;
		if (ptrace(PTRACE_CONT, tid, NULL, NULL))
			return false;
	}
}

static long poke(pid_t tid, int reg, unsigned long value)
{
	return ptrace(PTRACE_POKEUSER, tid,
		      offsetof(struct user, u_debugreg[reg]), value);
}

/* Breakpoint 0: any write to eight bytes, or execution */
#define DR7_WRITE	0x90001UL
#define DR7_EXECUTE	0x00001UL

/* The debug registers of @who; the scheduler is at a mark */
static bool set(enum who who, void *address, unsigned long dr7)
{
	pid_t tid = shared->tid[who];
	int status;

	if (who == WORKER && (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
			      waitpid(tid, &status, __WALL) != tid))
		return false;
	return !poke(tid, 0, (uintptr_t)address) && !poke(tid, 7, dr7) &&
	       (who == SCHEDULER || !ptrace(PTRACE_CONT, tid, NULL, NULL));
}

/* From a mark to the next */
static bool go_on(FIXTURE_DATA(watch) * self)
{
	return !ptrace(PTRACE_CONT, shared->tid[SCHEDULER], NULL, NULL) &&
	       reach_mark(self);
}

TEST_F(watch, stops_the_thread_that_is_watched)
{
	void *what = variant->code ? (void *)increment : &shared->word;
	enum who who = variant->who;

	ASSERT_TRUE(reach_mark(self));
	EXPECT_EQ(0, shared->error);
	ASSERT_TRUE(set(who, what, variant->code ? DR7_EXECUTE : DR7_WRITE));
	ASSERT_TRUE(go_on(self));
	EXPECT_EQ(ROUNDS, self->traps[who]);
	EXPECT_EQ(0, self->traps[!who]);
	EXPECT_EQ(0, shared->user[WATCHED]);

	ASSERT_TRUE(set(who, what, 0));
	ASSERT_TRUE(go_on(self));
	EXPECT_EQ(ROUNDS, self->traps[who]);
	EXPECT_EQ(0, self->traps[!who]);
	EXPECT_LT(0, shared->user[UNWATCHED]);

	EXPECT_EQ(PHASES * NR_WHO * ROUNDS, shared->word);
	EXPECT_EQ(0, shared->error);
	EXPECT_EQ(0, self->others);
}

TEST_HARNESS_MAIN
