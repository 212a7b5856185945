// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: fork, exec that fails, closing of fds at any time, threads that come
 * and go, and that nothing is left behind by any of it.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "lifecycle.h"

FIXTURE(life)
{
	struct ut_base base;
	int pipe[2];
};

FIXTURE_SETUP(life)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, 16, 0));
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(life)
{
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

/* Exit code of a child that is as plain as it must be */
#define PLAIN_CHILD	33

static int plain_child(struct ut_base *base)
{
	struct ums_event event;
	unsigned char vec;

	if (ut_yield(0) != -ENOTCONN || ut_detach() != -ENOTCONN)
		return 1;
	if (ut_execute(base->group, base->sched, &event) != -ENOTCONN &&
	    ut_execute(base->group, base->sched, &event) != -EXDEV)
		return 2;
	if (ut_status_number("Threads") != 1)
		return 3;
	if (!mincore(base->slots, 1, &vec) || errno != ENOMEM)
		return 4;
	if (!mincore(base->ring, 1, &vec) || errno != ENOMEM)
		return 5;
	return PLAIN_CHILD;
}

/* A child may use UMS anew, in a group of its own */
static int child_with_ums_of_its_own(struct ut_base *parents)
{
	struct ut_thread worker;
	struct ut_base base;
	int ret = plain_child(parents);

	if (ret != PLAIN_CHILD)
		return ret;
	if (ut_base_open(&base, 4, 0) || ut_base_schedule_here(&base) ||
	    ut_spawn_worker(&base, &worker, return_at_once, NULL) ||
	    ut_schedule(&base, 1))
		return 6;
	return PLAIN_CHILD;
}

static void fork_and_wait(struct ut_thread *thread)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		/* Not to end before there is somebody who waits for that */
		if (!UT_WAIT(ut_thread_sleeps_in(thread->tid, SYS_wait4)))
			_exit(7);
		_exit(child_with_ums_of_its_own(thread->base));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		thread->ret = -1;
	else
		thread->ret = status;
}

TEST_F(life, child_of_a_worker_is_plain)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, fork_and_wait, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	EXPECT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker.ctx, &event, SYS_wait4));
	EXPECT_EQ(0, ut_finish(base, worker.ctx));
	ut_join(&worker);
	EXPECT_EQ(PLAIN_CHILD << 8, worker.ret);
}

TEST_F(life, child_of_a_scheduler_is_plain)
{
	pid_t child;

	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(child_with_ums_of_its_own(&self->base));
	EXPECT_EQ(PLAIN_CHILD << 8, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(0, ut_detach());
}

TEST_F(life, fork_in_a_crowd_copies_no_ums_thread)
{
	static struct crowd crowd;
	unsigned int i;
	pid_t child;

	ASSERT_EQ(0, crowd_make(&crowd, UMS_ORPHAN_RELEASE));
	for (i = 0; i < 10; i++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			_exit(child_with_ums_of_its_own(&crowd.base));
		ASSERT_EQ(PLAIN_CHILD << 8, ut_wait_child(child, UT_LIMIT_MS));
	}
	UT_STORE(crowd.stop, 1);
	ut_join(&crowd.other);
}

static void spawn_and_wait(struct ut_thread *thread)
{
	static char *const argv[] = { "lifecycle_test", "--child", NULL };
	static char *const envp[] = { NULL };
	int status = 0;
	pid_t child;

	thread->ret = -posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv,
				   envp);
	if (!thread->ret && waitpid(child, &status, 0) == child)
		thread->ret = status;
}

TEST_F(life, worker_spawns_programs)
{
	struct ut_thread workers[4];
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &workers[i],
					     spawn_and_wait, NULL));
	EXPECT_EQ(0, ut_schedule(&self->base, ARRAY_SIZE(workers)));
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		ut_join(&workers[i]);
		EXPECT_EQ(PLAIN_CHILD << 8, workers[i].ret);
	}
}

static void exec_nothing(struct ut_thread *thread)
{
	static char *const argv[] = { "nothing", NULL };
	unsigned int i;

	for (i = 0; i < 10; i++) {
		thread->ret = execv("/nonexistent", argv);
		if (thread->ret != -1 || errno != ENOENT)
			return;
		/* An executable that is none is found out later */
		thread->ret = execv("/proc/self/status", argv);
		if (thread->ret != -1 || errno != EACCES)
			return;
		thread->ret = ut_yield(i);
		if (thread->ret)
			return;
	}
}

TEST_F(life, failed_exec_changes_nothing)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, exec_nothing, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker.ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(i, event.arg);
	}
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
	EXPECT_EQ(0, worker.ret);
}

static void read_twice(struct ut_thread *thread)
{
	int *pipe = thread->arg;
	char byte;

	thread->ret = read(pipe[0], &byte, 1);
	thread->ret += read(pipe[0], &byte, 1);
}

/* Without a list: the mapping still tells who is ready */
static long run_without_list(struct ut_base *base, __u64 ctx,
			     struct ums_event *event)
{
	if (!UT_WAIT(ut_slot_state(base, ctx) == UMS_STATE_READY))
		return -ETIMEDOUT;
	return ut_execute(base->group, ctx, event);
}

TEST_F(life, list_fd_may_be_closed_while_threads_are_attached)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	unsigned int i;
	long ret;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, read_twice, self->pipe));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(0, close(base->list));
	base->list = -1;

	for (i = 0; i < 2; i++) {
		do {
			ASSERT_EQ(UMS_REASON_BLOCKED,
				  run_without_list(base, worker.ctx, &event));
		} while (event.cause != UMS_CAUSE_SYSCALL ||
			 event.arg != SYS_read);
		ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	}
	EXPECT_EQ(base->list_info.entries - 1, base->ring->mask);
	do {
		ret = run_without_list(base, worker.ctx, &event);
	} while (ret == UMS_REASON_BLOCKED);
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(&worker);
	EXPECT_EQ(2, worker.ret);
	EXPECT_EQ(0, ut_detach());
}

static void close_and_go_on(struct ut_thread *thread)
{
	struct ut_base *base = thread->base;

	thread->ret = close(base->group);
	thread->ret += close(base->list);
	munmap(base->slots, base->slots_size);
	munmap(base->ring, base->ring_size);
	thread->ret += ut_yield(3);
}

TEST_F(life, all_of_the_group_may_go_while_a_worker_runs)
{
	struct ut_base base;
	struct ut_thread worker;
	struct ums_event event;

	if (ut_user_mode())
		SKIP(return, "switches need the slots");
	ASSERT_EQ(0, ut_base_open(&base, 4, 0));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	ASSERT_EQ(0, ut_spawn_worker(&base, &worker, close_and_go_on, NULL));
	ASSERT_EQ(1, ut_next_of(&base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_execute(base.group, worker.ctx, &event));
	EXPECT_EQ(3, event.arg);
	EXPECT_EQ(-EBADF, ut_execute(base.group, worker.ctx, &event));
	/* What can be done is to release it */
	EXPECT_EQ(0, ut_detach());
	ut_join(&worker);
	EXPECT_EQ(0, worker.ret);
}

static void wait_in_dequeue(struct ut_thread *thread)
{
	struct ums_event event;

	thread->ret = ut_dequeue(thread->list, &event, 1, 300);
}

TEST_F(life, list_may_be_closed_while_a_thread_waits_for_it)
{
	struct ut_base base;
	struct ut_thread thread;

	ASSERT_EQ(0, ut_base_open(&base, 4, 0));
	ASSERT_EQ(0, ut_spawn(&base, &thread, UMS_ROLE_NONE, wait_in_dequeue,
			      NULL));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(thread.tid)));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(thread.done) ||
			    ut_thread_sleeps_in(thread.tid,
						__NR_ums_dequeue)));
	ut_base_close(&base);
	ut_join(&thread);
	EXPECT_EQ(-ETIMEDOUT, thread.ret);
}

TEST_F(life, nothing_is_left_of_groups_that_went)
{
	unsigned int fds = ut_count_fds(), round, i;
	struct ut_thread workers[4];
	struct ut_base base;

	for (round = 0; round < 100; round++) {
		ASSERT_EQ(0, ut_base_open(&base, 8, 0));
		ASSERT_EQ(0, ut_base_schedule_here(&base));
		for (i = 0; i < ARRAY_SIZE(workers); i++)
			ASSERT_EQ(0, ut_spawn_worker(&base, &workers[i],
						     return_at_once, NULL));
		/* In every second round the workers are released */
		if (round % 2) {
			ASSERT_EQ(0, ut_schedule(&base, ARRAY_SIZE(workers)));
		} else {
			ASSERT_EQ(0, ut_detach());
			/* Those that attach only now wait for another one */
			ASSERT_EQ(0, ut_base_schedule_here(&base));
			for (i = 0; i < ARRAY_SIZE(workers); i++)
				while (!UT_LOAD(workers[i].done))
					ut_execute(base.group, workers[i].ctx,
						   NULL);
		}
		ASSERT_EQ(0, ut_detach());
		for (i = 0; i < ARRAY_SIZE(workers); i++)
			ut_join(&workers[i]);
		ut_base_close(&base);
	}
	EXPECT_EQ(fds, ut_count_fds());
	EXPECT_TRUE(UT_WAIT(ut_status_number("Threads") == 1));
}

static void schedule_without_leader(struct ut_thread *thread)
{
	struct ut_base *base = thread->arg;
	struct ut_thread workers[3];
	unsigned int i;

	if (!UT_WAIT(ut_thread_state(getpid()) == 'Z'))
		_exit(1);
	if (ut_base_schedule_here(base))
		_exit(2);
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		if (ut_spawn_worker(base, &workers[i], return_at_once, NULL))
			_exit(3);
	if (ut_schedule(base, ARRAY_SIZE(workers)))
		_exit(4);
	_exit(PLAIN_CHILD);
}

TEST_F(life, group_outlives_the_leader_of_its_process)
{
	struct ut_thread thread;
	struct ut_base base;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		if (ut_base_open(&base, 8, 0) ||
		    ut_spawn(NULL, &thread, UMS_ROLE_NONE,
			     schedule_without_leader, &base))
			_exit(5);
		syscall(SYS_exit, 0);
	}
	EXPECT_EQ(PLAIN_CHILD << 8, ut_wait_child(child, UT_LIMIT_MS));
}

static void run_the_leader(struct ut_thread *thread)
{
	struct ut_base *base = thread->arg;
	struct ums_event event;

	if (ut_next(base, &event) != 1 ||
	    ut_run_to(base, event.ctx, &event, UMS_REASON_TERMINATED) !=
	    UMS_REASON_TERMINATED)
		_exit(1);
	_exit(event.arg == 9 << 8 ? PLAIN_CHILD : 2);
}

/* The leader of the process is the worker, and exits before the others */
TEST_F(life, leader_may_be_a_worker_and_exit)
{
	struct ut_thread thread;
	struct ut_base base;
	pid_t child = fork();
	__u64 ctx;

	ASSERT_LE(0, child);
	if (!child) {
		if (ut_base_open(&base, 8, 0) ||
		    ut_ctx_create(base.group, 0, &ctx))
			_exit(3);
		if (ut_spawn(&base, &thread, UMS_ROLE_SCHEDULER,
			     run_the_leader, &base) ||
		    ut_attach(base.list, UMS_ROLE_WORKER, ctx))
			_exit(4);
		syscall(SYS_exit, 9);
	}
	EXPECT_EQ(PLAIN_CHILD << 8, ut_wait_child(child, UT_LIMIT_MS));
}

/* What posix_spawn() made; called by its main() */
static int spawned(void)
{
	return ut_yield(0) == -ENOTCONN &&
	       ut_status_number("Threads") == 1 ? PLAIN_CHILD : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--child"))
		return spawned();
	return test_harness_run(argc, argv);
}
