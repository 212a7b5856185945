// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: contexts, and the one place where their state changes.
 *
 * A worker's states and who makes the transitions:
 *
 *   CREATED --attach--> READY	the worker, on its first way out (park.c)
 *   READY --> RUNNING		who executes it (execute.c)
 *   RUNNING --> READY		the worker: yields, executes another, is
 *				preempted (execute.c, park.c)
 *   RUNNING --> BLOCKED	the worker, about to sleep (sleep.c)
 *   BLOCKED --> READY		the worker, back at the border (park.c), or who
 *				wakes it from a managed sleep (sleep.c)
 *   READY --> LOCKED		the worker: has a signal to handle (park.c), or
 *				sleeps on its way to the border (sleep.c)
 *   LOCKED --> READY		the worker, back at the border (park.c), or
 *				about to sleep, managed (sleep.c)
 *   any --> TERMINATED		the worker: exit, detach, released (attach.c)
 *
 * With the user switch, USER_HELD is one state here, and two in the slot, which
 * user code moves between: READY | USER and RUNNING.
 *
 *   RUNNING --> USER_HELD	the worker: finds that user code has left it
 *				(resolve.c), or yields or executes another by
 *				the vDSO (execute.c)
 *   USER_HELD --> RUNNING	who executes it (execute.c), or finds its code on
 *				his VP (resolve.c)
 *   USER_HELD --> LOCKED	the worker: has a signal to handle (pull.c)
 *
 * User code may also have left a worker that is RUNNING here, and gone on with
 * it on another VP. That one's carrier then claims it, as it is (resolve.c).
 *
 * A scheduler is RUNNING from attach until it is TERMINATED. Its slot shows
 * READY | USER while a worker runs on its VP, if it may come back by a user
 * switch.
 *
 * All of it happens under &ums_ctx.lock, and only the executor, the resolver and
 * the waker act on somebody else's context. State words in slots are exchanged
 * with what user code may make of them at the same time: a context in USER_HELD
 * belongs to whoever has changed its slot from READY | USER.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/topology.h>
#include <linux/uaccess.h>

#include <trace/events/ums.h>

#include "ums.h"

static struct kmem_cache *ums_ctx_cache __ro_after_init;

static int __init ums_ctx_init(void)
{
	BUILD_BUG_ON(BIT(BITS_PER_TYPE(u16)) < CONFIG_NR_CPUS);

	ums_ctx_cache = KMEM_CACHE(ums_ctx, SLAB_ACCOUNT | SLAB_HWCACHE_ALIGN |
				   SLAB_PANIC);
	return 0;
}
core_initcall(ums_ctx_init);

/**
 * ums_ctx_visible_state - State of a context as its user sees it
 * @ctx: The context; its lock is held.
 *
 * Return: one of &enum ums_state.
 */
u32 ums_ctx_visible_state(const struct ums_ctx *ctx)
{
	u32 word = READ_ONCE(ctx->slot->state);

	if (ctx->role != UMS_ROLE_WORKER ||
	    (ctx->state != UMS_STATE_USER_HELD &&
	     ctx->state != UMS_STATE_RUNNING))
		return ctx->state;
	if (word == UMS_STATE_USER_HELD || word == UMS_STATE_RUNNING)
		return word;
	return ctx->state;
}

/* @version is even, and larger than the last one. */
static __always_inline void ums_show_event(struct ums_context *slot,
					   const struct ums_event *event,
					   u64 version)
{
	WRITE_ONCE(slot->event_version, version - 1);
	smp_wmb(); /* no field changes while the old version is seen */
	WRITE_ONCE(slot->event_ctx, event->ctx);
	WRITE_ONCE(slot->event_reason, event->reason);
	WRITE_ONCE(slot->event_cause, event->cause);
	WRITE_ONCE(slot->event_arg, event->arg);
	WRITE_ONCE(slot->event_time_ns, event->time_ns);
	WRITE_ONCE(slot->event_cpu, event->cpu);
	WRITE_ONCE(slot->event_node, event->node);
	WRITE_ONCE(slot->event_seq, event->seq);
	/* Pairs with the acquire of the reader in user space. */
	smp_store_release(&slot->event_version, version);
}

static __always_inline void ums_fill_event(const struct ums_ctx *ctx,
					   struct ums_event *event)
{
	const struct ums_last *last = &ctx->last;

	event->ctx = ctx->id;
	event->cookie = ctx->cookie;
	event->reason = last->reason;
	event->cause = last->cause;
	event->arg = last->arg;
	event->time_ns = last->time_ns;
	event->cpu = last->cpu;
	event->node = cpu_to_node(last->cpu);
	event->seq = last->seq;
}

/**
 * ums_ctx_event - Get the last event of a worker
 * @ctx: Its context; the lock is held.
 * @event: Set to it; all zero if there was none.
 */
void ums_ctx_event(const struct ums_ctx *ctx, struct ums_event *event)
{
	lockdep_assert_held(&ctx->lock);

	if (ctx->last.reason)
		ums_fill_event(ctx, event);
	else
		memset(event, 0, sizeof(*event));
}

/**
 * ums_ctx_tell - Tell a scheduler of the last event of a worker
 * @ctx: Context of the worker; its lock is held.
 * @vp: VP of the scheduler; its lock is held.
 */
void ums_ctx_tell(const struct ums_ctx *ctx, struct ums_vp *vp)
{
	lockdep_assert_held(&ctx->lock);
	lockdep_assert_held(&vp->lock);

	ums_fill_event(ctx, &vp->event);
	vp->event_version += 2;
	ums_show_event(vp->slot, &vp->event, vp->event_version);
}

/**
 * ums_ctx_trace - Trace that the state of a context has changed
 * @ctx: The context; its lock is held.
 * @old: State before.
 * @reason: See ums_ctx_transition().
 * @cause: See &struct ums_event.
 * @arg: See &struct ums_event.
 */
void ums_ctx_trace(struct ums_ctx *ctx, u32 old, u32 reason, u32 cause, u64 arg)
{
	trace_ums_state(ctx->id, ctx->ut ? ctx->ut->task->pid : 0, old,
			ctx->state, reason, cause, arg, ctx->seq);
}

/**
 * ums_ctx_transition - Change the state of a context
 * @ctx: The context; its lock is held.
 * @state: New state.
 * @reason: One of &enum ums_reason if this is an event, else 0.
 * @cause: See &struct ums_event.
 * @arg: See &struct ums_event.
 *
 * The slot's state word is not touched if @state is %UMS_STATE_USER_HELD: then
 * it is user code's.
 */
void ums_ctx_transition(struct ums_ctx *ctx, u32 state, u32 reason, u32 cause,
			u64 arg)
{
	struct ums_context *slot = ctx->slot;
	u32 old = ctx->state;

	lockdep_assert_held(&ctx->lock);

	WRITE_ONCE(ctx->state, state);
	ctx->seq++;
	if (reason) {
		struct ums_event event;

		ctx->last.reason = reason;
		ctx->last.cause = cause;
		ctx->last.arg = arg;
		ctx->last.time_ns = ktime_get_ns();
		ctx->last.cpu = raw_smp_processor_id();
		ctx->last.seq = ctx->seq;
		ums_fill_event(ctx, &event);
		ums_show_event(slot, &event, 2 * ctx->seq);
	}
	if (state != UMS_STATE_USER_HELD) {
		/* Pairs with the acquire of a user who waits for a state. */
		smp_store_release(&slot->state, state);
	}

	if (tracepoint_enabled(ums_state))
		ums_ctx_trace(ctx, old, reason, cause, arg);
}

static int ums_ctx_remove(struct ums_group *group, u64 id)
{
	struct ums_list *list;
	struct ums_ctx *ctx;

	guard(mutex)(&group->mutex);

	ctx = ums_ctx_find(group, id);
	if (!ctx)
		return -ESRCH;

	raw_spin_lock_irq(&ctx->lock);
	if (ctx->ut || (ctx->state != UMS_STATE_CREATED &&
			ctx->state != UMS_STATE_TERMINATED)) {
		raw_spin_unlock_irq(&ctx->lock);
		return -EBUSY;
	}
	list = xa_load(&group->lists, ctx->list_id);
	if (list)
		ums_list_withdraw(list, ctx);
	WRITE_ONCE(ctx->slot->id, 0);
	ums_ctx_move(ctx, UMS_STATE_FREE);
	raw_spin_unlock_irq(&ctx->lock);
	trace_ums_ctx_delete(id);

	ums_table_remove(group, ums_ctx_index(ctx));
	ums_slot_free(group, ums_ctx_index(ctx));
	kfree_rcu(ctx, rcu);
	return 0;
}

/**
 * ums_ctx_create - UMS_CTL_CTX_CREATE
 * @fd: Of a group.
 * @arg: &struct ums_ctx_create.
 * @size: Of what @arg points to.
 *
 * Return: 0; -EINVAL, -EFAULT, -E2BIG for bad arguments, errors of
 * ums_group_get_by_fd(), -ENOSPC if the group is full, -ENOMEM.
 */
long ums_ctx_create(int fd, void __user *arg, size_t size)
{
	struct ums_group *group __free(ums_group_put) = NULL;
	struct ums_ctx_create create;
	struct ums_ctx *ctx;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_ctx_create) != 24);

	err = ums_copy_arg(&create, sizeof(create), arg, size);
	if (err)
		return err;
	if (create.ctx)
		return -EINVAL;
	err = ums_check_node(create.flags, &create.node);
	if (err)
		return err;
	group = ums_group_get_by_fd(fd);
	if (IS_ERR(group))
		return PTR_ERR(group);

	ctx = kmem_cache_zalloc(ums_ctx_cache, GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	raw_spin_lock_init(&ctx->lock);
	ctx->cookie = create.cookie;
	INIT_LIST_HEAD(&ctx->late);

	mutex_lock(&group->mutex);
	err = ums_slot_alloc(group, create.node, &ctx->id, &ctx->slot);
	if (!err) {
		err = ums_table_add(group, ctx);
		if (err)
			ums_slot_free(group, ums_ctx_index(ctx));
	}
	if (err) {
		mutex_unlock(&group->mutex);
		kmem_cache_free(ums_ctx_cache, ctx);
		return err;
	}
	WRITE_ONCE(ctx->slot->id, ctx->id);
	WRITE_ONCE(ctx->slot->vp_ids, UMS_VP_IDS_NONE);
	WRITE_ONCE(ctx->slot->cookie, ctx->cookie);
	raw_spin_lock_irq(&ctx->lock);
	ums_ctx_move(ctx, UMS_STATE_CREATED);
	raw_spin_unlock_irq(&ctx->lock);
	create.ctx = ctx->id;
	trace_ums_ctx_create(create.ctx, create.cookie);
	mutex_unlock(&group->mutex);

	/* Nobody else knows the id yet: what can't be told is taken back. */
	if (put_user(create.ctx, &((struct ums_ctx_create __user *)arg)->ctx)) {
		ums_ctx_remove(group, create.ctx);
		return -EFAULT;
	}
	return 0;
}

/**
 * ums_ctx_delete - UMS_CTL_CTX_DELETE
 * @fd: Of a group.
 * @arg: &struct ums_ctx_delete.
 * @size: Of what @arg points to.
 *
 * Return: 0; -EINVAL, -EFAULT, -E2BIG for bad arguments, errors of
 * ums_group_get_by_fd(), -ESRCH if there is no such context, -EBUSY unless it
 * never ran or has terminated.
 */
long ums_ctx_delete(int fd, void __user *arg, size_t size)
{
	struct ums_group *group __free(ums_group_put) = NULL;
	struct ums_ctx_delete delete;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_ctx_delete) != 8);

	err = ums_copy_arg(&delete, sizeof(delete), arg, size);
	if (err)
		return err;
	group = ums_group_get_by_fd(fd);
	if (IS_ERR(group))
		return PTR_ERR(group);

	return ums_ctx_remove(group, delete.ctx);
}

/* Copies @arg, which must be an unset value, and finds what it names. */
static struct ums_group *ums_info_get(int fd, void __user *arg, size_t size,
				      struct ums_info *info)
{
	int err;

	BUILD_BUG_ON(sizeof(struct ums_info) != 80);

	err = ums_copy_arg(info, sizeof(*info), arg, size);
	if (err)
		return ERR_PTR(err);
	if (info->reserved || info->info_class > UMS_INFO_SWITCHES)
		return ERR_PTR(-EINVAL);

	return ums_group_get_by_fd(fd);
}

/* What a scheduler was told last is with its VP, and goes with it. */
static void ums_info_event(struct ums_ctx *ctx, struct ums_event *event)
{
	struct ums_vp *vp = ctx->ut ? ctx->ut->own_vp : NULL;

	lockdep_assert_held(&ctx->lock);

	if (!vp) {
		ums_ctx_event(ctx, event);
		return;
	}
	raw_spin_lock(&vp->lock);
	*event = vp->event;
	raw_spin_unlock(&vp->lock);
}

static void ums_info_stats(struct ums_ctx *ctx, struct ums_stats *stats)
{
	const struct ums_count *count = &ctx->count;

	*stats = (struct ums_stats) {
		.executed	= count->executed,
		.blocked	= count->blocked,
		.yielded	= count->yielded,
		.preempted	= count->preempted,
	};
	if (ctx->ut)
		stats->run_ns = task_sched_runtime(ctx->ut->task) -
				ctx->ut->start_runtime;
	else if (ctx->state == UMS_STATE_TERMINATED)
		stats->run_ns = ctx->run_ns;
}

static void ums_info_switches(struct ums_ctx *ctx, struct ums_switches *switches)
{
	const struct ums_count *count = &ctx->count;

	*switches = (struct ums_switches) {
		.user		= READ_ONCE(ctx->slot->switched),
		.resolved	= count->resolved,
		.finished	= count->finished,
		.slow_kernel	= count->slow_kernel,
		.slow_ids	= count->slow_ids,
		.slow_busy	= count->slow_busy,
		.recorded	= count->recorded,
		.late		= count->late,
	};
}

/**
 * ums_ctx_query - UMS_CTL_QUERY
 * @fd: Of a group.
 * @arg: &struct ums_info.
 * @size: Of what @arg points to.
 *
 * Return: 0; -EINVAL, -EFAULT, -E2BIG for bad arguments, errors of
 * ums_group_get_by_fd(), -ESRCH if there is no such context.
 */
long ums_ctx_query(int fd, void __user *arg, size_t size)
{
	struct ums_group *group __free(ums_group_put) = NULL;
	struct ums_info info;
	struct ums_ctx *ctx;

	group = ums_info_get(fd, arg, size, &info);
	if (IS_ERR(group))
		return PTR_ERR(group);
	if (memchr_inv(info.pad, 0, sizeof(info.pad)))
		return -EINVAL;

	rcu_read_lock();
	ctx = ums_ctx_find(group, info.ctx);
	if (!ctx) {
		rcu_read_unlock();
		return -ESRCH;
	}
	raw_spin_lock_irq(&ctx->lock);
	if (ctx->state == UMS_STATE_FREE) {
		raw_spin_unlock_irq(&ctx->lock);
		rcu_read_unlock();
		return -ESRCH;
	}
	switch (info.info_class) {
	case UMS_INFO_COOKIE:
		info.value = ctx->cookie;
		break;
	case UMS_INFO_STATE:
		info.value = ums_ctx_visible_state(ctx);
		break;
	case UMS_INFO_TID:
		info.value = ctx->ut ? task_pid_vnr(ctx->ut->task) : 0;
		break;
	case UMS_INFO_ROLE:
		info.value = ctx->role;
		break;
	case UMS_INFO_STATS:
		ums_info_stats(ctx, &info.stats);
		break;
	case UMS_INFO_SWITCHES:
		ums_info_switches(ctx, &info.switches);
		break;
	case UMS_INFO_EVENT:
		ums_info_event(ctx, &info.event);
		break;
	}
	raw_spin_unlock_irq(&ctx->lock);
	rcu_read_unlock();

	if (copy_to_user(arg, &info, sizeof(info)))
		return -EFAULT;
	return 0;
}

/**
 * ums_ctx_set - UMS_CTL_SET
 * @fd: Of a group.
 * @arg: &struct ums_info.
 * @size: Of what @arg points to.
 *
 * Return: 0; -EINVAL, -EFAULT, -E2BIG for bad arguments, errors of
 * ums_group_get_by_fd(), -EACCES for a class that can't be set, -ESRCH if
 * there is no such context.
 */
long ums_ctx_set(int fd, void __user *arg, size_t size)
{
	struct ums_group *group __free(ums_group_put) = NULL;
	struct ums_info info;
	struct ums_ctx *ctx;
	bool gone;

	group = ums_info_get(fd, arg, size, &info);
	if (IS_ERR(group))
		return PTR_ERR(group);
	if (info.info_class != UMS_INFO_COOKIE)
		return -EACCES;
	if (memchr_inv(&info.pad[1], 0, sizeof(info.pad) - sizeof(info.value)))
		return -EINVAL;

	rcu_read_lock();
	ctx = ums_ctx_find(group, info.ctx);
	if (!ctx) {
		rcu_read_unlock();
		return -ESRCH;
	}
	raw_spin_lock_irq(&ctx->lock);
	/* The slot of a context that has gone is somebody else's. */
	gone = ctx->state == UMS_STATE_FREE;
	if (!gone) {
		ctx->cookie = info.value;
		WRITE_ONCE(ctx->slot->cookie, info.value);
	}
	raw_spin_unlock_irq(&ctx->lock);
	rcu_read_unlock();

	return gone ? -ESRCH : 0;
}

/**
 * ums_contexts_destroy - Free the contexts of a group that nobody uses
 * @group: Whose.
 */
void ums_contexts_destroy(struct ums_group *group)
{
	struct ums_ctx *ctx;
	u32 index = 0;

	while ((ctx = ums_table_next(group, &index))) {
		/* Whoever recorded a last wakeup may look at it still. */
		kfree_rcu(ctx, rcu);
		cond_resched();
	}
	ums_table_free(group);
}
