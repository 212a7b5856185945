// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: mutex and condition variable, among workers of one or several
 * schedulers, and other threads
 */
#include "../kselftest_harness.h"

#include "lib_crew.h"

#include <sched.h>
#include <unistd.h>

#define WORKERS		12
#define ROUNDS		500
/* Where all have to run for one round, on more schedulers than there are cpus */
#define MEETINGS	100

FIXTURE(sync)
{
	struct lc_crew crew;
};

FIXTURE_VARIANT(sync)
{
	unsigned int scheds;
	enum lc_waiters waiters;
};

FIXTURE_VARIANT_ADD(sync, one_scheduler) {
	.scheds = 1,
};

FIXTURE_VARIANT_ADD(sync, two_schedulers) {
	.scheds = 2,
};

FIXTURE_VARIANT_ADD(sync, four_schedulers) {
	.scheds = 4,
};

FIXTURE_VARIANT_ADD(sync, one_that_puts_aside) {
	.scheds = 1,
	.waiters = LC_PUT_ASIDE,
};

FIXTURE_VARIANT_ADD(sync, two_that_put_aside) {
	.scheds = 2,
	.waiters = LC_PUT_ASIDE,
};

FIXTURE_VARIANT_ADD(sync, four_that_put_aside) {
	.scheds = 4,
	.waiters = LC_PUT_ASIDE,
};

FIXTURE_VARIANT_ADD(sync, one_that_hands_over) {
	.scheds = 1,
	.waiters = LC_HAND_OVER,
};

FIXTURE_VARIANT_ADD(sync, two_that_hand_over) {
	.scheds = 2,
	.waiters = LC_HAND_OVER,
};

FIXTURE_VARIANT_ADD(sync, four_that_hand_over) {
	.scheds = 4,
	.waiters = LC_HAND_OVER,
};

FIXTURE_SETUP(sync)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	ASSERT_EQ(0, lc_open(&self->crew, variant->scheds, variant->waiters));
}

FIXTURE_TEARDOWN(sync)
{
	EXPECT_EQ(0, lc_close(&self->crew));
}

/**
 * struct shared - What a mutex protects
 *
 * @mutex: It.
 * @inside: How many are inside.
 * @entered: How often somebody was. No atomic addition.
 * @crowded: How often there was somebody else.
 */
struct shared {
	ums_mutex_t mutex;
	int inside;
	unsigned long entered;
	unsigned long crowded;
};

static void enter(struct shared *shared, bool yield)
{
	unsigned long entered;

	ums_mutex_lock(&shared->mutex);
	if (UT_INC(shared->inside) != 1)
		shared->crowded++;
	entered = UT_LOAD(shared->entered);
	if (yield)
		ums_thread_yield(NULL);
	UT_STORE(shared->entered, entered + 1);
	UT_STORE(shared->inside, shared->inside - 1);
	ums_mutex_unlock(&shared->mutex);
}

static void enter_often(struct lc_worker *worker)
{
	unsigned int i;

	/* Odd factors: now and then they meet inside, and outside */
	for (i = 0; i < ROUNDS; i++) {
		enter(worker->arg, i % 3 == 0);
		if (i % 5 == 0)
			ums_thread_yield(NULL);
	}
}

TEST_F(sync, one_at_a_time)
{
	struct shared shared = { .mutex = UMS_MUTEX_INITIALIZER };
	int i;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, lc_add(&self->crew, enter_often, &shared));
	ASSERT_EQ(0, lc_run(&self->crew));
	EXPECT_EQ(WORKERS * ROUNDS, shared.entered);
	EXPECT_EQ(0, shared.crowded);
	EXPECT_EQ(0, ums_mutex_destroy(&shared.mutex));
	if (variant->waiters == LC_PUT_ASIDE)
		EXPECT_LT(0, lc_asides(&self->crew));
	/* With few on a list it may be that there is never a next one */
	if (variant->waiters == LC_HAND_OVER && variant->scheds == 1)
		EXPECT_LT(0, lc_handed(&self->crew));
}

struct hog {
	ums_mutex_t mutex;
	int victims;
	unsigned long rounds;
};

/* Never leaves it to others by itself */
static void hog_mutex(struct lc_worker *worker)
{
	struct hog *hog = worker->arg;

	while (UT_LOAD(hog->victims)) {
		ums_mutex_lock(&hog->mutex);
		ums_thread_yield(NULL);
		ums_mutex_unlock(&hog->mutex);
		UT_STORE(hog->rounds, hog->rounds + 1);
	}
}

static void be_victim(struct lc_worker *worker)
{
	struct hog *hog = worker->arg;
	int i;

	while (!UT_LOAD(hog->rounds))
		ums_thread_yield(NULL);
	for (i = 0; i < 10; i++) {
		ums_mutex_lock(&hog->mutex);
		ums_mutex_unlock(&hog->mutex);
		ums_thread_yield(NULL);
	}
	__atomic_sub_fetch(&hog->victims, 1, __ATOMIC_ACQ_REL);
}

TEST_F(sync, nobody_waits_for_ever)
{
	struct hog hog = { .victims = WORKERS - 1 };
	int i;

	ASSERT_EQ(0, lc_add(&self->crew, hog_mutex, &hog));
	for (i = 1; i < WORKERS; i++)
		ASSERT_EQ(0, lc_add(&self->crew, be_victim, &hog));
	ASSERT_EQ(0, lc_run(&self->crew));
	EXPECT_EQ(0, hog.victims);
}

static void *enter_as_thread(void *arg)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		enter(arg, false);
		if (i % 7 == 0)
			sched_yield();
	}
	return NULL;
}

#define THREADS		3

TEST_F(sync, plain_threads_take_turns_with_workers)
{
	struct shared shared = { .mutex = UMS_MUTEX_INITIALIZER };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, lc_add(&self->crew, enter_often, &shared));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, enter_as_thread,
					    &shared));
	ASSERT_EQ(0, lc_run(&self->crew));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ((WORKERS + THREADS) * ROUNDS, shared.entered);
	EXPECT_EQ(0, shared.crowded);
}

/**
 * struct meeting - Where a number of threads meet again and again
 *
 * @mutex: Protects the others.
 * @all_here: There is a new @round.
 * @expected: How many have to come.
 * @here: How many have.
 * @round: How often all have.
 * @early: How often somebody went on before all had come.
 */
struct meeting {
	ums_mutex_t mutex;
	ums_cond_t all_here;
	int expected;
	int here;
	int round;
	int early;
};

static void meet(struct meeting *meeting, int round)
{
	ums_mutex_lock(&meeting->mutex);
	if (++meeting->here == meeting->expected) {
		meeting->here = 0;
		meeting->round++;
		ums_cond_broadcast(&meeting->all_here);
	}
	while (meeting->round == round)
		ums_cond_wait(&meeting->all_here, &meeting->mutex);
	if (meeting->round != round + 1)
		meeting->early++;
	ums_mutex_unlock(&meeting->mutex);
}

static void meet_often(struct lc_worker *worker)
{
	int i;

	for (i = 0; i < MEETINGS; i++)
		meet(worker->arg, i);
}

TEST_F(sync, broadcast_wakes_all)
{
	struct meeting meeting = { .expected = WORKERS };
	int i;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, lc_add(&self->crew, meet_often, &meeting));
	ASSERT_EQ(0, lc_run(&self->crew));
	EXPECT_EQ(MEETINGS, meeting.round);
	EXPECT_EQ(0, meeting.early);
	EXPECT_EQ(0, ums_cond_destroy(&meeting.all_here));
}

/* One token at a time, for one who waits: a lost signal ends it */
struct tokens {
	ums_mutex_t mutex;
	ums_cond_t some;
	int nr;
	int taken;
};

static void give_tokens(struct lc_worker *worker)
{
	struct tokens *tokens = worker->arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ums_mutex_lock(&tokens->mutex);
		tokens->nr++;
		/* With the mutex, and without */
		if (i % 2)
			ums_cond_signal(&tokens->some);
		ums_mutex_unlock(&tokens->mutex);
		if (i % 2 == 0)
			ums_cond_signal(&tokens->some);
		if (i % 16 == 0)
			ums_thread_yield(NULL);
	}
}

static void take_tokens(struct lc_worker *worker)
{
	struct tokens *tokens = worker->arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ums_mutex_lock(&tokens->mutex);
		while (!tokens->nr)
			ums_cond_wait(&tokens->some, &tokens->mutex);
		tokens->nr--;
		tokens->taken++;
		ums_mutex_unlock(&tokens->mutex);
	}
}

TEST_F(sync, each_signal_wakes_one)
{
	struct tokens tokens = {};
	int i;

	for (i = 0; i < WORKERS / 2; i++) {
		ASSERT_EQ(0, lc_add(&self->crew, take_tokens, &tokens));
		ASSERT_EQ(0, lc_add(&self->crew, give_tokens, &tokens));
	}
	ASSERT_EQ(0, lc_run(&self->crew));
	EXPECT_EQ(WORKERS / 2 * ROUNDS, tokens.taken);
	EXPECT_EQ(0, tokens.nr);
}

/* Two that pass a turn to and fro: each has to be woken by the other one */
struct turns {
	ums_mutex_t mutex;
	ums_cond_t cond[2];
	unsigned int turn;
};

static void take_turns(struct lc_worker *worker)
{
	struct turns *turns = worker->arg;
	unsigned int i, mine = worker->index % 2;

	for (i = 0; i < ROUNDS; i++) {
		ums_mutex_lock(&turns->mutex);
		while (turns->turn % 2 != mine)
			ums_cond_wait(&turns->cond[mine], &turns->mutex);
		turns->turn++;
		ums_cond_signal(&turns->cond[!mine]);
		ums_mutex_unlock(&turns->mutex);
	}
}

TEST_F(sync, turns_are_taken_in_user_mode)
{
	struct ums_switches switches;
	struct turns turns = {};
	struct ums_probe probe;

	ASSERT_EQ(0, lc_add(&self->crew, take_turns, &turns));
	ASSERT_EQ(0, lc_add(&self->crew, take_turns, &turns));
	ASSERT_EQ(0, lc_run(&self->crew));
	EXPECT_EQ(2 * ROUNDS, turns.turn);

	/* With several schedulers one may have to be woken each time */
	ASSERT_EQ(0, ums_probe_kernel(&probe));
	if (variant->scheds > 1 || getenv("UMS_SWITCH") ||
	    !(probe.features & UMS_FEATURE_USER_SWITCH))
		return;
	ASSERT_EQ(0, lc_switches(&self->crew, &switches));
	EXPECT_LT(2 * ROUNDS * 9 / 10, switches.user);
	EXPECT_GT(ROUNDS / 10, switches.resolved + switches.slow_kernel);
}

TEST(plain_threads_need_no_scheduler)
{
	struct shared shared = { .mutex = UMS_MUTEX_INITIALIZER };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, enter_as_thread,
					    &shared));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(THREADS * ROUNDS, shared.entered);
	EXPECT_EQ(0, shared.crowded);
}

static void *meet_as_thread(void *arg)
{
	int i;

	for (i = 0; i < MEETINGS; i++)
		meet(arg, i);
	return NULL;
}

TEST(plain_threads_are_woken)
{
	struct meeting meeting = { .expected = THREADS };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, meet_as_thread,
					    &meeting));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(MEETINGS, meeting.round);
	EXPECT_EQ(0, meeting.early);
}

#define LINE		6

/**
 * struct line - Threads that come one after the other, and wait
 *
 * @mutex: Protects the others.
 * @cond: What they wait for.
 * @thread: The threads.
 * @came: How many have come.
 * @went: How many have been woken.
 * @late: How many of them before somebody who came earlier.
 */
struct line {
	ums_mutex_t mutex;
	ums_cond_t cond;
	pthread_t thread[LINE];
	int came;
	int went;
	int late;
};

static void *stand_in(void *arg)
{
	struct line *line = arg;
	int number;

	ums_mutex_lock(&line->mutex);
	number = line->came++;
	ums_cond_wait(&line->cond, &line->mutex);
	if (line->went != number)
		line->late++;
	UT_STORE(line->went, line->went + 1);
	ums_mutex_unlock(&line->mutex);
	return NULL;
}

/* Who has come waits as soon as the mutex can be had */
static bool all_wait(struct line *line, int came)
{
	bool all;

	ums_mutex_lock(&line->mutex);
	all = line->came == came;
	ums_mutex_unlock(&line->mutex);
	return all;
}

static bool come(struct line *line, int nr)
{
	int i, came = line->came;

	for (i = came; i < came + nr; i++)
		if (pthread_create(&line->thread[i], NULL, stand_in, line) ||
		    !UT_WAIT(all_wait(line, i + 1)))
			return false;
	return true;
}

static bool signal_to(struct line *line, int nr)
{
	int i, went = line->went;

	for (i = went; i < went + nr; i++)
		if (ums_cond_signal(&line->cond) ||
		    !UT_WAIT(UT_LOAD(line->went) == i + 1))
			return false;
	return true;
}

TEST(signals_wake_in_the_order_of_arrival)
{
	struct line line = {};
	int i;

	ASSERT_TRUE(come(&line, 1));
	LT_EXPECT_ERRNO(EBUSY, ums_cond_destroy(&line.cond));
	ASSERT_TRUE(signal_to(&line, 1));
	ASSERT_TRUE(come(&line, 3));
	ASSERT_TRUE(signal_to(&line, 1));
	/* Behind those who have moved up */
	ASSERT_TRUE(come(&line, 2));
	ASSERT_TRUE(signal_to(&line, 3));
	LT_EXPECT_ERRNO(EBUSY, ums_cond_destroy(&line.cond));
	ASSERT_TRUE(signal_to(&line, 1));
	EXPECT_EQ(0, line.late);
	EXPECT_EQ(0, ums_cond_destroy(&line.cond));
	ASSERT_EQ(LINE, line.came);
	for (i = 0; i < LINE; i++)
		ASSERT_EQ(0, pthread_join(line.thread[i], NULL));
}

TEST(wrong_calls_fail)
{
	ums_mutex_t mutex;
	ums_cond_t cond;

	LT_EXPECT_ERRNO(EINVAL, ums_mutex_init(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_mutex_lock(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_mutex_trylock(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_mutex_unlock(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_mutex_destroy(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_cond_init(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_cond_signal(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_cond_broadcast(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_cond_destroy(NULL));

	memset(&mutex, 0xff, sizeof(mutex));
	memset(&cond, 0xff, sizeof(cond));
	ASSERT_EQ(0, ums_mutex_init(&mutex));
	ASSERT_EQ(0, ums_cond_init(&cond));
	LT_EXPECT_ERRNO(EINVAL, ums_cond_wait(&cond, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_cond_wait(NULL, &mutex));
	LT_EXPECT_ERRNO(EPERM, ums_mutex_unlock(&mutex));
	LT_EXPECT_ERRNO(EPERM, ums_cond_wait(&cond, &mutex));
	EXPECT_EQ(0, ums_cond_signal(&cond));
	EXPECT_EQ(0, ums_cond_broadcast(&cond));
	EXPECT_EQ(0, ums_mutex_trylock(&mutex));
	LT_EXPECT_ERRNO(EBUSY, ums_mutex_trylock(&mutex));
	LT_EXPECT_ERRNO(EBUSY, ums_mutex_destroy(&mutex));
	EXPECT_EQ(0, ums_mutex_unlock(&mutex));
	EXPECT_EQ(0, ums_mutex_lock(&mutex));
	EXPECT_EQ(0, ums_mutex_unlock(&mutex));
	EXPECT_EQ(0, ums_mutex_destroy(&mutex));
	EXPECT_EQ(0, ums_cond_destroy(&cond));
}

TEST_HARNESS_MAIN
