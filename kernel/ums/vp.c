// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: virtual processors.
 *
 * A VP passes from carrier to carrier under its lock. The thread that gets it
 * sees &ums_task.vp set, with release, and is woken; it may be anywhere
 * between its own hand-over and its sleep in park.c, so it takes no more than
 * that one word from the giver. Only the carrier itself gives a VP away:
 * others ask by ums_vp_preempt(), and the carrier looks on its way to user
 * mode.
 */
#include <linux/slab.h>

#include <trace/events/ums.h>

#include "ums.h"

/**
 * ums_vp_alloc - Allocate the VP of a scheduler
 * @owner: The scheduler, current.
 *
 * Return: the VP or NULL.
 */
struct ums_vp *ums_vp_alloc(struct ums_task *owner)
{
	struct ums_vp *vp = kzalloc(sizeof(*vp), GFP_KERNEL_ACCOUNT);

	if (!vp)
		return NULL;
	if (ums_group_of(owner)->user_switch && ums_arch_state_alloc(&vp->state)) {
		kfree(vp);
		return NULL;
	}
	raw_spin_lock_init(&vp->lock);
	INIT_LIST_HEAD(&vp->node);
	vp->owner = owner;
	vp->carrier = owner;
	return vp;
}

static void ums_vp_free_rcu(struct rcu_head *rcu)
{
	struct ums_vp *vp = container_of(rcu, struct ums_vp, rcu);

	ums_arch_state_free(&vp->state);
	kfree(vp);
}

/**
 * ums_vp_free - Free a VP that has neither owner nor carrier
 * @vp: The VP; others may still look at it under RCU.
 */
void ums_vp_free(struct ums_vp *vp)
{
	call_rcu(&vp->rcu, ums_vp_free_rcu);
}

/**
 * ums_vp_give - Make a thread the carrier of a VP
 * @vp: The VP, which current has left.
 * @next: Context of the thread; its lock is held.
 *
 * A thread that carries another VP, whose user code has long gone elsewhere,
 * is told to hand that on first. It waits for nobody to do so.
 *
 * Return: the task to wake once the lock is dropped; it stays valid under RCU,
 * or as long as preemption is off. NULL if there is none to wake.
 */
struct task_struct *ums_vp_give(struct ums_vp *vp, struct ums_ctx *next)
{
	struct ums_task *ut = next->ut;
	struct task_struct *wake = ut->task;

	lockdep_assert_held(&next->lock);

	raw_spin_lock(&vp->lock);
	vp->carrier = ut;
	if (ums_is_scheduler(ut))
		WRITE_ONCE(vp->preempt, false);
	trace_ums_vp(vp->index, current->ums->ctx->id, next->id);
	if (ut->vp) {
		ut->pending_vp = vp;
		/* As in ums_vp_preempt(). */
		smp_mb__before_atomic();
		set_tsk_thread_flag(ut->task, TIF_UMS);
		kick_process(ut->task);
		wake = NULL;
	} else {
		/* Pairs with the acquire in park.c. */
		smp_store_release(&ut->vp, vp);
	}
	raw_spin_unlock(&vp->lock);
	return wake;
}

/* @vp goes home with the last event of current's context, or is freed. */
static struct task_struct *ums_vp_go_home(struct ums_vp *vp,
					  struct ums_ctx *from)
{
	struct ums_task *owner;

	raw_spin_lock(&vp->lock);
	owner = vp->owner;
	if (!owner) {
		raw_spin_unlock(&vp->lock);
		trace_ums_vp(vp->index, from->id, 0);
		ums_vp_free(vp);
		return NULL;
	}
	vp->carrier = owner;
	vp->captured = false;
	vp->ret = from->last.reason;
	WRITE_ONCE(vp->preempt, false);
	ums_ctx_tell(from, vp);
	WRITE_ONCE(vp->slot->running, vp->index);
	WRITE_ONCE(vp->slot->state, UMS_STATE_RUNNING);
	trace_ums_vp(vp->index, from->id, owner->ctx->id);
	/* Pairs with the acquire in ums_park_scheduler(). */
	smp_store_release(&owner->vp, vp);
	raw_spin_unlock(&vp->lock);

	return owner->task;
}

/**
 * ums_vp_return - current gives its VP back to the scheduler that owns it
 * @ut: A worker, current, with a VP; the lock of its context is held and the
 *	context's last event is what the scheduler gets to know.
 *
 * current's registers stay where they are.
 *
 * Return: as ums_vp_give(). NULL if the scheduler is gone: then nobody was told
 * of the event.
 */
struct task_struct *ums_vp_return(struct ums_task *ut)
{
	struct ums_vp *vp = ut->vp;

	ums_vp_leave(ut, ut->held);
	return ums_vp_go_home(vp, ut->ctx);
}

/**
 * ums_vp_abandon - current exits, and will not take the VP that it is to have
 * @ut: A worker, current, with a pending VP, and without another. As for
 *	ums_vp_return().
 */
void ums_vp_abandon(struct ums_task *ut)
{
	struct ums_vp *vp = ut->pending_vp;
	struct task_struct *wake;

	lockdep_assert_held(&ut->ctx->lock);

	ut->pending_vp = NULL;
	wake = ums_vp_go_home(vp, ut->ctx);
	if (wake)
		wake_up_process(wake);
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
