// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: job control, debuggers and SIGKILL reach every thread of a
 * process at once, whether it is parked, blocked, running or a scheduler whose
 * processor a worker has; and after that the process goes on as if nothing had
 * happened.
 *
 * The process under test is a child with one scheduler and three workers: one
 * is parked, one blocked in read(2), one computes on the scheduler's virtual
 * processor.
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <linux/ptrace.h>

#include "../kselftest_harness.h"
#include "common.h"

enum who { SCHEDULER, PARKED, BLOCKED, COMPUTING, NR_WHO };

#define MAX_EVENTS	256

/**
 * struct shared - What parent and child share
 *
 * @tid: Threads of the child.
 * @ready: All of them are in their place.
 * @progress: Counts while the computing worker computes.
 * @stop: The child shall run everything to its end, and exit; or go on, now
 *	that it is traced.
 * @events: Events of the computing worker.
 * @nr_events: How many there are.
 */
struct shared {
	pid_t tid[NR_WHO];
	uint32_t ready;
	__u64 progress;
	uint32_t stop;
	struct ums_event events[MAX_EVENTS];
	uint32_t nr_events;
};

struct child {
	struct ut_base base;
	struct ut_thread thread[NR_WHO];
	struct shared *shared;
	int fd[2];
};

static void park(struct ut_thread *thread)
{
	ut_yield(0);
}

static void block(struct ut_thread *thread)
{
	struct child *child = thread->arg;
	char byte;

	thread->ret = read(child->fd[0], &byte, 1);
}

static void compute(struct ut_thread *thread)
{
	struct shared *shared = ((struct child *)thread->arg)->shared;

	while (!UT_LOAD(shared->stop))
		UT_INC(shared->progress);
}

static bool note(struct shared *shared, struct ums_event *event)
{
	if (shared->nr_events == MAX_EVENTS)
		return false;
	shared->events[shared->nr_events] = *event;
	UT_INC(shared->nr_events);
	return true;
}

/* Returns a line number, for lack of a harness */
static int run_child(struct child *child)
{
	struct shared *shared = child->shared;
	struct ut_base *base = &child->base;
	struct ut_thread *thread = child->thread;
	struct ums_event event;
	long ret;

	if (ut_base_open(base, 8, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(base) || pipe(child->fd))
		return __LINE__;
	if (ut_spawn_worker(base, &thread[PARKED], park, child) ||
	    ut_spawn_worker(base, &thread[BLOCKED], block, child) ||
	    ut_spawn_worker(base, &thread[COMPUTING], compute, child))
		return __LINE__;
	if (ut_next_of(base, thread[PARKED].ctx, &event) != 1 ||
	    ut_next_of(base, thread[BLOCKED].ctx, &event) != 1 ||
	    ut_next_of(base, thread[COMPUTING].ctx, &event) != 1)
		return __LINE__;
	if (ut_run_to(base, thread[PARKED].ctx, &event,
		      UMS_REASON_YIELDED) != UMS_REASON_YIELDED ||
	    ut_run_to_block(base, thread[BLOCKED].ctx, &event,
			    SYS_read) != UMS_REASON_BLOCKED)
		return __LINE__;
	shared->tid[SCHEDULER] = gettid();
	shared->tid[PARKED] = thread[PARKED].tid;
	shared->tid[BLOCKED] = thread[BLOCKED].tid;
	shared->tid[COMPUTING] = thread[COMPUTING].tid;
	UT_STORE(shared->ready, 1);

	do {
		ret = ut_execute(base->group, thread[COMPUTING].ctx, &event);
		if (ret == -EAGAIN || ret == -EINTR)
			continue;
		if (ret < 0 || !note(shared, &event))
			return __LINE__;
		/* A stop ends read(2) for a while: others can be READY, too */
		if (ret == UMS_REASON_BLOCKED &&
		    (ut_next_of(base, thread[COMPUTING].ctx, &event) != 1 ||
		     !note(shared, &event)))
			return __LINE__;
	} while (ret != UMS_REASON_TERMINATED);

	if (ut_run_to(base, thread[PARKED].ctx, &event,
		      UMS_REASON_TERMINATED) != UMS_REASON_TERMINATED)
		return __LINE__;
	if (write(child->fd[1], "x", 1) != 1 ||
	    ut_finish(base, thread[BLOCKED].ctx))
		return __LINE__;
	ut_join(&thread[PARKED]);
	ut_join(&thread[BLOCKED]);
	ut_join(&thread[COMPUTING]);
	return thread[BLOCKED].ret == 1 ? 0 : __LINE__;
}

FIXTURE(stop) {
	struct shared *shared;
	pid_t pid;
};

FIXTURE_SETUP(stop)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->shared = mmap(NULL, sizeof(*self->shared),
			    PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		struct child child = { .shared = self->shared };

		_exit(run_child(&child) % 256);
	}
	ASSERT_TRUE(UT_WAIT(UT_LOAD(self->shared->progress) > 1));
}

FIXTURE_TEARDOWN(stop)
{
	if (self->pid > 0)
		kill(self->pid, SIGKILL);
}

static bool makes_progress(struct shared *shared)
{
	__u64 progress = UT_LOAD(shared->progress);

	return UT_WAIT(UT_LOAD(shared->progress) > progress);
}

/* Let the child come to its end, which is 0 when nothing was lost */
static int finish(struct shared *shared, pid_t pid)
{
	UT_STORE(shared->stop, 1);
	return ut_wait_child(pid, UT_LIMIT_MS);
}

/* Every BLOCKED is of a stop and is followed by READY, in order */
static bool are_stops(struct shared *shared)
{
	uint32_t i, want = UMS_REASON_BLOCKED;
	struct ums_event *event;
	__u64 seq = 0;

	for (i = 0; i < shared->nr_events; i++) {
		event = &shared->events[i];
		if (event->seq <= seq)
			return false;
		seq = event->seq;
		if (event->reason == UMS_REASON_PREEMPTED &&
		    want == UMS_REASON_BLOCKED)
			continue;
		if (event->reason == UMS_REASON_TERMINATED)
			return want == UMS_REASON_BLOCKED &&
			       i == shared->nr_events - 1;
		if (event->reason != want)
			return false;
		if (want == UMS_REASON_BLOCKED &&
		    event->cause == UMS_CAUSE_SYSCALL)
			return false;
		want = want == UMS_REASON_BLOCKED ? UMS_REASON_READY :
						    UMS_REASON_BLOCKED;
	}
	return false;
}

TEST_F(stop, of_the_process_holds_every_thread_until_it_continues)
{
	__u64 progress;
	int status, i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, kill(self->pid, SIGSTOP));
		ASSERT_TRUE(UT_WAIT(waitpid(self->pid, &status,
					    WUNTRACED | WNOHANG) == self->pid));
		ASSERT_TRUE(WIFSTOPPED(status));
		progress = UT_LOAD(self->shared->progress);
		ut_nap();
		EXPECT_EQ(progress, UT_LOAD(self->shared->progress));
		ASSERT_EQ(0, kill(self->pid, SIGCONT));
		ASSERT_TRUE(makes_progress(self->shared));
	}
	ASSERT_EQ(0, finish(self->shared, self->pid));
	EXPECT_TRUE(are_stops(self->shared));
}

TEST_F(stop, by_a_debugger_works_in_every_state)
{
	struct user_regs_struct regs;
	int status, i, who;
	pid_t tid;

	for (i = 0; i < 3 * NR_WHO; i++) {
		who = i % NR_WHO;
		tid = self->shared->tid[who];
		ASSERT_EQ(0, ptrace(PTRACE_SEIZE, tid, 0, 0));
		ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, tid, 0, 0));
		ASSERT_TRUE(UT_WAIT(waitpid(tid, &status, __WALL | WNOHANG) ==
				    tid))
			TH_LOG("thread %d is not stopped", who);
		ASSERT_TRUE(WIFSTOPPED(status))
			TH_LOG("thread %d: status %x", who, status);
		ASSERT_EQ(0, ptrace(PTRACE_GETREGS, tid, 0, &regs));
		EXPECT_NE(0, regs.rip);
		EXPECT_NE(0, regs.fs_base);
		if (who == BLOCKED)
			EXPECT_EQ(SYS_read, regs.orig_rax);
		/* A parked thread that is stopped keeps nobody else */
		if (who == PARKED || who == BLOCKED)
			EXPECT_TRUE(makes_progress(self->shared));
		ASSERT_EQ(0, ptrace(PTRACE_DETACH, tid, 0, 0));
		ASSERT_TRUE(makes_progress(self->shared));
	}
	ASSERT_EQ(0, finish(self->shared, self->pid));
	EXPECT_TRUE(are_stops(self->shared));
}

TEST_F(stop, of_a_running_worker_is_reported_as_such)
{
	struct shared *shared = self->shared;
	pid_t tid = shared->tid[COMPUTING];
	__u64 progress;
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, tid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	ASSERT_TRUE(UT_WAIT(waitpid(tid, &status, __WALL | WNOHANG) == tid));
	/* The scheduler has its processor back */
	ASSERT_TRUE(UT_WAIT(UT_LOAD(shared->nr_events)));
	EXPECT_EQ(UMS_REASON_BLOCKED, shared->events[0].reason);
	EXPECT_EQ(UMS_CAUSE_SIGNAL, shared->events[0].cause);
	progress = UT_LOAD(shared->progress);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, tid, 0, 0));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(shared->progress) > progress));
	ASSERT_EQ(0, finish(shared, self->pid));
	EXPECT_TRUE(are_stops(shared));
}

TEST_F(stop, by_SIGKILL_is_prompt_in_every_state)
{
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	status = ut_wait_child(self->pid, UT_LIMIT_MS);
	ASSERT_TRUE(status >= 0 && WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST_F(stop, and_SIGKILL_of_a_stopped_process_is_prompt)
{
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_TRUE(UT_WAIT(waitpid(self->pid, &status, WUNTRACED | WNOHANG) ==
			    self->pid));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	status = ut_wait_child(self->pid, UT_LIMIT_MS);
	ASSERT_TRUE(status >= 0 && WIFSIGNALED(status));
}

#define UNTRACED	10

/* System calls of a worker that is traced across switches: in, out, in, out */
static void call_and_switch(struct ut_thread *thread)
{
	int i;

	for (i = 0; i < UNTRACED; i++) {
		syscall(SYS_getppid);
		ut_yield(i);
	}
	for (i = 0; i < 20; i++) {
		syscall(SYS_getppid);
		ut_yield(i);
		ut_nap();
	}
}

/* What comes before must not be seen later */
static bool run_untraced(struct child *child)
{
	struct ums_event event;
	int i, k;

	for (k = 0; k < UNTRACED; k++) {
		for (i = 1; i < 3; i++) {
			syscall(SYS_getppid);
			if (ut_run_to(&child->base, child->thread[i].ctx,
				      &event, UMS_REASON_YIELDED) !=
			    UMS_REASON_YIELDED)
				return false;
		}
	}
	return true;
}

static int run_traced(struct child *child)
{
	struct ut_base *base = &child->base;
	long ret;
	int i;

	if (ut_base_open(base, 8, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(base))
		return __LINE__;
	for (i = 1; i < 3; i++)
		if (ut_spawn_worker(base, &child->thread[i], call_and_switch,
				    NULL))
			return __LINE__;
	for (i = 1; i < 3; i++)
		UT_AWAIT(ut_slot_state(base, child->thread[i].ctx) ==
			 UMS_STATE_READY);
	if (!run_untraced(child))
		return __LINE__;
	child->shared->tid[SCHEDULER] = gettid();
	child->shared->tid[PARKED] = child->thread[1].tid;
	child->shared->tid[BLOCKED] = child->thread[2].tid;
	UT_STORE(child->shared->ready, 1);
	/* Not in a system call when the tracer comes */
	while (!UT_LOAD(child->shared->stop))
		;
	for (i = 1; i < 3; i++) {
		do {
			ret = ut_execute(base->group, child->thread[i].ctx,
					 NULL);
		} while (ret == -EAGAIN || ret == UMS_REASON_YIELDED);
		if (ret != UMS_REASON_BLOCKED)
			return __LINE__;
	}
	return ut_schedule(base, 2) ? __LINE__ : 0;
}

TEST(traced_system_calls_pair_up_in_every_thread)
{
	unsigned int inside[3] = {}, calls[3] = {}, bad = 0;
	struct child child = {};
	pid_t pid, tid;
	int status, who;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	child.shared = mmap(NULL, sizeof(*child.shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, child.shared);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(run_traced(&child) % 256);
	ASSERT_TRUE(UT_WAIT(UT_LOAD(child.shared->ready)));
	for (who = 0; who < 3; who++) {
		tid = child.shared->tid[who];
		ASSERT_EQ(0, ptrace(PTRACE_SEIZE, tid, 0,
				    PTRACE_O_TRACESYSGOOD |
				    PTRACE_O_EXITKILL));
		ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	}
	UT_STORE(child.shared->stop, 1);

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		struct ptrace_syscall_info info = {};

		if (!WIFSTOPPED(status)) {
			if (tid == pid)
				break;
			continue;
		}
		for (who = 0; who < 3 && child.shared->tid[who] != tid; who++)
			;
		if (who < 3 && WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info),
			       &info);
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
				bad += inside[who];
				inside[who] = 1;
				calls[who] += info.entry.nr == SYS_getppid;
			} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
				inside[who] = 0;
			}
		}
		ptrace(PTRACE_SYSCALL, tid, 0, 0);
	}
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, calls[0]);
	EXPECT_EQ(20, calls[1]);
	EXPECT_EQ(20, calls[2]);
}

TEST_HARNESS_MAIN
