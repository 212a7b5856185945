// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: everything at once. Several schedulers run workers that compute,
 * yield, block, fault, execute each other, get signals, end and are replaced,
 * for a bounded number of lives. Each life must come to its end with its own
 * registers, stack, TLS, files and signals, and with counters that add up.
 *
 * Who may execute whom is kept in a count per worker, @maybe_ready: one more
 * whenever somebody learns, or is about to see to it, that the worker is
 * READY, and one less by whoever executes it. It may be too much (the kernel
 * then says -EBUSY and the like), never too little. A flag would be: a worker
 * that says it will execute another one can be preempted first, and be executed,
 * and then leaves without anybody being told once more.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"
#include "tell.h"

#define WORKERS		10
#define SCHEDULERS	3
#define LIVES		80
#define ROUNDS		60
#define PAGES		8
#define BATCH		4

/* In &seat.signals: no more signals, and one signal */
#define CLOSED		1U
#define ONE_SIGNAL	2U

/**
 * struct seat - One worker at a time
 *
 * @thread: The worker. First, since its address is the cookie.
 * @ctx: Its context, for others to execute.
 * @maybe_ready: How often it may be executed.
 * @signals: Signals sent to it, times ONE_SIGNAL, and CLOSED.
 * @handled: Signals that it handled, times ONE_SIGNAL.
 * @bad: What it saw that must not be.
 */
struct seat {
	struct ut_thread thread;
	__u64 ctx;
	uint32_t maybe_ready;
	uint32_t signals;
	uint32_t handled;
	const char *bad;
};

static struct {
	struct ut_base base;
	struct seat seat[WORKERS];
	struct ut_thread scheduler[SCHEDULERS];
	struct ut_thread sniper;
	int fd[2];
	uint32_t terminated;
	uint32_t stop;
	uint32_t other_signals;
	uint32_t direct;
	uint32_t preempted;
	uint32_t faults;
	long bad_result;
} stress;

static __thread struct seat *my_seat;
static __thread pid_t my_tid;

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void on_thread_signal(int sig)
{
	if (!my_seat || gettid() != my_tid) {
		stress.bad_result = -EXDEV;
		return;
	}
	__atomic_add_fetch(&my_seat->handled, ONE_SIGNAL, __ATOMIC_ACQ_REL);
}

static void on_other_signal(int sig)
{
	UT_INC(stress.other_signals);
}

static bool claim(struct seat *seat)
{
	uint32_t count = UT_LOAD(seat->maybe_ready);

	while (count) {
		if (__atomic_compare_exchange_n(&seat->maybe_ready, &count,
						count - 1, false,
						__ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

/* After an execute of @ctx that failed: whether it was right to */
static bool give_back(struct seat *seat, __u64 ctx, long ret)
{
	/* The next one is ready, but begin() has not told its name yet */
	if (ctx == UT_NONE) {
		UT_INC(seat->maybe_ready);
		return ret == -ESRCH;
	}
	switch (ret) {
	case -EBUSY:
	case -EAGAIN:
	case -EINPROGRESS:
	case -EINTR:
		UT_INC(seat->maybe_ready);
		return true;
	case -ESRCH:		/* its life is over */
	case -ENXIO:		/* the next one has not begun */
		return true;
	default:
		return false;
	}
}

/* Hand the processor to anybody who may be ready */
static const char *execute_other(unsigned int start)
{
	struct seat *seat;
	unsigned int i;
	__u64 ctx;
	long ret;

	for (i = 0; i < WORKERS; i++) {
		seat = &stress.seat[(start + i) % WORKERS];
		if (seat == my_seat || !claim(seat))
			continue;
		UT_INC(my_seat->maybe_ready);
		ctx = UT_LOAD(seat->ctx);
		ret = ut_execute(stress.base.group, ctx, NULL);
		if (!ret)
			UT_INC(stress.direct);
		else if (!give_back(seat, ctx, ret))
			return "execute by a worker";
		break;
	}
	return NULL;
}

static const char *use_memory(char *area, long page, unsigned int random)
{
	char mark = random;
	int i;

	if (madvise(area, PAGES * page, MADV_DONTNEED))
		return "madvise";
	for (i = 0; i < PAGES; i++)
		area[i * page] = mark + i;
	if (ut_yield(0))
		return "yield";
	for (i = 0; i < PAGES; i++)
		if (area[i * page] != (char)(mark + i))
			return "memory";
	return NULL;
}

/* One byte in for one byte out, so that everybody gets on */
static const char *use_pipe(void)
{
	char byte = 0;

	if (write(stress.fd[1], &byte, 1) != 1 ||
	    read(stress.fd[0], &byte, 1) != 1)
		return "pipe";
	return NULL;
}

static const char *act(unsigned int *seed, char *area, long page)
{
	unsigned int random = next_random(seed);
	struct timespec ts = { .tv_nsec = random % 200000 };
	unsigned int i;

	switch (random % 7) {
	case 0:
		for (i = 0; i < random; i++)
			UT_STORE(area[0], i);
		return NULL;
	case 1:
		return ut_yield(random) ? "yield" : NULL;
	case 2:
		/* The remaining time of an interrupted sleep is of no matter */
		return nanosleep(&ts, NULL) && errno != EINTR ? "sleep" : NULL;
	case 3:
		return use_pipe();
	case 4:
		return use_memory(area, page, random);
	default:
		return execute_other(random);
	}
}

static void live(struct ut_thread *thread)
{
	uint64_t stack[16];
	struct seat *seat = thread->arg;
	unsigned int seed = gettid(), i, k;
	long page = sysconf(_SC_PAGESIZE);
	const char *bad = NULL;
	uint32_t signals;
	char *area;

	my_tid = gettid();
	for (k = 0; k < ARRAY_SIZE(stack); k++)
		UT_STORE(stack[k], thread->ctx + k);
	area = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		bad = "mmap";
	/* Signals are sent from here on */
	my_seat = seat;
	UT_STORE(seat->signals, 0);
	for (i = 0; i < ROUNDS && !bad; i++) {
		bad = act(&seed, area, page);
		for (k = 0; k < ARRAY_SIZE(stack); k++)
			if (UT_LOAD(stack[k]) != thread->ctx + k)
				bad = "stack";
		if (my_seat != seat || my_tid != gettid() ||
		    my_tid != thread->tid)
			bad = "identity";
	}
	signals = __atomic_fetch_or(&seat->signals, CLOSED, __ATOMIC_ACQ_REL);
	while (UT_LOAD(seat->handled) != signals && !UT_LOAD(stress.stop))
		ut_yield(0);
	munmap(area, PAGES * page);
	seat->bad = bad;
}

/* Whether the signal was sent, and so must be handled */
static bool shoot(struct seat *seat)
{
	uint32_t signals = UT_LOAD(seat->signals);
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };

	do {
		if (signals & CLOSED)
			return false;
	} while (!__atomic_compare_exchange_n(&seat->signals, &signals,
					      signals + ONE_SIGNAL, false,
					      __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	info.si_pid = getpid();
	return !syscall(SYS_rt_tgsigqueueinfo, getpid(), seat->thread.tid,
			SIGRTMIN, &info);
}

static void snipe(struct ut_thread *thread)
{
	unsigned int seed = 1;

	while (!UT_LOAD(stress.stop)) {
		ut_nap();
		thread->ret += shoot(&stress.seat[next_random(&seed) %
						  WORKERS]);
		if (next_random(&seed) % 8 == 0)
			kill(getpid(), SIGUSR2);
		if (next_random(&seed) % 4 == 0)
			syscall(SYS_tgkill, getpid(),
				stress.scheduler[next_random(&seed) %
						 SCHEDULERS].tid, SIGUSR2);
	}
}

static void learn(const struct ums_event *event)
{
	/* The thread may be the next one already, the seat is the same */
	struct seat *seat = (void *)(uintptr_t)event->cookie;

	switch (event->reason) {
	case UMS_REASON_PREEMPTED:
		UT_INC(stress.preempted);
		UT_INC(seat->maybe_ready);
		break;
	case UMS_REASON_READY:
	case UMS_REASON_YIELDED:
		UT_INC(seat->maybe_ready);
		break;
	case UMS_REASON_BLOCKED:
		if (event->cause == UMS_CAUSE_FAULT)
			UT_INC(stress.faults);
		break;
	case UMS_REASON_TERMINATED:
		UT_INC(stress.terminated);
		break;
	default:
		stress.bad_result = -EPROTO;
	}
}

static void schedule(struct ut_thread *thread)
{
	struct ums_event event[BATCH];
	unsigned int i, turn = 0;
	struct seat *seat;
	bool idle = true;
	__u64 ctx;
	long ret;

	while (!UT_LOAD(stress.stop)) {
		ret = ut_dequeue(stress.base.list, event, BATCH, idle ? 5 : 0);
		if (ret > BATCH || (ret < 0 && ret != -ETIMEDOUT &&
				    ret != -EAGAIN && ret != -EINTR)) {
			stress.bad_result = ret;
			ret = 0;
		}
		for (i = 0; ret > 0 && i < ret; i++)
			learn(&event[i]);

		idle = true;
		for (i = 0; i < WORKERS; i++) {
			seat = &stress.seat[turn++ % WORKERS];
			if (!claim(seat))
				continue;
			ctx = UT_LOAD(seat->ctx);
			ret = ut_execute(stress.base.group, ctx, event);
			if (ret > 0) {
				idle = false;
				learn(event);
			} else if (!give_back(seat, ctx, ret)) {
				stress.bad_result = ret;
			}
		}
	}
}

static bool handle(int sig, void (*handler)(int sig))
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = SA_RESTART,
	};

	return !sigaction(sig, &action, NULL);
}

static long begin(struct seat *seat)
{
	long ret;

	seat->bad = "not ended";
	UT_STORE(seat->signals, CLOSED);
	UT_STORE(seat->handled, 0);
	ret = ut_spawn_worker(&stress.base, &seat->thread, live, seat);
	UT_STORE(seat->ctx, seat->thread.ctx);
	return ret;
}

static void tell_seats(void)
{
	struct seat *seat;
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		seat = &stress.seat[i];
		fprintf(stderr,
			"# seat %u: ctx %#llx tid %d done %d maybe_ready %u signals %u handled %u %s\n",
			i, seat->ctx, seat->thread.tid, seat->thread.done,
			seat->maybe_ready, seat->signals, seat->handled,
			seat->bad ?: "");
	}
	fprintf(stderr, "# bad_result %ld terminated %u\n", stress.bad_result,
		stress.terminated);
	ut_tell(&stress.base);
}

FIXTURE(stress) {
	int unused;
};

FIXTURE_SETUP(stress)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, pipe(stress.fd));
	ASSERT_TRUE(handle(SIGRTMIN, on_thread_signal));
	ASSERT_TRUE(handle(SIGUSR2, on_other_signal));
	ASSERT_EQ(0, ut_base_open(&stress.base, 2 * WORKERS + SCHEDULERS,
				  UMS_ORPHAN_RELEASE));
}

FIXTURE_TEARDOWN(stress)
{
}

TEST_F(stress, every_life_comes_to_its_end_unharmed)
{
	struct ut_base *base = &stress.base;
	unsigned int i, lives = 0, ended = 0;
	struct ums_info info;
	struct seat *seat;

	for (i = 0; i < WORKERS; i++)
		stress.seat[i].ctx = UT_NONE;
	for (i = 0; i < SCHEDULERS; i++)
		ASSERT_EQ(0, ut_spawn(base, &stress.scheduler[i],
				      UMS_ROLE_SCHEDULER, schedule, NULL));
	for (i = 0; i < SCHEDULERS; i++)
		ASSERT_TRUE(UT_WAIT(!UT_LOAD(stress.scheduler[i].attach_ret)));
	for (i = 0; i < WORKERS; i++, lives++)
		ASSERT_EQ(0, begin(&stress.seat[i]));
	ASSERT_EQ(0, ut_spawn(base, &stress.sniper, UMS_ROLE_NONE, snipe,
			      NULL));

	for (i = 0; ended < LIVES; i = (i + 1) % WORKERS) {
		seat = &stress.seat[i];
		if (seat->ctx == UT_NONE)
			continue;
		ASSERT_TRUE(UT_WAIT(UT_LOAD(seat->thread.done))) {
			TH_LOG("%u of %u lives ended", ended, LIVES);
			tell_seats();
		}
		ut_join(&seat->thread);
		ended++;
		EXPECT_EQ(NULL, seat->bad)
			TH_LOG("%s", seat->bad);
		ASSERT_TRUE(UT_WAIT(ut_slot_state(base, seat->thread.ctx) ==
				    UMS_STATE_TERMINATED));
		ASSERT_EQ(0, ut_query(base->group, seat->thread.ctx,
				      UMS_INFO_STATS, &info));
		if (!ut_user_mode())
			EXPECT_EQ(info.stats.blocked + info.stats.yielded +
				  info.stats.preempted + 1,
				  info.stats.executed);
		ASSERT_TRUE(UT_WAIT(!ut_ctx_delete(base->group,
						   seat->thread.ctx)));
		UT_STORE(seat->ctx, UT_NONE);
		if (lives < LIVES) {
			ASSERT_EQ(0, begin(seat));
			lives++;
		}
	}
	ASSERT_TRUE(UT_WAIT(UT_LOAD(stress.terminated) == LIVES));
	UT_STORE(stress.stop, 1);
	ut_join(&stress.sniper);
	for (i = 0; i < SCHEDULERS; i++)
		ut_join(&stress.scheduler[i]);
	EXPECT_EQ(0, stress.bad_result);
	/* All of it has happened */
	EXPECT_LT(0, stress.direct);
	EXPECT_LT(0, stress.sniper.ret);
	EXPECT_LT(0, stress.other_signals);
	TH_LOG("direct %u, signals %ld + %u, preempted %u, faults %u",
	       stress.direct, stress.sniper.ret, stress.other_signals,
	       stress.preempted, stress.faults);
	ut_base_close(base);
}

TEST_HARNESS_MAIN
