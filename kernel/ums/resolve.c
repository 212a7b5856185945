// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: who runs in user mode, and is that current?
 *
 * User code switches from one context to another without a system call (the
 * vDSO). The carrier of the VP, the kernel thread that is current meanwhile,
 * stays the same. At the border to user mode it compares the word that says
 * whose code runs with itself, and if that is another thread, resolves:
 *
 *   carrier K, current		T, whose code it is
 *	------------------		-------------------
 *	captures the user state
 *	into the VP
 *	has no VP any more;
 *	its own user state is
 *	in its slot, or runs
 *	elsewhere
 *	gives the VP to T ----------->	has the VP (maybe it still carries another
 *	parks				one, and hands that on first)
 *				restores the user state from the VP
 *				goes on to user mode
 *
 * Nothing is written to what belongs to T's kernel thread: that may still be on
 * its way to the park. And nobody waits for anybody, so two carriers may each
 * find the other one's code on their VPs.
 *
 * Who owns the VP's captured state: K until it has given the VP, then T. T can
 * lose a VP only at the border or where it sleeps, which is after it has
 * loaded. A VP that is pending for T is T's alone.
 *
 * A user switch that was interrupted half-way is finished first, here, so that
 * nobody ever sees it. Then T's user state is in its slot. If the one that left
 * has a signal to handle, it is not published before that: a debugger that made
 * one step would find it thousands of switches later.
 *
 * Nothing of this believes user memory more than it must. Which thread runs is
 * looked up in the group, and must be one whose user state is not in a kernel
 * thread; what it will run with are the registers that user code had anyway.
 * If the word names any other thread, user code has overwritten it, and the
 * process gets a SIGSEGV that it cannot handle.
 */
#include <linux/rseq.h>
#include <linux/sched/signal.h>

#include <asm/syscall.h>

#include <trace/events/ums.h>

#include "ums.h"

/**
 * ums_user_left - Has user code left a thread that carries a VP?
 * @ut: The thread; the lock of its context is held.
 *
 * Then its user state is not in its kernel thread, although that has not
 * noticed.
 *
 * Return: whether it has.
 */
bool ums_user_left(const struct ums_task *ut)
{
	return ut->user_switch && ut->vp && !ut->pending_vp &&
	       READ_ONCE(ut->vp->slot->running) != ut->gate.index;
}

/* Can it be @next whose code runs on @vp? Its lock is held. */
static bool ums_can_run(const struct ums_ctx *next, const struct ums_vp *vp)
{
	const struct ums_task *ut = next->ut;

	if (!ut || !ut->user_switch)
		return false;
	if (ums_is_scheduler(ut))
		return ut->own_vp == vp && !ut->vp &&
		       ut->held == UMS_HELD_USER;
	if (next->state == UMS_STATE_USER_HELD)
		return !ut->vp && !ut->pending_vp;
	return next->state == UMS_STATE_RUNNING && ums_user_left(ut);
}

/* User memory cannot be true: there is nothing that could go on. */
static void ums_corrupt(void)
{
	if (!fatal_signal_pending(current))
		force_fatal_sig(SIGSEGV);
}

/**
 * ums_moved - current has got other user registers
 *
 * They may have been on another cpu.
 */
void ums_moved(void)
{
	preempt_disable();
	rseq_migrate(current);
	preempt_enable();
}

/* What the vDSO returns to a context that was switched to. */
static long ums_switch_ret(const struct ums_switch_regs *sw)
{
	return sw->yield ? UMS_REASON_YIELDED | UMS_RETURN_USER : 0;
}

/*
 * The user code on @vp was interrupted half-way through a switch: finish it, but
 * for the registers of the target. Returns the context of the target, or NULL.
 */
static noinline struct ums_ctx *
ums_finish_switch(struct ums_task *ut, struct ums_vp *vp, enum ums_stage stage,
		  const struct ums_switch_regs *sw, const struct pt_regs *regs)
{
	u32 running = READ_ONCE(vp->slot->running);
	struct ums_ctx *from, *next;

	/* It says who runs before it publishes who has left. */
	if (running != sw->leaves &&
	    !(stage == UMS_STAGE_LOAD && running == sw->target))
		return NULL;
	from = ums_ctx_by_index(ums_group_of(ut), sw->leaves);
	next = ums_ctx_by_index(ums_group_of(ut), sw->target);
	if (!from || !next || from == next)
		return NULL;
	if (sw->yield && sw->target != vp->index)
		return NULL;

	if (stage == UMS_STAGE_SAVE) {
		ums_arch_save(from->slot, regs);
		WRITE_ONCE(from->slot->switched,
			   READ_ONCE(from->slot->switched) + 1);
		if (sw->yield) {
			WRITE_ONCE(vp->slot->param, sw->param);
			WRITE_ONCE(vp->slot->yielder, sw->leaves);
		} else {
			WRITE_ONCE(next->slot->vp, vp->index);
		}
	}
	vp->ret = ums_switch_ret(sw);
	WRITE_ONCE(vp->slot->running, sw->target);
	if (from == ut->ctx && signal_pending(current))
		ut->hidden = true;
	else
		ums_publish(from);
	return next;
}

/* User code came back to current itself, half-way through a switch. */
static noinline bool ums_resume_self(struct ums_task *ut, struct pt_regs *regs)
{
	raw_spin_lock_irq(&ut->ctx->lock);
	ut->ctx->count.finished++;
	raw_spin_unlock_irq(&ut->ctx->lock);

	ums_moved();
	return ums_arch_load(ut->ctx->slot, regs, ut->vp->ret);
}

/*
 * current, @ut, carries a VP that runs the code of @next. Hands it over.
 * Returns the task to wake, or an error if @next can't be.
 */
static struct task_struct *ums_hand_over(struct ums_task *ut,
					 struct ums_ctx *next, bool finished,
					 const struct pt_regs *regs)
{
	struct ums_vp *vp = ut->vp;

	lockdep_assert_held(&next->lock);
	lockdep_assert_held(&ut->ctx->lock);

	if (!ums_can_run(next, vp))
		return ERR_PTR(-EINVAL);
	if (!finished && !ums_arch_capture(&vp->state, regs))
		return ERR_PTR(-E2BIG);
	if (finished)
		ums_arch_forget(&vp->state);

	vp->captured = !finished;
	next->count.resolved++;
	next->count.finished += finished;

	if (!ums_vp_leave(ut, UMS_HELD_USER) && !ums_is_scheduler(ut))
		ums_ctx_move(ut->ctx, UMS_STATE_USER_HELD);
	if (ums_is_scheduler(next->ut))
		WRITE_ONCE(next->slot->state, UMS_STATE_RUNNING);
	else
		ums_ctx_move(next, UMS_STATE_RUNNING);
	trace_ums_resolve(vp->index, ut->ctx->id, next->id, finished);

	return ums_vp_give(vp, next);
}

static bool ums_resolve_mismatch(struct ums_task *ut, struct ums_ctx *next,
				 bool finished, const struct pt_regs *regs)
{
	struct task_struct *wake;

	/* Keeps @wake. */
	preempt_disable();
	ums_lock_two(next, ut->ctx);
	wake = ums_hand_over(ut, next, finished, regs);
	ums_unlock_two(next, ut->ctx);
	if (!IS_ERR_OR_NULL(wake))
		ums_hand_off(wake);
	preempt_enable_no_resched();
	return !IS_ERR(wake);
}

/**
 * ums_resolve - See to it that current does not run another thread's code
 * @ut: current, at the border to user mode. It has a VP, and has loaded its
 *	registers.
 * @regs: Its user registers.
 *
 * On return it may have no VP any more.
 */
void ums_resolve(struct ums_task *ut, struct pt_regs *regs)
{
	struct ums_vp *vp = ut->vp;
	struct ums_switch_regs sw;
	enum ums_stage stage = ums_arch_stage(regs, &sw);
	struct ums_ctx *next;
	bool valid;

	if (stage == UMS_STAGE_NONE && !ums_mismatched())
		return;

	/* Keeps @next. */
	rcu_read_lock();
	if (likely(stage == UMS_STAGE_NONE))
		next = ums_ctx_by_index(ums_group_of(ut), READ_ONCE(vp->slot->running));
	else
		next = ums_finish_switch(ut, vp, stage, &sw, regs);

	if (unlikely(!next))
		valid = false;
	else if (likely(next != ut->ctx))
		valid = ums_resolve_mismatch(ut, next, stage != UMS_STAGE_NONE,
					     regs);
	else if (stage != UMS_STAGE_NONE)
		valid = ums_resume_self(ut, regs);
	else
		valid = true;
	rcu_read_unlock();
	if (unlikely(!valid))
		ums_corrupt();
}

/**
 * ums_vp_set_ids - Tell user code whom it may switch to on a VP
 * @ut: current, its carrier.
 */
void ums_vp_set_ids(struct ums_task *ut)
{
	u64 ids = UMS_VP_IDS_NONE;

	if (ut->user_switch && ums_arch_can_carry())
		ids = (u64)ut->ctx->ids << 32 | UMS_STATE_USER_HELD;
	WRITE_ONCE(ut->vp->slot->vp_ids, ids);
}

/* If user memory lies current goes on from where it was once before. */
static bool ums_regs_kept(const struct ums_task *ut)
{
	return ut->kept && ums_times_left(ut->ctx) == ut->kept_left;
}

/**
 * ums_vp_taken - current has got a VP: load what it is to run there
 * @ut: current.
 * @regs: Its user registers.
 */
void ums_vp_taken(struct ums_task *ut, struct pt_regs *regs)
{
	struct ums_vp *vp = ut->vp;
	bool valid = true;

	ut->hidden = false;
	if (ut->held == UMS_HELD_USER) {
		if (!vp->captured && ums_regs_kept(ut)) {
			syscall_set_return_value(current, regs, 0, vp->ret);
		} else {
			if (vp->captured)
				ums_arch_restore(&vp->state, regs);
			else
				valid = ums_arch_load(ut->ctx->slot, regs,
						      vp->ret);
			ums_moved();
		}
		vp->captured = false;
		ut->kept = false;
		ut->held = UMS_HELD_KERNEL;
	}
	if (ut->user_switch)
		ut->gate.running = &vp->slot->running;
	/* If the rseq area is to be written anew, this is done then. */
	if (!current->rseq || !test_thread_flag(TIF_NOTIFY_RESUME))
		ums_vp_set_ids(ut);
	if (!valid)
		ums_corrupt();
}
