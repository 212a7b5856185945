// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: fault injection, see fault.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "fault.h"

#define DEBUGFS		"/sys/kernel/debug/"
/* More points than any operation has */
#define MAX_POINTS	500
/* More memory than one takes from the slab, and the least that is one more object */
#define MAX_SPACE	8192
#define SPACE_STEP	32

/* What is to be set for everything to fail, and what it was before */
static struct setting {
	const char *name;
	const char *value;
	char old[8];
} settings[] = {
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/verbose", "0" },
	/* Only who wants to, and then whenever there is no space left */
	{ "failslab/task-filter", "Y" },
	{ "failslab/probability", "100" },
	{ "failslab/times", "-1" },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_usercopy/verbose", "0" },
};

static int open_setting(const struct setting *setting, int flags)
{
	char path[100];

	snprintf(path, sizeof(path), DEBUGFS "%s", setting->name);
	return open(path, flags);
}

static bool save(struct setting *setting)
{
	int fd = open_setting(setting, O_RDONLY);
	bool good = read(fd, setting->old, sizeof(setting->old) - 1) > 0;

	close(fd);
	return good;
}

static bool change(const struct setting *setting, const char *value)
{
	int fd = open_setting(setting, O_WRONLY);
	bool good = write(fd, value, strlen(value)) > 0;

	close(fd);
	return good;
}

bool fault_begin(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (!save(&settings[i]) ||
		    !change(&settings[i], settings[i].value))
			return false;
	return true;
}

void fault_end(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].old[0])
			change(&settings[i], settings[i].old);
}

static bool arm(int fail_nth, unsigned int n)
{
	char text[12];
	int length = snprintf(text, sizeof(text), "%u", n);

	return pwrite(fail_nth, text, length, 0) == length;
}

/*
 * Whether a point has failed since arm(). If it did not, the next one that would
 * is in here, and is of no matter.
 */
static bool disarm(int fail_nth)
{
	char text[12] = "1";
	bool failed;

	failed = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 &&
		 !strtoul(text, NULL, 0);
	if (!failed)
		pwrite(fail_nth, "0", 1, 0);
	return failed;
}

/* From now on the calling thread gets so many bytes of the slab, or any number. */
static bool limit_space(int make_it_fail, unsigned int space)
{
	static const struct setting setting = { "failslab/space" };
	char text[12];

	if (space == MAX_SPACE)
		return pwrite(make_it_fail, "0", 1, 0) == 1;
	snprintf(text, sizeof(text), "%u", space);
	return change(&setting, text) && pwrite(make_it_fail, "1", 1, 0) == 1;
}

static bool is_expected(const struct fault_op *op, long ret)
{
	return ret == -ENOMEM || ret == -EFAULT || (op->error && ret == op->error);
}

static long fail_everywhere(struct rig *rig, const struct fault_op *op,
			    int fail_nth)
{
	unsigned int n, fds = ut_count_fds();
	bool failed;
	long ret;

	for (n = 1; n < MAX_POINTS; n++) {
		if ((op->prepare && !op->prepare(rig)) || !arm(fail_nth, n))
			return -ECANCELED;
		ret = op->fn(rig);
		failed = disarm(fail_nth);
		if (failed && n <= op->sure && ret >= 0)
			return -EPROTO;
		if (failed && is_expected(op, ret))
			ret = op->fn(rig);
		if (ret < 0)
			return ret;
		if (op->undo)
			op->undo(rig, ret);
		if (ut_count_fds() != fds)
			return -EMFILE;
		if (!failed)
			return n - 1;
	}
	return -ERANGE;
}

/* Returns how often it has failed, as fault_everywhere() */
static long fail_from_anywhere(struct rig *rig, const struct fault_op *op,
			       int make_it_fail)
{
	unsigned int space, fds = ut_count_fds();
	long ret, failed = 0;

	for (space = 0; space < MAX_SPACE; space += SPACE_STEP) {
		if ((op->prepare && !op->prepare(rig)) ||
		    !limit_space(make_it_fail, space))
			return -ECANCELED;
		ret = op->fn(rig);
		if (!limit_space(make_it_fail, MAX_SPACE))
			return -ECANCELED;
		if (is_expected(op, ret)) {
			failed++;
			ret = op->fn(rig);
		}
		if (ret < 0)
			return ret;
		if (op->undo)
			op->undo(rig, ret);
		if (ut_count_fds() != fds)
			return -EMFILE;
	}
	return failed;
}

long fault_everywhere(struct rig *rig, const struct fault_op *op)
{
	int fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	int make_it_fail = open("/proc/thread-self/make-it-fail", O_RDWR);
	long ret = -ENOENT, more = 0;

	if (fail_nth >= 0 && make_it_fail >= 0)
		ret = fail_everywhere(rig, op, fail_nth);
	if (ret >= 0 && op->asks_twice)
		more = fail_from_anywhere(rig, op, make_it_fail);
	close(fail_nth);
	close(make_it_fail);
	return more < 0 ? more : ret + more;
}
