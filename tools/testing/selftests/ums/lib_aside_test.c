// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: workers that wait for a mutex, one step at a time: what their
 * scheduler sees, what it can put aside, and who reports it then
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#define WORKERS		5

/**
 * struct aside - Workers that wait
 *
 * @group: Their group.
 * @list: Their list, of which the test is the scheduler.
 * @mutex: What some of them wait for.
 * @contexts: Their contexts.
 * @threads: Their threads.
 * @nr_workers: How many.
 * @nr_entered: How many have had @mutex.
 */
struct aside {
	struct ums_group *group;
	ums_completion_list_t *list;
	ums_mutex_t mutex;
	ums_context_t *contexts[WORKERS + 1];
	pthread_t threads[WORKERS + 1];
	int nr_workers;
	int nr_entered;
};

FIXTURE(aside)
{
	struct aside aside;
};

FIXTURE_SETUP(aside)
{
	struct aside *aside = &self->aside;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	ASSERT_EQ(0, ums_group_create(NULL, &aside->group));
	ASSERT_EQ(0, ums_list_create(aside->group, UMS_NODE_ANY, &aside->list));
	ASSERT_EQ(0, ums_list_accept_waiters(aside->list));
	ASSERT_EQ(0, ums_list_accept_waiters(aside->list));
	ASSERT_EQ(0, ums_scheduler_enter(aside->list));
}

FIXTURE_TEARDOWN(aside)
{
	struct aside *aside = &self->aside;
	int i;

	for (i = 0; i < aside->nr_workers; i++) {
		EXPECT_EQ(0, pthread_join(aside->threads[i], NULL));
		EXPECT_EQ(0, delete_ums_thread_context(aside->contexts[i]));
	}
	ums_scheduler_leave();
	EXPECT_EQ(0, delete_ums_completion_list(aside->list));
	EXPECT_EQ(0, ums_group_destroy(aside->group));
}

/* Yields with a parameter, then counts itself under the mutex */
static void *enter_once(void *arg)
{
	struct aside *aside = arg;

	ums_thread_yield(aside);
	ums_mutex_lock(&aside->mutex);
	UT_STORE(aside->nr_entered, aside->nr_entered + 1);
	ums_mutex_unlock(&aside->mutex);
	return NULL;
}

/* One more worker, that has yielded once */
static ums_context_t *add(struct aside *aside,
			  ums_completion_list_t *list)
{
	int i = aside->nr_workers++;
	struct ums_event event;

	if (ums_spawn(list, enter_once, aside, NULL, &aside->contexts[i],
		      &aside->threads[i]) ||
	    ums_dequeue(list, &event, 1, -1) != 1 ||
	    lt_run(list, aside->contexts[i], &event) != UMS_REASON_YIELDED ||
	    event.arg != (uintptr_t)aside)
		return NULL;
	return aside->contexts[i];
}

/* Run it until it waits */
static int run_to_wait(struct aside *aside, ums_context_t *context)
{
	struct ums_event event = {};
	int ret = lt_run(aside->list, context, &event);

	return ret == UMS_REASON_YIELDED && !event.arg ? 0 : -1;
}

static int run_to_end(struct aside *aside, ums_context_t *context)
{
	struct ums_event event;
	int ret = lt_run(aside->list, context, &event);

	return ret == UMS_REASON_TERMINATED ? 0 : ret ?: -1;
}

/* Who waits yields NULL, and waits on if it is run in vain */
TEST_F(aside, waiter_is_a_worker_that_yields)
{
	struct aside *aside = &self->aside;
	ums_context_t *context = add(aside, aside->list);
	int i;

	ASSERT_NE(NULL, context);
	/* That is no wait */
	LT_EXPECT_ERRNO(EINVAL, ums_set_aside(context));
	LT_EXPECT_ERRNO(EINVAL, ums_set_aside(NULL));
	ASSERT_EQ(0, ums_mutex_trylock(&aside->mutex));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, run_to_wait(aside, context));
		EXPECT_EQ(0, aside->nr_entered);
	}
	LT_EXPECT_ERRNO(EBUSY, ums_mutex_destroy(&aside->mutex));
	ASSERT_EQ(0, ums_mutex_unlock(&aside->mutex));
	LT_EXPECT_ERRNO(EAGAIN, ums_set_aside(context));
	/* It has to be run, nobody will report it */
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(aside->list, NULL, 0, 0));
	EXPECT_EQ(0, run_to_end(aside, context));
	EXPECT_EQ(1, aside->nr_entered);
	EXPECT_EQ(0, ums_mutex_destroy(&aside->mutex));
}

TEST_F(aside, list_reports_who_was_put_aside)
{
	struct aside *aside = &self->aside;
	ums_context_t *context = add(aside, aside->list);
	struct ums_event event;

	ASSERT_NE(NULL, context);
	ASSERT_EQ(0, ums_mutex_trylock(&aside->mutex));
	ASSERT_EQ(0, run_to_wait(aside, context));
	ASSERT_EQ(0, ums_set_aside(context));
	LT_EXPECT_ERRNO(EBUSY, delete_ums_completion_list(aside->list));
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(aside->list, &event, 1, 0));
	LT_EXPECT_ERRNO(ETIMEDOUT, ums_dequeue(aside->list, &event, 1, 10));
	ASSERT_EQ(0, ums_mutex_unlock(&aside->mutex));

	EXPECT_EQ(0, ums_dequeue(aside->list, NULL, 0, -1));
	memset(&event, 0xff, sizeof(event));
	ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_EQ(UMS_CAUSE_NONE, event.cause);
	EXPECT_EQ(0, event.arg);
	EXPECT_EQ(context, ums_event_context(&event));
	EXPECT_EQ(ums_context_id(context), event.ctx);
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(aside->list, &event, 1, 0));
	EXPECT_EQ(0, run_to_end(aside, context));
	EXPECT_EQ(1, aside->nr_entered);
}

/* It was not to be run, but that does no harm: it waits as one that is not */
TEST_F(aside, who_is_run_all_the_same_is_no_longer_aside)
{
	struct aside *aside = &self->aside;
	ums_context_t *context = add(aside, aside->list);

	ASSERT_NE(NULL, context);
	ASSERT_EQ(0, ums_mutex_trylock(&aside->mutex));
	ASSERT_EQ(0, run_to_wait(aside, context));
	ASSERT_EQ(0, ums_set_aside(context));
	ASSERT_EQ(0, run_to_wait(aside, context));
	ASSERT_EQ(0, ums_mutex_unlock(&aside->mutex));
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(aside->list, NULL, 0, 0));
	EXPECT_EQ(0, run_to_end(aside, context));
	EXPECT_EQ(1, aside->nr_entered);
}

TEST_F(aside, list_must_be_made_for_it)
{
	struct aside *aside = &self->aside;
	ums_completion_list_t *list;
	ums_context_t *context;

	ASSERT_EQ(0, ums_list_create(aside->group, UMS_NODE_ANY, &list));
	context = add(aside, list);
	ASSERT_NE(NULL, context);
	ASSERT_EQ(0, ums_mutex_trylock(&aside->mutex));
	ASSERT_EQ(0, run_to_wait(aside, context));
	LT_EXPECT_ERRNO(EOPNOTSUPP, ums_set_aside(context));
	ASSERT_EQ(0, run_to_wait(aside, context));
	ASSERT_EQ(0, ums_mutex_unlock(&aside->mutex));
	EXPECT_EQ(0, run_to_end(aside, context));
	EXPECT_EQ(0, pthread_join(aside->threads[0], NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
	aside->nr_workers = 0;
	EXPECT_EQ(0, delete_ums_completion_list(list));
}

/* One for each, so that it is known who is woken */
static ums_mutex_t cond_mutex;
static ums_cond_t conds[WORKERS];
static int next_cond;

static void *wait_for_signal(void *arg)
{
	int mine = UT_INC(next_cond) - 1;

	ums_mutex_lock(&cond_mutex);
	ums_cond_wait(&conds[mine], &cond_mutex);
	ums_mutex_unlock(&cond_mutex);
	return arg;
}

static int add_waiters(struct aside *aside)
{
	struct ums_event event;
	int i;

	for (i = 0; i < WORKERS; i++) {
		if (ums_spawn(aside->list, wait_for_signal, aside, NULL,
			      &aside->contexts[i], &aside->threads[i]) ||
		    ums_dequeue(aside->list, &event, 1, -1) != 1 ||
		    lt_run(aside->list, aside->contexts[i], &event) !=
		    UMS_REASON_YIELDED ||
		    ums_set_aside(aside->contexts[i]))
			return -1;
		aside->nr_workers++;
	}
	return 0;
}

/* In their order */
static int wake_all(struct aside *aside)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (ums_cond_signal(&conds[i]))
			return -1;
	return 0;
}

static int end_waiters(struct aside *aside)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (run_to_end(aside, aside->contexts[i]))
			return -1;
	return 0;
}

TEST_F(aside, one_at_a_time_come_in_order)
{
	struct aside *aside = &self->aside;
	struct ums_event event;
	int i;

	ASSERT_EQ(0, add_waiters(aside));
	ASSERT_EQ(0, wake_all(aside));
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
		EXPECT_EQ(aside->contexts[i], ums_event_context(&event));
	}
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(aside->list, &event, 1, 0));
	EXPECT_EQ(0, end_waiters(aside));
}

/* A worker may have to wait for the lock inside, which is no signal */
TEST_F(aside, lock_of_a_condition_is_no_condition)
{
	struct aside *aside = &self->aside;
	struct ums_event event;
	ums_context_t *context;

	ASSERT_EQ(0, ums_mutex_trylock(&conds[0].lock));
	ASSERT_EQ(0, ums_spawn(aside->list, wait_for_signal, aside, NULL,
			       &aside->contexts[0], &aside->threads[0]));
	aside->nr_workers++;
	context = aside->contexts[0];
	ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
	ASSERT_EQ(0, run_to_wait(aside, context));
	ASSERT_EQ(0, ums_mutex_unlock(&conds[0].lock));
	/* It is woken, and then waits for the signal */
	EXPECT_EQ(0, run_to_wait(aside, context));
	EXPECT_EQ(0, run_to_wait(aside, context));
	ASSERT_EQ(0, ums_cond_signal(&conds[0]));
	EXPECT_EQ(0, run_to_end(aside, context));
}

/* Those that were left come before those that were woken later */
TEST_F(aside, left_ones_come_first)
{
	struct aside *aside = &self->aside;
	struct ums_event events[WORKERS];
	int i;

	ASSERT_EQ(0, add_waiters(aside));
	for (i = 0; i < WORKERS - 1; i++)
		ASSERT_EQ(0, ums_cond_signal(&conds[i]));
	ASSERT_EQ(1, ums_dequeue(aside->list, events, 1, -1));
	ASSERT_EQ(0, ums_cond_signal(&conds[WORKERS - 1]));
	ASSERT_EQ(WORKERS - 2, ums_dequeue(aside->list, events + 1, WORKERS - 2,
					   -1));
	ASSERT_EQ(1, ums_dequeue(aside->list, events + WORKERS - 1, 1, -1));
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(aside->contexts[i], ums_event_context(&events[i]));
	EXPECT_EQ(0, end_waiters(aside));
}

TEST_F(aside, items_of_the_list_of_windows)
{
	struct aside *aside = &self->aside;
	ums_context_t *item;
	int i;

	ASSERT_EQ(0, add_waiters(aside));
	LT_EXPECT_ERRNO(EAGAIN,
			dequeue_ums_completion_list_items(aside->list, 0,
							  &item));
	ASSERT_EQ(0, wake_all(aside));
	ASSERT_EQ(0, dequeue_ums_completion_list_items(aside->list, -1, &item));
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(aside->contexts[i], item);
		item = get_next_ums_list_item(item);
	}
	EXPECT_EQ(NULL, item);
	EXPECT_EQ(0, end_waiters(aside));
}

struct waker {
	pid_t sleeper;
	int error;
};

/* Wake the first one, as soon as the scheduler sleeps */
static void *signal_sleeper(void *arg)
{
	struct waker *waker = arg;

	if (!UT_WAIT(ut_thread_state(waker->sleeper) == 'S'))
		waker->error = ETIMEDOUT;
	else if (ums_cond_signal(&conds[0]))
		waker->error = errno;
	return NULL;
}

TEST_F(aside, sleeping_scheduler_is_woken)
{
	struct aside *aside = &self->aside;
	struct waker waker = { .sleeper = gettid() };
	struct ums_event event;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, add_waiters(aside));
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_sleeper, &waker));
	ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
	EXPECT_EQ(aside->contexts[0], ums_event_context(&event));
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, waker.error);
	for (i = 1; i < WORKERS; i++) {
		ASSERT_EQ(0, ums_cond_signal(&conds[i]));
		ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
	}
	EXPECT_EQ(0, end_waiters(aside));
}

/* However much there is of one kind, the other one does not wait for long */
TEST_F(aside, both_parts_of_a_list_are_read)
{
	struct aside *aside = &self->aside;
	struct ums_event event;
	int i, from_kernel = 0;

	ASSERT_EQ(0, add_waiters(aside));
	ASSERT_EQ(0, wake_all(aside));
	/* A new worker is reported by the kernel */
	ASSERT_EQ(0, ums_spawn(aside->list, enter_once, aside, NULL,
			       &aside->contexts[WORKERS],
			       &aside->threads[WORKERS]));
	aside->nr_workers++;
	ASSERT_TRUE(UT_WAIT(ut_state(ums_group_fd(aside->group),
				     ums_context_id(aside->contexts[WORKERS])) ==
			    UMS_STATE_READY));

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
		from_kernel += ums_event_context(&event) ==
			       aside->contexts[WORKERS];
	}
	EXPECT_EQ(1, from_kernel);
	for (; i < WORKERS + 1; i++)
		ASSERT_EQ(1, ums_dequeue(aside->list, &event, 1, -1));
	LT_EXPECT_ERRNO(EAGAIN, ums_dequeue(aside->list, &event, 1, 0));

	EXPECT_EQ(0, end_waiters(aside));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  lt_run(aside->list, aside->contexts[WORKERS], &event));
	EXPECT_EQ(0, run_to_end(aside, aside->contexts[WORKERS]));
}

TEST_F(aside, scheduler_never_waits)
{
	struct aside *aside = &self->aside;
	ums_context_t *context = add(aside, aside->list);
	ums_chan_t *chan;
	int item = 0;

	ASSERT_NE(NULL, context);
	ASSERT_EQ(0, ums_chan_create(1, sizeof(item), &chan));
	LT_EXPECT_ERRNO(EPERM, ums_mutex_lock(&aside->mutex));
	ASSERT_EQ(0, ums_mutex_trylock(&aside->mutex));
	LT_EXPECT_ERRNO(EPERM, ums_cond_wait(&conds[0], &aside->mutex));
	LT_EXPECT_ERRNO(EPERM, ums_chan_send(chan, &item));
	LT_EXPECT_ERRNO(EPERM, ums_chan_receive(chan, &item));
	EXPECT_EQ(0, ums_chan_try_send(chan, &item));
	EXPECT_EQ(0, ums_chan_try_receive(chan, &item));
	EXPECT_EQ(0, ums_cond_signal(&conds[0]));
	EXPECT_EQ(0, ums_chan_close(chan));
	EXPECT_EQ(0, ums_chan_destroy(chan));
	ASSERT_EQ(0, run_to_wait(aside, context));
	EXPECT_EQ(0, ums_mutex_unlock(&aside->mutex));
	EXPECT_EQ(0, run_to_end(aside, context));
}

/* No scheduler is left: who waits is a plain thread, and waits as one */
static void release_and_wake(struct __test_metadata *_metadata,
			     struct aside *aside, bool put_aside)
{
	ums_context_t *context;
	int i;

	ASSERT_EQ(0, ums_mutex_trylock(&aside->mutex));
	for (i = 0; i < WORKERS; i++) {
		context = add(aside, aside->list);
		ASSERT_NE(NULL, context);
		ASSERT_EQ(0, run_to_wait(aside, context));
		if (put_aside)
			ASSERT_EQ(0, ums_set_aside(context));
	}
	ASSERT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, aside->nr_entered);
	ASSERT_EQ(0, ums_mutex_unlock(&aside->mutex));
	EXPECT_TRUE(UT_WAIT(UT_LOAD(aside->nr_entered) == WORKERS));
}

TEST_F(aside, released_waiters_wait_on)
{
	struct aside *aside = &self->aside;

	release_and_wake(_metadata, aside, false);
}

TEST_F(aside, released_waiters_wait_on_that_were_aside)
{
	struct aside *aside = &self->aside;

	release_and_wake(_metadata, aside, true);
}

/* Nobody will ever take them from the list, and nothing is left over */
TEST_F(aside, released_workers_may_be_on_the_list)
{
	struct aside *aside = &self->aside;

	ASSERT_EQ(0, add_waiters(aside));
	ASSERT_EQ(0, wake_all(aside));
	ASSERT_EQ(0, ums_scheduler_leave());
}

TEST_F(aside, released_workers_are_not_reported)
{
	struct aside *aside = &self->aside;
	struct ums_event event;
	int i;

	ASSERT_EQ(0, add_waiters(aside));
	ASSERT_EQ(0, wake_all(aside));
	ASSERT_EQ(0, ums_scheduler_leave());
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_join(aside->threads[i], NULL));
	while (ums_dequeue(aside->list, &event, 1, 0) == 1)
		EXPECT_EQ(UMS_REASON_TERMINATED, event.reason);
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, delete_ums_thread_context(aside->contexts[i]));
	aside->nr_workers = 0;
}

TEST_HARNESS_MAIN
