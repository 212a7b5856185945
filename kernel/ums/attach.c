// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: how a thread becomes a UMS thread and ceases to be one
 * by detaching, exiting, calling exec, or when its group has lost its last
 * scheduler.
 */
#include <linux/init.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <trace/events/ums.h>

#include "ums.h"

static struct kmem_cache *ums_task_cache __ro_after_init;

static int __init ums_task_init(void)
{
	ums_task_cache = KMEM_CACHE(ums_task, SLAB_ACCOUNT | SLAB_PANIC);
	return 0;
}
core_initcall(ums_task_init);

/* Binds @ut, of current, to the context @id. */
static int ums_bind(struct ums_task *ut, u64 id, u32 role)
{
	struct ums_group *group = ums_group_of(ut);
	struct ums_ctx *ctx;

	guard(mutex)(&group->mutex);

	ctx = ums_ctx_find(group, id);
	if (!ctx)
		return -ESRCH;

	raw_spin_lock_irq(&ctx->lock);
	if (ctx->role != UMS_ROLE_NONE) {
		raw_spin_unlock_irq(&ctx->lock);
		return -EBUSY;
	}
	ctx->ut = ut;
	ctx->role = role;
	ctx->list_id = ut->list->id;
	ut->ctx = ctx;
	ut->gate.worker = role == UMS_ROLE_WORKER;
	ut->gate.index = ums_ctx_index(ctx);
	ut->gate.running = &ut->gate.index;
	WRITE_ONCE(ctx->slot->tid, task_pid_vnr(current));
	WRITE_ONCE(ctx->slot->role, role);
	if (role == UMS_ROLE_SCHEDULER) {
		ut->own_vp->index = ums_ctx_index(ctx);
		ut->own_vp->slot = ctx->slot;
		WRITE_ONCE(ctx->slot->vp, ums_ctx_index(ctx));
		WRITE_ONCE(ctx->slot->running, ums_ctx_index(ctx));
		ums_ctx_move(ctx, UMS_STATE_RUNNING);
	}
	raw_spin_unlock_irq(&ctx->lock);

	if (role == UMS_ROLE_SCHEDULER) {
		group->nr_schedulers++;
		list_add_tail_rcu(&ut->own_vp->node, &group->vps);
	} else {
		atomic_inc(&group->nr_workers);
	}
	smp_store_release(&current->ums, ut); /* to ums_is_worker() */
	trace_ums_attach(id, role, ut->list->id);

	return 0;
}

/**
 * ums_attach - UMS_CTL_ATTACH
 * @fd: Of a list.
 * @arg: &struct ums_attach.
 * @size: Of what @arg points to.
 *
 * A worker is queued, and waits to be executed, on its way to user mode.
 *
 * Return: 0; -EINVAL, -EFAULT, -E2BIG for bad arguments, errors of
 * ums_list_get_by_fd(), -EBUSY if the caller is attached, or somebody is or
 * was to the context, -ESRCH if there is no such context, -ENOMEM.
 */
long ums_attach(int fd, void __user *arg, size_t size)
{
	struct ums_list *list __free(ums_list_put) = NULL;
	struct ums_attach attach;
	struct ums_task *ut;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_attach) != 16);

	err = ums_copy_arg(&attach, sizeof(attach), arg, size);
	if (err)
		return err;
	if (attach.flags || (attach.role != UMS_ROLE_SCHEDULER &&
			     attach.role != UMS_ROLE_WORKER))
		return -EINVAL;
	list = ums_list_get_by_fd(fd);
	if (IS_ERR(list))
		return PTR_ERR(list);
	if (current->ums)
		return -EBUSY;

	ut = kmem_cache_zalloc(ums_task_cache, GFP_KERNEL);
	if (!ut)
		return -ENOMEM;
	ut->task = current;
	ut->start_runtime = task_sched_runtime(current);
	ut->list = list;
	ut->user_switch = ums_group_of(ut)->user_switch && ums_arch_user_switch();
	if (attach.role == UMS_ROLE_SCHEDULER) {
		ut->own_vp = ums_vp_alloc(ut);
		if (!ut->own_vp) {
			kmem_cache_free(ums_task_cache, ut);
			return -ENOMEM;
		}
		ut->vp = ut->own_vp;
	}

	err = ums_bind(ut, attach.ctx, attach.role);
	if (err) {
		if (ut->own_vp)
			ums_vp_free(ut->own_vp);
		kmem_cache_free(ums_task_cache, ut);
		return err;
	}
	refcount_inc(&ums_group_of(ut)->refs);
	refcount_inc(&ut->list->refs);
	if (ut->user_switch) {
		set_task_syscall_work(current, UMS);
		ums_arch_show_return(ut->ctx->slot);
		/* Have the slot say what the rseq area holds. */
		rseq_set_notify_resume(current);
	}
	if (attach.role == UMS_ROLE_WORKER)
		set_thread_flag(TIF_UMS);
	else
		ums_vp_taken(ut, current_pt_regs());
	return 0;
}

/*
 * Is the whole process going, by exit or exec? Nobody needs to be told. Read without
 * siglock: if it begins to go just now somebody is told who will not listen.
 */
static bool ums_process_dying(void)
{
	return (READ_ONCE(current->signal->flags) & SIGNAL_GROUP_EXIT) ||
	       READ_ONCE(current->signal->group_exec_task);
}

/* Nobody is left to execute them: the workers of @group go on by themselves. */
static void ums_release_workers(struct ums_group *group)
{
	struct ums_ctx *ctx;
	u32 index = 0;

	lockdep_assert_held(&group->mutex);

	while ((ctx = ums_table_next(group, &index))) {
		raw_spin_lock_irq(&ctx->lock);
		if (ctx->ut && ctx->role == UMS_ROLE_WORKER) {
			struct task_struct *task = ctx->ut->task;

			WRITE_ONCE(ctx->ut->released, true);
			/* As in ums_vp_preempt(). */
			smp_mb__before_atomic();
			set_tsk_thread_flag(task, TIF_UMS);
			/*
			 * All others come to the border by themselves, when
			 * what they wait for is there.
			 */
			if (ctx->state == UMS_STATE_READY ||
			    ctx->state == UMS_STATE_USER_HELD)
				ums_wake_up(task);
		}
		raw_spin_unlock_irq(&ctx->lock);
		cond_resched();
	}
}

/**
 * ums_apply_orphan_policy - There is no scheduler, or none that does its work
 * @group: The group; its mutex is held.
 */
void ums_apply_orphan_policy(struct ums_group *group)
{
	lockdep_assert_held(&group->mutex);

	if (group->orphan_policy == UMS_ORPHAN_KILL)
		kill_pid(group->tgid, SIGKILL, 1);
	else
		ums_release_workers(group);
}

static void ums_last_scheduler_gone(struct ums_group *group)
{
	if (atomic_read(&group->nr_workers) && !ums_process_dying())
		ums_apply_orphan_policy(group);
}

/* current, @ut, has terminated; the lock of its context is held. */
static void ums_leave_ctx(struct ums_task *ut)
{
	struct ums_ctx *ctx = ut->ctx;

	lockdep_assert_held(&ctx->lock);

	ctx->ut = NULL;
	ums_late_del(ums_group_of(ut), ctx);
	ctx->run_ns = task_sched_runtime(current) - ut->start_runtime;
}

static void ums_detach_scheduler(struct ums_task *ut)
{
	struct ums_vp *vp = ut->own_vp;
	struct ums_ctx *ctx = ut->ctx;
	bool home;

	mutex_lock(&ums_group_of(ut)->mutex);
	list_del_rcu(&vp->node);
	mutex_unlock(&ums_group_of(ut)->mutex);

	raw_spin_lock_irq(&ctx->lock);
	raw_spin_lock(&vp->lock);
	vp->owner = NULL;
	home = vp->carrier == ut;
	if (!home) {
		/* Whoever takes it from the carrier frees it. */
		struct task_struct *task = vp->carrier->task;

		WRITE_ONCE(vp->preempt, true);
		smp_mb__before_atomic(); /* as in ums_vp_preempt() */
		set_tsk_thread_flag(task, TIF_UMS);
		kick_process(task);
	}
	raw_spin_unlock(&vp->lock);
	ums_ctx_move(ctx, UMS_STATE_TERMINATED);
	ums_leave_ctx(ut);
	WRITE_ONCE(ctx->slot->vp_ids, UMS_VP_IDS_NONE);
	raw_spin_unlock_irq(&ctx->lock);
	if (home)
		ums_vp_free(vp);
}

static void ums_detach_worker(struct ums_task *ut, u64 exit_code)
{
	struct task_struct *wake = NULL;
	struct ums_ctx *ctx = ut->ctx;
	bool notify = false;

	/* Whom the vDSO would take for its scheduler if it is about to yield. */
	WRITE_ONCE(ctx->slot->vp, ums_ctx_index(ctx));
	/* Before anybody knows: then it is no reason to kill the process. */
	atomic_dec(&ums_group_of(ut)->nr_workers);

	rcu_read_lock(); /* keeps @wake */
	raw_spin_lock_irq(&ctx->lock);
	ums_ctx_transition(ctx, UMS_STATE_TERMINATED, UMS_REASON_TERMINATED, 0,
			   exit_code);
	if (ut->vp)
		wake = ums_vp_return(ut);
	if (unlikely(ut->pending_vp))
		ums_vp_abandon(ut);
	if (!wake && !ums_process_dying()) {
		ums_list_queue(ut->list, ctx);
		notify = true;
	}
	ums_leave_ctx(ut);
	raw_spin_unlock_irq(&ctx->lock);
	if (wake)
		wake_up_process(wake);
	rcu_read_unlock();

	if (notify)
		ums_list_notify(ut->list);
}

/**
 * ums_detach_current - Make current, a UMS thread, a plain one
 * @exit_code: For the event TERMINATED of a worker.
 *
 * A worker's VP, if it has one, goes back to its scheduler. May sleep.
 */
void ums_detach_current(u64 exit_code)
{
	struct ums_task *ut = current->ums;
	struct ums_group *group = ums_group_of(ut);
	bool scheduler = ums_is_scheduler(ut);

	trace_ums_detach(ut->ctx->id, exit_code);

	ums_hand_off_now();
	if (ut->vp)
		ums_serve(ut);
	/*
	 * First, since the context may be deleted as soon as it is TERMINATED.
	 * Who looks at another thread's has RCU.
	 */
	WRITE_ONCE(current->ums, NULL);
	clear_task_syscall_work(current, UMS);
	if (scheduler)
		ums_detach_scheduler(ut);
	else
		ums_detach_worker(ut, exit_code);
	/* Last, since until then others set it. */
	clear_thread_flag(TIF_UMS);

	if (scheduler) {
		mutex_lock(&group->mutex);
		if (!--group->nr_schedulers)
			ums_last_scheduler_gone(group);
		mutex_unlock(&group->mutex);
	}

	ums_list_put(ut->list);
	ums_group_put(group);
	kfree_rcu(ut, rcu);
}

/**
 * ums_detach - UMS_CTL_DETACH
 * @fd: Must be -1.
 * @arg: Must be NULL.
 * @size: Must be 0.
 *
 * Return: 0; -EINVAL for bad arguments, -ENOTCONN if the caller is not
 * attached.
 */
long ums_detach(int fd, void __user *arg, size_t size)
{
	if (fd != -1 || arg || size)
		return -EINVAL;
	if (!current->ums)
		return -ENOTCONN;

	ums_detach_current(0);
	return 0;
}

/* current exits, or its address space goes away by exec. */
void __ums_task_exit(struct task_struct *tsk)
{
	ums_detach_current(tsk->flags & PF_EXITING ? (u32)tsk->exit_code : 0);
}
