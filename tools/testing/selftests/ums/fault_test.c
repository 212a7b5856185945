// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: every allocation, and every copy from and to user memory, fails in
 * turn, in each operation. An error comes back that says so, nothing is left
 * behind or lost, and the operation succeeds as soon as nothing fails.
 *
 * By /proc/thread-self/fail-nth, where a kernel has fault injection: the n-th
 * point of the calling thread that can fail does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "common.h"

#define DEBUGFS		"/sys/kernel/debug/"
/* More points than any operation has */
#define MAX_POINTS	500
#define CONTEXTS	64

/* What is to be set for everything to fail, and what it was before */
static struct setting {
	const char *name;
	const char *value;
	char old[8];
} settings[] = {
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/verbose", "0" },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_usercopy/verbose", "0" },
};

static int fail_nth;

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

static bool arm(unsigned int n)
{
	char text[12];
	int length = snprintf(text, sizeof(text), "%u", n);

	return pwrite(fail_nth, text, length, 0) == length;
}

/*
 * Whether a point has failed since arm(). If it did not, the next one that would
 * is in here, and is of no matter.
 */
static bool disarm(void)
{
	char text[12] = "1";
	bool failed;

	failed = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 &&
		 !strtoul(text, NULL, 0);
	if (!failed)
		pwrite(fail_nth, "0", 1, 0);
	return failed;
}

/* What operations work on */
struct rig {
	struct ut_base base;
	__u64 ctx;
	__u64 ready;
	struct ut_thread worker;
	void *map;
};

/**
 * struct op - An operation that can fail
 *
 * @name: Of the operation.
 * @prepare: Before each time, or NULL. Returns whether that worked.
 * @fn: What is done; returns a negative errno, or what @undo needs.
 * @undo: After it succeeded, or NULL.
 */
struct op {
	const char *name;
	bool (*prepare)(struct rig *rig);
	long (*fn)(struct rig *rig);
	void (*undo)(struct rig *rig, long ret);
};

static void close_it(struct rig *rig, long ret)
{
	close(ret);
}

static long setup(struct rig *rig)
{
	return ut_setup(CONTEXTS, UMS_ORPHAN_RELEASE);
}

static long list_create(struct rig *rig)
{
	struct ums_list_create list;

	return ut_list_create(rig->base.group, &list);
}

static long ctx_create(struct rig *rig)
{
	return ut_ctx_create(rig->base.group, 0, &rig->ctx);
}

static bool has_ctx(struct rig *rig)
{
	if (rig->ctx != UT_NONE)
		ut_ctx_delete(rig->base.group, rig->ctx);
	return !ut_ctx_create(rig->base.group, 0, &rig->ctx);
}

static void ctx_undo(struct rig *rig, long ret)
{
	ut_ctx_delete(rig->base.group, rig->ctx);
	rig->ctx = UT_NONE;
}

static long ctx_delete(struct rig *rig)
{
	long ret = ut_ctx_delete(rig->base.group, rig->ctx);

	if (!ret)
		rig->ctx = UT_NONE;
	return ret;
}

static long attach(struct rig *rig)
{
	return ut_attach(rig->base.list, UMS_ROLE_SCHEDULER, rig->ctx);
}

static void attach_undo(struct rig *rig, long ret)
{
	ut_detach();
}

static long query(struct rig *rig)
{
	struct ums_info info;

	return ut_query(rig->base.group, rig->ready, UMS_INFO_STATS, &info);
}

static long map(struct rig *rig)
{
	rig->map = mmap(NULL, rig->base.slots_size, PROT_READ, MAP_SHARED,
			rig->base.group, 0);
	if (rig->map == MAP_FAILED)
		return -errno;
	/* Faults have no error: they are made again */
	return UT_LOAD(((struct ums_context *)rig->map)[1].state) + 1;
}

static void unmap(struct rig *rig, long ret)
{
	munmap(rig->map, rig->base.slots_size);
}

static long dequeue(struct rig *rig)
{
	struct ums_event event;
	long ret = ut_dequeue(rig->base.list, &event, 1, 0);

	if (ret == 1 && (event.ctx != rig->ready ||
			 event.reason != UMS_REASON_READY))
		return -EPROTO;
	return ret;
}

static long execute(struct rig *rig)
{
	struct ums_event event;
	long ret = ut_execute(rig->base.group, rig->ready, &event);

	if (ret >= 0)
		return ret == UMS_REASON_YIELDED ? ret : -EPROTO;
	/*
	 * The event could not be written, for which there is no other reason
	 * than that somebody unmaps it meanwhile: then it is in the slot.
	 */
	if (ret == -EFAULT &&
	    ut_slot(&rig->base, rig->base.sched)->event_reason !=
	    UMS_REASON_YIELDED)
		return -EPROTO;
	return ret;
}

static const struct op plain_ops[] = {
	{ "setup", NULL, setup, close_it },
	{ "list_create", NULL, list_create, close_it },
	{ "ctx_create", NULL, ctx_create, ctx_undo },
	{ "ctx_delete", has_ctx, ctx_delete, NULL },
	{ "query", NULL, query, NULL },
	{ "map", NULL, map, unmap },
	{ "dequeue", NULL, dequeue, NULL },
};

/* The last scheduler that goes releases the worker */
static const struct op execute_op = { "execute", NULL, execute, NULL };
static const struct op attach_op = { "attach", has_ctx, attach, attach_undo };

/* Yields whenever it is executed */
static void yields(struct ut_thread *thread)
{
	while (!UT_LOAD(thread->arg))
		ut_yield(0);
}

FIXTURE(fault)
{
	struct rig rig;
};

FIXTURE_SETUP(fault)
{
	struct rig *rig = &self->rig;
	unsigned int i;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_nth < 0)
		SKIP(return, "no fault injection here");
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (!save(&settings[i]) ||
		    !change(&settings[i], settings[i].value))
			SKIP(return, "no debugfs here");
	ASSERT_EQ(0, ut_base_open(&rig->base, CONTEXTS, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_spawn_worker(&rig->base, &rig->worker, yields, NULL));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(&rig->base, rig->worker.ctx) ==
			    UMS_STATE_READY));
	rig->ready = rig->worker.ctx;
	rig->ctx = UT_NONE;
}

FIXTURE_TEARDOWN(fault)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].old[0])
			change(&settings[i], settings[i].old);
}

/* Returns how many points have failed, or a negative errno that must not be */
static long fail_everywhere(struct rig *rig, const struct op *op)
{
	unsigned int n, fds = ut_count_fds();
	bool failed;
	long ret;

	for (n = 1; n < MAX_POINTS; n++) {
		if ((op->prepare && !op->prepare(rig)) || !arm(n))
			return -ECANCELED;
		ret = op->fn(rig);
		failed = disarm();
		if (ret >= 0 && op->undo)
			op->undo(rig, ret);
		if (ret < 0 && (!failed || (ret != -ENOMEM && ret != -EFAULT)))
			return ret;
		if (ut_count_fds() != fds)
			return -EMFILE;
		if (!failed)
			return n - 1;
	}
	return -ERANGE;
}

static bool is_harmless(struct __test_metadata *_metadata, struct rig *rig,
			const struct op *op)
{
	long points = fail_everywhere(rig, op);

	TH_LOG("%s: %ld points", op->name, points);
	return points > 0;
}

TEST_F(fault, of_any_operation_is_its_only_effect)
{
	struct rig *rig = &self->rig;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(plain_ops); i++)
		EXPECT_TRUE(is_harmless(_metadata, rig, &plain_ops[i]));
	/* The worker is still there for whoever executes it */
	ASSERT_EQ(0, ut_base_schedule_here(&rig->base));
	EXPECT_TRUE(is_harmless(_metadata, rig, &execute_op));
	UT_STORE(rig->worker.arg, rig);
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_execute(rig->base.group, rig->ready, NULL));
	ut_join(&rig->worker);
	EXPECT_EQ(0, ut_detach());
	EXPECT_TRUE(is_harmless(_metadata, rig, &attach_op));
	ut_base_close(&rig->base);
}

TEST_HARNESS_MAIN
