// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a scheduler says that its virtual processor runs somebody who it
 * cannot be. The kernel finds that out at the next entry, and the process dies
 * of a SIGSEGV that it can neither handle nor block.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "user.h"

#define CONTEXTS	15

/* Whom a scheduler says that it runs, although that cannot be */
enum whom {
	NOBODY, INDEX_0, NO_INDEX, NO_THREAD, NEVER_RAN, BLOCKED, TERMINATED,
	SCHEDULER, RUNS_ELSEWHERE
};

FIXTURE(misnamed)
{
	bool ready;
};

FIXTURE_VARIANT(misnamed)
{
	enum whom whom;
};

FIXTURE_VARIANT_ADD(misnamed, a_free_context) { .whom = NOBODY };
FIXTURE_VARIANT_ADD(misnamed, no_context) { .whom = INDEX_0 };
FIXTURE_VARIANT_ADD(misnamed, an_index_out_of_range) { .whom = NO_INDEX };
FIXTURE_VARIANT_ADD(misnamed, a_context_without_a_thread) { .whom = NO_THREAD };
FIXTURE_VARIANT_ADD(misnamed, a_worker_that_never_ran) { .whom = NEVER_RAN };
FIXTURE_VARIANT_ADD(misnamed, a_blocked_worker) { .whom = BLOCKED };
FIXTURE_VARIANT_ADD(misnamed, a_worker_that_has_ended) { .whom = TERMINATED };
FIXTURE_VARIANT_ADD(misnamed, another_scheduler) { .whom = SCHEDULER };
FIXTURE_VARIANT_ADD(misnamed, a_worker_of_another_scheduler) { .whom = RUNS_ELSEWHERE };

FIXTURE_SETUP(misnamed)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	self->ready = true;
}

FIXTURE_TEARDOWN(misnamed)
{
	if (self->ready)
		EXPECT_TRUE(uu_fresh_group_works());
}

/* Those of the process that misnames */
static struct ut_base misnamed_base;
static struct ut_thread misnamed_worker;
static struct ut_thread other;

#define STILL_ALIVE	3
#define HANDLED		4
#define NOT_PREPARED	5

static void handler(int sig)
{
	_exit(HANDLED);
}

static void reads(struct ut_thread *self)
{
	int fd[2];
	char byte;

	if (pipe(fd) || read(fd[0], &byte, 1))
		self->ret = -errno;
}

static void ends(struct ut_thread *self)
{
}

static void spins(struct ut_thread *self)
{
	UT_STORE(self->ret, 1);
	for (;;)
		;
}

static void runs_spinner(struct ut_thread *self)
{
	struct ut_thread *worker = &misnamed_worker;

	if (ut_spawn_worker(self->base, worker, spins, NULL))
		return;
	for (;;)
		uu.execute(uu_slot(self), uu_slot(worker));
}

/* A context that is what @whom says; UT_NONE if there is none */
static __u64 prepare_whom(enum whom whom)
{
	struct ut_thread *worker = &misnamed_worker, *scheduler = &other;
	struct ut_base *base = &misnamed_base;
	struct ums_event event;
	__u64 ctx = UT_NONE;

	switch (whom) {
	case NOBODY:
		return base->sched + 1;
	case INDEX_0:
		return 0;
	case NO_INDEX:
		return UINT32_MAX - 1;
	case NO_THREAD:
		return ut_ctx_create(base->group, 0, &ctx) ? UT_NONE : ctx;
	case NEVER_RAN:
		if (ut_spawn_worker(base, worker, ends, NULL) ||
		    ut_next_of(base, worker->ctx, &event) != 1)
			return UT_NONE;
		return worker->ctx;
	case BLOCKED:
		if (ut_spawn_worker(base, worker, reads, NULL) ||
		    ut_next_of(base, worker->ctx, &event) != 1 ||
		    ut_run_to_block(base, worker->ctx, &event, SYS_read) !=
		    UMS_REASON_BLOCKED)
			return UT_NONE;
		return worker->ctx;
	case TERMINATED:
		if (ut_spawn_worker(base, worker, ends, NULL) ||
		    uu_start(base, worker) != UMS_REASON_TERMINATED)
			return UT_NONE;
		return worker->ctx;
	case SCHEDULER:
		if (ut_spawn(base, scheduler, UMS_ROLE_SCHEDULER, spins,
			     NULL) || !UT_WAIT(UT_LOAD(scheduler->ret)))
			return UT_NONE;
		return scheduler->ctx;
	case RUNS_ELSEWHERE:
		if (ut_spawn(base, scheduler, UMS_ROLE_SCHEDULER, runs_spinner,
			     NULL) || !UT_WAIT(UT_LOAD(worker->ret)))
			return UT_NONE;
		return worker->ctx;
	}
	return UT_NONE;
}

static void misnaming_process(enum whom whom, bool block)
{
	struct ut_base *base = &misnamed_base;
	sigset_t set;
	__u64 ctx;

	signal(SIGSEGV, handler);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	if (ut_base_open_flags(base, CONTEXTS, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(base))
		_exit(NOT_PREPARED);
	ctx = prepare_whom(whom);
	if (ctx == UT_NONE || (block && sigprocmask(SIG_BLOCK, &set, NULL)))
		_exit(NOT_PREPARED);
	UT_STORE(ut_slot(base, base->sched)->running, (__u32)ctx);
	uu_resolve();
	_exit(STILL_ALIVE);
}

static void expect_death(struct __test_metadata *_metadata, enum whom whom,
			 bool block)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		misnaming_process(whom, block);
	ASSERT_LT(0, pid);
	status = ut_wait_child(pid, UT_LIMIT_MS);
	ASSERT_LE(0, status);
	if (WIFEXITED(status))
		EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGSEGV, WTERMSIG(status));
}

TEST_F(misnamed, is_fatal_although_there_is_a_handler)
{
	expect_death(_metadata, variant->whom, false);
}

TEST_F(misnamed, is_fatal_although_the_signal_is_blocked)
{
	expect_death(_metadata, variant->whom, true);
}

TEST_HARNESS_MAIN
