// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: /proc/PID/fdinfo of a group and of a list shows every context
 * with its thread, role, state, list, virtual processor and counters.
 */
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CTX		16

/**
 * struct shown - A context as fdinfo shows it
 *
 * @id: Its id.
 * @tid: Thread.
 * @role: Name of the role.
 * @state: Name of the state.
 * @list: Id of the list, 0 for none.
 * @vp: Index of the virtual processor, 0 for none.
 * @stats: Counters.
 * @seq: Number of transitions.
 */
struct shown {
	__u64 id;
	int tid;
	char role[16];
	char state[16];
	unsigned int list;
	unsigned int vp;
	struct ums_stats stats;
	struct ums_switches switches;
	__u64 seq;
};

/**
 * struct info - What fdinfo of a group or list shows
 *
 * @shown: Contexts.
 * @nr: How many.
 * @list_id: Of a list: its number.
 * @entries: Of a list: size of the ring.
 * @queued: Of a list: entries to be dequeued.
 * @waiters: Of a list: threads in ums_dequeue().
 * @lost: Of a list: entries lost.
 * @is_group: There was the line of a group.
 * @is_list: There was the line of a list.
 * @malformed: There was a line that does not follow the format.
 */
struct info {
	struct shown shown[MAX_CTX];
	unsigned int nr;
	unsigned int list_id;
	unsigned int entries;
	unsigned int queued;
	unsigned int waiters;
	unsigned int lost;
	bool is_group;
	bool is_list;
	bool malformed;
};

static bool parse_context(const char *line, struct shown *shown)
{
	char list[16], vp[16];
	struct ums_switches *switches = &shown->switches;
	struct ums_stats *stats = &shown->stats;
	int end = 0;

	if (sscanf(line, "ums-ctx: %llx tid %d role %15s state %15s%n",
		   &shown->id, &shown->tid, shown->role, shown->state,
		   &end) != 4)
		return false;
	line += end;
	if (sscanf(line, " list %15s vp %15s executed %llu blocked %llu%n",
		   list, vp, &stats->executed, &stats->blocked, &end) != 4)
		return false;
	line += end;
	if (sscanf(line, " yielded %llu preempted %llu seq %llu%n",
		   &stats->yielded, &stats->preempted, &shown->seq, &end) != 3)
		return false;
	line += end;
	if (sscanf(line, " user %llu resolved %llu finished %llu%n",
		   &switches->user, &switches->resolved, &switches->finished,
		   &end) != 3)
		return false;
	line += end;
	if (sscanf(line, " slow-kernel %llu slow-ids %llu slow-busy %llu%n",
		   &switches->slow_kernel, &switches->slow_ids,
		   &switches->slow_busy, &end) != 3)
		return false;
	line += end;
	if (sscanf(line, " recorded %llu late %llu\n%n", &switches->recorded,
		   &switches->late, &end) != 2)
		return false;
	shown->list = strcmp(list, "-") ? strtoul(list, NULL, 10) : 0;
	shown->vp = strcmp(vp, "-") ? strtoul(vp, NULL, 10) : 0;
	return !line[end];
}

static bool parse_list(const char *text, struct info *info)
{
	return sscanf(text, " id %u entries %u queued %u waiters %u lost %u",
		      &info->list_id, &info->entries, &info->queued,
		      &info->waiters, &info->lost) == 5;
}

static bool read_info(int fd, struct info *info)
{
	char path[64], line[512];
	FILE *file;

	memset(info, 0, sizeof(*info));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "ums-group:", 10))
			info->is_group = true;
		if (!strncmp(line, "ums-list:", 9))
			info->is_list = parse_list(line + 9, info);
		if (!strncmp(line, "ums-ctx:", 8) &&
		    (info->nr == MAX_CTX ||
		     !parse_context(line, &info->shown[info->nr++])))
			info->malformed = true;
	}
	fclose(file);
	return !info->malformed;
}

static const struct shown *find(const struct info *info, __u64 id)
{
	unsigned int i;

	for (i = 0; i < info->nr; i++)
		if (info->shown[i].id == id)
			return &info->shown[i];
	return NULL;
}

static bool is_in_state(const struct shown *shown, const char *role,
			const char *state, pid_t tid)
{
	return shown && !strcmp(shown->role, role) &&
	       !strcmp(shown->state, state) && shown->tid == tid;
}

static bool has_stats(const struct shown *shown, __u64 executed, __u64 blocked,
		      __u64 yielded, __u64 preempted)
{
	return shown->stats.executed == executed &&
	       shown->stats.blocked == blocked &&
	       shown->stats.yielded == yielded &&
	       shown->stats.preempted == preempted;
}

FIXTURE(fdinfo) {
	struct ut_base base;
	struct ut_thread worker[3];
	struct ut_thread scheduler;
	struct info info;
	int fd[2];
	uint32_t stop;
};

FIXTURE_SETUP(fdinfo)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CTX, UMS_ORPHAN_RELEASE));
}

FIXTURE_TEARDOWN(fdinfo)
{
	if (!self->base.slots)
		return;
	ut_base_close(&self->base);
	close(self->fd[0]);
	close(self->fd[1]);
}

TEST_F(fdinfo, of_a_new_group_and_list_shows_no_context)
{
	ASSERT_TRUE(read_info(self->base.group, &self->info));
	EXPECT_TRUE(self->info.is_group);
	EXPECT_FALSE(self->info.is_list);
	EXPECT_EQ(0, self->info.nr);
	ASSERT_TRUE(read_info(self->base.list, &self->info));
	EXPECT_TRUE(self->info.is_list);
	EXPECT_FALSE(self->info.is_group);
	EXPECT_EQ(0, self->info.nr);
	EXPECT_EQ(self->base.list_info.id, self->info.list_id);
	EXPECT_EQ(self->base.list_info.entries, self->info.entries);
	EXPECT_EQ(0, self->info.queued);
	EXPECT_EQ(0, self->info.waiters);
	EXPECT_EQ(0, self->info.lost);
}

static void read_byte(struct ut_thread *thread)
{
	char byte;

	ut_yield(0);
	ut_yield(0);
	thread->ret = read(*(int *)thread->arg, &byte, 1);
}

static void do_nothing(struct ut_thread *thread)
{
}

TEST_F(fdinfo, shows_each_state_with_thread_and_counters)
{
	struct ut_thread *blocked = &self->worker[0];
	struct ut_thread *ready = &self->worker[1];
	struct ut_thread *ended = &self->worker[2];
	struct ut_base *base = &self->base;
	struct info *info = &self->info;
	const struct shown *shown;
	struct ums_event event;
	__u64 created, seq;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_ctx_create(base->group, 0, &created));
	ASSERT_EQ(0, ut_spawn_worker(base, blocked, read_byte, &self->fd[0]));
	ASSERT_EQ(1, ut_next_of(base, blocked->ctx, &event));
	ASSERT_EQ(0, ut_spawn_worker(base, ended, do_nothing, NULL));
	ASSERT_EQ(0, ut_finish(base, ended->ctx));
	ut_join(ended);
	ASSERT_EQ(0, ut_spawn_worker(base, ready, do_nothing, NULL));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(base, ready->ctx) ==
			    UMS_STATE_READY));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_execute(base->group, blocked->ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_execute(base->group, blocked->ctx, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_execute(base->group, blocked->ctx, &event));
	ASSERT_EQ(UMS_CAUSE_SYSCALL, event.cause);
	seq = event.seq;

	ASSERT_TRUE(read_info(base->group, info));
	EXPECT_EQ(5, info->nr);
	shown = find(info, base->sched);
	ASSERT_TRUE(is_in_state(shown, "scheduler", "running", gettid()));
	EXPECT_EQ((uint32_t)base->sched, shown->vp);
	EXPECT_EQ(base->list_info.id, shown->list);

	shown = find(info, created);
	ASSERT_TRUE(is_in_state(shown, "none", "created", 0));
	EXPECT_EQ(0, shown->list);
	EXPECT_EQ(0, shown->vp);
	EXPECT_TRUE(has_stats(shown, 0, 0, 0, 0));

	shown = find(info, blocked->ctx);
	ASSERT_TRUE(is_in_state(shown, "worker", "blocked", blocked->tid));
	EXPECT_EQ(base->list_info.id, shown->list);
	EXPECT_EQ(0, shown->vp);
	EXPECT_EQ(seq, shown->seq);
	EXPECT_TRUE(has_stats(shown, 3, 1, 2, 0));

	shown = find(info, ready->ctx);
	ASSERT_TRUE(is_in_state(shown, "worker", "ready", ready->tid));
	EXPECT_EQ(0, shown->vp);
	EXPECT_TRUE(has_stats(shown, 0, 0, 0, 0));

	shown = find(info, ended->ctx);
	ASSERT_TRUE(is_in_state(shown, "worker", "terminated", 0));
	EXPECT_EQ(0, shown->vp);

	ASSERT_TRUE(read_info(base->list, info));
	EXPECT_EQ(1, info->queued);
	EXPECT_TRUE(is_in_state(find(info, ready->ctx), "worker", "ready",
				ready->tid));
	EXPECT_EQ(NULL, find(info, created));

	ASSERT_EQ(0, ut_finish(base, ready->ctx));
	ASSERT_EQ(1, write(self->fd[1], "x", 1));
	ASSERT_TRUE(UT_WAIT(read_info(base->group, info) &&
			    find(info, blocked->ctx)->switches.late));
	EXPECT_EQ(1, find(info, blocked->ctx)->switches.recorded);
	EXPECT_EQ(1, find(info, blocked->ctx)->switches.late);
	ASSERT_EQ(0, ut_finish(base, blocked->ctx));
	ut_join(ready);
	ut_join(blocked);
}

static void spin(struct ut_thread *thread)
{
	UT_STORE(thread->ret, 1);
	while (!UT_LOAD(*(uint32_t *)thread->arg))
		;
}

static void run_one(struct ut_thread *thread)
{
	struct ums_event event;

	if (ut_dequeue(thread->base->list, &event, 1, -1) == 1)
		thread->ret = ut_execute(thread->base->group, event.ctx,
					 &event);
	if (thread->ret == UMS_REASON_BLOCKED)
		thread->ret = ut_finish(thread->base, event.ctx) ?:
			      UMS_REASON_TERMINATED;
}

TEST_F(fdinfo, shows_the_processor_that_a_worker_runs_on)
{
	struct ut_thread *scheduler = &self->scheduler;
	struct ut_thread *worker = &self->worker[0];
	struct ut_base *base = &self->base;
	struct info *info = &self->info;
	const struct shown *shown;

	ASSERT_EQ(0, ut_spawn(base, scheduler, UMS_ROLE_SCHEDULER, run_one,
			      NULL));
	/* It waits for something to do */
	ASSERT_TRUE(UT_WAIT(read_info(base->list, info) && info->waiters == 1));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, spin, &self->stop));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(worker->ret)));

	ASSERT_TRUE(read_info(base->group, info));
	shown = find(info, worker->ctx);
	ASSERT_TRUE(is_in_state(shown, "worker", "running", worker->tid));
	EXPECT_EQ((uint32_t)scheduler->ctx, shown->vp);
	EXPECT_EQ(1, shown->stats.executed);
	shown = find(info, scheduler->ctx);
	ASSERT_TRUE(is_in_state(shown, "scheduler", "running", scheduler->tid));
	EXPECT_EQ((uint32_t)scheduler->ctx, shown->vp);
	ASSERT_TRUE(read_info(base->list, info));
	EXPECT_EQ(0, info->waiters);
	EXPECT_EQ(0, info->queued);

	UT_STORE(self->stop, 1);
	ut_join(scheduler);
	EXPECT_EQ(UMS_REASON_TERMINATED, scheduler->ret);
	ut_join(worker);
}

TEST_F(fdinfo, of_a_list_shows_its_own_contexts_only)
{
	struct ut_thread *here = &self->worker[0];
	struct ut_thread *there = &self->worker[1];
	struct ums_list_create create;
	struct ut_base *base = &self->base;
	struct info *info = &self->info;
	struct ums_event event;
	int list;

	list = ut_list_create(base->group, &create);
	ASSERT_LE(0, list);
	EXPECT_NE(base->list_info.id, create.id);
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, here, do_nothing, NULL));
	ASSERT_EQ(0, ut_spawn_on(base, there, list, UMS_ROLE_WORKER,
				 do_nothing, NULL));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(base, here->ctx) ==
			    UMS_STATE_READY));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(base, there->ctx) ==
			    UMS_STATE_READY));
	ASSERT_TRUE(read_info(base->list, info));
	EXPECT_EQ(2, info->nr);
	EXPECT_NE(NULL, find(info, here->ctx));
	EXPECT_NE(NULL, find(info, base->sched));
	ASSERT_TRUE(read_info(list, info));
	EXPECT_EQ(1, info->nr);
	EXPECT_EQ(create.id, info->list_id);
	EXPECT_EQ(create.id, find(info, there->ctx)->list);
	EXPECT_EQ(1, info->queued);

	ASSERT_EQ(0, ut_finish(base, here->ctx));
	ASSERT_EQ(1, ut_dequeue(list, &event, 1, UT_LIMIT_MS));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, there->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(here);
	ut_join(there);
	close(list);
}

TEST_HARNESS_MAIN
