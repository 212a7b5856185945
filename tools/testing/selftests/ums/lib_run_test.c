// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: the direct API, where the scheduler is a loop
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <sys/syscall.h>
#include <unistd.h>

FIXTURE(run)
{
	ums_completion_list_t *list;
	struct ums_event event;
};

FIXTURE_SETUP(run)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	ASSERT_EQ(0, create_ums_completion_list(&self->list));
}

FIXTURE_TEARDOWN(run)
{
	EXPECT_EQ(0, delete_ums_completion_list(self->list));
}

static void *yield_argument(void *arg)
{
	ums_thread_yield(arg);
	return arg;
}

TEST_F(run, returns_the_reason)
{
	struct ums_event *event = &self->event;
	struct ums_stats stats;
	ums_context_t *context;
	pthread_t thread;
	char user;

	ASSERT_EQ(0, ums_spawn(self->list, yield_argument, &thread, &user,
			       &context, &thread));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, ums_dequeue(self->list, NULL, 0, -1));
	ASSERT_EQ(1, ums_dequeue(self->list, event, 1, 0));
	EXPECT_EQ(UMS_REASON_READY, event->reason);
	EXPECT_EQ(ums_context_id(context), event->ctx);
	EXPECT_EQ(context, ums_event_context(event));
	EXPECT_EQ(&user, ums_context_user(context));

	ASSERT_EQ(UMS_REASON_YIELDED, lt_run(self->list, context, event));
	EXPECT_EQ(UMS_REASON_YIELDED, event->reason);
	EXPECT_EQ((uintptr_t)&thread, event->arg);
	EXPECT_EQ(context, ums_event_context(event));
	ASSERT_EQ(0, ums_context_stats(context, &stats));
	EXPECT_EQ(1, stats.yielded);
	EXPECT_LE(1, stats.executed);
	ASSERT_EQ(UMS_REASON_TERMINATED, lt_run(self->list, context, event));
	LT_EXPECT_ERRNO(ESRCH, ums_run(context, event));

	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static int pipe_fds[2];

static void *read_byte(void *arg)
{
	char byte;

	return (void *)syscall(SYS_read, pipe_fds[0], &byte, 1);
}

TEST_F(run, blocked_worker_cannot_be_run)
{
	struct ums_event *event = &self->event;
	ums_context_t *context;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(0, lt_spawn_ready(self->list, read_byte, NULL, &context,
				    &thread));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(1, ums_dequeue(self->list, event, 1, 0));
	ASSERT_EQ(UMS_REASON_BLOCKED, lt_run(self->list, context, event));
	EXPECT_EQ(SYS_read, event->arg);
	LT_EXPECT_ERRNO(EINPROGRESS, ums_run(context, NULL));
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(self->list, event, 1, 0));

	ASSERT_EQ(1, write(pipe_fds[1], "", 1));
	EXPECT_EQ(1, ums_dequeue(self->list, event, 1, -1));
	EXPECT_EQ(UMS_REASON_READY, event->reason);
	EXPECT_EQ(UMS_REASON_TERMINATED, lt_run(self->list, context, event));

	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ((void *)1, result);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

/* Two workers that hand the processor to each other */
struct relay {
	ums_context_t *other;
	int *turns;
	int error;
};

#define NR_TURNS	10

static void *run_relay(void *arg)
{
	struct relay *relay = arg;
	int i;

	for (i = 0; i < NR_TURNS; i++) {
		UT_INC(*relay->turns);
		/* The last one has nobody to hand over to */
		if (*relay->turns == 2 * NR_TURNS)
			break;
		if (ums_switch_to(relay->other)) {
			relay->error = errno;
			break;
		}
	}
	return NULL;
}

TEST_F(run, workers_switch_to_each_other)
{
	struct ums_event *event = &self->event;
	ums_context_t *contexts[2];
	struct relay relays[2];
	pthread_t threads[2];
	int turns = 0, i;

	for (i = 0; i < 2; i++) {
		relays[i] = (struct relay) { .turns = &turns };
		ASSERT_EQ(0, lt_spawn_ready(self->list, run_relay, &relays[i],
					    &contexts[i], &threads[i]));
	}
	relays[0].other = contexts[1];
	relays[1].other = contexts[0];

	LT_EXPECT_ERRNO(ENOTCONN, ums_switch_to(contexts[0]));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	LT_EXPECT_ERRNO(ENOTCONN, ums_switch_to(contexts[0]));
	ASSERT_EQ(1, ums_dequeue(self->list, event, 1, 0));
	ASSERT_EQ(1, ums_dequeue(self->list, event, 1, 0));

	/* The one that was not executed ends first, and says so */
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, contexts[0], event));
	EXPECT_EQ(ums_context_id(contexts[1]), event->ctx);
	EXPECT_EQ(2 * NR_TURNS, turns);
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, contexts[0], event));
	EXPECT_EQ(ums_context_id(contexts[0]), event->ctx);

	EXPECT_EQ(0, ums_scheduler_leave());
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, relays[i].error);
		EXPECT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, delete_ums_thread_context(contexts[i]));
	}
}

struct visitor {
	ums_completion_list_t *list;
	ums_context_t *context;
	ums_context_t *inside;
	ums_context_t *after;
	int again;
	int run;
	int leave;
};

/* An ordinary thread that is a worker for a while */
static void *visit(void *arg)
{
	struct visitor *visitor = arg;

	if (ums_worker_enter(visitor->list, visitor->context))
		return (void *)1;
	visitor->inside = get_current_ums_thread();
	if (ums_worker_enter(visitor->list, visitor->context) == -1)
		visitor->again = errno;
	if (ums_run(visitor->context, NULL) == -1)
		visitor->run = errno;
	if (ums_worker_leave())
		return (void *)2;
	visitor->after = get_current_ums_thread();
	if (ums_worker_leave() == -1)
		visitor->leave = errno;
	return NULL;
}

TEST_F(run, thread_is_a_worker_as_long_as_it_likes)
{
	struct visitor visitor = { .list = self->list, .after = (void *)1 };
	struct ums_event *event = &self->event;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, create_ums_thread_context(&visitor.context));
	ASSERT_EQ(0, pthread_create(&thread, NULL, visit, &visitor));
	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(1, ums_dequeue(self->list, event, 1, -1));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  lt_run(self->list, visitor.context, event));
	EXPECT_EQ(0, event->arg);

	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(visitor.context, visitor.inside);
	EXPECT_EQ(NULL, visitor.after);
	EXPECT_EQ(EBUSY, visitor.again);
	EXPECT_EQ(ENOTCONN, visitor.run);
	EXPECT_EQ(ENOTCONN, visitor.leave);
	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, delete_ums_thread_context(visitor.context));
}

TEST_F(run, detached_worker_is_known_by_its_events)
{
	struct ums_event *event = &self->event;
	ums_context_t *context;

	ASSERT_EQ(0, ums_scheduler_enter(self->list));
	ASSERT_EQ(0, ums_spawn(self->list, yield_argument, NULL, self, NULL,
			       NULL));
	ASSERT_EQ(1, ums_dequeue(self->list, event, 1, -1));
	context = ums_event_context(event);
	ASSERT_NE(NULL, context);
	EXPECT_EQ(self, ums_context_user(context));
	ASSERT_EQ(UMS_REASON_YIELDED, lt_run(self->list, context, event));
	ASSERT_EQ(UMS_REASON_TERMINATED, lt_run(self->list, context, event));
	EXPECT_EQ(0, delete_ums_thread_context(context));
	EXPECT_EQ(0, ums_scheduler_leave());
}

struct released {
	ums_completion_list_t *list;
	ums_context_t *context;
	ums_context_t *current;
	int enter;
	int went_on;
	int may_end;
};

static void *go_on_alone(void *arg)
{
	struct released *released = arg;

	ums_thread_yield(NULL);
	/* No scheduler is left that could have executed it */
	released->current = get_current_ums_thread();
	released->enter = ums_scheduler_enter(released->list);
	if (!released->enter)
		ums_scheduler_leave();
	UT_STORE(released->went_on, 1);
	return (void *)(uintptr_t)!UT_WAIT(UT_LOAD(released->may_end));
}

TEST_F(run, worker_without_schedulers_is_an_ordinary_thread)
{
	struct released released = { .current = (void *)1 };
	struct ums_event *event = &self->event;
	struct ums_group *group;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, ums_group_create(NULL, &group));
	ASSERT_EQ(0, ums_list_create(group, UMS_NODE_ANY, &released.list));
	ASSERT_EQ(0, ums_spawn(released.list, go_on_alone, &released, NULL,
			       &released.context, &thread));
	ASSERT_EQ(0, ums_scheduler_enter(released.list));
	ASSERT_EQ(1, ums_dequeue(released.list, event, 1, -1));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  lt_run(released.list, released.context, event));
	ASSERT_EQ(0, ums_scheduler_leave());

	ASSERT_TRUE(UT_WAIT(UT_LOAD(released.went_on)));
	EXPECT_EQ(NULL, released.current);
	EXPECT_EQ(0, released.enter);
	EXPECT_EQ(0, delete_ums_thread_context(released.context));
	EXPECT_EQ(0, delete_ums_completion_list(released.list));
	UT_STORE(released.may_end, 1);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(0, ums_group_destroy(group));
}

struct lingerer {
	ums_completion_list_t *list;
	ums_context_t *context;
	int released;
	int may_look;
	ums_context_t *current;
};

static void *linger(void *arg)
{
	struct lingerer *lingerer = arg;

	ums_thread_yield(NULL);
	UT_STORE(lingerer->released, 1);
	if (!UT_WAIT(UT_LOAD(lingerer->may_look)))
		return NULL;
	lingerer->current = get_current_ums_thread();
	return arg;
}

TEST_F(run, group_stays_while_a_thread_was_a_worker_of_it)
{
	struct lingerer lingerer = { .current = (void *)1 };
	struct ums_event *event = &self->event;
	struct ums_group *group;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, ums_group_create(NULL, &group));
	ASSERT_EQ(0, ums_list_create(group, UMS_NODE_ANY, &lingerer.list));
	ASSERT_EQ(0, ums_spawn(lingerer.list, linger, &lingerer, NULL,
			       &lingerer.context, &thread));
	ASSERT_EQ(0, ums_scheduler_enter(lingerer.list));
	ASSERT_EQ(1, ums_dequeue(lingerer.list, event, 1, -1));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  lt_run(lingerer.list, lingerer.context, event));
	ASSERT_EQ(0, ums_scheduler_leave());

	ASSERT_TRUE(UT_WAIT(UT_LOAD(lingerer.released)));
	EXPECT_EQ(0, delete_ums_thread_context(lingerer.context));
	EXPECT_EQ(0, delete_ums_completion_list(lingerer.list));
	LT_EXPECT_ERRNO(EBUSY, ums_group_destroy(group));
	UT_STORE(lingerer.may_look, 1);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&lingerer, result);
	EXPECT_EQ(NULL, lingerer.current);
	EXPECT_EQ(0, ums_group_destroy(group));
}

static void *exit_as_scheduler(void *arg)
{
	return (void *)(intptr_t)ums_scheduler_enter(arg);
}

TEST_F(run, scheduler_thread_that_exits_leaves)
{
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, exit_as_scheduler,
				    self->list));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	/* The teardown deletes the list, which nobody belongs to any more */
}

TEST_F(run, arguments_are_checked)
{
	struct ums_event *event = &self->event;
	struct ums_stats stats;
	ums_context_t *context;
	pthread_t thread;

	LT_EXPECT_ERRNO(EINVAL, ums_run(NULL, event));
	LT_EXPECT_ERRNO(EINVAL, ums_switch_to(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_scheduler_enter(NULL));
	LT_EXPECT_ERRNO(ENOTCONN, ums_scheduler_leave());
	LT_EXPECT_ERRNO(ENOTCONN, ums_worker_leave());
	LT_EXPECT_ERRNO(EINVAL, ums_worker_enter(self->list, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_dequeue(NULL, event, 1, 0));
	LT_EXPECT_ERRNO(EINVAL, ums_dequeue(self->list, NULL, 1, 0));
	LT_EXPECT_ERRNO(EINVAL, ums_dequeue(self->list, event, 1, -2));
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(self->list, event, 1, 0));
	LT_EXPECT_ERRNO(EINVAL, ums_spawn(NULL, read_byte, NULL, NULL, &context,
					  &thread));
	LT_EXPECT_ERRNO(EINVAL, ums_spawn(self->list, NULL, NULL, NULL,
					  &context, &thread));
	LT_EXPECT_ERRNO(EINVAL, ums_list_create(NULL, UMS_NODE_ANY, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_context_create(NULL, UMS_NODE_ANY, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_context_create(NULL, -2, &context));
	LT_EXPECT_ERRNO(EINVAL, ums_context_stats(NULL, &stats));
	LT_EXPECT_ERRNO(EINVAL, ums_group_fd(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_group_create(NULL, NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_default_group(NULL));
	LT_EXPECT_ERRNO(EINVAL, ums_probe_kernel(NULL));
	EXPECT_EQ(NULL, ums_event_context(NULL));
	EXPECT_EQ(NULL, ums_context_user(NULL));
	EXPECT_EQ(0, ums_context_id(NULL));
}

TEST_HARNESS_MAIN
