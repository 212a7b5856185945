// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library on a kernel that will not: without UMS every call fails with
 * ENOSYS, whatever its arguments are; and a thread that the kernel does not make
 * a worker is not started.
 *
 * A kernel that has it is made one that has not by a seccomp filter.
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define ABSENT(value, call) do {			\
	errno = 0;					\
	EXPECT_EQ(value, (call));			\
	EXPECT_EQ(ENOSYS, errno) TH_LOG("%s", #call);	\
} while (0)

static int install_filter(struct sock_filter *filter, size_t len)
{
	struct sock_fprog prog = { .len = len, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* The kernel does not know the system calls */
static int filter_all(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, __NR_ums_ctl, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, __NR_ums_dequeue, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install_filter(filter, ARRAY_SIZE(filter));
}

/* The kernel has no memory when a thread is to be attached */
static int filter_attach(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ums_ctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UMS_CTL_ATTACH, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install_filter(filter, ARRAY_SIZE(filter));
}

static void proc(ums_reason_t reason, ums_activation_t *activation, void *param)
{
}

static void *routine(void *arg)
{
	return arg;
}

TEST(every_call_fails)
{
	struct ums_scheduler_startup_info info = {
		.version = UMS_API_VERSION,
		.scheduler_proc = proc,
	};
	struct ums_system_thread_information thread = {
		.version = UMS_API_VERSION,
	};
	struct ums_group_options options = { 0 };
	ums_completion_list_t *list = NULL;
	ums_context_t *context = NULL;
	struct ums_group *group = NULL;
	struct ums_event event = { 0 };
	struct ums_probe probe;
	struct ums_switches switches;
	struct ums_stats stats;
	pthread_t created;
	void *value = NULL;
	int fd;

	ASSERT_EQ(0, filter_all());

	ABSENT(-1, create_ums_completion_list(&list));
	ABSENT(-1, create_ums_completion_list(NULL));
	ABSENT(-1, delete_ums_completion_list(list));
	ABSENT(-1, get_ums_completion_list_event(list, &fd));
	ABSENT(-1, dequeue_ums_completion_list_items(list, -1, &context));
	ABSENT(NULL, get_next_ums_list_item(context));
	ABSENT(-1, create_ums_thread_context(&context));
	ABSENT(-1, delete_ums_thread_context(context));
	ABSENT(-1, ums_pthread_create(&created, NULL, list, context, routine,
				      NULL));
	ABSENT(-1, enter_ums_scheduling_mode(&info));
	ABSENT(-1, enter_ums_scheduling_mode(NULL));
	ABSENT(-1, execute_ums_thread(context));
	ABSENT(-1, ums_thread_yield(NULL));
	ABSENT(NULL, get_current_ums_thread());
	ABSENT(-1, query_ums_thread_information(context,
						UMS_THREAD_USER_CONTEXT,
						&value, sizeof(value), NULL));
	ABSENT(-1, set_ums_thread_information(context, UMS_THREAD_USER_CONTEXT,
					      &value, sizeof(value)));
	ABSENT(-1, get_ums_system_thread_information(0, &thread));

	ABSENT(-1, ums_configure_default_group(&options));
	ABSENT(-1, ums_default_group(&group));
	ABSENT(-1, ums_group_create(&options, &group));
	ABSENT(-1, ums_group_create_flags(&options, 0, &group));
	ABSENT(-1, ums_group_destroy(group));
	ABSENT(-1, ums_group_fd(group));
	ABSENT(-1, ums_list_create(NULL, UMS_NODE_ANY, &list));
	ABSENT(-1, ums_list_accept_waiters(list));
	ABSENT(-1, ums_list_hand_over(list));
	ABSENT(-1, ums_set_aside(context));
	ABSENT(-1, ums_context_create(NULL, UMS_NODE_ANY, &context));
	ABSENT(-1, ums_spawn(list, routine, NULL, NULL, &context, &created));
	ABSENT(-1, ums_scheduler_enter(list));
	ABSENT(-1, ums_scheduler_leave());
	ABSENT(-1, ums_run(context, &event));
	ABSENT(-1, ums_switch_to(context));
	ABSENT(-1, ums_worker_enter(list, context));
	ABSENT(-1, ums_worker_leave());
	ABSENT(-1, ums_dequeue(list, &event, 1, -1));
	ABSENT(NULL, ums_event_context(&event));
	ABSENT(NULL, ums_context_user(context));
	ABSENT(0, ums_context_id(context));
	ABSENT(-1, ums_context_stats(context, &stats));
	ABSENT(-1, ums_context_switches(context, &switches));
	ABSENT(-1, ums_probe_kernel(&probe));
}

TEST(thread_that_cannot_attach_is_not_started)
{
	ums_completion_list_t *list;
	ums_context_t *context;
	bool terminated = false;
	struct ums_group *group;
	pthread_t thread;
	void *result;

	if (ut_absent())
		SKIP(return, UT_ABSENT);

	ASSERT_EQ(0, ums_group_create(NULL, &group));
	ASSERT_EQ(0, ums_list_create(group, UMS_NODE_ANY, &list));
	ASSERT_EQ(0, filter_attach());

	LT_EXPECT_ERRNO(ENOMEM, ums_scheduler_enter(list));
	ASSERT_EQ(0, ums_spawn(list, routine, list, NULL, &context, &thread));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(UMS_NOT_STARTED, result);
	EXPECT_EQ(0, query_ums_thread_information(context,
						  UMS_THREAD_IS_TERMINATED,
						  &terminated,
						  sizeof(terminated), NULL));
	EXPECT_TRUE(terminated);
	EXPECT_EQ(0, delete_ums_thread_context(context));

	/* The calling thread can try again */
	ASSERT_EQ(0, ums_context_create(group, UMS_NODE_ANY, &context));
	LT_EXPECT_ERRNO(ENOMEM, ums_worker_enter(list, context));
	LT_EXPECT_ERRNO(ENOMEM, ums_worker_enter(list, context));
	EXPECT_EQ(0, delete_ums_thread_context(context));
	EXPECT_EQ(0, delete_ums_completion_list(list));
	/* Nothing is left over of all that */
	EXPECT_EQ(0, ums_group_destroy(group));
}

TEST_HARNESS_MAIN
