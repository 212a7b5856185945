// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: whose time and whose memory it is. Cpu time is that of the thread
 * whose code it was, whoever carried it, but for what passes until the next tick;
 * and memory is that of the control group of whoever asked for it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define WORKERS		2
/* For each worker, in units of its own */
#define ROUNDS		5
#define UNIT_MS		60

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
	__u64 begin;
	int i;

	uu_yield(self, 0);
	begin = time_of(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < ROUNDS; i++) {
		spin(ticks);
		uu_yield(self, 0);
	}
	self->ret = time_of(CLOCK_THREAD_CPUTIME_ID) - begin;
}

/* In milliseconds, for messages */
#define MS(ns)	((unsigned long long)(ns) / UT_NSEC_PER_MSEC)

TEST(cpu_time_is_that_of_who_ran)
{
	__u64 process, mine, worker[WORKERS], sum;
	struct ut_thread thread[WORKERS];
	struct ut_base base;
	__u64 unit;
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
	}
	mine = time_of(CLOCK_THREAD_CPUTIME_ID);
	process = time_of(CLOCK_PROCESS_CPUTIME_ID);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < WORKERS; i++)
			ASSERT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
				  uu_run(&base, &thread[i]));
	process = time_of(CLOCK_PROCESS_CPUTIME_ID) - process;
	mine = time_of(CLOCK_THREAD_CPUTIME_ID) - mine;
	sum = mine;
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&base, &thread[i]));
		ut_join(&thread[i]);
		worker[i] = thread[i].ret;
		sum += worker[i];
	}
	TH_LOG("ms: process %llu, scheduler %llu, workers %llu %llu",
	       MS(process), MS(mine), MS(worker[0]), MS(worker[1]));

	/* Nothing is lost, nothing is counted twice */
	EXPECT_LT(process - process / 10, sum);
	EXPECT_GT(process + process / 10, sum);
	/* A tick is 10 ms at most; the scheduler only ran between them */
	EXPECT_GT(worker[0], 2 * worker[1]);
	EXPECT_LT(worker[0], 5 * worker[1]);
	EXPECT_LT(mine, process / 4);
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

TEST(memory_is_that_of_the_control_group)
{
	int status;
	pid_t pid;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	pid = fork();
	if (!pid)
		_exit(create_contexts());
	ASSERT_LT(0, pid);
	status = ut_wait_child(pid, UT_LIMIT_MS);
	ASSERT_LE(0, status);
	if (WEXITSTATUS(status) == 255)
		SKIP(return, "no control groups of our own");
	EXPECT_EQ(0, status);
	EXPECT_TRUE(UT_WAIT(memory_is_back()));
	EXPECT_TRUE(UT_WAIT(!rmdir(TEST_CGROUP)));
}

TEST_HARNESS_MAIN
