// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: contexts without a thread. Ids and their generations, the limit of the
 * group, slots, query and set.
 */
#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	100
#define NR_THREADS	4
#define ROUNDS		500

FIXTURE(context)
{
	struct ut_base base;
};

FIXTURE_SETUP(context)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CONTEXTS, 0));
}

FIXTURE_TEARDOWN(context)
{
	ut_base_close(&self->base);
}

static __u32 id_index(__u64 ctx)
{
	return ctx;
}

static __u32 id_generation(__u64 ctx)
{
	return ctx >> 32;
}

/* All calls that take an id find nothing; 0, or the number of one that does */
static int all_say_no_such_context(struct ut_base *base, __u64 ctx)
{
	struct ums_info info = { .ctx = ctx };

	if (ut_ctx_delete(base->group, ctx) != -ESRCH)
		return 1;
	if (ut_ctl(UMS_CTL_QUERY, base->group, &info, sizeof(info)) != -ESRCH)
		return 2;
	if (ut_ctl(UMS_CTL_SET, base->group, &info, sizeof(info)) != -ESRCH)
		return 3;
	if (ut_attach(base->list, UMS_ROLE_SCHEDULER, ctx) != -ESRCH)
		return 4;
	if (ut_attach(base->list, UMS_ROLE_WORKER, ctx) != -ESRCH)
		return 5;
	return 0;
}

TEST_F(context, ids_hold_index_and_generation)
{
	struct ut_base *base = &self->base;
	bool used[MAX_CONTEXTS + 1] = {};
	unsigned int i;
	__u64 ctx;

	for (i = 0; i < MAX_CONTEXTS; i++) {
		ASSERT_EQ(0, ut_ctx_create(base->group, 0, &ctx));
		ASSERT_LE(1, id_index(ctx));
		ASSERT_GE(MAX_CONTEXTS, id_index(ctx));
		EXPECT_LE(1, id_generation(ctx));
		EXPECT_FALSE(used[id_index(ctx)]);
		used[id_index(ctx)] = true;
	}
}

TEST_F(context, full_group_says_so_and_deletion_makes_room)
{
	struct ut_base *base = &self->base;
	__u64 ctx[MAX_CONTEXTS], more;
	unsigned int i, round;

	for (i = 0; i < MAX_CONTEXTS; i++)
		ASSERT_EQ(0, ut_ctx_create(base->group, 0, &ctx[i]));
	EXPECT_EQ(-ENOSPC, ut_ctx_create(base->group, 0, &more));

	for (round = 0; round < 3; round++) {
		for (i = round; i < MAX_CONTEXTS; i += round + 1)
			ASSERT_EQ(0, ut_ctx_delete(base->group, ctx[i]));
		for (i = round; i < MAX_CONTEXTS; i += round + 1)
			ASSERT_EQ(0, ut_ctx_create(base->group, 0, &ctx[i]));
		EXPECT_EQ(-ENOSPC, ut_ctx_create(base->group, 0, &more));
	}
}

TEST_F(context, stale_ids_never_find_somebody_else)
{
	struct ut_base *base = &self->base;
	__u64 old[32], ctx;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(old); i++) {
		ASSERT_EQ(0, ut_ctx_create(base->group, i, &ctx));
		for (j = 0; j < i; j++) {
			EXPECT_NE(old[j], ctx);
			ASSERT_EQ(0, all_say_no_such_context(base, old[j]));
		}
		EXPECT_EQ(i, ut_query_value(base->group, ctx,
					    UMS_INFO_COOKIE));
		ASSERT_EQ(0, ut_ctx_delete(base->group, ctx));
		ASSERT_EQ(0, all_say_no_such_context(base, ctx));
		old[i] = ctx;
	}
}

TEST_F(context, unknown_ids_are_refused)
{
	struct ut_base *base = &self->base;
	__u64 ctx;

	ASSERT_EQ(0, ut_ctx_create(base->group, 0, &ctx));
	EXPECT_EQ(0, all_say_no_such_context(base, 0));
	EXPECT_EQ(0, all_say_no_such_context(base, ~0ULL));
	EXPECT_EQ(0, all_say_no_such_context(base, 1ULL << 32));
	EXPECT_EQ(0, all_say_no_such_context(base, id_index(ctx)));
	EXPECT_EQ(0, all_say_no_such_context(base, ctx + (1ULL << 32)));
	EXPECT_EQ(0, all_say_no_such_context(base, ctx + 1));
	EXPECT_EQ(0, all_say_no_such_context(base, ctx - 1));
	EXPECT_EQ(0, all_say_no_such_context(base,
					     ctx + MAX_CONTEXTS + 1));
	EXPECT_EQ(0, all_say_no_such_context(base, ctx + 0xffff0000));
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(base->group, ctx));
}

TEST_F(context, groups_do_not_share_contexts)
{
	struct ut_base other;
	__u64 ctx;

	ASSERT_EQ(0, ut_base_open(&other, MAX_CONTEXTS, 0));
	ASSERT_EQ(0, ut_ctx_create(self->base.group, 0, &ctx));
	EXPECT_EQ(0, all_say_no_such_context(&other, ctx));
	ut_base_close(&other);
}

TEST_F(context, slot_shows_a_new_context)
{
	struct ut_base *base = &self->base;
	const __u64 cookie = 0xfedcba9876543210;
	struct ums_context *slot;
	__u64 ctx;

	ASSERT_EQ(0, ut_ctx_create(base->group, cookie, &ctx));
	slot = ut_slot(base, ctx);
	EXPECT_EQ(UMS_STATE_CREATED, UT_LOAD(slot->state));
	EXPECT_EQ(ctx, slot->id);
	EXPECT_EQ(cookie, slot->cookie);
	EXPECT_EQ(0, slot->tid);
	EXPECT_EQ(UMS_ROLE_NONE, slot->role);
	EXPECT_EQ(0, slot->event_seq);
	EXPECT_EQ(0, slot->executed);

	ASSERT_EQ(0, ut_ctx_delete(base->group, ctx));
	EXPECT_EQ(UMS_STATE_FREE, UT_LOAD(slot->state));
	EXPECT_EQ(0, slot->id);
}

TEST_F(context, query_shows_a_new_context)
{
	struct ut_base *base = &self->base;
	struct ums_info info, zero = {};
	__u64 ctx;

	ASSERT_EQ(0, ut_ctx_create(base->group, 77, &ctx));
	EXPECT_EQ(77, ut_query_value(base->group, ctx, UMS_INFO_COOKIE));
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(base->group, ctx));
	EXPECT_EQ(0, ut_query_value(base->group, ctx, UMS_INFO_TID));
	EXPECT_EQ(UMS_ROLE_NONE,
		  ut_query_value(base->group, ctx, UMS_INFO_ROLE));
	EXPECT_EQ(0, ut_query(base->group, ctx, UMS_INFO_STATS, &info));
	EXPECT_EQ(0, memcmp(&info.stats, &zero.stats, sizeof(info.stats)));
	EXPECT_EQ(0, ut_query(base->group, ctx, UMS_INFO_EVENT, &info));
	EXPECT_EQ(0, memcmp(&info.event, &zero.event, sizeof(info.event)));
}

TEST_F(context, set_changes_the_cookie)
{
	struct ut_base *base = &self->base;
	struct ums_info info = { .value = ~0ULL };

	ASSERT_EQ(0, ut_ctx_create(base->group, 1, &info.ctx));
	ASSERT_EQ(0, ut_ctl(UMS_CTL_SET, base->group, &info, sizeof(info)));
	EXPECT_EQ(~0ULL, ut_slot(base, info.ctx)->cookie);
	ASSERT_EQ(0, ut_query(base->group, info.ctx, UMS_INFO_COOKIE, &info));
	EXPECT_EQ(~0ULL, info.value);
	EXPECT_EQ(0, info.pad[1]);
}

struct churn {
	struct ut_base *base;
	__u8 owner[MAX_CONTEXTS + 1];
	unsigned int errors;
};

static void churn_contexts(struct ut_thread *thread)
{
	struct churn *churn = thread->arg;
	__u64 ctx[MAX_CONTEXTS / NR_THREADS];
	unsigned int round, i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < round % ARRAY_SIZE(ctx); i++) {
			if (ut_ctx_create(churn->base->group, 0, &ctx[i]) ||
			    UT_INC(churn->owner[id_index(ctx[i])]) != 1)
				UT_INC(churn->errors);
		}
		while (i--) {
			__atomic_sub_fetch(&churn->owner[id_index(ctx[i])], 1,
					   __ATOMIC_ACQ_REL);
			if (ut_ctx_delete(churn->base->group, ctx[i]))
				UT_INC(churn->errors);
		}
	}
}

TEST_F(context, creation_and_deletion_in_parallel_keep_ids_apart)
{
	struct churn churn = { .base = &self->base };
	struct ut_thread threads[NR_THREADS];
	unsigned int i;
	__u64 ctx;

	for (i = 0; i < NR_THREADS; i++)
		ASSERT_EQ(0, ut_spawn(&self->base, &threads[i], UMS_ROLE_NONE,
				      churn_contexts, &churn));
	for (i = 0; i < NR_THREADS; i++)
		ut_join(&threads[i]);
	EXPECT_EQ(0, churn.errors);
	for (i = 0; i < MAX_CONTEXTS; i++)
		ASSERT_EQ(0, ut_ctx_create(self->base.group, 0, &ctx));
	EXPECT_EQ(-ENOSPC, ut_ctx_create(self->base.group, 0, &ctx));
}

struct race {
	struct ut_base *base;
	__u64 ctx;
	int go;
	unsigned int winners;
	unsigned int losers;
};

static void delete_it(struct ut_thread *thread)
{
	struct race *race = thread->arg;

	while (!UT_LOAD(race->go))
		;
	switch (ut_ctx_delete(race->base->group, race->ctx)) {
	case 0:
		UT_INC(race->winners);
		break;
	case -ESRCH:
		UT_INC(race->losers);
		break;
	}
}

TEST_F(context, one_of_two_deletions_wins)
{
	struct ut_thread threads[2];
	unsigned int round;

	for (round = 0; round < 100; round++) {
		struct race race = { .base = &self->base };

		ASSERT_EQ(0, ut_ctx_create(self->base.group, 0, &race.ctx));
		ASSERT_EQ(0, ut_spawn(&self->base, &threads[0], UMS_ROLE_NONE,
				      delete_it, &race));
		ASSERT_EQ(0, ut_spawn(&self->base, &threads[1], UMS_ROLE_NONE,
				      delete_it, &race));
		UT_STORE(race.go, 1);
		ut_join(&threads[0]);
		ut_join(&threads[1]);
		ASSERT_EQ(1, race.winners);
		ASSERT_EQ(1, race.losers);
	}
}

TEST_HARNESS_MAIN
