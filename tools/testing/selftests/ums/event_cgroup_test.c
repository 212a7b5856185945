// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: what control groups and a lack of memory do to a process whose threads
 * are in every state.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

#define CGROUP		"/sys/fs/cgroup"
#define TEST_CGROUP	CGROUP "/ums_event_test"
#define MEMORY_MAX	(64L << 20)

static int write_number(const char *path, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	return ut_write_file(path, text);
}

/* Whether that is in one of the lines of the file */
static bool file_says(const char *path, const char *what)
{
	FILE *file = fopen(path, "r");
	char text[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(text, sizeof(text), file))
		found = strstr(text, what);
	fclose(file);
	return found;
}

FIXTURE(cgroup)
{
	struct states *states;
};

FIXTURE_SETUP(cgroup)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_write_file(CGROUP "/cgroup.subtree_control", "+memory");
	ut_write_file(CGROUP "/cgroup.subtree_control", "+cpuset");
	if (mkdir(TEST_CGROUP, 0755) && errno != EEXIST)
		SKIP(return, "no control groups of our own");
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(cgroup)
{
	if (!self->states)
		return;
	states_free(self->states);
	EXPECT_TRUE(UT_WAIT(!rmdir(TEST_CGROUP)));
}

static bool start_in_cgroup(struct states *states)
{
	return states_start(states) &&
	       !write_number(TEST_CGROUP "/cgroup.procs", states->pid);
}

TEST_F(cgroup, is_frozen)
{
	struct states *states = self->states;
	enum who who;
	int i;

	ASSERT_TRUE(start_in_cgroup(states));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, ut_write_file(TEST_CGROUP "/cgroup.freeze", "1"));
		ASSERT_TRUE(UT_WAIT(file_says(TEST_CGROUP "/cgroup.events",
					      "frozen 1")));
		if (i == 4) {
			/* Those that run would see it at once */
			UT_STORE(states->go, 1);
			for (who = 0; who < NR_WHO; who++) {
				ut_nap();
				EXPECT_EQ(0, states->thread[who].went_on);
			}
		}
		ASSERT_EQ(0, ut_write_file(TEST_CGROUP "/cgroup.freeze", "0"));
		ASSERT_TRUE(UT_WAIT(file_says(TEST_CGROUP "/cgroup.events",
					      "frozen 0")));
	}
	EXPECT_EQ(0, states_wait(states));
	EXPECT_EQ(0, states_bad(states));
	for (who = 0; who < NR_WHO; who++)
		EXPECT_EQ(1, states->thread[who].went_on);
}

TEST_F(cgroup, is_killed)
{
	struct states *states = self->states;
	int status;

	ASSERT_TRUE(start_in_cgroup(states));
	ASSERT_EQ(0, ut_write_file(TEST_CGROUP "/cgroup.kill", "1"));
	status = states_wait(states);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST_F(cgroup, is_killed_while_it_is_frozen)
{
	struct states *states = self->states;
	int status;

	ASSERT_TRUE(start_in_cgroup(states));
	ASSERT_EQ(0, ut_write_file(TEST_CGROUP "/cgroup.freeze", "1"));
	ASSERT_TRUE(UT_WAIT(file_says(TEST_CGROUP "/cgroup.events",
				      "frozen 1")));
	ASSERT_EQ(0, kill(states->pid, SIGKILL));
	status = states_wait(states);
	EXPECT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(0, ut_write_file(TEST_CGROUP "/cgroup.freeze", "0"));
}

static void is_in_cpuset(struct states *states, enum who who)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	STATES_BAD(states, who, sched_getaffinity(0, sizeof(set), &set) ||
		   CPU_COUNT(&set) != 1 || !CPU_ISSET(0, &set) ||
		   sched_getcpu());
}

TEST_F(cgroup, is_confined_to_a_cpu)
{
	struct states *states = self->states;

	if (ut_write_file(TEST_CGROUP "/cpuset.cpus", "0"))
		SKIP(return, "no cpusets");
	states->after = is_in_cpuset;
	ASSERT_TRUE(start_in_cgroup(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

/* More than there is, by whoever gets there first */
static void uses_memory(struct states *states, enum who who)
{
	char *memory = mmap(NULL, 2 * MEMORY_MAX, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory != MAP_FAILED)
		memset(memory, 1, 2 * MEMORY_MAX);
}

TEST_F(cgroup, runs_out_of_memory)
{
	struct states *states = self->states;
	int status;

	ASSERT_EQ(0, write_number(TEST_CGROUP "/memory.max", MEMORY_MAX));
	states->after = uses_memory;
	ASSERT_TRUE(start_in_cgroup(states));
	status = states_finish(states);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_FALSE(file_says(TEST_CGROUP "/memory.events", "oom_kill 0"));
}

/* Whether a page is mapped that holds @addr, as far as one can know */
static bool is_mapped(const void *addr)
{
	off_t where = (uintptr_t)addr / sysconf(_SC_PAGESIZE) * sizeof(__u64);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;
	bool mapped;

	mapped = pread(fd, &entry, sizeof(entry), where) == sizeof(entry) &&
		 entry >> 63;
	close(fd);
	return mapped;
}

/* Make the stack of a thread that does not use it a file, and take its pages */
static bool page_stack_out(struct states *states, enum who who)
{
	int fd = memfd_create("stack", MFD_CLOEXEC);
	pthread_attr_t attr;
	size_t size;
	void *start;
	char *last;

	if (fd < 0 || pthread_getattr_np(states_pthread(who), &attr) ||
	    pthread_attr_getstack(&attr, &start, &size) ||
	    write(fd, start, size) != (ssize_t)size ||
	    mmap(start, size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) != start)
		return false;
	pthread_attr_destroy(&attr);
	close(fd);
	last = (char *)start + size - 1;
	return is_mapped(start) && is_mapped(last) &&
	       !madvise(start, size, MADV_COLD) && is_mapped(last) &&
	       !madvise(start, size, MADV_PAGEOUT) && !is_mapped(start) &&
	       !is_mapped(last);
}

static void page_stacks_out(struct states *states)
{
	cpu_set_t before, here;
	enum who who;

	/* Each cpu has some new pages of its own, which nobody else pages out */
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	STATES_BAD(states, PLAIN,
		   sched_getaffinity(0, sizeof(before), &before) ||
		   sched_setaffinity(0, sizeof(here), &here));
	/* What is used from now on counts */
	STATES_BAD(states, PLAIN,
		   ut_write_file(TEST_CGROUP "/cgroup.procs", "0"));
	for (who = USER_HELD; who <= WOKEN; who++)
		STATES_BAD(states, who, !page_stack_out(states, who));
	STATES_BAD(states, PLAIN,
		   sched_setaffinity(0, sizeof(before), &before));
}

#define SOME_MEMORY	(64 * 1024)

static void uses_some_memory(struct states *states, enum who who)
{
	char *memory = mmap(NULL, SOME_MEMORY, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (memory == MAP_FAILED) {
		STATES_BAD(states, who, true);
		return;
	}
	memset(memory, who + 1, SOME_MEMORY);
	for (i = 0; i < SOME_MEMORY; i++)
		STATES_BAD(states, who, memory[i] != (char)who + 1);
}

/* Stacks are read in again, and whoever uses more has to sleep for it */
TEST_F(cgroup, is_short_of_memory)
{
	struct states *states = self->states;

	states->before = page_stacks_out;
	states->after = uses_some_memory;
	ASSERT_TRUE(states_start(states)) TH_LOG("%ld", states->error);
	ASSERT_EQ(0, write_number(TEST_CGROUP "/memory.high", 0));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
	EXPECT_FALSE(file_says(TEST_CGROUP "/memory.events", "high 0"));
}

/* Where a thread sleeps that is made to slow down */
#define THROTTLE	"mem_cgroup_handle_over_high"

/**
 * struct slow - A process whose worker needs more memory than it is to have
 *
 * @group: Its descriptor there.
 * @tid: The worker's.
 * @stop: The worker needs no more.
 */
struct slow {
	int group;
	pid_t tid;
	int stop;
};

static struct slow *slow;

static void use_memory_until_stopped(struct ut_thread *self)
{
	char *memory;

	UT_STORE(slow->tid, self->tid);
	while (!UT_LOAD(slow->stop)) {
		memory = mmap(NULL, SOME_MEMORY, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			_exit(1);
		memset(memory, 1, SOME_MEMORY);
		munmap(memory, SOME_MEMORY);
	}
}

static int run_slow_worker(void)
{
	struct ut_base base;
	struct ut_thread worker;
	struct ums_event event;

	if (ut_write_file(TEST_CGROUP "/cgroup.procs", "0") ||
	    ut_base_open(&base, 4, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(&base) ||
	    ut_spawn_worker(&base, &worker, use_memory_until_stopped, NULL))
		return 2;
	slow->group = base.group;
	if (ut_next_of(&base, worker.ctx, &event) != 1 ||
	    ut_run_to(&base, worker.ctx, &event, UMS_REASON_TERMINATED) !=
	    UMS_REASON_TERMINATED)
		return 3;
	ut_join(&worker);
	return 0;
}

/* Whether the worker is throttled, and its scheduler knows */
static bool is_throttled(pid_t pid)
{
	char path[64], line[64];

	if (!UT_LOAD(slow->tid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", pid, slow->tid);
	if (!file_says(path, THROTTLE))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, slow->group);
	snprintf(line, sizeof(line), "tid %d role worker state blocked",
		 slow->tid);
	return file_says(path, line);
}

TEST_F(cgroup, throttles_a_worker_that_is_blocked_then)
{
	pid_t pid;

	if (!file_says("/proc/self/stack", "proc_pid_stack"))
		SKIP(return, "nobody says where threads sleep");
	slow = mmap(NULL, sizeof(*slow), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, slow);
	pid = fork();
	if (!pid)
		_exit(run_slow_worker());
	ASSERT_LT(0, pid);
	EXPECT_TRUE(UT_WAIT(UT_LOAD(slow->tid)));
	EXPECT_EQ(0, write_number(TEST_CGROUP "/memory.high", 0));
	EXPECT_TRUE(UT_WAIT(is_throttled(pid)));
	EXPECT_EQ(0, ut_write_file(TEST_CGROUP "/memory.high", "max"));
	UT_STORE(slow->stop, 1);
	EXPECT_EQ(0, ut_wait_child(pid, UT_LIMIT_MS));
}

TEST_HARNESS_MAIN
