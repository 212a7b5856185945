// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: several schedulers at a time. One worker has one VP, whoever wants it;
 * several schedulers on a list, several lists in a group; workers that hand
 * over to each other from several VPs.
 */
#include <sched.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_SCHEDULERS	4
/* A race is over after so many rounds, or when it has lasted this long */
#define ENOUGH_NS	(10 * UT_NSEC_PER_SEC)
#define MAX_WORKERS	16

FIXTURE(race)
{
	struct ut_base base;
};

FIXTURE_VARIANT(race)
{
	unsigned int schedulers;
	unsigned int rounds;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(race, two) {
	/* clang-format on */
	.schedulers = 2,
	.rounds = 2000,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(race, four) {
	/* clang-format on */
	.schedulers = 4,
	.rounds = 1000,
};

FIXTURE_SETUP(race)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, 64, 0));
}

FIXTURE_TEARDOWN(race)
{
	ut_base_close(&self->base);
}

/* A worker that stays until all but one of the schedulers have lost */
struct contest {
	struct ut_thread worker;
	pthread_barrier_t barrier;
	unsigned int schedulers;
	unsigned int rounds;
	unsigned int lost;
	unsigned int won;
	unsigned int errors;
	__u64 end;
};

static void run_when_all_have_lost(struct ut_thread *thread)
{
	struct contest *contest = thread->arg;
	unsigned int i;

	for (i = 0; !ut_yield(i); i++)
		while (UT_LOAD(contest->lost) !=
		       (i + 1) * (contest->schedulers - 1))
			sched_yield();
}

static void contend(struct ut_thread *thread)
{
	struct contest *contest = thread->arg;
	struct ums_event event;
	unsigned int i;
	long ret;

	for (i = 0; i < contest->rounds; i++) {
		/* The decision is taken before anybody comes to the next */
		bool last = UT_LOAD(contest->errors) ||
			    ut_now_ns() > contest->end;

		if (pthread_barrier_wait(&contest->barrier) ==
		    PTHREAD_BARRIER_SERIAL_THREAD && last)
			UT_STORE(contest->rounds, 0);
		pthread_barrier_wait(&contest->barrier);
		if (!UT_LOAD(contest->rounds))
			break;
		/* It may block by accident, then all try again */
		do {
			ret = ut_execute(thread->base->group,
					 contest->worker.ctx, &event);
		} while (ret == -EAGAIN || ret == -EINPROGRESS ||
			 ret == UMS_REASON_BLOCKED);
		if (ret == UMS_REASON_YIELDED && event.arg == i + 1)
			UT_INC(contest->won);
		else if (ret == -EBUSY)
			UT_INC(contest->lost);
		else
			UT_INC(contest->errors);
	}
	thread->ret = i;
}

TEST_F(race, worker_has_one_winner)
{
	struct ut_base *base = &self->base;
	struct ut_thread scheds[MAX_SCHEDULERS];
	struct contest contest = {
		.schedulers = variant->schedulers,
		.rounds = variant->rounds,
		.end = ut_now_ns() + ENOUGH_NS,
	};
	struct ums_event event;
	unsigned int i;

	ASSERT_EQ(0, pthread_barrier_init(&contest.barrier, NULL,
					  variant->schedulers));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &contest.worker,
				     run_when_all_have_lost, &contest));
	ASSERT_EQ(1, ut_next_of(base, contest.worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, contest.worker.ctx, &event,
			    UMS_REASON_YIELDED));
	for (i = 0; i < variant->schedulers; i++)
		ASSERT_EQ(0, ut_spawn(base, &scheds[i], UMS_ROLE_SCHEDULER,
				      contend, &contest));
	for (i = 0; i < variant->schedulers; i++)
		ut_join(&scheds[i]);
	EXPECT_EQ(0, contest.errors);
	EXPECT_LT(0, contest.won);
	for (i = 0; i < variant->schedulers; i++)
		EXPECT_EQ(contest.won, scheds[i].ret);
	EXPECT_EQ(contest.won * (variant->schedulers - 1), contest.lost);
	TH_LOG("%u rounds", contest.won);
}

#define MAX_YIELDS	8000

/* Everybody executes as fast as possible */
struct scramble {
	struct ut_thread worker;
	unsigned int yields;
	__u64 end;
	unsigned int inside;
	unsigned int errors;
	unsigned int finished;
	__u8 seen[MAX_YIELDS];
};

static void yield_numbers(struct ut_thread *thread)
{
	struct scramble *scramble = thread->arg;
	unsigned int i;

	for (i = 0; i < MAX_YIELDS && ut_now_ns() < scramble->end; i++) {
		if (UT_INC(scramble->inside) != 1)
			UT_INC(scramble->errors);
		__atomic_sub_fetch(&scramble->inside, 1, __ATOMIC_ACQ_REL);
		ut_yield(i);
	}
	scramble->yields = i;
}

static void grab(struct ut_thread *thread)
{
	struct scramble *scramble = thread->arg;
	__u64 ctx = scramble->worker.ctx;
	struct ums_event event;

	while (!UT_LOAD(scramble->finished)) {
		switch (ut_execute(thread->base->group, ctx, &event)) {
		case UMS_REASON_YIELDED:
			if (event.arg >= MAX_YIELDS ||
			    UT_INC(scramble->seen[event.arg]) != 1)
				UT_INC(scramble->errors);
			thread->ret++;
			break;
		case UMS_REASON_TERMINATED:
			UT_INC(scramble->finished);
			break;
		case UMS_REASON_BLOCKED:
		case -EBUSY:
		case -EAGAIN:
		case -EINPROGRESS:
		case -ESRCH:
			sched_yield();
			break;
		default:
			UT_INC(scramble->errors);
			UT_INC(scramble->finished);
		}
	}
}

TEST_F(race, each_yield_is_reported_once)
{
	struct ut_base *base = &self->base;
	struct ut_thread scheds[MAX_SCHEDULERS];
	static struct scramble scramble;
	unsigned int i, n = variant->schedulers;
	struct ums_event event;
	long sum = 0;

	scramble.end = ut_now_ns() + ENOUGH_NS;
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &scramble.worker, yield_numbers,
				     &scramble));
	ASSERT_EQ(1, ut_next_of(base, scramble.worker.ctx, &event));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ut_spawn(base, &scheds[i], UMS_ROLE_SCHEDULER,
				      grab, &scramble));
	for (i = 0; i < n; i++) {
		ut_join(&scheds[i]);
		sum += scheds[i].ret;
	}
	EXPECT_EQ(0, scramble.errors);
	EXPECT_EQ(1, scramble.finished);
	EXPECT_LT(0, scramble.yields);
	EXPECT_EQ(scramble.yields, sum);
	TH_LOG("%u yields", scramble.yields);
	for (i = 0; i < scramble.yields; i++)
		ASSERT_EQ(1, scramble.seen[i]);
	ut_join(&scramble.worker);
}

/* Workers that yield and block, run by whoever comes by */
struct crowd {
	struct ut_thread workers[MAX_WORKERS];
	struct ut_base *base;
	int pipe[2];
	int lists[2];
	unsigned int loops;
	unsigned int terminated;
	unsigned int inside[MAX_WORKERS];
	unsigned int errors;
	/* Contexts that yielded */
	pthread_mutex_t lock;
	__u64 ready[MAX_WORKERS];
	unsigned int nr_ready;
};

static void work_in_the_crowd(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;
	unsigned int me = thread - crowd->workers, i;
	char byte = 'x';

	for (i = 0; i < crowd->loops; i++) {
		if (UT_INC(crowd->inside[me]) != 1)
			UT_INC(crowd->errors);
		__atomic_sub_fetch(&crowd->inside[me], 1, __ATOMIC_ACQ_REL);

		/* Half of them read what the other half writes */
		if (me % 2 && read(crowd->pipe[0], &byte, 1) != 1)
			UT_INC(crowd->errors);
		if (me % 2 == 0 && write(crowd->pipe[1], &byte, 1) != 1)
			UT_INC(crowd->errors);
		if (i % 3 == 0)
			ut_yield(i);
	}
}

static __u64 pop_ready(struct crowd *crowd)
{
	__u64 ctx = UT_NONE;

	pthread_mutex_lock(&crowd->lock);
	if (crowd->nr_ready) {
		ctx = crowd->ready[0];
		memmove(crowd->ready, crowd->ready + 1,
			--crowd->nr_ready * sizeof(ctx));
	}
	pthread_mutex_unlock(&crowd->lock);
	return ctx;
}

static void push_ready(struct crowd *crowd, __u64 ctx)
{
	pthread_mutex_lock(&crowd->lock);
	if (crowd->nr_ready < MAX_WORKERS)
		crowd->ready[crowd->nr_ready++] = ctx;
	else
		UT_INC(crowd->errors);
	pthread_mutex_unlock(&crowd->lock);
}

static void schedule_the_crowd(struct ut_thread *thread)
{
	struct crowd *crowd = thread->arg;
	struct ums_event event;
	__u64 ctx;
	long ret;

	while (UT_LOAD(crowd->terminated) < MAX_WORKERS) {
		ctx = pop_ready(crowd);
		if (ctx == UT_NONE) {
			ret = ut_dequeue(thread->list, &event, 1, 5);
			if (ret == -ETIMEDOUT)
				continue;
			if (ret != 1 || event.reason != UMS_REASON_READY) {
				UT_INC(crowd->errors);
				continue;
			}
			ctx = event.ctx;
		}
		do {
			ret = ut_execute(crowd->base->group, ctx, &event);
		} while (ret == -EAGAIN);
		switch (ret) {
		case UMS_REASON_BLOCKED:
			break;
		case UMS_REASON_YIELDED:
			push_ready(crowd, event.ctx);
			break;
		case UMS_REASON_TERMINATED:
			UT_INC(crowd->terminated);
			break;
		default:
			UT_INC(crowd->errors);
			UT_INC(crowd->terminated);
		}
	}
}

TEST_F(race, schedulers_share_lists_and_workers)
{
	static struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct ut_thread scheds[MAX_SCHEDULERS];
	unsigned int i, n = variant->schedulers;
	struct ut_base *base = &self->base;

	crowd.base = base;
	crowd.loops = 100;
	crowd.lists[0] = base->list;
	/* Two lists with half of the schedulers each */
	crowd.lists[1] = ut_list_create(base->group, NULL);
	ASSERT_LE(0, crowd.lists[1]);
	ASSERT_EQ(0, pipe(crowd.pipe));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < MAX_WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_on(base, &crowd.workers[i],
					 crowd.lists[i / 2 % 2],
					 UMS_ROLE_WORKER, work_in_the_crowd,
					 &crowd));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ut_spawn_on(base, &scheds[i], crowd.lists[i % 2],
					 UMS_ROLE_SCHEDULER,
					 schedule_the_crowd, &crowd));
	for (i = 0; i < n; i++)
		ut_join(&scheds[i]);
	EXPECT_EQ(0, crowd.errors);
	EXPECT_EQ(MAX_WORKERS, crowd.terminated);
	for (i = 0; i < MAX_WORKERS; i++)
		ut_join(&crowd.workers[i]);
	EXPECT_EQ(-EAGAIN, ut_dequeue(crowd.lists[0], NULL, 0, 0));
	EXPECT_EQ(-EAGAIN, ut_dequeue(crowd.lists[1], NULL, 0, 0));
}

/* Workers that execute each other; a caller is known to nobody but all try */
struct ring {
	struct ut_thread workers[MAX_WORKERS];
	unsigned int inside[MAX_WORKERS];
	unsigned int loops;
	__u64 end;
	unsigned int done;
	unsigned int handovers;
	unsigned int errors;
};

static void execute_others(struct ut_thread *thread)
{
	struct ring *ring = thread->arg;
	unsigned int me = thread - ring->workers, i, seed = me;

	for (i = 0; i < ring->loops && ut_now_ns() < ring->end; i++) {
		struct ut_thread *other;

		if (UT_INC(ring->inside[me]) != 1)
			UT_INC(ring->errors);
		__atomic_sub_fetch(&ring->inside[me], 1, __ATOMIC_ACQ_REL);
		other = &ring->workers[rand_r(&seed) % MAX_WORKERS];
		if (other == thread)
			continue;
		switch (ut_execute(thread->base->group, other->ctx, NULL)) {
		case 0:
			UT_INC(ring->handovers);
			break;
		default:
			UT_INC(ring->errors);
			break;
		case -EBUSY:
		case -EAGAIN:
		case -EINPROGRESS:
		case -ESRCH:
			ut_yield(0);
		}
	}
	UT_INC(ring->done);
}

static void execute_all_in_turn(struct ut_thread *thread)
{
	struct ring *ring = thread->arg;
	struct ums_event event;
	unsigned int i = 0;
	long ret;

	while (UT_LOAD(ring->done) < MAX_WORKERS) {
		__u64 ctx = ring->workers[i++ % MAX_WORKERS].ctx;

		/* What blocked by accident comes by the list */
		ut_dequeue(thread->list, &event, 1, 0);
		ret = ut_execute(thread->base->group, ctx, &event);
		if (ret < 0 && ret != -EBUSY && ret != -EAGAIN &&
		    ret != -EINPROGRESS && ret != -ESRCH)
			UT_INC(ring->errors);
	}
}

TEST_F(race, workers_of_several_vps_hand_over_to_each_other)
{
	struct ut_thread scheds[MAX_SCHEDULERS];
	static struct ring ring;
	unsigned int i, n = variant->schedulers;
	struct ut_base *base = &self->base;
	struct ums_event event;

	ring.loops = variant->rounds / 4;
	ring.end = ut_now_ns() + ENOUGH_NS;
	ASSERT_EQ(0, ut_base_schedule_here(base));
	for (i = 0; i < MAX_WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &ring.workers[i],
					     execute_others, &ring));
	for (i = 0; i < MAX_WORKERS; i++)
		ASSERT_EQ(1, ut_next_of(base, ring.workers[i].ctx, &event));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ut_spawn(base, &scheds[i], UMS_ROLE_SCHEDULER,
				      execute_all_in_turn, &ring));
	for (i = 0; i < n; i++)
		ut_join(&scheds[i]);
	EXPECT_EQ(0, ring.errors);
	EXPECT_LT(0, ring.handovers);
	TH_LOG("%u handovers", ring.handovers);
	/* Those that have been through their loop may lack a VP to exit */
	ASSERT_EQ(0, ut_detach());
	for (i = 0; i < MAX_WORKERS; i++)
		ut_join(&ring.workers[i]);
}

struct turns {
	struct ut_thread worker;
	struct ut_thread other;
	int turn;
	__u64 vp;
};

static void tell_the_vp(struct ut_thread *thread)
{
	struct turns *turns = thread->arg;

	do {
		turns->vp = UT_LOAD(ut_slot(thread->base, thread->ctx)->vp);
	} while (!ut_yield(0));
}

/* Execute it where it says that it is ready; true if it ran on our VP */
static bool take_a_turn(struct ut_base *base, struct turns *turns, __u64 self)
{
	struct ums_event event;

	return UT_WAIT(ut_state(base->group, turns->worker.ctx) ==
		       UMS_STATE_READY) &&
	       ut_execute(base->group, turns->worker.ctx, &event) > 0 &&
	       turns->vp == (__u32)self;
}

static void take_other_turns(struct ut_thread *thread)
{
	struct turns *turns = thread->arg;

	while (UT_LOAD(turns->turn) >= 0) {
		if (UT_LOAD(turns->turn) % 2 == 0) {
			sched_yield();
			continue;
		}
		thread->ret += take_a_turn(thread->base, turns, thread->ctx);
		UT_INC(turns->turn);
	}
}

TEST(worker_is_run_by_any_scheduler)
{
	struct turns turns = {};
	struct ut_base base;
	int i, ret = 0;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&base, 8, 0));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	ASSERT_EQ(0, ut_spawn_worker(&base, &turns.worker, tell_the_vp,
				     &turns));
	ASSERT_EQ(0, ut_spawn(&base, &turns.other, UMS_ROLE_SCHEDULER,
			      take_other_turns, &turns));
	for (i = 0; i < 100; i++) {
		ASSERT_TRUE(UT_WAIT(UT_LOAD(turns.turn) % 2 == 0));
		ret += take_a_turn(&base, &turns, base.sched);
		UT_INC(turns.turn);
	}
	ASSERT_TRUE(UT_WAIT(UT_LOAD(turns.turn) % 2 == 0));
	UT_STORE(turns.turn, -2);
	ut_join(&turns.other);
	EXPECT_EQ(100, ret);
	EXPECT_EQ(100, turns.other.ret);
}

/* One group, two lists: news of a worker comes by its own list only */
TEST(ready_comes_by_the_list_of_the_worker)
{
	struct ut_base base;
	struct ut_thread worker;
	struct ums_event event;
	static struct crowd crowd = { .loops = 1 };
	int other;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&base, 8, 0));
	other = ut_list_create(base.group, NULL);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, pipe(crowd.pipe));
	crowd.base = &base;

	/* The scheduler is of the base's list, the worker of the other */
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	ASSERT_EQ(0, ut_spawn_on(&base, &crowd.workers[1], other,
				 UMS_ROLE_WORKER, work_in_the_crowd, &crowd));
	worker = crowd.workers[1];
	ASSERT_EQ(1, ut_dequeue(other, &event, 1, UT_LIMIT_MS));
	EXPECT_EQ(worker.ctx, event.ctx);
	while (ut_execute(base.group, worker.ctx, &event) ==
		       UMS_REASON_BLOCKED &&
	       event.arg != SYS_read)
		ASSERT_EQ(1, ut_dequeue(other, &event, 1, UT_LIMIT_MS));
	ASSERT_EQ(1, write(crowd.pipe[1], "x", 1));
	ASSERT_EQ(1, ut_dequeue(other, &event, 1, UT_LIMIT_MS));
	EXPECT_EQ(worker.ctx, event.ctx);
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_EQ(-EAGAIN, ut_dequeue(base.list, &event, 1, 0));
}

TEST_HARNESS_MAIN
