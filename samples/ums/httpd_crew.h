/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All threads of a mode, from their creation until somebody joined them.
 *
 * crew_ended() takes no lock, so a scheduler can call it, whatever its workers
 * hold. The others are for threads that may wait.
 */
#ifndef HTTPD_CREW_H
#define HTTPD_CREW_H

#include <pthread.h>

#define CREW_STACK_SIZE	(256 * 1024)

struct crew_thread {
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
	struct crew_thread *prev, *next;
	struct crew_thread *ended;	/* next one that has ended */
};

/* Starts @t->thread with run(@t). 0 or a negative errno. */
int crew_start(struct crew_thread *t, void *(*run)(void *t));

/* To be called once for each thread, when it needs nothing but a join. */
void crew_ended(struct crew_thread *t);

/* Joins the threads that have ended, and disposes of them. */
void crew_reap(void (*dispose)(struct crew_thread *t));

/* The same with all; nobody starts one any more. */
void crew_join(void (*dispose)(struct crew_thread *t));

#endif /* HTTPD_CREW_H */
