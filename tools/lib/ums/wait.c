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
 * WAITING when it has been run although it was aside.
 *
 * A plain thread that has been woken may have left the memory of the word. A
 * futex wake there does no harm: to whoever waits in that place now, it is
 * spurious.
 *
 * A scheduler that has nobody else to run runs a waiter in vain, perhaps on the
 * very cpu that another scheduler needs to get on. So, once in a great many
 * turns, the waiter offers the cpu to other threads.
 *
 * Nothing here locks or allocates.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait.h"

/* Turns in vain between two offers of the cpu; costs each some instructions */
#define VAIN_TURNS	256

void ums_waiter_init(struct ums_waiter *waiter)
{
	*waiter = (struct ums_waiter){
		.state = UMS_WAIT_WAITING,
		.context = ums_self.worker,
	};
}

static bool change(struct ums_waiter *waiter, enum ums_wait_state from,
		   enum ums_wait_state to)
{
	unsigned int state = from;

	return __atomic_compare_exchange_n(&waiter->state, &state, to, false,
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

static void wait_in_kernel(struct ums_waiter *waiter)
{
	if (ums_load(&waiter->state) == UMS_WAIT_ASLEEP ||
	    change(waiter, UMS_WAIT_WAITING, UMS_WAIT_ASLEEP))
		syscall(SYS_futex, &waiter->state, FUTEX_WAIT_PRIVATE,
			UMS_WAIT_ASLEEP, NULL, NULL, 0);
}

/* False: the caller is no worker, or no longer one */
static bool wait_by_yield(struct ums_waiter *waiter)
{
	struct ums_context *self = ums_self.worker_slot;
	struct ums_context_object *context = waiter->context;
	bool yielded;

	if (ums_load(&self->state) != UMS_STATE_RUNNING)
		return false;

	ums_store(&context->waiter, waiter);
	yielded = !ums_vdso.yield(self, 0);
	ums_store(&context->waiter, NULL);
	if (ums_load(&waiter->state) == UMS_WAIT_ASIDE &&
	    change(waiter, UMS_WAIT_ASIDE, UMS_WAIT_WAITING))
		ums_aside_end(context);
	return yielded;
}

void ums_wait(struct ums_waiter *waiter)
{
	unsigned int turns = 0;
	int error = errno;

	while (ums_load(&waiter->state) != UMS_WAIT_WOKEN) {
		if (++turns % VAIN_TURNS == 0)
			sched_yield();
		if (!wait_by_yield(waiter))
			wait_in_kernel(waiter);
	}
	errno = error;
}

void ums_wake(struct ums_waiter *waiter)
{
	struct ums_context_object *context = waiter->context;
	int error = errno;

	switch (ums_swap(&waiter->state, UMS_WAIT_WOKEN)) {
	case UMS_WAIT_ASIDE:
		ums_list_push_woken(context);
		break;
	case UMS_WAIT_ASLEEP:
		syscall(SYS_futex, &waiter->state, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
		break;
	}
	errno = error;
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
	struct ums_waiter *waiter;

	if (ums_check_context(context))
		return -1;
	waiter = ums_load(&context->waiter);
	if (!waiter)
		return ums_error(EINVAL);
	if (context->list->wake_fd < 0)
		return ums_error(EOPNOTSUPP);

	aside_begin(context);
	if (!change(waiter, UMS_WAIT_WAITING, UMS_WAIT_ASIDE)) {
		ums_aside_end(context);
		return ums_error(EAGAIN);
	}
	return 0;
}
