/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libums: mutex, condition variable and channel; part of <ums/ums.h>
 *
 * For workers that work together. One that has to wait yields, with the
 * parameter NULL, instead of entering the kernel, and does so again as long as
 * it is run too early. So a scheduler has nothing to know of this, if it runs
 * all the others before it runs one again that has yielded. One that would
 * rather not run waiters in vain uses ums_set_aside().
 *
 * The threads may be workers of any schedulers and groups of the process, and
 * other threads; these, and workers that have become such because no scheduler
 * was left, wait in the kernel. A scheduler must not wait for what may be a
 * worker of its own: it gets EPERM from calls that wait, and may make the
 * others, where it gets EBUSY or EAGAIN if somebody is in the middle of it just
 * now.
 *
 * Who waits is served in the order of arrival, but a mutex may be taken by who
 * comes along, a limited number of times. The calls work without UMS in the
 * kernel, too. They are not for signal handlers. No wait is a cancellation
 * point.
 */
#ifndef UMS_SYNC_H
#define UMS_SYNC_H

#include "ums.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ums_waiter;

/**
 * typedef ums_mutex_t - A mutex
 *
 * Not recursive. All bytes zero is one that is not locked.
 */
typedef struct ums_mutex {
	unsigned long state;
	struct ums_waiter *waiters;
} ums_mutex_t;

#define UMS_MUTEX_INITIALIZER	{ 0, NULL }

/**
 * ums_mutex_init() - Make a mutex
 * @mutex: Output, not locked.
 */
int ums_mutex_init(ums_mutex_t *mutex);

/**
 * ums_mutex_destroy() - The memory of a mutex will be used for something else
 * @mutex: The mutex.
 *
 * Whoever holds it last may do so at once after ums_mutex_unlock(), if nobody
 * else is going to use it. EBUSY: it is locked.
 */
int ums_mutex_destroy(ums_mutex_t *mutex);

/**
 * ums_mutex_lock() - Lock a mutex
 * @mutex: The mutex; the caller does not hold it.
 *
 * EPERM: the caller is a scheduler.
 */
int ums_mutex_lock(ums_mutex_t *mutex);

/**
 * ums_mutex_trylock() - Lock a mutex if that is possible at once
 * @mutex: The mutex.
 *
 * EBUSY: it is locked.
 */
int ums_mutex_trylock(ums_mutex_t *mutex);

/**
 * ums_mutex_unlock() - Unlock a mutex
 * @mutex: The mutex; the caller holds it.
 *
 * EPERM: it is not locked.
 */
int ums_mutex_unlock(ums_mutex_t *mutex);

/**
 * typedef ums_cond_t - A condition variable
 *
 * All bytes zero is one that nobody waits for.
 */
typedef struct ums_cond {
	unsigned long state;
	ums_mutex_t lock;
	struct ums_waiter *waiters;
} ums_cond_t;

#define UMS_COND_INITIALIZER	{ 0, UMS_MUTEX_INITIALIZER, NULL }

/**
 * ums_cond_init() - Make a condition variable
 * @cond: Output.
 */
int ums_cond_init(ums_cond_t *cond);

/**
 * ums_cond_destroy() - The memory of one will be used for something else
 * @cond: The condition variable.
 *
 * Allowed as soon as all who waited have been woken, and the calls that woke
 * them are past. EBUSY: somebody waits.
 */
int ums_cond_destroy(ums_cond_t *cond);

/**
 * ums_cond_wait() - Unlock a mutex, wait for a signal, and lock it again
 * @cond: The condition variable.
 * @mutex: The mutex; the caller holds it.
 *
 * Look at the condition again on return: somebody else may have had the mutex
 * since the signal. EPERM: the caller is a scheduler, or @mutex is not locked.
 */
int ums_cond_wait(ums_cond_t *cond, ums_mutex_t *mutex);

/**
 * ums_cond_signal() - Wake the one who has waited longest, if there is one
 * @cond: The condition variable.
 *
 * With the mutex or without. EAGAIN: the caller is a scheduler, and somebody
 * is in the middle of a call.
 */
int ums_cond_signal(ums_cond_t *cond);

/**
 * ums_cond_broadcast() - Wake all who wait
 * @cond: The condition variable.
 *
 * As ums_cond_signal().
 */
int ums_cond_broadcast(ums_cond_t *cond);

/**
 * typedef ums_chan_t - A channel: a queue of items of one size
 *
 * Items are copied in and out.
 */
typedef struct ums_chan ums_chan_t;

/**
 * ums_chan_create() - Create a channel
 * @capacity: Items that it holds. 0: each ums_chan_send() waits for the
 *	ums_chan_receive() that takes its item.
 * @item_size: Bytes of an item, not 0.
 * @chan: Output.
 *
 * May allocate. EINVAL, ENOMEM.
 */
int ums_chan_create(size_t capacity, size_t item_size, ums_chan_t **chan);

/**
 * ums_chan_destroy() - Destroy a channel, and the items in it
 * @chan: The channel; NULL is allowed and does nothing.
 *
 * EBUSY: somebody is waiting, or in the middle of a call. May free memory.
 */
int ums_chan_destroy(ums_chan_t *chan);

/**
 * ums_chan_send() - Put an item into a channel; wait for room
 * @chan: The channel.
 * @item: The item.
 *
 * EPIPE: the channel is closed, or was before there was room. EPERM: the
 * caller is a scheduler.
 */
int ums_chan_send(ums_chan_t *chan, const void *item);

/**
 * ums_chan_try_send() - Put an item into a channel if there is room
 * @chan: The channel.
 * @item: The item.
 *
 * EAGAIN: there is no room; or the caller is a scheduler, and somebody is in
 * the middle of a call. EPIPE.
 */
int ums_chan_try_send(ums_chan_t *chan, const void *item);

/**
 * ums_chan_receive() - Take an item out of a channel; wait for one
 * @chan: The channel.
 * @item: Output.
 *
 * EPIPE: the channel is closed, and there are no more items in it. EPERM: the
 * caller is a scheduler.
 */
int ums_chan_receive(ums_chan_t *chan, void *item);

/**
 * ums_chan_try_receive() - Take an item out of a channel if there is one
 * @chan: The channel.
 * @item: Output.
 *
 * EAGAIN: there is none; or the caller is a scheduler, and somebody is in the
 * middle of a call. EPIPE.
 */
int ums_chan_try_receive(ums_chan_t *chan, void *item);

/**
 * ums_chan_close() - There will be no more items
 * @chan: The channel.
 *
 * Who waits to send, or receive, gets EPIPE. What is in the channel can still be
 * received. EAGAIN: the caller is a scheduler, and somebody is in the middle of
 * a call.
 */
int ums_chan_close(ums_chan_t *chan);

/**
 * ums_list_accept_waiters() - Have a list report workers that were put aside
 * @list: The list. No thread has waited for it so far.
 *
 * For ums_set_aside(). From then on threads that wait for the list do so by
 * poll(). The descriptor of get_ums_completion_list_event() does not tell of
 * these workers. EMFILE, ENFILE, ENOMEM.
 */
int ums_list_accept_waiters(ums_completion_list_t *list);

/**
 * ums_set_aside() - Do not run a worker that waits
 * @context: A worker that has yielded and that the caller, its scheduler, has
 *	not executed again or handed to anybody.
 *
 * On success the worker is as good as blocked: it must not be executed before
 * its list reports it, as READY, which is when somebody has served it. The
 * list's scheduler is woken if it sleeps. After an error the worker is ready as
 * after any other yield. So this is all that it takes::
 *
 *	case UMS_REASON_YIELDED:
 *		if (ums_set_aside(context))
 *			make_ready(context);
 *
 * EINVAL: it does not wait for a mutex, condition variable or channel. EAGAIN:
 * it need not wait any longer, or is aside already. EOPNOTSUPP: its list was not made for it, see
 * ums_list_accept_waiters().
 */
int ums_set_aside(ums_context_t *context);

/**
 * ums_list_hand_over() - Let the workers of a list that wait run each other
 * @list: The list. No thread has waited for it so far.
 *
 * Does ums_list_accept_waiters(), too. From then on a worker of the list that has
 * to wait for a mutex, condition variable or channel may not yield, but switch to
 * a worker that the list would have reported next, as if by ums_switch_to(); it
 * is aside then, as after ums_set_aside(). So a scheduler of such a list goes by
 * the event, and forgets whom it has executed::
 *
 *	reason = ums_run(context, &event);
 *	if (reason >= 0)
 *		context = ums_event_context(&event);
 *
 * It has its processor back after a limited number of such switches, and as soon
 * as one of them finds that the kernel has something for the list. It has to run
 * those again that were preempted, or have blocked, some time: one of them may be
 * about to run the next of the list, which the list does not have meanwhile.
 *
 * Errors as ums_list_accept_waiters().
 */
int ums_list_hand_over(ums_completion_list_t *list);

#ifdef __cplusplus
}
#endif

#endif /* UMS_SYNC_H */
