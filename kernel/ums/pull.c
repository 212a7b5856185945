// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: a worker without a VP needs its registers.
 *
 * A thread that is user-held has a signal to handle, or is to become a plain
 * thread. It takes its registers out of its slot, if user code has not switched
 * to it: the slot's state word, changed from READY | USER by cmpxchg, decides.
 *
 * If user code has, some carrier runs it, or is about to, and can hand it a VP.
 * Which one is not known, so all of the group are asked:
 *
 *	T, without its registers	carrier K
 *	------------------------	---------
 *	joins served			user code leaves T: READY | USER
 *	vp->serve = true		enters the kernel
 *	kicks K				resolves, or gives its VP up, or sleeps
 *	state still RUNNING? (A)	vp->serve? (B)
 *	sleeps				wakes all in served
 *
 * Between its two steps each has a full barrier. So either T sees at (A) that
 * it may take its registers, or K sees at (B) that it is asked, at the border or
 * where it sleeps, and T looks again. A carrier that is asleep already does not
 * run T. Each turn of the loop follows an answer: nothing is polled.
 *
 * A thread that is killed waits for nobody, and its registers are of no matter,
 * unless a core dump is about to show them. The dump waits for all threads to
 * die anyway, so T can wait until each carrier has been at the border, or is
 * dead, and not for long. None of them gets to user mode again, and one that
 * runs another thread's code still resolves.
 */
#include <linux/rculist.h>
#include <linux/sched/signal.h>

#include "ums.h"

/* How long a thread waits for its registers before a core dump does without */
#define UMS_DUMP_LIMIT	HZ

/**
 * ums_pull - current takes its registers out of its slot
 * @ut: current, without a VP, at the border; user-held. A scheduler only if it
 *	dies.
 * @regs: Its user registers.
 * @force: Whatever the slot says: there is nobody who could have switched to it,
 *	or no process.
 *
 * Return: whether it has; then a worker is LOCKED.
 */
bool ums_pull(struct ums_task *ut, struct pt_regs *regs, bool force)
{
	struct ums_ctx *ctx = ut->ctx;
	u32 word = UMS_STATE_USER_HELD;

	raw_spin_lock_irq(&ctx->lock);
	if (ut->vp || (!try_cmpxchg_acquire(&ctx->slot->state, &word,
					    UMS_STATE_LOCKED) &&
		       !ut->hidden && !force)) {
		raw_spin_unlock_irq(&ctx->lock);
		return false;
	}
	if (!ums_is_scheduler(ut))
		ums_ctx_move(ctx, UMS_STATE_LOCKED);
	ut->held = UMS_HELD_KERNEL;
	ut->kept = false;
	ut->hidden = false;
	raw_spin_unlock_irq(&ctx->lock);

	if (!ums_arch_load(ctx->slot, regs, 0))
		force_fatal_sig(SIGSEGV);
	ums_moved();
	return true;
}

/* Ask all carriers of the group to look after their VPs. */
static void ums_ask_carriers(struct ums_group *group)
{
	struct ums_vp *vp;

	rcu_read_lock();
	list_for_each_entry_rcu(vp, &group->vps, node) {
		raw_spin_lock_irq(&vp->lock);
		WRITE_ONCE(vp->serve, true);
		/* As in ums_vp_preempt(). */
		smp_mb__before_atomic();
		set_tsk_thread_flag(vp->carrier->task, TIF_UMS);
		kick_process(vp->carrier->task);
		raw_spin_unlock_irq(&vp->lock);
	}
	rcu_read_unlock();
}

/* Does somebody else have current's registers, although it has no VP? */
static bool ums_is_missed(const struct ums_task *ut)
{
	return !READ_ONCE(ut->vp) &&
	       READ_ONCE(ut->ctx->slot->state) != UMS_STATE_USER_HELD;
}

/**
 * ums_wait_served - Wait until user code may have left current
 * @ut: A worker, current, without a VP, that could not be pulled.
 */
void ums_wait_served(struct ums_task *ut)
{
	struct swait_queue_head *served = &ums_group_of(ut)->served;
	DECLARE_SWAITQUEUE(wait);

	ut->gate.parked = true;
	prepare_to_swait_exclusive(served, &wait, TASK_KILLABLE);
	ums_ask_carriers(ums_group_of(ut));
	smp_mb(); /* (A), pairs with (B) in ums_serve() */
	if (ums_is_missed(ut) && !fatal_signal_pending(current))
		schedule();
	finish_swait(served, &wait);
	ut->gate.parked = false;
}

/* Is there a core dump to come, and everybody else to be killed? */
static bool ums_dumping(void)
{
	unsigned long flags;
	bool dumping;

	/* Whoever kills everybody for it holds the lock meanwhile. */
	if (!lock_task_sighand(current, &flags))
		return false;
	dumping = current->signal->core_state;
	unlock_task_sighand(current, &flags);
	return dumping;
}

/* Is there a carrier that was asked, has not answered, and is not dead? */
static bool ums_unanswered(struct ums_group *group)
{
	bool unanswered = false;
	struct ums_vp *vp;

	rcu_read_lock();
	list_for_each_entry_rcu(vp, &group->vps, node) {
		raw_spin_lock_irq(&vp->lock);
		if (READ_ONCE(vp->serve) &&
		    !(READ_ONCE(vp->carrier->task->flags) &
		      (PF_DUMPCORE | PF_POSTCOREDUMP)))
			unanswered = true;
		raw_spin_unlock_irq(&vp->lock);
	}
	rcu_read_unlock();
	return unanswered;
}

/*
 * Wait until nobody can have current's registers. A carrier that dies sets
 * PF_POSTCOREDUMP, then looks at vp->serve when it sleeps, with a barrier
 * between. One that cannot resolve, since user code has overwritten what says
 * whose its code is, may give no answer: for that there is a limit.
 */
static void ums_wait_for_dump(struct ums_task *ut)
{
	struct swait_queue_head *served = &ums_group_of(ut)->served;
	long left = UMS_DUMP_LIMIT;
	DECLARE_SWAITQUEUE(wait);

	ut->gate.parked = true;
	ums_ask_carriers(ums_group_of(ut));
	for (;;) {
		prepare_to_swait_exclusive(served, &wait, TASK_UNINTERRUPTIBLE);
		smp_mb(); /* (A), pairs with (B) in ums_serve() */
		if (!left || !ums_is_missed(ut) || !ums_unanswered(ums_group_of(ut)))
			break;
		left = schedule_timeout(left);
	}
	finish_swait(served, &wait);
	ut->gate.parked = false;
}

/**
 * ums_pull_dying - current is killed: see to what a core dump shows of it
 * @ut: current, without a VP, at the border; user-held.
 * @regs: Its user registers.
 *
 * Return: whether it has its registers. If not it was given a VP, and gets them
 * from there.
 */
bool ums_pull_dying(struct ums_task *ut, struct pt_regs *regs)
{
	if (ums_pull(ut, regs, false))
		return true;
	if (ums_dumping())
		ums_wait_for_dump(ut);
	return ums_pull(ut, regs, true);
}

/**
 * ums_pull_released - current shall be a plain thread
 * @ut: A worker, current, without a VP, at the border; user-held.
 * @regs: Its user registers.
 *
 * As long as there are schedulers, old ones or new ones, their user code may
 * have switched to it. Where there is none nobody can, whatever the slot says.
 *
 * Return: whether it has its registers. If not, somebody else had, and may have
 * given it a VP; look again.
 */
bool ums_pull_released(struct ums_task *ut, struct pt_regs *regs)
{
	if (ums_pull(ut, regs, list_empty(&ums_group_of(ut)->vps)))
		return true;
	if (!READ_ONCE(ut->vp))
		ums_wait_served(ut);
	return false;
}

/**
 * ums_serve - Answer those that ums_wait_served()
 * @ut: current, with a VP. Its user code is settled, or it is about to sleep.
 */
void ums_serve(struct ums_task *ut)
{
	smp_mb(); /* (B), pairs with (A) in ums_wait_served() */
	if (!READ_ONCE(ut->vp->serve))
		return;
	WRITE_ONCE(ut->vp->serve, false);
	smp_mb(); /* who asks again after this is answered again */
	swake_up_all(&ums_group_of(ut)->served);
}
