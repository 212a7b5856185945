// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: condition variable for workers
 *
 * &ums_cond.state is the address of the waiter that came last, the first one of
 * a stack, and MANY if there are others. A waiter pushes himself there by a
 * compare-exchange, before he unlocks the user's mutex: so who changes the
 * condition under that mutex, and signals then, finds him.
 *
 *	without MANY:	0, or there is one waiter. Whoever signals takes him, by
 *			a compare-exchange to 0. It looks at nothing in him, so
 *			it is no matter if he was taken, and came back, meanwhile.
 *	with MANY:	waiters are taken under &ums_cond.lock only, and MANY is
 *			cleared only there. &ums_cond.waiters, oldest first,
 *			belongs to the holder: it is what was taken off the stack
 *			and not yet woken. All of the stack came later.
 *
 * - The order is FIFO: MANY is set as long as there is somebody in the queue, and
 *   whoever comes then goes to the stack behind it.
 * - No wakeup is lost: state is 0 only if there is nobody. MANY is cleared by a
 *   compare-exchange from just MANY, when the queue is empty. If that fails,
 *   somebody has come, and the next one to signal takes the lock.
 * - Waiters are woken when the lock is not held any more, and nothing of the
 *   condition variable is touched then: its memory can be used for something else.
 */
#include "wait.h"

#define MANY		1UL

static struct ums_waiter *stack_of(unsigned long state)
{
	return (void *)(state & ~MANY);
}

static inline bool change(ums_cond_t *cond, unsigned long *from,
			  unsigned long to)
{
	return __atomic_compare_exchange_n(&cond->state, from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

UMS_API int ums_cond_init(ums_cond_t *cond)
{
	if (!cond)
		return ums_error(EINVAL);

	*cond = (ums_cond_t)UMS_COND_INITIALIZER;
	return 0;
}

UMS_API int ums_cond_destroy(ums_cond_t *cond)
{
	if (!cond)
		return ums_error(EINVAL);

	return ums_load(&cond->state) || ums_load(&cond->lock.state) ?
		       ums_error(EBUSY) : 0;
}

/* Where the stack was found to be @state, not empty */
static UMS_NOINLINE void push_onto(ums_cond_t *cond, struct ums_waiter *waiter,
				   unsigned long state)
{
	unsigned long others;

	do {
		waiter->next = stack_of(state);
		others = state ? MANY : 0;
	} while (!change(cond, &state, (uintptr_t)waiter | others));
}

static inline void push(ums_cond_t *cond, struct ums_waiter *waiter)
{
	unsigned long state = 0;

	waiter->next = NULL;
	if (ums_unlikely(!change(cond, &state, (uintptr_t)waiter)))
		push_onto(cond, waiter, state);
}

UMS_API int ums_cond_wait(ums_cond_t *cond, ums_mutex_t *mutex)
{
	struct ums_waiter self;

	if (ums_unlikely(!cond || !mutex))
		return ums_fail(-EINVAL);
	if (ums_unlikely(ums_self.list ||
			 !(ums_load(&mutex->state) & UMS_MUTEX_HELD)))
		return ums_fail(-EPERM);

	ums_waiter_init(&self);
	push(cond, &self);
	ums_mutex_unlock_internal(mutex);
	ums_wait(&self);
	ums_mutex_lock_internal(mutex);
	return 0;
}

/* Wakes the one waiter, if there is just one and @state is still right */
static inline UMS_ALWAYS_INLINE bool wake_only_one(ums_cond_t *cond,
						   unsigned long state)
{
	if (ums_unlikely((state & MANY) || !change(cond, &state, 0)))
		return false;
	ums_wake((void *)state);
	return true;
}

/* The one that came first, or NULL; the caller holds the lock */
static struct ums_waiter *take(ums_cond_t *cond)
{
	unsigned long state, empty = MANY;
	struct ums_waiter *waiter;

	if (!cond->waiters) {
		state = ums_swap(&cond->state, MANY);
		cond->waiters = ums_waiters_reverse(stack_of(state));
	}
	waiter = cond->waiters;
	if (waiter)
		cond->waiters = waiter->next;
	if (!cond->waiters)
		change(cond, &empty, 0);
	return waiter;
}

static UMS_NOINLINE int signal_of_many(ums_cond_t *cond)
{
	struct ums_waiter *waiter;

	if (!ums_mutex_lock_unless_scheduler(&cond->lock))
		return ums_error(EAGAIN);

	waiter = take(cond);
	ums_mutex_unlock_internal(&cond->lock);
	if (waiter)
		ums_wake(waiter);
	return 0;
}

UMS_API int ums_cond_signal(ums_cond_t *cond)
{
	unsigned long state;

	if (ums_unlikely(!cond))
		return ums_fail(-EINVAL);
	/* Who ought to be woken was there before the caller came here */
	state = ums_load(&cond->state);
	if (!state || ums_likely(wake_only_one(cond, state)))
		return 0;
	return signal_of_many(cond);
}

static UMS_NOINLINE int broadcast_to_many(ums_cond_t *cond)
{
	struct ums_waiter *first, *later;
	unsigned long state;

	if (!ums_mutex_lock_unless_scheduler(&cond->lock))
		return ums_error(EAGAIN);

	first = cond->waiters;
	cond->waiters = NULL;
	state = ums_swap(&cond->state, 0);
	ums_mutex_unlock_internal(&cond->lock);
	later = ums_waiters_reverse(stack_of(state));
	ums_wake_all(first);
	ums_wake_all(later);
	return 0;
}

UMS_API int ums_cond_broadcast(ums_cond_t *cond)
{
	unsigned long state;

	if (ums_unlikely(!cond))
		return ums_fail(-EINVAL);
	state = ums_load(&cond->state);
	if (!state || wake_only_one(cond, state))
		return 0;
	return broadcast_to_many(cond);
}
