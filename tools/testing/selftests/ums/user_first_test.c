// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: what a thread does first after a user switch, while the kernel
 * takes it for another one. Whatever belongs to a thread is that of the thread
 * whose code it is: its sleep, its death, its children, its signals and locks.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "user.h"

#define SWITCHED_BACK	(UMS_REASON_YIELDED | UMS_RETURN_USER)
#define CHILD_STATUS	42

FIXTURE(first)
{
	struct ut_base base;
	struct ut_thread worker;
	struct ut_thread other;
	int fd[2];
};

FIXTURE_SETUP(first)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open_flags(&self->base, 16, UMS_ORPHAN_RELEASE, 0));
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(first)
{
	if (!self->base.slots)
		return;
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
	close(self->fd[0]);
	close(self->fd[1]);
}

/*
 * Start @worker, which yields once. When it is executed next, it is by a user
 * switch, and whoever executes it then is its carrier.
 */
static bool set_up(struct ut_base *base, struct ut_thread *worker,
		   void (*fn)(struct ut_thread *self), void *arg)
{
	if (ut_spawn_worker(base, worker, fn, arg) ||
	    uu_start(base, worker) < 0)
		return false;
	uu_resolve();
	return UT_LOAD(uu_slot(worker)->state) ==
	       (UMS_STATE_READY | UMS_STATE_USER);
}

static __u64 resolved(struct ut_base *base, struct ut_thread *worker)
{
	return uu_switches(base, worker->ctx).resolved;
}

/* Run @worker to its end, which is its first event, the kernel's first sight */
static void expect_end(struct __test_metadata *_metadata, struct ut_base *base,
		       struct ut_thread *worker, __u64 arg)
{
	struct ums_context *slot = ut_slot(base, base->sched);

	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(base, worker));
	EXPECT_EQ(worker->ctx, slot->event_ctx);
	EXPECT_EQ(UMS_REASON_TERMINATED, slot->event_reason);
	EXPECT_EQ(arg, slot->event_arg);
	EXPECT_LE(1, resolved(base, worker));
}

static void reads(struct ut_thread *self)
{
	int *fd = self->arg;
	char byte = 0;

	uu_yield(self, 0);
	self->ret = read(fd[0], &byte, 1) == 1 && byte == 'x';
}

TEST_F(first, a_sleep_is_reported_as_the_worker_s)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_context *slot;
	struct ums_event event;

	slot = ut_slot(base, base->sched);
	ASSERT_TRUE(set_up(base, worker, reads, self->fd));
	ASSERT_EQ(UMS_REASON_BLOCKED, uu_execute(base, worker));
	EXPECT_EQ(worker->ctx, slot->event_ctx);
	EXPECT_EQ(UMS_CAUSE_SYSCALL, slot->event_cause);
	EXPECT_EQ(SYS_read, slot->event_arg);
	EXPECT_EQ(UMS_STATE_BLOCKED, ut_slot_state(base, worker->ctx));
	EXPECT_TRUE(ut_thread_sleeps_in(worker->tid, SYS_read));
	EXPECT_EQ(-EINPROGRESS, uu_execute(base, worker));

	ASSERT_EQ(1, write(self->fd[1], "x", 1));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	expect_end(_metadata, base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(1, worker->ret);
}

static void touches(struct ut_thread *self)
{
	char *page = self->arg;

	uu_yield(self, 0);
	self->ret = UT_LOAD(page[5]) == 0;
}

TEST_F(first, a_page_fault_that_waits_is_reported_as_the_worker_s)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	long size = sysconf(_SC_PAGESIZE);
	struct uffdio_zeropage zero = {};
	struct ums_context *slot;
	struct ums_event event;
	char *page;
	int uffd;

	slot = ut_slot(base, base->sched);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	page = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	reg.range.start = (uintptr_t)page;
	reg.range.len = size;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));

	ASSERT_TRUE(set_up(base, worker, touches, page));
	ASSERT_EQ(UMS_REASON_BLOCKED, uu_execute(base, worker));
	EXPECT_EQ(worker->ctx, slot->event_ctx);
	EXPECT_EQ(UMS_CAUSE_FAULT, slot->event_cause);
	EXPECT_EQ((uintptr_t)page, slot->event_arg & -size);

	zero.range = reg.range;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	expect_end(_metadata, base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(1, worker->ret);
	close(uffd);
}

static void exits(struct ut_thread *self)
{
	uu_yield(self, 0);
	pthread_exit(NULL);
}

static void exits_at_once(struct ut_thread *self)
{
	uu_yield(self, 0);
	syscall(SYS_exit, 3);
}

static void detaches(struct ut_thread *self)
{
	uu_yield(self, 0);
	self->ret = ut_detach() || syscall(SYS_gettid) != self->tid;
}

TEST_F(first, the_end_of_a_thread_is_its_own)
{
	struct ut_thread *worker = &self->worker;

	ASSERT_TRUE(set_up(&self->base, worker, exits, NULL));
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);

	/* Which also clears the thread id that a join waits for */
	ASSERT_TRUE(set_up(&self->base, worker, exits_at_once, NULL));
	expect_end(_metadata, &self->base, worker, 3 << 8);
	ut_join(worker);

	ASSERT_TRUE(set_up(&self->base, worker, detaches, NULL));
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
}

static void yields_for_ever(struct ut_thread *self)
{
	while (!UT_LOAD(*(int *)self->arg)) {
		if (uu_resolve() != self->tid)
			self->ret++;
		uu_yield(self, 0);
	}
}

static int stop;

/* Comes back from its worker with that as its carrier, and is gone */
static void schedules_and_exits(struct ut_thread *self)
{
	struct ut_thread *worker = self->arg;

	while (uu.execute(uu_slot(self), uu_slot(worker)) != SWITCHED_BACK)
		;
	syscall(SYS_exit, 0);
}

TEST_F(first, the_end_of_a_scheduler_leaves_its_worker_to_others)
{
	struct ut_thread *worker = &self->worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_spawn_worker(&self->base, worker, yields_for_ever,
				     &stop));
	ASSERT_EQ(1, ut_next_of(&self->base, worker->ctx, &event));
	ASSERT_EQ(0, ut_spawn(&self->base, &self->other, UMS_ROLE_SCHEDULER,
			      schedules_and_exits, worker));
	ut_join(&self->other);
	EXPECT_EQ(UMS_STATE_TERMINATED,
		  ut_slot_state(&self->base, self->other.ctx));
	EXPECT_LT(0, uu_run(&self->base, worker));
	UT_STORE(stop, 1);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, worker));
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
}

/* A child of the calling thread is a plain process, and the only thread of it */
static long fork_one(void)
{
	pid_t tid = gettid(), pid = syscall(SYS_fork);
	int status;

	if (!pid)
		_exit(syscall(SYS_gettid) == getpid() &&
		      syscall(SYS_gettid) != tid &&
		      ut_detach() == -ENOTCONN ? CHILD_STATUS : 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void forks(struct ut_thread *self)
{
	uu_yield(self, 0);
	self->ret = fork_one();
}

TEST_F(first, a_fork_is_of_the_thread_whose_code_it_is)
{
	struct ut_thread *worker = &self->worker;

	ASSERT_TRUE(set_up(&self->base, worker, forks, NULL));
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(CHILD_STATUS, worker->ret);

	/* The same of the scheduler, while a worker is its carrier */
	ASSERT_EQ(0, ut_spawn_worker(&self->base, worker, yields_for_ever,
				     &stop));
	ASSERT_LT(0, uu_start(&self->base, worker));
	EXPECT_EQ(CHILD_STATUS, fork_one());
	UT_STORE(stop, 1);
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
}

static void executes(struct ut_thread *self)
{
	uu_yield(self, 0);
	execl("/proc/self/exe", "user_first_test", "--exec", NULL);
	self->ret = 1;
}

static void ends_process(struct ut_thread *self)
{
	uu_yield(self, 0);
	syscall(SYS_exit_group, CHILD_STATUS);
}

/* A process of its own, whose worker ends all of it; what wait() says */
static int process_status(void (*fn)(struct ut_thread *self))
{
	struct ut_thread worker;
	struct ut_base base;
	pid_t pid = fork();

	if (pid > 0)
		return ut_wait_child(pid, UT_LIMIT_MS);
	freopen("/dev/null", "w", stdout);
	freopen("/dev/null", "w", stderr);
	if (ut_base_open_flags(&base, 4, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(&base) || !set_up(&base, &worker, fn, NULL))
		_exit(1);
	uu_run(&base, &worker);
	_exit(2);
}

TEST_F(first, an_exec_replaces_all_threads)
{
	EXPECT_EQ(CHILD_STATUS << 8, process_status(executes));
}

TEST_F(first, an_end_of_the_process_is_one)
{
	EXPECT_EQ(CHILD_STATUS << 8, process_status(ends_process));
}

static bool blocks_usr1(void)
{
	sigset_t set;

	return !sigprocmask(SIG_BLOCK, NULL, &set) && sigismember(&set, SIGUSR1);
}

static char signal_stack[65536];

static bool has_signal_stack(void)
{
	stack_t stack;

	return !sigaltstack(NULL, &stack) && stack.ss_sp == signal_stack;
}

static void changes_signals(struct ut_thread *self)
{
	stack_t stack = {
		.ss_sp = signal_stack,
		.ss_size = sizeof(signal_stack),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	uu_yield(self, 0);
	self->ret |= sigprocmask(SIG_BLOCK, &set, NULL);
	uu_yield(self, 0);
	self->ret |= sigaltstack(&stack, NULL);
	uu_yield(self, 0);
	self->ret |= !blocks_usr1();
	uu_yield(self, 0);
	self->ret |= !has_signal_stack();
}

TEST_F(first, signal_mask_and_stack_are_the_thread_s)
{
	struct ut_thread *worker = &self->worker;
	int i;

	ASSERT_TRUE(set_up(&self->base, worker, changes_signals, NULL));
	for (i = 0; i < 3; i++) {
		ASSERT_LT(0, uu_run(&self->base, worker));
		EXPECT_FALSE(blocks_usr1());
		EXPECT_FALSE(has_signal_stack());
	}
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
}

static pthread_mutex_t robust;

/* User code only, but the list that the kernel knows is the thread's */
static void locks_and_exits(struct ut_thread *self)
{
	uu_yield(self, 0);
	self->ret = pthread_mutex_trylock(&robust);
	uu_yield(self, 0);
	syscall(SYS_exit, 0);
}

TEST_F(first, a_lock_of_a_thread_that_dies_is_recovered)
{
	struct ut_thread *worker = &self->worker;
	pthread_mutexattr_t attr;

	ASSERT_EQ(0, pthread_mutexattr_init(&attr));
	ASSERT_EQ(0, pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	ASSERT_EQ(0, pthread_mutex_init(&robust, &attr));
	ASSERT_TRUE(set_up(&self->base, worker, locks_and_exits, NULL));
	ASSERT_LT(0, uu_run(&self->base, worker));
	EXPECT_EQ(EBUSY, pthread_mutex_trylock(&robust));
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_trylock(&robust));
	EXPECT_EQ(0, pthread_mutex_consistent(&robust));
	EXPECT_EQ(0, pthread_mutex_unlock(&robust));
}

static __thread long tls_word;

#define ROUNDS	200

/* @self is pthread_self() of the caller as create() or it itself knew it */
static bool is_me(pthread_t self, long word, int error)
{
	return pthread_equal(pthread_self(), self) && tls_word == word &&
	       errno == error;
}

static void checks_itself(struct ut_thread *self)
{
	int i;

	tls_word = 1000;
	for (i = 0; i < ROUNDS; i++) {
		tls_word++;
		errno = 0;
		uu_yield(self, i);
		if (!is_me(self->thread, 1001 + i, 0))
			self->ret++;
		/* Fails, and says so to its own errno */
		if (close(-1) != -1 || !is_me(self->thread, 1001 + i, EBADF))
			self->ret++;
	}
}

TEST_F(first, thread_local_storage_and_errno_are_the_thread_s)
{
	struct ut_thread *worker = &self->worker;
	pthread_t me = pthread_self();
	int i, bad = 0;

	tls_word = 7;
	ASSERT_TRUE(set_up(&self->base, worker, checks_itself, NULL));
	for (i = 1; i < ROUNDS; i++) {
		errno = ESTALE;
		ASSERT_LT(0, uu_run(&self->base, worker));
		bad += !is_me(me, 7, ESTALE);
		bad += close(-2) != -1 || !is_me(me, 7, EBADF);
	}
	EXPECT_EQ(0, bad);
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
}

/* From now on getppid() fails for the caller */
static bool forbid_getppid(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(filter),
		.filter = filter,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void is_filtered(struct ut_thread *self)
{
	int i;

	self->ret = !forbid_getppid();
	for (i = 0; i < ROUNDS; i++) {
		uu_yield(self, i);
		if (syscall(SYS_getppid) != -1 || errno != EDOM)
			self->ret++;
	}
}

TEST_F(first, a_system_call_filter_is_the_thread_s)
{
	struct ut_thread *worker = &self->worker;
	int i, bad = 0;

	ASSERT_TRUE(set_up(&self->base, worker, is_filtered, NULL));
	for (i = 1; i < ROUNDS; i++) {
		ASSERT_LT(0, uu_run(&self->base, worker));
		bad += syscall(SYS_getppid) < 0;
	}
	EXPECT_EQ(0, bad);
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	if (worker->ret == ROUNDS + 1)
		SKIP(return, "no seccomp");
	EXPECT_EQ(0, worker->ret);
}

static struct ut_thread *switching;

static void switches(int sig)
{
	switching->ret++;
	uu_yield(switching, 0);
	switching->ret++;
}

static void raises(struct ut_thread *self)
{
	switching = self;
	signal(SIGTRAP, switches);
	uu_yield(self, 0);
	asm volatile("int3");
	self->ret++;
}

TEST_F(first, a_handler_may_switch)
{
	struct ut_thread *worker = &self->worker;

	ASSERT_TRUE(set_up(&self->base, worker, raises, NULL));
	ASSERT_EQ(SWITCHED_BACK, uu_run(&self->base, worker));
	EXPECT_EQ(1, worker->ret);
	uu_resolve();
	expect_end(_metadata, &self->base, worker, 0);
	ut_join(worker);
	EXPECT_EQ(3, worker->ret);
}

/* What was executed: a plain thread, and no other */
static int executed(void)
{
	return gettid() == getpid() && ut_detach() == -ENOTCONN &&
	       ut_status_number("Threads") == 1 ? CHILD_STATUS : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exec"))
		return executed();
	return test_harness_run(argc, argv);
}
