// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a process with threads in many states, see states.h.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "states.h"

static struct states *states;
static struct ut_base base;
static struct ut_thread threads[NR_WHO];
/* @WAITS waits for it, and a worker to end that */
static struct ut_base other_base;
static struct ut_thread last;
/* What @BLOCKED and @WOKEN read from */
static int pipe_fd[2];
static int woken_fd[2];
/* The workers of @SWITCHES are where they are to stay */
static bool placed;
/* @UNMANAGED waits for both bytes of it, and who stirs always has one of them */
static int lock_fd[2];

static __thread int me = -1;
static __thread sigjmp_buf waiting;
static __thread bool can_jump;

enum who states_me(void)
{
	unsigned int i;

	if (me >= 0)
		return me;
	/* Interrupted before it could say so */
	for (i = 0; i < NR_WHO; i++)
		if (states->thread[i].tid == gettid())
			return i;
	return NR_WHO;
}

pthread_t states_pthread(enum who who)
{
	return threads[who].thread;
}

struct ut_base *states_base(void)
{
	return &base;
}

void states_jump(void)
{
	if (can_jump)
		siglongjmp(waiting, 1);
}

/* What every thread does in between: nothing of its own may have changed */
static void wait_for_go(enum who who, void (*wait)(enum who who))
{
	struct state_thread *self = &states->thread[who];
	long word = gettid();

	me = who;
	if (states->first)
		states->first(states, who);
	UT_STORE(self->stack, &word);
	sigsetjmp(waiting, 1);
	can_jump = true;
	wait(who);
	can_jump = false;
	UT_STORE(self->went_on, 1);
	STATES_BAD(states, who, !UT_LOAD(states->go));
	STATES_BAD(states, who, gettid() != self->tid || word != self->tid);
	if (states->after)
		states->after(states, who);
	UT_STORE(self->ended, 1);
}

static void wait_with_calls(enum who who)
{
	while (!UT_LOAD(states->go))
		sched_yield();
}

static void wait_in_user_mode(enum who who)
{
	while (!UT_LOAD(states->go))
		;
}

static void wait_by_switches(enum who who)
{
	while (!UT_LOAD(states->go)) {
		if (uu.yield)
			uu_yield(&threads[who], 0);
		else
			ut_yield(0);
	}
}

static void wait_in_read(enum who who)
{
	ssize_t ret;
	char byte;

	do {
		ret = read(pipe_fd[0], &byte, 1);
	} while (ret < 0 && errno == EINTR);
	STATES_BAD(states, who, ret != 1);
}

static int lock_bytes(int fd, int cmd, short type, off_t start, off_t size)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = size,
	};

	return fcntl(fd, cmd, &lock);
}

static void wait_for_lock(enum who who)
{
	int ret;

	do {
		ret = lock_bytes(lock_fd[0], F_OFD_SETLKW, F_WRLCK, 0, 2);
	} while (ret && errno == EINTR);
	STATES_BAD(states, who, ret);
}

/* Each time that a byte of it is free @UNMANAGED is woken: the other one is not */
static void *stir(void *arg)
{
	struct timespec nap = { .tv_nsec = 1000000 };
	sigset_t all;
	int i;

	/* It is none of those that signals are meant for */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (i = 0; !UT_LOAD(states->go); i = !i) {
		STATES_BAD(states, PLAIN,
			   lock_bytes(lock_fd[1], F_OFD_SETLK, F_WRLCK, !i, 1) ||
			   lock_bytes(lock_fd[1], F_OFD_SETLK, F_UNLCK, i, 1));
		nanosleep(&nap, NULL);
	}
	STATES_BAD(states, PLAIN,
		   lock_bytes(lock_fd[1], F_OFD_SETLK, F_UNLCK, 0, 2));
	return NULL;
}

static long start_stirring(void)
{
	pthread_t thread;
	char path[32];

	lock_fd[0] = memfd_create("lock", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lock_fd[0]);
	lock_fd[1] = open(path, O_RDWR | O_CLOEXEC);
	if (lock_fd[1] < 0 ||
	    lock_bytes(lock_fd[1], F_OFD_SETLK, F_WRLCK, 0, 1))
		return -errno;
	return -pthread_create(&thread, NULL, stir, NULL);
}

/* A child of the process: the debugger of @LOCKED */
static void hold_locked(void)
{
	struct state_thread *thread = &states->thread[LOCKED];
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!UT_WAIT(UT_LOAD(states->hold)) ||
	    ptrace(PTRACE_SEIZE, thread->tid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL) ||
	    waitpid(thread->tid, &status, __WALL) != thread->tid)
		_exit(1);
	UT_AWAIT(UT_LOAD(states->go));
	ptrace(PTRACE_DETACH, thread->tid, NULL, NULL);
	_exit(0);
}

static void wait_in_read_when_woken(enum who who)
{
	ssize_t ret;
	char byte;

	do {
		ret = read(woken_fd[0], &byte, 1);
	} while ((ret < 0 && errno == EINTR) || !UT_LOAD(states->go));
	STATES_BAD(states, who, ret != 1);
}

static void wait_user_held(enum who who)
{
	if (uu.yield)
		uu_yield(&threads[who], 0);
	else
		ut_yield(0);
}

static void wait_kernel_held(enum who who)
{
	ut_yield(0);
}

static void no_wait(enum who who)
{
}

/* As a worker of the scheduler that calls; by user switch if there are any */
static long run(struct ut_thread *worker)
{
	struct ums_event event;

	if (uu.execute)
		return uu_execute(&base, worker);
	return ut_execute(base.group, worker->ctx, &event);
}

static void wait_behind(enum who who)
{
	struct ums_event event;

	/* Signals for the scheduler take the processor back */
	while (ut_slot_state(&base, threads[RUNNING].ctx) !=
	       UMS_STATE_TERMINATED)
		ut_execute(base.group, threads[RUNNING].ctx, &event);
}

static void wait_in_dequeue(enum who who)
{
	struct ums_event event;
	long ret;

	do {
		ret = ut_dequeue(other_base.list, &event, 1, -1);
	} while (ret == -EINTR);
	STATES_BAD(states, who, ret != 1 || event.ctx != last.ctx);
	/* It may block: a fork in another thread holds the lock of the memory */
	while (ut_slot_state(&other_base, last.ctx) != UMS_STATE_TERMINATED)
		if (ut_execute(other_base.group, last.ctx, &event) < 0)
			ut_nap();
}

/* The worker has come where it is to stay */
static bool in_place(enum who who)
{
	struct state_thread *thread = &states->thread[who];
	__u32 state;

	if (!UT_LOAD(thread->tid))
		return false;
	state = ut_slot_state(&base, threads[who].ctx);
	if (who == NEW)
		return state == UMS_STATE_READY;
	if (who == BLOCKED)
		return ut_thread_sleeps_in(thread->tid, SYS_read);
	if (who == UNMANAGED)
		return state == UMS_STATE_BLOCKED &&
		       ut_thread_sleeps_in(thread->tid, SYS_fcntl);
	if (who == LOCKED && UT_LOAD(states->hold))
		return state == UMS_STATE_LOCKED &&
		       ut_thread_state(thread->tid) == 't';
	if (who == WOKEN && !ut_thread_sleeps_in(thread->tid, SYS_read))
		return false;
	return UT_LOAD(thread->stack) && state == UMS_STATE_READY;
}

/* Unless it was late, it has not run: its byte is taken away from it */
static bool rob_woken(void)
{
	struct ut_thread *worker = &threads[WOKEN];
	char byte = 0;
	struct iovec iov = { &byte, 1 };

	while (ut_slot_state(&base, worker->ctx) != UMS_STATE_BLOCKED ||
	       !ut_thread_sleeps_in(worker->tid, SYS_read))
		run(worker);
	return write(woken_fd[1], &byte, 1) == 1 &&
	       preadv2(woken_fd[0], &iov, 1, -1, RWF_NOWAIT) == 1;
}

/* It sleeps, and it has been awake since it slept first, for nothing */
static void see_unmanaged(void)
{
	pid_t tid = states->thread[UNMANAGED].tid;
	long switches = ut_thread_switches(tid);

	STATES_BAD(states, UNMANAGED,
		   !UT_WAIT(ut_thread_switches(tid) > switches + 1) ||
		   !UT_WAIT(in_place(UNMANAGED)));
}

static void lock_locked(void)
{
	UT_STORE(states->hold, 1);
	STATES_BAD(states, LOCKED, !UT_WAIT(in_place(LOCKED)) ||
		   run(&threads[LOCKED]) != -EAGAIN);
}

/* Run the ones that are to stay somewhere until they are there */
static void put_in_place(void)
{
	static const enum who who[] = {
		USER_HELD, KERNEL_HELD, BLOCKED, UNMANAGED, LOCKED,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(who); i++)
		while (!in_place(who[i]))
			run(&threads[who[i]]);
	see_unmanaged();
	lock_locked();
	while (!rob_woken())
		;
}

/* Whoever is not run by somebody else, until all have ended */
static void run_the_rest(void)
{
	static const enum who who[] = {
		SWITCHED, USER_HELD, KERNEL_HELD, NEW, BLOCKED, UNMANAGED,
		LOCKED, WOKEN,
	};
	unsigned int i, left;

	do {
		for (i = left = 0; i < ARRAY_SIZE(who); i++) {
			struct ut_thread *worker = &threads[who[i]];

			if (ut_slot_state(&base, worker->ctx) ==
			    UMS_STATE_TERMINATED)
				continue;
			left++;
			if (run(worker) < 0)
				ut_nap();
		}
	} while (left);
}

static void wait_and_switch(enum who who)
{
	/* A signal for it may end a call: that is no reason to run it */
	if (!placed)
		put_in_place();
	UT_STORE(placed, true);
	while (!UT_LOAD(states->go))
		run(&threads[SWITCHED]);
}

static void (* const waits[NR_WHO])(enum who who) = {
	[RUNNING]	= wait_with_calls,
	[SWITCHED]	= wait_by_switches,
	[USER_HELD]	= wait_user_held,
	[KERNEL_HELD]	= wait_kernel_held,
	[NEW]		= no_wait,
	[BLOCKED]	= wait_in_read,
	[UNMANAGED]	= wait_for_lock,
	[LOCKED]	= wait_user_held,
	[WOKEN]		= wait_in_read_when_woken,
	[BEHIND]	= wait_behind,
	[SWITCHES]	= wait_and_switch,
	[COMPUTES]	= wait_in_user_mode,
	[WAITS]		= wait_in_dequeue,
};

static void thread_main(struct ut_thread *self)
{
	enum who who = self - threads;

	UT_STORE(states->thread[who].tid, self->tid);
	wait_for_go(who, waits[who]);
	if (who == SWITCHES)
		run_the_rest();
}

static void ends_at_once(struct ut_thread *self)
{
}

/* A worker says who it is only when it runs */
static bool is_known(enum who who)
{
	pid_t tid = UT_LOAD(threads[who].tid);

	if (tid)
		UT_STORE(states->thread[who].tid, tid);
	return tid;
}

static long spawn(enum who first, enum who last)
{
	enum who who;
	long ret;

	for (who = first; who <= last; who++) {
		ret = ut_spawn(who == WAITS ? &other_base : &base,
			       &threads[who], who < NR_WORKERS ?
			       UMS_ROLE_WORKER : UMS_ROLE_SCHEDULER,
			       thread_main, NULL);
		if (ret)
			return ret;
	}
	for (who = first; who <= last; who++)
		if (!UT_WAIT(is_known(who)))
			return -ETIMEDOUT;
	return 0;
}

/* Whether scheduler @who is where it waits, and what it runs is in place */
static bool scheduler_waits(enum who who)
{
	struct state_thread *thread = &states->thread[who];

	if (!UT_LOAD(thread->stack))
		return false;
	if (who == BEHIND)
		return UT_LOAD(states->thread[RUNNING].stack);
	if (who == WAITS)
		return ut_thread_sleeps_in(thread->tid, __NR_ums_dequeue);
	return true;
}

/* Who is there stays there */
static bool all_in_place(void)
{
	enum who who;

	for (who = USER_HELD; who <= WOKEN; who++)
		if (!UT_WAIT(in_place(who)))
			return false;
	for (who = BEHIND; who <= WAITS; who++)
		if (!UT_WAIT(scheduler_waits(who)))
			return false;
	return UT_WAIT(UT_LOAD(states->thread[SWITCHED].stack));
}

static long start(void)
{
	long ret;

	uu_init();
	if (pipe2(pipe_fd, O_CLOEXEC) || pipe2(woken_fd, O_CLOEXEC))
		return -errno;
	ret = start_stirring();
	if (!ret)
		ret = ut_base_open(&base, NR_WHO, UMS_ORPHAN_RELEASE);
	if (!ret)
		ret = ut_base_open(&other_base, 4, UMS_ORPHAN_RELEASE);
	if (!ret)
		ret = spawn(RUNNING, WOKEN);
	/* Nobody else shall compute while workers are brought to their places */
	if (!ret)
		ret = spawn(SWITCHES, SWITCHES);
	if (!ret && !UT_WAIT(UT_LOAD(placed)))
		ret = -ETIMEDOUT;
	if (!ret)
		ret = spawn(BEHIND, BEHIND);
	if (!ret)
		ret = spawn(COMPUTES, WAITS);
	if (!ret && !all_in_place())
		ret = -ETIMEDOUT;
	return ret;
}

static void wait_as_plain(enum who who)
{
	void (*before)(struct states *states) = states->before;

	states->before = NULL;
	if (before)
		before(states);
	UT_STORE(states->ready, 1);
	UT_AWAIT(UT_LOAD(states->go));
}

static void process(void)
{
	enum who who;

	states->thread[PLAIN].tid = gettid();
	/*
	 * It ends without a signal. While PLAIN creates a thread it blocks them all, so
	 * this one would not be ignored and would interrupt what another does.
	 */
	if (!syscall(SYS_clone, 0, NULL, NULL, NULL, NULL))
		hold_locked();
	states->error = start();
	if (states->error)
		_exit(1);
	wait_for_go(PLAIN, wait_as_plain);

	if (ut_spawn_worker(&other_base, &last, ends_at_once, NULL) ||
	    write(pipe_fd[1], "", 1) != 1 || write(woken_fd[1], "", 1) != 1)
		_exit(2);
	for (who = 0; who < PLAIN; who++)
		ut_join(&threads[who]);
	ut_join(&last);
	_exit(0);
}

struct states *states_alloc(void)
{
	struct states *memory = mmap(NULL, sizeof(*memory),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool has_died(void)
{
	siginfo_t info = {};

	return waitid(P_PID, states->pid, &info, WEXITED | WNOWAIT | WNOHANG) ||
	       info.si_pid;
}

bool states_start(struct states *memory)
{
	pid_t pid;

	states = memory;
	pid = fork();
	if (!pid)
		process();
	if (pid < 0)
		return false;
	states->pid = pid;
	return UT_WAIT(UT_LOAD(states->ready) || has_died()) && !states->error;
}

int states_wait(struct states *states)
{
	int status = ut_wait_child(states->pid, UT_LIMIT_MS);

	states->pid = 0;
	return status;
}

int states_finish(struct states *states)
{
	UT_STORE(states->go, 1);
	return states_wait(states);
}

int states_bad(const struct states *states)
{
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		if (states->thread[who].bad)
			return states->thread[who].bad;
	for (who = 0; who < NR_WHO; who++)
		if (!states->thread[who].ended)
			return -1 - who;
	return 0;
}

void states_free(struct states *states)
{
	if (!states)
		return;
	if (states->pid > 0) {
		kill(states->pid, SIGKILL);
		waitpid(states->pid, NULL, 0);
	}
	munmap(states, sizeof(*states));
}
