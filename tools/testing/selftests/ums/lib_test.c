// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: its objects - groups, lists, contexts - and what can be asked
 * about them
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

/* More than the library takes from the kernel at a time */
#define NR_MANY		100

FIXTURE(lib)
{
	ums_completion_list_t *list;
};

FIXTURE_SETUP(lib)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	ASSERT_EQ(0, create_ums_completion_list(&self->list));
}

FIXTURE_TEARDOWN(lib)
{
	EXPECT_EQ(0, delete_ums_completion_list(self->list));
}

static void *nothing(void *arg)
{
	return arg;
}

static void *yield_once(void *arg)
{
	ums_thread_yield(arg);
	return arg;
}

/* Run all that is in the list to its end */
static int finish(ums_completion_list_t *list, int workers)
{
	struct lt_sched *sched = calloc(1, sizeof(*sched));
	int ret;

	sched->list = list;
	sched->workers = workers;
	ret = lt_schedule(sched);
	if (sched->execute_errno)
		ret = -1;
	free(sched);
	return ret;
}

TEST_F(lib, arguments_are_checked)
{
	struct ums_scheduler_startup_info info = {
		.completion_list = self->list,
		.scheduler_proc = lt_proc,
	};
	struct ums_system_thread_information thread = { 0 };
	ums_context_t *context;
	pthread_t joiner;
	int fd;

	LT_EXPECT_ERRNO(EINVAL, create_ums_completion_list(NULL));
	EXPECT_EQ(0, delete_ums_completion_list(NULL));
	LT_EXPECT_ERRNO(EINVAL, get_ums_completion_list_event(NULL, &fd));
	LT_EXPECT_ERRNO(EINVAL, get_ums_completion_list_event(self->list, NULL));
	LT_EXPECT_ERRNO(EINVAL,
			dequeue_ums_completion_list_items(NULL, 0, &context));
	LT_EXPECT_ERRNO(EINVAL,
			dequeue_ums_completion_list_items(self->list, 0, NULL));
	LT_EXPECT_ERRNO(EINVAL, dequeue_ums_completion_list_items(self->list, -2,
								  &context));
	errno = 0;
	EXPECT_EQ(NULL, get_next_ums_list_item(NULL));
	EXPECT_EQ(EINVAL, errno);
	LT_EXPECT_ERRNO(EINVAL, create_ums_thread_context(NULL));
	EXPECT_EQ(0, delete_ums_thread_context(NULL));
	LT_EXPECT_ERRNO(EINVAL, execute_ums_thread(NULL));
	LT_EXPECT_ERRNO(ENOTCONN, ums_thread_yield(NULL));
	errno = 0;
	EXPECT_EQ(NULL, get_current_ums_thread());
	EXPECT_EQ(ENOTCONN, errno);

	LT_EXPECT_ERRNO(EINVAL, enter_ums_scheduling_mode(NULL));
	LT_EXPECT_ERRNO(EINVAL, enter_ums_scheduling_mode(&info));
	info.version = UMS_API_VERSION;
	info.scheduler_proc = NULL;
	LT_EXPECT_ERRNO(EINVAL, enter_ums_scheduling_mode(&info));
	info.scheduler_proc = lt_proc;
	info.completion_list = NULL;
	LT_EXPECT_ERRNO(EINVAL, enter_ums_scheduling_mode(&info));

	LT_EXPECT_ERRNO(EINVAL, get_ums_system_thread_information(0, NULL));
	LT_EXPECT_ERRNO(EINVAL, get_ums_system_thread_information(0, &thread));

	ASSERT_EQ(0, create_ums_thread_context(&context));
	LT_EXPECT_ERRNO(EINVAL, ums_pthread_create(NULL, NULL, self->list, context,
						   nothing, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_pthread_create(&joiner, NULL, NULL, context,
						   nothing, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_pthread_create(&joiner, NULL, self->list, NULL,
						   nothing, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_pthread_create(&joiner, NULL, self->list,
						   context, NULL, NULL));
	LT_EXPECT_ERRNO(ENOTCONN, execute_ums_thread(context));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST_F(lib, empty_list_gives_nothing_in_time)
{
	ums_context_t *item = (void *)1;
	__u64 start;

	LT_EXPECT_ERRNO(EAGAIN,
			dequeue_ums_completion_list_items(self->list, 0, &item));
	EXPECT_EQ(NULL, item);

	start = ut_now_ns();
	LT_EXPECT_ERRNO(ETIMEDOUT,
			dequeue_ums_completion_list_items(self->list, 20, &item));
	EXPECT_LE(20 * UT_NSEC_PER_MSEC, ut_now_ns() - start);
}

/* The mapping of a list, of the size that this kernel wants */
static struct ums_ring *map_ring(int fd, size_t *size)
{
	struct ums_ring *ring;

	for (*size = sysconf(_SC_PAGESIZE); *size < 1UL << 30;
	     *size += sysconf(_SC_PAGESIZE)) {
		ring = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
		if (ring != MAP_FAILED)
			return ring;
	}
	return NULL;
}

TEST_F(lib, lost_items_are_reported_once)
{
	ums_context_t *context, *item;
	struct ums_event event;
	struct ums_ring *ring;
	pthread_t thread;
	size_t size;
	int fd;

	ASSERT_EQ(0, get_ums_completion_list_event(self->list, &fd));
	ring = map_ring(fd, &size);
	ASSERT_NE(NULL, ring);

	/* A head that cannot be, as if somebody had scribbled on it */
	UT_STORE(ring->head, ring->tail + 1);
	LT_EXPECT_ERRNO(EOVERFLOW,
			dequeue_ums_completion_list_items(self->list, 0, &item));
	LT_EXPECT_ERRNO(EAGAIN,
			dequeue_ums_completion_list_items(self->list, 0, &item));

	/* The same while a worker becomes ready, and then an empty list */
	UT_STORE(ring->head, ring->tail + 1);
	ASSERT_EQ(0, lt_spawn_ready(self->list, nothing, NULL, &context,
				    &thread));
	UT_STORE(ring->head, ring->tail);
	LT_EXPECT_ERRNO(EOVERFLOW,
			dequeue_ums_completion_list_items(self->list, 0, &item));
	LT_EXPECT_ERRNO(EAGAIN,
			dequeue_ums_completion_list_items(self->list, 0, &item));

	/* Whoever knows the worker can run it all the same */
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(UMS_REASON_TERMINATED, lt_run(self->list, context, &event));
	ASSERT_EQ(0, ums_scheduler_leave());
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
	munmap(ring, size);
}

static void on_alarm(int sig)
{
}

TEST_F(lib, signal_ends_a_finite_wait)
{
	struct sigaction action = { .sa_handler = on_alarm };
	/* Again and again: the first may come before the wait has begun */
	struct itimerval timer = {
		.it_interval.tv_usec = 50000,
		.it_value.tv_usec = 50000,
	};
	const struct itimerval none = {};
	ums_context_t *item;

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
	LT_EXPECT_ERRNO(EINTR, dequeue_ums_completion_list_items(self->list,
								 UT_LIMIT_MS,
								 &item));
	EXPECT_EQ(0, setitimer(ITIMER_REAL, &none, NULL));
}

TEST_F(lib, event_is_readable_while_the_list_is_not_empty)
{
	struct pollfd pollfd = { .events = POLLIN };
	ums_context_t *context;
	pthread_t thread;

	ASSERT_EQ(0, get_ums_completion_list_event(self->list, &pollfd.fd));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));

	ASSERT_EQ(0, ums_spawn(self->list, nothing, NULL, NULL, &context,
			       &thread));
	ASSERT_EQ(1, poll(&pollfd, 1, UT_LIMIT_MS));

	ASSERT_EQ(0, finish(self->list, 1));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	EXPECT_EQ(0, pthread_join(thread, NULL));
	/* A context belongs to it */
	LT_EXPECT_ERRNO(EBUSY, delete_ums_completion_list(self->list));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST_F(lib, all_items_come_at_once_and_in_order)
{
	static ums_context_t *contexts[NR_MANY];
	static pthread_t threads[NR_MANY];
	struct lt_sched *sched = calloc(1, sizeof(*sched));
	ums_context_t *item;
	int i;

	for (i = 0; i < NR_MANY; i++)
		ASSERT_EQ(0, lt_spawn_ready(self->list, nothing, &contexts[i],
					    &contexts[i], &threads[i]));

	ASSERT_EQ(0, dequeue_ums_completion_list_items(self->list, -1, &item));
	for (i = 0; i < NR_MANY; i++) {
		ASSERT_EQ(contexts[i], item);
		lt_push(sched, item);
		item = get_next_ums_list_item(item);
	}
	EXPECT_EQ(NULL, item);
	LT_EXPECT_ERRNO(EAGAIN,
			dequeue_ums_completion_list_items(self->list, 0, &item));

	sched->list = self->list;
	sched->workers = NR_MANY;
	ASSERT_EQ(0, lt_schedule(sched));
	for (i = 0; i < NR_MANY; i++) {
		void *result;

		ASSERT_EQ(0, pthread_join(threads[i], &result));
		ASSERT_EQ(&contexts[i], result);
		ASSERT_EQ(0, delete_ums_thread_context(contexts[i]));
	}
	free(sched);
}

TEST_F(lib, context_is_deleted_before_or_after_its_worker_only)
{
	ums_context_t *context;
	pthread_t thread;

	ASSERT_EQ(0, create_ums_thread_context(&context));
	EXPECT_EQ(0, delete_ums_thread_context(context));

	ASSERT_EQ(0, create_ums_thread_context(&context));
	ASSERT_EQ(0, ums_pthread_create(&thread, NULL, self->list, context,
					yield_once, NULL));
	/* Whether its thread has come so far or not */
	LT_EXPECT_ERRNO(EBUSY, delete_ums_thread_context(context));
	ASSERT_TRUE(UT_WAIT(lt_state(context) == UMS_STATE_READY));
	LT_EXPECT_ERRNO(EBUSY, delete_ums_thread_context(context));
	LT_EXPECT_ERRNO(EBUSY, ums_pthread_create(&thread, NULL, self->list,
						  context, nothing, NULL));

	ASSERT_EQ(0, finish(self->list, 1));
	EXPECT_EQ(0, pthread_join(thread, NULL));
	LT_EXPECT_ERRNO(EBUSY, ums_pthread_create(&thread, NULL, self->list,
						  context, nothing, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST_F(lib, failed_thread_creation_leaves_the_context_unused)
{
	ums_context_t *context;
	pthread_attr_t attr;
	pthread_t thread;

	/* No process has room for such a stack */
	ASSERT_EQ(0, pthread_attr_init(&attr));
	ASSERT_EQ(0, pthread_attr_setstacksize(&attr, 1UL << 47));
	ASSERT_EQ(0, create_ums_thread_context(&context));
	LT_EXPECT_ERRNO(EAGAIN, ums_pthread_create(&thread, &attr, self->list,
						   context, nothing, NULL));

	ASSERT_EQ(0, ums_pthread_create(&thread, NULL, self->list, context,
					nothing, NULL));
	ASSERT_EQ(0, finish(self->list, 1));
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
	pthread_attr_destroy(&attr);
}

TEST_F(lib, group_holds_what_it_was_made_for)
{
	struct ums_group_options options = { .max_contexts = 2 };
	ums_context_t *contexts[3];
	ums_completion_list_t *list;
	struct ums_group *group;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, ums_group_create(&options, &group));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ums_context_create(group, UMS_NODE_ANY,
						&contexts[i]));
	LT_EXPECT_ERRNO(ENOSPC, ums_context_create(group, UMS_NODE_ANY,
						   &contexts[2]));
	ASSERT_EQ(0, ums_list_create(group, UMS_NODE_ANY, &list));
	/* No room for a scheduler */
	LT_EXPECT_ERRNO(ENOSPC, ums_scheduler_enter(list));
	/* Another group's */
	LT_EXPECT_ERRNO(EXDEV, ums_pthread_create(&thread, NULL, self->list,
						  contexts[0], nothing, NULL));

	LT_EXPECT_ERRNO(EBUSY, ums_group_destroy(group));
	EXPECT_EQ(0, delete_ums_thread_context(contexts[0]));
	EXPECT_EQ(0, delete_ums_thread_context(contexts[1]));
	LT_EXPECT_ERRNO(EBUSY, ums_group_destroy(group));
	EXPECT_EQ(0, delete_ums_completion_list(list));
	EXPECT_EQ(0, ums_group_destroy(group));
	EXPECT_EQ(0, ums_group_destroy(NULL));

	/* The default one is there already, and for good */
	LT_EXPECT_ERRNO(EBUSY, ums_configure_default_group(&options));
	ASSERT_EQ(0, ums_default_group(&group));
	LT_EXPECT_ERRNO(EBUSY, ums_group_destroy(group));
}

TEST(default_group_is_as_configured)
{
	struct ums_group_options options = { .max_contexts = 1 };
	ums_context_t *context, *other;

	if (ut_absent())
		SKIP(return, UT_ABSENT);

	LT_EXPECT_ERRNO(EINVAL, ums_configure_default_group(NULL));
	options.orphan_policy = 77;
	LT_EXPECT_ERRNO(EINVAL, ums_configure_default_group(&options));
	options.orphan_policy = UMS_ORPHAN_RELEASE;
	ASSERT_EQ(0, ums_configure_default_group(&options));
	ASSERT_EQ(0, create_ums_thread_context(&context));
	LT_EXPECT_ERRNO(ENOSPC, create_ums_thread_context(&other));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST(environment_says_how_large_the_default_group_is)
{
	ums_context_t *context, *other;

	if (ut_absent())
		SKIP(return, UT_ABSENT);

	ASSERT_EQ(0, setenv("UMS_MAX_CONTEXTS", "1", 1));
	ASSERT_EQ(0, create_ums_thread_context(&context));
	LT_EXPECT_ERRNO(ENOSPC, create_ums_thread_context(&other));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static int child_of_fork(ums_completion_list_t *list, ums_context_t *context)
{
	ums_completion_list_t *own;
	ums_context_t *item;
	pthread_t thread;
	int fd;

	/* Nothing of the parent, and no crash */
	if (!dequeue_ums_completion_list_items(list, 0, &item) ||
	    errno != EXDEV)
		return 1;
	if (!get_ums_completion_list_event(list, &fd) || errno != EXDEV)
		return 2;
	if (!delete_ums_thread_context(context) || errno != EXDEV)
		return 3;
	if (!delete_ums_completion_list(list) || errno != EXDEV)
		return 4;
	if (get_current_ums_thread())
		return 5;

	/* And all anew */
	if (create_ums_completion_list(&own) ||
	    ums_spawn(own, nothing, &fd, NULL, &context, &thread))
		return 6;
	if (finish(own, 1) || pthread_join(thread, NULL) ||
	    delete_ums_thread_context(context) ||
	    delete_ums_completion_list(own))
		return 7;
	return 0;
}

TEST_F(lib, child_of_fork_begins_anew)
{
	ums_context_t *context;
	int status;
	pid_t pid;

	ASSERT_EQ(0, create_ums_thread_context(&context));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child_of_fork(self->list, context));
	status = ut_wait_child(pid, UT_LIMIT_MS);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST_HARNESS_MAIN
