// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: one thread sleeps, and others compute on the same cpu. How long
 * after the end of its sleep does it run? Of many sleeps all but one in a thousand
 * are shorter than what a batch reports.
 *
 * Plain threads are preempted for it by the kernel. Workers yield to their
 * scheduler, after each STEP, as the code of a runtime does at its safepoints.
 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <ums/ums.h>

#include "bench.h"

#define COMPUTERS	8
/* Turns of a loop of two instructions, 10,000 of them */
#define STEP		5000
#define SLEEP_NS	100000
#define SLEEPS		1000
/* Few batches: a plain thread mostly waits until the others' slices are over */
#define FEW		3
/* The place of the 99.9th percentile among these */
#define RANK		(SLEEPS * 999 / 1000 - 1)

/**
 * struct latency - Of a row
 *
 * @result: Of the row.
 * @stop: For those who compute.
 */
struct latency {
	struct result *result;
	int stop;
};

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

static __u64 sleep_once(struct latency *latency, unsigned int i)
{
	/* Not always at the same time of a step */
	__u64 wake = ut_now_ns() + SLEEP_NS + i * 37 % 101 * 100;
	struct timespec ts = {
		.tv_sec = wake / UT_NSEC_PER_SEC,
		.tv_nsec = wake % UT_NSEC_PER_SEC,
	};

	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		latency->result->failed = true;
	return ut_now_ns() - wake;
}

static void *sleep_often(void *arg)
{
	struct latency *latency = arg;
	struct result *result = latency->result;
	static __u64 late[SLEEPS];
	int batch, i;

	/* Else the kernel wakes it up to 50 us late, unless it is real-time */
	if (prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0))
		result->failed = true;
	result->count = SLEEPS;
	result->batches = FEW;
	for (batch = -1; batch < (int)result->batches; batch++) {
		for (i = 0; i < SLEEPS; i++)
			late[i] = sleep_once(latency, i);
		qsort(late, SLEEPS, sizeof(late[0]), compare);
		if (batch >= 0)
			result->value[batch] = late[RANK];
	}
	UT_STORE(latency->stop, 1);
	return NULL;
}

static void compute(void)
{
	unsigned int i;

	for (i = STEP; i; i--)
		asm volatile("" : : : "memory");
}

static void *compute_only(void *arg)
{
	struct latency *latency = arg;

	while (!UT_LOAD(latency->stop))
		compute();
	return NULL;
}

static void *compute_and_yield(void *arg)
{
	struct latency *latency = arg;

	while (!UT_LOAD(latency->stop)) {
		compute();
		ums_thread_yield(NULL);
	}
	return NULL;
}

/* The sleeper with this policy, or that of the others */
static void measure_plain(struct result *result, int policy)
{
	struct sched_param param = { .sched_priority = policy != SCHED_OTHER };
	struct latency latency = { .result = result };
	pthread_t computer[COMPUTERS], sleeper;
	pthread_attr_t attr;
	int i;

	for (i = 0; i < COMPUTERS; i++)
		if (pthread_create(&computer[i], NULL, compute_only, &latency))
			bench_die("pthread_create");
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, policy);
	pthread_attr_setschedparam(&attr, &param);
	if (pthread_create(&sleeper, &attr, sleep_often, &latency))
		bench_die("pthread_create");
	pthread_attr_destroy(&attr);
	pthread_join(sleeper, NULL);
	for (i = 0; i < COMPUTERS; i++)
		pthread_join(computer[i], NULL);
}

void latency_plain(struct result *result)
{
	measure_plain(result, SCHED_OTHER);
}

void latency_fifo(struct result *result)
{
	measure_plain(result, SCHED_FIFO);
}

/**
 * struct shift - The workers of a scheduler; the sleeper is the last one
 *
 * @list: Their list.
 * @context: Of each.
 * @thread: Of each.
 * @ready: Those that can run, in order, but for the sleeper; a ring.
 * @head: Taken from @ready.
 * @tail: Put into @ready.
 * @sleeper_ready: The sleeper can run.
 * @left: Those that have not terminated.
 */
struct shift {
	ums_completion_list_t *list;
	ums_context_t *context[COMPUTERS + 1];
	pthread_t thread[COMPUTERS + 1];
	ums_context_t *ready[COMPUTERS];
	unsigned int head;
	unsigned int tail;
	bool sleeper_ready;
	unsigned int left;
};

static void make_ready(struct shift *shift, ums_context_t *context)
{
	if (context == shift->context[COMPUTERS])
		shift->sleeper_ready = true;
	else
		shift->ready[shift->tail++ % COMPUTERS] = context;
}

static void collect(struct shift *shift)
{
	bool idle = shift->head == shift->tail && !shift->sleeper_ready;
	struct ums_event events[COMPUTERS + 1];
	int i, nr;

	nr = ums_dequeue(shift->list, events, ARRAY_SIZE(events),
			 idle ? -1 : 0);
	for (i = 0; i < nr; i++) {
		if (events[i].reason == UMS_REASON_TERMINATED)
			shift->left--;
		else
			make_ready(shift, ums_event_context(&events[i]));
	}
}

static void run_one(struct shift *shift)
{
	ums_context_t *context = shift->context[COMPUTERS];

	if (!shift->sleeper_ready) {
		if (shift->head == shift->tail)
			return;
		context = shift->ready[shift->head++ % COMPUTERS];
	}
	if (context == shift->context[COMPUTERS])
		shift->sleeper_ready = false;
	switch (ums_run(context, NULL)) {
	case UMS_REASON_BLOCKED:
		break;
	case UMS_REASON_TERMINATED:
		shift->left--;
		break;
	default:
		make_ready(shift, context);
	}
}

void latency_library(struct result *result)
{
	struct latency latency = { .result = result };
	struct shift shift = { .left = COMPUTERS + 1 };
	int i;

	if (create_ums_completion_list(&shift.list) ||
	    ums_scheduler_enter(shift.list))
		bench_die("ums_scheduler_enter");
	for (i = 0; i <= COMPUTERS; i++)
		if (ums_spawn(shift.list,
			      i < COMPUTERS ? compute_and_yield : sleep_often,
			      &latency, NULL, &shift.context[i],
			      &shift.thread[i]))
			bench_die("ums_spawn");
	while (shift.left) {
		collect(&shift);
		run_one(&shift);
	}
	ums_scheduler_leave();
	for (i = 0; i <= COMPUTERS; i++) {
		pthread_join(shift.thread[i], NULL);
		delete_ums_thread_context(shift.context[i]);
	}
	if (delete_ums_completion_list(shift.list))
		result->failed = true;
}
