// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: mutex and condition variable for workers
 *
 * Mutex
 *
 * &ums_mutex.state is HELD or not, with the address of the waiter that came
 * last: a stack of those who came since a holder looked. Anybody pushes himself
 * there by a compare-exchange, only a holder takes, and all at once (so no ABA).
 * &ums_mutex.waiters, oldest first, belongs to the holder: it is what was taken
 * and not yet woken. All of the stack came later.
 *
 *	lock:	set HELD if it is not; else push oneself, and wait
 *	unlock:	HELD -> 0 if nobody waits. Else take the first waiter off, clear
 *		HELD, and wake him: he tries again.
 *
 * - No wakeup is lost. A push succeeds on a word with HELD only, and HELD is
 *   cleared only by who finds nobody waiting or has taken one off. So if it is
 *   not held and somebody waits, there is one who was taken off and has not
 *   tried since. If he finds it held when he does, the holder will unlock.
 * - That somebody else may come first keeps it in use: who is woken is run
 *   when his scheduler gets to it, which may be busy. But there is an end: who
 *   was woken PATIENCE times in vain becomes the holder when he is taken off
 *   next. HELD is not cleared then. The order is FIFO but for that.
 * - A loop turns again only if another thread has changed the word meanwhile,
 *   so nobody spins while somebody is not run who would have to do something.
 * - Who unlocks does not touch the mutex after somebody else may have it.
 *
 * The holder may be a worker that is stopped at any point. The others wait then,
 * as they have to, and whoever runs the holder lets them go on. The same holds
 * for one that is stopped between clearing HELD and waking: meanwhile the mutex
 * can be had, and whoever has it wakes the next.
 *
 * Condition variable
 *
 * Its queue is under a mutex of its own. A waiter is in the queue before it
 * unlocks the user's mutex, so who changes the condition under that mutex, and
 * signals then, finds it. It is taken off, the inner mutex is unlocked, and only
 * then is it woken: after that nobody touches the condition variable, and its
 * memory can be used for something else.
 *
 * Schedulers never wait: what they would wait for may be a worker of their own.
 */
#include "wait.h"

#define HELD		UMS_MUTEX_HELD
#define PATIENCE	8

static struct ums_waiter *stack_of(unsigned long state)
{
	return (void *)(state & ~HELD);
}

/* Oldest first */
static struct ums_waiter *reverse(struct ums_waiter *waiter)
{
	struct ums_waiter *next, *reversed = NULL;

	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->next = reversed;
		reversed = waiter;
	}
	return reversed;
}

UMS_API int ums_mutex_init(ums_mutex_t *mutex)
{
	if (!mutex)
		return ums_error(EINVAL);

	*mutex = (ums_mutex_t)UMS_MUTEX_INITIALIZER;
	return 0;
}

UMS_API int ums_mutex_destroy(ums_mutex_t *mutex)
{
	if (!mutex)
		return ums_error(EINVAL);

	return ums_load(&mutex->state) || mutex->waiters ? ums_error(EBUSY) : 0;
}

/* Sets HELD if it is not, whoever waits; @state is what it was found to be */
static bool try_lock(ums_mutex_t *mutex, unsigned long *state)
{
	while (!(*state & HELD))
		if (ums_mutex_change(mutex, state, *state | HELD))
			return true;
	return false;
}

void ums_mutex_lock_or_wait(ums_mutex_t *mutex, unsigned long state)
{
	struct ums_waiter self;
	unsigned int tries = 0;

	while (!try_lock(mutex, &state)) {
		ums_waiter_init(&self);
		self.impatient = tries >= PATIENCE;
		self.next = stack_of(state);
		if (!ums_mutex_change(mutex, &state, (uintptr_t)&self | HELD))
			continue;
		ums_wait(&self);
		if (self.impatient)
			return;
		tries++;
		state = ums_load(&mutex->state);
	}
}

bool ums_mutex_try_or_wait(ums_mutex_t *mutex, unsigned long state)
{
	if (ums_self.list)
		return try_lock(mutex, &state);
	ums_mutex_lock_or_wait(mutex, state);
	return true;
}

void ums_mutex_unlock_and_wake(ums_mutex_t *mutex)
{
	struct ums_waiter *waiter = mutex->waiters;

	if (!waiter)
		waiter = reverse(stack_of(ums_swap(&mutex->state, HELD)));
	mutex->waiters = waiter->next;
	if (!waiter->impatient)
		__atomic_fetch_and(&mutex->state, ~HELD, __ATOMIC_RELEASE);
	ums_wake(waiter);
}

UMS_API int ums_mutex_lock(ums_mutex_t *mutex)
{
	if (ums_unlikely(!mutex))
		return ums_error(EINVAL);
	if (ums_unlikely(ums_self.list))
		return ums_error(EPERM);

	ums_mutex_lock_internal(mutex);
	return 0;
}

UMS_API int ums_mutex_trylock(ums_mutex_t *mutex)
{
	unsigned long state = 0;

	if (ums_unlikely(!mutex))
		return ums_error(EINVAL);

	return try_lock(mutex, &state) ? 0 : ums_error(EBUSY);
}

UMS_API int ums_mutex_unlock(ums_mutex_t *mutex)
{
	if (ums_unlikely(!mutex))
		return ums_error(EINVAL);
	if (ums_unlikely(!(ums_load(&mutex->state) & HELD)))
		return ums_error(EPERM);

	ums_mutex_unlock_internal(mutex);
	return 0;
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

	return ums_load(&cond->waiters.first) ||
	       ums_load(&cond->lock.state) ? ums_error(EBUSY) : 0;
}

UMS_API int ums_cond_wait(ums_cond_t *cond, ums_mutex_t *mutex)
{
	struct ums_waiter self;

	if (!cond || !mutex)
		return ums_error(EINVAL);
	if (ums_self.list || !(ums_load(&mutex->state) & HELD))
		return ums_error(EPERM);

	ums_mutex_lock_internal(&cond->lock);
	/* Not before: a worker has one state, and may have had to wait here */
	ums_waiter_init(&self);
	ums_waiters_append(&cond->waiters, &self);
	ums_mutex_unlock_internal(&cond->lock);
	ums_mutex_unlock_internal(mutex);
	ums_wait(&self);
	ums_mutex_lock_internal(mutex);
	return 0;
}

/* Wakes the first one, or all */
static int wake(ums_cond_t *cond, bool all)
{
	struct ums_waiter *waiter;

	if (!cond)
		return ums_error(EINVAL);
	/* Who ought to be woken was in the queue before the caller came here */
	if (!ums_load(&cond->waiters.first))
		return 0;
	if (!ums_mutex_lock_unless_scheduler(&cond->lock))
		return ums_error(EAGAIN);

	waiter = all ? ums_waiters_take_all(&cond->waiters) :
		       ums_waiters_take(&cond->waiters);
	ums_mutex_unlock_internal(&cond->lock);
	if (all)
		ums_wake_all(waiter);
	else if (waiter)
		ums_wake(waiter);
	return 0;
}

UMS_API int ums_cond_signal(ums_cond_t *cond)
{
	return wake(cond, false);
}

UMS_API int ums_cond_broadcast(ums_cond_t *cond)
{
	return wake(cond, true);
}
