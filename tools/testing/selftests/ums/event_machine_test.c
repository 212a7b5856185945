// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: what is done to the whole machine while the threads of a process are
 * in every state.
 */
#include <stdio.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

#define PM_TEST		"/sys/power/pm_test"
#define PM_DELAY	"/sys/module/suspend/parameters/pm_test_delay"
#define CPU		"/sys/devices/system/cpu/cpu%ld/online"

#define TIMES		3

FIXTURE(machine)
{
	struct states *states;
};

FIXTURE_SETUP(machine)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

/* Whatever came of it: the next one who suspends means it */
FIXTURE_TEARDOWN(machine)
{
	states_free(self->states);
	ut_write_file(PM_TEST, "none");
	ut_write_file(PM_DELAY, "5");
}

TEST_F(machine, is_suspended)
{
	struct states *states = self->states;
	int i;

	/* All but the freezer is left out of it */
	if (ut_write_file(PM_DELAY, "0") || ut_write_file(PM_TEST, "freezer"))
		SKIP(return, "no test of suspending");
	ASSERT_TRUE(states_start(states));
	for (i = 0; i < TIMES; i++)
		EXPECT_EQ(0, ut_write_file("/sys/power/state", "freeze"));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

TEST_F(machine, loses_a_cpu_and_gets_it_back)
{
	struct states *states = self->states;
	char online[64];
	int i;

	snprintf(online, sizeof(online), CPU, sysconf(_SC_NPROCESSORS_ONLN) - 1);
	if (ut_write_file(online, "1"))
		SKIP(return, "one cpu, or none is unplugged, or not root");
	ASSERT_TRUE(states_start(states));
	for (i = 0; i < TIMES; i++) {
		EXPECT_EQ(0, ut_write_file(online, "0"));
		EXPECT_EQ(0, ut_write_file(online, "1"));
	}
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

TEST_HARNESS_MAIN
