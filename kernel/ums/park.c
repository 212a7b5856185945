// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: the border to user mode.
 *
 * This is the one place where UMS threads park, and the one place that clears
 * TIF_UMS of a UMS thread. No thread passes it to user mode without a VP:
 *
 * - A thread that loses its VP sets its own TIF_UMS (ums_vp_leave()), and
 *   whoever wants a VP back sets that of the carrier (ums_vp_preempt()).
 * - The exit loop calls __ums_exit_to_user() first thing in every round, and
 *   makes another round as long as TIF_UMS is set.
 * - Where this returns without a VP, for a signal to be handled, it has set
 *   TIF_UMS again.
 *
 * Registers: a thread that parks here with its user state in its kernel thread
 * (pt_regs, fpstate, thread struct) keeps it there. So signals, ptrace and core
 * dumps find everything where it always is, and a signal frame can be set up
 * while the thread has no VP: it only writes to the thread's own stack, and the
 * handler runs when the thread is next executed. A thread that is user-held gets
 * its registers here, when it has got a VP (ums_vp_taken()), or before it
 * handles a signal or is stopped (pull.c). Only then comes the other exit work.
 *
 * A spurious wakeup never runs a parked thread: each sleep is in a loop around
 * the acquire of &ums_task.vp, or before one. All but that of a scheduler that has
 * asked for its VP, or is single-stepped, are interruptible, and no lock is held. A
 * worker is frozen here by way of its signals, so that it is LOCKED and nobody gives
 * a VP to a frozen thread; a scheduler where it sleeps.
 *
 *	giver				parker
 *	-----				------
 *	vp->carrier = P			set_current_state()	(full barrier)
 *	P->vp = vp	(release)	P->vp			(acquire)
 *	wake P (see handoff.c)		schedule()
 */
#include <linux/fault-inject-usercopy.h>
#include <linux/freezer.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include <asm/syscall.h>

#include <trace/events/ums.h>

#include "ums.h"

/* current has come to the border without a VP: it is READY from now on. */
static void ums_become_ready(struct ums_task *ut)
{
	struct ums_ctx *ctx = ut->ctx;
	u32 state = READ_ONCE(ctx->state);
	bool queue = false;

	/*
	 * Without the lock. Others only move it between these, or to them from
	 * BLOCKED, for which we look again.
	 */
	if (state == UMS_STATE_READY || state == UMS_STATE_RUNNING ||
	    state == UMS_STATE_USER_HELD)
		return;

	raw_spin_lock_irq(&ctx->lock);
	switch (ctx->state) {
	case UMS_STATE_LOCKED:
		/* Whoever had it in hand before that has it still. */
		ums_ctx_move(ctx, UMS_STATE_READY);
		break;
	case UMS_STATE_CREATED:
	case UMS_STATE_BLOCKED:
		queue = true;
		ums_ctx_transition(ctx, UMS_STATE_READY, UMS_REASON_READY, 0, 0);
		ums_list_queue(ut->list, ctx);
		break;
	default:
		/* Who recorded its last wakeup was late, but before us. */
		break;
	}
	raw_spin_unlock_irq(&ctx->lock);

	if (queue)
		ums_list_notify(ut->list);
}

/*
 * current has a signal to handle and no VP. A worker that is READY cannot be
 * executed meanwhile. Returns false if it has been given a VP after all.
 */
static bool ums_lock_for_signal(struct ums_task *ut)
{
	struct ums_ctx *ctx = ut->ctx;
	bool locked = true;

	raw_spin_lock_irq(&ctx->lock);
	if (ctx->state == UMS_STATE_READY)
		ums_ctx_move(ctx, UMS_STATE_LOCKED);
	else if (ctx->state == UMS_STATE_RUNNING)
		locked = false;
	raw_spin_unlock_irq(&ctx->lock);

	return locked;
}

/* As ums_lock_for_signal(), for a worker whose registers are not here. */
static bool ums_pull_for_signal(struct ums_task *ut, struct pt_regs *regs)
{
	if (fatal_signal_pending(current))
		return ums_pull_dying(ut, regs);
	if (ums_pull(ut, regs, false))
		return true;
	if (!READ_ONCE(ut->vp))
		ums_wait_served(ut);
	return false;
}

/*
 * current is to become a plain thread. Returns false if there is something else to
 * do first, or it has been given a VP.
 */
static noinline bool ums_become_plain(struct ums_task *ut, struct pt_regs *regs)
{
	return !fatal_signal_pending(current) &&
	       (ut->held == UMS_HELD_KERNEL || ums_pull_released(ut, regs));
}

/*
 * Parks a worker until it has a VP. Returns false if there is something to do
 * first that needs none: a signal, or to become a plain thread.
 */
static bool ums_park_worker(struct ums_task *ut, struct pt_regs *regs)
{
	for (;;) {
		/* Pairs with the release in ums_vp_give(). */
		if (smp_load_acquire(&ut->vp))
			return true;
		if (unlikely(READ_ONCE(ut->released)) &&
		    ums_become_plain(ut, regs))
			return false;
		if (signal_pending(current)) {
			if (ut->held == UMS_HELD_USER ?
			    ums_pull_for_signal(ut, regs) :
			    ums_lock_for_signal(ut))
				return false;
			continue;
		}

		ums_become_ready(ut);
		if (unlikely(ut->hidden)) {
			/* Somebody else has handled the signal. */
			ut->hidden = false;
			ums_publish(ut->ctx);
		}

		ut->gate.parked = true;
		for (;;) {
			set_current_state(TASK_INTERRUPTIBLE);
			if (READ_ONCE(ut->vp) || READ_ONCE(ut->released) ||
			    signal_pending(current))
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
		ut->gate.parked = false;
	}
}

/* current has a VP again, and a system call to finish that gives it away. */
static void ums_do_deferred(struct ums_task *ut, struct pt_regs *regs)
{
	enum ums_deferred deferred = ut->deferred;
	int err;

	ut->deferred = UMS_DEFER_NONE;
	if (deferred == UMS_DEFER_YIELD) {
		ums_give_back(ut, UMS_REASON_YIELDED, ut->deferred_arg, NULL);
		return;
	}
	err = ums_switch_to(ut, ut->deferred_arg, NULL);
	syscall_set_return_value(current, regs, err, 0);
}

static bool ums_exit_worker(struct ums_task *ut, struct pt_regs *regs)
{
	while (ums_park_worker(ut, regs)) {
		ums_vp_taken(ut, regs);
		if (unlikely(READ_ONCE(ut->vp->preempt)))
			ums_give_back(ut, UMS_REASON_PREEMPTED, 0, NULL);
		else if (unlikely(ut->deferred))
			ums_do_deferred(ut, regs);
		else
			return true;
	}

	if (READ_ONCE(ut->released)) {
		if (ut->deferred == UMS_DEFER_EXECUTE)
			syscall_set_return_value(current, regs, -ENOTCONN, 0);
		ums_detach_current(0);
		return true;
	}

	/* A signal: whoever handles it restarts the system call. */
	if (ut->deferred == UMS_DEFER_EXECUTE)
		ut->deferred = UMS_DEFER_NONE;
	return false;
}

/*
 * current is a scheduler that a debugger follows by single steps, through
 * ums_execute() as well. Its trap is a signal, for which it wants its VP back, at
 * each of them: who was executed would get as far as to user mode by luck only.
 * A tick or two is enough for that, where the cpu is not contended.
 */
static void ums_let_carrier_run(struct ums_task *ut)
{
	set_current_state(TASK_KILLABLE | TASK_FREEZABLE);
	if (!READ_ONCE(ut->vp) && !fatal_signal_pending(current)) {
		ut->gate.parked = true;
		schedule_timeout(1);
		ut->gate.parked = false;
	}
	__set_current_state(TASK_RUNNING);
}

/*
 * Parks a scheduler until its VP is back. A signal asks for the VP, and is
 * handled when it has come: only then is it known what ums_execute() returns.
 * The carrier cannot keep it long. It is on its way to user mode, or gives the
 * VP up where it sleeps, job control and freezer included.
 *
 * Returns false if the thread has to die first.
 */
static bool ums_park_scheduler(struct ums_task *ut)
{
	unsigned int state = TASK_INTERRUPTIBLE;

	if (unlikely(test_thread_flag(TIF_SINGLESTEP)))
		ums_let_carrier_run(ut);
	for (;;) {
		set_current_state(state | TASK_FREEZABLE);
		/* Pairs with the release in ums_vp_give() and ums_vp_return(). */
		if (smp_load_acquire(&ut->vp))
			break;
		if (fatal_signal_pending(current))
			break;
		if (state == TASK_INTERRUPTIBLE && signal_pending(current)) {
			__set_current_state(TASK_RUNNING);
			if (test_thread_flag(TIF_SIGPENDING)) {
				ums_vp_preempt(ut->own_vp);
				state = TASK_KILLABLE;
				continue;
			}
			/* Task work alone needs no VP. */
			clear_notify_signal();
			ums_hand_off_now();
			if (task_work_pending(current))
				task_work_run();
			continue;
		}
		ut->gate.parked = true;
		schedule();
		ut->gate.parked = false;
	}
	__set_current_state(TASK_RUNNING);

	return READ_ONCE(ut->vp);
}

/* As copy_to_user(), for a size that is known: a few stores, and no loop. */
static bool ums_put_event(struct ums_event __user *to,
			  const struct ums_event *event)
{
	if (should_fail_usercopy() || !user_write_access_begin(to, sizeof(*to)))
		return false;
	unsafe_copy_to_user((char __user *)to, (const char *)event,
			    sizeof(*event), fault);
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

/* The VP is back: what ums_execute() returns. */
static void ums_finish_execute(struct ums_task *ut, struct pt_regs *regs)
{
	struct ums_event *event = &ut->own_vp->event;
	long ret = event->reason;

	ut->executing = false;
	if (ut->uevent && !ums_put_event(ut->uevent, event))
		ret = -EFAULT;
	syscall_set_return_value(current, regs, ret < 0 ? ret : 0, ret);
}

static bool ums_exit_scheduler(struct ums_task *ut, struct pt_regs *regs)
{
	if (!ums_park_scheduler(ut) &&
	    (ut->held == UMS_HELD_KERNEL || ums_pull_dying(ut, regs)))
		return false;
	ums_vp_taken(ut, regs);
	if (ut->executing)
		ums_finish_execute(ut, regs);
	return true;
}

/**
 * __ums_waits_for_vp - Is current a worker without a VP?
 *
 * The one that it is given while it looks will have it handle the same signals as
 * any thread, at the next look.
 */
bool __ums_waits_for_vp(void)
{
	const struct ums_task *ut = current->ums;

	return !ums_is_scheduler(ut) && !READ_ONCE(ut->vp);
}

/**
 * __ums_exit_to_user - current, a UMS thread, is about to return to user mode
 * @regs: Its user registers.
 *
 * Interrupts are on. Whatever else there is to do (signals, rescheduling)
 * comes after this, and flags are read again.
 */
void __ums_exit_to_user(struct pt_regs *regs)
{
	struct ums_task *ut = current->ums;
	bool done;

	ut->fault = false;
	ut->gate.skipped = false;
	/* First of all, since what there is to do is for the right thread. */
	if (ut->user_switch && ut->held == UMS_HELD_KERNEL) {
		bool in_vdso = ums_arch_in_vdso(regs);

		if (unlikely(in_vdso))
			ums_arch_distrust(regs);
		/* One that is given just now runs nothing that is mismatched. */
		if (READ_ONCE(ut->vp) && (in_vdso || ums_mismatched()))
			ums_resolve(ut, regs);
	}
	if (!test_thread_flag(TIF_UMS))
		return;

	clear_thread_flag(TIF_UMS);
	/* Who sets the flag later wrote before it what we read after this. */
	smp_mb__after_atomic();

	/* It can sleep, and what it does can be what others wait for. */
	if (task_work_pending(current) && ut->held == UMS_HELD_KERNEL) {
		ums_hand_off_now();
		task_work_run();
	}

	if (ums_is_scheduler(ut))
		done = ums_exit_scheduler(ut, regs);
	else
		done = ums_exit_worker(ut, regs);

	/* current may have detached. */
	ut = current->ums;
	if (ut) {
		ums_hand_off_now();
		if (ut->vp && READ_ONCE(ut->vp->serve))
			ums_serve(ut);
	}

	/* Not to user mode yet: signals first, then here again. */
	if (!done)
		set_thread_flag(TIF_UMS);
}
