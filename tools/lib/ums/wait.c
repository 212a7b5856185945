// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: waiting for another thread, and being woken
 *
 * A mutex, a condition variable or a channel keeps a waiter in a queue of its
 * own. How the thread spends the time, and how it is told, is here, in one word:
 *
 *	WAITING		it looks at the word from time to time
 *	ASIDE		a worker; its scheduler has put it aside
 *	ASLEEP		a plain thread, in a futex wait for the word
 *	WOKEN		it goes on
 *
 *	waiter			scheduler		waker
 *	------			---------		-----
 *	enqueue WAITING
 *	while not WOKEN		WAITING -> ASIDE	dequeue
 *	    yield, or		(ums_set_aside())	old = swap WOKEN (A)
 *	    WAITING -> ASLEEP				old ASIDE: ready list
 *	    futex wait					old ASLEEP: futex wake
 *
 * No wakeup is lost, as all change the one word by atomic operations: the one
 * that puts the waiter aside, or to sleep, fails after (A), and before (A) it
 * makes (A) say that there is more to do. A waiter that is neither is in the
 * hands of its scheduler, as any worker that has yielded, and sees the word when
 * it is run next. So a scheduler that knows nothing of this does all there is to
 * do: it runs those again that have yielded.
 *
 * After (A) the waker does not touch the waiter, which may be gone. A worker
 * that was ASIDE is not gone: nobody runs it before the list has reported it.
 * Except that the last scheduler can leave: then it becomes a plain thread, and
 * goes on. Hence ASIDE has a reference to the context, and its list counts it as
 * a user. They pass to the waker at (A), and with the ready list to whoever takes
 * the context from there, woken.c; or back to the waiter, which changes ASIDE to
 * WAITING when it has been run although it was aside. For the same reason the
 * word of a worker is in its context, and not on its stack.
 *
 * A plain thread that has been woken may have left the memory of the word. A
 * futex wake there does no harm: to whoever waits in that place now, it is
 * spurious.
 *
 * Hand-over
 *
 * A worker of a list of ums_list_hand_over() that has to wait does not go back to
 * the scheduler if there is somebody on the ready list: it takes that one off,
 * and switches to it. The scheduler sees none of this, so somebody else has to
 * put the waiter aside. The waiter itself cannot: who wakes it might have it
 * executed while it still runs. Its successor does, who is run when the switch
 * is done:
 *
 *	waiter				successor, in its own wait
 *	------				---------
 *	take the successor off the list
 *	its handed_by = waiter
 *	switch				handed_by: WAITING -> ASIDE
 *	failed: handed_by = NULL,	WOKEN already: ready list
 *	    return it to the list,
 *	    and yield
 *
 * Until then nobody but the successor knows of the waiter: it is in no list, and
 * who wakes it does nothing (WAITING). The successor is the waiter's business
 * alone, from the list to the switch, and so are those that are on the list while
 * it takes one: they wait until a waiter that was stopped there is run again. Who
 * was on the list is in a wait, and looks at handed_by when it goes on. What ASIDE
 * holds: the waiter takes a reference to itself for it, the successor drops its
 * own, and the list has a user as before.
 *
 * The waiter does not do this if the kernel has something for the scheduler, or
 * if it was done MAX_HOPS times since the scheduler had the processor: it may
 * have others to run.
 *
 * A scheduler that has nobody else to run runs a waiter in vain, perhaps on the
 * very cpu that another scheduler needs to get on. So, once in a great many
 * turns, the waiter offers the cpu to other threads.
 *
 * Nothing here locks or allocates, but memory may be freed.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait.h"

/* Turns in vain between two offers of the cpu; costs each some instructions */
#define VAIN_TURNS	256

/* Until a scheduler has the processor back, in switches */
#define MAX_HOPS	64

static inline bool change(unsigned int *state, enum ums_wait_state from,
			  enum ums_wait_state to)
{
	unsigned int old = from;

	return __atomic_compare_exchange_n(state, &old, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* The caller has a waiter ASIDE, which is about to change */
static void aside_begin(struct ums_context_object *context)
{
	ums_inc(&context->refs);
	ums_inc(&context->list->users);
}

void ums_aside_end(struct ums_context_object *context)
{
	ums_dec(&context->list->users);
	ums_context_put(context);
}

static UMS_NOINLINE void wait_in_kernel(struct ums_waiter *waiter)
{
	int error = errno;

	if (ums_load(waiter->state) == UMS_WAIT_ASLEEP ||
	    change(waiter->state, UMS_WAIT_WAITING, UMS_WAIT_ASLEEP))
		syscall(SYS_futex, waiter->state, FUTEX_WAIT_PRIVATE,
			UMS_WAIT_ASLEEP, NULL, NULL, 0);
	errno = error;
}

static inline bool is_worker(void)
{
	return ums_load(&ums_self.worker_slot->state) == UMS_STATE_RUNNING;
}

/*
 * The caller, @self, has not switched to @next after all. If that has run
 * meanwhile, which takes that both were released, it has taken over as well: then
 * it is on no list, and @self is aside or on the list, as any that runs all the
 * same.
 */
static UMS_NOINLINE long yield_instead(struct ums_context_object *self,
				       struct ums_context_object *next)
{
	if (ums_swap(&next->handed_by, NULL)) {
		ums_dec(&self->refs);
		ums_list_return_woken(next);
	}
	return is_worker() ? ums_vdso.yield(ums_self.worker_slot, 0) :
			     -ENOTCONN;
}

/* Give the processor to the next one of the list, else to the scheduler */
static inline UMS_ALWAYS_INLINE long give_away(struct ums_context_object *self)
{
	struct ums_list_object *list = self->list;
	struct ums_context_object *next = NULL;
	long error;

	if (list->hand_over && self->hops < MAX_HOPS &&
	    ums_list_kernel_is_empty(list))
		next = ums_list_take_woken(list);
	if (!next)
		return ums_vdso.yield(self->slot, 0);

	next->hops = self->hops + 1;
	ums_inc(&self->refs);
	ums_store(&next->handed_by, self);
	error = ums_vdso.switch_to(self->slot, next->slot);
	return ums_likely(!error) ? 0 : yield_instead(self, next);
}

/* The caller runs again: what has it to do for who ran it? */
static inline void take_over(struct ums_context_object *self)
{
	struct ums_context_object *from = NULL;

	if (ums_load(&self->handed_by))
		from = ums_swap(&self->handed_by, NULL);
	if (!from) {
		self->hops = 0;
		return;
	}
	/* Of its own ASIDE; the thread has another one */
	ums_dec(&self->refs);
	if (ums_unlikely(!change(&from->wait_state, UMS_WAIT_WAITING,
				 UMS_WAIT_ASIDE)))
		ums_list_push_woken(from);
}

/* The caller, a worker: 0, or it is none any more */
static inline UMS_ALWAYS_INLINE long wait_as_worker(struct ums_context_object *self)
{
	long error;

	ums_store(&self->waits, true);
	error = give_away(self);
	take_over(self);
	ums_store(&self->waits, false);
	return error;
}

/* Who has been run in vain, or is no worker */
static UMS_NOINLINE void wait_on(struct ums_waiter *waiter)
{
	struct ums_context_object *context = waiter->context;
	unsigned int turns = 0;

	do {
		if (ums_load(waiter->state) == UMS_WAIT_ASIDE &&
		    change(waiter->state, UMS_WAIT_ASIDE, UMS_WAIT_WAITING))
			ums_aside_end(context);
		if (++turns % VAIN_TURNS == 0)
			sched_yield();
		if (!is_worker() || wait_as_worker(context))
			wait_in_kernel(waiter);
	} while (ums_load(waiter->state) != UMS_WAIT_WOKEN);
}

void ums_wait(struct ums_waiter *waiter)
{
	if (ums_load(waiter->state) == UMS_WAIT_WOKEN)
		return;
	/* Nearly all are woken before they are run again */
	if (ums_likely(is_worker()))
		wait_as_worker(waiter->context);
	if (ums_unlikely(ums_load(waiter->state) != UMS_WAIT_WOKEN))
		wait_on(waiter);
}

void ums_wake_in_kernel(unsigned int *state)
{
	int error = errno;

	syscall(SYS_futex, state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = error;
}

struct ums_waiter *ums_waiters_reverse(struct ums_waiter *newest)
{
	struct ums_waiter *next, *oldest = NULL;

	for (; newest; newest = next) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	return oldest;
}

void ums_wake_all(struct ums_waiter *waiter)
{
	struct ums_waiter *next;

	for (; waiter; waiter = next) {
		next = waiter->next;
		ums_wake(waiter);
	}
}

UMS_API int ums_set_aside(ums_context_t *context)
{
	if (ums_check_context(context))
		return -1;
	if (!ums_load(&context->waits))
		return ums_error(EINVAL);
	if (context->list->wake_fd < 0)
		return ums_error(EOPNOTSUPP);

	aside_begin(context);
	if (!change(&context->wait_state, UMS_WAIT_WAITING, UMS_WAIT_ASIDE)) {
		ums_aside_end(context);
		return ums_error(EAGAIN);
	}
	return 0;
}
