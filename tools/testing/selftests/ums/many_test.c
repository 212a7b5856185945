// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: a process with ten thousand parked workers, and how promptly it goes.
 * Where that many threads of any kind take long, UMS may too: the measure is
 * the same number of threads that wait for a futex.
 *
 * UMS_TEST_MANY is another number, up to 100000, for which a machine of its own
 * with 8 GiB is needed.
 */
#include <linux/futex.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_WORKERS	100000
#define WORKERS		10000
/* Enough to see whether each one costs more than with a tenth of them */
#define COSTED_WORKERS	4000
/* On a kernel with lock debugging, where each life takes milliseconds */
#define DEBUG_WORKERS	600
#define STACK_SIZE	(16 * 1024)
#define BATCH		64

enum how { EXIT_GROUP, SIGNAL, DETACH };

/* Shared between the test and its child */
struct progress {
	int parked;
	__u64 created;
	__u64 switched;
	__u64 ending;
};

FIXTURE(many)
{
};

FIXTURE_VARIANT(many)
{
	enum how how;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(many, exit_group) {
	/* clang-format on */
	.how = EXIT_GROUP,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(many, kill) {
	/* clang-format on */
	.how = SIGNAL,
};

/* clang-format off */
FIXTURE_VARIANT_ADD(many, detach) {
	/* clang-format on */
	.how = DETACH,
};

static long nr_workers;
static bool debugging;
static struct progress *progress;

/* @usual: How many, if nothing else is said */
static void set_up(struct __test_metadata *_metadata, long usual)
{
	const char *many = getenv("UMS_TEST_MANY"), *reason;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	debugging = !access("/proc/lockdep_stats", F_OK);
	nr_workers = debugging ? DEBUG_WORKERS : usual;
	if (many)
		nr_workers = strtol(many, NULL, 10);
	ASSERT_LE(10, nr_workers);
	ASSERT_GE(MAX_WORKERS, nr_workers);
	reason = ut_too_small(nr_workers);
	if (reason)
		SKIP(return, "%s", reason);
	progress = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)progress);
}

FIXTURE_SETUP(many)
{
	set_up(_metadata, WORKERS);
}

FIXTURE_TEARDOWN(many)
{
}

FIXTURE(many_costs)
{
};

FIXTURE_SETUP(many_costs)
{
	set_up(_metadata, COSTED_WORKERS);
}

FIXTURE_TEARDOWN(many_costs)
{
}

struct crowd {
	struct ut_base base;
	/* One each: the kernel checks all waiters of one when debugging */
	__u32 futex[MAX_WORKERS];
	unsigned int waiting;
	unsigned int finished;
	__u64 ctx[MAX_WORKERS];
};

static struct crowd crowd;

static void *wait_for_futex(void *arg)
{
	__u32 *futex = &crowd.futex[(__u64 *)arg - crowd.ctx];

	UT_INC(crowd.waiting);
	syscall(SYS_futex, futex, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void *work(void *arg)
{
	__u64 *ctx = arg;

	if (ut_attach(crowd.base.list, UMS_ROLE_WORKER, *ctx))
		_exit(100);
	ut_yield(0);
	UT_INC(crowd.finished);
	return NULL;
}

/* All in one mapping, or there would be too many of them */
static int make_threads(void *(*fn)(void *arg))
{
	size_t size = STACK_SIZE;
	pthread_attr_t attr;
	pthread_t thread;
	char *stacks;
	long i;

	if (size < (size_t)sysconf(_SC_THREAD_STACK_MIN))
		size = sysconf(_SC_THREAD_STACK_MIN);
	stacks = mmap(NULL, nr_workers * size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stacks == MAP_FAILED)
		return 101;
	pthread_attr_init(&attr);
	for (i = 0; i < nr_workers; i++) {
		if (pthread_attr_setstack(&attr, stacks + i * size, size) ||
		    pthread_create(&thread, &attr, fn, &crowd.ctx[i]))
			return 102;
	}
	return 0;
}

static int park_in_futex(void)
{
	int ret = make_threads(wait_for_futex);

	if (ret)
		return ret;
	return UT_WAIT(UT_LOAD(crowd.waiting) == nr_workers) ? 0 : 103;
}

static void wake_futexes(void)
{
	long i;

	for (i = 0; i < nr_workers; i++) {
		UT_STORE(crowd.futex[i], 1);
		syscall(SYS_futex, &crowd.futex[i], FUTEX_WAKE_PRIVATE, 1,
			NULL, NULL, 0);
	}
}

/* Some have never run, most have yielded */
static int park_as_workers(void)
{
	struct ums_event events[BATCH], event;
	__u64 begin = ut_now_ns();
	long parked = 0, i;
	int ret;

	if (ut_base_open(&crowd.base, nr_workers + 1, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(&crowd.base))
		return 104;
	for (i = 0; i < nr_workers; i++)
		if (ut_ctx_create(crowd.base.group, i, &crowd.ctx[i]))
			return 105;
	ret = make_threads(work);
	if (ret)
		return ret;
	progress->created = ut_now_ns() - begin;
	begin = ut_now_ns();
	while (parked < nr_workers) {
		long n = ut_dequeue(crowd.base.list, events, BATCH,
				    UT_LIMIT_MS), j;

		if (n <= 0)
			return 106;
		for (j = 0; j < n; j++) {
			parked++;
			if (parked % 10 == 0)
				continue;
			if (ut_run_to(&crowd.base, events[j].ctx, &event,
				      UMS_REASON_YIELDED) !=
			    UMS_REASON_YIELDED)
				return 107;
		}
	}
	progress->switched = ut_now_ns() - begin;
	return 0;
}

static void child_main(enum how how, int (*park)(void))
{
	int ret = park();

	if (ret)
		_exit(ret);
	UT_STORE(progress->ending, ut_now_ns());
	UT_STORE(progress->parked, 1);
	switch (how) {
	case EXIT_GROUP:
		_exit(0);
	case SIGNAL:
		for (;;)
			pause();
	case DETACH:
		if (crowd.base.sched)
			ut_detach();
		else
			wake_futexes();
		if (!UT_WAIT(ut_status_number("Threads") == 1))
			_exit(108);
		_exit(crowd.base.sched && crowd.finished != nr_workers);
	}
}

static bool is_gone(pid_t child)
{
	siginfo_t info = {};

	waitid(P_PID, child, &info, WEXITED | WNOWAIT | WNOHANG);
	return info.si_pid == child;
}

/* Nanoseconds from the decision until the process was gone; 0 if it failed */
static __u64 time_to_end(struct __test_metadata *_metadata, enum how how,
			 int (*park)(void))
{
	pid_t child;
	__u64 start;
	int status;

	memset(progress, 0, sizeof(*progress));
	child = fork();
	if (!child)
		child_main(how, park);
	UT_AWAIT(UT_LOAD(progress->parked) || is_gone(child));
	if (how == SIGNAL) {
		progress->ending = ut_now_ns();
		kill(child, SIGKILL);
	}
	start = progress->ending;
	status = ut_wait_child(child, UT_LIMIT_MS);
	EXPECT_EQ(how == SIGNAL ? SIGKILL : 0, status)
		return 0;
	return ut_now_ns() - start;
}

TEST_F_TIMEOUT(many, parked_workers_go_promptly, 600)
{
	__u64 plain, ums;

	plain = time_to_end(_metadata, variant->how, park_in_futex);
	ums = time_to_end(_metadata, variant->how, park_as_workers);
	TH_LOG("%llu ms with futexes, %llu ms with UMS",
	       plain / UT_NSEC_PER_MSEC, ums / UT_NSEC_PER_MSEC);
	ASSERT_NE(0, plain);
	ASSERT_NE(0, ums);
	EXPECT_GT(4 * plain + 5 * UT_NSEC_PER_SEC, ums);
	if (variant->how == SIGNAL)
		EXPECT_GT(10 * UT_NSEC_PER_SEC, ums);
}

/* What each one costs, in ns */
struct cost {
	__u64 create;
	__u64 run;
	__u64 exit;
	__u64 kill;
};

/* How often each is measured */
#define TIMES	3

static void add_to_mean(__u64 *mean, __u64 ns)
{
	*mean += ns / TIMES;
}

static void take_least(__u64 *least, __u64 ns)
{
	if (!*least || ns < *least)
		*least = ns;
}

static struct cost cost_of(struct __test_metadata *_metadata, long nr,
			   void (*take)(__u64 *cost, __u64 ns))
{
	struct cost cost = {};
	__u64 end;
	int i;

	nr_workers = nr;
	for (i = 0; i < TIMES; i++) {
		end = time_to_end(_metadata, EXIT_GROUP, park_as_workers);
		ASSERT_NE(0, end);
		take(&cost.exit, end / nr);
		take(&cost.create, progress->created / nr);
		take(&cost.run, progress->switched / nr);
		end = time_to_end(_metadata, SIGNAL, park_as_workers);
		ASSERT_NE(0, end);
		take(&cost.kill, end / nr);
	}
	TH_LOG("%ld workers, ns each: create %llu, run %llu, exit_group %llu, kill %llu",
	       nr, cost.create, cost.run, cost.exit, cost.kill);
	return cost;
}

/*
 * For caches that are too small; what is lost to clocks and naps comes on top. Where
 * each takes milliseconds there is load all the while that many take, and seldom
 * while few do: their mean counts, and the least of the many.
 */
static bool not_much_more(__u64 many, __u64 few)
{
	return many < (debugging ? 5 : 3) * few + 2000;
}

TEST_F_TIMEOUT(many_costs, are_those_of_few, 1200)
{
	struct cost few, many;
	long nr = nr_workers;

	few = cost_of(_metadata, nr / 10, add_to_mean);
	many = cost_of(_metadata, nr, take_least);
	EXPECT_TRUE(not_much_more(many.create, few.create));
	EXPECT_TRUE(not_much_more(many.run, few.run));
	EXPECT_TRUE(not_much_more(many.exit, few.exit));
	EXPECT_TRUE(not_much_more(many.kill, few.kill));
}

TEST_HARNESS_MAIN
