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
 * @context: The thread's, if it is a worker, or was one.
 * @state: One of &enum ums_wait_state: &ums_context_object.wait_state, or
 *	@own_state of a thread without @context. A futex.
 * @own_state: See @state.
 * @impatient: Mutex: who is woken is the holder.
 * @served: Channel: it has got what it waited for.
 * @item: Channel: the thread's item.
 */
struct ums_waiter {
	struct ums_waiter *next;
	struct ums_context_object *context;
	unsigned int *state;
	unsigned int own_state;
	bool impatient;
	bool served;
	void *item;
};

/* Of the calling thread; what mutex and channel have in it is theirs to set */
static inline void ums_waiter_init(struct ums_waiter *waiter)
{
	struct ums_context_object *context = ums_self.worker;

	waiter->context = context;
	waiter->state = context ? &context->wait_state : &waiter->own_state;
	*waiter->state = UMS_WAIT_WAITING;
}

/* Returns when it has been woken; it must be in a queue */
void ums_wait(struct ums_waiter *waiter);
/* Who is ASLEEP there */
void ums_wake_in_kernel(unsigned int *state);

/* Once, by who has taken it off the queue. It is gone then. */
static inline void ums_wake(struct ums_waiter *waiter)
{
	struct ums_context_object *context = waiter->context;
	unsigned int *state = waiter->state;
	unsigned int old = ums_swap(state, UMS_WAIT_WOKEN);

	if (ums_likely(old == UMS_WAIT_ASIDE))
		ums_list_push_woken(context);
	else if (old == UMS_WAIT_ASLEEP)
		ums_wake_in_kernel(state);
}

/* And those after it */
void ums_wake_all(struct ums_waiter *waiter);
/* What ASIDE holds is not needed any more. May free memory. */
void ums_aside_end(struct ums_context_object *context);

/**
 * struct ums_waiters - A queue, of whoever owns it
 *
 * @first: The one that came first, or NULL.
 * @last: The one that came last, if there is a @first.
 */
struct ums_waiters {
	struct ums_waiter *first;
	struct ums_waiter *last;
};

static inline void ums_waiters_append(struct ums_waiters *waiters,
				      struct ums_waiter *waiter)
{
	waiter->next = NULL;
	if (waiters->first)
		waiters->last->next = waiter;
	else
		waiters->first = waiter;
	waiters->last = waiter;
}

/* The first one, or NULL */
static inline struct ums_waiter *ums_waiters_take(struct ums_waiters *waiters)
{
	struct ums_waiter *waiter = waiters->first;

	if (waiter)
		waiters->first = waiter->next;
	return waiter;
}

static inline struct ums_waiter *
ums_waiters_take_all(struct ums_waiters *waiters)
{
	struct ums_waiter *waiter = waiters->first;

	waiters->first = NULL;
	return waiter;
}

/* A stack of waiters as a queue, oldest first */
struct ums_waiter *ums_waiters_reverse(struct ums_waiter *newest);

/* sync.c: when &ums_mutex.state is not what it mostly is */
#define UMS_MUTEX_HELD	1UL

/* 0 */
int ums_mutex_lock_or_wait(ums_mutex_t *mutex, unsigned long state);
bool ums_mutex_try_or_wait(ums_mutex_t *mutex, unsigned long state);
void ums_mutex_unlock_and_wake(ums_mutex_t *mutex);

/* Set it to @to if it is *@from, and tell what it was found to be */
static inline bool ums_mutex_change(ums_mutex_t *mutex, unsigned long *from,
				    unsigned long to)
{
	return __atomic_compare_exchange_n(&mutex->state, from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* As the functions of <ums/ums.h>, without checks */
static inline void ums_mutex_lock_internal(ums_mutex_t *mutex)
{
	unsigned long state = 0;

	if (ums_unlikely(!ums_mutex_change(mutex, &state, UMS_MUTEX_HELD)))
		ums_mutex_lock_or_wait(mutex, state);
}

/* False: it is held, and the caller, a scheduler, must not wait */
static inline bool ums_mutex_lock_unless_scheduler(ums_mutex_t *mutex)
{
	unsigned long state = 0;

	return ums_likely(ums_mutex_change(mutex, &state, UMS_MUTEX_HELD)) ||
	       ums_mutex_try_or_wait(mutex, state);
}

/* False: somebody waits, or it is not held */
static inline bool ums_mutex_try_unlock(ums_mutex_t *mutex)
{
	unsigned long state = UMS_MUTEX_HELD;

	return !mutex->waiters && ums_mutex_change(mutex, &state, 0);
}

static inline void ums_mutex_unlock_internal(ums_mutex_t *mutex)
{
	if (ums_unlikely(!ums_mutex_try_unlock(mutex)))
		ums_mutex_unlock_and_wake(mutex);
}

#endif /* UMS_WAIT_H */
