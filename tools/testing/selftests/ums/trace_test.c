// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: the tracepoints alone tell a whole run. A run of several workers
 * and schedulers is traced and put together again from the trace: every state
 * of every context, the holder of every virtual processor, every entry of the
 * list. No step may be impossible, and the story must be the one that the
 * program saw.
 */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"
#include "trace.h"

#define WORKERS		5
#define SCHEDULERS	2
#define ROUNDS		40
#define MAX_CTX		64
#define MAX_EVENTS	8192

/* What the program saw */
static struct {
	struct ums_event event[MAX_EVENTS];
	uint32_t events;
	uint32_t executed;
	uint32_t terminated;
	uint32_t bad;
} seen;

static void see(const struct ums_event *event)
{
	uint32_t i = UT_INC(seen.events) - 1;

	if (i < MAX_EVENTS)
		seen.event[i] = *event;
}

/**
 * struct life - A context as the trace tells
 *
 * @id: Its id, 0 if there is none.
 * @role: Of the attached thread.
 * @state: State.
 * @tid: Thread.
 * @seq: Number of the last transition.
 * @vp: Virtual processor that it holds, 0 if none.
 * @queued: It is on a list.
 */
struct life {
	__u64 id;
	unsigned int role;
	unsigned int state;
	int tid;
	__u64 seq;
	unsigned int vp;
	bool queued;
};

/**
 * struct replay - The run as the trace tells
 *
 * @life: Contexts by index.
 * @event: Events that the trace has.
 * @events: How many.
 * @executed: Times that a scheduler gave its processor to a worker.
 * @direct: Times that a worker gave it to another.
 * @queued: Entries that were queued.
 * @dequeued: Entries that were dequeued.
 * @wrong: First line that cannot be, and why.
 */
struct replay {
	struct life life[MAX_CTX];
	struct ums_event event[MAX_EVENTS];
	unsigned int events;
	unsigned int executed;
	unsigned int direct;
	unsigned int queued;
	unsigned int dequeued;
	char wrong[1200];
};

static struct replay replay;

static const char * const state_name[] = {
	[UMS_STATE_FREE]	= "free",
	[UMS_STATE_CREATED]	= "created",
	[UMS_STATE_READY]	= "ready",
	[UMS_STATE_RUNNING]	= "running",
	[UMS_STATE_BLOCKED]	= "blocked",
	[UMS_STATE_LOCKED]	= "locked",
	[UMS_STATE_SUSPENDED]	= "suspended",
	[UMS_STATE_TERMINATED]	= "terminated",
};

static const char * const reason_name[] = {
	"-", "ready", "blocked", "yielded", "preempted", "terminated",
};

static const char * const cause_name[] = {
	"-", "syscall", "fault", "signal", "other",
};

static int find_name(const char * const *names, int nr, const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

#define FIND_STATE(name)	find_name(state_name, ARRAY_SIZE(state_name), name)
#define FIND_REASON(name)	find_name(reason_name, ARRAY_SIZE(reason_name), name)
#define FIND_CAUSE(name)	find_name(cause_name, ARRAY_SIZE(cause_name), name)

static struct life *find_life(__u64 id)
{
	uint32_t index = id;

	return index && index < MAX_CTX ? &replay.life[index] : NULL;
}

static const char *play_attach(const char *text)
{
	unsigned int list;
	struct life *life;
	char role[16];
	__u64 id;

	if (sscanf(text, "ctx=%llx role=%15s list=%u", &id, role, &list) != 3)
		return "format";
	life = find_life(id);
	if (!life || life->id != id || life->role || !list)
		return "attach";
	if (!strcmp(role, "worker")) {
		life->role = UMS_ROLE_WORKER;
	} else {
		life->role = UMS_ROLE_SCHEDULER;
		life->vp = (uint32_t)id;
	}
	return NULL;
}

static bool is_possible(const struct life *life, unsigned int to,
			unsigned int reason)
{
	/* Whether a thread may be attached yet is not visible here */
	switch (life->state << 4 | to) {
	case UMS_STATE_FREE << 4 | UMS_STATE_CREATED:
	case UMS_STATE_CREATED << 4 | UMS_STATE_FREE:
	case UMS_STATE_TERMINATED << 4 | UMS_STATE_FREE:
	case UMS_STATE_READY << 4 | UMS_STATE_RUNNING:
	case UMS_STATE_READY << 4 | UMS_STATE_LOCKED:
	case UMS_STATE_LOCKED << 4 | UMS_STATE_READY:
		return !reason;
	case UMS_STATE_CREATED << 4 | UMS_STATE_RUNNING:
		return !reason && life->role != UMS_ROLE_WORKER;
	case UMS_STATE_CREATED << 4 | UMS_STATE_READY:
		return reason == UMS_REASON_READY &&
		       life->role == UMS_ROLE_WORKER;
	case UMS_STATE_BLOCKED << 4 | UMS_STATE_READY:
		return reason == UMS_REASON_READY;
	case UMS_STATE_RUNNING << 4 | UMS_STATE_BLOCKED:
		return reason == UMS_REASON_BLOCKED;
	case UMS_STATE_RUNNING << 4 | UMS_STATE_READY:
		return !reason || reason == UMS_REASON_YIELDED ||
		       reason == UMS_REASON_PREEMPTED;
	case UMS_STATE_RUNNING << 4 | UMS_STATE_TERMINATED:
		return reason == (life->role == UMS_ROLE_WORKER ?
				  UMS_REASON_TERMINATED : 0);
	default:
		return false;
	}
}

static const char *play_state(const char *text)
{
	char from[16], to[16], reason[16], cause[16];
	struct ums_event *event;
	struct life *life;
	__u64 id, arg, seq;
	int state, why, tid, end;

	if (sscanf(text, "ctx=%llx tid=%d from=%15s to=%15s reason=%15s%n",
		   &id, &tid, from, to, reason, &end) != 5 ||
	    sscanf(text + end, " cause=%15s arg=%llx seq=%llu", cause, &arg,
		   &seq) != 3)
		return "format";
	life = find_life(id);
	state = FIND_STATE(to);
	why = FIND_REASON(reason);
	if (!life || state < 0 || why < 0)
		return "name";
	if (life->state == UMS_STATE_FREE)
		life->id = id;
	if (life->id != id)
		return "stale id";
	if (life->state != (unsigned int)FIND_STATE(from))
		return "state before";
	if (seq != life->seq + 1 && life->state != UMS_STATE_FREE)
		return "sequence number";
	if (!is_possible(life, state, why))
		return "transition";
	if (life->tid && tid && life->tid != tid)
		return "thread";
	life->state = state;
	life->seq = seq;
	life->tid = tid;
	if (!why)
		return NULL;
	if (replay.events == MAX_EVENTS)
		return "too many events";
	event = &replay.event[replay.events++];
	event->ctx = id;
	event->reason = why;
	event->cause = FIND_CAUSE(cause);
	event->arg = arg;
	event->seq = seq;
	return NULL;
}

static const char *play_vp(const char *text)
{
	struct life *from, *to;
	__u64 from_id, to_id;
	unsigned int vp;

	if (sscanf(text, "vp=%u from=%llx to=%llx", &vp, &from_id,
		   &to_id) != 3)
		return "format";
	from = find_life(from_id);
	to = find_life(to_id);
	if (!from || !to || from == to)
		return "holder";
	if (from->vp != vp)
		return "given by somebody who has not got it";
	if (to->vp)
		return "given to somebody who has one";
	if (to->state != UMS_STATE_RUNNING)
		return "given to somebody who does not run";
	/* A worker that executes another one leaves RUNNING a step later */
	if (from->role == UMS_ROLE_WORKER && to->role == UMS_ROLE_SCHEDULER &&
	    from->state == UMS_STATE_RUNNING)
		return "given back by somebody who runs on";
	if (to->role == UMS_ROLE_SCHEDULER && (uint32_t)to_id != vp)
		return "given to another scheduler";
	from->vp = 0;
	to->vp = vp;
	replay.executed += from->role == UMS_ROLE_SCHEDULER;
	replay.direct += from->role == to->role;
	return NULL;
}

static const char *play_queue(const char *text, bool queue)
{
	struct life *life;
	unsigned int list;
	__u64 id, seq;

	if (sscanf(text, "list=%u ctx=%llx seq=%llu", &list, &id, &seq) != 3)
		return "format";
	life = find_life(id);
	if (!life || !list)
		return "name";
	if (life->queued == queue)
		return queue ? "queued twice" : "dequeued twice";
	if (life->state != UMS_STATE_READY &&
	    life->state != UMS_STATE_TERMINATED)
		return "on the list, but neither ready nor terminated";
	life->queued = queue;
	if (queue)
		replay.queued++;
	else
		replay.dequeued++;
	return NULL;
}

/* One line of the trace; what cannot be is noted once */
static void play(const char *line)
{
	static const struct {
		const char *name;
		const char *(*fn)(const char *text);
	} player[] = {
		{ " ums_attach: ", play_attach },
		{ " ums_state: ", play_state },
		{ " ums_vp: ", play_vp },
	};
	const char *text, *wrong = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(player); i++) {
		text = strstr(line, player[i].name);
		if (text)
			wrong = player[i].fn(text + strlen(player[i].name));
	}
	text = strstr(line, " ums_queue: ");
	if (text)
		wrong = play_queue(text + strlen(" ums_queue: "), true);
	text = strstr(line, " ums_dequeue: ");
	if (text)
		wrong = play_queue(text + strlen(" ums_dequeue: "), false);
	if (wrong && !replay.wrong[0])
		snprintf(replay.wrong, sizeof(replay.wrong), "%s: %s", wrong,
			 line);
}

FIXTURE(trace) {
	struct ut_base base;
	struct ut_thread worker[WORKERS];
	struct ut_thread scheduler[SCHEDULERS];
	int fd[2];
	struct trace trace;
};

FIXTURE_SETUP(trace)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!trace_make(&self->trace))
		SKIP(return, "no tracefs: %s", strerror(errno));
	/* Of all tasks: an interrupt that wakes a worker comes to any of them */
	ASSERT_TRUE(trace_start(&self->trace));
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CTX - 1,
				  UMS_ORPHAN_RELEASE));
}

FIXTURE_TEARDOWN(trace)
{
	trace_remove(&self->trace);
}

static bool same_event(const struct ums_event *a, const struct ums_event *b)
{
	return a->ctx == b->ctx && a->seq == b->seq && a->reason == b->reason &&
	       a->cause == b->cause && a->arg == b->arg;
}

/* How many of the first @nr events @of are not among @in */
static unsigned int missing(const struct ums_event *of, unsigned int nr_of,
			    const struct ums_event *in, unsigned int nr_in)
{
	unsigned int i, k, count = 0;

	for (i = 0; i < nr_of; i++) {
		for (k = 0; k < nr_in; k++)
			if (same_event(&of[i], &in[k]))
				break;
		count += k == nr_in;
	}
	return count;
}

static void run_one(struct ut_base *base, struct ums_event *event)
{
	long ret;

	see(event);
	while (event->reason != UMS_REASON_TERMINATED) {
		ret = ut_execute(base->group, event->ctx, event);
		if (ret == -EAGAIN)
			continue;
		if (ret < 0) {
			UT_INC(seen.bad);
			return;
		}
		UT_INC(seen.executed);
		see(event);
		if (ret == UMS_REASON_BLOCKED)
			return;
	}
	UT_INC(seen.terminated);
}

static void schedule(struct ut_thread *thread)
{
	struct ums_event event;
	long ret;

	while (UT_LOAD(seen.terminated) < WORKERS) {
		ret = ut_dequeue(thread->base->list, &event, 1, 10);
		if (ret == 1)
			run_one(thread->base, &event);
		else if (ret != -ETIMEDOUT)
			UT_INC(seen.bad);
	}
}

/* Half of the workers write what the others read */
static void work(struct ut_thread *thread)
{
	struct timespec ts = { .tv_nsec = 100000 };
	int *fd = thread->arg;
	char byte = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (i % 4 == 0)
			nanosleep(&ts, NULL);
		ut_yield(i);
		thread->ret += write(fd[1], &byte, 1);
		thread->ret += read(fd[0], &byte, 1);
	}
}

TEST_F(trace, tells_the_run_that_the_program_saw)
{
	struct life *life;
	int i;

	for (i = 0; i < SCHEDULERS; i++)
		ASSERT_EQ(0, ut_spawn(&self->base, &self->scheduler[i],
				      UMS_ROLE_SCHEDULER, schedule, NULL));
	for (i = 0; i < SCHEDULERS; i++)
		ASSERT_TRUE(UT_WAIT(!UT_LOAD(self->scheduler[i].attach_ret)));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker[i],
					     work, self->fd));
	for (i = 0; i < SCHEDULERS; i++)
		ut_join(&self->scheduler[i]);
	for (i = 0; i < WORKERS; i++) {
		ut_join(&self->worker[i]);
		EXPECT_EQ(2 * ROUNDS, self->worker[i].ret);
	}
	EXPECT_EQ(0, seen.bad);
	ASSERT_GE(MAX_EVENTS, seen.events);

	ASSERT_TRUE(trace_play(&self->trace, play));
	EXPECT_STREQ("", replay.wrong);
	EXPECT_EQ(seen.executed, replay.executed);
	EXPECT_EQ(0, replay.direct);
	EXPECT_EQ(replay.queued, replay.dequeued);
	EXPECT_EQ(seen.events, replay.events);
	EXPECT_EQ(0, missing(seen.event, seen.events, replay.event,
			     replay.events));
	EXPECT_EQ(0, missing(replay.event, replay.events, seen.event,
			     seen.events));
	for (i = 0; i < WORKERS; i++) {
		life = find_life(self->worker[i].ctx);
		EXPECT_EQ(UMS_ROLE_WORKER, life->role);
		EXPECT_EQ(UMS_STATE_TERMINATED, life->state);
		EXPECT_EQ(self->worker[i].tid, life->tid);
		EXPECT_EQ(0, life->vp);
		EXPECT_FALSE(life->queued);
	}
	for (i = 0; i < SCHEDULERS; i++) {
		life = find_life(self->scheduler[i].ctx);
		EXPECT_EQ(UMS_ROLE_SCHEDULER, life->role);
		EXPECT_EQ(UMS_STATE_TERMINATED, life->state);
		EXPECT_EQ((uint32_t)life->id, life->vp);
	}
}

static void execute_next(struct ut_thread *thread)
{
	struct ut_thread *next = thread->arg;
	int i;

	for (i = 0; i < ROUNDS; i++)
		thread->ret |= ut_execute(thread->base->group, next->ctx, NULL);
}

TEST_F(trace, shows_switches_from_worker_to_worker)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[i],
					     execute_next,
					     &self->worker[1 - i]));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, ut_next(base, &event));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, self->worker[i].ctx, &event,
				    UMS_REASON_TERMINATED));
		EXPECT_EQ(0, self->worker[i].ret);
		ut_join(&self->worker[i]);
	}
	ASSERT_TRUE(trace_play(&self->trace, play));
	EXPECT_STREQ("", replay.wrong);
	EXPECT_EQ(2 * ROUNDS, replay.direct);
}

TEST_HARNESS_MAIN
