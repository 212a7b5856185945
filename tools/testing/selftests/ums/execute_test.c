// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: ums_execute(). Its errors, what the events tell, worker to worker.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	16

FIXTURE(execute)
{
	struct ut_base base;
	int pipe[2];
};

FIXTURE_SETUP(execute)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CONTEXTS, 0));
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(execute)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

static void yield_for_ever(struct ut_thread *thread)
{
	__u64 i = 0;

	while (!ut_yield(i))
		i++;
}

static void read_a_byte(struct ut_thread *thread)
{
	int *pipe = thread->arg;
	char byte;

	thread->ret = read(pipe[0], &byte, 1);
}

TEST_F(execute, caller_must_be_attached_to_the_group)
{
	struct ut_base *base = &self->base, other;
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_spawn_worker(base, &worker, return_at_once, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	EXPECT_EQ(-ENOTCONN, ut_execute(base->group, worker.ctx, &event));
	ASSERT_EQ(0, ut_base_open(&other, 1, 0));
	ASSERT_EQ(0, ut_base_schedule_here(&other));
	EXPECT_EQ(-EXDEV, ut_execute(base->group, worker.ctx, &event));
	ASSERT_EQ(0, ut_detach());
	ut_base_close(&other);

	ASSERT_EQ(0, ut_base_schedule_here(base));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

TEST_F(execute, fd_must_be_of_a_group)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, return_at_once, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	EXPECT_EQ(-EBADF, ut_execute(-1, worker.ctx, &event));
	EXPECT_EQ(-EBADFD, ut_execute(base->list, worker.ctx, &event));
	EXPECT_EQ(-EBADFD, ut_execute(self->pipe[0], worker.ctx, &event));
	EXPECT_EQ(0, UT_LOAD(ut_slot(base, worker.ctx)->executed));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

TEST_F(execute, flags_are_refused)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	unsigned int bit;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, return_at_once, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	for (bit = 0; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, ut_execute_flags(base->group, worker.ctx,
						    &event, 1U << bit));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

TEST_F(execute, each_state_has_its_error)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker, sched;
	struct ums_event event;
	__u64 ctx;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	EXPECT_EQ(-ESRCH, ut_execute(base->group, 0, &event));
	EXPECT_EQ(-ESRCH, ut_execute(base->group, ~0ULL, &event));
	EXPECT_EQ(-EINVAL, ut_execute(base->group, base->sched, &event));

	ASSERT_EQ(0, ut_ctx_create(base->group, 0, &ctx));
	EXPECT_EQ(-ENXIO, ut_execute(base->group, ctx, &event));
	EXPECT_EQ(-ESRCH, ut_execute(base->group, ctx + (1ULL << 32), &event));
	ASSERT_EQ(0, ut_ctx_delete(base->group, ctx));
	EXPECT_EQ(-ESRCH, ut_execute(base->group, ctx, &event));

	ASSERT_EQ(0, ut_spawn_worker(base, &worker, read_a_byte, self->pipe));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker.ctx, &event, SYS_read));
	EXPECT_EQ(-EINPROGRESS, ut_execute(base->group, worker.ctx, &event));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	EXPECT_EQ(0, ut_finish(base, worker.ctx));
	EXPECT_EQ(-ESRCH, ut_execute(base->group, worker.ctx, &event));
	ut_join(&worker);

	/* Another scheduler, while it is attached and after */
	ASSERT_EQ(0, ut_spawn(base, &sched, UMS_ROLE_SCHEDULER, read_a_byte,
			      self->pipe));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(sched.attach_ret) == 0));
	EXPECT_EQ(-EINVAL, ut_execute(base->group, sched.ctx, &event));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ut_join(&sched);
	EXPECT_EQ(-EINVAL, ut_execute(base->group, sched.ctx, &event));
}

struct spin {
	struct ut_base *base;
	__u64 ctx;
	int running;
	int stop;
};

static void spin_until_told(struct ut_thread *thread)
{
	struct spin *spin = thread->arg;

	UT_STORE(spin->running, 1);
	while (!UT_LOAD(spin->stop))
		sched_yield();
}

static void execute_the_spinner(struct ut_thread *thread)
{
	struct spin *spin = thread->arg;
	struct ums_event event;

	thread->ret = ut_run_to(thread->base, spin->ctx, &event,
				UMS_REASON_TERMINATED);
}

TEST_F(execute, running_worker_is_busy)
{
	struct ut_base *base = &self->base;
	struct spin spin = { .base = base };
	struct ut_thread worker, sched;
	struct ums_event event;
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, spin_until_told, &spin));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	spin.ctx = worker.ctx;
	ASSERT_EQ(0, ut_spawn(base, &sched, UMS_ROLE_SCHEDULER,
			      execute_the_spinner, &spin));
	ASSERT_TRUE(UT_WAIT(UT_LOAD(spin.running)));
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(-EBUSY, ut_execute(base->group, worker.ctx, &event));
	UT_STORE(spin.stop, 1);
	ut_join(&sched);
	ut_join(&worker);
	EXPECT_EQ(UMS_REASON_TERMINATED, sched.ret);
}

static void execute_itself(struct ut_thread *thread)
{
	struct ums_event event;

	thread->ret = ut_execute(thread->base->group, thread->ctx, &event);
	if (thread->ret == -EINVAL)
		thread->ret = ut_execute(thread->base->group,
					 thread->base->sched, &event);
}

TEST_F(execute, worker_executes_neither_itself_nor_its_scheduler)
{
	struct ut_thread worker;

	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &worker, execute_itself,
				     NULL));
	EXPECT_EQ(0, ut_finish(&self->base, worker.ctx));
	ut_join(&worker);
	EXPECT_EQ(-EINVAL, worker.ret);
}

TEST_F(execute, event_that_can_not_be_written_costs_nothing)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	size_t page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, page * 2, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *bad[] = {
		(void *)8, map + page, map + page - 8,
		(void *)0xffff888000000000,
	};
	unsigned int i;

	ASSERT_NE(MAP_FAILED, (void *)map);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_READ));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yield_for_ever, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EFAULT, ut_execute(base->group, worker.ctx, bad[i]))
			TH_LOG("pointer %u", i);
		EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker.ctx));
		EXPECT_EQ(0, ut_slot(base, worker.ctx)->executed);
	}
	EXPECT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(0, event.arg);
	munmap(map, page * 2);
}

TEST_F(execute, event_may_be_left_out)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	struct ums_info info;
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yield_for_ever, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	for (i = 1; i < 10; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_execute(base->group, worker.ctx, NULL));
		ASSERT_EQ(0, ut_query(base->group, base->sched,
				      UMS_INFO_EVENT, &info));
		EXPECT_EQ(worker.ctx, info.event.ctx);
		EXPECT_EQ(i, info.event.arg);
	}
}

/* Takes the memory of its scheduler's event away while the scheduler waits */
static void unmap_and_yield(struct ut_thread *thread)
{
	thread->ret = munmap(thread->arg, sysconf(_SC_PAGESIZE));
	ut_yield(5);
}

TEST_F(execute, event_unmapped_meanwhile_is_still_in_the_slot)
{
	struct ut_base *base = &self->base;
	size_t page = sysconf(_SC_PAGESIZE);
	struct ums_event *map = mmap(NULL, page, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ut_thread worker;
	struct ums_event event;
	struct ums_info info;
	long ret;

	ASSERT_NE(MAP_FAILED, (void *)map);
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, unmap_and_yield, map));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	while ((ret = ut_execute(base->group, worker.ctx, map)) ==
	       UMS_REASON_BLOCKED)
		ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	/* It either tells the reason or that it could not store the event */
	EXPECT_TRUE(ret == UMS_REASON_YIELDED || ret == -EFAULT)
		TH_LOG("%ld", ret);
	EXPECT_EQ(0, worker.ret);
	ASSERT_EQ(0, ut_query(base->group, base->sched, UMS_INFO_EVENT,
			      &info));
	EXPECT_EQ(worker.ctx, info.event.ctx);
	EXPECT_EQ(UMS_REASON_YIELDED, info.event.reason);
	EXPECT_EQ(5, info.event.arg);
	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker.ctx));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

TEST_F(execute, events_tell_who_what_when_and_where)
{
	struct ut_base *base = &self->base;
	struct ums_context *slot;
	struct ums_event event, before;
	struct ut_thread worker;
	__u64 start, i;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpus), &cpus));
	start = ut_now_ns();

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yield_for_ever, NULL));
	slot = ut_slot(base, worker.ctx);
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &before));
	EXPECT_LE(start, before.time_ns);
	EXPECT_LE(1, before.seq);
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker.ctx, &event,
				    UMS_REASON_YIELDED));
		ASSERT_EQ(worker.ctx, event.ctx);
		ASSERT_EQ((uintptr_t)&worker, event.cookie);
		ASSERT_EQ(UMS_REASON_YIELDED, event.reason);
		ASSERT_EQ(UMS_CAUSE_NONE, event.cause);
		ASSERT_EQ(i, event.arg);
		ASSERT_LT(before.seq, event.seq);
		ASSERT_LE(before.time_ns, event.time_ns);
		ASSERT_GE(ut_now_ns(), event.time_ns);
		ASSERT_EQ(sched_getcpu(), event.cpu);
		before = event;
		/* The worker's slot shows the same */
		ASSERT_EQ(event.seq, UT_LOAD(slot->event_seq));
		ASSERT_EQ(event.ctx, slot->event_ctx);
		ASSERT_EQ(event.reason, slot->event_reason);
		ASSERT_EQ(event.arg, slot->event_arg);
		ASSERT_EQ(event.time_ns, slot->event_time_ns);
		/* And so does the scheduler's */
		slot = ut_slot(base, base->sched);
		ASSERT_EQ(event.ctx, slot->event_ctx);
		ASSERT_EQ(event.arg, slot->event_arg);
		slot = ut_slot(base, worker.ctx);
	}
}

TEST_F(execute, event_has_the_cookie_of_the_time)
{
	struct ut_base *base = &self->base;
	struct ums_info info = { .value = 4711 };
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yield_for_ever, NULL));
	/* On the list: that of the time when it is read */
	ASSERT_EQ(0, ut_dequeue(base->list, NULL, 0, UT_LIMIT_MS));
	info.ctx = worker.ctx;
	ASSERT_EQ(0, ut_ctl(UMS_CTL_SET, base->group, &info, sizeof(info)));
	ASSERT_EQ(1, ut_dequeue(base->list, &event, 1, UT_LIMIT_MS));
	EXPECT_EQ(4711, event.cookie);

	info.value = 4712;
	ASSERT_EQ(0, ut_ctl(UMS_CTL_SET, base->group, &info, sizeof(info)));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(4712, event.cookie);
}

static void yield_odd_values(struct ut_thread *thread)
{
	ut_yield(~0ULL);
	ut_yield(1ULL << 63);
	ut_yield(0);
}

TEST_F(execute, yield_passes_64_bits)
{
	static const __u64 values[] = { ~0ULL, 1ULL << 63, 0 };
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yield_odd_values, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker.ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(values[i], event.arg);
	}
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

/* Yields do not queue the worker: only who got the event knows of it */
TEST_F(execute, yielded_worker_is_not_on_the_list)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	__u32 tail;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yield_for_ever, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	tail = UT_LOAD(base->ring->tail);
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_execute(base->group, worker.ctx, &event));
	EXPECT_EQ(tail, UT_LOAD(base->ring->tail));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
}

struct chain {
	struct ut_thread threads[3];
	unsigned int order[16];
	unsigned int nr;
	struct ums_event untouched;
};

static void pass_on(struct ut_thread *thread)
{
	struct chain *chain = thread->arg;
	unsigned int me = thread - chain->threads, i;
	struct ums_event event;
	long ret;

	memset(&event, 0x55, sizeof(event));
	for (i = 0; i < 4; i++) {
		chain->order[chain->nr++] = me;
		ret = ut_execute(thread->base->group,
				 chain->threads[(me + 1) % 3].ctx, &event);
		if (ret || memcmp(&event, &chain->untouched, sizeof(event)))
			thread->ret = ret ?: 1;
	}
	/* Where it ends depends on who was started: back to the scheduler */
	ut_yield(me);
}

TEST_F(execute, workers_hand_over_directly)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	struct chain chain = {};
	unsigned int i;
	__u32 tail;

	memset(&chain.untouched, 0x55, sizeof(chain.untouched));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ut_spawn_worker(base, &chain.threads[i], pass_on,
					     &chain));
		ASSERT_EQ(1, ut_next_of(base, chain.threads[i].ctx, &event));
	}
	tail = UT_LOAD(base->ring->tail);

	/* 0 1 2 0 1 2 ... until 0 has been through its loop and yields */
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_execute(base->group, chain.threads[0].ctx, &event));
	EXPECT_EQ(chain.threads[0].ctx, event.ctx);
	EXPECT_EQ(0, event.arg);
	EXPECT_EQ(tail, UT_LOAD(base->ring->tail));
	EXPECT_EQ(12, chain.nr);
	for (i = 0; i < chain.nr; i++)
		EXPECT_EQ(i % 3, chain.order[i]);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(UMS_STATE_READY,
			  ut_slot_state(base, chain.threads[i].ctx));
		EXPECT_EQ(4 + !i,
			  ut_slot(base, chain.threads[i].ctx)->yielded);
		EXPECT_EQ(0, chain.threads[i].ret);
	}
	EXPECT_EQ((__u32)base->sched, ut_slot(base, base->sched)->running);
}

static void hand_to_blocker(struct ut_thread *thread)
{
	struct ut_thread *blocker = thread->arg;

	thread->ret = ut_execute(thread->base->group, blocker->ctx, NULL);
}

TEST_F(execute, event_is_of_the_worker_that_had_the_vp_last)
{
	struct ut_base *base = &self->base;
	struct ut_thread first, blocker;
	struct ums_event event;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &blocker, read_a_byte,
				     self->pipe));
	ASSERT_EQ(0, ut_spawn_worker(base, &first, hand_to_blocker, &blocker));
	ASSERT_EQ(1, ut_next_of(base, blocker.ctx, &event));
	ASSERT_EQ(1, ut_next_of(base, first.ctx, &event));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_execute(base->group, first.ctx, &event));
	EXPECT_EQ(blocker.ctx, event.ctx);
	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, first.ctx));
	/* The blocked one has no VP: the first must be executed by hand */
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, first.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(0, first.ret);
	ut_join(&first);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	EXPECT_EQ(0, ut_finish(base, blocker.ctx));
	ut_join(&blocker);
}

TEST_HARNESS_MAIN
