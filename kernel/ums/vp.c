// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: virtual processors, and the hook where a worker is
 * about to sleep.
 *
 * A VP passes from carrier to carrier under its lock. The thread that gets it
 * sees &ums_task.vp set, with release, and is woken; it may be anywhere
 * between its own hand-over and its sleep in park.c, so it takes no more than
 * that one word from the giver. Only the carrier itself gives a VP away:
 * others ask by ums_vp_preempt(), and the carrier looks on its way to user
 * mode.
 */
#include <linux/preempt.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include <asm/syscall.h>

#include <trace/events/ums.h>

#include "ums.h"

/**
 * ums_vp_return - current gives its VP back to the scheduler that owns it
 * @ut: A worker, current, with a VP; the lock of its context is held and the
 *	context's last event is what the scheduler gets to know.
 *
 * Return: the task to wake once the lock is dropped; it stays valid under RCU,
 * or as long as preemption is off. NULL if the scheduler is gone: then nobody
 * was told of the event.
 */
struct task_struct *ums_vp_return(struct ums_task *ut)
{
	struct ums_vp *vp = ut->vp;
	struct ums_task *owner;

	lockdep_assert_held(&ut->ctx->lock);

	WRITE_ONCE(ut->vp, NULL);
	set_thread_flag(TIF_UMS);

	raw_spin_lock(&vp->lock);
	owner = vp->owner;
	if (!owner) {
		raw_spin_unlock(&vp->lock);
		trace_ums_vp(vp->index, ut->ctx->id, 0);
		kfree_rcu(vp, rcu);
		return NULL;
	}
	vp->carrier = owner;
	WRITE_ONCE(vp->preempt, false);
	ums_ctx_set_event(owner->ctx, &ut->ctx->event);
	WRITE_ONCE(owner->ctx->slot->running, vp->index);
	trace_ums_vp(vp->index, ut->ctx->id, owner->ctx->id);
	/* Pairs with the acquire in ums_park_scheduler(). */
	smp_store_release(&owner->vp, vp);
	raw_spin_unlock(&vp->lock);

	return owner->task;
}

/**
 * ums_vp_preempt - Ask for a VP back
 * @vp: The VP; current is its owner, and does not hold it.
 *
 * The carrier gives it up before it next reaches user mode, or when it sleeps.
 */
void ums_vp_preempt(struct ums_vp *vp)
{
	raw_spin_lock_irq(&vp->lock);
	if (vp->carrier != vp->owner) {
		struct task_struct *task = vp->carrier->task;

		WRITE_ONCE(vp->preempt, true);
		/* The flag pairs with the barrier in __ums_exit_to_user(). */
		smp_mb__before_atomic();
		set_tsk_thread_flag(task, TIF_UMS);
		kick_process(task);
	}
	raw_spin_unlock_irq(&vp->lock);
}

/* What is current sleeping for? */
static u32 ums_cause(struct ums_task *ut, unsigned int state, u64 *arg)
{
	int nr = syscall_get_nr(ut->task, task_pt_regs(ut->task));

	if (state & (__TASK_STOPPED | __TASK_TRACED | TASK_FROZEN) ||
	    READ_ONCE(ut->task->jobctl) & JOBCTL_TRAP_FREEZE) {
		*arg = 0;
		return UMS_CAUSE_SIGNAL;
	}
	if (nr != -1) {
		*arg = (unsigned int)nr;
		return UMS_CAUSE_SYSCALL;
	}
	if (ut->fault) {
		*arg = ut->fault_address;
		return UMS_CAUSE_FAULT;
	}
	*arg = 0;
	return UMS_CAUSE_OTHER;
}

/*
 * A worker that holds a VP is about to sleep: the scheduler gets the VP.
 *
 * Called from schedule() with current's state set. From here until it is back
 * at the border to user mode the worker is BLOCKED, also after it has woken
 * up. That the wakeup can come before this returns does no harm: the worker
 * has no VP any more, and parks.
 *
 * The sleep in which it is parked is no such sleep, although it may have been
 * given a VP just now: the giver's wakeup is on its way.
 *
 * A worker that is READY, and sleeps before it has reached the border (for a
 * tracer at the end of the system call that yielded, or in task work) could
 * not run if it were executed. It is LOCKED until it gets there.
 */
void __ums_sched_blocked(struct task_struct *tsk)
{
	unsigned int state = READ_ONCE(tsk->__state);
	struct task_struct *wake = NULL;
	struct ums_task *ut = tsk->ums;
	struct ums_ctx *ctx = ut->ctx;
	unsigned long flags;
	u32 cause, ctx_state;
	u64 arg;

	if (ums_is_scheduler(ut) || ut->parked)
		return;
	/* Others only move it between these two. */
	ctx_state = READ_ONCE(ctx->state);
	if (ctx_state != UMS_STATE_RUNNING && ctx_state != UMS_STATE_READY)
		return;
	/* It will not sleep: __schedule() makes it run again at once. */
	if (state == TASK_RUNNING || signal_pending_state(state, tsk))
		return;

	cause = ums_cause(ut, state, &arg);

	/* The scheduler shall not preempt us before we are off the runqueue. */
	preempt_disable();
	raw_spin_lock_irqsave(&ctx->lock, flags);
	if (ut->vp) {
		ctx->stats.blocked++;
		ums_ctx_transition(ctx, UMS_STATE_BLOCKED, UMS_REASON_BLOCKED,
				   cause, arg);
		wake = ums_vp_return(ut);
	} else if (ctx->state == UMS_STATE_READY) {
		ums_ctx_transition(ctx, UMS_STATE_LOCKED, 0, 0, 0);
	}
	raw_spin_unlock_irqrestore(&ctx->lock, flags);
	if (wake)
		ums_wake_up_here(wake);
	preempt_enable_no_resched();
}

/*
 * Holds until the next exit work. No other exception sleeps but where it has
 * to fetch the instruction again, and a cause is not more than a hint.
 */
void __ums_user_fault(unsigned long address)
{
	struct ums_task *ut = current->ums;

	ut->fault_address = address;
	ut->fault = true;
}
