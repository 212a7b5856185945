// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: who may set a group up, and how many. Each limit is changed in a
 * child, or where nobody else sees it, or put back.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "common.h"

#define DISABLED	"/proc/sys/kernel/ums_disabled"
#define MAX_GROUPS	"/proc/sys/user/max_ums_groups"
#define NOBODY		65534

/* The number in the file @path; or a negative errno */
static int read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	int number;

	if (!file)
		return -errno;
	if (fscanf(file, "%d", &number) != 1)
		number = -EIO;
	fclose(file);
	return number;
}

static int write_number(const char *path, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return ut_write_file(path, text);
}

/* What a child says, a small number, or a negative one if it did not */
static int ask_child(int (*child)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(child());
	if (pid < 0)
		return -errno;
	status = ut_wait_child(pid, UT_LIMIT_MS);
	return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) :
						  -EPROTO;
}

static long setup(void)
{
	return ut_setup(4, UMS_ORPHAN_RELEASE);
}

FIXTURE(disabled)
{
	int before;
};

FIXTURE_SETUP(disabled)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->before = read_number(DISABLED);
	ASSERT_LE(0, self->before);
	if (write_number(DISABLED, 0)) {
		self->before = -1;
		SKIP(return, "not root");
	}
}

FIXTURE_TEARDOWN(disabled)
{
	if (self->before >= 0)
		EXPECT_EQ(0, write_number(DISABLED, self->before));
}

/* The errno that somebody without capabilities gets */
static int unprivileged_setup(void)
{
	long ret;

	if (setgid(NOBODY) || setuid(NOBODY))
		return 255;
	ret = setup();
	return ret < 0 ? -ret : 0;
}

TEST_F(disabled, is_one_of_three)
{
	struct ums_probe probe = {};

	EXPECT_EQ(0, self->before);
	EXPECT_EQ(-EINVAL, write_number(DISABLED, -1));
	EXPECT_EQ(-EINVAL, write_number(DISABLED, 3));
	EXPECT_EQ(0, read_number(DISABLED));
	EXPECT_EQ(0, ask_child(unprivileged_setup));
	ASSERT_EQ(0, write_number(DISABLED, 2));
	EXPECT_EQ(0, ut_probe(&probe));
}

TEST_F(disabled, to_all_but_the_administrator)
{
	int group;

	ASSERT_EQ(0, write_number(DISABLED, 1));
	EXPECT_EQ(EPERM, ask_child(unprivileged_setup));
	group = setup();
	EXPECT_LE(0, group);
	close(group);
}

TEST_F(disabled, to_everybody_but_whoever_has_a_group)
{
	struct ut_base base;

	ASSERT_EQ(0, ut_base_open(&base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, write_number(DISABLED, 2));
	EXPECT_EQ(EPERM, ask_child(unprivileged_setup));
	EXPECT_EQ(-EPERM, setup());
	/* Bad arguments are found first */
	EXPECT_EQ(-EINVAL, ut_setup(0, UMS_ORPHAN_RELEASE));
	EXPECT_EQ(0, ut_base_schedule_here(&base));
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&base);
}

#define GROUPS	3

/* A namespace in which the caller is root, so that it can have more of them */
static bool new_namespace(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[32];

	if (unshare(CLONE_NEWUSER))
		return false;
	ut_write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %d 1", uid);
	if (ut_write_file("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %d 1", gid);
	return !ut_write_file("/proc/self/gid_map", map);
}

/* The step that failed, 0 for none, 255 if namespaces are not to be had */
static int use_up_groups(void)
{
	int group[GROUPS], i;
	struct ut_base base;

	if (!new_namespace())
		return 255;
	if (write_number(MAX_GROUPS, GROUPS))
		return 1;
	for (i = 0; i < GROUPS; i++) {
		group[i] = setup();
		if (group[i] < 0)
			return 2;
	}
	if (setup() != -ENOSPC || setup() != -ENOSPC)
		return 3;
	/* There is no way around it by another namespace */
	if (!new_namespace() || setup() != -ENOSPC)
		return 4;
	close(group[0]);
	/* Failures are not counted, nor is what is gone */
	for (i = 0; i < 2 * GROUPS; i++) {
		if (ut_setup(0, UMS_ORPHAN_RELEASE) != -EINVAL)
			return 5;
		if (ut_base_open(&base, 4, UMS_ORPHAN_RELEASE))
			return 6;
		if (setup() != -ENOSPC)
			return 7;
		if (ut_base_schedule_here(&base) || ut_detach())
			return 8;
		ut_base_close(&base);
	}
	return 0;
}

/* @child is to find nothing wrong, in a namespace of its own */
static void expect_good(struct __test_metadata *_metadata, int (*child)(void))
{
	int ret;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ret = ask_child(child);
	if (ret == 255)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, ret);
}

TEST(a_user_has_so_many_groups)
{
	expect_good(_metadata, use_up_groups);
}

static int out_of_files(void)
{
	struct rlimit none = { .rlim_cur = 0 };
	int i;

	if (!new_namespace())
		return 255;
	if (write_number(MAX_GROUPS, 1) || setrlimit(RLIMIT_NOFILE, &none))
		return 1;
	for (i = 0; i < GROUPS; i++)
		if (setup() != -EMFILE)
			return 2;
	return 0;
}

TEST(a_group_without_a_file_is_not_counted)
{
	expect_good(_metadata, out_of_files);
}

TEST_HARNESS_MAIN
