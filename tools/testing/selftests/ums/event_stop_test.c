// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a signal for one thread, in any state, or for the process stops all
 * threads, has them go on, or kills them, at once; and each one comes to its end as
 * if nothing had happened.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

#define TIMES	3

/* Of the process */
static struct states *inside;

FIXTURE(event_stop)
{
	struct states *states;
};

/* @who: Who gets the signals; NR_WHO for the process. */
FIXTURE_VARIANT(event_stop)
{
	enum who who;
};

FIXTURE_VARIANT_ADD(event_stop, running_worker) { .who = RUNNING };
FIXTURE_VARIANT_ADD(event_stop, switched_worker) { .who = SWITCHED };
FIXTURE_VARIANT_ADD(event_stop, user_held_worker) { .who = USER_HELD };
FIXTURE_VARIANT_ADD(event_stop, kernel_held_worker) { .who = KERNEL_HELD };
FIXTURE_VARIANT_ADD(event_stop, new_worker) { .who = NEW };
FIXTURE_VARIANT_ADD(event_stop, blocked_worker) { .who = BLOCKED };
FIXTURE_VARIANT_ADD(event_stop, unmanaged_worker) { .who = UNMANAGED };
FIXTURE_VARIANT_ADD(event_stop, locked_worker) { .who = LOCKED };
FIXTURE_VARIANT_ADD(event_stop, woken_worker) { .who = WOKEN };
FIXTURE_VARIANT_ADD(event_stop, scheduler_behind) { .who = BEHIND };
FIXTURE_VARIANT_ADD(event_stop, scheduler_that_switches) { .who = SWITCHES };
FIXTURE_VARIANT_ADD(event_stop, scheduler_that_computes) { .who = COMPUTES };
FIXTURE_VARIANT_ADD(event_stop, scheduler_that_waits) { .who = WAITS };
FIXTURE_VARIANT_ADD(event_stop, plain_thread) { .who = PLAIN };
FIXTURE_VARIANT_ADD(event_stop, process) { .who = NR_WHO };

FIXTURE_SETUP(event_stop)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(event_stop)
{
	states_free(self->states);
}

static int send(struct states *states, enum who who, int sig)
{
	if (who == NR_WHO)
		return kill(states->pid, sig);
	return syscall(SYS_tgkill, states->pid, states->thread[who].tid, sig);
}

/* LOCKED would take it when its debugger has it go on, and not before */
static int send_stop(struct states *states, enum who who)
{
	return send(states, who == LOCKED ? NR_WHO : who, SIGSTOP);
}

/* As many as are stopped, by a signal or by the debugger */
static unsigned int stopped(const struct states *states)
{
	unsigned int nr = 0;
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		switch (ut_thread_state(states->thread[who].tid)) {
		case 'T':
		case 't':
			nr++;
		}
	return nr;
}

TEST_F(event_stop, is_one_of_all_threads)
{
	struct states *states = self->states;
	enum who who;
	int i;

	ASSERT_TRUE(states_start(states)) TH_LOG("%ld", states->error);
	for (i = 1; i <= TIMES; i++) {
		ASSERT_EQ(0, send_stop(states, variant->who));
		ASSERT_TRUE(UT_WAIT(stopped(states) == NR_WHO));
		if (i == TIMES) {
			/* Those that run would see it at once */
			UT_STORE(states->go, 1);
			for (who = 0; who < NR_WHO; who++) {
				ut_nap();
				EXPECT_EQ(0, states->thread[who].went_on);
			}
			ASSERT_TRUE(UT_WAIT(stopped(states) == NR_WHO));
		}
		ASSERT_EQ(0, send(states, variant->who, SIGCONT));
		/* All but LOCKED, as long as it is that */
		if (i < TIMES)
			ASSERT_TRUE(UT_WAIT(stopped(states) == 1));
	}
	EXPECT_EQ(0, states_wait(states));
	EXPECT_EQ(0, states_bad(states));
}

static void handler(int sig)
{
	enum who who = states_me();

	if (who == NR_WHO)
		return;
	STATES_BAD(inside, who, gettid() != inside->thread[who].tid);
	UT_INC(inside->thread[who].handled);
}

static void handle_continue(struct states *states)
{
	struct sigaction action = { .sa_handler = handler };

	inside = states;
	STATES_BAD(states, PLAIN, sigaction(SIGCONT, &action, NULL));
}

static bool is_parked(enum who who)
{
	return who >= USER_HELD && who <= WOKEN;
}

static unsigned int handled_by_others(const struct states *states)
{
	unsigned int sum = 0;
	enum who who;

	for (who = NR_WORKERS; who < NR_WHO; who++)
		sum += UT_LOAD(states->thread[who].handled);
	return sum;
}

/*
 * The process goes on, whoever is to handle the signal, and be it much later. All
 * see that of the process at once, and those that wait to be executed leave it.
 */
TEST_F(event_stop, ends_by_a_signal_that_is_handled)
{
	struct states *states = self->states;
	unsigned int handled = 0;
	enum who who;

	states->before = handle_continue;
	ASSERT_TRUE(states_start(states)) TH_LOG("%ld", states->error);
	ASSERT_EQ(0, send_stop(states, variant->who));
	ASSERT_TRUE(UT_WAIT(stopped(states) == NR_WHO));
	ASSERT_EQ(0, send(states, variant->who, SIGCONT));
	ASSERT_TRUE(UT_WAIT(stopped(states) == 1));
	if (is_parked(variant->who))
		EXPECT_EQ(0, UT_LOAD(states->thread[variant->who].handled));
	if (variant->who == NR_WHO)
		EXPECT_TRUE(UT_WAIT(handled_by_others(states) == 1));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	for (who = 0; who < NR_WHO; who++)
		handled += states->thread[who].handled;
	EXPECT_EQ(1, handled);
	if (variant->who < NR_WHO)
		EXPECT_EQ(1, states->thread[variant->who].handled);
}

static bool dies(struct states *states, enum who who)
{
	int status;

	if (send(states, who, SIGKILL))
		return false;
	status = states_wait(states);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST_F(event_stop, is_not_needed_for_a_kill)
{
	ASSERT_TRUE(states_start(self->states));
	EXPECT_TRUE(dies(self->states, variant->who));
}

TEST_F(event_stop, keeps_nobody_from_being_killed)
{
	ASSERT_TRUE(states_start(self->states));
	ASSERT_EQ(0, send_stop(self->states, variant->who));
	ASSERT_TRUE(UT_WAIT(stopped(self->states) == NR_WHO));
	EXPECT_TRUE(dies(self->states, variant->who));
}

TEST_HARNESS_MAIN
