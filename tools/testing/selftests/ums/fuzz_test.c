// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: the fuzzer, see fuzz.h. Processes whose threads do whatever comes
 * to their minds. They may die of it, but they die when they are killed; nothing
 * is left of them, nobody else notices, and the kernel has nothing to say.
 *
 * UMS_FUZZ_SEED	a number, to do again what was done with it
 * UMS_FUZZ_CHILD	a number: only that process, again and again
 * UMS_FUZZ_VERBOSE	how often each operation was done
 * UMS_TEST_MS		how long
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "fuzz.h"

/* How long it runs, in ms; UMS_TEST_MS overrides it */
#define RUN_MS		8000

#define ANY_CHILD	(~0ULL)

/* The present one can be found in the log of a kernel that did not survive it */
static int kernel_log;

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void tell_file(const char *path, const char *only)
{
	char line[256];
	FILE *file = fopen(path, "r");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (!only || !strncmp(line, only, strlen(only)))
			fprintf(stderr, "#   %s", line);
	fclose(file);
}

static void tell_thread(const char *task)
{
	static const char * const only[] = { "Name", "State", "Tgid", "Sig" };
	static const char * const files[] = { "syscall", "wchan", "stack" };
	char path[100];
	unsigned int i;

	fprintf(stderr, "# %s\n", task);
	for (i = 0; i < ARRAY_SIZE(only); i++) {
		snprintf(path, sizeof(path), "%.60s/status", task);
		tell_file(path, only[i]);
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%.60s/%s", task, files[i]);
		tell_file(path, NULL);
		if (i == 1)
			fputc('\n', stderr);
	}
}

/* Whatever there is in the session of the keeper @pid */
static void tell_session(pid_t pid)
{
	struct dirent *entry, *task;
	char path[100];
	DIR *proc, *tasks;

	proc = opendir("/proc");
	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		if (getsid(atoi(entry->d_name)) != pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/task", entry->d_name);
		tasks = opendir(path);
		while (tasks && (task = readdir(tasks))) {
			if (task->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s",
				 entry->d_name, task->d_name);
			tell_thread(path);
		}
		if (tasks)
			closedir(tasks);
	}
	closedir(proc);
}

/* The keeper, in a pid namespace of its own; it dies with us */
static pid_t start_keeper(struct fuzz_shared *shared)
{
	unsigned long flags = CLONE_NEWPID | SIGCHLD;
	pid_t pid;

	if (geteuid())
		flags |= CLONE_NEWUSER;
	pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fuzz_keeper(shared);
	return 0;
}

static bool is_gone(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG) == pid;
}

FIXTURE(fuzz)
{
	uint64_t seed;
	uint64_t only_child;
	uint64_t run_ms;
	struct fuzz_shared *shared;
	unsigned int fds;
};

FIXTURE_SETUP(fuzz)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (getrandom(&self->seed, sizeof(self->seed), 0) < 0)
		self->seed = ut_now_ns();
	self->seed = number_from("UMS_FUZZ_SEED", self->seed % 1000000);
	self->only_child = number_from("UMS_FUZZ_CHILD", ANY_CHILD);
	self->run_ms = ut_run_ms(RUN_MS);
	TH_LOG("UMS_FUZZ_SEED=%llu", (unsigned long long)self->seed);
	kernel_log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	ut_prefault();
	self->fds = ut_count_fds();
}

FIXTURE_TEARDOWN(fuzz)
{
	munmap(self->shared, sizeof(*self->shared));
	close(kernel_log);
}

/* What the process does: switch, and about half of the rest */
static void choose(struct fuzz_shared *shared, uint64_t seed)
{
	shared->seed = seed;
	shared->classes = fuzz_sub_seed(seed, 1) & FUZZ_CLASSES;
	shared->classes |= FUZZ_SWITCH;
	/* These soon have nothing left to go on with */
	if (fuzz_sub_seed(seed, 2) % 2)
		shared->classes &= ~(FUZZ_SCRIBBLE | FUZZ_SECCOMP);
	shared->ready = 0;
	shared->status = -1;
	memset(shared->tid, 0, sizeof(shared->tid));
}

static void log_operations(struct __test_metadata *_metadata,
			   struct fuzz_shared *shared)
{
	const char *name;
	unsigned int i;

	for (i = 0; (name = fuzz_op_name(i)); i++)
		TH_LOG("%-20s %8lu, %8lu with success", name,
		       shared->op[i].calls, shared->op[i].good);
}

/* An hour, and some more */
TEST_F_TIMEOUT(fuzz, processes_die_when_killed_and_nobody_else_notices, 4500)
{
	__u64 end = ut_now_ns() + self->run_ms * UT_NSEC_PER_MSEC;
	unsigned int number = 0, of_itself = 0, by_fault = 0;
	unsigned long calls = 0, good = 0, i;
	uint64_t child;
	pid_t pid;

	while (ut_now_ns() < end) {
		child = self->only_child == ANY_CHILD ? number :
							self->only_child;
		choose(self->shared, fuzz_sub_seed(self->seed, child));
		dprintf(kernel_log, "<6>ums fuzz: UMS_FUZZ_SEED=%llu UMS_FUZZ_CHILD=%llu\n",
			(unsigned long long)self->seed,
			(unsigned long long)child);
		pid = start_keeper(self->shared);
		if (!number && (pid == -EPERM || pid == -EINVAL))
			SKIP(return, "no pid namespaces");
		ASSERT_LT(0, pid);
		if (!UT_WAIT(is_gone(pid))) {
			TH_LOG("UMS_FUZZ_SEED=%llu UMS_FUZZ_CHILD=%llu hangs",
			       (unsigned long long)self->seed,
			       (unsigned long long)child);
			tell_session(pid);
			kill(pid, SIGKILL);
			ASSERT_TRUE(false);
		}
		ASSERT_NE(-1, self->shared->status);
		of_itself += WIFEXITED(self->shared->status);
		by_fault += WIFSIGNALED(self->shared->status) &&
			    WTERMSIG(self->shared->status) != SIGKILL;
		number++;
	}

	for (i = 0; i < FUZZ_MAX_OPS; i++) {
		calls += self->shared->op[i].calls;
		good += self->shared->op[i].good;
	}
	TH_LOG("%u processes, %u ended, %u died of themselves", number,
	       of_itself, by_fault);
	TH_LOG("%lu operations, %lu with success; %lu user switches; %lu tracers, %lu stops",
	       calls, good, self->shared->user_switches, self->shared->tracers,
	       self->shared->stops);
	if (getenv("UMS_FUZZ_VERBOSE"))
		log_operations(_metadata, self->shared);
	EXPECT_LT(number, good);
	EXPECT_EQ(-1, waitpid(-1, NULL, __WALL));
	EXPECT_EQ(ECHILD, errno);
	EXPECT_EQ(1, ut_status_number("Threads"));
	EXPECT_EQ(self->fds, ut_count_fds());
	if (uu_init())
		EXPECT_TRUE(uu_fresh_group_works());
}

TEST_HARNESS_MAIN
