// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: whose time and whose memory it is. Cpu time is that of the thread
 * whose code it was, whoever carried it, but for what passes until the next tick;
 * and memory is that of the control group of whoever asked for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define WORKERS		2
/* For each worker, in units of its own; an odd number */
#define ROUNDS		5
/* Much longer than a tick is late, where the machine is kept waiting */
#define UNIT_MS		200

static __u64 time_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * UT_NSEC_PER_SEC + ts.tv_nsec;
}

/* Of the cpu's clock, in so many milliseconds */
static __u64 ticks_of(unsigned int ms)
{
	__u64 begin = ut_now_ns(), first = __builtin_ia32_rdtsc(), took;

	do {
		took = ut_now_ns() - begin;
	} while (took < 20 * UT_NSEC_PER_MSEC);
	return (__builtin_ia32_rdtsc() - first) * ms * UT_NSEC_PER_MSEC / took;
}

/*
 * In user mode all the time. As long as the clock says, and not so many turns:
 * how fast these are depends on what else the machine under this one does.
 */
static void spin(__u64 ticks)
{
	__u64 begin = __builtin_ia32_rdtsc();

	while (__builtin_ia32_rdtsc() - begin < ticks)
		;
}

static void spins(struct ut_thread *self)
{
	__u64 ticks = (uintptr_t)self->arg;
	int i;

	uu_yield(self, 0);
	for (i = 0; i < ROUNDS; i++) {
		spin(ticks);
		uu_yield(self, 0);
	}
}

/* Whose cpu time */
enum who { WORKER, OTHER_WORKER, SCHEDULER, PROCESS, ALL };

static void read_times(const clockid_t *clock, __u64 *now)
{
	int i;

	for (i = 0; i < ALL; i++)
		now[i] = time_of(clock[i]);
}

/* In milliseconds, for messages */
#define MS(ns)	((unsigned long long)(ns) / UT_NSEC_PER_MSEC)

TEST(cpu_time_is_that_of_who_ran)
{
	clockid_t clock[ALL] = {
		[SCHEDULER]	= CLOCK_THREAD_CPUTIME_ID,
		[PROCESS]	= CLOCK_PROCESS_CPUTIME_ID,
	};
	__u64 unit, begin[ALL], end[ALL], usual[ALL], sum = 0;
	struct ut_thread thread[WORKERS];
	__u64 took[ALL][ROUNDS];
	struct ut_base base;
	int i, round;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	unit = ticks_of(UNIT_MS);
	ASSERT_EQ(0, ut_base_open(&base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	/* The first one needs three times what the other one does */
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, ut_spawn_worker(&base, &thread[i], spins,
					     (void *)(uintptr_t)(i ? unit : 3 * unit)));
		ASSERT_LE(0, uu_start(&base, &thread[i]));
		ASSERT_EQ(0, pthread_getcpuclockid(thread[i].thread, &clock[i]));
	}
	read_times(clock, begin);
	memcpy(end, begin, sizeof(end));
	for (round = 0; round < ROUNDS; round++) {
		__u64 last[ALL];

		for (i = 0; i < WORKERS; i++)
			ASSERT_EQ(UMS_REASON_YIELDED,
				  uu_run(&base, &thread[i]) & ~UMS_RETURN_USER);
		memcpy(last, end, sizeof(last));
		read_times(clock, end);
		for (i = 0; i < ALL; i++)
			took[i][round] = end[i] - last[i];
	}
	for (i = 0; i < ALL; i++)
		sum += i == PROCESS ? 0 : end[i] - begin[i];
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&base, &thread[i]));
		ut_join(&thread[i]);
	}

	/* Nothing is lost, nothing is counted twice */
	EXPECT_LT(end[PROCESS] - begin[PROCESS], sum + sum / 10);
	EXPECT_GT(end[PROCESS] - begin[PROCESS], sum - sum / 10);
	/* A tick is 10 ms at most; the scheduler only ran between them */
	for (i = 0; i < ALL; i++)
		usual[i] = ut_median(took[i], ROUNDS);
	TH_LOG("ms: process %llu, scheduler %llu, workers %llu %llu",
	       MS(usual[PROCESS]), MS(usual[SCHEDULER]), MS(usual[WORKER]),
	       MS(usual[OTHER_WORKER]));
	EXPECT_GT(usual[WORKER], 2 * usual[OTHER_WORKER]);
	EXPECT_LT(usual[WORKER], 5 * usual[OTHER_WORKER]);
	EXPECT_LT(usual[SCHEDULER], usual[PROCESS] / 4);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&base);
}

/* A thread that is switched to by the kernel, and its scheduler, for so long */
#define HANDS_MS	500

static void hands_back(struct ut_thread *self)
{
	while (!UT_LOAD(self->ret))
		ut_yield(0);
}

/*
 * The clock of the process is the sum of those of its threads; what no thread
 * has been charged for is missed only beside a clock on the wall. Other processes
 * run here as well, now and then.
 */
TEST(no_cpu_time_is_lost_in_a_hand_off)
{
	__u64 wall, used, end;
	struct ut_thread worker;
	struct ums_event event;
	struct ut_base base;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	ASSERT_EQ(0, ut_spawn_worker(&base, &worker, hands_back, NULL));
	ASSERT_EQ(1, ut_next_of(&base, worker.ctx, &event));
	wall = ut_now_ns();
	used = time_of(CLOCK_PROCESS_CPUTIME_ID);
	end = wall + HANDS_MS * UT_NSEC_PER_MSEC;
	while (ut_now_ns() < end)
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(&base, worker.ctx, &event,
				    UMS_REASON_YIELDED));
	wall = ut_now_ns() - wall;
	used = time_of(CLOCK_PROCESS_CPUTIME_ID) - used;
	TH_LOG("ms: %llu, of which used %llu", MS(wall), MS(used));
	EXPECT_LE(used, wall + wall / 10);
	EXPECT_GE(used, wall - wall / 4);
	UT_STORE(worker.ret, 1);
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(&base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&base);
}

#define CGROUP		"/sys/fs/cgroup"
#define TEST_CGROUP	CGROUP "/ums_account_test"
#define CONTEXTS	20000
#define SLOT_BYTES	((long)sizeof(struct ums_context))

static long memory_in_use(void)
{
	FILE *file = fopen(TEST_CGROUP "/memory.current", "r");
	long bytes;

	if (!file)
		return -errno;
	if (fscanf(file, "%ld", &bytes) != 1)
		bytes = -EIO;
	fclose(file);
	return bytes;
}

/* Whether a control group could be made; the caller is in it from then on */
static bool enter_cgroup(void)
{
	ut_write_file(CGROUP "/cgroup.subtree_control", "+memory");
	if (mkdir(TEST_CGROUP, 0755) && errno != EEXIST)
		return false;
	return memory_in_use() >= 0 &&
	       !ut_write_file(TEST_CGROUP "/cgroup.procs", "0");
}

/* The step that failed, 0 for none, 255 if there are no control groups */
static int create_contexts(void)
{
	long before, after;
	int group, i;
	__u64 ctx;

	if (!enter_cgroup())
		return 255;
	group = ut_setup(CONTEXTS, UMS_ORPHAN_RELEASE);
	if (group < 0)
		return 1;
	before = memory_in_use();
	for (i = 0; i < CONTEXTS; i++)
		if (ut_ctx_create(group, 0, &ctx))
			return 2;
	after = memory_in_use();
	/* On a release kernel neither its slot nor the kernel's part is enough */
	if (after - before < CONTEXTS * SLOT_BYTES / 2 * 3)
		return 3;
	return 0;
}

/* As before it was there, but for what control groups keep for a while */
static bool memory_is_back(void)
{
	return memory_in_use() < CONTEXTS * SLOT_BYTES / 8;
}

/* Do @fn in a child, in a control group that is there for it */
static void in_cgroup(struct __test_metadata *_metadata, int (*fn)(void))
{
	int status;
	pid_t pid;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	pid = fork();
	if (!pid)
		_exit(fn());
	ASSERT_LT(0, pid);
	status = ut_wait_child(pid, UT_LIMIT_MS);
	ASSERT_LE(0, status);
	if (WEXITSTATUS(status) == 255)
		SKIP(return, "no control groups of our own");
	EXPECT_EQ(0, status);
	EXPECT_TRUE(UT_WAIT(memory_is_back()));
	EXPECT_TRUE(UT_WAIT(!rmdir(TEST_CGROUP)));
}

TEST(memory_is_that_of_the_control_group)
{
	in_cgroup(_metadata, create_contexts);
}

/* More than what the control group may have, which is a bit more than it has */
static int run_into_the_limit(void)
{
	char limit[32];
	int group, max;
	long ret;
	__u64 ctx;

	/* Else it would be killed, as it is the only one there */
	if (ut_write_file("/proc/self/oom_score_adj", "-1000") ||
	    !enter_cgroup())
		return 255;
	group = ut_setup(CONTEXTS, UMS_ORPHAN_RELEASE);
	if (group < 0 || ut_ctx_create(group, 0, &ctx))
		return 1;
	/* Now, as later there may not be the memory to open or to read anything */
	ut_prefault();
	max = open(TEST_CGROUP "/memory.max", O_WRONLY);
	snprintf(limit, sizeof(limit), "%ld",
		 memory_in_use() + CONTEXTS * SLOT_BYTES / 4);
	if (write(max, limit, strlen(limit)) < 0)
		return 2;
	do {
		ret = ut_ctx_create(group, 0, &ctx);
	} while (!ret);
	if (ret != -ENOMEM)
		return 3;
	/* Once there is memory again, nothing is missing */
	if (pwrite(max, "max", 3, 0) != 3 ||
	    ut_ctx_create(group, 0, &ctx) || ut_ctx_delete(group, ctx))
		return 4;
	return 0;
}

TEST(no_more_memory_than_the_control_group_may_have)
{
	in_cgroup(_metadata, run_into_the_limit);
}

TEST_HARNESS_MAIN
