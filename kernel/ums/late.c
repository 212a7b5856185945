// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: workers whose wakeup was recorded, and that nobody
 * executes.
 *
 * Such a worker may have been chosen, among threads of other processes, to go
 * on with what they all wait for: the scheduler of its group cannot be allowed
 * to hold that back for as long as it likes. After %UMS_LATE, and before twice
 * that has passed, the worker is woken truly, and runs in the kernel without a
 * VP, as from a sleep that is not managed. To its scheduler it is READY all the
 * while.
 *
 * A worker gets on &ums_group.late when a wakeup of it is recorded, if it is not
 * there. Being executed does not take it off, which is for the timer to do: where
 * workers are woken often that costs them nothing.
 */
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/timer.h>

#include <trace/events/ums.h>

#include "ums.h"

#define UMS_LATE	max(HZ / 50, 1)

/* How many the timer looks at before it gives others a chance */
#define UMS_LATE_BATCH	256

/*
 * Jiffies until what was at @since is late, 0 if it is. If it was for so long that
 * the count has wrapped that is wrong by %UMS_LATE once.
 */
static unsigned int ums_time_left(u16 since)
{
	u16 passed = (u16)jiffies - since;

	return passed < UMS_LATE ? UMS_LATE - passed : 0;
}

static void ums_late_queue(struct ums_group *group, struct ums_ctx *ctx)
{
	raw_spin_lock(&group->late_lock);
	if (list_empty(&ctx->late)) {
		ctx->late_since = (u16)jiffies;
		if (list_empty(&group->late))
			mod_timer(&group->late_timer, jiffies + UMS_LATE);
		list_add_tail(&ctx->late, &group->late);
	}
	raw_spin_unlock(&group->late_lock);
}

/**
 * ums_late_add - A wakeup of a worker was recorded
 * @group: Its group.
 * @ctx: Its context; the lock is held.
 */
void ums_late_add(struct ums_group *group, struct ums_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);

	ctx->recorded_at = (u16)jiffies;
	/* The timer, if it has just taken it off, looks at it after this. */
	if (list_empty_careful(&ctx->late))
		ums_late_queue(group, ctx);
}

/**
 * ums_late_del - A context has no thread any more
 * @group: Its group.
 * @ctx: The context; its lock is held.
 */
void ums_late_del(struct ums_group *group, struct ums_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);

	raw_spin_lock(&group->late_lock);
	list_del_init(&ctx->late);
	raw_spin_unlock(&group->late_lock);
}

/* Takes the first one off whose time has come. */
static struct ums_ctx *ums_late_pop(struct ums_group *group)
{
	struct ums_ctx *ctx;

	raw_spin_lock_irq(&group->late_lock);
	ctx = list_first_entry_or_null(&group->late, struct ums_ctx, late);
	if (ctx && ums_time_left(ctx->late_since))
		ctx = NULL;
	if (ctx)
		list_del_init(&ctx->late);
	raw_spin_unlock_irq(&group->late_lock);
	return ctx;
}

/*
 * If @ctx has been waiting to be executed since, its thread is woken. Its lock is
 * held.
 */
static void ums_late_check(struct ums_group *group, struct ums_ctx *ctx)
{
	struct ums_task *ut = ctx->ut;

	lockdep_assert_held(&ctx->lock);

	/* Woken truly just after this, it is woken twice, and looks twice. */
	if (!ut || ctx->state != UMS_STATE_READY || !READ_ONCE(ut->woken) ||
	    !ums_sleeps_recorded(ut->task))
		return;
	if (ums_time_left(ctx->recorded_at) || frozen(ut->task)) {
		ums_late_queue(group, ctx);
		return;
	}
	trace_ums_late(ctx->id, ut->task->pid);
	ums_wake_up(ut->task);
	/* Who sees it counted does not find the thread in its old sleep */
	ctx->count.late++;
}

static void ums_late_timer(struct timer_list *timer)
{
	struct ums_group *group = from_timer(group, timer, late_timer);
	unsigned int batch = UMS_LATE_BATCH;
	struct ums_ctx *ctx;

	rcu_read_lock(); /* keeps @ctx */
	while (batch-- && (ctx = ums_late_pop(group))) {
		raw_spin_lock_irq(&ctx->lock);
		ums_late_check(group, ctx);
		raw_spin_unlock_irq(&ctx->lock);
	}
	rcu_read_unlock();

	raw_spin_lock_irq(&group->late_lock);
	ctx = list_first_entry_or_null(&group->late, struct ums_ctx, late);
	if (ctx)
		mod_timer(&group->late_timer,
			  jiffies + ums_time_left(ctx->late_since));
	raw_spin_unlock_irq(&group->late_lock);
}

/**
 * ums_late_init - Prepare a new group
 * @group: The group.
 */
void ums_late_init(struct ums_group *group)
{
	raw_spin_lock_init(&group->late_lock);
	INIT_LIST_HEAD(&group->late);
	timer_setup(&group->late_timer, ums_late_timer, 0);
}

/**
 * ums_late_stop - No context of a group has a thread any more
 * @group: The group. May sleep.
 */
void ums_late_stop(struct ums_group *group)
{
	timer_shutdown_sync(&group->late_timer);
}
