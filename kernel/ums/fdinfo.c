// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: /proc/PID/fdinfo/FD of groups and lists.
 *
 * One line about the object, then one for each context.
 */
#include <linux/fs.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "ums.h"

static const char * const ums_state_names[] = {
	[UMS_STATE_FREE]	= "free",
	[UMS_STATE_CREATED]	= "created",
	[UMS_STATE_READY]	= "ready",
	[UMS_STATE_RUNNING]	= "running",
	[UMS_STATE_BLOCKED]	= "blocked",
	[UMS_STATE_LOCKED]	= "locked",
	[UMS_STATE_SUSPENDED]	= "suspended",
	[UMS_STATE_TERMINATED]	= "terminated",
};

static const char * const ums_role_names[] = {
	[UMS_ROLE_NONE]		= "none",
	[UMS_ROLE_SCHEDULER]	= "scheduler",
	[UMS_ROLE_WORKER]	= "worker",
};

/* A number, or "-" for none. */
static void ums_show_number(struct seq_file *m, const char *name, u32 number)
{
	if (number)
		seq_printf(m, " %s %u", name, number);
	else
		seq_printf(m, " %s -", name);
}

static void ums_show_ctx(struct seq_file *m, struct ums_ctx *ctx)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	u32 state, role, list_id, vp = 0, user;
	struct ums_count count;
	pid_t tid = 0;
	u64 seq;

	raw_spin_lock_irq(&ctx->lock);
	state = ums_ctx_visible_state(ctx) & ~UMS_STATE_USER;
	role = ctx->role;
	list_id = ctx->list_id;
	count = ctx->count;
	user = READ_ONCE(ctx->slot->switched);
	seq = ctx->seq;
	if (ctx->ut) {
		tid = task_pid_nr_ns(ctx->ut->task, ns);
		/* A worker's VP only comes and goes under this lock. */
		if (ums_is_scheduler(ctx->ut))
			vp = ctx->ut->own_vp->index;
		else if (ctx->ut->vp)
			vp = ctx->ut->vp->index;
	}
	raw_spin_unlock_irq(&ctx->lock);

	seq_printf(m, "ums-ctx:\t%llx tid %d role %s state %s", ctx->id, tid,
		   ums_role_names[role], ums_state_names[state]);
	ums_show_number(m, "list", list_id);
	ums_show_number(m, "vp", vp);
	seq_printf(m, " executed %llu blocked %llu yielded %llu preempted %llu seq %llu",
		   count.executed, count.blocked, count.yielded,
		   count.preempted, seq);
	seq_printf(m, " user %u resolved %llu finished %u slow-kernel %llu slow-ids %llu slow-busy %llu recorded %llu late %u\n",
		   user, count.resolved, count.finished, count.slow_kernel,
		   count.slow_ids, count.slow_busy, count.recorded, count.late);
}

/* Shows the contexts of one list, or all if @list_id is 0. */
static void ums_show_contexts(struct seq_file *m, struct ums_group *group,
			      u32 list_id)
{
	struct ums_ctx *ctx;
	u32 index = 0;

	lockdep_assert_held(&group->mutex);

	while ((ctx = ums_table_next(group, &index))) {
		/* Set under the mutex too, which ums_bind() holds */
		if (!list_id || READ_ONCE(ctx->list_id) == list_id)
			ums_show_ctx(m, ctx);
		cond_resched();
	}
}

/**
 * ums_group_show_fdinfo - Show a group
 * @m: Where.
 * @file: Of the group.
 */
void ums_group_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct ums_group *group = file->private_data;

	mutex_lock(&group->mutex);
	seq_printf(m, "ums-group:\tmax %u slots %lu schedulers %u workers %u policy %s switch %s watchdog %u sleep %s\n",
		   group->max_contexts, group->nr_pages * UMS_SLOTS_PER_PAGE,
		   group->nr_schedulers, atomic_read(&group->nr_workers),
		   group->orphan_policy == UMS_ORPHAN_KILL ? "kill" : "release",
		   group->user_switch ? "user" : "kernel", group->watchdog_ms,
		   group->managed_sleep ? "managed" : "unmanaged");
	ums_show_contexts(m, group, 0);
	mutex_unlock(&group->mutex);
}

/**
 * ums_list_show_fdinfo - Show a list
 * @m: Where.
 * @file: Of the list.
 */
void ums_list_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct ums_list *list = file->private_data;
	u32 queued, lost, waiters;

	raw_spin_lock_irq(&list->lock);
	queued = list->tail - READ_ONCE(list->ring->head);
	lost = list->lost;
	waiters = list->nr_waiters;
	raw_spin_unlock_irq(&list->lock);

	seq_printf(m, "ums-list:\tid %u entries %u queued %u waiters %u lost %u\n",
		   list->id, list->entries, queued, waiters, lost);
	mutex_lock(&list->group->mutex);
	ums_show_contexts(m, list->group, list->id);
	mutex_unlock(&list->group->mutex);
}
