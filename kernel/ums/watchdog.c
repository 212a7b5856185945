// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: schedulers that do not schedule.
 *
 * A scheduler that hangs, or blocks where it did not mean to, takes all of its
 * workers with it, and nobody sees why. A group can have a watchdog for that. It
 * looks at regular intervals. If there are workers that are ready and wait on a
 * list, both at the beginning and at the end of one in which nobody has taken
 * anything from a list or run a worker, then the orphan policy of the group
 * applies, as if there were no scheduler any more. One that goes on after that
 * finds its workers gone.
 *
 * A scheduler that is stopped does nothing either, nor is it to. A worker that a
 * scheduler has in hand does not count: that it does not run it may be what it is
 * for. What is read of user memory are numbers that have changed or not; whoever
 * overwrites them deceives himself.
 */
#include <linux/cgroup.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include <trace/events/ums.h>

#include "ums.h"

/* Changes whenever somebody has run a worker, or taken something from a list. */
static u64 ums_activity(struct ums_group *group)
{
	struct ums_list *list;
	struct ums_ctx *ctx;
	unsigned long id;
	u32 index = 0;
	u64 sum = 0;

	lockdep_assert_held(&group->mutex);

	while ((ctx = ums_table_next(group, &index))) {
		sum += READ_ONCE(ctx->slot->executed);
		if (ctx->role == UMS_ROLE_SCHEDULER)
			sum += READ_ONCE(ctx->slot->switched);
		cond_resched();
	}
	xa_for_each(&group->lists, id, list)
		sum += READ_ONCE(list->ring->head);
	return sum;
}

static bool ums_is_waiting(struct ums_ctx *ctx)
{
	bool waiting;

	raw_spin_lock_irq(&ctx->lock);
	waiting = ctx->ut && ctx->role == UMS_ROLE_WORKER &&
		  ctx->state == UMS_STATE_READY && !ctx->ut->released &&
		  ums_list_has(ctx->ut->list, ctx);
	raw_spin_unlock_irq(&ctx->lock);
	return waiting;
}

/*
 * Is a scheduler stopped, by a debugger or in any other way? It cannot help it. One
 * that stops or goes on just now has been as it was for most of the time.
 */
static bool ums_is_stopped(struct ums_group *group)
{
	struct ums_vp *vp;

	lockdep_assert_held(&group->mutex);

	/* A VP has an owner, who cannot go, as long as it is on the list. */
	list_for_each_entry(vp, &group->vps, node) {
		struct task_struct *task = vp->owner->task;

		if (READ_ONCE(task->__state) & (__TASK_STOPPED | __TASK_TRACED |
						TASK_FROZEN) ||
		    cgroup_task_frozen(task))
			return true;
	}
	return false;
}

/* How many workers are ready, and on a list. */
static u32 ums_count_waiting(struct ums_group *group)
{
	struct ums_ctx *ctx;
	u32 index = 0, nr = 0;

	while ((ctx = ums_table_next(group, &index))) {
		nr += ums_is_waiting(ctx);
		cond_resched();
	}
	return nr;
}

static void ums_bark(struct ums_group *group, u32 waiting)
{
	trace_ums_watchdog(pid_nr(group->tgid), waiting);
	if (!group->barked)
		pr_info_ratelimited("ums: process %d: %u workers are ready, and nobody has run any for %u ms\n",
				    pid_nr(group->tgid), waiting,
				    group->watchdog_ms);
	group->barked = true;
	ums_apply_orphan_policy(group);
}

/* Unbound: it takes a while to look at a large group. */
static void ums_watch_later(struct ums_group *group)
{
	queue_delayed_work(system_unbound_wq, &group->watchdog,
			   msecs_to_jiffies(group->watchdog_ms));
}

static void ums_watch(struct work_struct *work)
{
	struct ums_group *group = container_of(to_delayed_work(work),
					       struct ums_group, watchdog);
	u32 waiting = 0;
	u64 activity;

	mutex_lock(&group->mutex);
	activity = ums_activity(group);
	if (group->nr_schedulers && activity == group->activity &&
	    !ums_is_stopped(group))
		waiting = ums_count_waiting(group);
	if (waiting && group->waited)
		ums_bark(group, waiting);
	group->waited = waiting;
	group->activity = activity;
	mutex_unlock(&group->mutex);

	ums_watch_later(group);
}

/**
 * ums_watchdog_start - Start the watchdog of a group, if it has one
 * @group: The group, new.
 */
void ums_watchdog_start(struct ums_group *group)
{
	INIT_DELAYED_WORK(&group->watchdog, ums_watch);
	if (group->watchdog_ms)
		ums_watch_later(group);
}

/**
 * ums_watchdog_stop - Stop the watchdog of a group
 * @group: The group, which nobody uses any more. May sleep.
 */
void ums_watchdog_stop(struct ums_group *group)
{
	cancel_delayed_work_sync(&group->watchdog);
}
