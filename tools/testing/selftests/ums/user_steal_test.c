// SPDX-License-Identifier: GPL-2.0
/*
 * The user switch with several schedulers that run each other's workers: nothing
 * is lost, nothing runs twice, and everybody is who he is. All schedulers take
 * from one queue, so workers move between VPs all the time; carriers find each
 * other's code on their VPs.
 *
 * Per-cpu counters by rseq, which lose an increment as soon as a thread runs
 * with the ids of another cpu, are the check of what user switches do to rseq.
 */
#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "../rseq/rseq.h"
#include "../vDSO/parse_vdso.h"
#include "stopper.h"
#include "tell.h"
#include "user.h"

#define MAX_SCHEDULERS	4
#define MAX_WORKERS	12
#define MAX_CPUS	64
/* How long it runs, in ms; UMS_TEST_MS overrides it */
#define RUN_MS		700

enum {
	CALLS	= 1,	/* system calls */
	BLOCKS	= 2,	/* and such that block */
	HANDS	= 4,	/* worker to worker */
	PINNED	= 8,	/* schedulers stay on a cpu each */
	MOVED	= 16,	/* threads are moved from cpu to cpu */
	FAULTS	= 32,	/* slots have to be mapped anew all the time */
	SIGNALS	= 64,	/* workers get signals */
	STOPS	= 128,	/* the process is stopped now and then */
};

struct counter {
	intptr_t value;
	char pad[128 - sizeof(intptr_t)];
};

/**
 * struct steal - A run
 *
 * @base: Group and list.
 * @kinds: What the workers do.
 * @stop: Set when time is up.
 * @lock: Of @queue.
 * @queue: Workers that can be run, @nr of them.
 * @giver: By worker: who handed over to it and is not in @queue yet, plus 1.
 * @left: Workers that have not ended.
 * @inside: By worker: how many threads believe that they run it.
 * @counters: By cpu.
 * @started: By worker: it can handle signals.
 * @sent: By worker: signals that it is to get, never one that it has still.
 * @handled: By worker: signals that it has got.
 * @errors: What went wrong, as a count.
 */
struct steal {
	struct ut_base base;
	unsigned int kinds;
	int stop;
	int lock;
	unsigned int queue[MAX_WORKERS];
	unsigned int nr;
	unsigned int giver[MAX_WORKERS];
	int left;
	int inside[MAX_WORKERS];
	struct counter counters[MAX_CPUS];
	struct ut_thread scheduler[MAX_SCHEDULERS];
	struct ut_thread worker[MAX_WORKERS];
	intptr_t added[MAX_WORKERS];
	unsigned int interrupted[MAX_WORKERS];
	int started[MAX_WORKERS];
	unsigned int sent[MAX_WORKERS];
	unsigned int handled[MAX_WORKERS];
	unsigned int yields[MAX_WORKERS];
	int errors;
};

static struct steal steal;
static __thread unsigned int my_signals;
static long (*getcpu_vdso)(unsigned int *cpu, unsigned int *node, void *unused);
static __thread unsigned int my_number;

static void lock(void)
{
	while (__atomic_exchange_n(&steal.lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(void)
{
	UT_STORE(steal.lock, 0);
}

static void put(unsigned int i)
{
	lock();
	steal.queue[steal.nr++] = i;
	unlock();
}

static int take(void)
{
	int i = -1;

	lock();
	if (steal.nr) {
		i = steal.queue[0];
		steal.nr--;
		memmove(steal.queue, steal.queue + 1,
			steal.nr * sizeof(steal.queue[0]));
	}
	unlock();
	return i;
}

static void expect(bool cond)
{
	if (!cond)
		UT_INC(steal.errors);
}

static unsigned int number_of(__u64 ctx)
{
	unsigned int i;

	for (i = 0; i < MAX_WORKERS; i++)
		if ((__u32)steal.worker[i].ctx == (__u32)ctx)
			return i;
	UT_INC(steal.errors);
	return 0;
}

/*
 * As rseq_addv(): adds 1 on @cpu, or returns -1 if it was interrupted. But the
 * value is loaded long before it is stored, so that is likely (steal_asm.S).
 */
int add_slowly(intptr_t *value, int cpu, ptrdiff_t rseq_offset);

static void count_on_this_cpu(unsigned int i, bool slowly)
{
	intptr_t *value;
	int cpu, ret;

	do {
		cpu = rseq_cpu_start();
		value = &steal.counters[cpu].value;
		if (slowly)
			ret = add_slowly(value, cpu, rseq_offset);
		else
			ret = rseq_addv(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID,
					value, 1, cpu);
		steal.interrupted[i] += ret != 0;
	} while (ret);
	steal.added[i]++;
}

/* The C library's word for it is that of rseq; the vDSO asks the cpu */
static void check_cpu(void)
{
	unsigned int before, after;
	int cpu;

	getcpu_vdso(&before, NULL, NULL);
	cpu = sched_getcpu();
	getcpu_vdso(&after, NULL, NULL);
	if (before == after)
		expect(cpu == (int)before);
}

/* The only one that runs this worker, and what each turn does */
static void take_turn(struct ut_thread *self, unsigned int i, unsigned int *seed)
{
	struct timespec nap = { .tv_nsec = 1000 };
	unsigned int dice = rand_r(seed);

	expect(__atomic_add_fetch(&steal.inside[i], 1, __ATOMIC_SEQ_CST) == 1);
	count_on_this_cpu(i, dice / 16 % 8 == 0);
	expect(my_number == i + 1);
	if ((steal.kinds & CALLS) && dice % 4 == 0)
		expect(syscall(SYS_gettid) == self->tid);
	if (dice % 4 == 1)
		check_cpu();
	if ((steal.kinds & BLOCKS) && dice % 16 == 2)
		expect(!nanosleep(&nap, NULL) || errno == EINTR);
	count_on_this_cpu(i, false);
	expect(__atomic_sub_fetch(&steal.inside[i], 1, __ATOMIC_SEQ_CST) == 0);
}

/*
 * Nobody is told of a worker that hands over to another one. The other one puts
 * it into the queue, when it has certainly left.
 */
static void put_giver(unsigned int i)
{
	unsigned int giver = steal.giver[i];

	steal.giver[i] = 0;
	if (giver)
		put(giver - 1);
}

/* Have another worker run, if there is one; it is the caller's until then */
static bool hand_over(struct ut_thread *self, unsigned int i)
{
	int other = take();
	long ret;

	if (other < 0)
		return false;
	put_giver(other);
	steal.giver[other] = i + 1;
	ret = uu.switch_to(uu_slot(self), uu_slot(&steal.worker[other]));
	if (!ret)
		return true;
	expect(ret == -EAGAIN || ret == -EBUSY || ret == -EINPROGRESS ||
	       ret == -EINTR);
	steal.giver[other] = 0;
	put(other);
	return false;
}

/* Counts in a variable of the thread, and in one that everybody can see */
static void handler(int sig)
{
	unsigned int i = my_number - 1;

	expect(i < MAX_WORKERS && syscall(SYS_gettid) == steal.worker[i].tid);
	my_signals++;
	if (i < MAX_WORKERS)
		UT_STORE(steal.handled[i], my_signals);
}

/*
 * Nobody runs a worker that sleeps for a page of its stack in a signal, so that
 * is not to be, whatever it holds then.
 */
static void use_stack(void)
{
	char deep[32768];

	memset(deep, 0, sizeof(deep));
	asm volatile("" : : "r" (deep) : "memory");
}

static void work(struct ut_thread *self)
{
	unsigned int i = number_of(self->ctx), seed = i + 1;

	use_stack();
	my_number = i + 1;
	UT_STORE(steal.started[i], 1);
	while (!UT_LOAD(steal.stop)) {
		take_turn(self, i, &seed);
		put_giver(i);
		if ((steal.kinds & HANDS) && rand_r(&seed) % 4 == 0 &&
		    hand_over(self, i))
			continue;
		uu_yield(self, 0);
		steal.yields[i]++;
	}
	put_giver(i);
}

static void has_ended(void)
{
	__atomic_sub_fetch(&steal.left, 1, __ATOMIC_ACQ_REL);
}

/* What became of the worker that ran here last */
static void account(struct ums_context *slot, long ret)
{
	switch (ret) {
	case UMS_REASON_YIELDED | UMS_RETURN_USER:
		put(number_of(slot->yielder));
		break;
	case UMS_REASON_YIELDED:
	case UMS_REASON_PREEMPTED:
		put(number_of(slot->event_ctx));
		break;
	case UMS_REASON_TERMINATED:
		has_ended();
		break;
	case UMS_REASON_BLOCKED:
		break;
	default:
		UT_INC(steal.errors);
	}
}

static void drain(void)
{
	struct ums_event events[MAX_WORKERS];
	long i, nr;

	nr = ut_dequeue(steal.base.list, events, MAX_WORKERS, 0);
	for (i = 0; i < nr; i++) {
		if (events[i].reason == UMS_REASON_TERMINATED)
			has_ended();
		else
			put(number_of(events[i].ctx));
	}
}

static void pin(pid_t tid, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(tid, sizeof(set), &set);
}

static void schedule(struct ut_thread *self)
{
	struct ums_context *slot = uu_slot(self);
	unsigned int turn = 0;
	long ret;
	int i;

	if (steal.kinds & PINNED)
		pin(0, (self - steal.scheduler) % sysconf(_SC_NPROCESSORS_ONLN));
	while (UT_LOAD(steal.left) > 0) {
		if (UT_LOAD(steal.base.ring->head) !=
		    UT_LOAD(steal.base.ring->tail))
			drain();
		i = take();
		if (i < 0) {
			sched_yield();
			continue;
		}
		ret = uu.execute(slot, uu_slot(&steal.worker[i]));
		self->ret++;
		if (ret == -EAGAIN || ret == -EBUSY || ret == -EINTR ||
		    ret == -EINPROGRESS) {
			/* Found on its way: it is not here yet */
			put(i);
			continue;
		}
		account(slot, ret);
		if ((steal.kinds & CALLS) && turn++ % 8 == 0)
			expect(syscall(SYS_gettid) == self->tid);
	}
}

/*
 * Whoever uses a slot next has a page fault, if need be in the middle of a
 * switch, and sleeps there as long as the mapping is locked.
 */
static void unmap_slots(void)
{
	const int prot = PROT_READ | PROT_WRITE;
	struct ut_base *base = &steal.base;
	int i;

	for (i = 0; i < 100; i++) {
		expect(!madvise(base->slots, base->slots_size, MADV_DONTNEED));
		expect(!mprotect(base->slots, base->slots_size,
				 i & 1 ? prot : prot | PROT_EXEC));
	}
}

/* Each worker handles one after the other, as fast as it can */
static void send_signals(void)
{
	unsigned int i;

	for (i = 0; i < MAX_WORKERS; i++) {
		if (!UT_LOAD(steal.started[i]) ||
		    UT_LOAD(steal.handled[i]) != steal.sent[i])
			continue;
		steal.sent[i]++;
		expect(!tgkill(getpid(), steal.worker[i].tid, SIGUSR1));
	}
}

static bool signals_handled(void)
{
	unsigned int i;

	for (i = 0; i < MAX_WORKERS; i++)
		if (UT_LOAD(steal.handled[i]) != steal.sent[i])
			return false;
	return true;
}

/* Do so to all of them, until time is up */
static void disturb(unsigned int nr_schedulers, __u64 end)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int i = 0, seed = 7;

	while (ut_now_ns() < end) {
		if (steal.kinds & SIGNALS)
			send_signals();
		else
			ut_nap();
		if (steal.kinds & FAULTS)
			unmap_slots();
		if (!(steal.kinds & MOVED))
			continue;
		pin(steal.worker[i % MAX_WORKERS].tid, rand_r(&seed) % cpus);
		if (!(steal.kinds & PINNED))
			pin(steal.scheduler[i % nr_schedulers].tid,
			    rand_r(&seed) % cpus);
		i++;
	}
}

/* Who is where, and who is in the queue */
static void tell(void)
{
	unsigned int i;

	ut_tell(&steal.base);
	for (i = 0; i < steal.nr; i++)
		fprintf(stderr, "# queue: worker %u\n", steal.queue[i]);
	fprintf(stderr, "# lock %d left %d\n", steal.lock, steal.left);
}

FIXTURE(steal)
{
	__u64 run_ms;
};

FIXTURE_VARIANT(steal)
{
	unsigned int schedulers;
	unsigned int workers;
	unsigned int kinds;
};

FIXTURE_VARIANT_ADD(steal, one_scheduler)
{
	.schedulers = 1, .workers = 4, .kinds = CALLS | BLOCKS | HANDS,
};

FIXTURE_VARIANT_ADD(steal, yields_only)
{
	.schedulers = 2, .workers = 6,
};

FIXTURE_VARIANT_ADD(steal, yields_and_calls)
{
	.schedulers = 3, .workers = 8, .kinds = CALLS | PINNED,
};

FIXTURE_VARIANT_ADD(steal, blocks_and_moves)
{
	.schedulers = 3, .workers = 12, .kinds = CALLS | BLOCKS | MOVED,
};

FIXTURE_VARIANT_ADD(steal, faults)
{
	.schedulers = 2, .workers = 8, .kinds = HANDS | FAULTS,
};

FIXTURE_VARIANT_ADD(steal, signals)
{
	.schedulers = 2, .workers = 6, .kinds = SIGNALS,
};

FIXTURE_VARIANT_ADD(steal, stops)
{
	.schedulers = 2, .workers = 6, .kinds = CALLS | STOPS,
};

FIXTURE_VARIANT_ADD(steal, everything_pinned)
{
	.schedulers = 4, .workers = 10,
	.kinds = CALLS | BLOCKS | HANDS | PINNED | MOVED,
};

FIXTURE_VARIANT_ADD(steal, everything)
{
	.schedulers = 4, .workers = 12,
	.kinds = CALLS | BLOCKS | HANDS | MOVED | FAULTS | SIGNALS,
};

FIXTURE_SETUP(steal)
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = SA_RESTART,
	};

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	if (rseq_register_current_thread())
		SKIP(return, "no rseq");
	getcpu_vdso = vdso_sym("LINUX_2.6", "__vdso_getcpu");
	ASSERT_NE(NULL, getcpu_vdso);
	self->run_ms = ut_run_ms(RUN_MS);
	ASSERT_EQ(0, ut_base_open(&steal.base, 32, UMS_ORPHAN_RELEASE));
}

FIXTURE_TEARDOWN(steal)
{
	ut_base_close(&steal.base);
}

TEST_F_TIMEOUT(steal, nothing_is_lost_and_nothing_runs_twice, 1200)
{
	unsigned long long user = 0, resolved = 0, turns = 0, interrupted = 0;
	unsigned long long signals = 0;
	intptr_t added = 0, counted = 0;
	struct ums_switches switches;
	struct stopper stopper;
	unsigned int i;
	bool ended;

	if (variant->kinds & STOPS)
		ASSERT_EQ(0, stopper_start(&stopper));
	steal.kinds = variant->kinds;
	steal.left = variant->workers;
	for (i = 0; i < variant->workers; i++)
		ASSERT_EQ(0, ut_spawn_worker(&steal.base, &steal.worker[i],
					     work, NULL));
	for (i = 0; i < variant->schedulers; i++)
		ASSERT_EQ(0, ut_spawn(&steal.base, &steal.scheduler[i],
				      UMS_ROLE_SCHEDULER, schedule, NULL));

	disturb(variant->schedulers,
		ut_now_ns() + self->run_ms * UT_NSEC_PER_MSEC);
	if (variant->kinds & STOPS)
		EXPECT_LT(0, stopper_end(&stopper));
	ended = UT_WAIT(signals_handled());
	if (!ended)
		tell();
	ASSERT_TRUE(ended);
	UT_STORE(steal.stop, 1);
	ended = UT_WAIT(!UT_LOAD(steal.left));
	if (!ended)
		tell();
	ASSERT_TRUE(ended);
	for (i = 0; i < variant->schedulers; i++) {
		ut_join(&steal.scheduler[i]);
		turns += steal.scheduler[i].ret;
	}
	for (i = 0; i < variant->workers; i++) {
		ut_join(&steal.worker[i]);
		added += steal.added[i];
		interrupted += steal.interrupted[i];
		signals += steal.handled[i];
		EXPECT_LT(1, steal.yields[i]);
		switches = uu_switches(&steal.base, steal.worker[i].ctx);
		user += switches.user;
		resolved += switches.resolved;
	}
	for (i = 0; i < MAX_CPUS; i++)
		counted += steal.counters[i].value;
	TH_LOG("%llu turns, %llu user switches, %llu resolved, %llu aborts, %llu signals",
	       turns, user, resolved, interrupted, signals);
	EXPECT_EQ(0, steal.errors);
	EXPECT_EQ(added, counted);
	EXPECT_LT(variant->workers, user);
}

TEST_HARNESS_MAIN
