// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: a process that ends, or becomes another program, while its UMS threads
 * are in every state they can be in.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "lifecycle.h"

/* Exit code of a program that found itself as it must be after exec */
#define EXEC_OK		42
#define EXIT_CODE	17

enum who { PLAIN, SCHEDULER, WORKER };

static void do_exit_group(void)
{
	syscall(SYS_exit_group, EXIT_CODE);
}

/* How many fds there were before those of UMS */
static unsigned int plain_fds;

static void do_exec(void)
{
	char fds[16];

	snprintf(fds, sizeof(fds), "%u", plain_fds);
	execl("/proc/self/exe", "exit_test", "--exec", fds, NULL);
}

static void do_kill(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void do_crash(void)
{
	__builtin_trap();
}

FIXTURE(end)
{
	/* Shared with the child: when it was about to end */
	__u64 *shared;
};

FIXTURE_VARIANT(end)
{
	enum who who;
	void (*how)(void);
	int status;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, exit_group_plain) {
	/* clang-format on */
	.who = PLAIN,
	.how = do_exit_group,
	.status = EXIT_CODE << 8,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, exit_group_scheduler) {
	/* clang-format on */
	.who = SCHEDULER,
	.how = do_exit_group,
	.status = EXIT_CODE << 8,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, exit_group_worker) {
	/* clang-format on */
	.who = WORKER,
	.how = do_exit_group,
	.status = EXIT_CODE << 8,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, exec_plain) {
	/* clang-format on */
	.who = PLAIN,
	.how = do_exec,
	.status = EXEC_OK << 8,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, exec_scheduler) {
	/* clang-format on */
	.who = SCHEDULER,
	.how = do_exec,
	.status = EXEC_OK << 8,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, exec_worker) {
	/* clang-format on */
	.who = WORKER,
	.how = do_exec,
	.status = EXEC_OK << 8,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, kill_plain) {
	/* clang-format on */
	.who = PLAIN,
	.how = do_kill,
	.status = SIGKILL,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, kill_scheduler) {
	/* clang-format on */
	.who = SCHEDULER,
	.how = do_kill,
	.status = SIGKILL,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, kill_worker) {
	/* clang-format on */
	.who = WORKER,
	.how = do_kill,
	.status = SIGKILL,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, crash_plain) {
	/* clang-format on */
	.who = PLAIN,
	.how = do_crash,
	.status = SIGILL,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, crash_scheduler) {
	/* clang-format on */
	.who = SCHEDULER,
	.how = do_crash,
	.status = SIGILL,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(end, crash_worker) {
	/* clang-format on */
	.who = WORKER,
	.how = do_crash,
	.status = SIGILL,
};

FIXTURE_SETUP(end)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->shared = mmap(NULL, sysconf(_SC_PAGESIZE),
			    PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->shared);
}

FIXTURE_TEARDOWN(end)
{
}

struct ender {
	void (*how)(void);
	__u64 *shared;
};

static void return_at_once(struct ut_thread *thread)
{
}

static void end_it(struct ut_thread *thread)
{
	struct ender *ender = thread->arg;

	UT_STORE(ender->shared[0], ut_now_ns());
	ender->how();
}

/* The child: never returns if all goes well */
static int end_process(enum who who, unsigned int policy, struct ender *ender)
{
	struct rlimit no_core = {};
	static struct crowd crowd;
	struct ut_thread thread;
	struct ums_event event;

	setrlimit(RLIMIT_CORE, &no_core);
	plain_fds = ut_count_fds();
	if (crowd_make(&crowd, policy))
		return 1;
	switch (who) {
	case PLAIN:
		if (ut_spawn(NULL, &thread, UMS_ROLE_NONE, end_it, ender))
			return 2;
		for (;;)
			pause();
		break;
	case SCHEDULER:
		thread.arg = ender;
		end_it(&thread);
		break;
	case WORKER:
		if (ut_spawn_worker(&crowd.base, &thread, end_it, ender) ||
		    ut_next_of(&crowd.base, thread.ctx, &event) != 1)
			return 3;
		ut_run_to(&crowd.base, thread.ctx, &event,
			  UMS_REASON_TERMINATED);
		for (;;)
			pause();
		break;
	}
	return 4;
}

/* The policy is for workers whose process goes on, and makes no difference */
TEST_F(end, process_ends_promptly_in_every_state)
{
	struct ender ender = { .how = variant->how, .shared = self->shared };
	unsigned int policy;
	int status;
	pid_t child;

	for (policy = 0; policy <= UMS_ORPHAN_KILL; policy++) {
		self->shared[0] = 0;
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			_exit(end_process(variant->who, policy, &ender));
		status = ut_wait_child(child, UT_LIMIT_MS);
		EXPECT_EQ(variant->status, status & ~0x80);
		ASSERT_NE(0, self->shared[0]);
		EXPECT_GT(self->shared[0] + 20 * UT_NSEC_PER_SEC,
			  ut_now_ns());
	}
}

TEST(killed_from_outside_it_ends_promptly)
{
	static struct crowd crowd;
	pid_t child;
	int *state;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	state = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)state);
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		UT_STORE(*state, crowd_make(&crowd, 0) ? 1 : 2);
		for (;;)
			pause();
	}
	ASSERT_TRUE(UT_WAIT(UT_LOAD(*state)));
	EXPECT_EQ(2, *state);
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(SIGKILL, ut_wait_child(child, 20000));
}

/* What exec made of the process; called by its main() */
static int after_exec(unsigned int fds)
{
	struct ut_base base;
	struct ut_thread worker;

	if (ut_yield(0) != -ENOTCONN || ut_detach() != -ENOTCONN)
		return 1;
	if (ut_status_number("Threads") != 1)
		return 2;
	/* Nothing of UMS came along */
	if (ut_count_fds() != fds)
		return 3;
	/* It can do it all again */
	if (ut_base_open(&base, 8, 0) || ut_base_schedule_here(&base))
		return 4;
	if (ut_spawn_worker(&base, &worker, return_at_once, NULL) ||
	    ut_schedule(&base, 1))
		return 5;
	ut_join(&worker);
	return EXEC_OK;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--exec"))
		return after_exec(atoi(argv[2]));
	return test_harness_run(argc, argv);
}
