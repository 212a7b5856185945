// SPDX-License-Identifier: GPL-2.0
/*
 * photon: what the workers do. They compute, yield, and block in different ways,
 * in plain blocking code.
 *
 * Workers work in pairs, the even one with the odd one after it, and go through
 * the same rounds, so that nobody waits for what does not come.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "photon.h"

#define NR_PIPES	16
#define SPINS		2000
#define NAP_NS		50000

/* What a worker does in a round, in turn */
enum kind { COMPUTE, YIELD, NAP, PIPE, FUTEX, NR_KINDS };

static int pipes[NR_PIPES][2];

void work_setup(void)
{
	int i;

	for (i = 0; i < NR_PIPES; i++)
		if (pipe(pipes[i]))
			die("pipe");
}

static void compute(struct worker *self)
{
	unsigned int i;

	for (i = 0; i < SPINS; i++)
		self->value = self->value * 1664525 + 1013904223;
}

/* A byte of the even one for the odd one, or for anybody who reads there */
static void exchange_byte(struct worker *self)
{
	int *fds = pipes[self->number / 2 % NR_PIPES];
	char byte = 0;
	ssize_t ret;

	if (self->number % 2)
		ret = read(fds[0], &byte, 1);
	else
		ret = write(fds[1], &byte, 1);
	if (ret != 1)
		die("pipe");
}

/* The odd one posts, the even one waits */
static void exchange_post(struct worker *self)
{
	int ret;

	if (self->number % 2) {
		ret = sem_post(&self->partner->given);
	} else {
		do {
			ret = sem_wait(&self->given);
		} while (ret && errno == EINTR);
	}
	if (ret)
		die("semaphore");
}

void work_round(struct worker *self, unsigned int round)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	switch (round % NR_KINDS) {
	case COMPUTE:
		compute(self);
		break;
	case YIELD:
		if (ums_thread_yield(self))
			die("ums_thread_yield");
		break;
	case NAP:
		nanosleep(&nap, NULL);
		break;
	case PIPE:
		exchange_byte(self);
		break;
	case FUTEX:
		exchange_post(self);
		break;
	}
}
