// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: short jobs. One thread gives FAN of them at a time to others,
 * and takes each back when it is done, on one cpu and on several.
 *
 * The workers belong to the list of the first scheduler. The others steal: what
 * they run is what they find there.
 */
#include <ums/ums.h>

#include "bench.h"

#define FAN		16
#define MAX_CPUS	4
/* Before a thread without anything to do lets its cpu have a rest */
#define VAIN_LOOKS	10
/* Turns of a loop of two instructions, 1,000 of them */
#define TURNS		500

static void work(void)
{
	unsigned int i;

	for (i = TURNS; i; i--)
		asm volatile("" : : : "memory");
}

enum { NO_JOB, JOB };

/**
 * struct pool - Those who do the jobs
 *
 * @result: Of the row.
 * @lock: Protects @todo and @done, of plain threads.
 * @given: There is something in @todo; with @lock.
 * @taken: There is something in @done; with @lock.
 * @todo: Jobs to do, of plain threads.
 * @done: Jobs that are done.
 * @stop: There will be no more.
 * @todo_chan: Jobs to do, of workers.
 * @done_chan: Jobs that are done.
 * @list: Where workers come from.
 * @left: Workers that have not terminated.
 */
struct pool {
	struct result *result;
	pthread_mutex_t lock;
	pthread_cond_t given;
	pthread_cond_t taken;
	unsigned int todo;
	unsigned int done;
	bool stop;
	ums_chan_t *todo_chan;
	ums_chan_t *done_chan;
	ums_completion_list_t *list;
	unsigned int left;
};

/* A thread of a pool, on a cpu of its own choice */
struct hand {
	struct pool *pool;
	unsigned int cpu;
	pthread_t thread;
};

static void *work_when_given(void *arg)
{
	struct hand *hand = arg;
	struct pool *pool = hand->pool;

	bench_pin(hand->cpu);
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->todo && !pool->stop)
			pthread_cond_wait(&pool->given, &pool->lock);
		if (!pool->todo)
			break;
		pool->todo--;
		pthread_mutex_unlock(&pool->lock);
		work();
		pthread_mutex_lock(&pool->lock);
		if (++pool->done == 1)
			pthread_cond_signal(&pool->taken);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void give_to_threads(unsigned int count, void *arg)
{
	struct pool *pool = arg;
	unsigned int left;

	for (count /= FAN; count; count--) {
		for (left = FAN; left; left--) {
			pthread_mutex_lock(&pool->lock);
			pool->todo++;
			pthread_cond_signal(&pool->given);
			pthread_mutex_unlock(&pool->lock);
		}
		pthread_mutex_lock(&pool->lock);
		for (left = FAN; left; left -= pool->done, pool->done = 0)
			while (!pool->done)
				pthread_cond_wait(&pool->taken, &pool->lock);
		pthread_mutex_unlock(&pool->lock);
	}
}

void jobs_pthread(struct result *result)
{
	struct pool pool = {
		.result = result,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.given = PTHREAD_COND_INITIALIZER,
		.taken = PTHREAD_COND_INITIALIZER,
	};
	struct hand hands[FAN];
	int i;

	result->count = TOTAL / BATCHES / FAN * FAN;
	for (i = 0; i < FAN; i++) {
		hands[i].pool = &pool;
		hands[i].cpu = i % result->cpus;
		if (pthread_create(&hands[i].thread, NULL, work_when_given,
				   &hands[i]))
			bench_die("pthread_create");
	}
	measure(result, give_to_threads, 1, &pool);
	pthread_mutex_lock(&pool.lock);
	pool.stop = true;
	pthread_cond_broadcast(&pool.given);
	pthread_mutex_unlock(&pool.lock);
	for (i = 0; i < FAN; i++)
		pthread_join(hands[i].thread, NULL);
}

static void *work_once(void *arg)
{
	struct hand *hand = arg;

	if (hand->cpu)
		bench_pin(hand->cpu);
	work();
	return NULL;
}

static void make_threads(unsigned int count, void *arg)
{
	struct result *result = arg;
	struct hand hands[FAN];
	int i;

	for (count /= FAN; count; count--) {
		for (i = 0; i < FAN; i++) {
			hands[i].cpu = i % result->cpus;
			if (pthread_create(&hands[i].thread, NULL, work_once,
					   &hands[i]))
				bench_die("pthread_create");
		}
		for (i = 0; i < FAN; i++)
			pthread_join(hands[i].thread, NULL);
	}
}

void jobs_thread_each(struct result *result)
{
	measure(result, make_threads, 1, result);
}

static void *work_when_sent(void *arg)
{
	struct pool *pool = arg;
	int job;

	while (!ums_chan_receive(pool->todo_chan, &job) && job == JOB) {
		work();
		ums_chan_send(pool->done_chan, &job);
	}
	return NULL;
}

static void send_jobs(unsigned int count, void *arg)
{
	struct pool *pool = arg;
	int i, job = JOB;

	for (count /= FAN; count; count--) {
		for (i = 0; i < FAN; i++)
			ums_chan_send(pool->todo_chan, &job);
		for (i = 0; i < FAN; i++)
			if (ums_chan_receive(pool->done_chan, &job))
				pool->result->failed = true;
	}
}

static void *lead(void *arg)
{
	struct pool *pool = arg;
	int i, job = NO_JOB;

	measure(pool->result, send_jobs, 1, pool);
	for (i = 0; i < FAN; i++)
		ums_chan_send(pool->todo_chan, &job);
	return NULL;
}

/* Run it, and whom it switches to, until there is nothing to do for us */
static void run_worker(struct pool *pool, ums_context_t *context)
{
	struct ums_event event;
	int reason;

	for (;;) {
		reason = ums_run(context, &event);
		if (reason >= 0)
			context = ums_event_context(&event);
		else if (errno != EAGAIN && errno != EINTR)
			bench_die("ums_run");
		if (reason == UMS_REASON_BLOCKED)
			return;
		if (reason == UMS_REASON_TERMINATED) {
			__atomic_sub_fetch(&pool->left, 1, __ATOMIC_ACQ_REL);
			return;
		}
		if (reason == UMS_REASON_YIELDED && !ums_set_aside(context))
			return;
	}
}

/*
 * One of several looks for something to do for a while, and sleeps then, but not for
 * ever: another one may end the last worker, and is told so.
 */
static int timeout_of(struct pool *pool, unsigned int in_vain)
{
	if (pool->result->cpus == 1)
		return -1;
	return in_vain < VAIN_LOOKS ? 0 : 1;
}

static void serve_next(struct pool *pool, unsigned int *in_vain)
{
	struct ums_event event;

	if (ums_dequeue(pool->list, &event, 1,
			timeout_of(pool, (*in_vain)++)) != 1)
		return;
	*in_vain = 0;
	if (event.reason == UMS_REASON_TERMINATED)
		__atomic_sub_fetch(&pool->left, 1, __ATOMIC_ACQ_REL);
	else
		run_worker(pool, ums_event_context(&event));
}

static void serve(struct pool *pool)
{
	unsigned int in_vain = 0;

	while (UT_LOAD(pool->left))
		serve_next(pool, &in_vain);
}

static void *steal(void *arg)
{
	struct hand *hand = arg;
	ums_completion_list_t *own;
	unsigned int in_vain = 0;

	bench_pin(hand->cpu);
	if (create_ums_completion_list(&own) || ums_scheduler_enter(own))
		bench_die("ums_scheduler_enter");
	while (!UT_LOAD(hand->pool->stop))
		serve_next(hand->pool, &in_vain);
	ums_scheduler_leave();
	delete_ums_completion_list(own);
	return NULL;
}

/* The caller serves its list, and threads on the other cpus steal from it */
static void begin(struct pool *pool, struct hand *hands)
{
	int i;

	if (create_ums_completion_list(&pool->list) ||
	    ums_list_hand_over(pool->list) || ums_scheduler_enter(pool->list))
		bench_die("ums_scheduler_enter");
	for (i = 1; i < (int)pool->result->cpus; i++) {
		hands[i].pool = pool;
		hands[i].cpu = i;
		if (pthread_create(&hands[i].thread, NULL, steal, &hands[i]))
			bench_die("pthread_create");
	}
}

static void end(struct pool *pool, struct hand *hands)
{
	int i;

	UT_STORE(pool->stop, true);
	ums_scheduler_leave();
	for (i = 1; i < (int)pool->result->cpus; i++)
		pthread_join(hands[i].thread, NULL);
	if (delete_ums_completion_list(pool->list))
		pool->result->failed = true;
}

void jobs_library(struct result *result)
{
	struct pool pool = { .result = result, .left = FAN + 1 };
	ums_context_t *context[FAN + 1];
	pthread_t thread[FAN + 1];
	struct hand hands[MAX_CPUS];
	int i;

	result->count = TOTAL / BATCHES / FAN * FAN;
	if (ums_chan_create(FAN, sizeof(int), &pool.todo_chan) ||
	    ums_chan_create(FAN, sizeof(int), &pool.done_chan))
		bench_die("ums_chan_create");
	begin(&pool, hands);
	for (i = 0; i <= FAN; i++)
		if (ums_spawn(pool.list, i < FAN ? work_when_sent : lead, &pool,
			      NULL, &context[i], &thread[i]))
			bench_die("ums_spawn");
	serve(&pool);
	for (i = 0; i <= FAN; i++) {
		pthread_join(thread[i], NULL);
		delete_ums_thread_context(context[i]);
	}
	end(&pool, hands);
	ums_chan_destroy(pool.todo_chan);
	ums_chan_destroy(pool.done_chan);
}

static void *work_as_worker(void *arg)
{
	work();
	return NULL;
}

static void make_workers(unsigned int count, void *arg)
{
	struct pool *pool = arg;
	ums_context_t *context[FAN];
	pthread_t thread[FAN];
	int i;

	for (count /= FAN; count; count--) {
		UT_STORE(pool->left, FAN);
		for (i = 0; i < FAN; i++)
			if (ums_spawn(pool->list, work_as_worker, NULL, NULL,
				      &context[i], &thread[i]))
				bench_die("ums_spawn");
		serve(pool);
		for (i = 0; i < FAN; i++) {
			pthread_join(thread[i], NULL);
			delete_ums_thread_context(context[i]);
		}
	}
}

void jobs_library_each(struct result *result)
{
	struct pool pool = { .result = result };
	struct hand hands[MAX_CPUS];

	begin(&pool, hands);
	measure(result, make_workers, 1, &pool);
	end(&pool, hands);
}
