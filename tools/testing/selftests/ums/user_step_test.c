// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: the functions of the vDSO are interrupted at each of their
 * instructions, by a debugger's steps and breakpoints, and by signals. The
 * switch takes place once, whoever was interrupted goes on as itself, and
 * handlers run in the thread that they are for.
 */
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "step.h"
#include "walk.h"

#define EFLAGS_ZF	0x40

/* Longer than any of the functions; at least so many instructions are interrupted */
#define FUNCTION_SIZE	320
#define FUNCTION_INSNS	40
/* After the switch has begun, a part that it is not at its end in */
#define SURELY_WITHIN	0x20

/* Out of the function, and a bit beyond */
#define STEPS_ON	6

FIXTURE(step)
{
	struct step *step;
	uintptr_t function[STEP_THREADS];
	uintptr_t claimed[STEP_THREADS];
	pid_t pid;
};

static const enum walk_function function_of[STEP_THREADS] = {
	[STEP_EXECUTE] = WALK_EXECUTE,
	[STEP_SWITCH] = WALK_SWITCH,
	[STEP_YIELD] = WALK_YIELD,
};

FIXTURE_SETUP(step)
{
	int i;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	self->step = step_alloc();
	ASSERT_NE(NULL, self->step);
	for (i = 0; i < STEP_THREADS; i++) {
		self->function[i] = walk_begin(function_of[i]);
		self->claimed[i] = walk_claimed(function_of[i]);
		ASSERT_NE(0, self->claimed[i]);
	}
}

FIXTURE_TEARDOWN(step)
{
	if (!self->step)
		return;
	if (self->pid) {
		kill(self->pid, SIGKILL);
		/* Traced threads first, or it is not seen to end */
		while (waitpid(-1, NULL, __WALL) > 0)
			;
	}
	step_free(self->step);
}

/* The next thread to stop; 0 when the process has ended. The test has a limit. */
static pid_t next_stop(FIXTURE_DATA(step) * self, int *status)
{
	pid_t tid;

	do {
		tid = waitpid(-1, status, __WALL);
		if (tid > 0 && WIFSTOPPED(*status))
			return tid;
		if (tid == self->pid) {
			self->pid = 0;
			return 0;
		}
	} while (tid > 0);
	return -1;
}

/* The signal that a stop holds up, and that is not the tracer's own */
static long signal_of(int status)
{
	int sig = WSTOPSIG(status);

	/* Also the first stop of a new thread */
	if (status >> 16 || sig == SIGTRAP || sig == SIGSTOP || sig == STEP_MARK)
		return 0;
	return sig;
}

static bool is_mark(int status)
{
	return !(status >> 16) && WSTOPSIG(status) == STEP_MARK;
}

static int who(FIXTURE_DATA(step) * self, pid_t tid)
{
	int i;

	for (i = 0; i < STEP_THREADS; i++)
		if (UT_LOAD(self->step->thread[i].tid) == tid)
			return i;
	return -1;
}

static struct user_regs_struct regs_of(pid_t tid)
{
	struct user_regs_struct regs = {};

	ptrace(PTRACE_GETREGS, tid, NULL, &regs);
	return regs;
}

/* Stopped with the other one claimed: one of the two cannot go on as itself */
static bool half_way(FIXTURE_DATA(step) * self, pid_t tid)
{
	struct user_regs_struct regs = regs_of(tid);
	int i;

	for (i = 0; i < STEP_THREADS; i++)
		if (regs.rip == self->claimed[i] && (regs.eflags & EFLAGS_ZF))
			return true;
	return false;
}

/*
 * Let all threads run until @tid stops, or if it is 0, a victim at its mark.
 * Returns its signal, 0 when the process has ended, or a negative number.
 */
static int run_until(FIXTURE_DATA(step) * self, pid_t *tid)
{
	pid_t stopped;
	int status;

	for (;;) {
		stopped = next_stop(self, &status);
		if (stopped <= 0)
			return stopped;
		if (*tid ? stopped == *tid : is_mark(status)) {
			*tid = stopped;
			return WSTOPSIG(status);
		}
		ptrace(PTRACE_CONT, stopped, NULL, signal_of(status));
	}
}

/* Have @victim stop at its mark, if it has not */
static pid_t reach_mark(FIXTURE_DATA(step) * self, int victim)
{
	pid_t tid;

	UT_STORE(self->step->victim, victim);
	do {
		tid = 0;
		if (run_until(self, &tid) != STEP_MARK)
			return -1;
		if (who(self, tid) == victim)
			return tid;
		/* It was the victim before */
	} while (!ptrace(PTRACE_CONT, tid, NULL, NULL));
	return -1;
}

/*
 * @victim at @tid goes on, up to its next mark and no farther: else all take turns
 * until the tracer has the cpu again
 */
static void go_to_mark(FIXTURE_DATA(step) * self, int victim, pid_t tid, int sig)
{
	UT_STORE(self->step->victim, victim);
	ptrace(PTRACE_CONT, tid, NULL, sig);
}

#define OPTIONS	(PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)

/*
 * Start the process, traced; all of its threads have had a turn. They and the tracer
 * take turns: on one cpu that is much quicker, if the tracer lets them stop before it
 * goes on. Else ptrace() waits for that, for a tick.
 */
static bool start_traced(FIXTURE_DATA(step) * self)
{
	struct sched_param param = {};
	int status;
	pid_t tid;

	if (uu_pin())
		return false;
	self->pid = fork();
	if (!self->pid) {
		ptrace(PTRACE_TRACEME);
		raise(SIGSTOP);
		step_process(self->step);
	}
	if (self->pid < 0 || sched_setscheduler(0, SCHED_BATCH, &param) ||
	    waitpid(self->pid, &status, 0) != self->pid ||
	    !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, self->pid, NULL, OPTIONS) ||
	    ptrace(PTRACE_CONT, self->pid, NULL, NULL))
		return false;
	tid = reach_mark(self, STEP_YIELD);
	return tid > 0 && !ptrace(PTRACE_CONT, tid, NULL, NULL);
}

/* One instruction of @tid; false if that does not end as it should */
static bool step_once(FIXTURE_DATA(step) * self, pid_t tid)
{
	return !ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) &&
	       run_until(self, &tid) == SIGTRAP;
}

/* All that the threads can say of themselves */
static void expect_sane(struct __test_metadata *_metadata, struct step *step)
{
	long turns = step->thread[STEP_EXECUTE].turns, left;
	int i;

	EXPECT_EQ(0, step->error);
	EXPECT_LT(0, turns);
	for (i = 0; i < STEP_THREADS; i++) {
		left = turns - step->thread[i].turns;
		EXPECT_TRUE(left == 0 || left == 1);
		EXPECT_EQ(0, step->thread[i].bad);
	}
	TH_LOG("turns %ld user %llu resolved %llu finished %llu slow %llu %llu",
	       turns, step->sum.user, step->sum.resolved, step->sum.finished,
	       step->sum.slow_kernel, step->sum.slow_busy);
}

static void finish(struct __test_metadata *_metadata, FIXTURE_DATA(step) * self)
{
	pid_t nobody = -1;

	UT_STORE(self->step->stop, 1);
	ASSERT_EQ(0, run_until(self, &nobody));
	expect_sane(_metadata, self->step);
}

/* Which function is @address in? -1 if it is in none */
static int function_at(FIXTURE_DATA(step) * self, uintptr_t address)
{
	int i;

	for (i = 0; i < STEP_THREADS; i++)
		if (address - self->function[i] < FUNCTION_SIZE)
			return i;
	return -1;
}

#define ALL	((1 << STEP_THREADS) - 1)

/*
 * Step the threads in the mask @who_steps until the first of them, which is at
 * a mark, has taken @turns more turns. Counts the steps in each function. No
 * step is longer than it should be: then its turns would fly past.
 */
static void step_turns(struct __test_metadata *_metadata,
		       FIXTURE_DATA(step) * self, int who_steps, long turns,
		       unsigned int *steps)
{
	int i, status, first = __builtin_ctz(who_steps);
	struct step_thread *thread = self->step->thread;
	long now, last;
	pid_t tid;

	tid = reach_mark(self, first);
	ASSERT_LT(0, tid);
	for (i = first + 1; i < STEP_THREADS; i++)
		if (who_steps & 1 << i)
			ASSERT_EQ(0, syscall(SYS_tgkill, self->pid,
					     thread[i].tid, SIGSTOP));
	now = thread[first].turns;
	turns += now;
	ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL);
	while (now < turns) {
		tid = next_stop(self, &status);
		ASSERT_LT(0, tid);
		last = now;
		now = UT_LOAD(thread[first].turns);
		EXPECT_LE(now, last + 1) TH_LOG("a step of thread %d", first);
		ASSERT_FALSE(half_way(self, tid));
		i = function_at(self, regs_of(tid).rip);
		if (i >= 0)
			steps[i]++;
		i = who(self, tid);
		ptrace(i >= 0 && who_steps & 1 << i ? PTRACE_SINGLESTEP :
		       PTRACE_CONT, tid, NULL, signal_of(status));
	}
}

#define TURNS	5

TEST_F(step, by_step_a_thread_gets_through_its_function)
{
	unsigned int steps[STEP_THREADS] = {};
	int i;

	ASSERT_TRUE(start_traced(self));
	for (i = 0; i < STEP_THREADS; i++) {
		step_turns(_metadata, self, 1 << i, TURNS, steps);
		/* What comes before the switch itself */
		EXPECT_LE(5 * TURNS, steps[i]);
	}
	finish(_metadata, self);
	/* What is stepped before it has claimed anything asks the kernel */
	EXPECT_LE(STEP_THREADS * (TURNS - 1), self->step->sum.slow_kernel);
}

TEST_F(step, by_step_all_threads_get_through)
{
	unsigned int steps[STEP_THREADS] = {};

	ASSERT_TRUE(start_traced(self));
	step_turns(_metadata, self, ALL, 1, steps);
	finish(_metadata, self);
}

#define INT3	0xcc

/* What is where the breakpoint is; there is one at a time */
static long original;

/* For whoever comes there, and each function has one thread that calls it */
static bool set_breakpoint(pid_t tid, uintptr_t address)
{
	errno = 0;
	original = ptrace(PTRACE_PEEKTEXT, tid, address, NULL);
	return !errno && !ptrace(PTRACE_POKETEXT, tid, address,
				 (original & ~0xffL) | INT3);
}

/* Of @tid, which has come there or not. A switch that had begun is over */
static bool clear_breakpoint(pid_t tid, uintptr_t address)
{
	struct user_regs_struct regs = regs_of(tid);

	if (ptrace(PTRACE_POKETEXT, tid, address, original))
		return false;
	if (regs.rip != address + 1)
		return true;
	regs.rip = address;
	return !ptrace(PTRACE_SETREGS, tid, NULL, &regs);
}

/* @victim runs from its mark to where its function begins */
static pid_t break_at_function(FIXTURE_DATA(step) * self, int victim)
{
	pid_t tid = reach_mark(self, victim);

	return tid > 0 && set_breakpoint(tid, self->function[victim]) &&
	       !ptrace(PTRACE_CONT, tid, NULL, NULL) &&
	       run_until(self, &tid) == SIGTRAP &&
	       clear_breakpoint(tid, self->function[victim]) ? tid : -1;
}

/* Let @victim at @tid handle a signal, to come by the tracer or by itself */
static bool signal_victim(FIXTURE_DATA(step) * self, int victim, pid_t tid,
			  bool injected)
{
	struct step_thread *thread = &self->step->thread[victim];
	long handled = thread->handled;

	if (!injected) {
		syscall(SYS_tgkill, self->pid, tid, STEP_SIGNAL);
		ptrace(PTRACE_CONT, tid, NULL, NULL);
		if (run_until(self, &tid) != STEP_SIGNAL)
			return false;
	}
	go_to_mark(self, victim, tid, STEP_SIGNAL);
	/* It does before it comes to its next mark */
	tid = reach_mark(self, victim);
	if (tid < 0 || thread->handled != handled + 1)
		return false;
	go_to_mark(self, victim, tid, 0);
	return true;
}

TEST_F(step, a_signal_at_each_step_comes_to_who_was_stepped)
{
	int i, k, n;
	pid_t tid;

	ASSERT_TRUE(start_traced(self));
	for (i = 0; i < STEP_THREADS; i++) {
		/* Until the switch has taken place, and a bit beyond */
		for (k = 0; k < 25; k++) {
			tid = break_at_function(self, i);
			ASSERT_LT(0, tid);
			for (n = 0; n < k; n++)
				ASSERT_TRUE(step_once(self, tid));
			ASSERT_FALSE(half_way(self, tid));
			ASSERT_TRUE(signal_victim(self, i, tid, k & 1));
		}
	}
	finish(_metadata, self);
}

/* Let all run until somebody is at the breakpoint at @address, or @tid at its mark */
static pid_t run_to(FIXTURE_DATA(step) * self, pid_t tid, uintptr_t address,
		    bool *marked)
{
	pid_t stopped;
	int status;

	for (;;) {
		stopped = next_stop(self, &status);
		if (stopped <= 0)
			return -1;
		*marked = stopped == tid && is_mark(status);
		if (*marked)
			return stopped;
		if (status >> 8 == SIGTRAP &&
		    (stopped == tid || regs_of(stopped).rip == address + 1))
			return stopped;
		ptrace(PTRACE_CONT, stopped, NULL, signal_of(status));
	}
}

/*
 * *@victim runs to @address, if there is an instruction that it comes to in its next
 * turn, and is stopped there. Behind the switch it is the other one who has come
 * there: then that is the victim. Returns its thread id, 0 if there was no such
 * instruction, or negative if not as it should be.
 */
static pid_t break_at(FIXTURE_DATA(step) * self, int *victim, uintptr_t address)
{
	struct step_thread *thread = &self->step->thread[*victim];
	pid_t tid = reach_mark(self, *victim), stopped;
	uintptr_t claimed = self->claimed[*victim];
	long turns = thread->turns;
	bool marked;

	if (tid < 0 || !set_breakpoint(tid, address))
		return -1;
	go_to_mark(self, *victim, tid, 0);
	stopped = run_to(self, tid, address, &marked);
	if (stopped < 0)
		return -2;
	if (half_way(self, stopped))
		return -3;
	if (!clear_breakpoint(stopped, address))
		return -4;
	if (marked) {
		go_to_mark(self, *victim, tid, 0);
		return 0;
	}
	/* There, and not turns later, unless others could run it already */
	if (address - claimed < SURELY_WITHIN && thread->turns != turns)
		return -5;
	*victim = who(self, stopped);
	return stopped;
}

/* Steps of the one that was interrupted: it is always itself, and moves on */
static void step_on(struct __test_metadata *_metadata,
		    FIXTURE_DATA(step) * self, int victim, pid_t tid)
{
	long turns = self->step->thread[victim].turns;
	uintptr_t rip = regs_of(tid).rip, next;
	int i;

	for (i = 0; i < STEPS_ON; i++) {
		ASSERT_TRUE(step_once(self, tid));
		ASSERT_FALSE(half_way(self, tid));
		next = regs_of(tid).rip;
		EXPECT_NE(rip, next);
		rip = next;
		EXPECT_LE(UT_LOAD(self->step->thread[victim].turns), turns + 1);
	}
	ASSERT_EQ(0, ptrace(PTRACE_CONT, tid, NULL, NULL));
}

/* A signal at the instruction at @address, and steps from there; how often */
static unsigned int interrupt_at(struct __test_metadata *_metadata,
				 FIXTURE_DATA(step) * self, int victim,
				 uintptr_t address)
{
	int stopped = victim;
	pid_t tid = break_at(self, &stopped, address);

	ASSERT_LE(0, tid) TH_LOG("function %d, %d", victim, tid);
	if (!tid)
		return 0;
	ASSERT_TRUE(signal_victim(self, stopped, tid, address & 1));
	/* It does not always come there: some calls ask the kernel */
	stopped = victim;
	tid = break_at(self, &stopped, address);
	ASSERT_LE(0, tid) TH_LOG("function %d, %d", victim, tid);
	if (tid)
		step_on(_metadata, self, stopped, tid);
	return 1;
}

/* Every instruction that any way through a function has, once */
struct insns {
	unsigned int nr;
	uintptr_t ip[WALK_PATHS * WALK_MAX];
};

static void add(struct insns *insns, uintptr_t ip)
{
	unsigned int i;

	for (i = 0; i < insns->nr; i++)
		if (insns->ip[i] == ip)
			return;
	insns->ip[insns->nr++] = ip;
}

static bool find_insns(struct insns *insns, enum walk_function function)
{
	enum walk_path path;
	struct walk seen;
	unsigned int i;

	insns->nr = 0;
	for (path = 0; path < WALK_PATHS; path++) {
		if (!walk(&seen, function, path))
			return false;
		for (i = 0; i < seen.nr; i++)
			add(insns, seen.ip[i]);
	}
	return true;
}

TEST_F(step, at_each_instruction_a_thread_can_be_interrupted_and_stepped)
{
	struct insns insns[STEP_THREADS];
	unsigned int k, hits;
	int i;

	for (i = 0; i < STEP_THREADS; i++)
		ASSERT_TRUE(find_insns(&insns[i], function_of[i]));
	ASSERT_TRUE(start_traced(self));
	for (i = 0; i < STEP_THREADS; i++) {
		hits = 0;
		for (k = 0; k < insns[i].nr; k++)
			hits += interrupt_at(_metadata, self, i,
					     insns[i].ip[k]);
		TH_LOG("function %d: %u instructions of %u", i, hits,
		       insns[i].nr);
		EXPECT_LE(FUNCTION_INSNS, hits);
	}
	finish(_metadata, self);
	EXPECT_LE(STEP_THREADS * FUNCTION_INSNS, self->step->sum.finished);
}

#define SIGNALS	3000
#define BURST	16

/* Sent as a real-time signal, so that none is merged with another one */
static bool queue_signal(pid_t pid, pid_t tid)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	return !syscall(SYS_rt_tgsigqueueinfo, pid, tid, STEP_SIGNAL, &info);
}

static long handled(struct step *step)
{
	long sum = 0;
	int i;

	for (i = 0; i < STEP_THREADS; i++)
		sum += UT_LOAD(step->thread[i].handled);
	return sum;
}

TEST_F(step, signals_at_any_time_are_handled_once_by_who_they_are_for)
{
	struct step *step = self->step;
	int i;

	self->pid = fork();
	if (!self->pid)
		step_process(step);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(UT_WAIT(UT_LOAD(step->thread[STEP_YIELD].turns)));
	for (i = 0; i < SIGNALS; i++) {
		ASSERT_TRUE(queue_signal(self->pid,
					 step->thread[i % STEP_THREADS].tid));
		if (!(i % BURST))
			ASSERT_TRUE(UT_WAIT(handled(step) == i + 1));
	}
	ASSERT_TRUE(UT_WAIT(handled(step) == SIGNALS));
	for (i = 0; i < STEP_THREADS; i++)
		EXPECT_EQ(SIGNALS / STEP_THREADS, step->thread[i].handled);
	UT_STORE(step->stop, 1);
	EXPECT_EQ(0, ut_wait_child(self->pid, UT_LIMIT_MS));
	self->pid = 0;
	expect_sane(_metadata, step);
}

TEST_HARNESS_MAIN
