// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: switches in user mode where that is possible, by system call
 * where it is not or shall not be, and the same results either way.
 *
 * This program's own getauxval() can hide the vDSO from the library.
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS	500

static bool hide_vdso;

unsigned long getauxval(unsigned long type)
{
	unsigned long (*next)(unsigned long type);

	if (hide_vdso && type == AT_SYSINFO_EHDR)
		return 0;
	next = dlsym(RTLD_NEXT, "getauxval");
	return next(type);
}

FIXTURE(user_switch)
{
	struct ums_group *group;
	ums_completion_list_t *list;
	bool in_user_mode;
};

FIXTURE_VARIANT(user_switch)
{
	const char *environment;
	unsigned int flags;
	bool hide_vdso;
	bool in_user_mode;
};

FIXTURE_VARIANT_ADD(user_switch, by_itself) {
	.in_user_mode = true,
};

FIXTURE_VARIANT_ADD(user_switch, unless_the_environment_says_kernel) {
	.environment = "kernel",
};

FIXTURE_VARIANT_ADD(user_switch, whatever_else_the_environment_says) {
	.environment = "kernelx",
	.in_user_mode = true,
};

FIXTURE_VARIANT_ADD(user_switch, unless_the_group_says_kernel) {
	.flags = UMS_GROUP_KERNEL_SWITCH,
};

FIXTURE_VARIANT_ADD(user_switch, unless_there_is_no_vdso) {
	.hide_vdso = true,
};

FIXTURE_SETUP(user_switch)
{
	struct ums_probe probe = {};

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	unsetenv("UMS_SWITCH");
	if (variant->environment)
		setenv("UMS_SWITCH", variant->environment, 1);
	hide_vdso = variant->hide_vdso;
	ASSERT_EQ(0, ums_probe_kernel(&probe));
	self->in_user_mode = variant->in_user_mode &&
			     (probe.features & UMS_FEATURE_USER_SWITCH);
	ASSERT_EQ(0, ums_group_create_flags(NULL, variant->flags,
					    &self->group));
	ASSERT_EQ(0, ums_list_create(self->group, UMS_NODE_ANY, &self->list));
}

FIXTURE_TEARDOWN(user_switch)
{
	EXPECT_EQ(0, delete_ums_completion_list(self->list));
	EXPECT_EQ(0, ums_group_destroy(self->group));
}

static void *yield_numbers(void *arg)
{
	intptr_t i;

	for (i = 0; i < ROUNDS; i++)
		if (ums_thread_yield((void *)i))
			return NULL;
	return arg;
}

/* The first event, which says that the worker can be run */
static int wait_ready(ums_completion_list_t *list, ums_context_t *context)
{
	struct ums_event event;

	return ums_dequeue(list, &event, 1, -1) == 1 &&
	       ums_event_context(&event) == context ? 0 : -1;
}

TEST_F(user_switch, yields_are_reported_in_full)
{
	struct ums_switches switches;
	struct ums_stats stats;
	struct ums_event event;
	unsigned int in_user_mode = 0;
	ums_context_t *context;
	pthread_t thread;
	void *result;
	int i;

	ASSERT_EQ(0, ums_spawn(self->list, yield_numbers, self, NULL, &context,
			       &thread));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, wait_ready(self->list, context));
	for (i = 0; i < ROUNDS; i++) {
		memset(&event, 0xff, sizeof(event));
		ASSERT_EQ(UMS_REASON_YIELDED,
			  lt_run(self->list, context, &event));
		ASSERT_EQ(UMS_REASON_YIELDED, event.reason);
		ASSERT_EQ(UMS_CAUSE_NONE, event.cause);
		ASSERT_EQ(i, event.arg);
		ASSERT_EQ(ums_context_id(context), event.ctx);
		ASSERT_EQ(context, ums_event_context(&event));
		if (!event.time_ns)
			in_user_mode++;
		ASSERT_NE(0, event.seq);
	}
	ASSERT_EQ(0, ums_context_switches(context, &switches));
	ASSERT_EQ(0, ums_context_stats(context, &stats));
	EXPECT_EQ(ROUNDS, stats.yielded);
	EXPECT_LE(ROUNDS, stats.executed);
	EXPECT_EQ(switches.user, in_user_mode);
	if (self->in_user_mode) {
		EXPECT_EQ(ROUNDS, switches.user + switches.slow_kernel +
				  switches.slow_ids);
		EXPECT_LT(ROUNDS * 9 / 10, switches.user);
	} else {
		EXPECT_EQ(0, switches.user);
	}

	EXPECT_EQ(UMS_REASON_TERMINATED, lt_run(self->list, context, &event));
	EXPECT_EQ(ums_context_id(context), event.ctx);
	EXPECT_EQ(context, ums_event_context(&event));
	EXPECT_NE(0, event.time_ns);
	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(self, result);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static int pipe_fds[2];

static void *yield_and_read(void *arg)
{
	char byte;

	ums_thread_yield(arg);
	return (void *)syscall(SYS_read, pipe_fds[0], &byte, 1);
}

/* As lt_run(), of a scheduler that wants no events */
static int run_blind(ums_completion_list_t *list, ums_context_t *context)
{
	int ret;

	do {
		ret = ums_run(context, NULL);
	} while (ret < 0 && (errno == EAGAIN || errno == EINTR));
	return ret;
}

TEST_F(user_switch, kernel_events_are_as_ever)
{
	struct ums_event event;
	ums_context_t *context;
	pthread_t thread;
	void *result;
	int ret;

	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(0, ums_spawn(self->list, yield_and_read, self, NULL, &context,
			       &thread));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, wait_ready(self->list, context));
	ASSERT_EQ(UMS_REASON_YIELDED, lt_run(self->list, context, &event));
	EXPECT_EQ((uintptr_t)self, event.arg);
	ASSERT_EQ(UMS_REASON_BLOCKED, lt_run(self->list, context, &event));
	EXPECT_EQ(UMS_CAUSE_SYSCALL, event.cause);
	EXPECT_EQ(SYS_read, event.arg);
	EXPECT_EQ(context, ums_event_context(&event));
	EXPECT_NE(0, event.time_ns);
	LT_EXPECT_ERRNO(EINPROGRESS, ums_run(context, NULL));
	LT_EXPECT_ERRNO(EINPROGRESS, ums_run(context, &event));
	ASSERT_EQ(1, write(pipe_fds[1], "", 1));
	ASSERT_EQ(0, wait_ready(self->list, context));
	while ((ret = run_blind(self->list, context)) == UMS_REASON_BLOCKED)
		ASSERT_EQ(0, wait_ready(self->list, context));
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	LT_EXPECT_ERRNO(ESRCH, ums_run(context, NULL));

	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ((void *)1, result);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static void *yield_first(void *arg)
{
	ums_thread_yield(NULL);
	return arg;
}

static void *read_first(void *arg)
{
	char byte;

	return (void *)syscall(SYS_read, pipe_fds[0], &byte, 1);
}

/*
 * Both are new: the scheduler goes by system call both times, the second time
 * on the kernel thread of the first worker, and comes back by the kernel.
 */
TEST_F(user_switch, scheduler_has_its_own_registers_back)
{
	register unsigned long kept __asm__ ("r12");
	ums_context_t *contexts[2];
	pthread_t threads[2];
	struct ums_event event;
	unsigned long found;
	int ret;

	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, ums_spawn(self->list, yield_first, self, NULL,
			       &contexts[0], &threads[0]));
	ASSERT_EQ(0, wait_ready(self->list, contexts[0]));
	ASSERT_EQ(0, ums_spawn(self->list, read_first, self, NULL,
			       &contexts[1], &threads[1]));
	ASSERT_EQ(0, wait_ready(self->list, contexts[1]));

	__asm__ volatile ("mov $1, %0" : "=r" (kept));
	ret = ums_run(contexts[0], NULL);
	__asm__ volatile ("mov $2, %0" : "=r" (kept));
	ums_run(contexts[1], NULL);
	__asm__ volatile ("" : "+r" (kept));
	found = kept;
	EXPECT_EQ(2, found);
	if (ret == UMS_REASON_BLOCKED)
		SKIP(return, "a page had to be read in");

	ASSERT_EQ(1, write(pipe_fds[1], "", 1));
	ASSERT_EQ(0, wait_ready(self->list, contexts[1]));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, contexts[0], &event));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, contexts[1], &event));
	EXPECT_EQ(0, ums_scheduler_leave());
	for (ret = 0; ret < 2; ret++) {
		EXPECT_EQ(0, pthread_join(threads[ret], NULL));
		EXPECT_EQ(0, delete_ums_thread_context(contexts[ret]));
	}
}

struct relay {
	ums_context_t *other;
	int turns;
	int error;
};

static void *run_relay(void *arg)
{
	struct relay *relay = arg;

	/* Both have to be there, user-held, before the first hands over */
	ums_thread_yield(NULL);
	for (relay->turns = 0; relay->turns < ROUNDS; relay->turns++) {
		if (ums_switch_to(relay->other)) {
			relay->error = errno;
			break;
		}
	}
	return NULL;
}

TEST_F(user_switch, workers_switch_to_each_other)
{
	struct ums_switches switches;
	ums_context_t *contexts[2];
	struct relay relays[2] = {};
	struct ums_event event;
	pthread_t threads[2];
	int i;

	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ums_spawn(self->list, run_relay, &relays[i], NULL,
				       &contexts[i], &threads[i]));
		relays[!i].other = contexts[i];
		ASSERT_EQ(0, wait_ready(self->list, contexts[i]));
		ASSERT_EQ(UMS_REASON_YIELDED,
			  lt_run(self->list, contexts[i], &event));
	}

	/* The first one to begin is the first to end; both have had all turns */
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, contexts[0], &event));
	EXPECT_EQ(contexts[0], ums_event_context(&event));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, contexts[1], &event));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, relays[i].error);
		EXPECT_EQ(ROUNDS, relays[i].turns);
	}
	ASSERT_EQ(0, ums_context_switches(contexts[0], &switches));
	EXPECT_EQ(self->in_user_mode, switches.user > ROUNDS * 9 / 10);

	EXPECT_EQ(0, ums_scheduler_leave());
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, delete_ums_thread_context(contexts[i]));
	}
}

TEST_F(user_switch, entry_point_is_called_anew)
{
	struct lt_sched *sched = calloc(1, sizeof(*sched));
	struct ums_switches switches;
	ums_context_t *context;
	pthread_t thread;
	unsigned int i, yields = 0;

	ASSERT_NE(NULL, sched);
	sched->list = self->list;
	sched->workers = 1;
	ASSERT_EQ(0, ums_spawn(self->list, yield_numbers, self, NULL, &context,
			       &thread));
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(0, sched->execute_errno);
	EXPECT_EQ(ROUNDS, sched->calls[UMS_REASON_YIELDED]);
	EXPECT_EQ(1, sched->calls[UMS_REASON_TERMINATED]);
	for (i = 0; i < sched->nr_records; i++) {
		const struct lt_record *record = &sched->records[i];

		EXPECT_EQ(sched->records[0].frame, record->frame);
		if (record->reason != UMS_REASON_YIELDED)
			continue;
		EXPECT_EQ(context, record->context);
		EXPECT_EQ((void *)(uintptr_t)yields, record->param);
		EXPECT_EQ(yields, record->event.arg);
		yields++;
	}
	EXPECT_LT(0, yields);
	EXPECT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, ums_context_switches(context, &switches));
	EXPECT_EQ(self->in_user_mode, switches.user > ROUNDS * 9 / 10);
	EXPECT_EQ(0, delete_ums_thread_context(context));
	free(sched);
}

TEST_F(user_switch, who_yields_is_neither_suspended_nor_terminated)
{
	struct ums_event event;
	ums_context_t *context;
	pthread_t thread;
	bool flag;
	int i;

	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, ums_spawn(self->list, yield_numbers, self, NULL, &context,
			       &thread));
	ASSERT_EQ(0, wait_ready(self->list, context));
	ASSERT_EQ(UMS_REASON_YIELDED, lt_run(self->list, context, &event));
	flag = true;
	EXPECT_EQ(0, query_ums_thread_information(context,
						  UMS_THREAD_IS_SUSPENDED,
						  &flag, sizeof(flag), NULL));
	EXPECT_FALSE(flag);
	flag = true;
	EXPECT_EQ(0, query_ums_thread_information(context,
						  UMS_THREAD_IS_TERMINATED,
						  &flag, sizeof(flag), NULL));
	EXPECT_FALSE(flag);
	LT_EXPECT_ERRNO(EBUSY, delete_ums_thread_context(context));
	for (i = 1; i < ROUNDS; i++)
		ASSERT_EQ(UMS_REASON_YIELDED,
			  lt_run(self->list, context, &event));
	EXPECT_EQ(UMS_REASON_TERMINATED, lt_run(self->list, context, &event));
	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

struct released {
	ums_context_t *other;
	int released;
	int may_go_on;
	int yield_errno;
	int switch_errno;
	int done;
	int may_end;
};

static void *go_on_alone(void *arg)
{
	struct released *released = arg;

	ums_thread_yield(NULL);
	UT_STORE(released->released, 1);
	if (!UT_WAIT(UT_LOAD(released->may_go_on)))
		return NULL;
	errno = 0;
	if (ums_thread_yield(NULL) == -1)
		released->yield_errno = errno;
	errno = 0;
	if (ums_switch_to(released->other) == -1)
		released->switch_errno = errno;
	UT_STORE(released->done, 1);
	return UT_WAIT(UT_LOAD(released->may_end)) ? arg : NULL;
}

static void *wait_for_released(void *arg)
{
	struct released *released = arg;

	/* Its scheduler is user-held, as that of the released worker was */
	ums_thread_yield(NULL);
	UT_STORE(released->may_go_on, 1);
	while (!UT_LOAD(released->done))
		__builtin_ia32_pause();
	return arg;
}

/* Whoever has become a plain thread must not take a scheduler's processor */
TEST_F(user_switch, released_worker_does_not_switch)
{
	struct released released = {};
	pthread_t thread, other;
	struct ums_event event;
	ums_context_t *context;
	void *result;
	__u64 id;

	ASSERT_EQ(0, ums_spawn(self->list, go_on_alone, &released, NULL,
			       &context, &thread));
	id = ums_context_id(context);
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, wait_ready(self->list, context));
	ASSERT_EQ(UMS_REASON_YIELDED, lt_run(self->list, context, &event));
	ASSERT_EQ(0, ums_scheduler_leave());
	ASSERT_TRUE(UT_WAIT(UT_LOAD(released.released)));
	ASSERT_EQ(0, delete_ums_thread_context(context));

	/* This one gets the slot of that */
	ASSERT_EQ(0, ums_spawn(self->list, wait_for_released, &released, NULL,
			       &released.other, &other));
	ASSERT_EQ((__u32)id, (__u32)ums_context_id(released.other));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, wait_ready(self->list, released.other));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  lt_run(self->list, released.other, &event));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, released.other, &event));
	EXPECT_EQ(ENOTCONN, released.yield_errno);
	EXPECT_EQ(ENOTCONN, released.switch_errno);

	UT_STORE(released.may_end, 1);
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&released, result);
	EXPECT_EQ(0, pthread_join(other, NULL));
	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, delete_ums_thread_context(released.other));
}

struct wrong {
	ums_context_t *worker;
	ums_context_t *foreign;
	int run_errno;
	int run_event_errno;
	int execute_errno;
	int foreign_errno;
	int itself_errno;
	int nobody_errno;
};

static void *make_wrong_calls(void *arg)
{
	struct wrong *wrong = arg;
	struct ums_event event;

	ums_run(wrong->worker, NULL);
	wrong->run_errno = errno;
	ums_run(wrong->worker, &event);
	wrong->run_event_errno = errno;
	execute_ums_thread(wrong->worker);
	wrong->execute_errno = errno;
	ums_switch_to(wrong->foreign);
	wrong->foreign_errno = errno;
	ums_switch_to(wrong->worker);
	wrong->itself_errno = errno;
	ums_switch_to(NULL);
	wrong->nobody_errno = errno;
	return arg;
}

TEST_F(user_switch, errors_are_told_apart)
{
	struct wrong wrong = {};
	struct ums_switches switches;
	struct ums_event event;
	struct ums_group *group;
	pthread_t thread;

	LT_EXPECT_ERRNO(EINVAL, ums_group_create_flags(NULL, 4, &group));
	ASSERT_EQ(0, ums_group_create(NULL, &group));
	ASSERT_EQ(0, ums_context_create(group, UMS_NODE_ANY, &wrong.foreign));
	ASSERT_EQ(0, ums_context_create(self->group, UMS_NODE_ANY,
					&wrong.worker));

	/* By a plain thread */
	LT_EXPECT_ERRNO(ENOTCONN, ums_run(wrong.worker, NULL));
	LT_EXPECT_ERRNO(ENOTCONN, ums_run(wrong.worker, &event));
	LT_EXPECT_ERRNO(ENOTCONN, execute_ums_thread(wrong.worker));
	LT_EXPECT_ERRNO(ENOTCONN, ums_switch_to(wrong.worker));
	LT_EXPECT_ERRNO(ENOTCONN, ums_thread_yield(NULL));

	/* By a scheduler */
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	LT_EXPECT_ERRNO(ENXIO, ums_run(wrong.worker, NULL));
	LT_EXPECT_ERRNO(ENXIO, ums_run(wrong.worker, &event));
	LT_EXPECT_ERRNO(EXDEV, ums_run(wrong.foreign, NULL));
	LT_EXPECT_ERRNO(EXDEV, ums_run(wrong.foreign, &event));
	LT_EXPECT_ERRNO(EINVAL, ums_run(NULL, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_run(NULL, &event));
	LT_EXPECT_ERRNO(ENOTCONN, execute_ums_thread(wrong.worker));
	LT_EXPECT_ERRNO(ENOTCONN, ums_switch_to(wrong.worker));
	LT_EXPECT_ERRNO(ENOTCONN, ums_thread_yield(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_context_switches(wrong.worker, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_context_switches(NULL, &switches));

	/* By a worker */
	ASSERT_EQ(0, ums_pthread_create(&thread, NULL, self->list, wrong.worker,
					make_wrong_calls, &wrong));
	ASSERT_EQ(0, wait_ready(self->list, wrong.worker));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, wrong.worker, &event));
	EXPECT_EQ(ENOTCONN, wrong.run_errno);
	EXPECT_EQ(ENOTCONN, wrong.run_event_errno);
	EXPECT_EQ(ENOTCONN, wrong.execute_errno);
	EXPECT_EQ(EXDEV, wrong.foreign_errno);
	EXPECT_EQ(EINVAL, wrong.itself_errno);
	EXPECT_EQ(EINVAL, wrong.nobody_errno);

	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(wrong.worker));
	EXPECT_EQ(0, delete_ums_thread_context(wrong.foreign));
	EXPECT_EQ(0, ums_group_destroy(group));
}

TEST_HARNESS_MAIN
