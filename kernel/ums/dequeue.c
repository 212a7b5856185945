// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: ums_dequeue().
 *
 * An entry is consumed in four steps: look at it, copy the event out, advance
 * the head, and claim the event. A fault on the buffer comes before anything
 * has changed. Several threads may copy the same event; the cmpxchg of the head
 * decides who has the entry, and &ums_ctx.unread, cleared under the lock of the
 * context, who has the event. The others overwrite their copies.
 *
 * Sleeping: a waiter enters &ums_list.waiters under &ums_list.lock after it
 * has seen the ring empty there, and whoever queues takes one waiter off under
 * the same lock. A waiter that was taken off and leaves without an item wakes
 * the next one if the list is not empty.
 */
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <linux/time64.h>
#include <linux/uaccess.h>

#include <trace/events/ums.h>

#include "ums.h"

enum ums_peek {
	UMS_PEEK_EMPTY,
	UMS_PEEK_STALE,
	UMS_PEEK_EVENT,
};

/*
 * Looks at the first entry, without taking it: where it is, and whose. It is
 * stale if the context is gone, or its event is known to have been read.
 */
static enum ums_peek ums_list_peek(struct ums_list *list, u32 *head, u64 *id,
				   struct ums_event *event)
{
	enum ums_peek ret = UMS_PEEK_STALE;
	struct ums_ctx *ctx;

	/* The cmpxchg that takes the entry finds out whether it still is. */
	*head = READ_ONCE(list->ring->head);
	/* (A) Pairs with the release in ums_list_queue(). */
	if (*head == smp_load_acquire(&list->tail))
		return UMS_PEEK_EMPTY;
	*id = READ_ONCE(list->ring->ctx[*head & (list->entries - 1)]);

	rcu_read_lock();
	ctx = ums_ctx_find(list->group, *id);
	if (ctx) {
		raw_spin_lock_irq(&ctx->lock);
		if (ctx->unread && ctx->list_id == list->id) {
			ums_ctx_event(ctx, event);
			ret = UMS_PEEK_EVENT;
		}
		raw_spin_unlock_irq(&ctx->lock);
	}
	rcu_read_unlock();

	return ret;
}

/*
 * The entry of @id is ours; is the event with the number @seq (0: none was
 * seen) too? It is if nobody else has read it, and then it is read now. If the
 * context has moved on since we looked, its new event may have relied on the
 * entry that we took: it is queued again.
 */
static bool ums_list_claim(struct ums_list *list, u64 id, u64 seq)
{
	bool ours = false, requeued = false;
	struct ums_ctx *ctx;

	rcu_read_lock();
	ctx = ums_ctx_find(list->group, id);
	if (ctx) {
		raw_spin_lock_irq(&ctx->lock);
		if (ctx->unread && ctx->list_id == list->id) {
			ours = ctx->last.seq == seq;
			requeued = !ours;
			if (ours)
				ctx->unread = false;
			else
				ums_list_queue(list, ctx);
		}
		raw_spin_unlock_irq(&ctx->lock);
	}
	rcu_read_unlock();

	if (requeued)
		ums_list_notify(list);
	if (ours)
		trace_ums_dequeue(list->id, id, seq);
	return ours;
}

/* User space wrote a head that cannot be: go on with the oldest entry. */
static void ums_list_repair(struct ums_list *list)
{
	struct ums_ring *ring = list->ring;

	raw_spin_lock_irq(&list->lock);
	if (list->tail - READ_ONCE(ring->head) > list->entries) {
		WRITE_ONCE(ring->head, list->tail - list->entries);
		ums_list_lost(list);
	}
	raw_spin_unlock_irq(&list->lock);
}

static bool ums_list_test_clear_overflow(struct ums_list *list)
{
	bool overflow;

	/* What is lost just now is told next time. */
	if (likely(!READ_ONCE(list->overflow)))
		return false;

	raw_spin_lock_irq(&list->lock);
	overflow = list->overflow;
	list->overflow = false;
	raw_spin_unlock_irq(&list->lock);
	return overflow;
}

/*
 * Copies out up to @nr events. Returns their number, 0 if there are none. User
 * space can keep us here by turning the head back, but not from dying.
 */
static long ums_list_take(struct ums_list *list,
			  struct ums_event __user *events, unsigned int nr)
{
	struct ums_event event;
	long done = 0;
	enum ums_peek peek;
	u32 head;
	u64 id;

	while (done < nr) {
		/* Neither is true for long; ums_list_repair() looks again. */
		if (READ_ONCE(list->tail) - READ_ONCE(list->ring->head) >
		    list->entries)
			ums_list_repair(list);
		if (!done && ums_list_test_clear_overflow(list))
			return -EOVERFLOW;

		peek = ums_list_peek(list, &head, &id, &event);
		if (peek == UMS_PEEK_EMPTY)
			break;
		if (peek == UMS_PEEK_EVENT &&
		    copy_to_user(&events[done], &event, sizeof(event)))
			return done ?: -EFAULT;
		if (try_cmpxchg(&list->ring->head, &head, head + 1) &&
		    ums_list_claim(list, id,
				   peek == UMS_PEEK_EVENT ? event.seq : 0))
			done++;

		if (signal_pending(current))
			return done ?: -EINTR;
		cond_resched();
	}
	return done;
}

/*
 * Sleeps until the list is not empty, or this thread was picked for an item,
 * or @expires (NULL: for ever). Returns 0, -ETIMEDOUT, -EINTR.
 */
static int ums_list_wait(struct ums_list *list, ktime_t *expires)
{
	struct ums_waiter waiter = {
		.task	= current,
		.cpu	= raw_smp_processor_id(),
	};
	int timed_out = 0, ret = 0;
	bool empty, picked;

	raw_spin_lock_irq(&list->lock);
	empty = ums_list_empty(list);
	if (empty) {
		list_add_tail(&waiter.node, &list->waiters);
		list->nr_waiters++;
	}
	raw_spin_unlock_irq(&list->lock);
	if (!empty)
		return 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		if (list_empty_careful(&waiter.node))
			break;
		if (timed_out) {
			ret = -ETIMEDOUT;
			break;
		}
		if (signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		timed_out = !schedule_hrtimeout_range(expires,
						      current->timer_slack_ns,
						      HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);

	raw_spin_lock_irq(&list->lock);
	picked = list_empty(&waiter.node);
	if (!picked) {
		list_del(&waiter.node);
		list->nr_waiters--;
	}
	raw_spin_unlock_irq(&list->lock);

	return picked ? 0 : ret;
}

static long ums_dequeue_restart(struct restart_block *restart);

static long ums_do_dequeue(int fd, struct ums_event __user *events,
			   unsigned int nr, ktime_t *expires, bool poll)
{
	struct ums_list *list __free(ums_list_put) = NULL;
	struct restart_block *restart;
	long ret;

	list = ums_list_get_by_fd(fd);
	if (IS_ERR(list))
		return PTR_ERR(list);

	for (;;) {
		int err;

		ret = nr ? ums_list_take(list, events, nr) :
			   !ums_list_empty(list);
		if (ret)
			break;
		if (poll)
			return -EAGAIN;
		if (signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		err = ums_list_wait(list, expires);
		if (!err)
			continue;
		/* What came in the last moment is taken all the same. */
		if (!ums_list_empty(list) && err == -ETIMEDOUT)
			continue;
		ret = err;
		break;
	}

	/* We may have been picked for an item that we leave behind. */
	if (!ums_list_empty(list) && (nr || ret < 0))
		ums_list_wake_one(list);
	if (!nr && ret > 0)
		return 0;
	if (ret != -EINTR)
		return ret;

	/* What has no end, or no length, can start from the beginning. */
	if (!expires || poll)
		return -ERESTARTSYS;
	restart = &current->restart_block;
	restart->ums.fd = fd;
	restart->ums.events = events;
	restart->ums.nr = nr;
	restart->ums.expires = ktime_to_ns(*expires);
	return set_restart_fn(restart, ums_dequeue_restart);
}

static long ums_dequeue_restart(struct restart_block *restart)
{
	ktime_t expires = ns_to_ktime(restart->ums.expires);

	return ums_do_dequeue(restart->ums.fd, restart->ums.events,
			      restart->ums.nr, &expires, false);
}

/**
 * sys_ums_dequeue - Take events off a completion list
 * @list_fd: The list. Any thread of its process may call.
 * @events: Where the events go, oldest first.
 * @nr: How many there is room for; 0 to wait only, and take nothing: the
 *	caller was woken for an item then, and is expected to take it.
 * @timeout: How long to wait for the first one, relative; NULL for ever, zero
 *	not at all.
 * @flags: None defined, zero.
 *
 * Return: the number of events, 0 if @nr is 0; -EINVAL for bad flags or a bad
 * timeout, errors of ums_list_get_by_fd(), -EFAULT, -EAGAIN if there is
 * nothing and @timeout is zero, -ETIMEDOUT, -EINTR, -EOVERFLOW once after
 * events were lost because user space wrote to the ring.
 */
SYSCALL_DEFINE5(ums_dequeue, int, list_fd, struct ums_event __user *, events,
		unsigned int, nr,
		const struct __kernel_timespec __user *, timeout,
		unsigned int, flags)
{
	ktime_t expires, *to = NULL;
	struct timespec64 ts;
	bool poll = false;

	BUILD_BUG_ON(sizeof(struct ums_event) != 56);

	if (flags)
		return -EINVAL;
	if (timeout) {
		if (get_timespec64(&ts, timeout))
			return -EFAULT;
		if (!timespec64_valid(&ts))
			return -EINVAL;
		poll = !ts.tv_sec && !ts.tv_nsec;
		expires = ktime_add_safe(ktime_get(), timespec64_to_ktime(ts));
		to = &expires;
	}
	return ums_do_dequeue(list_fd, events, nr, to, poll);
}
