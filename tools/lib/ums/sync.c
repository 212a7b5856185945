// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: mutex for workers
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
 * Schedulers never wait: what they would wait for may be a worker of their own.
 */
#include "wait.h"

#define HELD		UMS_MUTEX_HELD
#define PATIENCE	8

static struct ums_waiter *stack_of(unsigned long state)
{
	return (void *)(state & ~HELD);
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

UMS_NOINLINE int ums_mutex_lock_or_wait(ums_mutex_t *mutex, unsigned long state)
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
			break;
		tries++;
		state = ums_load(&mutex->state);
	}
	return 0;
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
	unsigned long state;

	if (!waiter) {
		state = ums_swap(&mutex->state, HELD);
		waiter = ums_waiters_reverse(stack_of(state));
	}
	mutex->waiters = waiter->next;
	if (!waiter->impatient)
		__atomic_fetch_and(&mutex->state, ~HELD, __ATOMIC_RELEASE);
	ums_wake(waiter);
}

UMS_API int ums_mutex_lock(ums_mutex_t *mutex)
{
	unsigned long state = 0;

	if (ums_unlikely(!mutex))
		return ums_fail(-EINVAL);
	if (ums_unlikely(ums_self.list))
		return ums_fail(-EPERM);

	if (ums_unlikely(!ums_mutex_change(mutex, &state, HELD)))
		return ums_mutex_lock_or_wait(mutex, state);
	return 0;
}

UMS_API int ums_mutex_trylock(ums_mutex_t *mutex)
{
	unsigned long state = 0;

	if (ums_unlikely(!mutex))
		return ums_error(EINVAL);

	return try_lock(mutex, &state) ? 0 : ums_error(EBUSY);
}

/* Somebody waits, or it is not locked */
static UMS_NOINLINE int unlock_or_refuse(ums_mutex_t *mutex)
{
	if (!(ums_load(&mutex->state) & HELD))
		return ums_error(EPERM);

	ums_mutex_unlock_and_wake(mutex);
	return 0;
}

UMS_API int ums_mutex_unlock(ums_mutex_t *mutex)
{
	if (ums_unlikely(!mutex))
		return ums_fail(-EINVAL);
	if (ums_unlikely(!ums_mutex_try_unlock(mutex)))
		return unlock_or_refuse(mutex);
	return 0;
}
