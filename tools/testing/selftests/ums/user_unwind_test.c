// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: who is interrupted in a function of the vDSO can be unwound, at each of
 * its instructions and on each way through it: for a handler that throws, and for a
 * debugger or profiler.
 */
#include "../kselftest_harness.h"
#include "user.h"
#include "walk.h"

/* Fewer instructions no way through any of them has */
#define FEWEST	10

FIXTURE(unwind) { };

FIXTURE_VARIANT(unwind)
{
	enum walk_function function;
	enum walk_path path;
	long ret;
};

FIXTURE_VARIANT_ADD(unwind, execute) { .function = WALK_EXECUTE };
FIXTURE_VARIANT_ADD(unwind, execute_cold) {
	.function = WALK_EXECUTE,
	.path = WALK_COLD,
};

FIXTURE_VARIANT_ADD(unwind, execute_slow) {
	.function = WALK_EXECUTE,
	.path = WALK_SLOW,
	.ret = -EBADF,
};

FIXTURE_VARIANT_ADD(unwind, yield) {
	.function = WALK_YIELD,
	.ret = UMS_REASON_YIELDED | UMS_RETURN_USER,
};

FIXTURE_VARIANT_ADD(unwind, yield_cold) {
	.function = WALK_YIELD,
	.path = WALK_COLD,
	.ret = UMS_REASON_YIELDED | UMS_RETURN_USER,
};

FIXTURE_VARIANT_ADD(unwind, yield_slow) {
	.function = WALK_YIELD,
	.path = WALK_SLOW,
	.ret = -ENOTCONN,
};

FIXTURE_VARIANT_ADD(unwind, to_a_worker) { .function = WALK_SWITCH };
FIXTURE_VARIANT_ADD(unwind, to_a_worker_cold) {
	.function = WALK_SWITCH,
	.path = WALK_COLD,
};

FIXTURE_VARIANT_ADD(unwind, to_a_worker_slow) {
	.function = WALK_SWITCH,
	.path = WALK_SLOW,
	.ret = -EBADF,
};

FIXTURE_SETUP(unwind)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
}

FIXTURE_TEARDOWN(unwind) { }

TEST_F(unwind, finds_the_caller_from_each_instruction)
{
	struct walk seen;

	ASSERT_TRUE(walk(&seen, variant->function, variant->path));
	EXPECT_EQ(variant->ret, seen.ret);
	EXPECT_LE(FEWEST, seen.nr);
	EXPECT_GT(WALK_MAX, seen.nr);
	EXPECT_EQ(walk_begin(variant->function), seen.ip[0]);
	EXPECT_EQ(0, seen.lost) TH_LOG("of %u instructions", seen.nr);
}

TEST_HARNESS_MAIN
