// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: the hook where a worker is about to sleep, and its
 * wakeup.
 *
 * Most sleeps are not managed: the worker is woken by whoever does that, runs in
 * the kernel without a VP until it is at the border to user mode, and is READY
 * there (park.c).
 *
 * A managed sleep is one whose site says, by TASK_MANAGED, that the thread holds
 * nothing there that others wait for, and looks again at what it waits for when
 * it runs. Its wakeup is only recorded: the worker is READY at once, and it is
 * whoever executes it that wakes its thread, which then finishes the system call
 * on its VP.
 *
 *	worker W			waker
 *	--------			-----
 *	state = ... | TASK_MANAGED
 *	schedule(), the hook:
 *	 ctx->lock
 *	  pi_lock
 *	   woken already? runs on	pi_lock (try_to_wake_up())
 *	   woken = false		 TASK_RECORD? if not, wakes W
 *	   state |= TASK_RECORD		 woken? if so, was not the one
 *	  BLOCKED, VP goes home		 woken = true
 *	__schedule()			ctx->lock
 *					 still TASK_RECORD?
 *					  BLOCKED -> READY, queues W
 *	executor: ctx->lock
 *	 READY -> RUNNING, gives VP
 *	 wakes W (handoff.c), which is never recorded
 *
 * TASK_RECORD is part of W's state word, so every true wakeup clears it. What
 * wants the thread and not its user code wakes it truly: signals, and all that
 * comes like one (kill, stop, freezer, ptrace, task work), for they set a flag of
 * the thread first; and the release of workers. Then W is where a sleep that is
 * not managed has it, except that it may be READY already, or RUNNING by a VP
 * that it was given on the way: it takes that at the border, or gives it up where
 * it sleeps next. If it sleeps READY, in a managed sleep, it stays READY, and
 * whoever executes it makes it look again; in any other, it is LOCKED.
 *
 * A waker may hold any lock that allows wakeups. So the locks of this file, and
 * what is taken under them, are never held around anything that takes such a lock
 * but the scheduler's own; and pollers of the list are told from an irq_work.
 *
 * A recorded wakeup can have been one that goes to a single waiter, others of
 * which are elsewhere: nobody must be able to hold it back for long. Where a worker
 * is not executed for a time, it is woken truly after all (late.c).
 */
#include <linux/preempt.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include <asm/syscall.h>

#include <trace/events/ums.h>

#include "ums.h"

/* What is current sleeping for? */
static u32 ums_cause(struct ums_task *ut, unsigned int state, u64 *arg)
{
	int nr = syscall_get_nr(ut->task, task_pt_regs(ut->task));

	/* A trap that is asked for just after this is not what it sleeps for. */
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

#ifdef CONFIG_LOCKDEP
/* A site must not mark a sleep in which it holds a lock; sched_map is not one. */
static void ums_check_unlocked(struct task_struct *tsk)
{
	WARN_ONCE(debug_locks && tsk->lockdep_depth > 1,
		  "managed sleep with a lock held\n");
}
#else
static void ums_check_unlocked(struct task_struct *tsk) { }
#endif

/*
 * May the wakeup from the sleep that current is about to begin be recorded? If it
 * is released just after this, ums_wakeup_recorded() wakes it truly.
 */
static bool ums_may_record(const struct ums_task *ut, unsigned int state)
{
	return (state & TASK_MANAGED) && ums_group_of(ut)->managed_sleep &&
	       !ut->gate.unmanaged && !READ_ONCE(ut->released) &&
	       !(ut->task->flags & (PF_EXITING | PF_DUMPCORE | PF_SIGNALED));
}

/*
 * From here on the wakeup of current, @ut, is recorded. Its context's lock is
 * held. Returns false if it has been woken.
 */
static bool ums_record(struct ums_task *ut)
{
	struct task_struct *tsk = ut->task;
	unsigned int state;

	lockdep_assert_held(&ut->ctx->lock);

	raw_spin_lock(&tsk->pi_lock);
	state = READ_ONCE(tsk->__state);
	if (state != TASK_RUNNING) {
		WRITE_ONCE(ut->woken, false);
		WRITE_ONCE(tsk->__state, state | TASK_RECORD);
	}
	raw_spin_unlock(&tsk->pi_lock);
	return state != TASK_RUNNING;
}

/* current, @ut, has no VP and is about to sleep. Its context's lock is held. */
static void ums_sleep_without_vp(struct ums_task *ut, bool managed)
{
	struct ums_ctx *ctx = ut->ctx;

	if (!managed) {
		if (ctx->state == UMS_STATE_READY)
			ums_ctx_move(ctx, UMS_STATE_LOCKED);
	} else if (ums_record(ut)) {
		if (ctx->state == UMS_STATE_LOCKED)
			ums_ctx_move(ctx, UMS_STATE_READY);
	}
}

/*
 * A worker that holds a VP is about to sleep: the scheduler gets the VP.
 *
 * Called from schedule() with current's state set. From here until it is back
 * at the border to user mode the worker is BLOCKED, also after it has woken
 * up, unless the sleep is managed. That the wakeup can come before this returns
 * does no harm: the worker has no VP any more, and parks.
 *
 * The sleep in which it is parked is no such sleep, although it may have been
 * given a VP just now: the giver's wakeup is on its way.
 *
 * Nor is it current that sleeps if user code has left it and the kernel has not
 * found out yet, in an exception that sleeps before it gets to a hook: it keeps
 * the VP.
 *
 * A worker that is READY, and sleeps before it has reached the border (for a
 * tracer at the end of the system call that yielded, or in task work) could
 * not run if it were executed. It is LOCKED until it gets there, or to a managed
 * sleep.
 */
void __ums_sched_blocked(struct task_struct *tsk)
{
	unsigned int state = READ_ONCE(tsk->__state);
	struct task_struct *wake = NULL;
	struct ums_task *ut = tsk->ums;
	struct ums_ctx *ctx = ut->ctx;
	struct ums_vp *vp = NULL;
	unsigned long flags;
	u32 cause, ctx_state;
	bool managed;
	u64 arg;

	if (ums_is_scheduler(ut) || ums_mismatched()) {
		if (ut->vp)
			ums_serve(ut);
		return;
	}
	managed = ums_may_record(ut, state);
	/*
	 * Without the lock. Others move it from BLOCKED to READY and to RUNNING,
	 * which are all alike here; and to RUNNING from USER_HELD, in which it
	 * sleeps nowhere but where it parks.
	 */
	ctx_state = READ_ONCE(ctx->state);
	if (!managed && ctx_state != UMS_STATE_RUNNING &&
	    ctx_state != UMS_STATE_READY && ctx_state != UMS_STATE_BLOCKED)
		return;
	/* It will not sleep: __schedule() makes it run again at once. */
	if (state == TASK_RUNNING || signal_pending_state(state, tsk))
		return;
	if (managed)
		ums_check_unlocked(tsk);

	cause = ums_cause(ut, state, &arg);

	/* Keeps @wake. */
	preempt_disable();
	raw_spin_lock_irqsave(&ctx->lock, flags);
	if (!ut->vp) {
		ums_sleep_without_vp(ut, managed);
	} else if (!managed || ums_record(ut)) {
		vp = ut->vp;
		ums_ctx_count(&ctx->count.blocked, &ctx->slot->blocked);
		ums_ctx_transition(ctx, UMS_STATE_BLOCKED, UMS_REASON_BLOCKED,
				   cause, arg);
		wake = ums_vp_return(ut);
	}
	raw_spin_unlock_irqrestore(&ctx->lock, flags);
	if (vp)
		ums_serve_home(ums_group_of(ut), vp);
	if (wake)
		ums_hand_off(wake);
	preempt_enable_no_resched();
}

/**
 * __ums_record_wakeup - A worker is woken from a managed sleep
 * @p: The thread; its pi_lock is held, and TASK_RECORD is in its state.
 *
 * Return: as ums_record_wakeup().
 */
int __ums_record_wakeup(struct task_struct *p)
{
	struct ums_task *ut = READ_ONCE(p->ums);

	lockdep_assert_held(&p->pi_lock);

	/*
	 * Signals, and what comes like one, set a flag of the thread first. If it
	 * is not even attached it has woken by itself since its state was read;
	 * with interrupts off, what it was attached by is not freed.
	 */
	if (!ut)
		return UMS_WAKE;
	/* Whoever wakes one of many who wait shall not take it for that one again. */
	if (ut->woken)
		return signal_pending(p) ? UMS_WAKE_AGAIN : UMS_WOKEN;
	if (signal_pending(p))
		return UMS_WAKE;
	WRITE_ONCE(ut->woken, true);
	return UMS_RECORDED;
}

/**
 * ums_sleeps_recorded - Is a thread in a sleep, the wakeup from which is recorded?
 * @p: The thread. If the lock of its context is held it does not begin to sleep
 *	meanwhile; it may have been woken.
 *
 * Return: whether it is. A frozen one will sleep on when it is thawed.
 */
bool ums_sleeps_recorded(struct task_struct *p)
{
	unsigned int state = READ_ONCE(p->__state);

	if (unlikely(state & TASK_FROZEN))
		state = READ_ONCE(p->saved_state);
	return state & TASK_RECORD;
}

/**
 * ums_wakeup_recorded - Tell that a worker can be executed
 * @p: The thread, whose wakeup was recorded. It may have gone on since, and be
 *	detached.
 *
 * Preemption is off; the caller may hold any lock that allows wakeups.
 */
void ums_wakeup_recorded(struct task_struct *p)
{
	struct ums_task *ut = READ_ONCE(p->ums);
	struct ums_ctx *ctx;
	unsigned long flags;

	if (!ut)
		return;
	ctx = ut->ctx;
	raw_spin_lock_irqsave(&ctx->lock, flags);
	/*
	 * If it has been woken truly it comes to the border by itself; and if that
	 * is in this moment it finds itself READY there, or where it sleeps next.
	 */
	if (ctx->ut == ut && READ_ONCE(ut->woken) && ums_sleeps_recorded(p)) {
		if (unlikely(READ_ONCE(ut->released))) {
			ums_wake_up(p);
		} else {
			ctx->count.recorded++;
			if (ctx->state == UMS_STATE_BLOCKED) {
				ums_ctx_transition(ctx, UMS_STATE_READY,
						   UMS_REASON_READY, 0, 0);
				ums_list_queue(ut->list, ctx);
				ums_list_notify_later(ut->list);
			}
			ums_late_add(ums_group_of(ut), ctx);
		}
	}
	raw_spin_unlock_irqrestore(&ctx->lock, flags);
}

/*
 * Half-way through a switch current has to be at the border before it sleeps,
 * which finishes it without a fault. Returns true then.
 *
 * The cause holds until the next exit work. No other exception sleeps but where
 * it has to fetch the instruction again, and a cause is not more than a hint.
 */
bool __ums_user_fault(unsigned long address)
{
	struct ums_task *ut = current->ums;
	struct ums_switch_regs sw;

	if (unlikely(ut->user_switch &&
		     ums_arch_stage(task_pt_regs(ut->task), &sw) !=
		     UMS_STAGE_NONE)) {
		set_thread_flag(TIF_UMS);
		return true;
	}
	ut->fault_address = address;
	ut->fault = true;
	return false;
}
