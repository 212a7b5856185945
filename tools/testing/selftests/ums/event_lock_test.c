// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: threads in every state hold robust mutexes, with priority
 * inheritance or without, that other processes wait for, and die.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

/* One for each thread, shared with the heirs */
static pthread_mutex_t *locks;

FIXTURE(event_lock)
{
	struct states *states;
	pid_t heir[NR_WHO];
};

FIXTURE_VARIANT(event_lock)
{
	int protocol;
};

FIXTURE_VARIANT_ADD(event_lock, plain) { .protocol = PTHREAD_PRIO_NONE };
FIXTURE_VARIANT_ADD(event_lock, pi) { .protocol = PTHREAD_PRIO_INHERIT };

static void take_lock(struct states *states, enum who who)
{
	STATES_BAD(states, who, pthread_mutex_lock(&locks[who]));
}

FIXTURE_SETUP(event_lock)
{
	pthread_mutexattr_t attr;
	enum who who;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	locks = mmap(NULL, NR_WHO * sizeof(*locks), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, locks);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, variant->protocol);
	for (who = 0; who < NR_WHO; who++)
		ASSERT_EQ(0, pthread_mutex_init(&locks[who], &attr));
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
	self->states->first = take_lock;
}

FIXTURE_TEARDOWN(event_lock)
{
	states_free(self->states);
	if (locks)
		munmap(locks, NR_WHO * sizeof(*locks));
}

/* Processes that wait, one for each lock. That of NEW is not taken yet */
static bool start_heirs(pid_t *heir)
{
	enum who who;
	pid_t pid;

	for (who = 0; who < NR_WHO; who++) {
		if (who == NEW)
			continue;
		pid = fork();
		if (!pid)
			_exit(pthread_mutex_lock(&locks[who]));
		heir[who] = pid;
		if (pid < 0 || !UT_WAIT(ut_thread_sleeps_in(pid, SYS_futex)))
			return false;
	}
	return true;
}

/* How many have inherited: all that there are, if all is well */
static unsigned int heirs_that_inherit(const pid_t *heir)
{
	unsigned int nr = 0;
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		if (who != NEW &&
		    ut_wait_child(heir[who], UT_LIMIT_MS) ==
			    W_EXITCODE(EOWNERDEAD, 0))
			nr++;
	return nr;
}

TEST_F(event_lock, owners_are_killed)
{
	struct states *states = self->states;

	ASSERT_TRUE(states_start(states));
	EXPECT_TRUE(start_heirs(self->heir));
	EXPECT_EQ(0, kill(states->pid, SIGKILL));
	EXPECT_EQ(SIGKILL, states_wait(states));
	EXPECT_EQ(NR_WHO - 1, heirs_that_inherit(self->heir));
}

TEST_F(event_lock, owners_end)
{
	struct states *states = self->states;

	ASSERT_TRUE(states_start(states));
	EXPECT_TRUE(start_heirs(self->heir));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	EXPECT_EQ(NR_WHO - 1, heirs_that_inherit(self->heir));
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(&locks[NEW]));
}

static void becomes_another_program(struct states *states, enum who who)
{
	if (who != PLAIN)
		return;
	execl("/bin/sh", "sh", "-c", "exit 42", NULL);
	STATES_BAD(states, PLAIN, true);
}

TEST_F(event_lock, owners_go_with_the_program)
{
	struct states *states = self->states;

	states->after = becomes_another_program;
	ASSERT_TRUE(states_start(states));
	EXPECT_TRUE(start_heirs(self->heir));
	EXPECT_EQ(W_EXITCODE(42, 0), states_finish(states));
	EXPECT_EQ(NR_WHO - 1, heirs_that_inherit(self->heir));
}

TEST_HARNESS_MAIN
