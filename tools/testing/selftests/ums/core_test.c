// SPDX-License-Identifier: GPL-2.0
/*
 * Core dumps: what the process dies of is on record with the thread whose code
 * did it, and each thread is shown where it was, with the user switch too. Most
 * of their registers are not in their kernel threads at that moment.
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
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "places.h"
#include "user.h"

#define PATTERN		"/proc/sys/kernel/core_pattern"
/* Of the two that take turns each is dumped in every place sooner or later */
#define DUMPS		5

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
	self->place = mmap(NULL, NR_PLACES * sizeof(*self->place),
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
	enum place_of who;
	int status, i;
	size_t size;

	for (i = 0; i < DUMPS; i++) {
		memset(self->place, 0, NR_PLACES * sizeof(*self->place));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(places_take(self->place, true) % 256);
		status = ut_wait_child(pid, 2 * UT_LIMIT_MS);
		ASSERT_TRUE(status >= 0 && WIFSIGNALED(status)) {
			TH_LOG("line %d", WEXITSTATUS(status));
		}
		ASSERT_EQ(SIGSEGV, WTERMSIG(status));
		ASSERT_TRUE(WCOREDUMP(status));
		core = map_core(&size);
		ASSERT_NE(NULL, core);
		for (who = MAIN; who < NR_PLACES; who++) {
			__u64 top = self->place[who].top;

			wanted.tid = self->place[who].tid;
			ASSERT_NE(0, wanted.tid);
			ASSERT_TRUE(any_note(core, is_wanted, &wanted));
			EXPECT_TRUE(wanted.rsp < top &&
				    wanted.rsp > top - 2 * PLACE_NEAR) {
				TH_LOG("dump %d: thread %d, %d: rsp %#llx, not %#llx",
				       i, who, wanted.tid, wanted.rsp, top);
			}
		}
		/* The one that it is about is first */
		ASSERT_TRUE(any_note(core, first_is_wanted, &first));
		EXPECT_EQ(self->place[ENDS].tid, first);
		munmap((void *)core, size);
	}
}

TEST_HARNESS_MAIN
