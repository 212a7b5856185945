// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: signals for threads that are parked, blocked or running. A
 * handler runs in the thread that the signal was for, exactly once, and never
 * while that thread has no virtual processor.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "common.h"

#define QUEUED	8

/* What the handlers saw */
static struct {
	uint32_t count;
	pid_t tid;
	int value[QUEUED * 2];
	uint32_t not_last;
} seen;

/* Word that the handler sets to 1, if there is one */
static uint32_t *handler_word;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	uint32_t i = UT_INC(seen.count) - 1;

	if (i < ARRAY_SIZE(seen.value))
		seen.value[i] = info->si_value.sival_int;
	if (i && seen.tid != gettid())
		seen.not_last++;
	seen.tid = gettid();
	if (handler_word)
		UT_STORE(*handler_word, 1);
}

static bool handle(int sig, int flags)
{
	struct sigaction action = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | flags,
	};

	return !sigaction(sig, &action, NULL);
}

static bool change_mask(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return !pthread_sigmask(how, &set, NULL);
}

static int send_to(pid_t tid, int sig)
{
	return syscall(SYS_tgkill, getpid(), tid, sig);
}

static bool send_value(pid_t tid, int sig, int value)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return !syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info);
}

/* Whether no signal that was sent to the thread is still pending */
static bool has_taken_signals(pid_t tid)
{
	char path[64], line[256];
	unsigned long long pending = 1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SigPnd: %llx", &pending) == 1)
			break;
	fclose(file);
	return !pending;
}

FIXTURE(signal) {
	struct ut_base base;
	struct ut_thread worker;
	struct ut_thread other;
	int fd[2];
};

FIXTURE_VARIANT(signal) {
	int flags;
};

FIXTURE_VARIANT_ADD(signal, without_restart) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(signal, with_restart) {
	.flags = SA_RESTART,
};

FIXTURE_SETUP(signal)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	memset(&seen, 0, sizeof(seen));
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open(&self->base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(signal)
{
	if (!self->base.slots)
		return;
	ut_base_close(&self->base);
	close(self->fd[0]);
	close(self->fd[1]);
}

static void yield_often(struct ut_thread *thread)
{
	int i;

	for (i = 0; i < 4; i++)
		ut_yield(UT_LOAD(seen.count));
}

TEST_F(signal, for_a_parked_worker_waits_until_it_is_executed)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;
	int i;

	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, yield_often, NULL));
	ASSERT_EQ(1, ut_next(base, &event));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(i, event.arg);
		ASSERT_EQ(0, send_to(worker->tid, SIGUSR1));
		/* The kernel takes it at once, the handler has to wait */
		ASSERT_TRUE(UT_WAIT(has_taken_signals(worker->tid)));
		ASSERT_TRUE(UT_WAIT(ut_slot_state(base, worker->ctx) ==
				    UMS_STATE_READY));
		EXPECT_EQ(i, UT_LOAD(seen.count));
		EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(4, seen.count);
	EXPECT_EQ(worker->tid, seen.tid);
	EXPECT_EQ(0, seen.not_last);
	ut_join(worker);
}

static void yield_once(struct ut_thread *thread)
{
	ut_yield(0);
}

TEST_F(signal, queue_of_a_parked_worker_is_handled_whole_and_in_order)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;
	int i;

	ASSERT_TRUE(handle(SIGRTMIN, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, yield_once, NULL));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	for (i = 0; i < QUEUED; i++)
		ASSERT_TRUE(send_value(worker->tid, SIGRTMIN, i));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ASSERT_EQ(QUEUED, seen.count);
	for (i = 0; i < QUEUED; i++)
		EXPECT_EQ(i, seen.value[i]);
	EXPECT_EQ(worker->tid, seen.tid);
	EXPECT_EQ(0, seen.not_last);
	ut_join(worker);
}

static void wait_first(struct ut_thread *thread)
{
	thread->ret = *(uint32_t *)thread->arg;
}

TEST_F(signal, reaches_a_worker_that_was_never_executed)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;

	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, wait_first, &seen.count));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(0, send_to(worker->tid, SIGUSR1));
	ASSERT_TRUE(UT_WAIT(has_taken_signals(worker->tid)));
	EXPECT_EQ(0, UT_LOAD(seen.count));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	/* The attach succeeded all the same, and the handler came before */
	EXPECT_EQ(0, worker->attach_ret);
	EXPECT_EQ(1, worker->ret);
	EXPECT_EQ(1, seen.count);
	EXPECT_EQ(worker->tid, seen.tid);
	ut_join(worker);
}

/**
 * struct spin - A worker that computes, and somebody who sends it signals
 *
 * @running: The worker runs; the test clears it to see when it runs again.
 * @stop: The worker shall end.
 * @target: Thread to send to, 0 for the process.
 */
struct spin {
	uint32_t running;
	uint32_t stop;
	pid_t target;
};

static void compute(struct ut_thread *thread)
{
	struct spin *spin = thread->arg;

	while (!UT_LOAD(spin->stop))
		UT_STORE(spin->running, 1);
}

static void shoot_when_running(struct ut_thread *thread)
{
	struct spin *spin = thread->arg;

	change_mask(SIG_BLOCK, SIGUSR1);
	thread->ret = UT_WAIT(UT_LOAD(spin->running));
	if (spin->target)
		send_to(spin->target, SIGUSR1);
	else
		kill(getpid(), SIGUSR1);
}

TEST_F(signal, for_a_scheduler_preempts_the_worker_it_runs)
{
	struct spin spin = { .target = gettid() };
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;
	struct ums_info info;
	__u64 seq;
	int i;

	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, compute, &spin));
	ASSERT_EQ(1, ut_next(base, &event));
	seq = event.seq;
	for (i = 1; i <= 5; i++) {
		UT_STORE(spin.running, 0);
		ASSERT_EQ(0, ut_spawn(base, &self->other, UMS_ROLE_NONE,
				      shoot_when_running, &spin));
		ASSERT_EQ(UMS_REASON_PREEMPTED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_PREEMPTED));
		EXPECT_EQ(i, UT_LOAD(seen.count));
		EXPECT_EQ(gettid(), seen.tid);
		EXPECT_EQ(worker->ctx, event.ctx);
		EXPECT_EQ(UMS_REASON_PREEMPTED, event.reason);
		EXPECT_LT(seq, event.seq);
		seq = event.seq;
		EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker->ctx));
		EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
		ut_join(&self->other);
	}
	ASSERT_EQ(0, ut_query(base->group, worker->ctx, UMS_INFO_STATS, &info));
	EXPECT_EQ(5, info.stats.preempted);
	UT_STORE(spin.stop, 1);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
}

TEST_F(signal, for_a_running_worker_is_handled_by_it_at_once)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;
	struct spin spin = {};

	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, compute, &spin));
	/* The handler lets it end, nothing else does */
	handler_word = &spin.stop;
	ASSERT_TRUE(UT_WAIT(UT_LOAD(worker->tid)));
	spin.target = worker->tid;
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(0, ut_spawn(base, &self->other, UMS_ROLE_NONE,
			      shoot_when_running, &spin));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(1, seen.count);
	EXPECT_EQ(worker->tid, seen.tid);
	ut_join(&self->other);
	ut_join(worker);
}

TEST_F(signal, for_the_process_is_handled_once_while_a_worker_runs)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;
	struct spin spin = {};
	long ret;
	int i;

	handler_word = &spin.stop;
	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, compute, &spin));
	ASSERT_EQ(1, ut_next(base, &event));
	for (i = 1; i <= 10; i++) {
		UT_STORE(spin.running, 0);
		ASSERT_EQ(0, ut_spawn(base, &self->other, UMS_ROLE_NONE,
				      shoot_when_running, &spin));
		ret = ut_run_to(base, worker->ctx, &event,
				UMS_REASON_PREEMPTED);
		ut_join(&self->other);
		EXPECT_EQ(i, UT_LOAD(seen.count));
		if (ret != UMS_REASON_PREEMPTED)
			break;
		EXPECT_EQ(gettid(), seen.tid);
		UT_STORE(spin.stop, 0);
	}
	if (ret == UMS_REASON_PREEMPTED) {
		UT_STORE(spin.stop, 1);
		ret = ut_run_to(base, worker->ctx, &event,
				UMS_REASON_TERMINATED);
	} else {
		EXPECT_EQ(worker->tid, seen.tid);
	}
	ASSERT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(worker);
}

static void read_byte(struct ut_thread *thread)
{
	int fd = *(int *)thread->arg;
	char byte;

	thread->ret = read(fd, &byte, 1);
	if (thread->ret < 0)
		thread->ret = -errno;
	ut_yield(thread->ret);
}

TEST_F(signal, for_the_process_reaches_a_parked_worker_if_no_other_takes_it)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;

	ASSERT_TRUE(handle(SIGUSR1, SA_RESTART));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, yield_often, NULL));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_TRUE(change_mask(SIG_BLOCK, SIGUSR1));

	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(1, event.arg);
	EXPECT_EQ(worker->tid, seen.tid);
	while (event.reason == UMS_REASON_YIELDED)
		ASSERT_LT(0, ut_run_to(base, worker->ctx, &event,
				       UMS_REASON_TERMINATED));
	EXPECT_EQ(1, seen.count);
	ut_join(worker);
}

TEST_F(signal, interrupts_or_restarts_the_call_that_a_worker_blocks_in)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;

	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, read_byte, &self->fd[0]));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker->ctx, &event, SYS_read));
	ASSERT_EQ(0, send_to(worker->tid, SIGUSR1));
	ASSERT_EQ(1, ut_next(base, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_EQ(0, UT_LOAD(seen.count));

	if (variant->flags & SA_RESTART) {
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, worker->ctx, &event,
					  SYS_read));
		EXPECT_EQ(1, UT_LOAD(seen.count));
		ASSERT_EQ(1, write(self->fd[1], "x", 1));
		ASSERT_EQ(1, ut_next(base, &event));
	}
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(variant->flags & SA_RESTART ? 1 : -EINTR, (long)event.arg);
	EXPECT_EQ(1, seen.count);
	EXPECT_EQ(worker->tid, seen.tid);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
}

/* Every signal is blocked: the wait goes on, and the handler runs later */
static void read_masked(struct ut_thread *thread)
{
	change_mask(SIG_BLOCK, SIGUSR1);
	read_byte(thread);
	change_mask(SIG_UNBLOCK, SIGUSR1);
	thread->ret = UT_LOAD(seen.count);
}

TEST_F(signal, that_a_worker_masks_does_not_end_its_block)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;

	ASSERT_TRUE(handle(SIGUSR1, variant->flags));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, read_masked, &self->fd[0]));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker->ctx, &event, SYS_read));
	ASSERT_EQ(0, send_to(worker->tid, SIGUSR1));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	EXPECT_EQ(UMS_STATE_BLOCKED, ut_slot_state(base, worker->ctx));
	ASSERT_EQ(1, write(self->fd[1], "x", 1));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(1, event.arg);
	EXPECT_EQ(0, seen.count);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(1, worker->ret);
	EXPECT_EQ(worker->tid, seen.tid);
	ut_join(worker);
}

/* Its only worker is the first thread of the process; both could take SIGUSR1 */
static void schedule_leader(struct ut_thread *self)
{
	struct ums_event event;
	long ret;

	self->ret = __LINE__;
	if (ut_next(self->base, &event) != 1)
		return;
	kill(getpid(), SIGUSR1);
	/* It came with the return from kill() */
	self->ret = UT_LOAD(seen.count) == 1 && seen.tid == gettid() ?
		    0 : __LINE__;
	do {
		ret = ut_execute(self->base->group, event.ctx, &event);
	} while (ret == -EAGAIN || ret == UMS_REASON_YIELDED);
	if (ret != UMS_REASON_TERMINATED)
		self->ret = __LINE__;
}

static int become_parked_leader(void)
{
	struct ut_thread scheduler;
	struct ut_base base;
	__u64 ctx;

	if (!handle(SIGUSR1, 0) || ut_base_open(&base, 4, UMS_ORPHAN_RELEASE) ||
	    ut_spawn(&base, &scheduler, UMS_ROLE_SCHEDULER, schedule_leader,
		     NULL) ||
	    !UT_WAIT(!UT_LOAD(scheduler.attach_ret)) ||
	    ut_ctx_create(base.group, 0, &ctx) ||
	    ut_attach(base.list, UMS_ROLE_WORKER, ctx) || ut_detach())
		return __LINE__;
	ut_join(&scheduler);
	return scheduler.ret;
}

TEST(for_the_process_does_not_wait_for_a_parked_worker)
{
	int status;
	pid_t pid;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(become_parked_leader() % 256);
	status = ut_wait_child(pid, UT_LIMIT_MS);
	ASSERT_TRUE(status >= 0 && WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
