/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libums: waiting for another thread, see wait.c, and what mutex, condition
 * variable and channel make of it
 */
#ifndef UMS_WAIT_H
#define UMS_WAIT_H

#include "internal.h"

/* See wait.c */
enum ums_wait_state {
	UMS_WAIT_WAITING,
	UMS_WAIT_ASIDE,
	UMS_WAIT_ASLEEP,
	UMS_WAIT_WOKEN,
};

/**
 * struct ums_waiter - A thread that waits; on its stack
 *
 * @next: Of the queue that it is in; that queue's.
 * @state: One of &enum ums_wait_state. A futex.
 * @context: The thread's, if it is a worker, or was one.
 * @impatient: Mutex: who is woken is the holder.
 * @item: Channel: the thread's item.
 * @served: Channel: it has got what it waited for.
 */
struct ums_waiter {
	struct ums_waiter *next;
	unsigned int state;
	struct ums_context_object *context;
	bool impatient;
	void *item;
	bool served;
};

/* Of the calling thread */
void ums_waiter_init(struct ums_waiter *waiter);
/* Returns when it has been woken; it must be in a queue */
void ums_wait(struct ums_waiter *waiter);
/* Once, by who has taken it off the queue. It is gone then. */
void ums_wake(struct ums_waiter *waiter);
/* And those after it */
void ums_wake_all(struct ums_waiter *waiter);
/* What ASIDE holds is not needed any more. May free memory. */
void ums_aside_end(struct ums_context_object *context);

/* Queues, of whoever owns them. Who only looks at @first may do so any time. */
static inline void ums_waiters_append(struct ums_waiters *waiters,
				      struct ums_waiter *waiter)
{
	waiter->next = NULL;
	if (waiters->first)
		waiters->last->next = waiter;
	else
		ums_store(&waiters->first, waiter);
	waiters->last = waiter;
}

/* The first one, or NULL */
static inline struct ums_waiter *ums_waiters_take(struct ums_waiters *waiters)
{
	struct ums_waiter *waiter = waiters->first;

	if (waiter)
		ums_store(&waiters->first, waiter->next);
	return waiter;
}

static inline struct ums_waiter *
ums_waiters_take_all(struct ums_waiters *waiters)
{
	struct ums_waiter *waiter = waiters->first;

	ums_store(&waiters->first, NULL);
	return waiter;
}

/* sync.c: as the functions of <ums/ums.h>, without checks */
void ums_mutex_lock_internal(ums_mutex_t *mutex);
void ums_mutex_unlock_internal(ums_mutex_t *mutex);
/* False: it is held, and the caller, a scheduler, must not wait */
bool ums_mutex_lock_unless_scheduler(ums_mutex_t *mutex);

#endif /* UMS_WAIT_H */
