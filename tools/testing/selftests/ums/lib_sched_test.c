// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: schedulers in the style of Windows. The entry point is called
 * for the reasons, in the order and with the details that it should be.
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_MANY		1000
#define NR_YIELDS	5

FIXTURE(sched)
{
	struct lt_sched *sched;
};

static struct lt_sched *sched_new(int workers)
{
	struct lt_sched *sched = calloc(1, sizeof(*sched));

	if (create_ums_completion_list(&sched->list)) {
		free(sched);
		return NULL;
	}
	sched->workers = workers;
	return sched;
}

static int sched_delete(struct lt_sched *sched)
{
	int ret = delete_ums_completion_list(sched->list);

	free(sched);
	return ret;
}

FIXTURE_SETUP(sched)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ut_prefault();
	self->sched = sched_new(1);
	ASSERT_NE(NULL, self->sched);
}

FIXTURE_TEARDOWN(sched)
{
	EXPECT_EQ(0, sched_delete(self->sched));
}

static void *yield_numbers(void *arg)
{
	uintptr_t i;

	for (i = 1; i <= NR_YIELDS; i++)
		if (ums_thread_yield((void *)(i << 40)))
			return NULL;
	return get_current_ums_thread();
}

TEST_F(sched, entry_point_that_returns_ends_scheduling_mode)
{
	struct lt_sched *sched = self->sched;
	struct lt_record *record;
	ums_context_t *context;
	pthread_t thread;
	int i;

	for (i = 0; i < 3; i++) {
		/* One that does something, and two that don't */
		sched->workers = !i;
		sched->nr_records = 0;
		if (!i)
			ASSERT_EQ(0, ums_spawn(sched->list, yield_numbers, NULL,
					       NULL, &context, &thread));
		ASSERT_EQ(0, lt_schedule(sched));
		if (i)
			EXPECT_EQ(1, sched->nr_records);
		record = &sched->records[0];
		EXPECT_EQ(UMS_REASON_STARTUP, record->reason);
		EXPECT_EQ(NULL, record->context);
		EXPECT_EQ(sched, record->param);
		EXPECT_EQ(0, record->event.ctx);
		EXPECT_EQ(0, record->event.seq);
		/* A plain thread again */
		LT_EXPECT_ERRNO(ENOTCONN, ums_scheduler_leave());
	}
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST_F(sched, yield_brings_its_parameter)
{
	struct lt_sched *sched = self->sched;
	ums_context_t *context;
	pthread_t thread;
	void *result;
	uintptr_t i;

	ASSERT_EQ(0, ums_spawn(sched->list, yield_numbers, NULL, NULL, &context,
			       &thread));
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(context, result);

	ASSERT_EQ(NR_YIELDS + 2, sched->nr_records);
	for (i = 0; i <= NR_YIELDS + 1; i++) {
		struct lt_record *record = &sched->records[i];

		/* Every call begins where the first one did */
		EXPECT_EQ(sched->records[0].frame, record->frame);
		if (!i)
			continue;
		EXPECT_EQ(context, record->context);
		EXPECT_EQ(ums_context_id(context), record->event.ctx);
		if (i <= NR_YIELDS) {
			EXPECT_EQ(UMS_REASON_YIELDED, record->reason);
			EXPECT_EQ((void *)(i << 40), record->param);
		} else {
			EXPECT_EQ(UMS_REASON_TERMINATED, record->reason);
			EXPECT_EQ(sched, record->param);
			EXPECT_EQ(0, record->event.arg);
		}
	}
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static int pipe_fds[2];

static void *read_byte(void *arg)
{
	char byte;

	return (void *)syscall(SYS_read, pipe_fds[0], &byte, 1);
}

static void write_byte(struct lt_sched *sched, ums_reason_t reason)
{
	struct lt_record *record = &sched->records[sched->nr_records - 1];

	if (reason == UMS_REASON_BLOCKED && record->event.arg == SYS_read)
		write(pipe_fds[1], "", 1);
}

TEST_F(sched, blocked_worker_comes_back_by_the_list)
{
	struct lt_sched *sched = self->sched;
	struct lt_record *record = &sched->records[1];
	ums_context_t *context;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pipe(pipe_fds));
	sched->hook = write_byte;
	ASSERT_EQ(0, ums_spawn(sched->list, read_byte, NULL, NULL, &context,
			       &thread));
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ((void *)1, result);

	ASSERT_LE(3, sched->nr_records);
	EXPECT_EQ(UMS_REASON_BLOCKED, record->reason);
	EXPECT_EQ(context, record->context);
	EXPECT_EQ(sched, record->param);
	EXPECT_EQ(UMS_CAUSE_SYSCALL, record->event.cause);
	EXPECT_EQ(SYS_read, record->event.arg);
	record = &sched->records[sched->nr_records - 1];
	EXPECT_EQ(UMS_REASON_TERMINATED, record->reason);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static int stop_computing;

static void *compute(void *arg)
{
	UT_STORE(*(int *)arg, 1);
	while (!UT_LOAD(stop_computing))
		;
	return arg;
}

static void on_signal(int sig)
{
	UT_STORE(stop_computing, 1);
}

static int computing;

static void *send_signal_when_computing(void *arg)
{
	pthread_t *scheduler = arg;

	if (!UT_WAIT(UT_LOAD(computing)))
		return (void *)1;
	return (void *)(intptr_t)pthread_kill(*scheduler, SIGUSR1);
}

TEST_F(sched, signal_of_the_scheduler_preempts)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t thread, killer, me = pthread_self();
	struct lt_sched *sched = self->sched;
	ums_context_t *context;
	void *result;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, ums_spawn(sched->list, compute, &computing, NULL, &context,
			       &thread));
	ASSERT_EQ(0, pthread_create(&killer, NULL, send_signal_when_computing,
				    &me));
	ASSERT_EQ(0, lt_schedule(sched));
	ASSERT_EQ(0, pthread_join(killer, &result));
	EXPECT_EQ(NULL, result);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	EXPECT_EQ(1, sched->calls[UMS_REASON_PREEMPTED]);
	ASSERT_EQ(3, sched->nr_records);
	EXPECT_EQ(UMS_REASON_PREEMPTED, sched->records[1].reason);
	EXPECT_EQ(context, sched->records[1].context);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static void *exit_thread(void *arg)
{
	pthread_exit(arg);
}

static void *yield_until_cancelled(void *arg)
{
	while (!ums_thread_yield(arg))
		pthread_testcancel();
	return arg;
}

static void *cancel_self(void *arg)
{
	pthread_cancel(pthread_self());
	pthread_testcancel();
	return arg;
}

TEST_F(sched, every_way_to_end_a_thread_terminates_it)
{
	void *(*const fns[])(void *arg) = { exit_thread, cancel_self };
	void *const results[] = { self, PTHREAD_CANCELED };
	struct lt_sched *sched = self->sched;
	ums_context_t *context;
	pthread_t thread;
	void *result;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fns); i++) {
		sched->workers = 1;
		ASSERT_EQ(0, ums_spawn(sched->list, fns[i], self, NULL,
				       &context, &thread));
		ASSERT_EQ(0, lt_schedule(sched));
		EXPECT_EQ(0, pthread_join(thread, &result));
		EXPECT_EQ(results[i], result);
		EXPECT_EQ(0, delete_ums_thread_context(context));
	}
	EXPECT_EQ(ARRAY_SIZE(fns), sched->calls[UMS_REASON_TERMINATED]);
}

static void cancel_target(struct lt_sched *sched, ums_reason_t reason)
{
	if (sched->calls[UMS_REASON_YIELDED] == 3 &&
	    reason == UMS_REASON_YIELDED)
		pthread_cancel(*(pthread_t *)sched->data);
}

TEST_F(sched, parked_worker_can_be_cancelled)
{
	struct lt_sched *sched = self->sched;
	ums_context_t *context;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, ums_spawn(sched->list, yield_until_cancelled, NULL, NULL,
			       &context, &thread));
	sched->hook = cancel_target;
	sched->data = &thread;
	EXPECT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(PTHREAD_CANCELED, result);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

TEST_F(sched, execute_says_why_it_cannot)
{
	struct lt_sched *sched = self->sched;
	ums_context_t *context;
	pthread_t thread;

	ASSERT_EQ(0, create_ums_thread_context(&context));
	lt_push(sched, context);
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(ENXIO, sched->execute_errno);

	sched->execute_errno = 0;
	ASSERT_EQ(0, ums_pthread_create(&thread, NULL, sched->list, context,
					yield_numbers, NULL));
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(0, sched->execute_errno);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	sched->workers = 1;
	lt_push(sched, context);
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(ESRCH, sched->execute_errno);
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static void try_to_change_role(struct lt_sched *sched, ums_reason_t reason)
{
	int *errors = sched->data;

	errno = 0;
	if (lt_schedule(sched))
		errors[0] = errno;
	errno = 0;
	if (ums_scheduler_enter(sched->list))
		errors[1] = errno;
	errno = 0;
	if (ums_scheduler_leave())
		errors[2] = errno;
}

TEST_F(sched, entry_point_cannot_change_the_role)
{
	int errors[3] = { 0 };

	self->sched->workers = 0;
	self->sched->hook = try_to_change_role;
	self->sched->data = errors;
	ASSERT_EQ(0, lt_schedule(self->sched));
	EXPECT_EQ(EBUSY, errors[0]);
	EXPECT_EQ(EBUSY, errors[1]);
	EXPECT_EQ(ENOTCONN, errors[2]);
}

TEST_F(sched, executing_is_for_entry_points)
{
	struct lt_sched *sched = self->sched;
	ums_context_t *context;
	struct ums_event event;
	pthread_t thread;

	/* Also after this thread has had one */
	sched->workers = 0;
	ASSERT_EQ(0, lt_schedule(sched));
	ASSERT_EQ(0, ums_scheduler_enter(sched->list));
	ASSERT_EQ(0, lt_spawn_ready(sched->list, yield_numbers, NULL, &context,
				    &thread));
	LT_EXPECT_ERRNO(ENOTCONN, execute_ums_thread(context));

	ASSERT_EQ(1, ums_dequeue(sched->list, &event, 1, 0));
	while (lt_run(sched->list, context, &event) == UMS_REASON_YIELDED)
		;
	EXPECT_EQ(UMS_REASON_TERMINATED, event.reason);
	ASSERT_EQ(0, ums_scheduler_leave());
	LT_EXPECT_ERRNO(ENOTCONN, execute_ums_thread(context));
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static void exit_scheduler(struct lt_sched *sched, ums_reason_t reason)
{
	if (reason == UMS_REASON_YIELDED)
		pthread_exit(sched);
}

static void *schedule(void *arg)
{
	lt_schedule(arg);
	return NULL;
}

TEST_F(sched, scheduler_may_exit_in_its_entry_point)
{
	struct lt_sched *sched = self->sched;
	pthread_t thread, scheduler;
	ums_context_t *context;
	void *result;

	sched->hook = exit_scheduler;
	ASSERT_EQ(0, ums_spawn(sched->list, yield_numbers, NULL, NULL, &context,
			       &thread));
	/* This thread is one too, else the worker would be released */
	ASSERT_EQ(0, ums_scheduler_enter(sched->list));
	ASSERT_EQ(0, pthread_create(&scheduler, NULL, schedule, sched));
	EXPECT_EQ(0, pthread_join(scheduler, &result));
	EXPECT_EQ(sched, result);
	EXPECT_EQ(UMS_STATE_READY, lt_state(context));

	ASSERT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, delete_ums_thread_context(context));
}

static int nr_done;

static void *yield_and_count(void *arg)
{
	ums_thread_yield(NULL);
	ut_nap();
	UT_INC(nr_done);
	return arg;
}

/* The workers of a group whose last scheduler leaves are released */
static void wait_for_the_other(struct lt_sched *sched, ums_reason_t reason)
{
	struct lt_sched *other = sched->data;

	if (reason == UMS_REASON_TERMINATED && sched->workers == 1)
		UT_WAIT(UT_LOAD(other->calls[UMS_REASON_STARTUP]));
}

TEST_F(sched, thousand_workers_under_two_schedulers)
{
	struct lt_sched *scheds[2] = { self->sched, sched_new(NR_MANY / 2) };
	static ums_context_t *contexts[NR_MANY];
	static pthread_t threads[NR_MANY];
	pthread_attr_t attr;
	pthread_t other;
	void *result;
	int i;

	ASSERT_NE(NULL, scheds[1]);
	scheds[0]->workers = NR_MANY / 2;
	for (i = 0; i < 2; i++) {
		scheds[i]->hook = wait_for_the_other;
		scheds[i]->data = scheds[!i];
	}
	ASSERT_EQ(0, pthread_attr_init(&attr));
	ASSERT_EQ(0, pthread_attr_setstacksize(&attr, 64 * 1024));

	ASSERT_EQ(0, pthread_create(&other, NULL, schedule, scheds[1]));
	for (i = 0; i < NR_MANY; i++) {
		ASSERT_EQ(0, create_ums_thread_context(&contexts[i]));
		ASSERT_EQ(0, ums_pthread_create(&threads[i], &attr,
						scheds[i % 2]->list,
						contexts[i], yield_and_count,
						&threads[i]));
	}
	ASSERT_EQ(0, lt_schedule(scheds[0]));
	ASSERT_EQ(0, pthread_join(other, NULL));

	EXPECT_EQ(NR_MANY, nr_done);
	for (i = 0; i < NR_MANY; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &result));
		ASSERT_EQ(&threads[i], result);
		ASSERT_EQ(0, delete_ums_thread_context(contexts[i]));
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, scheds[i]->execute_errno);
		EXPECT_EQ(NR_MANY / 2, scheds[i]->calls[UMS_REASON_YIELDED]);
		EXPECT_EQ(NR_MANY / 2, scheds[i]->calls[UMS_REASON_TERMINATED]);
		/* Where the time was not over before it could sleep */
		EXPECT_LT(0, scheds[i]->calls[UMS_REASON_BLOCKED]);
	}
	EXPECT_EQ(0, sched_delete(scheds[1]));
	pthread_attr_destroy(&attr);
}

TEST_HARNESS_MAIN
