// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: membarrier() orders what a worker does whose code runs under another
 * name, or by whom the call is made.
 *
 * Of two threads each writes a word of its own and then reads that of the other. One
 * has nothing but the compiler's barrier between the two, so its processor may read
 * first; the other one calls membarrier(). Then not both can have missed the write
 * of the other one.
 */
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "user.h"

#define ROUNDS		10000
#define LONGEST_WAIT	200
/* Where the two threads seldom run at the same time a round takes long */
#define LIMIT_NS	(5 * UT_NSEC_PER_SEC)

/* So far apart that they are in different cache lines */
#define APART		256

/**
 * struct side - What one of the two threads writes
 *
 * @word: Zero, and one in the course of the round.
 * @other: What it has read of the other's @word.
 * @round: That it has ended.
 * @apart: Nothing.
 */
struct side {
	unsigned int word;
	unsigned int other;
	unsigned int round;
	char apart[APART];
};

static struct {
	struct side fast;
	struct side slow;
	unsigned int start;
	unsigned int last;
	char apart[APART];
	unsigned int both_missed;
	bool barrier;
	long error;
} litmus;

FIXTURE(membarrier)
{
	struct ut_base base;
	struct ut_thread fast;
	struct ut_thread slow;
};

FIXTURE_VARIANT(membarrier)
{
	/* Who reads without a barrier, and who calls it */
	bool fast_worker;
	bool slow_worker;
};

FIXTURE_VARIANT_ADD(membarrier, orders_plain_threads) {};
FIXTURE_VARIANT_ADD(membarrier, orders_a_worker) { .fast_worker = true };
FIXTURE_VARIANT_ADD(membarrier, by_a_worker_orders) { .slow_worker = true };

static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(membarrier)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if ((variant->fast_worker || variant->slow_worker) && !uu_init())
		SKIP(return, UU_ABSENT);
	if (!pin(1) || !pin(0))
		SKIP(return, "less than two cpus");
	ASSERT_EQ(0, syscall(SYS_membarrier,
			     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	ASSERT_EQ(0, ut_base_open(&self->base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(membarrier)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

/* No system call in here, which would have the kernel know who it is */
static void wait_for_start(unsigned int round)
{
	while (UT_LOAD(litmus.start) != round)
		;
}

static void be_fast(struct ut_thread *self)
{
	bool worker = self->role == UMS_ROLE_WORKER;
	unsigned int round;

	for (round = 1; round <= UT_LOAD(litmus.last); round++) {
		/* By user switch to the scheduler and back */
		if (worker)
			uu_yield(self, 0);
		wait_for_start(round);
		__atomic_store_n(&litmus.fast.word, 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		litmus.fast.other = __atomic_load_n(&litmus.slow.word,
						    __ATOMIC_RELAXED);
		UT_STORE(litmus.fast.round, round);
	}
}

/* Who starts earlier has to wait a bit to be as late as the other one: so long */
static void wait_a_bit(unsigned int round)
{
	unsigned int i;

	for (i = 0; i < round % LONGEST_WAIT; i++)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* The last one there looks at what both have seen, and starts the next round */
static void be_slow(struct ut_thread *self)
{
	bool worker = self->role == UMS_ROLE_WORKER;
	__u64 end = ut_now_ns() + LIMIT_NS;
	unsigned int round;

	for (round = 1; round <= litmus.last; round++) {
		if (ut_now_ns() > end)
			UT_STORE(litmus.last, round);
		litmus.fast.word = 0;
		litmus.slow.word = 0;
		if (worker)
			uu_yield(self, 0);
		UT_STORE(litmus.start, round);
		wait_a_bit(round);
		__atomic_store_n(&litmus.slow.word, 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		if (litmus.barrier &&
		    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0,
			    0))
			litmus.error = errno;
		litmus.slow.other = __atomic_load_n(&litmus.fast.word,
						    __ATOMIC_RELAXED);
		while (UT_LOAD(litmus.fast.round) != round)
			;
		litmus.both_missed += !litmus.fast.other && !litmus.slow.other;
	}
}

static void be_slow_elsewhere(struct ut_thread *self)
{
	if (!pin(1))
		litmus.error = errno;
	be_slow(self);
}

static void be_fast_elsewhere(struct ut_thread *self)
{
	if (!pin(1))
		litmus.error = errno;
	be_fast(self);
}

/* The worker, if there is one, on this cpu; the other thread on another one */
static long run(FIXTURE_DATA(membarrier) * self, bool fast_worker,
		bool slow_worker)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker = slow_worker ? &self->slow : &self->fast;
	struct ut_thread *other = slow_worker ? &self->fast : &self->slow;
	unsigned int role = fast_worker || slow_worker ? UMS_ROLE_WORKER :
			    UMS_ROLE_NONE;
	long ret = 0;

	memset(&litmus, 0, offsetof(typeof(litmus), barrier));
	litmus.last = ROUNDS;
	ret = ut_spawn(base, worker, role, slow_worker ? be_slow : be_fast,
		       NULL);
	if (ret)
		return ret;
	ret = ut_spawn(base, other, UMS_ROLE_NONE,
		       slow_worker ? be_fast_elsewhere : be_slow_elsewhere,
		       NULL);
	if (!ret && role == UMS_ROLE_WORKER)
		ret = uu_schedule(base, worker, 1);
	if (ret)
		return ret;
	ut_join(worker);
	ut_join(other);
	return litmus.error;
}

TEST_F(membarrier, and_not_both_miss_what_the_other_wrote)
{
	bool fast = variant->fast_worker, slow = variant->slow_worker;

	litmus.barrier = true;
	ASSERT_EQ(0, run(self, fast, slow));
	EXPECT_EQ(0, litmus.both_missed);

	/* How often they do if nothing keeps them from it: that is up to the machine */
	litmus.barrier = false;
	ASSERT_EQ(0, run(self, fast, slow));
	TH_LOG("without a barrier both have missed it in %u of %u rounds",
	       litmus.both_missed, litmus.last);
}

TEST_HARNESS_MAIN
