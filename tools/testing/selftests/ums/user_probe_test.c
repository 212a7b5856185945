// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: user probes and the user switch. A function has a probe where it begins
 * and one where it returns. Each thread that calls it is seen there as itself, and
 * each time, also if that is the first that the kernel sees of it after a switch.
 */
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "../kselftest_harness.h"
#include "probe.h"
#include "trace.h"
#include "user.h"

#define CALLS	50

enum who { SCHEDULER, WORKER, OTHER_WORKER, NR_WHO };

/* What the trace tells of each */
static struct {
	pid_t tid;
	unsigned int entries;
	unsigned int returns;
	unsigned int wrong;
} seen[NR_WHO];

static unsigned int others;

static void play(const char *line)
{
	const char *entry = strstr(line, " enter: "), *ret = strstr(line, " leave: ");
	pid_t tid = trace_tid(line);
	enum who who;

	if (!entry && !ret)
		return;
	for (who = 0; who < NR_WHO; who++) {
		if (seen[who].tid != tid)
			continue;
		seen[who].entries += !!entry;
		seen[who].returns += !!ret;
		seen[who].wrong += seen[who].entries - seen[who].returns != !!entry;
		return;
	}
	others++;
}

/* Where in the file is @address? */
static int find(struct dl_phdr_info *info, size_t size, void *address)
{
	uintptr_t *at = address;
	int i;

	for (i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *segment = &info->dlpi_phdr[i];
		uintptr_t offset = *at - info->dlpi_addr - segment->p_vaddr;

		if (segment->p_type == PT_LOAD && offset < segment->p_filesz) {
			*at = segment->p_offset + offset;
			return 1;
		}
	}
	return 0;
}

#define EVENTS	TRACEFS "/uprobe_events"

FIXTURE(probe)
{
	struct trace trace;
	char group[32];
	struct ut_base base;
	struct ut_thread workers[NR_WHO];
};

static bool add_probes(FIXTURE_DATA(probe) * self)
{
	uintptr_t at = (uintptr_t)probed;
	char text[512], path[256] = "";

	if (!dl_iterate_phdr(find, &at) ||
	    readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return false;
	snprintf(self->group, sizeof(self->group), "ums_%d", getpid());
	/* Each line is a command, and the file adds to what there is */
	snprintf(text, sizeof(text), "p:%s/enter %s:0x%lx\nr:%s/leave %s:0x%lx\n",
		 self->group, path, (long)at, self->group, path, (long)at);
	return !ut_write_file(EVENTS, text);
}

static bool start_trace(FIXTURE_DATA(probe) * self)
{
	char name[64];

	snprintf(name, sizeof(name), "events/%s/enable", self->group);
	return trace_write(&self->trace, name, "1");
}

FIXTURE_SETUP(probe)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	if (!trace_make(&self->trace))
		SKIP(return, "no tracefs: %s", strerror(errno));
	if (access(EVENTS, W_OK))
		SKIP(return, "no user probes");
	ASSERT_TRUE(add_probes(self));
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&self->base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(probe)
{
	char text[128];

	trace_remove(&self->trace);
	if (self->group[0]) {
		snprintf(text, sizeof(text), "-:%s/enter\n-:%s/leave\n",
			 self->group, self->group);
		EXPECT_EQ(0, ut_write_file(EVENTS, text));
	}
	if (self->base.slots)
		ut_base_close(&self->base);
}

static void calls(struct ut_thread *self)
{
	int i;

	for (i = 0; i < CALLS; i++) {
		uu_yield(self, 0);
		self->ret += probed() != PROBED;
	}
	uu_yield(self, 0);
}

TEST_F(probe, sees_each_call_by_who_makes_it)
{
	struct ut_thread *workers = self->workers;
	enum who who;
	int i;

	for (who = WORKER; who < NR_WHO; who++) {
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &workers[who], calls,
					     NULL));
		ASSERT_LE(0, uu_start(&self->base, &workers[who]));
		seen[who].tid = workers[who].tid;
	}
	seen[SCHEDULER].tid = gettid();
	ASSERT_TRUE(start_trace(self));
	for (i = 0; i < CALLS; i++) {
		EXPECT_EQ(PROBED, probed());
		for (who = WORKER; who < NR_WHO; who++)
			ASSERT_EQ(UMS_REASON_YIELDED, ~UMS_RETURN_USER &
				  uu_run(&self->base, &workers[who]));
	}
	ASSERT_TRUE(trace_play(&self->trace, play));
	for (who = 0; who < NR_WHO; who++) {
		EXPECT_EQ(CALLS, seen[who].entries);
		EXPECT_EQ(CALLS, seen[who].returns);
		EXPECT_EQ(0, seen[who].wrong);
	}
	EXPECT_EQ(0, others);
	for (who = WORKER; who < NR_WHO; who++) {
		EXPECT_EQ(UMS_REASON_TERMINATED,
			  uu_run(&self->base, &workers[who]));
		ut_join(&workers[who]);
		EXPECT_EQ(0, workers[who].ret);
	}
}

TEST_HARNESS_MAIN
