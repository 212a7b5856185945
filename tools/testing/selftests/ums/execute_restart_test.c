// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a signal that comes when a thread is in ums_execute() already, and has
 * not given its virtual processor away. Nobody is executed before the handler has
 * run; then the call fails with EINTR, or is made anew (SA_RESTART).
 *
 * A debugger stops the thread at the entry of the call and sends the signal there.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/ptrace.h>

#include "../kselftest_harness.h"
#include "user.h"

/**
 * enum caller - Who makes the call
 *
 * @SCHEDULER: A scheduler, for a worker.
 * @SCHEDULER_VDSO: The same, by the vDSO.
 * @WORKER: A worker, for another one. It has lost its virtual processor, as the
 *	debugger has stopped it, and has the signal before it goes on.
 * @PARKED_WORKER: The same, but it has gone on, and waits to be executed: only then
 *	can it do what the call is for. It does that in any case.
 */
enum caller { SCHEDULER, SCHEDULER_VDSO, WORKER, PARKED_WORKER };

/**
 * enum step - Of a process where a worker makes the call
 *
 * @EXECUTE: The scheduler executes it.
 * @HOLD: It shall not.
 * @HELD: It does not.
 * @PARKED: And the worker waits for a virtual processor.
 * @END: It shall have one, until it ends.
 */
enum step { EXECUTE, HOLD, HELD, PARKED, END };

/**
 * struct shared - What the test and the process share
 *
 * @tid: Who makes the call; 0 before it is about to.
 * @go: It is traced, and shall make the call.
 * @step: An &enum step.
 * @handled: How often the signal was handled.
 * @early: Who was to be executed had run by then.
 * @ran: How often that one ran.
 * @ret: What the call returned.
 */
struct shared {
	pid_t tid;
	int go;
	int step;
	unsigned int handled;
	unsigned int early;
	unsigned int ran;
	long ret;
};

static struct shared *shared;
static enum caller caller;
static int flags;
static struct ut_base base;
static struct ut_thread first, second;

FIXTURE(restart)
{
	pid_t pid;
};

FIXTURE_VARIANT(restart)
{
	enum caller caller;
	int flags;
};

FIXTURE_VARIANT_ADD(restart, of_a_scheduler) { .flags = SA_RESTART };

FIXTURE_VARIANT_ADD(restart, of_a_scheduler_is_not_asked_for) {};

FIXTURE_VARIANT_ADD(restart, of_a_scheduler_in_the_vdso) {
	.caller = SCHEDULER_VDSO, .flags = SA_RESTART,
};

FIXTURE_VARIANT_ADD(restart, of_a_scheduler_in_the_vdso_is_not_asked_for) {
	.caller = SCHEDULER_VDSO,
};

FIXTURE_VARIANT_ADD(restart, of_a_worker) {
	.caller = WORKER, .flags = SA_RESTART,
};

FIXTURE_VARIANT_ADD(restart, of_a_worker_is_not_asked_for) { .caller = WORKER };

FIXTURE_VARIANT_ADD(restart, of_a_parked_worker) {
	.caller = PARKED_WORKER, .flags = SA_RESTART,
};

FIXTURE_VARIANT_ADD(restart, of_a_parked_worker_is_not_asked_for) {
	.caller = PARKED_WORKER,
};

static void handler(int sig)
{
	UT_INC(shared->handled);
	shared->early = shared->ran;
}

static void runs(struct ut_thread *self)
{
	UT_INC(shared->ran);
}

static void wait_for_go(void)
{
	UT_STORE(shared->tid, gettid());
	while (!UT_LOAD(shared->go))
		;
}

static void executes_second(struct ut_thread *self)
{
	wait_for_go();
	shared->ret = ut_execute(base.group, second.ctx, NULL);
}

/* To its end, whatever it waits for */
static void run_to_end(struct ut_thread *worker)
{
	struct ums_event event;

	while (ut_slot_state(&base, worker->ctx) != UMS_STATE_TERMINATED)
		if (ut_execute(base.group, worker->ctx, &event) < 0)
			ut_nap();
	ut_join(worker);
}

/* Between the call that is about to be made and the end, as the test wants it */
static void schedule_first(void)
{
	struct ums_event event;

	while (UT_LOAD(shared->step) == EXECUTE)
		if (ut_execute(base.group, first.ctx, &event) < 0)
			ut_nap();
	UT_STORE(shared->step, HELD);
	if (caller == PARKED_WORKER) {
		UT_AWAIT(ut_slot_state(&base, first.ctx) == UMS_STATE_READY);
		UT_STORE(shared->step, PARKED);
	}
	UT_AWAIT(UT_LOAD(shared->step) == END);
	run_to_end(&first);
}

/* Returns a line number, for lack of a harness */
static int run(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	struct ums_event event;

	if (sigaction(SIGUSR1, &action, NULL) ||
	    ut_base_open(&base, 4, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(&base) ||
	    ut_spawn_worker(&base, &second, runs, NULL) ||
	    ut_next_of(&base, second.ctx, &event) != 1)
		return __LINE__;
	if (caller >= WORKER) {
		if (ut_spawn_worker(&base, &first, executes_second, NULL) ||
		    ut_next_of(&base, first.ctx, &event) != 1)
			return __LINE__;
		schedule_first();
	} else {
		wait_for_go();
		shared->ret = caller == SCHEDULER ?
			      ut_execute(base.group, second.ctx, &event) :
			      uu_execute(&base, &second);
	}
	run_to_end(&second);
	return 0;
}

FIXTURE_SETUP(restart)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (variant->caller == SCHEDULER_VDSO && !uu_init())
		SKIP(return, UU_ABSENT);
	caller = variant->caller;
	flags = variant->flags;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		_exit(run() % 256);
}

FIXTURE_TEARDOWN(restart)
{
	if (self->pid > 0)
		kill(self->pid, SIGKILL);
}

static bool next_stop(pid_t tid, int signal)
{
	int status;

	return UT_WAIT(waitpid(tid, &status, __WALL | WNOHANG) == tid) &&
	       WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

/* Until it is at the entry of the call */
static bool trace_to_call(pid_t tid)
{
	struct ptrace_syscall_info info = {};

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
	    !next_stop(tid, SIGTRAP))
		return false;
	UT_STORE(shared->go, 1);
	while (info.op != PTRACE_SYSCALL_INFO_ENTRY ||
	       info.entry.nr != __NR_ums_execute)
		if (ptrace(PTRACE_SYSCALL, tid, NULL, NULL) ||
		    !next_stop(tid, SIGTRAP | 0x80) ||
		    ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info),
			   &info) <= 0)
			return false;
	return true;
}

static long result(enum caller caller, bool again)
{
	if (!again)
		return -EINTR;
	return caller < WORKER ? UMS_REASON_TERMINATED : 0;
}

TEST_F(restart, after_a_signal_at_the_entry)
{
	bool parked = variant->caller == PARKED_WORKER;
	bool again = parked || variant->flags & SA_RESTART;
	pid_t tid;

	ASSERT_TRUE(UT_WAIT(UT_LOAD(shared->tid)));
	tid = shared->tid;
	ASSERT_TRUE(trace_to_call(tid));
	if (variant->caller >= WORKER) {
		UT_STORE(shared->step, HOLD);
		ASSERT_TRUE(UT_WAIT(UT_LOAD(shared->step) == HELD));
	}
	if (parked) {
		ASSERT_EQ(0, ptrace(PTRACE_CONT, tid, NULL, 0));
		ASSERT_TRUE(UT_WAIT(UT_LOAD(shared->step) == PARKED));
	}
	ASSERT_EQ(0, syscall(SYS_tgkill, self->pid, tid, SIGUSR1));
	if (!parked)
		ASSERT_EQ(0, ptrace(PTRACE_CONT, tid, NULL, 0));
	ASSERT_TRUE(next_stop(tid, SIGUSR1));
	EXPECT_EQ(0, UT_LOAD(shared->ran));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, tid, NULL, SIGUSR1));
	UT_STORE(shared->step, END);
	EXPECT_EQ(0, ut_wait_child(self->pid, UT_LIMIT_MS));
	self->pid = 0;

	EXPECT_EQ(1, shared->handled);
	EXPECT_EQ(0, shared->early);
	EXPECT_EQ(1, shared->ran);
	EXPECT_EQ(result(variant->caller, again), shared->ret);
}

TEST_HARNESS_MAIN
