// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps track of threads so that each is joined: as a rule soon after it has
 * ended, by the one who starts the next.
 */
#include <stdbool.h>
#include <stddef.h>

#include "httpd_crew.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct crew_thread *crew;		/* under lock */
static struct crew_thread *ended;		/* atomic */

int crew_start(struct crew_thread *t, void *(*run)(void *t))
{
	pthread_attr_t attr;
	int error;

	error = pthread_attr_init(&attr);
	if (error)
		return -error;
	error = pthread_attr_setstacksize(&attr, CREW_STACK_SIZE);

	/* It may end before we are done with it, but is not joined then. */
	pthread_mutex_lock(&lock);
	if (!error)
		error = pthread_create(&t->thread, &attr, run, t);
	if (!error) {
		t->prev = NULL;
		t->next = crew;
		if (crew)
			crew->prev = t;
		crew = t;
	}
	pthread_mutex_unlock(&lock);

	pthread_attr_destroy(&attr);
	return -error;
}

void crew_ended(struct crew_thread *t)
{
	t->ended = __atomic_load_n(&ended, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&ended, &t->ended, t, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void join(struct crew_thread *t, void (*dispose)(struct crew_thread *t))
{
	pthread_mutex_lock(&lock);
	if (t->prev)
		t->prev->next = t->next;
	else
		crew = t->next;
	if (t->next)
		t->next->prev = t->prev;
	pthread_mutex_unlock(&lock);

	pthread_join(t->thread, NULL);
	dispose(t);
}

void crew_reap(void (*dispose)(struct crew_thread *t))
{
	struct crew_thread *t = __atomic_exchange_n(&ended, NULL, __ATOMIC_ACQUIRE);

	while (t) {
		struct crew_thread *next = t->ended;

		join(t, dispose);
		t = next;
	}
}

void crew_join(void (*dispose)(struct crew_thread *t))
{
	while (crew)
		join(crew, dispose);
}
