// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: many threads that pass a token around, so that each of them
 * waits for all the others. The caches have to hold what all of them need.
 */
#include <stdlib.h>

#include "bench.h"

/* In a batch, or one time around if that is more */
#define PASSES		5000

static struct member *next_of(struct member *self)
{
	struct ring *ring = self->ring;

	return &ring->member[(self - ring->member + 1) % ring->nr];
}

static void run_around(unsigned int count, void *arg)
{
	struct member *self = arg;
	struct ring *ring = self->ring;

	while (count--) {
		ring->give(next_of(self), TOKEN);
		if (ring->take(self) != TOKEN)
			ring->result->failed = true;
	}
}

void ring_lead(struct member *self)
{
	struct ring *ring = self->ring;

	ring->result->count = PASSES / ring->nr ?: 1;
	measure(ring->result, run_around, ring->nr, self);
	ring->give(next_of(self), LAST_TOKEN);
	ring->take(self);
}

void ring_follow(struct member *self)
{
	struct ring *ring = self->ring;
	__u32 token;

	do {
		token = ring->take(self);
		ring->give(next_of(self), token);
	} while (token != LAST_TOKEN);
}

static void give_by_futex(struct member *to, __u32 token)
{
	UT_STORE(to->token, token);
	futex_wake(&to->token);
}

static __u32 take_by_futex(struct member *self)
{
	__u32 token;

	while (!(token = UT_LOAD(self->token)))
		futex_wait(&self->token, NO_TOKEN);
	UT_STORE(self->token, NO_TOKEN);
	return token;
}

static void give_by_cond(struct member *to, __u32 token)
{
	pthread_mutex_lock(&to->lock);
	to->token = token;
	pthread_cond_signal(&to->given);
	pthread_mutex_unlock(&to->lock);
}

static __u32 take_by_cond(struct member *self)
{
	__u32 token;

	pthread_mutex_lock(&self->lock);
	while (!self->token)
		pthread_cond_wait(&self->given, &self->lock);
	token = self->token;
	self->token = NO_TOKEN;
	pthread_mutex_unlock(&self->lock);
	return token;
}

static void *follow(void *self)
{
	ring_follow(self);
	return NULL;
}

static void run_ring(struct ring *ring)
{
	pthread_attr_t attr;
	unsigned int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RING_STACK_SIZE);
	for (i = 0; i < ring->nr; i++) {
		struct member *member = &ring->member[i];

		member->ring = ring;
		pthread_mutex_init(&member->lock, NULL);
		pthread_cond_init(&member->given, NULL);
		if (i && pthread_create(&member->thread, &attr, follow, member))
			bench_die("pthread_create");
	}
	ring_lead(&ring->member[0]);
	for (i = 1; i < ring->nr; i++)
		pthread_join(ring->member[i].thread, NULL);
	pthread_attr_destroy(&attr);
}

static void with_members(struct ring *ring)
{
	ring->nr = ring->result->threads;
	ring->member = calloc(ring->nr, sizeof(*ring->member));
	if (!ring->member)
		bench_die("no memory");
	run_ring(ring);
	free(ring->member);
}

void ring_futex(struct result *result)
{
	struct ring ring = {
		.give = give_by_futex,
		.take = take_by_futex,
		.result = result,
	};

	with_members(&ring);
}

void ring_cond(struct result *result)
{
	struct ring ring = {
		.give = give_by_cond,
		.take = take_by_cond,
		.result = result,
	};

	with_members(&ring);
}
