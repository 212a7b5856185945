// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: what is a signal, or made of signals, for threads in every state.
 * Who runs handles it at once, and who does not, when it is run.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

enum kind { RETURNS, BLOCKS, YIELDS, JUMPS };

/* Of the process */
static struct states *inside;
static enum kind kind;

static void handler(int sig)
{
	struct timespec nap = { .tv_nsec = 1000000 };
	enum who who = states_me();

	if (who == NR_WHO)
		return;
	STATES_BAD(inside, who, gettid() != inside->thread[who].tid);
	UT_INC(inside->thread[who].handled);
	if (kind == BLOCKS)
		STATES_BAD(inside, who, nanosleep(&nap, NULL));
	if (kind == YIELDS && who < NR_WORKERS)
		STATES_BAD(inside, who, ut_yield(0));
	if (kind == JUMPS)
		states_jump();
}

static void handle(struct states *states)
{
	struct sigaction action = { .sa_handler = handler };

	inside = states;
	sigfillset(&action.sa_mask);
	STATES_BAD(states, PLAIN, sigaction(SIGUSR1, &action, NULL) ||
		   sigaction(SIGALRM, &action, NULL));
}

static bool is_parked(enum who who)
{
	return who >= USER_HELD && who <= WOKEN;
}

/* Whoever is running has handled @nr signals, or is about to */
static bool handled_by_who_runs(struct states *states, unsigned int nr)
{
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		if (!is_parked(who) &&
		    !UT_WAIT(UT_LOAD(states->thread[who].handled) == nr))
			return false;
	return true;
}

FIXTURE(signal)
{
	struct states *states;
};

FIXTURE_VARIANT(signal)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(signal, handled) { .kind = RETURNS };
FIXTURE_VARIANT_ADD(signal, whose_handler_blocks) { .kind = BLOCKS };
FIXTURE_VARIANT_ADD(signal, whose_handler_yields) { .kind = YIELDS };
FIXTURE_VARIANT_ADD(signal, whose_handler_jumps) { .kind = JUMPS };

FIXTURE_SETUP(signal)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	kind = variant->kind;
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(signal)
{
	states_free(self->states);
}

#define TIMES	3

TEST_F(signal, for_each_thread)
{
	struct states *states = self->states;
	enum who who;
	int i;

	states->before = handle;
	ASSERT_TRUE(states_start(states)) TH_LOG("%ld", states->error);
	for (i = 1; i <= TIMES; i++) {
		for (who = 0; who < NR_WHO; who++)
			ASSERT_EQ(0, syscall(SYS_tgkill, states->pid,
					     states->thread[who].tid, SIGUSR1));
		ASSERT_TRUE(handled_by_who_runs(states, i));
	}
	/* Nobody has run these */
	for (who = USER_HELD; who <= WOKEN; who++)
		EXPECT_EQ(0, states->thread[who].handled);
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	/* The handler's frame has the first one, so those that follow are one */
	for (who = USER_HELD; who <= WOKEN; who++) {
		EXPECT_LE(1, states->thread[who].handled);
		EXPECT_GE(2, states->thread[who].handled);
	}
}

static void start_timers(struct states *states)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR1,
	};
	timer_t timer;
	enum who who;

	handle(states);
	for (who = 0; who < NR_WHO; who++) {
		event._sigev_un._tid = states->thread[who].tid;
		STATES_BAD(states, PLAIN,
			   timer_create(CLOCK_MONOTONIC, &event, &timer) ||
			   timer_settime(timer, 0, &soon, NULL));
	}
}

TEST_F(signal, of_a_timer_of_each_thread)
{
	struct states *states = self->states;
	enum who who;

	states->before = start_timers;
	ASSERT_TRUE(states_start(states));
	ASSERT_TRUE(handled_by_who_runs(states, 1));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	for (who = 0; who < NR_WHO; who++)
		EXPECT_EQ(1, states->thread[who].handled);
}

static void start_process_timer(struct states *states)
{
	struct itimerval soon = { .it_value.tv_usec = 1000 };

	handle(states);
	STATES_BAD(states, PLAIN, setitimer(ITIMER_REAL, &soon, NULL));
}

static unsigned int handled_by_others(struct states *states)
{
	unsigned int sum = 0;
	enum who who;

	for (who = NR_WORKERS; who < NR_WHO; who++)
		sum += UT_LOAD(states->thread[who].handled);
	return sum;
}

TEST_F(signal, of_a_timer_of_the_process)
{
	struct states *states = self->states;
	enum who who;

	states->before = start_process_timer;
	ASSERT_TRUE(states_start(states));
	EXPECT_TRUE(UT_WAIT(handled_by_others(states)));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	EXPECT_EQ(1, handled_by_others(states));
	for (who = 0; who < NR_WORKERS; who++)
		EXPECT_EQ(0, states->thread[who].handled);
}

FIXTURE(library)
{
	struct states *states;
};

FIXTURE_SETUP(library)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(library)
{
	states_free(self->states);
}

/* The C library has each thread run a handler, and waits for all */
static void change_ids(struct states *states)
{
	UT_STORE(states->go, 1);
	STATES_BAD(states, PLAIN, setresgid(-1, getegid(), -1));
	STATES_BAD(states, PLAIN, setresuid(-1, geteuid(), -1));
	states->step = 1;
}

TEST_F(library, changes_ids_of_all_threads)
{
	struct states *states = self->states;

	states->before = change_ids;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_wait(states));
	EXPECT_EQ(0, states_bad(states));
	EXPECT_EQ(1, states->step);
}

static void cancel_workers(struct states *states)
{
	enum who who;

	for (who = 0; who < NR_WORKERS; who++)
		STATES_BAD(states, PLAIN, pthread_cancel(states_pthread(who)));
}

static void may_be_cancelled(struct states *states, enum who who)
{
	pthread_testcancel();
}

TEST_F(library, cancels_workers)
{
	struct states *states = self->states;
	enum who who;

	states->before = cancel_workers;
	states->after = may_be_cancelled;
	ASSERT_TRUE(states_start(states));
	for (who = USER_HELD; who < NR_WORKERS; who++)
		EXPECT_EQ(0, states->thread[who].went_on);
	EXPECT_EQ(0, states_finish(states));
	for (who = 0; who < NR_WHO; who++) {
		EXPECT_EQ(0, states->thread[who].bad);
		EXPECT_EQ(who >= NR_WORKERS, states->thread[who].ended);
	}
	/* Where it was, not where it went on */
	EXPECT_EQ(0, states->thread[BLOCKED].went_on);
}

static void may_be_cancelled_at_once(struct states *states, enum who who)
{
	if (who >= NR_WORKERS)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
}

/* All are gone before anybody goes on. The workers that they have run wait */
static void cancel_schedulers(struct states *states)
{
	static const enum who who[] = { BEHIND, SWITCHES };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(who); i++)
		STATES_BAD(states, PLAIN,
			   pthread_cancel(states_pthread(who[i])) ||
			   !UT_WAIT(!ut_thread_state(states->thread[who[i]].tid)));
}

/* COMPUTES is the last one. When it ends, who is left goes on as a plain thread */
TEST_F(library, cancels_schedulers)
{
	struct states *states = self->states;
	enum who who;

	states->first = may_be_cancelled_at_once;
	states->before = cancel_schedulers;
	ASSERT_TRUE(states_start(states));
	for (who = 0; who < NR_WORKERS; who++)
		EXPECT_EQ(0, states->thread[who].went_on);
	EXPECT_EQ(0, states_finish(states));
	for (who = 0; who < NR_WHO; who++) {
		EXPECT_EQ(0, states->thread[who].bad);
		EXPECT_EQ(who != BEHIND && who != SWITCHES,
			  states->thread[who].ended);
	}
}

TEST_HARNESS_MAIN
