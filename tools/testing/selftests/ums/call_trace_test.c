// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: the tracepoints at entry and exit of system calls show each call once,
 * with the thread whose call it was, also if the kernel had another name for it when
 * the call was made.
 */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "trace.h"
#include "user.h"

#define CALLS	50

/* One that each of them makes, and the others do not */
enum who { SCHEDULER, WORKER, OTHER_WORKER, NR_WHO };

static const long call_of[NR_WHO] = { SYS_getpgid, SYS_getppid, SYS_getpgrp };

/* And what would be shown of a call that was not made */
#define FILTER	"id == 121 || id == 110 || id == 111 || id == -1"

/* What the trace tells of each */
static struct {
	pid_t tid;
	unsigned int entries;
	unsigned int exits;
	unsigned int wrong;
} seen[NR_WHO];

static void play(const char *line)
{
	const char *entry = strstr(line, " sys_enter: NR ");
	const char *exit = strstr(line, " sys_exit: NR ");
	pid_t tid = trace_tid(line);
	enum who who;
	long nr;

	if (!entry && !exit)
		return;
	nr = atol(strstr(line, ": NR ") + strlen(": NR "));
	for (who = 0; who < NR_WHO; who++) {
		if (seen[who].tid != tid)
			continue;
		seen[who].wrong += nr != call_of[who];
		seen[who].entries += !!entry;
		seen[who].exits += !!exit;
		/* They take turns */
		seen[who].wrong += seen[who].entries - seen[who].exits != !!entry;
	}
}

FIXTURE(call_trace)
{
	struct trace trace;
	struct ut_base base;
	struct ut_thread workers[NR_WHO];
};

FIXTURE_VARIANT(call_trace)
{
	bool by_user;
};

FIXTURE_VARIANT_ADD(call_trace, switched_by_system_call) {};
FIXTURE_VARIANT_ADD(call_trace, switched_in_user_mode) { .by_user = true };

FIXTURE_SETUP(call_trace)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (variant->by_user && !uu_init())
		SKIP(return, UU_ABSENT);
	if (!trace_make(&self->trace))
		SKIP(return, "no tracefs: %s", strerror(errno));
	ASSERT_TRUE(trace_write(&self->trace, "buffer_size_kb", "1024"));
	ASSERT_TRUE(trace_write(&self->trace, "events/raw_syscalls/filter",
				FILTER));
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&self->base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(call_trace)
{
	trace_remove(&self->trace);
	if (self->base.slots)
		ut_base_close(&self->base);
}

static void calls(struct ut_thread *self)
{
	enum who who = *(enum who *)self->arg;
	int i;

	/* The first time it is not traced yet */
	for (i = 0; i <= CALLS; i++) {
		if (syscall(call_of[who]) < 0)
			self->ret = 1;
		if (uu.yield)
			uu_yield(self, 0);
		else
			ut_yield(0);
	}
}

static bool runs(FIXTURE_DATA(call_trace) * self, enum who who)
{
	struct ut_thread *worker = &self->workers[who];
	struct ums_event event;
	long ret;

	ret = uu.execute ? uu_run(&self->base, worker) :
	      ut_run_to(&self->base, worker->ctx, &event, UMS_REASON_YIELDED);
	return (ret & ~UMS_RETURN_USER) == UMS_REASON_YIELDED;
}

TEST_F(call_trace, shows_each_call_with_its_thread)
{
	static enum who worker[] = { WORKER, OTHER_WORKER };
	struct ums_event event;
	enum who who;
	int i, k;

	for (k = 0; k < 2; k++) {
		who = worker[k];
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->workers[who],
					     calls, &worker[k]));
		ASSERT_EQ(1, ut_next_of(&self->base, self->workers[who].ctx,
					&event));
		seen[who].tid = self->workers[who].tid;
		ASSERT_TRUE(runs(self, who));
	}
	seen[SCHEDULER].tid = gettid();
	ASSERT_TRUE(trace_write(&self->trace, "events/raw_syscalls/enable",
				"1"));
	for (i = 0; i < CALLS; i++) {
		ASSERT_LE(0, syscall(call_of[SCHEDULER], 0));
		for (k = 0; k < 2; k++)
			ASSERT_TRUE(runs(self, worker[k]));
	}
	ASSERT_TRUE(trace_play(&self->trace, play));
	for (who = 0; who < NR_WHO; who++) {
		EXPECT_EQ(CALLS, seen[who].entries);
		EXPECT_EQ(CALLS, seen[who].exits);
		EXPECT_EQ(0, seen[who].wrong);
	}
	for (k = 0; k < 2; k++) {
		struct ut_thread *thread = &self->workers[worker[k]];

		EXPECT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(&self->base, thread->ctx, &event,
				    UMS_REASON_TERMINATED));
		ut_join(thread);
		EXPECT_EQ(0, thread->ret);
	}
}

TEST_HARNESS_MAIN
