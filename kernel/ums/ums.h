/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: functions shared inside kernel/ums/.
 */
#ifndef _KERNEL_UMS_UMS_H
#define _KERNEL_UMS_UMS_H

#include <linux/entry-common.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/tracepoint-defs.h>

#include "types.h"

struct file;
struct mm_struct;
struct seq_file;
struct vm_area_struct;

static inline u32 ums_ctx_index(const struct ums_ctx *ctx)
{
	return (u32)ctx->id;
}

/**
 * ums_ctx_by_index - Find a context by index
 * @group: Where.
 * @index: From user space.
 *
 * As ums_ctx_find().
 *
 * Return: the context or NULL.
 */
static inline struct ums_ctx *ums_ctx_by_index(struct ums_group *group,
					       u32 index)
{
	const struct ums_table_page *page;

	if (unlikely(index > group->max_contexts))
		return NULL;
	index = array_index_nospec(index, group->max_contexts + 1);
	/* A dependency, pairs with the release in ums_table_add(). */
	page = READ_ONCE(group->table[index / UMS_CTXS_PER_PAGE]);
	if (unlikely(!page))
		return NULL;
	return rcu_dereference_check(page->ctx[index % UMS_CTXS_PER_PAGE],
				     lockdep_is_held(&group->mutex) ||
				     rcu_read_lock_any_held());
}

/**
 * ums_ctx_find - Find a context by id
 * @group: Where.
 * @id: From user space.
 *
 * Under RCU, with preemption off, or under &ums_group.mutex. Without the last the
 * context may be deleted at any time after: take its lock and look at the state,
 * FREE is a deleted one.
 *
 * Return: the context, or NULL if the id is unknown or stale.
 */
static inline struct ums_ctx *ums_ctx_find(struct ums_group *group, u64 id)
{
	struct ums_ctx *ctx = ums_ctx_by_index(group, (u32)id);

	return ctx && ctx->id == id ? ctx : NULL;
}

/**
 * ums_publish - Let user code switch to a context
 * @ctx: The context; its registers are in its slot, and nobody uses its stack.
 *
 * Only if it is RUNNING for user code: nothing that this does harms anybody who
 * has not been told lies by user code.
 */
static inline void ums_publish(struct ums_ctx *ctx)
{
	u32 word = UMS_STATE_RUNNING;

	/* Release, pairs with the cmpxchg in the vDSO. */
	try_cmpxchg_release(&ctx->slot->state, &word, UMS_STATE_USER_HELD);
}

/**
 * ums_serve_home - As ums_serve(), for a VP that has just gone home
 * @group: Group of current.
 * @vp: The VP, which current had. Preemption has been off since, so it is not
 *	freed before a grace period.
 *
 * Somebody may have asked current after it looked, and the scheduler be dead.
 */
static inline void ums_serve_home(struct ums_group *group,
				  const struct ums_vp *vp)
{
	if (unlikely(READ_ONCE(vp->serve)))
		swake_up_all(&group->served);
}

/* Something happened to a context: one of its &ums_count, and the slot shows it */
static inline void ums_ctx_count(u64 *stat, u32 *shown)
{
	WRITE_ONCE(*shown, (u32)++*stat);
}

/* Changes whenever the registers of a context go to its slot */
static inline u64 ums_times_left(const struct ums_ctx *ctx)
{
	return (u64)READ_ONCE(ctx->saved) << 32 | READ_ONCE(ctx->slot->switched);
}

/* The registers that made a system call are those of @ctx: to its slot */
static inline void ums_save_regs(struct ums_ctx *ctx, const struct pt_regs *regs)
{
	ums_arch_save(ctx->slot, regs);
	WRITE_ONCE(ctx->saved, ctx->saved + 1);
}

static inline struct ums_group *ums_group_of(const struct ums_task *ut)
{
	return ut->list->group;
}

static inline bool ums_is_scheduler(const struct ums_task *ut)
{
	return ut->own_vp;
}

/**
 * ums_lock_two - Lock two contexts
 * @a: One.
 * @b: Another, or the same.
 *
 * Interrupts are off afterwards.
 */
static inline void ums_lock_two(struct ums_ctx *a, struct ums_ctx *b)
{
	local_irq_disable();
	if (a > b)
		swap(a, b);
	raw_spin_lock(&a->lock);
	if (a != b)
		raw_spin_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
	else
		__acquire(&b->lock);
}

/**
 * ums_unlock_two - Undo ums_lock_two()
 * @a: One.
 * @b: Another, or the same.
 */
static inline void ums_unlock_two(struct ums_ctx *a, struct ums_ctx *b)
{
	raw_spin_unlock(&a->lock);
	if (a != b)
		raw_spin_unlock(&b->lock);
	else
		__release(&b->lock);
	local_irq_enable();
}

DECLARE_TRACEPOINT(ums_state);
void ums_ctx_trace(struct ums_ctx *ctx, u32 old, u32 reason, u32 cause, u64 arg);

/**
 * ums_ctx_move - Change the state of a context, which is no event
 * @ctx: The context; its lock is held.
 * @state: New state.
 *
 * As ums_ctx_transition(), and cheap.
 */
static inline void ums_ctx_move(struct ums_ctx *ctx, u32 state)
{
	u32 old = ctx->state;

	lockdep_assert_held(&ctx->lock);

	WRITE_ONCE(ctx->state, state);
	ctx->seq++;
	if (state != UMS_STATE_USER_HELD) {
		/* Pairs with the acquire of a user who waits for a state. */
		smp_store_release(&ctx->slot->state, state);
	}
	if (tracepoint_enabled(ums_state))
		ums_ctx_trace(ctx, old, 0, 0, 0);
}

/**
 * ums_vp_leave - current does not carry its VP any more
 * @ut: current; the lock of its context is held.
 * @held: Where its registers are from now on.
 *
 * Return: true if its user code runs on another VP already, which it carries
 * from now on.
 */
static inline bool ums_vp_leave(struct ums_task *ut, enum ums_held held)
{
	struct ums_vp *pending = NULL;

	lockdep_assert_held(&ut->ctx->lock);

	if (held == UMS_HELD_USER)
		swap(pending, ut->pending_vp);
	ut->gate.running = &ut->gate.index;
	ut->held = held;
	WRITE_ONCE(ut->vp, pending);
	set_thread_flag(TIF_UMS);
	return pending;
}

/* table.c */
int ums_table_alloc(struct ums_group *group);
int ums_table_add(struct ums_group *group, struct ums_ctx *ctx);
void ums_table_remove(struct ums_group *group, u32 index);
struct ums_ctx *ums_table_next(struct ums_group *group, u32 *index);
void ums_table_free(struct ums_group *group);

/* limit.c */
int ums_limit_charge(struct ucounts **ucounts);
void ums_limit_uncharge(struct ucounts *ucounts);

/* sleep.c */
bool ums_sleeps_recorded(struct task_struct *p);

/* handoff.c */
void __ums_hand_off_now(void);

/**
 * ums_hand_off - current sleeps soon, and another task is to run
 * @p: The task. It has what it waits for.
 *
 * A thread that a debugger follows through its system call has a trap to report
 * before it sleeps; if that is a scheduler it wants the VP back for it. Who goes on
 * could never get to run but by preempting it, and so is woken at once.
 *
 * Preemption is off.
 */
static inline void ums_hand_off(struct task_struct *p)
{
	struct ums_gate *gate = ums_gate();

	if (unlikely(gate->next || (READ_ONCE(current_thread_info()->syscall_work) &
				    SYSCALL_WORK_EXIT)))
		ums_wake_up_here(p);
	else
		gate->next = get_task_struct(p);
}

/**
 * ums_hand_off_now - current does something else before it sleeps, if it does
 */
static inline void ums_hand_off_now(void)
{
	if (unlikely(ums_gate()->next))
		__ums_hand_off_now();
}

/* late.c */
void ums_late_add(struct ums_group *group, struct ums_ctx *ctx);
void ums_late_del(struct ums_group *group, struct ums_ctx *ctx);
void ums_late_init(struct ums_group *group);
void ums_late_stop(struct ums_group *group);

/* watchdog.c */
void ums_watchdog_start(struct ums_group *group);
void ums_watchdog_stop(struct ums_group *group);

/* group.c */
extern const struct file_operations ums_group_fops;
struct ums_group *ums_group_get_by_fd(int fd);
bool ums_group_is_ours(const struct ums_group *group);
bool ums_group_has_fd(const struct ums_group *group, int fd);
void ums_group_put(struct ums_group *group);
long ums_setup(int fd, void __user *arg, size_t size);

DEFINE_FREE(ums_group_put, struct ums_group *, ums_group_put(_T))

/* slot.c */
int ums_slot_alloc(struct ums_group *group, int node, u64 *id,
		   struct ums_context **slot);
void ums_slot_free(struct ums_group *group, u32 index);
void ums_slots_destroy(struct ums_group *group);
struct page *ums_slot_page(struct ums_group *group, pgoff_t pgoff);

/* context.c */
void ums_ctx_transition(struct ums_ctx *ctx, u32 state, u32 reason, u32 cause,
			u64 arg);
u32 ums_ctx_visible_state(const struct ums_ctx *ctx);
void ums_ctx_tell(const struct ums_ctx *ctx, struct ums_vp *vp);
void ums_ctx_event(const struct ums_ctx *ctx, struct ums_event *event);
long ums_ctx_create(int fd, void __user *arg, size_t size);
long ums_ctx_delete(int fd, void __user *arg, size_t size);
long ums_ctx_query(int fd, void __user *arg, size_t size);
long ums_ctx_set(int fd, void __user *arg, size_t size);
void ums_contexts_destroy(struct ums_group *group);

/* list.c */
extern const struct file_operations ums_list_fops;
struct ums_list *ums_list_get_by_fd(int fd);
void ums_list_put(struct ums_list *list);
bool ums_list_empty(const struct ums_list *list);
bool ums_list_has(struct ums_list *list, struct ums_ctx *ctx);
void ums_list_queue(struct ums_list *list, struct ums_ctx *ctx);
void ums_list_withdraw(struct ums_list *list, struct ums_ctx *ctx);
void ums_list_lost(struct ums_list *list);
void ums_list_notify(struct ums_list *list);
void ums_list_notify_later(struct ums_list *list);
void ums_list_wake_one(struct ums_list *list);
long ums_list_create(int fd, void __user *arg, size_t size);

DEFINE_FREE(ums_list_put, struct ums_list *, ums_list_put(_T))

/* attach.c */
long ums_attach(int fd, void __user *arg, size_t size);
long ums_detach(int fd, void __user *arg, size_t size);
void ums_apply_orphan_policy(struct ums_group *group);
void ums_detach_current(u64 exit_code);

/* execute.c */
int ums_switch_to(struct ums_task *self, u64 id, const struct pt_regs *save);
void ums_give_back(struct ums_task *ut, u32 reason, u64 arg,
		   const struct pt_regs *save);
long ums_yield(int fd, void __user *arg, size_t size);

/* vp.c */
struct ums_vp *ums_vp_alloc(struct ums_task *owner);
void ums_vp_free(struct ums_vp *vp);
struct task_struct *ums_vp_give(struct ums_vp *vp, struct ums_ctx *next);
struct task_struct *ums_vp_return(struct ums_task *ut);
void ums_vp_abandon(struct ums_task *ut);
void ums_vp_preempt(struct ums_vp *vp);

/* resolve.c */
void ums_resolve(struct ums_task *ut, struct pt_regs *regs);
void ums_vp_set_ids(struct ums_task *ut);
void ums_vp_taken(struct ums_task *ut, struct pt_regs *regs);
bool ums_user_left(const struct ums_task *ut);
void ums_moved(void);

/* pull.c */
bool ums_pull(struct ums_task *ut, struct pt_regs *regs, bool force);
bool ums_pull_released(struct ums_task *ut, struct pt_regs *regs);
bool ums_pull_dying(struct ums_task *ut, struct pt_regs *regs);
void ums_wait_served(struct ums_task *ut);
void ums_serve(struct ums_task *ut);

/* fdinfo.c */
void ums_group_show_fdinfo(struct seq_file *m, struct file *file);
void ums_list_show_fdinfo(struct seq_file *m, struct file *file);

/* syscalls.c */
int ums_copy_arg(void *karg, size_t ksize, void __user *arg, size_t usize);
int ums_check_node(u32 flags, int *node);

#endif /* _KERNEL_UMS_UMS_H */
