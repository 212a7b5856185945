// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: workers that wait and run each other, one step at a time: what
 * their scheduler sees, when it has its processor back, and what becomes of who
 * has handed over
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#define WORKERS		4
#define HOPS_MAX	64
#define MANY		10000

/**
 * struct player - A worker with a channel
 *
 * @over: Whose.
 * @peer: Who gets what it has received; or NULL.
 * @chan: It receives from there.
 * @after: Called when it has received something, or NULL.
 * @received: How often it has.
 * @context: Its context.
 * @thread: Its thread.
 */
struct player {
	struct over *over;
	struct player *peer;
	ums_chan_t *chan;
	void (*after)(struct player *player);
	unsigned int received;
	ums_context_t *context;
	pthread_t thread;
};

/**
 * struct over - Workers that hand over
 *
 * @group: Their group.
 * @list: Their list, of which the test is the scheduler.
 * @players: They.
 * @nr: How many.
 * @spin: For after_spinning().
 * @spinning: The same.
 */
struct over {
	struct ums_group *group;
	ums_completion_list_t *list;
	struct player players[WORKERS];
	int nr;
	int spin;
	int spinning;
};

FIXTURE(over)
{
	struct over over;
};

FIXTURE_SETUP(over)
{
	struct over *over = &self->over;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	LT_EXPECT_ERRNO(EINVAL, ums_list_hand_over(NULL));
	ASSERT_EQ(0, ums_group_create(NULL, &over->group));
	ASSERT_EQ(0, ums_list_create(over->group, UMS_NODE_ANY, &over->list));
	ASSERT_EQ(0, ums_list_hand_over(over->list));
	ASSERT_EQ(0, ums_list_hand_over(over->list));
	ASSERT_EQ(0, ums_scheduler_enter(over->list));
}

/* That they can be deleted shows that nobody has kept a reference */
FIXTURE_TEARDOWN(over)
{
	struct over *over = &self->over;
	int i;

	ums_scheduler_leave();
	for (i = 0; i < over->nr; i++) {
		struct player *player = &over->players[i];

		EXPECT_EQ(0, pthread_join(player->thread, NULL));
		EXPECT_EQ(0, delete_ums_thread_context(player->context));
		EXPECT_EQ(0, ums_chan_destroy(player->chan));
	}
	EXPECT_EQ(0, delete_ums_completion_list(over->list));
	EXPECT_EQ(0, ums_group_destroy(over->group));
}

/* Hands on what it receives, until that is 0 */
static void *play(void *arg)
{
	struct player *player = arg;
	int item;

	while (!ums_chan_receive(player->chan, &item)) {
		UT_INC(player->received);
		if (player->after)
			player->after(player);
		if (player->peer)
			ums_chan_send(player->peer->chan, &item);
		if (!item)
			break;
	}
	return NULL;
}

/* One more, that waits and is aside */
static struct player *add(struct over *over)
{
	struct player *player = &over->players[over->nr];
	struct ums_event event;

	player->over = over;
	if (ums_chan_create(1, sizeof(int), &player->chan) ||
	    ums_spawn(over->list, play, player, NULL, &player->context,
		      &player->thread))
		return NULL;
	over->nr++;
	if (ums_dequeue(over->list, &event, 1, -1) != 1 ||
	    lt_run(over->list, player->context, &event) !=
	    UMS_REASON_YIELDED ||
	    ums_event_context(&event) != player->context ||
	    ums_set_aside(player->context))
		return NULL;
	return player;
}

static int give(struct player *player, int item)
{
	return ums_chan_try_send(player->chan, &item);
}

/* The list has this one, and no other */
static bool list_has_only(struct over *over, struct player *player)
{
	struct ums_event events[WORKERS];

	return ums_dequeue(over->list, events, WORKERS, 0) == 1 &&
	       events[0].reason == UMS_REASON_READY &&
	       ums_event_context(&events[0]) == player->context;
}

static bool list_is_empty(struct over *over)
{
	struct ums_event event;

	errno = 0;
	return ums_dequeue(over->list, &event, 1, 0) == -1 && errno == EAGAIN;
}

/* Run @player; whose event is it then? NULL unless it is for @reason */
static struct player *run(struct over *over, struct player *player,
			  ums_reason_t reason)
{
	struct ums_event event;
	int i;

	if (lt_run(over->list, player->context, &event) != (int)reason)
		return NULL;
	for (i = 0; i < over->nr; i++)
		if (over->players[i].context == ums_event_context(&event))
			return &over->players[i];
	return NULL;
}

/* Let it end, when it is aside */
static bool end(struct over *over, struct player *player)
{
	player->peer = NULL;
	player->after = NULL;
	return !give(player, 0) && list_has_only(over, player) &&
	       run(over, player, UMS_REASON_TERMINATED) == player;
}

static void yield_once(struct player *player)
{
	ums_thread_yield(player);
}

TEST_F(over, waiter_runs_who_was_woken_and_is_aside)
{
	struct over *over = &self->over;
	struct player *first = add(over), *second = add(over);

	ASSERT_TRUE(first && second);
	first->peer = second;
	second->after = yield_once;
	ASSERT_EQ(0, give(first, 1));
	ASSERT_TRUE(list_has_only(over, first));
	/* It wakes the second one, waits, and the second one yields */
	EXPECT_EQ(second, run(over, first, UMS_REASON_YIELDED));
	EXPECT_EQ(1, first->received);
	EXPECT_EQ(1, second->received);
	/* No list has the second one, who is not aside; the first one is */
	EXPECT_TRUE(list_is_empty(over));
	LT_EXPECT_ERRNO(EINVAL, ums_set_aside(second->context));
	LT_EXPECT_ERRNO(EAGAIN, ums_set_aside(first->context));
	ASSERT_EQ(0, give(first, 2));
	ASSERT_TRUE(list_has_only(over, first));
	/* Nobody was woken: now it is the second one's turn to be run */
	EXPECT_EQ(second, run(over, second, UMS_REASON_YIELDED));
	EXPECT_EQ(0, ums_set_aside(second->context));
	/* The first one was taken from the list before: it is as ready */
	second->after = NULL;
	EXPECT_EQ(second, run(over, first, UMS_REASON_YIELDED));
	EXPECT_EQ(2, first->received);
	EXPECT_EQ(2, second->received);
	EXPECT_EQ(0, ums_set_aside(second->context));
	EXPECT_TRUE(end(over, first));
	EXPECT_TRUE(end(over, second));
}

TEST_F(over, those_woken_are_run_in_order)
{
	struct over *over = &self->over;
	struct player *player[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++) {
		player[i] = add(over);
		ASSERT_NE(NULL, player[i]);
		player[i]->after = i ? yield_once : NULL;
	}
	ASSERT_EQ(0, give(player[0], 1));
	ASSERT_TRUE(list_has_only(over, player[0]));
	for (i = 1; i < WORKERS; i++)
		ASSERT_EQ(0, give(player[i], 1));
	/* Each has a turn, then waits, and runs the next one */
	for (i = 1; i < WORKERS; i++)
		EXPECT_EQ(player[i], run(over, player[i - 1],
					 UMS_REASON_YIELDED));
	EXPECT_TRUE(list_is_empty(over));
	EXPECT_EQ(player[i - 1], run(over, player[i - 1], UMS_REASON_YIELDED));
	EXPECT_EQ(0, ums_set_aside(player[i - 1]->context));
	for (i = 0; i < WORKERS; i++)
		EXPECT_TRUE(end(over, player[i]));
}

static void count_until(struct player *player)
{
	/* Lest it goes on for ever if nobody stops it */
	if (player->received == MANY)
		player->peer = NULL;
}

static bool play_ball(struct over *over)
{
	struct player *first = add(over), *second = add(over);

	if (!first || !second)
		return false;
	first->peer = second;
	second->peer = first;
	first->after = count_until;
	return !give(first, 1) && list_has_only(over, first);
}

static unsigned int played(const struct over *over)
{
	return over->players[0].received + over->players[1].received;
}

/* Run it, and put aside who comes back: somebody else is on the list then */
static struct player *run_rally(struct over *over, struct player *player)
{
	struct player *back = run(over, player, UMS_REASON_YIELDED);

	return back && !ums_set_aside(back->context) ? back : NULL;
}

TEST_F(over, scheduler_has_its_turn_in_the_end)
{
	struct over *over = &self->over;
	struct player *player, *other;
	unsigned int i, before;

	ASSERT_TRUE(play_ball(over));
	player = &over->players[0];
	for (i = 0; i < 10; i++) {
		before = played(over);
		player = run_rally(over, player);
		ASSERT_NE(NULL, player);
		/* Each hop is a ball, and so is the first one's turn */
		EXPECT_EQ(HOPS_MAX + 1, played(over) - before);
		other = &over->players[player == over->players];
		ASSERT_TRUE(list_has_only(over, other));
		player = other;
	}
	/* The last one that was taken from the list has the ball */
	other = &over->players[player == over->players];
	player->peer = NULL;
	EXPECT_EQ(player, run_rally(over, player));
	EXPECT_TRUE(end(over, player));
	EXPECT_TRUE(end(over, other));
}

TEST_F(over, scheduler_has_its_turn_when_the_kernel_has_something)
{
	struct over *over = &self->over;
	struct player *first = &over->players[0], *second = &over->players[1];
	struct player *third = &over->players[2];
	struct ums_event events[2];

	ASSERT_TRUE(play_ball(over));
	third->over = over;
	ASSERT_EQ(0, ums_chan_create(1, sizeof(int), &third->chan));
	ASSERT_EQ(0, ums_spawn(over->list, play, third, NULL, &third->context,
			       &third->thread));
	over->nr++;
	ASSERT_TRUE(UT_WAIT(ut_state(ums_group_fd(over->group),
				     ums_context_id(third->context)) ==
			    UMS_STATE_READY));
	EXPECT_EQ(first, run_rally(over, first));
	EXPECT_EQ(1, played(over));
	ASSERT_EQ(2, ums_dequeue(over->list, events, 2, 0));
	EXPECT_NE(events[0].ctx, events[1].ctx);
	EXPECT_EQ(third, run_rally(over, third));
	/* And now there is nothing that could hinder them */
	second = run_rally(over, second);
	ASSERT_NE(NULL, second);
	EXPECT_EQ(HOPS_MAX + 2, played(over));
	first = &over->players[second == over->players];
	ASSERT_TRUE(list_has_only(over, first));
	first->peer = NULL;
	EXPECT_EQ(first, run_rally(over, first));
	EXPECT_TRUE(end(over, first));
	EXPECT_TRUE(end(over, second));
	EXPECT_TRUE(end(over, third));
}

static void spin(struct player *player)
{
	UT_STORE(player->over->spinning, true);
	while (UT_LOAD(player->over->spin))
		sched_yield();
}

/* Another scheduler, that runs whom it was not given */
static void *run_second(void *arg)
{
	struct over *over = arg;
	struct ums_event event;

	if (ums_scheduler_enter(over->list) ||
	    lt_run(over->list, over->players[1].context, &event) !=
	    UMS_REASON_YIELDED ||
	    ums_event_context(&event) != over->players[1].context ||
	    ums_scheduler_leave())
		return NULL;
	return arg;
}

/* Nothing is lost if who is next on the list can't be run */
TEST_F(over, who_finds_nobody_to_run_yields)
{
	struct over *over = &self->over;
	struct player *first = add(over), *second = add(over);
	pthread_t thread;
	void *result;

	ASSERT_TRUE(first && second);
	second->after = spin;
	over->spin = true;
	ASSERT_EQ(0, give(first, 1));
	ASSERT_TRUE(list_has_only(over, first));
	ASSERT_EQ(0, give(second, 1));
	/* It is on the list, but it runs */
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_second, over));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(over->spinning)));

	EXPECT_EQ(first, run(over, first, UMS_REASON_YIELDED));
	EXPECT_EQ(1, first->received);
	EXPECT_EQ(0, ums_set_aside(first->context));
	EXPECT_TRUE(list_has_only(over, second));

	UT_STORE(over->spin, false);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(over, result);
	EXPECT_EQ(0, ums_set_aside(second->context));
	EXPECT_TRUE(end(over, first));
	EXPECT_TRUE(end(over, second));
}

/* No scheduler is left: plain threads, that wait as such */
TEST_F(over, who_is_released_waits_on)
{
	struct over *over = &self->over;
	struct player *first = add(over), *second = add(over);

	ASSERT_TRUE(first && second);
	first->peer = second;
	second->after = yield_once;
	ASSERT_EQ(0, give(first, 1));
	ASSERT_TRUE(list_has_only(over, first));
	ASSERT_EQ(second, run(over, first, UMS_REASON_YIELDED));
	first->peer = NULL;
	ASSERT_EQ(0, ums_scheduler_leave());
	ASSERT_EQ(0, give(first, 0));
	ASSERT_EQ(0, give(second, 0));
}

TEST_HARNESS_MAIN
