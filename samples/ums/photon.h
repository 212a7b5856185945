/* SPDX-License-Identifier: GPL-2.0 */
/*
 * photon: what the scheduler (photon.c) and the work (photon_work.c) share
 */
#ifndef PHOTON_H
#define PHOTON_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdnoreturn.h>
#include <ums/ums.h>

struct scheduler;

/**
 * struct worker - A worker
 *
 * @context: What UMS knows it by.
 * @thread: For the main thread to join.
 * @next: Next one in the ready queue of its scheduler.
 * @scheduler: Scheduler that it was given to.
 * @partner: Whom it exchanges something with: an even one with the odd one
 *	after it.
 * @given: Posted by the partner in a FUTEX round.
 * @number: Its number.
 * @starts: How often it was started.
 * @ends: How often a scheduler saw it end.
 * @value: What it has computed.
 * @done: For each round, how often that was done.
 */
struct worker {
	ums_context_t *context;
	pthread_t thread;
	struct worker *next;
	struct scheduler *scheduler;
	struct worker *partner;
	sem_t given;
	unsigned int number;
	atomic_uint starts;
	atomic_uint ends;
	unsigned int value;
	atomic_uchar *done;
};

noreturn void die(const char *what);

void work_setup(void);
/* What a worker does in one round */
void work_round(struct worker *self, unsigned int round);

#endif /* PHOTON_H */
