// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: information of threads, by the classes of Windows
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int query(ums_context_t *context, enum ums_thread_info_class info_class,
		 void *buffer, size_t length)
{
	return query_ums_thread_information(context, info_class, buffer, length,
					    NULL);
}

static int set(ums_context_t *context, enum ums_thread_info_class info_class,
	       const void *buffer, size_t length)
{
	return set_ums_thread_information(context, info_class, buffer, length);
}

static pid_t worker_tid;
static pthread_t worker_self;

static void *yield_once(void *arg)
{
	UT_STORE(worker_tid, (pid_t)syscall(SYS_gettid));
	worker_self = pthread_self();
	ums_thread_yield(NULL);
	return arg;
}

FIXTURE(info)
{
	ums_completion_list_t *list;
	ums_context_t *context;
	pthread_t thread;
};

FIXTURE_SETUP(info)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	ASSERT_EQ(0, create_ums_completion_list(&self->list));
	ASSERT_EQ(0, create_ums_thread_context(&self->context));
}

/* A worker that has yielded, with the caller as its scheduler */
static int start_worker(ums_completion_list_t *list, ums_context_t *context,
			pthread_t *thread)
{
	struct ums_event event;

	if (ums_pthread_create(thread, NULL, list, context, yield_once, NULL) ||
	    ums_scheduler_enter(list) ||
	    ums_dequeue(list, &event, 1, -1) != 1)
		return -1;
	return lt_run(list, context, &event);
}

static int end_worker(ums_completion_list_t *list, ums_context_t *context,
		      pthread_t thread)
{
	struct ums_event event;
	int reason = lt_run(list, context, &event);

	if (pthread_join(thread, NULL) || ums_scheduler_leave())
		return -1;
	return reason;
}

FIXTURE_TEARDOWN(info)
{
	EXPECT_EQ(0, delete_ums_thread_context(self->context));
	EXPECT_EQ(0, delete_ums_completion_list(self->list));
}

TEST_F(info, classes_and_sizes_are_checked)
{
	ums_context_t *context = self->context;
	char buffer[256];
	size_t length = 0;

	LT_EXPECT_ERRNO(EINVAL, query(NULL, UMS_THREAD_TEB, buffer, 256));
	LT_EXPECT_ERRNO(EINVAL, query(context, UMS_THREAD_INVALID_INFO_CLASS,
				      buffer, 256));
	LT_EXPECT_ERRNO(EINVAL, query(context, UMS_THREAD_MAX_INFO_CLASS,
				      buffer, 256));
	LT_EXPECT_ERRNO(EINVAL, query(context, UMS_THREAD_USER_CONTEXT, NULL,
				      256));
	LT_EXPECT_ERRNO(ERANGE, query_ums_thread_information(context,
							     UMS_THREAD_USER_CONTEXT,
							     buffer, 7,
							     &length));
	EXPECT_EQ(sizeof(void *), length);
	EXPECT_EQ(0, query_ums_thread_information(context,
						  UMS_THREAD_IS_TERMINATED,
						  buffer, 256, &length));
	EXPECT_EQ(sizeof(bool), length);

	LT_EXPECT_ERRNO(EINVAL, set(NULL, UMS_THREAD_TEB, buffer, 8));
	LT_EXPECT_ERRNO(EINVAL, set(context, UMS_THREAD_INVALID_INFO_CLASS,
				    buffer, 8));
	LT_EXPECT_ERRNO(EINVAL, set(context, UMS_THREAD_MAX_INFO_CLASS, buffer,
				    8));
	LT_EXPECT_ERRNO(EINVAL, set(context, UMS_THREAD_USER_CONTEXT, buffer,
				    7));
	LT_EXPECT_ERRNO(EINVAL, set(context, UMS_THREAD_USER_CONTEXT, buffer,
				    9));
	LT_EXPECT_ERRNO(EINVAL, set(context, UMS_THREAD_USER_CONTEXT, NULL, 8));
	LT_EXPECT_ERRNO(EACCES, set(context, UMS_THREAD_TEB, buffer,
				    sizeof(pthread_t)));
	LT_EXPECT_ERRNO(EACCES, set(context, UMS_THREAD_IS_SUSPENDED, buffer,
				    sizeof(bool)));
	LT_EXPECT_ERRNO(EACCES, set(context, UMS_THREAD_IS_TERMINATED, buffer,
				    sizeof(bool)));
}

TEST_F(info, user_context_is_kept)
{
	void *value = (void *)1, *mine = &value;

	EXPECT_EQ(0, query(self->context, UMS_THREAD_USER_CONTEXT, &value, sizeof(value)));
	EXPECT_EQ(NULL, value);
	EXPECT_EQ(0, set(self->context, UMS_THREAD_USER_CONTEXT, &mine, sizeof(mine)));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_USER_CONTEXT, &value, sizeof(value)));
	EXPECT_EQ(mine, value);
	EXPECT_EQ(mine, ums_context_user(self->context));
}

TEST_F(info, terminated_means_that_the_worker_has_ended)
{
	bool value = true;

	EXPECT_EQ(0, query(self->context, UMS_THREAD_IS_TERMINATED, &value, sizeof(value)));
	EXPECT_FALSE(value);
	ASSERT_EQ(UMS_REASON_YIELDED,
		  start_worker(self->list, self->context, &self->thread));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_IS_TERMINATED, &value, sizeof(value)));
	EXPECT_FALSE(value);
	value = true;
	EXPECT_EQ(0, query(self->context, UMS_THREAD_IS_SUSPENDED, &value, sizeof(value)));
	EXPECT_FALSE(value);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  end_worker(self->list, self->context, self->thread));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_IS_TERMINATED, &value, sizeof(value)));
	EXPECT_TRUE(value);
}

TEST_F(info, teb_is_the_thread)
{
	pthread_t value = 0;

	LT_EXPECT_ERRNO(ENXIO, query(self->context, UMS_THREAD_TEB, &value, sizeof(value)));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  start_worker(self->list, self->context, &self->thread));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_TEB, &value, sizeof(value)));
	EXPECT_NE(0, pthread_equal(worker_self, value));
	EXPECT_NE(0, pthread_equal(self->thread, value));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  end_worker(self->list, self->context, self->thread));
}

TEST_F(info, priority_is_that_of_the_worker_thread)
{
	struct ums_thread_priority value = { .policy = -1 };

	LT_EXPECT_ERRNO(ENXIO, query(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  start_worker(self->list, self->context, &self->thread));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
	EXPECT_EQ(SCHED_OTHER, value.policy);

	value.policy = SCHED_BATCH;
	value.nice = 7;
	EXPECT_EQ(0, set(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
	EXPECT_EQ(SCHED_BATCH, sched_getscheduler(worker_tid));
	EXPECT_EQ(7, getpriority(PRIO_PROCESS, worker_tid));
	EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
	EXPECT_EQ(SCHED_BATCH, value.policy);
	EXPECT_EQ(7, value.nice);
	EXPECT_EQ(0, value.priority);

	/* All or nothing */
	value.policy = SCHED_FIFO;
	value.nice = 9;
	value.priority = 1000;
	LT_EXPECT_ERRNO(EINVAL, set(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
	EXPECT_EQ(7, getpriority(PRIO_PROCESS, worker_tid));

	ASSERT_EQ(UMS_REASON_TERMINATED,
		  end_worker(self->list, self->context, self->thread));
	LT_EXPECT_ERRNO(ESRCH, query(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
	LT_EXPECT_ERRNO(ESRCH, set(self->context, UMS_THREAD_PRIORITY, &value, sizeof(value)));
}

TEST_F(info, affinity_is_that_of_the_worker_thread)
{
	cpu_set_t all, one, value;
	size_t length = 0;
	int cpu = 0;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);

	LT_EXPECT_ERRNO(ENXIO, query(self->context, UMS_THREAD_AFFINITY, &value, sizeof(value)));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  start_worker(self->list, self->context, &self->thread));
	memset(&value, 0xff, sizeof(value));
	EXPECT_EQ(0, query_ums_thread_information(self->context,
						  UMS_THREAD_AFFINITY, &value,
						  sizeof(value), &length));
	EXPECT_NE(0, CPU_EQUAL(&all, &value));
	EXPECT_LT(0, length);
	EXPECT_GE(sizeof(value), length);
	LT_EXPECT_ERRNO(ERANGE, query(self->context, UMS_THREAD_AFFINITY, &value, 1));

	EXPECT_EQ(0, set(self->context, UMS_THREAD_AFFINITY, &one, sizeof(one)));
	EXPECT_EQ(0, query(self->context, UMS_THREAD_AFFINITY, &value, sizeof(value)));
	EXPECT_NE(0, CPU_EQUAL(&one, &value));
	ASSERT_EQ(0, sched_getaffinity(worker_tid, sizeof(value), &value));
	EXPECT_NE(0, CPU_EQUAL(&one, &value));
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(value), &value));
	EXPECT_NE(0, CPU_EQUAL(&all, &value));
	CPU_ZERO(&one);
	LT_EXPECT_ERRNO(EINVAL, set(self->context, UMS_THREAD_AFFINITY, &one, sizeof(one)));

	ASSERT_EQ(UMS_REASON_TERMINATED,
		  end_worker(self->list, self->context, self->thread));
	LT_EXPECT_ERRNO(ESRCH, set(self->context, UMS_THREAD_AFFINITY, &all, sizeof(all)));
}

TEST_F(info, role_of_a_thread)
{
	struct ums_system_thread_information value = {
		.version = UMS_API_VERSION,
		.is_ums_scheduler_thread = true,
		.is_ums_worker_thread = true,
	};

	ASSERT_EQ(0, get_ums_system_thread_information(0, &value));
	EXPECT_FALSE(value.is_ums_scheduler_thread);
	EXPECT_FALSE(value.is_ums_worker_thread);
	LT_EXPECT_ERRNO(EINVAL, get_ums_system_thread_information(-1, &value));
	/* A thread, of another process */
	LT_EXPECT_ERRNO(ESRCH, get_ums_system_thread_information(1, &value));

	ASSERT_EQ(UMS_REASON_YIELDED,
		  start_worker(self->list, self->context, &self->thread));
	ASSERT_EQ(0, get_ums_system_thread_information(0, &value));
	EXPECT_TRUE(value.is_ums_scheduler_thread);
	EXPECT_FALSE(value.is_ums_worker_thread);
	ASSERT_EQ(0, get_ums_system_thread_information(worker_tid, &value));
	EXPECT_FALSE(value.is_ums_scheduler_thread);
	EXPECT_TRUE(value.is_ums_worker_thread);

	ASSERT_EQ(UMS_REASON_TERMINATED,
		  end_worker(self->list, self->context, self->thread));
	ASSERT_EQ(0, get_ums_system_thread_information(0, &value));
	EXPECT_FALSE(value.is_ums_scheduler_thread);
}

TEST_HARNESS_MAIN
