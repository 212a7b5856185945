// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: channels
 *
 * All under one mutex: a ring of items, and two queues of those who wait. An
 * item goes from hand to hand where somebody waits for it: a sender copies it to
 * the first receiver, a receiver takes the first sender's into the place that it
 * has made. So who is woken is done, and needs no lock again; order is FIFO, and
 * nobody overtakes:
 *
 * - Receivers wait only while there is no item, senders only while there is no
 *   room; hence never both, and an item never passes one that came before it.
 * - Who waits is in the queue when the mutex is unlocked. Whoever has what it
 *   waits for comes under the mutex later, and takes it off. No wakeup is lost.
 * - It is woken when the mutex is unlocked. Nobody touches the channel after.
 */
#include <stdlib.h>
#include <string.h>

#include "wait.h"

/**
 * struct ums_chan - See ums_chan_create()
 *
 * @lock: Protects all that is not constant.
 * @capacity: Items that @items has room for; constant.
 * @item_size: Bytes of an item; constant.
 * @head: Index of the oldest item.
 * @count: Number of items.
 * @closed: There will be no items beyond these.
 * @senders: Who waits for room; &ums_waiter.item is what they send.
 * @receivers: Who waits for an item; &ums_waiter.item is where it goes.
 * @items: A ring.
 */
struct ums_chan {
	ums_mutex_t lock;
	size_t capacity;
	size_t item_size;
	size_t head;
	size_t count;
	bool closed;
	struct ums_waiters senders;
	struct ums_waiters receivers;
	unsigned char items[];
};

UMS_API int ums_chan_create(size_t capacity, size_t item_size,
			    ums_chan_t **chan)
{
	ums_chan_t *result;
	size_t size;

	if (!chan || !item_size ||
	    __builtin_mul_overflow(capacity, item_size, &size) ||
	    __builtin_add_overflow(size, sizeof(*result), &size))
		return ums_error(EINVAL);

	result = calloc(1, size);
	if (!result)
		return -1;
	result->capacity = capacity;
	result->item_size = item_size;
	*chan = result;
	return 0;
}

UMS_API int ums_chan_destroy(ums_chan_t *chan)
{
	if (!chan)
		return 0;
	if (ums_load(&chan->lock.state) || chan->senders.first ||
	    chan->receivers.first)
		return ums_error(EBUSY);

	free(chan);
	return 0;
}

/* Most are a pointer or a number */
static inline void copy_item(const ums_chan_t *chan, void *to, const void *from)
{
	switch (chan->item_size) {
	case sizeof(__u64):
		memcpy(to, from, sizeof(__u64));
		break;
	case sizeof(__u32):
		memcpy(to, from, sizeof(__u32));
		break;
	default:
		memcpy(to, from, chan->item_size);
	}
}

static void put_item(ums_chan_t *chan, const void *item)
{
	size_t at = chan->head + chan->count++;

	if (at >= chan->capacity)
		at -= chan->capacity;
	copy_item(chan, chan->items + at * chan->item_size, item);
}

static void get_item(ums_chan_t *chan, void *item)
{
	copy_item(chan, item, chan->items + chan->head * chan->item_size);
	if (++chan->head == chan->capacity)
		chan->head = 0;
	chan->count--;
}

/* Unlocks; @waiter, if any, has what it waited for */
static inline int finish(ums_chan_t *chan, struct ums_waiter *waiter)
{
	if (waiter)
		waiter->served = true;
	ums_mutex_unlock_internal(&chan->lock);
	if (waiter)
		ums_wake(waiter);
	return 0;
}

/* Unlocks, and returns an error */
static UMS_NOINLINE int fail(ums_chan_t *chan, int error)
{
	ums_mutex_unlock_internal(&chan->lock);
	return ums_error(error);
}

/* Unlocks, and waits to be served */
static int wait_in(ums_chan_t *chan, struct ums_waiters *waiters, void *item)
{
	struct ums_waiter self;

	ums_waiter_init(&self);
	self.served = false;
	self.item = item;
	ums_waiters_append(waiters, &self);
	ums_mutex_unlock_internal(&chan->lock);
	ums_wait(&self);
	return self.served ? 0 : ums_error(EPIPE);
}

static inline int lock(ums_chan_t *chan, bool may_wait)
{
	if (ums_unlikely(may_wait && ums_self.list))
		return ums_error(EPERM);
	if (ums_unlikely(!ums_mutex_lock_unless_scheduler(&chan->lock)))
		return ums_error(EAGAIN);
	return 0;
}

static inline UMS_ALWAYS_INLINE int
do_send(ums_chan_t *chan, const void *item, bool may_wait)
{
	struct ums_waiter *receiver;

	if (ums_unlikely(!chan || !item))
		return ums_error(EINVAL);
	if (ums_unlikely(lock(chan, may_wait)))
		return -1;
	if (chan->closed)
		return fail(chan, EPIPE);

	receiver = ums_waiters_take(&chan->receivers);
	if (receiver) {
		copy_item(chan, receiver->item, item);
		return finish(chan, receiver);
	}
	if (chan->count < chan->capacity) {
		put_item(chan, item);
		return finish(chan, NULL);
	}
	if (!may_wait)
		return fail(chan, EAGAIN);
	return wait_in(chan, &chan->senders, (void *)(uintptr_t)item);
}

static inline UMS_ALWAYS_INLINE int
do_receive(ums_chan_t *chan, void *item, bool may_wait)
{
	struct ums_waiter *sender;

	if (ums_unlikely(!chan || !item))
		return ums_error(EINVAL);
	if (ums_unlikely(lock(chan, may_wait)))
		return -1;

	sender = ums_waiters_take(&chan->senders);
	if (chan->count) {
		get_item(chan, item);
		if (sender)
			put_item(chan, sender->item);
		return finish(chan, sender);
	}
	if (sender) {
		copy_item(chan, item, sender->item);
		return finish(chan, sender);
	}
	if (chan->closed)
		return fail(chan, EPIPE);
	if (!may_wait)
		return fail(chan, EAGAIN);
	return wait_in(chan, &chan->receivers, item);
}

UMS_API int ums_chan_send(ums_chan_t *chan, const void *item)
{
	return do_send(chan, item, true);
}

UMS_API int ums_chan_try_send(ums_chan_t *chan, const void *item)
{
	return do_send(chan, item, false);
}

UMS_API int ums_chan_receive(ums_chan_t *chan, void *item)
{
	return do_receive(chan, item, true);
}

UMS_API int ums_chan_try_receive(ums_chan_t *chan, void *item)
{
	return do_receive(chan, item, false);
}

UMS_API int ums_chan_close(ums_chan_t *chan)
{
	struct ums_waiter *senders, *receivers;

	if (!chan)
		return ums_error(EINVAL);
	if (!ums_mutex_lock_unless_scheduler(&chan->lock))
		return ums_error(EAGAIN);

	chan->closed = true;
	senders = ums_waiters_take_all(&chan->senders);
	receivers = ums_waiters_take_all(&chan->receivers);
	ums_mutex_unlock_internal(&chan->lock);
	ums_wake_all(senders);
	ums_wake_all(receivers);
	return 0;
}
