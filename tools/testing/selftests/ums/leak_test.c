// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: many lives of groups, lists, schedulers and workers, after which the
 * kernel has as much memory in use as before, and the process as many files.
 *
 * UMS_TEST_LIVES says how many workers live. A kernel that keeps freed memory back
 * to find faults counts its objects instead, and has kmemleak as well, for whoever
 * runs the tests to look at: that names one object that is lost, and so they need not
 * be many there.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define LIVES		4000
#define LIVES_WATCHED	480
#define PER_GROUP	40
#define PER_LIST	8
/* Bytes that each may leave behind: less than the least object */
#define PER_LIFE	8
/* What the kernel has in its pockets, more or less */
#define SLACK		(512 * 1024)

#define SLAB		"/sys/kernel/slab/"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* Of the kernel itself, in bytes */
static long memory_in_use(void)
{
	static const char * const names[] = {
		"SUnreclaim", "KernelStack", "PageTables", "Percpu",
		"VmallocUsed",
	};
	FILE *file = fopen("/proc/meminfo", "r");
	long sum = 0, number;
	char line[128], name[64];
	unsigned int i;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63[^:]: %ld kB", name, &number) != 2)
			continue;
		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (!strcmp(name, names[i]))
				sum += number * 1024;
	}
	fclose(file);
	return sum;
}

/* Of which each life, or each group, has one or more */
static const char * const caches[] = {
	"ums_ctx", "ums_task", "task_struct", "filp",
};

/* In a cache; -1 if the kernel does not count them */
static long objects_in_use(const char *cache)
{
	char path[64];
	FILE *file;
	long nr;

	/* Those kept back to find faults are let go. */
	snprintf(path, sizeof(path), SLAB "%s/shrink", cache);
	ut_write_file(path, "1");
	snprintf(path, sizeof(path), SLAB "%s/objects", cache);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &nr) != 1)
		nr = -1;
	fclose(file);
	return nr;
}

static void switches_and_ends(struct ut_thread *self)
{
	if (uu.yield)
		uu_yield(self, 0);
	ut_yield(0);
}

/* A worker, from its context to its end */
static bool live(struct ut_base *base, int list)
{
	struct ut_thread worker;
	bool good;

	if (ut_spawn_on(base, &worker, list, UMS_ROLE_WORKER,
			switches_and_ends, NULL))
		return false;
	good = !uu_schedule(base, &worker, 1);
	ut_join(&worker);
	return good && !ut_ctx_delete(base->group, worker.ctx);
}

/* A group of as many lives as that, with a list now and then */
static bool live_in_a_group(unsigned int lives)
{
	struct ut_base base;
	bool good = true;
	int list = -1;

	if (ut_base_open(&base, PER_GROUP, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(&base))
		return false;
	for (; lives && good; lives--) {
		if (lives % PER_LIST == 0) {
			close(list);
			list = ut_list_create(base.group, NULL);
		}
		good = live(&base, list);
	}
	close(list);
	good = good && !ut_detach();
	ut_base_close(&base);
	return good;
}

static bool many_lives(unsigned int lives)
{
	for (; lives >= PER_GROUP; lives -= PER_GROUP)
		if (!live_in_a_group(PER_GROUP))
			return false;
	return true;
}

FIXTURE(lives)
{
	bool watched;
	unsigned int nr;
};

FIXTURE_SETUP(lives)
{
	const char *lives = getenv("UMS_TEST_LIVES");

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	self->watched = !access(KMEMLEAK, F_OK);
	self->nr = lives ? strtoul(lives, NULL, 10) :
		   self->watched ? LIVES_WATCHED : LIVES;
}

FIXTURE_TEARDOWN(lives)
{
}

TEST_F_TIMEOUT(lives, leave_nothing_behind, 3600)
{
	/* Less than one for each group */
	const long few = self->nr / PER_GROUP / 2;
	long before, limit, objects[ARRAY_SIZE(caches)];
	unsigned int fds, i;

	/* What is needed once, and caches */
	ASSERT_TRUE(many_lives(self->nr / 10));
	fds = ut_count_fds();
	before = memory_in_use();
	ASSERT_LT(0, before);
	limit = before + SLACK + self->nr * PER_LIFE;
	/* What is freed late is gone too, unless somebody else has as many */
	UT_WAIT(objects_in_use(caches[0]) <= few && objects_in_use(caches[1]) <= few);
	for (i = 0; i < ARRAY_SIZE(caches); i++)
		objects[i] = objects_in_use(caches[i]);
	ASSERT_TRUE(many_lives(self->nr));
	EXPECT_EQ(fds, ut_count_fds());
	EXPECT_TRUE(UT_WAIT(ut_status_number("Threads") == 1));
	EXPECT_TRUE(self->watched || UT_WAIT(memory_in_use() <= limit));
	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		EXPECT_TRUE(UT_WAIT(objects_in_use(caches[i]) <=
				    objects[i] + few));
		TH_LOG("%s: %ld objects, %ld before", caches[i],
		       objects_in_use(caches[i]), objects[i]);
	}
	TH_LOG("%u lives, %ld bytes more than before", self->nr,
	       memory_in_use() - before);
}

TEST_HARNESS_MAIN
