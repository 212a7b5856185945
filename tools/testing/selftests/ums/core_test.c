// SPDX-License-Identifier: GPL-2.0
/*
 * Core dumps: what the process dies of is on record with the thread whose code
 * did it, and each thread is shown where it was, with the user switch too. Most
 * of their registers are not in their kernel threads at that moment.
 *
 * Each thread works at the far end of a large stack frame first, so that
 * registers from back then are recognized, then notes which part of its stack is
 * the right one.
 */
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define PATTERN		"/proc/sys/kernel/core_pattern"
#define DEEP		8192
/* What a function that is called may need */
#define NEAR		2048
/* Of the two that take turns each is dumped in every place sooner or later */
#define DUMPS		5

enum who { MAIN, PARKED, BLOCKED, CRASHES, SCHEDULES, TAKES_TURNS, NR_WHO };

/**
 * struct place - Where a thread is at the end
 *
 * @tid: The thread.
 * @top: Of the part of the stack that it is in.
 */
struct place {
	pid_t tid;
	__u64 top;
};

/**
 * struct child - The process that will dump core
 *
 * @base: Group of MAIN.
 * @turns_base: Group of SCHEDULES and TAKES_TURNS, on whose virtual processor
 *	user code runs all the time.
 * @thread: All but MAIN.
 * @pipe: What BLOCKED reads.
 * @hole: What CRASHES writes to.
 * @turns: How often SCHEDULES had its turn.
 * @place: Shared with the parent.
 */
struct child {
	struct ut_base base;
	struct ut_base turns_base;
	struct ut_thread thread[NR_WHO];
	int pipe[2];
	char *hole;
	__u64 turns;
	struct place *place;
};

static struct child child;

static __attribute_noinline__ void here(enum who who)
{
	child.place[who].top = (__u64)__builtin_frame_address(0) + NEAR;
	UT_STORE(child.place[who].tid, gettid());
}

/* The compiler must not think that @frame is not needed */
static void use(char *frame)
{
	asm volatile("" : : "r" (frame) : "memory");
}

static __attribute_noinline__ void yield_deep(struct ut_thread *self)
{
	char frame[DEEP];

	use(frame);
	uu_yield(self, 0);
	use(frame);
}

static void parks(struct ut_thread *self)
{
	yield_deep(self);
	yield_deep(self);
	here(PARKED);
	uu_yield(self, 0);
}

static void blocks(struct ut_thread *self)
{
	char byte;

	yield_deep(self);
	here(BLOCKED);
	self->ret = read(child.pipe[0], &byte, 1);
}

static void crashes(struct ut_thread *self)
{
	yield_deep(self);
	yield_deep(self);
	here(CRASHES);
	UT_STORE(*child.hole, 1);
}

static void takes_turns(struct ut_thread *self)
{
	yield_deep(self);
	yield_deep(self);
	here(TAKES_TURNS);
	for (;;)
		uu_yield(self, 0);
}

static __attribute_noinline__ long run_deep(struct ut_base *base, struct ut_thread *worker)
{
	char frame[DEEP];
	long ret;

	use(frame);
	ret = uu_start(base, worker);
	if (ret >= 0)
		ret = uu_run(base, worker);
	use(frame);
	return ret;
}

static void schedules(struct ut_thread *self)
{
	struct ut_base *base = &child.turns_base;
	struct ut_thread *worker = &child.thread[TAKES_TURNS];

	if (ut_base_open_flags(base, 4, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(base) ||
	    ut_spawn_worker(base, worker, takes_turns, NULL) ||
	    run_deep(base, worker) < 0)
		return;
	here(SCHEDULES);
	while (uu_run(base, worker) >= 0)
		UT_INC(child.turns);
}

static void (*const functions[])(struct ut_thread *self) = {
	[PARKED] = parks,
	[BLOCKED] = blocks,
	[CRASHES] = crashes,
};

/* Returns a line number if it cannot even dump core */
static __attribute_noinline__ int die(void)
{
	struct ut_base *base = &child.base;
	struct ut_thread *thread = child.thread;
	enum who who;

	child.hole = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	if (child.hole == MAP_FAILED || pipe(child.pipe) ||
	    ut_base_open_flags(base, 8, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(base) ||
	    ut_spawn(NULL, &thread[SCHEDULES], UMS_ROLE_NONE, schedules, NULL))
		return __LINE__;
	for (who = PARKED; who <= CRASHES; who++)
		if (ut_spawn_worker(base, &thread[who], functions[who],
				    NULL))
			return __LINE__;
	if (run_deep(base, &thread[PARKED]) < 0 ||
	    uu_run(base, &thread[PARKED]) < 0 ||
	    uu_start(base, &thread[BLOCKED]) < 0 ||
	    run_deep(base, &thread[CRASHES]) < 0)
		return __LINE__;
	here(MAIN);
	/* Blocks for good */
	if (uu_execute(base, &thread[BLOCKED]) != UMS_REASON_BLOCKED ||
	    !UT_WAIT(ut_thread_sleeps_in(thread[BLOCKED].tid, SYS_read)) ||
	    !UT_WAIT(UT_LOAD(child.turns) > 1000))
		return __LINE__;
	uu_run(base, &thread[CRASHES]);
	return __LINE__;
}

typedef bool (*note_fn)(const Elf64_Nhdr *note, const void *desc, void *arg);

/* The notes of a core file, until @note returns true */
static bool any_note(const char *core, note_fn note, void *arg)
{
	const Elf64_Ehdr *elf = (const void *)core;
	const Elf64_Phdr *seg = (const void *)(core + elf->e_phoff);
	const char *at = NULL, *end = NULL;
	int i;

	for (i = 0; i < elf->e_phnum; i++) {
		if (seg[i].p_type == PT_NOTE) {
			at = core + seg[i].p_offset;
			end = at + seg[i].p_filesz;
		}
	}
	while (at < end) {
		const Elf64_Nhdr *head = (const void *)at;
		const char *desc = at + sizeof(*head) +
				   ((head->n_namesz + 3) & ~3U);

		if (note(head, desc, arg))
			return true;
		at = desc + ((head->n_descsz + 3) & ~3U);
	}
	return false;
}

struct wanted {
	pid_t tid;
	int sig;
	__u64 rsp;
};

static bool is_wanted(const Elf64_Nhdr *note, const void *desc, void *arg)
{
	const struct elf_prstatus *status = desc;
	struct wanted *wanted = arg;

	if (note->n_type != NT_PRSTATUS || status->pr_pid != wanted->tid)
		return false;
	wanted->sig = status->pr_cursig;
	wanted->rsp = ((const struct user_regs_struct *)status->pr_reg)->rsp;
	return true;
}

static bool first_is_wanted(const Elf64_Nhdr *note, const void *desc, void *arg)
{
	const struct elf_prstatus *status = desc;

	if (note->n_type == NT_PRSTATUS)
		*(pid_t *)arg = status->pr_pid;
	return note->n_type == NT_PRSTATUS;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

FIXTURE(core)
{
	char dir[64];
	char pattern[256];
	struct place *place;
};

FIXTURE_SETUP(core)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	FILE *file;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	file = fopen(PATTERN, "r");
	ASSERT_NE(NULL, file);
	ASSERT_NE(NULL, fgets(self->pattern, sizeof(self->pattern), file));
	fclose(file);
	if (setrlimit(RLIMIT_CORE, &limit) || !write_file(PATTERN, "core"))
		SKIP(return, "cannot have core files");
	snprintf(self->dir, sizeof(self->dir), "/tmp/ums-core.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
	self->place = mmap(NULL, NR_WHO * sizeof(*self->place),
			   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	ASSERT_NE(MAP_FAILED, self->place);
}

FIXTURE_TEARDOWN(core)
{
	if (!self->place)
		return;
	EXPECT_EQ(0, chdir("/"));
	EXPECT_EQ(0, rmdir(self->dir));
	EXPECT_TRUE(write_file(PATTERN, self->pattern));
}

/* The child's core file, mapped, its name removed */
static const char *map_core(size_t *size)
{
	void *core;
	struct stat stat;
	glob_t found;
	int fd;

	if (glob("core*", 0, NULL, &found))
		return NULL;
	fd = open(found.gl_pathv[0], O_RDONLY);
	unlink(found.gl_pathv[0]);
	globfree(&found);
	if (fd < 0 || fstat(fd, &stat))
		return NULL;
	*size = stat.st_size;
	core = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return core == MAP_FAILED ? NULL : core;
}

TEST_F(core, shows_each_thread_where_it_was)
{
	struct wanted wanted = {};
	pid_t pid, first = 0;
	const char *core;
	enum who who;
	int status, i;
	size_t size;

	for (i = 0; i < DUMPS; i++) {
		memset(self->place, 0, NR_WHO * sizeof(*self->place));
		child.place = self->place;
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(die() % 256);
		status = ut_wait_child(pid, 2 * UT_LIMIT_MS);
		ASSERT_TRUE(status >= 0 && WIFSIGNALED(status)) {
			TH_LOG("line %d", WEXITSTATUS(status));
		}
		ASSERT_EQ(SIGSEGV, WTERMSIG(status));
		ASSERT_TRUE(WCOREDUMP(status));
		core = map_core(&size);
		ASSERT_NE(NULL, core);
		for (who = MAIN; who < NR_WHO; who++) {
			__u64 top = self->place[who].top;

			wanted.tid = self->place[who].tid;
			ASSERT_NE(0, wanted.tid);
			ASSERT_TRUE(any_note(core, is_wanted, &wanted));
			EXPECT_TRUE(wanted.rsp < top &&
				    wanted.rsp > top - 2 * NEAR) {
				TH_LOG("dump %d: thread %d, %d: rsp %#llx, not %#llx",
				       i, who, wanted.tid, wanted.rsp, top);
			}
		}
		/* The one that it is about is first */
		ASSERT_TRUE(any_note(core, first_is_wanted, &first));
		EXPECT_EQ(self->place[CRASHES].tid, first);
		munmap((void *)core, size);
	}
}

TEST_HARNESS_MAIN
