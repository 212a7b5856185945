// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: workers that pass a token around, by what libums has for it. A
 * scheduler runs them, and puts aside who waits.
 */
#include <stdlib.h>
#include <ums/ums.h>

#include "bench.h"

/**
 * struct crew - The workers and their scheduler
 *
 * @ring: The ring that they are.
 * @group: Their group.
 * @list: Their list.
 * @context: Of each worker.
 * @ready: Workers that can run, a queue with room for all.
 * @head: How many were taken out of @ready.
 * @tail: How many were put into it.
 * @left: Workers that have not ended.
 */
struct crew {
	struct ring *ring;
	struct ums_group *group;
	ums_completion_list_t *list;
	ums_context_t **context;
	ums_context_t **ready;
	unsigned int head;
	unsigned int tail;
	unsigned int left;
};

/* What a ring by mutex and condition variable has for a member */
struct locked {
	ums_mutex_t lock;
	ums_cond_t given;
	__u32 token;
};

static void give_by_chan(struct member *to, __u32 token)
{
	if (ums_chan_send(to->library, &token))
		to->ring->result->failed = true;
}

static __u32 take_by_chan(struct member *self)
{
	__u32 token = LAST_TOKEN;

	if (ums_chan_receive(self->library, &token))
		self->ring->result->failed = true;
	return token;
}

static void give_by_cond(struct member *to, __u32 token)
{
	struct locked *locked = to->library;

	ums_mutex_lock(&locked->lock);
	locked->token = token;
	ums_cond_signal(&locked->given);
	ums_mutex_unlock(&locked->lock);
}

static __u32 take_by_cond(struct member *self)
{
	struct locked *locked = self->library;
	__u32 token;

	ums_mutex_lock(&locked->lock);
	while (!locked->token)
		ums_cond_wait(&locked->given, &locked->lock);
	token = locked->token;
	locked->token = NO_TOKEN;
	ums_mutex_unlock(&locked->lock);
	return token;
}

static void *work(void *arg)
{
	struct member *self = arg;

	if (self == self->ring->member)
		ring_lead(self);
	else
		ring_follow(self);
	return NULL;
}

static void push(struct crew *crew, ums_context_t *context)
{
	crew->ready[crew->tail++ % crew->ring->nr] = context;
}

static void collect(struct crew *crew)
{
	struct ums_event events[16];
	int i, nr = ums_dequeue(crew->list, events, ARRAY_SIZE(events), -1);

	if (nr < 0 && errno != EINTR)
		bench_die("ums_dequeue");
	for (i = 0; i < nr; i++) {
		if (events[i].reason == UMS_REASON_TERMINATED)
			crew->left--;
		else
			push(crew, ums_event_context(&events[i]));
	}
}

static void run_first(struct crew *crew)
{
	ums_context_t *context;
	struct ums_event event;
	int reason;

	context = crew->ready[crew->head++ % crew->ring->nr];
	reason = ums_run(context, &event);
	if (reason >= 0)
		context = ums_event_context(&event);
	if (reason == UMS_REASON_TERMINATED)
		crew->left--;
	else if (reason < 0 && errno != EAGAIN)
		bench_die("ums_run");
	else if (reason < 0 || reason == UMS_REASON_PREEMPTED ||
		 (reason == UMS_REASON_YIELDED && ums_set_aside(context)))
		push(crew, context);
}

static void schedule(struct crew *crew)
{
	if (ums_scheduler_enter(crew->list))
		bench_die("ums_scheduler_enter");
	while (crew->left) {
		if (crew->head == crew->tail)
			collect(crew);
		else
			run_first(crew);
	}
	ums_scheduler_leave();
}

static void spawn(struct crew *crew)
{
	struct ring *ring = crew->ring;
	pthread_attr_t attr;
	unsigned int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RING_STACK_SIZE);
	for (i = 0; i < ring->nr; i++) {
		ring->member[i].ring = ring;
		if (ums_spawn(crew->list, work, &ring->member[i], &attr,
			      &crew->context[i], &ring->member[i].thread))
			bench_die("ums_spawn");
	}
	crew->left = ring->nr;
	pthread_attr_destroy(&attr);
}

static bool open_crew(struct crew *crew)
{
	const struct ums_group_options options = {
		.max_contexts = crew->ring->nr + 8,
	};

	crew->context = calloc(crew->ring->nr, sizeof(*crew->context));
	crew->ready = calloc(crew->ring->nr, sizeof(*crew->ready));
	return crew->context && crew->ready &&
	       !ums_group_create(&options, &crew->group) &&
	       !ums_list_create(crew->group, UMS_NODE_ANY, &crew->list) &&
	       !ums_list_hand_over(crew->list);
}

static bool close_crew(struct crew *crew)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < crew->ring->nr; i++) {
		pthread_join(crew->ring->member[i].thread, NULL);
		ok &= !delete_ums_thread_context(crew->context[i]);
	}
	ok &= !delete_ums_completion_list(crew->list);
	ok &= !ums_group_destroy(crew->group);
	free(crew->context);
	free(crew->ready);
	return ok;
}

/* @size bytes of library data for each member; 0 for channels */
static void run_crew(struct ring *ring, size_t size)
{
	struct crew crew = { .ring = ring };
	char *locked = NULL;
	unsigned int i;

	ring->nr = ring->result->threads;
	ring->member = calloc(ring->nr, sizeof(*ring->member));
	if (size)
		locked = calloc(ring->nr, size);
	if (!ring->member || !open_crew(&crew) || (size && !locked))
		bench_die("no workers");
	for (i = 0; i < ring->nr; i++) {
		ums_chan_t *chan;

		if (!size && ums_chan_create(1, sizeof(__u32), &chan))
			bench_die("ums_chan_create");
		ring->member[i].library = size ? (void *)(locked + i * size) :
						 (void *)chan;
	}
	spawn(&crew);
	schedule(&crew);
	for (i = 0; i < ring->nr && !size; i++)
		ums_chan_destroy(ring->member[i].library);
	if (!close_crew(&crew))
		ring->result->failed = true;
	free(locked);
	free(ring->member);
}

void ring_library_chan(struct result *result)
{
	struct ring ring = {
		.give = give_by_chan,
		.take = take_by_chan,
		.result = result,
	};

	run_crew(&ring, 0);
}

void ring_library_cond(struct result *result)
{
	struct ring ring = {
		.give = give_by_cond,
		.take = take_by_cond,
		.result = result,
	};

	run_crew(&ring, sizeof(struct locked));
}
