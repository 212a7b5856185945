// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: how threads and processes begin and end.
 */
#include <sched.h>
#include <sys/wait.h>

#include "fuzz.h"

extern char **environ;

static long run_true(void)
{
	char * const argv[] = { "true", NULL };

	return execve("/bin/true", argv, environ);
}

/* What a child of ours is not allowed to do */
static void use_what_is_not_ours(struct fuzz_thread *self)
{
	ut_ctl(UMS_CTL_DETACH, -1, NULL, 0);
	ut_ctl(UMS_CTL_YIELD, -1, &(struct ums_yield) {},
	       sizeof(struct ums_yield));
	ut_execute_flags(fuzz.group[self->group].fd, self->ctx, NULL,
			 fuzz_below(self, 2));
	ut_dequeue(fuzz.list[0].fd, (void *)self->area, 1, 0);
	ut_attach(fuzz.list[0].fd, UMS_ROLE_WORKER, self->ctx);
}

static long wait_for(struct fuzz_thread *self, pid_t pid)
{
	int options = fuzz_one_in(self, 2) ? WNOHANG : 0;

	if (pid < 0)
		return -errno;
	return waitpid(pid, NULL, options) < 0 ? -errno : 0;
}

/* Without the C library's locks, which a handler may have jumped out of */
static long op_fork(struct fuzz_thread *self)
{
	pid_t pid;

	if (self->budget)
		return -EBUSY;
	pid = syscall(SYS_fork);
	if (pid)
		return wait_for(self, pid);
	if (fuzz_one_in(self, 4)) {
		use_what_is_not_ours(self);
		run_true();
		_exit(0);
	}
	/* Goes on as we do, alone, and for a while */
	self->budget = 1 + fuzz_below(self, 40);
	UT_STORE(self->role, UMS_ROLE_NONE);
	return 0;
}

static long op_vfork(struct fuzz_thread *self)
{
	pid_t pid = vfork();

	if (!pid) {
		use_what_is_not_ours(self);
		if (fuzz_one_in(self, 2))
			run_true();
		_exit(0);
	}
	return wait_for(self, pid);
}

static int helper_main(void *arg)
{
	struct fuzz_thread *self = arg;

	use_what_is_not_ours(self);
	return 0;
}

/* A process in the same memory */
static long op_clone(struct fuzz_thread *self)
{
	if (self->helper && waitpid(self->helper, NULL, WNOHANG | __WALL) == 0)
		return -EBUSY;
	self->helper = clone(helper_main, self->stack + FUZZ_STACK_SIZE,
			     CLONE_VM | SIGCHLD, self);
	if (self->helper > 0)
		return 0;
	self->helper = 0;
	return -errno;
}

/* Replaces all of us */
static long op_exec(struct fuzz_thread *self)
{
	return fuzz_one_in(self, 8) ? run_true() : -EAGAIN;
}

static long op_exit(struct fuzz_thread *self)
{
	sigset_t all;

	/* The handlers would take the next one of our number for us */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	UT_STORE(self->may_jump, 0);
	UT_STORE(self->tid, 0);
	UT_STORE(fuzz.shared->tid[self->number], 0);
	UT_STORE(self->role, UMS_ROLE_NONE);
	UT_STORE(self->taken, 0);
	return syscall(SYS_exit, fuzz_below(self, 256));
}

static long op_exit_group(struct fuzz_thread *self)
{
	if (!fuzz_one_in(self, 8))
		return -EAGAIN;
	_exit(0);
}

const struct fuzz_op fuzz_life_ops[] = {
	{ "fork", FUZZ_PROCESS, FUZZ_ALL, 4, op_fork },
	{ "vfork", FUZZ_PROCESS, FUZZ_ALL, 4, op_vfork },
	{ "clone", FUZZ_PROCESS, FUZZ_ALL, 4, op_clone },
	{ "exec", FUZZ_PROCESS, FUZZ_ALL, 1, op_exec },
	{ "exit", FUZZ_LEAVE, FUZZ_ALL, 4, op_exit },
	{ "exit_group", FUZZ_LEAVE, FUZZ_ALL, 1, op_exit_group },
	{}
};
