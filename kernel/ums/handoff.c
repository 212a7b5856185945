// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: hand-off of the cpu.
 *
 * Who gives its VP away sleeps soon, and the thread that gets the VP goes on. That
 * is not woken at once: current names it, and where current sleeps the kernel's
 * scheduler lets it go on in place of current, if the two are alike to it
 * (handoff_task_fair()). Nothing is put on the runqueue, taken off it, or chosen:
 * a VP is one entity there, whichever threads carry it, and gets the share of
 * one.
 *
 * The one that is named holds a VP already and must not wait for long. It is woken
 *
 *  - where current next passes through __schedule(): in place, or as usual if
 *    current has been woken meanwhile (handoff_begin()). If current is preempted, it
 *    waits until current runs again, unless the two are not alike;
 *  - else where current leaves the border (__ums_exit_to_user()), detaches, or
 *    is about to do what may take its time.
 *
 * So it is on the cpu that current was on, where affinity lets it. It may have been
 * woken by somebody else meanwhile, and be anywhere: like every wakeup this one can
 * come for nothing.
 */
#include <linux/jump_label.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "ums.h"

/* There is, or was, a group. Nobody pays for the hooks of the scheduler before. */
DEFINE_STATIC_KEY_FALSE(ums_used);

/* current has named somebody, and does not sleep yet. */
void __ums_hand_off_now(void)
{
	struct task_struct *p;

	/* Or __schedule() takes it as well. */
	preempt_disable();
	p = ums_handoff_take(current);
	if (p) {
		ums_wake_up_here(p);
		put_task_struct(p);
	}
	preempt_enable();
}
