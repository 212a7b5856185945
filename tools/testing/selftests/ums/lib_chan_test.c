// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: channels, among workers of one or several schedulers, and other
 * threads
 */
#include "../kselftest_harness.h"

#include "lib_crew.h"

#include <sched.h>

#define PAIRS		6
#define ITEMS		400
/* One for each producer, and one for a thread */
#define MAX_PRODUCERS	(PAIRS + 1)

FIXTURE(chan)
{
	struct lc_crew crew;
};

FIXTURE_VARIANT(chan)
{
	unsigned int scheds;
	enum lc_waiters waiters;
};

FIXTURE_VARIANT_ADD(chan, one_scheduler) {
	.scheds = 1,
};

FIXTURE_VARIANT_ADD(chan, two_schedulers) {
	.scheds = 2,
};

FIXTURE_VARIANT_ADD(chan, four_schedulers) {
	.scheds = 4,
};

FIXTURE_VARIANT_ADD(chan, one_that_puts_aside) {
	.scheds = 1,
	.waiters = LC_PUT_ASIDE,
};

FIXTURE_VARIANT_ADD(chan, two_that_put_aside) {
	.scheds = 2,
	.waiters = LC_PUT_ASIDE,
};

FIXTURE_VARIANT_ADD(chan, four_that_put_aside) {
	.scheds = 4,
	.waiters = LC_PUT_ASIDE,
};

FIXTURE_VARIANT_ADD(chan, one_that_hands_over) {
	.scheds = 1,
	.waiters = LC_HAND_OVER,
};

FIXTURE_VARIANT_ADD(chan, two_that_hand_over) {
	.scheds = 2,
	.waiters = LC_HAND_OVER,
};

FIXTURE_VARIANT_ADD(chan, four_that_hand_over) {
	.scheds = 4,
	.waiters = LC_HAND_OVER,
};

FIXTURE_SETUP(chan)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	ASSERT_EQ(0, lc_open(&self->crew, variant->scheds, variant->waiters));
}

FIXTURE_TEARDOWN(chan)
{
	EXPECT_EQ(0, lc_close(&self->crew));
}

/* Larger than a word: half of one must never be seen */
struct item {
	unsigned int producer;
	unsigned int number;
	unsigned int check[5];
};

/**
 * struct trade - What producers and consumers share
 *
 * @chan: Where items go through.
 * @producers: How many have not done.
 * @received: How many items there were, by producer.
 * @seen: Which ones.
 * @broken: Items that nobody sent, or came twice.
 * @disorder: Items that came to one consumer before an older one of the same
 *	producer.
 * @failed: Calls that failed.
 */
struct trade {
	ums_chan_t *chan;
	int producers;
	int received;
	unsigned char seen[MAX_PRODUCERS][ITEMS];
	int broken;
	int disorder;
	int failed;
};

static void produce(struct trade *trade, unsigned int producer, bool yield)
{
	struct item item = { .producer = producer };
	unsigned int i, j;

	for (i = 0; i < ITEMS; i++) {
		item.number = i;
		for (j = 0; j < ARRAY_SIZE(item.check); j++)
			item.check[j] = producer * ITEMS + i + j;
		if (ums_chan_send(trade->chan, &item))
			UT_INC(trade->failed);
		if (yield && i % 9 == 0)
			ums_thread_yield(NULL);
	}
	if (!__atomic_sub_fetch(&trade->producers, 1, __ATOMIC_ACQ_REL) &&
	    ums_chan_close(trade->chan))
		UT_INC(trade->failed);
}

static bool item_is_whole(const struct item *item)
{
	unsigned int j;

	if (item->producer >= MAX_PRODUCERS || item->number >= ITEMS)
		return false;
	for (j = 0; j < ARRAY_SIZE(item->check); j++)
		if (item->check[j] != item->producer * ITEMS + item->number + j)
			return false;
	return true;
}

static void consume(struct trade *trade)
{
	unsigned int next[MAX_PRODUCERS] = {};
	struct item item;

	while (!ums_chan_receive(trade->chan, &item)) {
		if (!item_is_whole(&item) ||
		    __atomic_exchange_n(&trade->seen[item.producer][item.number],
					1, __ATOMIC_RELAXED)) {
			UT_INC(trade->broken);
			continue;
		}
		if (item.number < next[item.producer])
			UT_INC(trade->disorder);
		next[item.producer] = item.number + 1;
		UT_INC(trade->received);
	}
	if (errno != EPIPE)
		UT_INC(trade->failed);
}

static void be_producer(struct lc_worker *worker)
{
	produce(worker->arg, worker->index / 2, true);
}

static void be_consumer(struct lc_worker *worker)
{
	consume(worker->arg);
}

static void *be_producing_thread(void *arg)
{
	produce(arg, PAIRS, false);
	return NULL;
}

static void *be_consuming_thread(void *arg)
{
	consume(arg);
	return NULL;
}

/* All that was sent is received, once, by whoever */
static void trade_all(struct __test_metadata *_metadata, struct lc_crew *crew,
		      size_t capacity, bool with_threads)
{
	struct trade trade = { .producers = PAIRS + with_threads };
	pthread_t producer, consumer;
	int i;

	ASSERT_EQ(0, ums_chan_create(capacity, sizeof(struct item),
				     &trade.chan));
	for (i = 0; i < PAIRS; i++) {
		ASSERT_EQ(0, lc_add(crew, be_producer, &trade));
		ASSERT_EQ(0, lc_add(crew, be_consumer, &trade));
	}
	if (with_threads) {
		ASSERT_EQ(0, pthread_create(&producer, NULL,
					    be_producing_thread, &trade));
		ASSERT_EQ(0, pthread_create(&consumer, NULL,
					    be_consuming_thread, &trade));
	}
	ASSERT_EQ(0, lc_run(crew));
	if (with_threads) {
		ASSERT_EQ(0, pthread_join(producer, NULL));
		ASSERT_EQ(0, pthread_join(consumer, NULL));
	}
	EXPECT_EQ((PAIRS + with_threads) * ITEMS, trade.received);
	EXPECT_EQ(0, trade.broken);
	EXPECT_EQ(0, trade.disorder);
	EXPECT_EQ(0, trade.failed);
	EXPECT_EQ(0, ums_chan_destroy(trade.chan));
}

TEST_F(chan, carries_all_without_room)
{
	trade_all(_metadata, &self->crew, 0, false);
}

TEST_F(chan, carries_all_with_room_for_one)
{
	trade_all(_metadata, &self->crew, 1, false);
}

TEST_F(chan, carries_all_with_room_for_some)
{
	trade_all(_metadata, &self->crew, 7, false);
}

TEST_F(chan, carries_all_from_and_to_plain_threads)
{
	trade_all(_metadata, &self->crew, 3, true);
}

/* Two that answer each other */
struct rally {
	ums_chan_t *chan[2];
	int returned;
};

static void play(struct lc_worker *worker)
{
	struct rally *rally = worker->arg;
	int mine = worker->index, ball = 0, i;

	for (i = 0; i < ITEMS; i++) {
		if (mine == 0 && ums_chan_send(rally->chan[0], &ball))
			return;
		if (ums_chan_receive(rally->chan[!mine], &ball))
			return;
		ball++;
		if (mine == 1 && ums_chan_send(rally->chan[1], &ball))
			return;
	}
	if (mine == 0)
		rally->returned = ball;
}

TEST_F(chan, answers_come_in_user_mode)
{
	struct ums_switches switches;
	struct rally rally = {};
	struct ums_probe probe;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ums_chan_create(1, sizeof(int), &rally.chan[i]));
		ASSERT_EQ(0, lc_add(&self->crew, play, &rally));
	}
	ASSERT_EQ(0, lc_run(&self->crew));
	EXPECT_EQ(2 * ITEMS, rally.returned);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, ums_chan_destroy(rally.chan[i]));

	/* With several schedulers one may have to be woken each time */
	ASSERT_EQ(0, ums_probe_kernel(&probe));
	if (variant->scheds > 1 || getenv("UMS_SWITCH") ||
	    !(probe.features & UMS_FEATURE_USER_SWITCH))
		return;
	ASSERT_EQ(0, lc_switches(&self->crew, &switches));
	EXPECT_LT(2 * ITEMS * 9 / 10, switches.user);
	EXPECT_GT(ITEMS / 10, switches.resolved + switches.slow_kernel);
}

/**
 * struct closing - A channel that is closed while others wait
 *
 * @chan: The channel.
 * @arrived: How many are going to wait.
 * @refused: How many got EPIPE.
 * @sends: They wait to send.
 */
struct closing {
	ums_chan_t *chan;
	int arrived;
	int refused;
	bool sends;
};

static void wait_in_vain(struct lc_worker *worker)
{
	struct closing *closing = worker->arg;
	int item = 0;

	UT_INC(closing->arrived);
	if ((closing->sends ? ums_chan_send(closing->chan, &item) :
			      ums_chan_receive(closing->chan, &item)) == -1 &&
	    errno == EPIPE)
		UT_INC(closing->refused);
}

static void close_soon(struct lc_worker *worker)
{
	struct closing *closing = worker->arg;
	int i;

	while (UT_LOAD(closing->arrived) < 2 * PAIRS)
		ums_thread_yield(NULL);
	/* All but those who are just now on their way wait by then */
	for (i = 0; i < 100; i++)
		ums_thread_yield(NULL);
	ums_chan_close(closing->chan);
}

static void close_on_all(struct __test_metadata *_metadata,
			 struct lc_crew *crew, bool sends)
{
	struct closing closing = { .sends = sends };
	int i, item;

	ASSERT_EQ(0, ums_chan_create(0, sizeof(int), &closing.chan));
	for (i = 0; i < 2 * PAIRS; i++)
		ASSERT_EQ(0, lc_add(crew, wait_in_vain, &closing));
	ASSERT_EQ(0, lc_add(crew, close_soon, &closing));
	ASSERT_EQ(0, lc_run(crew));
	EXPECT_EQ(2 * PAIRS, closing.refused);
	LT_EXPECT_ERRNO(EPIPE, ums_chan_send(closing.chan, &item));
	LT_EXPECT_ERRNO(EPIPE, ums_chan_receive(closing.chan, &item));
	EXPECT_EQ(0, ums_chan_destroy(closing.chan));
}

TEST_F(chan, close_wakes_receivers)
{
	close_on_all(_metadata, &self->crew, false);
}

TEST_F(chan, close_wakes_senders)
{
	close_on_all(_metadata, &self->crew, true);
}

TEST(tries_do_not_wait)
{
	ums_chan_t *chan;
	int item, i;

	ASSERT_EQ(0, ums_chan_create(3, sizeof(item), &chan));
	LT_EXPECT_ERRNO(EAGAIN, ums_chan_try_receive(chan, &item));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ums_chan_try_send(chan, &i));
	LT_EXPECT_ERRNO(EAGAIN, ums_chan_try_send(chan, &i));
	EXPECT_EQ(0, ums_chan_try_receive(chan, &item));
	EXPECT_EQ(0, item);
	EXPECT_EQ(0, ums_chan_try_send(chan, &i));
	EXPECT_EQ(0, ums_chan_close(chan));
	/* What is in it stays */
	LT_EXPECT_ERRNO(EPIPE, ums_chan_try_send(chan, &i));
	for (i = 1; i < 4; i++) {
		EXPECT_EQ(0, ums_chan_receive(chan, &item));
		EXPECT_EQ(i, item);
	}
	LT_EXPECT_ERRNO(EPIPE, ums_chan_try_receive(chan, &item));
	LT_EXPECT_ERRNO(EPIPE, ums_chan_receive(chan, &item));
	EXPECT_EQ(0, ums_chan_close(chan));
	EXPECT_EQ(0, ums_chan_destroy(chan));

	ASSERT_EQ(0, ums_chan_create(0, sizeof(item), &chan));
	LT_EXPECT_ERRNO(EAGAIN, ums_chan_try_send(chan, &item));
	LT_EXPECT_ERRNO(EAGAIN, ums_chan_try_receive(chan, &item));
	EXPECT_EQ(0, ums_chan_destroy(chan));
}

TEST(wrong_calls_fail)
{
	ums_chan_t *chan;
	int item;

	LT_EXPECT_ERRNO(EINVAL, ums_chan_create(1, 1, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_create(1, 0, &chan));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_create(SIZE_MAX, 2, &chan));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_create(SIZE_MAX, 1, &chan));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_send(NULL, &item));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_try_send(NULL, &item));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_receive(NULL, &item));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_try_receive(NULL, &item));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_close(NULL));
	EXPECT_EQ(0, ums_chan_destroy(NULL));
	ASSERT_EQ(0, ums_chan_create(1, sizeof(item), &chan));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_send(chan, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_chan_receive(chan, NULL));
	EXPECT_EQ(0, ums_chan_destroy(chan));
}

TEST_HARNESS_MAIN
