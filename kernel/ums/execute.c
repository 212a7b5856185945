// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: ums_execute() and the yield of a worker.
 *
 * Both only decide who gets the VP. The caller has given it away by the time
 * the system call returns, and parks on its way to user mode; what the call
 * returns to user space is known when it gets a VP again.
 *
 * A worker that has lost its VP on the way here does it at the border, when it
 * has a new one. Restarting the system call instead would never get anywhere
 * under a tracer, which makes it sleep at each entry.
 */
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include <trace/events/ums.h>

#include "ums.h"

/* Can @ctx be given a VP? Its lock is held. */
static int ums_executable(struct ums_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);

	if (ctx->role == UMS_ROLE_SCHEDULER)
		return -EINVAL;

	switch (ctx->state) {
	case UMS_STATE_READY:
		return ctx->ut->released ? -ESRCH : 0;
	case UMS_STATE_RUNNING:
		return -EBUSY;
	case UMS_STATE_BLOCKED:
		return -EINPROGRESS;
	case UMS_STATE_LOCKED:
		return -EAGAIN;
	case UMS_STATE_CREATED:
		return -ENXIO;
	default:
		return -ESRCH;
	}
}

/*
 * Passes the VP of current, @self, on to the worker of @next, and returns the
 * task to wake. Both contexts' locks are held, if @self is a worker.
 */
static struct task_struct *ums_vp_pass(struct ums_task *self,
				       struct ums_ctx *next)
{
	struct ums_task *ut = next->ut;
	struct ums_vp *vp = self->vp;

	lockdep_assert_held(&next->lock);

	next->unread = false;
	next->stats.executed++;
	WRITE_ONCE(next->slot->vp, vp->index);
	ums_ctx_transition(next, UMS_STATE_RUNNING, 0, 0, 0);

	WRITE_ONCE(self->vp, NULL);
	set_thread_flag(TIF_UMS);

	raw_spin_lock(&vp->lock);
	vp->carrier = ut;
	if (vp->owner)
		WRITE_ONCE(vp->owner->ctx->slot->running, ums_ctx_index(next));
	trace_ums_vp(vp->index, self->ctx->id, next->id);
	/* Pairs with the acquire in ums_park_worker(). */
	smp_store_release(&ut->vp, vp);
	raw_spin_unlock(&vp->lock);

	return ut->task;
}

/**
 * ums_switch_to - current hands its VP on
 * @self: current; has a VP.
 * @id: Context of the worker to run.
 *
 * Return: 0, and current has no VP any more; or the errors of
 * sys_ums_execute() that are about @id.
 */
int ums_switch_to(struct ums_task *self, u64 id)
{
	struct task_struct *wake;
	struct ums_ctx *next;
	int err;

	/* Keeps @next and @wake; and @wake shall not preempt us: we sleep soon. */
	preempt_disable();
	rcu_read_lock();
	err = -ESRCH;
	next = ums_ctx_find(self->group, id);
	if (!next)
		goto out;

	raw_spin_lock_irq(&next->lock);
	err = ums_executable(next);
	if (err) {
		raw_spin_unlock_irq(&next->lock);
		goto out;
	}
	if (ums_is_scheduler(self)) {
		wake = ums_vp_pass(self, next);
	} else {
		/* The head of ums.h says why this can't deadlock. */
		raw_spin_lock_nested(&self->ctx->lock, SINGLE_DEPTH_NESTING);
		self->ctx->stats.yielded++;
		wake = ums_vp_pass(self, next);
		ums_ctx_transition(self->ctx, UMS_STATE_READY, 0, 0, 0);
		raw_spin_unlock(&self->ctx->lock);
	}
	raw_spin_unlock_irq(&next->lock);
	ums_wake_up_here(wake);
out:
	rcu_read_unlock();
	preempt_enable_no_resched();
	return err;
}

/*
 * The event is delivered when the VP comes back, and then it is too late for
 * -EFAULT to mean that nothing happened. An event spans two pages at most.
 */
static bool ums_event_writable(struct ums_event __user *event)
{
	u64 value;

	return !get_user(value, &event->ctx) && !put_user(value, &event->ctx) &&
	       !get_user(value, &event->seq) && !put_user(value, &event->seq);
}

/**
 * sys_ums_execute - Run a worker on the caller's virtual processor
 * @group_fd: The group that the caller is attached to.
 * @ctx: Id of the worker's context.
 * @event: Scheduler: where the event goes that ends the call, or NULL. Not
 *	used for a worker.
 * @flags: None defined, zero.
 *
 * By a scheduler, the call returns when its virtual processor comes back. By a
 * worker, it hands the virtual processor on, leaves the caller READY without
 * any event, and returns when the caller is executed again.
 *
 * Return: &ums_event.reason to a scheduler, 0 to a worker; -EINVAL for bad
 * flags, and if @ctx is the caller or a scheduler; errors of
 * ums_group_get_by_fd(); -ENOTCONN if the caller is not attached, -EXDEV if it
 * is to another group; -EFAULT; -ESRCH if there is no such context or it has
 * terminated, -ENXIO if no thread has attached to it yet, -EBUSY if it is
 * running, -EINPROGRESS if it is blocked, -EAGAIN if the kernel is handling a
 * signal of it just now; -EINTR if the caller has a signal to handle first.
 */
SYSCALL_DEFINE4(ums_execute, int, group_fd, u64, ctx,
		struct ums_event __user *, event, unsigned int, flags)
{
	struct ums_group *group __free(ums_group_put) = NULL;
	struct ums_task *ut = current->ums;
	int err;

	if (flags)
		return -EINVAL;
	group = ums_group_get_by_fd(group_fd);
	if (IS_ERR(group))
		return PTR_ERR(group);
	if (!ut)
		return -ENOTCONN;
	if (ut->group != group)
		return -EXDEV;
	if (ctx == ut->ctx->id)
		return -EINVAL;

	if (ums_is_scheduler(ut)) {
		if (event && !ums_event_writable(event))
			return -EFAULT;
		if (signal_pending(current))
			return -ERESTARTSYS;
		ut->uevent = event;
		err = ums_switch_to(ut, ctx);
		ut->executing = !err;
		return err;
	}

	if (signal_pending(current))
		return -ERESTARTSYS;
	if (likely(READ_ONCE(ut->vp)))
		return ums_switch_to(ut, ctx);
	ut->deferred = UMS_DEFER_EXECUTE;
	ut->deferred_arg = ctx;
	return -ERESTARTNOINTR;
}

/**
 * ums_give_back - current gives its VP back, and is READY at once
 * @ut: A worker, current; has a VP.
 * @reason: %UMS_REASON_YIELDED or %UMS_REASON_PREEMPTED.
 * @arg: For the scheduler.
 */
void ums_give_back(struct ums_task *ut, u32 reason, u64 arg)
{
	struct ums_ctx *ctx = ut->ctx;
	struct task_struct *wake;

	preempt_disable();
	raw_spin_lock_irq(&ctx->lock);
	if (reason == UMS_REASON_YIELDED)
		ctx->stats.yielded++;
	else
		ctx->stats.preempted++;
	ums_ctx_transition(ctx, UMS_STATE_READY, reason, 0, arg);
	wake = ums_vp_return(ut);
	if (!wake) {
		/* No scheduler to tell; @arg is lost with its reader. */
		ums_ctx_transition(ctx, UMS_STATE_READY, UMS_REASON_READY,
				   0, 0);
		ums_list_queue(ut->list, ctx);
	}
	raw_spin_unlock_irq(&ctx->lock);
	if (wake)
		ums_wake_up_here(wake);
	preempt_enable_no_resched();

	if (!wake)
		ums_list_notify(ut->list);
}

/**
 * ums_yield - UMS_CTL_YIELD
 * @fd: Must be -1.
 * @arg: &struct ums_yield.
 * @size: Of what @arg points to.
 *
 * Return: 0 when the worker is next executed; -EINVAL, -EFAULT, -E2BIG for bad
 * arguments, -ENOTCONN if the caller is not attached, -EINVAL if it is a
 * scheduler.
 */
long ums_yield(int fd, void __user *arg, size_t size)
{
	struct ums_task *ut = current->ums;
	struct ums_yield yield;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_yield) != 16);

	err = ums_copy_arg(&yield, sizeof(yield), arg, size);
	if (err)
		return err;
	if (fd != -1 || yield.flags)
		return -EINVAL;
	if (!ut)
		return -ENOTCONN;
	if (ums_is_scheduler(ut))
		return -EINVAL;

	if (likely(READ_ONCE(ut->vp))) {
		ums_give_back(ut, UMS_REASON_YIELDED, yield.param);
	} else {
		ut->deferred = UMS_DEFER_YIELD;
		ut->deferred_arg = yield.param;
	}
	return 0;
}
