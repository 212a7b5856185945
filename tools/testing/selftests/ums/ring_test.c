// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: the completion list as memory. Buffers of ums_dequeue() that fault lose
 * nothing; user space may take entries off the ring by itself; whatever it
 * scribbles there costs it no more than its own events.
 */
#include <sched.h>

#include "../kselftest_harness.h"
#include "common.h"

#define NR_WORKERS	8

FIXTURE(ring)
{
	struct ut_base base;
	struct ut_thread workers[NR_WORKERS];
	size_t page;
	/* Two pages, behind them one that is not there */
	char *buf;
};

FIXTURE_SETUP(ring)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, NR_WORKERS + 6, 0));
	self->page = sysconf(_SC_PAGESIZE);
	self->buf = mmap(NULL, self->page * 3, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->buf);
	ASSERT_EQ(0, munmap(self->buf + self->page * 2, self->page));
}

FIXTURE_TEARDOWN(ring)
{
	ut_base_close(&self->base);
}

static void return_at_once(struct ut_thread *thread)
{
}

/* Queue a READY event; false if it does not arrive */
static bool queue_one(struct ut_base *base, struct ut_thread *worker)
{
	__u32 tail = UT_LOAD(base->ring->tail);

	return !ut_spawn_worker(base, worker, return_at_once, NULL) &&
	       UT_WAIT(UT_LOAD(base->ring->tail) != tail);
}

static bool queue_all(struct ut_base *base, struct ut_thread *workers)
{
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		if (!queue_one(base, &workers[i]))
			return false;
	return true;
}

/* As the comment at struct ums_ring says; UT_NONE when empty */
static __u64 pop(struct ut_base *base)
{
	struct ums_ring *ring = base->ring;
	__u32 mask = base->list_info.entries - 1;
	__u32 head = UT_LOAD(ring->head);
	__u64 ctx;

	do {
		if (head == UT_LOAD(ring->tail))
			return UT_NONE;
		ctx = UT_LOAD(ring->ctx[head & mask]);
	} while (!__atomic_compare_exchange_n(&ring->head, &head, head + 1,
					      false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return ctx;
}

TEST_F(ring, faulting_buffers_lose_nothing)
{
	struct ums_event event, *events = (void *)self->buf;
	void *bad[] = {
		NULL, (void *)8, (void *)0xffff888000000000,
		self->buf, self->buf + self->page * 2,
		self->buf + self->page * 2 - 8,
	};
	struct ut_base *base = &self->base;
	unsigned int i;

	ASSERT_TRUE(queue_all(base, self->workers));
	ASSERT_EQ(0, mprotect(self->buf, self->page, PROT_READ));
	for (i = 0; i < ARRAY_SIZE(bad) * 2; i++) {
		EXPECT_EQ(-EFAULT, ut_dequeue(base->list, bad[i / 2],
					      1 + i % 2 * NR_WORKERS,
					      UT_LIMIT_MS))
			TH_LOG("buffer %u", i);
		EXPECT_EQ(0, ut_dequeue(base->list, NULL, 0, 0));
	}
	ASSERT_EQ(0, mprotect(self->buf, self->page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(NR_WORKERS, ut_dequeue(base->list, events, NR_WORKERS, 0));
	for (i = 0; i < NR_WORKERS; i++) {
		EXPECT_EQ(self->workers[i].ctx, events[i].ctx);
		EXPECT_EQ(UMS_REASON_READY, events[i].reason);
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
}

TEST_F(ring, buffer_that_ends_early_takes_what_fits)
{
	size_t size = sizeof(struct ums_event);
	struct ums_event *events = (void *)(self->buf + self->page * 2 -
					    3 * size - size / 2);
	struct ut_base *base = &self->base;
	unsigned int i, done;

	ASSERT_TRUE(queue_all(base, self->workers));
	for (done = 0; done < NR_WORKERS; done += 3) {
		unsigned int n = NR_WORKERS - done < 3 ? NR_WORKERS - done : 3;

		EXPECT_EQ(n, ut_dequeue(base->list, events, NR_WORKERS, 0));
		for (i = 0; i < n; i++)
			EXPECT_EQ(self->workers[done + i].ctx, events[i].ctx);
		/* Not one fits here */
		if (done + n < NR_WORKERS)
			EXPECT_EQ(-EFAULT, ut_dequeue(base->list, events + 3,
						      NR_WORKERS, 0));
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, events, 1, 0));
}

TEST_F(ring, nothing_is_written_behind_the_last_event)
{
	struct ums_event *events = (void *)self->buf;
	size_t i;

	ASSERT_TRUE(queue_one(&self->base, &self->workers[0]));
	memset(self->buf, 0x5a, self->page);
	EXPECT_EQ(1, ut_dequeue(self->base.list, events, 4, 0));
	for (i = sizeof(*events); i < self->page; i++)
		ASSERT_EQ(0x5a, self->buf[i]);
}

TEST_F(ring, user_space_may_take_entries_itself)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	unsigned int i;
	__u64 ctx;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_TRUE(queue_all(base, self->workers));
	/* Every other one by the kernel */
	for (i = 0; i < NR_WORKERS; i++) {
		if (i % 2) {
			ASSERT_EQ(1, ut_dequeue(base->list, &event, 1, 0));
			ctx = event.ctx;
		} else {
			ctx = pop(base);
		}
		ASSERT_EQ(self->workers[i].ctx, ctx);
		EXPECT_EQ(UMS_REASON_READY,
			  ut_slot(base, ctx)->event_reason);
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, ctx, &event,
				    UMS_REASON_TERMINATED));
		ut_join(&self->workers[i]);
	}
	EXPECT_EQ(UT_NONE, pop(base));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	EXPECT_EQ(0, UT_LOAD(base->ring->lost));
}

/* Runs often, so that the ring wraps many times */
static void yield_and_block(struct ut_thread *thread)
{
	struct timespec ts = { .tv_nsec = 1 };
	int i;

	for (i = 0; i < 50; i++) {
		nanosleep(&ts, NULL);
		if (i % 8 == 0)
			ut_yield(0);
	}
}

struct consumers {
	struct ut_base *base;
	unsigned int terminated;
	unsigned int popped;
	unsigned int dequeued;
	unsigned int errors;
};

static void consume(struct consumers *consumers, bool by_hand)
{
	struct ut_base *base = consumers->base;
	struct ums_event event;
	__u64 ctx;
	long ret;

	while (UT_LOAD(consumers->terminated) < NR_WORKERS) {
		if (by_hand) {
			ctx = pop(base);
			if (ctx == UT_NONE) {
				ut_dequeue(base->list, NULL, 0, 5);
				continue;
			}
			UT_INC(consumers->popped);
		} else {
			if (ut_dequeue(base->list, &event, 1, 5) != 1)
				continue;
			ctx = event.ctx;
			UT_INC(consumers->dequeued);
		}
		do {
			ret = ut_execute(base->group, ctx, &event);
		} while (ret == -EAGAIN || ret == UMS_REASON_YIELDED);
		if (ret == UMS_REASON_TERMINATED)
			UT_INC(consumers->terminated);
		else if (ret != UMS_REASON_BLOCKED)
			UT_INC(consumers->errors);
	}
}

static void consume_by_hand(struct ut_thread *thread)
{
	consume(thread->arg, true);
}

static void consume_by_call(struct ut_thread *thread)
{
	consume(thread->arg, false);
}

TEST_F(ring, user_space_and_kernel_take_side_by_side)
{
	struct consumers consumers = { .base = &self->base };
	struct ut_base *base = &self->base;
	struct ut_thread scheds[4];
	struct ums_event event;
	__u64 blocked = 0;
	unsigned int i;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < ARRAY_SIZE(scheds); i++)
		ASSERT_EQ(0, ut_spawn(base, &scheds[i], UMS_ROLE_SCHEDULER,
				      i % 2 ? consume_by_hand : consume_by_call,
				      &consumers));
	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &self->workers[i],
					     yield_and_block, NULL));
	for (i = 0; i < ARRAY_SIZE(scheds); i++)
		ut_join(&scheds[i]);
	EXPECT_EQ(0, consumers.errors);
	EXPECT_LT(0, consumers.popped);
	EXPECT_LT(0, consumers.dequeued);
	for (i = 0; i < NR_WORKERS; i++) {
		blocked += ut_slot(base, self->workers[i].ctx)->blocked;
		ut_join(&self->workers[i]);
	}
	/* One READY each at first and after each block */
	EXPECT_EQ(blocked + NR_WORKERS,
		  consumers.popped + consumers.dequeued);
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	EXPECT_EQ(0, UT_LOAD(base->ring->lost));
}

/*
 * Until it is told. How often it blocks is not for it to say: a sleep is over
 * before it began where the way there takes longer.
 */
static void block_and_yield_on(struct ut_thread *thread)
{
	struct timespec ts = { .tv_nsec = 1 };
	int i, *done = thread->arg;

	while (!UT_LOAD(*done)) {
		for (i = 0; i < 8; i++)
			nanosleep(&ts, NULL);
		ut_yield(0);
	}
}

/* Who knows an id need not read the event first: then it counts as read */
TEST_F(ring, executing_counts_as_reading)
{
	struct ut_thread *worker = &self->workers[0];
	struct ut_base *base = &self->base;
	struct ums_event event;
	int done = 0;
	long ret;

	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, block_and_yield_on, &done));
	do {
		ASSERT_TRUE(UT_WAIT(ut_slot_state(base, worker->ctx) ==
				    UMS_STATE_READY));
		/* It may have had something to do before it could park */
		do {
			ret = ut_execute(base->group, worker->ctx, &event);
		} while (ret == -EAGAIN || ret == -EINTR);
		ASSERT_TRUE(ret == UMS_REASON_BLOCKED ||
			    ret == UMS_REASON_YIELDED) TH_LOG("%ld", ret);
		if (ret == UMS_REASON_YIELDED)
			EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1,
						      0));
	} while (UT_LOAD(ut_slot(base, worker->ctx)->blocked) < 20);
	/* Of all those blocks only the last one may still have news */
	if (ret == UMS_REASON_BLOCKED) {
		EXPECT_EQ(1, ut_dequeue(base->list, &event, 1, UT_LIMIT_MS));
		EXPECT_EQ(worker->ctx, event.ctx);
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
	EXPECT_EQ(0, UT_LOAD(base->ring->lost));
	UT_STORE(done, 1);
	do {
		ret = ut_run_to(base, worker->ctx, &event,
				UMS_REASON_TERMINATED);
	} while (ret == UMS_REASON_YIELDED || ret == -EINTR);
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(worker);
}

TEST_F(ring, entry_of_a_deleted_context_is_withdrawn)
{
	struct ut_base *base = &self->base;
	__u32 mask = base->list_info.entries - 1, head;
	struct ut_thread *worker = &self->workers[0];
	struct ums_event event;
	__u64 ctx;

	/* Released, it terminates before its READY was read */
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_TRUE(queue_one(base, worker));
	ASSERT_TRUE(queue_one(base, &self->workers[1]));
	ASSERT_EQ(0, ut_detach());
	ut_join(worker);
	ut_join(&self->workers[1]);
	ASSERT_TRUE(UT_WAIT(ut_state(base->group, worker->ctx) ==
			    UMS_STATE_TERMINATED));
	ASSERT_EQ(0, ut_ctx_delete(base->group, worker->ctx));

	for (head = base->ring->head; head != UT_LOAD(base->ring->tail);
	     head++) {
		ctx = base->ring->ctx[head & mask];
		EXPECT_NE(worker->ctx, ctx);
	}
	while (ut_dequeue(base->list, &event, 1, 0) == 1) {
		EXPECT_EQ(self->workers[1].ctx, event.ctx);
		EXPECT_EQ(UMS_REASON_TERMINATED, event.reason);
	}
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
}

/* Read what there is, in spite of an overflow; -1 if that does not end */
static int drain(struct ut_base *base, unsigned int *overflows)
{
	struct ums_event event;
	int events = 0;
	unsigned int i;
	long ret;

	*overflows = 0;
	for (i = 0; i < 10000; i++) {
		ret = ut_dequeue(base->list, &event, 1, 0);
		if (ret == -EAGAIN)
			return events;
		if (ret == -EOVERFLOW)
			++*overflows;
		else if (ret == 1)
			events++;
		else
			return ret;
	}
	return -1;
}

TEST_F(ring, impossible_heads_are_reported_once)
{
	static const __u32 offsets[] = {
		1, 2, 1000, 0x7fffffff, 0x80000000, 0xffffff00,
	};
	struct ut_base *base = &self->base;
	struct ums_event event;
	unsigned int i, overflows;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		ASSERT_TRUE(queue_one(base, &self->workers[i]));
		UT_STORE(base->ring->head, UT_LOAD(base->ring->tail) +
			 offsets[i]);
		EXPECT_EQ(-EOVERFLOW, ut_dequeue(base->list, &event, 1, 0));
		EXPECT_LE(0, drain(base, &overflows));
		EXPECT_EQ(0, overflows);
		EXPECT_EQ(UT_LOAD(base->ring->tail), base->ring->head);
	}
	EXPECT_LE(ARRAY_SIZE(offsets), UT_LOAD(base->ring->lost));
	/* And it goes on as if nothing had been */
	ASSERT_TRUE(queue_one(base, &self->workers[i]));
	EXPECT_EQ(1, ut_dequeue(base->list, &event, 1, 0));
	EXPECT_EQ(self->workers[i].ctx, event.ctx);
}

TEST_F(ring, impossible_head_wakes_nobody_for_ever)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	long ret;

	/* An empty list whose head says that it is not */
	UT_STORE(base->ring->head, 5);
	ret = ut_dequeue(base->list, NULL, 0, 0);
	EXPECT_TRUE(ret == 0 || ret == -EAGAIN || ret == -EOVERFLOW);
	do {
		ret = ut_dequeue(base->list, &event, 1, 10);
	} while (ret == -EOVERFLOW);
	EXPECT_EQ(-ETIMEDOUT, ret);
}

TEST_F(ring, event_read_twice_is_given_once)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	unsigned int i;

	ASSERT_TRUE(queue_all(base, self->workers));
	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_EQ(1, ut_dequeue(base->list, &event, 1, 0));
	/* Back to where nothing is unread any more */
	UT_STORE(base->ring->head, UT_LOAD(base->ring->tail) - NR_WORKERS);
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
}

TEST_F(ring, scribbled_entries_are_skipped)
{
	struct ut_base *base = &self->base;
	__u32 mask = base->list_info.entries - 1;
	struct ums_event events[NR_WORKERS];
	__u64 junk[NR_WORKERS] = {
		0, ~0ULL, 0xdeadbeef, 1ULL << 32, 0xffff888000000000,
		self->base.list, 0x100000001ULL << 20, 1,
	};
	unsigned int i;

	ASSERT_TRUE(queue_all(base, self->workers));
	for (i = 0; i < NR_WORKERS; i += 2)
		UT_STORE(base->ring->ctx[(base->ring->head + i) & mask],
			 junk[i]);
	EXPECT_EQ(NR_WORKERS / 2,
		  ut_dequeue(base->list, events, NR_WORKERS, 0));
	for (i = 0; i < NR_WORKERS / 2; i++)
		EXPECT_EQ(self->workers[i * 2 + 1].ctx, events[i].ctx);
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, events, 1, 0));
}

TEST_F(ring, words_that_the_kernel_writes_are_not_read_back)
{
	struct ut_base *base = &self->base;
	__u32 tail = UT_LOAD(base->ring->tail);
	struct ums_event events[2];

	ASSERT_TRUE(queue_one(base, &self->workers[0]));
	UT_STORE(base->ring->tail, tail + 1000);
	UT_STORE(base->ring->mask, ~0U);
	UT_STORE(base->ring->lost, ~0U);
	memset(base->slots, 0xff, base->slots_size);
	EXPECT_EQ(1, ut_dequeue(base->list, events, 2, 0));
	EXPECT_EQ(self->workers[0].ctx, events[0].ctx);
	EXPECT_EQ((uintptr_t)&self->workers[0], events[0].cookie);
	EXPECT_EQ(UMS_STATE_READY,
		  ut_state(base->group, self->workers[0].ctx));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, events, 2, 0));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
	EXPECT_EQ(-ETIMEDOUT, ut_dequeue(base->list, NULL, 0, 10));

	/* The next one corrects the tail */
	ASSERT_EQ(0, ut_spawn_worker(base, &self->workers[1], return_at_once,
				     NULL));
	EXPECT_EQ(1, ut_dequeue(base->list, events, 2, UT_LIMIT_MS));
	EXPECT_EQ(tail + 2, UT_LOAD(base->ring->tail));

	ASSERT_EQ(0, ut_base_schedule_here(base));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, self->workers[0].ctx, events,
			    UMS_REASON_TERMINATED));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, self->workers[1].ctx, events,
			    UMS_REASON_TERMINATED));
}

struct vandal {
	struct ut_base *base;
	int stop;
};

/* Overwrites all that user space can, all the time */
static void scribble(struct ut_thread *thread)
{
	struct vandal *vandal = thread->arg;
	__u32 *ring = (void *)vandal->base->ring;
	size_t words = vandal->base->ring_size / sizeof(*ring);
	size_t slots = sysconf(_SC_PAGESIZE) / sizeof(__u32);
	__u32 *slot = (void *)vandal->base->slots;
	unsigned int seed = 1;

	while (!UT_LOAD(vandal->stop)) {
		UT_STORE(ring[rand_r(&seed) % words], rand_r(&seed));
		UT_STORE(slot[rand_r(&seed) % slots], rand_r(&seed));
		if (rand_r(&seed) % 64 == 0)
			UT_STORE(vandal->base->ring->head, rand_r(&seed));
	}
}

static void nap_for_ever(struct ut_thread *thread)
{
	struct timespec ts = { .tv_nsec = 100 };

	for (;;) {
		nanosleep(&ts, NULL);
		ut_yield(0);
	}
}

TEST_F(ring, kernel_survives_a_vandal)
{
	__u64 end = ut_now_ns() + 2 * UT_NSEC_PER_SEC;
	struct ut_base kernel_switch, *base = &kernel_switch;
	struct vandal vandal = { .base = base };
	struct ums_event events[4];
	struct ut_thread thread;
	unsigned int i;
	long ret;

	if (ut_user_mode())
		SKIP(return, "the vDSO believes what is in the slots");
	/* With user switches the process may die of it: user_hostile_test */
	ASSERT_EQ(0, ut_base_open_flags(base, NR_WORKERS + 6, 0,
					UMS_SETUP_KERNEL_SWITCH));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &self->workers[i],
					     nap_for_ever, NULL));
	for (i = 0; i < NR_WORKERS; i++)
		ASSERT_TRUE(UT_WAIT(ut_state(base->group,
					     self->workers[i].ctx) ==
				    UMS_STATE_READY));
	ASSERT_EQ(0, ut_spawn(base, &thread, UMS_ROLE_NONE, scribble,
			      &vandal));
	while (ut_now_ns() < end) {
		ret = ut_dequeue(base->list, events, ARRAY_SIZE(events), 1);
		ASSERT_TRUE(ret > 0 || ret == -ETIMEDOUT ||
			    ret == -EOVERFLOW)
			TH_LOG("%ld", ret);
		/* Events get lost: execute without being told */
		for (i = 0; i < NR_WORKERS; i++) {
			ret = ut_execute(base->group, self->workers[i].ctx,
					 events);
			ASSERT_TRUE(ret == UMS_REASON_BLOCKED ||
				    ret == UMS_REASON_YIELDED ||
				    ret == -EINPROGRESS || ret == -EAGAIN)
				TH_LOG("%ld", ret);
		}
	}
	UT_STORE(vandal.stop, 1);
	ut_join(&thread);
}

TEST_HARNESS_MAIN
