// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a worker that sleeps where that is managed does not run, not even in
 * the kernel, before it is executed: the tracepoints of the scheduler and those
 * of UMS show it. In a group without managed sleeps it does.
 */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"
#include "trace.h"

#define ROUNDS	100

/**
 * struct story - What the trace tells of one worker
 *
 * @tid: Its thread.
 * @started: It has been executed.
 * @running: It has a virtual processor.
 * @preempted: Its last cpu was taken from it, it did not sleep.
 * @switched_in: How often it got a cpu since.
 * @without: How often it had no virtual processor then.
 * @late: How often that was because nobody had executed it.
 */
static struct {
	int tid;
	bool started;
	bool running;
	bool preempted;
	unsigned int switched_in;
	unsigned int without;
	unsigned int late;
} story;

static void play_state(const char *text)
{
	char from[16], to[16];
	__u64 id;
	int tid;

	if (sscanf(text, "ctx=%llx tid=%d from=%15s to=%15s", &id, &tid, from,
		   to) != 4 || tid != story.tid)
		return;
	story.running = !strcmp(to, "running");
	story.started |= story.running;
	if (!strcmp(to, "terminated"))
		story.started = false;
}

static void play_switch(const char *text)
{
	const char *prev = strstr(text, " prev_pid=");
	const char *next = strstr(text, " next_pid=");
	char state;
	int tid;

	if (prev && sscanf(prev, " prev_pid=%d prev_prio=%*d prev_state=%c",
			   &tid, &state) == 2 && tid == story.tid)
		story.preempted = state == 'R';
	if (!next || sscanf(next, " next_pid=%d", &tid) != 1 ||
	    tid != story.tid || !story.started)
		return;
	story.switched_in++;
	/* It may be on its way to sleep, and have given its processor back */
	story.without += !story.running && !story.preempted;
}

static void play(const char *line)
{
	const char *text = strstr(line, " ums_state: ");

	if (text)
		play_state(text + strlen(" ums_state: "));
	text = strstr(line, " sched_switch: ");
	if (text)
		play_switch(text);
	if (strstr(line, " ums_late: "))
		story.late++;
}

FIXTURE(managed_trace)
{
	struct trace trace;
	struct ut_base base;
	struct ut_thread worker;
	int fd[2];
};

FIXTURE_VARIANT(managed_trace)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(managed_trace, managed) {};
FIXTURE_VARIANT_ADD(managed_trace, unmanaged) {
	.flags = UMS_SETUP_NO_MANAGED_SLEEP,
};

FIXTURE_SETUP(managed_trace)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!trace_make(&self->trace))
		SKIP(return, "no tracefs: %s", strerror(errno));
	ASSERT_TRUE(trace_start(&self->trace));
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open_flags(&self->base, 4, UMS_ORPHAN_RELEASE,
					variant->flags));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(managed_trace)
{
	trace_remove(&self->trace);
}

static void read_often(struct ut_thread *self)
{
	int *fd = self->arg, i;
	char byte;

	for (i = 0; i < ROUNDS; i++)
		self->ret += read(fd[0], &byte, 1);
}

TEST_F(managed_trace, runs_only_when_it_is_executed)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	char filter[64];
	int i;

	ASSERT_EQ(0, ut_spawn_worker(base, &self->worker, read_often, self->fd));
	ASSERT_EQ(1, ut_next_of(base, self->worker.ctx, &event));
	story.tid = self->worker.tid;
	snprintf(filter, sizeof(filter), "next_pid == %d || prev_pid == %d",
		 story.tid, story.tid);
	ASSERT_TRUE(trace_write(&self->trace, "events/sched/sched_switch/filter",
				filter));
	ASSERT_TRUE(trace_write(&self->trace, "events/sched/sched_switch/enable",
				"1"));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, self->worker.ctx, &event,
					  SYS_read));
		/* As far as it can go: all of the way to sleep */
		ASSERT_TRUE(UT_WAIT(ut_thread_sleeps_in(story.tid, SYS_read)));
		ASSERT_EQ(1, write(self->fd[1], "", 1));
		ASSERT_EQ(1, ut_next_of(base, self->worker.ctx, &event));
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, self->worker.ctx, &event,
			    UMS_REASON_TERMINATED));
	ut_join(&self->worker);
	EXPECT_EQ(ROUNDS, self->worker.ret);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(base);

	ASSERT_TRUE(trace_play(&self->trace, play));
	EXPECT_LE(ROUNDS, story.switched_in);
	TH_LOG("%u times on a cpu, %u without a VP, %u late", story.switched_in,
	       story.without, story.late);
	/* A machine that is kept waiting may be too slow to execute it */
	if (!variant->flags)
		EXPECT_LE(story.without, story.late);
	EXPECT_LE(variant->flags ? ROUNDS : 0, story.without);
}

TEST_HARNESS_MAIN
