/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: types and functions shared inside kernel/ums/.
 *
 * The design is in Documentation/scheduler/ums.rst. In short:
 *
 * A scheduler thread owns a virtual processor (VP). Whoever holds the VP, the
 * scheduler or a worker, is its carrier and may run user code; a UMS thread
 * without a VP parks at the border to user mode (park.c).
 *
 * Lock order, outermost first:
 *
 *   ums_group.mutex		(sleeps)
 *     ums_ctx.lock		two of them in the order of their addresses
 *       ums_vp.lock
 *       ums_list.lock
 *         pi_lock, rq lock	(wakeups)
 *
 * Two context locks are held where a VP passes from one thread to another: that
 * of the giver, current, and that of the taker.
 *
 * None of the spinning locks is ever taken with a runqueue lock held. They
 * are raw and taken with interrupts off, since "about to sleep" calls us.
 */
#ifndef _KERNEL_UMS_UMS_H
#define _KERNEL_UMS_UMS_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/swait.h>
#include <linux/tracepoint-defs.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <linux/ums.h>
#include <uapi/linux/ums.h>

#include <asm/ums.h>

struct file;
struct mm_struct;
struct pid;
struct seq_file;
struct vm_area_struct;

/* Upper limit of &ums_setup.max_contexts */
#define UMS_MAX_CONTEXTS	(1024 * 1024)

/* State of a context whose registers are in its slot, or in user mode */
#define UMS_STATE_USER_HELD	(UMS_STATE_READY | UMS_STATE_USER)

/* &ums_context.vp_ids that no context matches */
#define UMS_VP_IDS_NONE		(~0ULL)

#define UMS_SLOTS_PER_PAGE	(PAGE_SIZE / sizeof(struct ums_context))

/**
 * struct ums_table - Contexts of a group by index
 *
 * @size: Entries.
 * @rcu: For freeing.
 * @ctx: The entries.
 */
struct ums_table {
	u32			size;
	struct rcu_head		rcu;
	struct ums_ctx __rcu	*ctx[];
};

/**
 * struct ums_group - The UMS domain of one process
 *
 * @refs: Held by the group's file, each list, and each attached thread.
 * @mutex: Serialises creation, deletion and attachment of contexts, and the
 *	coming and going of schedulers.
 * @mm: Identity (with a reference on the struct, not on the address space):
 *	the address space that may use the group.
 * @tgid: Identity (counted): the thread group that may use it.
 * @max_contexts: As set up.
 * @orphan_policy: One of &enum ums_orphan_policy.
 * @user_switch: Its contexts may switch in user mode; constant.
 * @table: Contexts. Read under RCU, changed under @mutex.
 * @pages: index / UMS_SLOTS_PER_PAGE -> &struct ums_slot_page. Read under RCU
 *	by page faults, grows under @mutex, freed with the group.
 * @partial: Slot pages with a free slot; @mutex.
 * @nr_pages: Slot pages so far; @mutex.
 * @lists: id -> &struct ums_list, not counted: a list takes itself out when
 *	it is freed. Changed under @mutex.
 * @next_list_id: For the allocation of ids; @mutex.
 * @nr_schedulers: Attached schedulers; @mutex.
 * @nr_workers: Attached workers that have not terminated. One that has is
 *	not counted by the time that anybody can know.
 * @vps: VPs of the attached schedulers. Read under RCU, changed under @mutex.
 * @served: Threads that asked carriers to look after their VPs, see
 *	ums_wait_served().
 */
struct ums_group {
	refcount_t		refs;
	struct mutex		mutex;	/* see above */
	struct mm_struct	*mm;
	struct pid		*tgid;
	u32			max_contexts;
	u32			orphan_policy;
	bool			user_switch;
	struct ums_table __rcu	*table;
	struct xarray		pages;
	struct list_head	partial;
	u32			nr_pages;
	struct xarray		lists;
	u32			next_list_id;
	u32			nr_schedulers;
	atomic_t		nr_workers;
	struct list_head	vps;
	struct swait_queue_head	served;
};

/**
 * struct ums_waiter - A thread that sleeps in ums_dequeue()
 *
 * @node: On &ums_list.waiters until somebody picks this waiter;
 *	&ums_list.lock.
 * @task: The thread.
 * @cpu: Where it went to sleep.
 */
struct ums_waiter {
	struct list_head	node;
	struct task_struct	*task;
	int			cpu;
};

/**
 * struct ums_list - A completion list
 *
 * @refs: Held by the list's file and each attached thread.
 * @group: Counted.
 * @id: Number in the group.
 * @entries: Size of the ring, a power of two.
 * @ring: Shared with user space: only &ums_ring.head is ever read back, and
 *	the entries, and neither is trusted.
 * @ring_size: Bytes of @ring, whole pages.
 * @lock: Protects the members below.
 * @tail: Free-running count of entries queued; what @ring shows is a copy.
 *	Written under @lock, read without.
 * @lost: Entries lost so far; @ring shows a copy.
 * @overflow: Entries were lost and nobody was told yet.
 * @waiters: Threads in ums_dequeue(), longest waiting first.
 * @nr_waiters: How many.
 * @wait: Pollers. Not under @lock.
 */
struct ums_list {
	refcount_t		refs;
	struct ums_group	*group;
	u32			id;
	u32			entries;
	struct ums_ring		*ring;
	size_t			ring_size;
	raw_spinlock_t		lock;
	u32			tail;
	u32			lost;
	bool			overflow;
	struct list_head	waiters;
	u32			nr_waiters;
	wait_queue_head_t	wait;
};

/**
 * struct ums_ctx - Kernel side of a context
 *
 * Belongs to the group's array; freed by RCU when it is deleted or the group
 * goes. Whoever finds it under RCU takes @lock and looks at @state and @id.
 *
 * @lock: Protects all that follows, except where noted.
 * @id: generation << 32 | index; constant.
 * @slot: Kernel mapping of the slot; constant. What is read there is the user's.
 * @state: One of &enum ums_state, this is the truth and the slot shows it; or
 *	%UMS_STATE_USER_HELD, and the slot has the truth. A thread can also be
 *	RUNNING here, and have been left by user code for another one.
 * @role: One of &enum ums_role; never changes back to none.
 * @ut: The attached thread, or NULL.
 * @list_id: The list that it is or was attached to.
 * @unread: @event was queued on the list and is not known to have been read.
 * @ring_pos: Where in the list's ring it was last queued; under
 *	&ums_list.lock as well.
 * @seq: Number of transitions.
 * @cookie: From the user.
 * @event: Last event. That of a scheduler is protected by &ums_vp.lock of
 *	its VP instead, as long as it is attached.
 * @event_version: As in the slot; protected like @event.
 * @stats: Counters. &ums_stats.run_ns is only valid after termination.
 * @switches: Counters, but &ums_switches.user, which is in the slot.
 * @ids: As in the slot. Own thread only.
 * @saved: Times that the kernel saved its registers in the slot at a system call.
 *	Written by whoever carries it.
 * @rcu: For freeing.
 */
struct ums_ctx {
	raw_spinlock_t		lock;
	u32			state;
	u64			id;
	struct ums_context	*slot;
	struct ums_task		*ut;
	u32			role;
	u32			list_id;
	u32			ring_pos;
	bool			unread;
	u64			seq;
	u64			cookie;
	struct ums_event	event;
	u64			event_version;
	struct ums_stats	stats;
	struct ums_switches	switches;
	u32			ids;
	u32			saved;
	struct rcu_head		rcu;
};

/**
 * struct ums_vp - Virtual processor, the right to run user code
 *
 * Allocated with the scheduler. It outlives a scheduler that goes while a
 * worker is the carrier: whoever takes a VP without an owner away from its
 * carrier frees it.
 *
 * @lock: Protects @owner and @carrier.
 * @owner: The scheduler, NULL when it is gone.
 * @carrier: The thread that holds the VP; exactly one, except while it is
 *	handed over under @lock.
 * @preempt: The owner wants the VP back, or is gone. Set under @lock, with a
 *	kick to the carrier; read without by the carrier.
 * @serve: Somebody waits in ums_wait_served() for the carrier to look. Set under
 *	@lock, cleared by the carrier.
 * @index: Index of the owner's context; constant.
 * @slot: That of the owner's context; constant. Its memory outlives the VP.
 * @captured: @state is that of the carrier, which has not loaded it yet. Written
 *	by the giver before the taker knows, then by the taker.
 * @state: See @captured. Only where the group switches in user mode.
 * @ret: What a carrier that loads its registers from its slot returns from the
 *	vDSO. As @captured.
 * @node: In &ums_group.vps.
 * @rcu: For freeing.
 */
struct ums_vp {
	raw_spinlock_t		lock;
	struct ums_task		*owner;
	struct ums_task		*carrier;
	bool			preempt;
	bool			serve;
	u32			index;
	struct ums_context	*slot;
	bool			captured;
	long			ret;
	struct ums_arch_state	state;
	struct list_head	node;
	struct rcu_head		rcu;
};

/**
 * enum ums_deferred - What a worker does as soon as it has a VP again
 *
 * A worker may come to a system call that gives its VP away without one: it
 * slept after it had entered the kernel, for a tracer or on a page fault.
 *
 * @UMS_DEFER_NONE: Nothing.
 * @UMS_DEFER_YIELD: Yield, with a parameter.
 * @UMS_DEFER_EXECUTE: Execute another worker. The system call is restarted if
 *	a signal comes first.
 */
enum ums_deferred {
	UMS_DEFER_NONE,
	UMS_DEFER_YIELD,
	UMS_DEFER_EXECUTE,
};

/**
 * enum ums_held - Where the user state of a thread is
 *
 * @UMS_HELD_KERNEL: In its kernel thread. Or the thread carries a VP, and user
 *	code has left it for another one; then it is in the slot already, but the
 *	kernel has not noticed.
 * @UMS_HELD_USER: In its slot, or running on some VP, or in &ums_vp.state of the
 *	VP that the thread was just given.
 */
enum ums_held {
	UMS_HELD_KERNEL,
	UMS_HELD_USER,
};

/**
 * struct ums_task - UMS side of an attached thread
 *
 * Hangs off task_struct; freed, after a grace period for those that look at
 * @gate, when the thread detaches or exits. Others reach it through &ums_ctx.ut,
 * &ums_vp.owner or &ums_vp.carrier, under the lock of that member, and keep no
 * pointer beyond.
 *
 * @gate: Must be first.
 * @task: The thread; constant.
 * @user_switch: It may switch in user mode; constant.
 * @group: Counted; constant.
 * @list: Counted; constant.
 * @ctx: Cannot be deleted while the thread is attached; constant.
 * @own_vp: Scheduler: its VP; constant.
 * @vp: The VP that this thread holds, or NULL. Set by others only while NULL
 *	(release, pairs with the acquire in park.c), under &ums_vp.lock;
 *	cleared by the thread itself only.
 * @pending_vp: A VP that runs this thread's user code, while the thread is the
 *	carrier of another one: it takes it as soon as it has handed that on.
 *	&ums_ctx.lock.
 * @kept: User-held, but its kernel thread has the same registers still: it left
 *	by a system call of its own. Own thread only.
 * @kept_left: ums_times_left() then. If it is another number now, user code has
 *	come back and left anew. Own thread only.
 * @hidden: User-held, and its slot says RUNNING: it has a signal to handle, and
 *	nobody shall switch to it before. Own thread only.
 * @held: Where its user state is. Set to KERNEL by the thread alone, to USER
 *	by the thread under &ums_ctx.lock.
 * @uevent: Scheduler in ums_execute(): where the event goes, or NULL.
 * @deferred: Worker: what it still has to do with a VP. Own thread only.
 * @deferred_arg: Parameter or context id. Own thread only.
 * @executing: Scheduler: parked or about to park in ums_execute(). Own
 *	thread only.
 * @released: Worker: the last scheduler is gone, become a plain thread.
 *	Written under &ums_ctx.lock.
 * @fault: A page fault from user mode is being handled. Own thread only.
 * @fault_address: Its address. Own thread only.
 * @start_runtime: Cpu time at attachment, ns.
 * @rcu: For freeing.
 */
struct ums_task {
	struct ums_gate		gate;
	struct task_struct	*task;
	bool			user_switch;
	struct ums_group	*group;
	struct ums_list		*list;
	struct ums_ctx		*ctx;
	struct ums_vp		*own_vp;
	struct ums_vp		*vp;
	struct ums_vp		*pending_vp;
	bool			kept;
	bool			hidden;
	u64			kept_left;
	enum ums_held		held;
	struct ums_event __user	*uevent;
	enum ums_deferred	deferred;
	u64			deferred_arg;
	bool			executing;
	bool			released;
	bool			fault;
	unsigned long		fault_address;
	u64			start_runtime;
	struct rcu_head		rcu;
};

static inline u32 ums_ctx_index(const struct ums_ctx *ctx)
{
	return (u32)ctx->id;
}

/**
 * ums_ctx_by_index - Find a context by index
 * @group: Where.
 * @index: From user space.
 *
 * As ums_ctx_find(), or under &ums_group.mutex.
 *
 * Return: the context or NULL.
 */
static inline struct ums_ctx *ums_ctx_by_index(struct ums_group *group,
					       u32 index)
{
	const struct ums_table *table;

	table = rcu_dereference_check(group->table,
				      lockdep_is_held(&group->mutex));
	if (unlikely(!table || index >= table->size))
		return NULL;
	index = array_index_nospec(index, table->size);
	return rcu_dereference_check(table->ctx[index],
				     lockdep_is_held(&group->mutex));
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

/* table.c */
int ums_table_add(struct ums_group *group, struct ums_ctx *ctx);
void ums_table_remove(struct ums_group *group, u32 index);
struct ums_ctx *ums_table_next(struct ums_group *group, u32 *index);
void ums_table_free(struct ums_group *group);

/* group.c */
extern const struct file_operations ums_group_fops;
struct ums_group *ums_group_get_by_fd(int fd);
bool ums_group_is_ours(const struct ums_group *group);
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
void ums_ctx_count(u64 *stat, u32 *shown);
struct ums_ctx *ums_ctx_find(struct ums_group *group, u64 id);
void ums_ctx_transition(struct ums_ctx *ctx, u32 state, u32 reason, u32 cause,
			u64 arg);
void ums_publish(struct ums_ctx *ctx);
u32 ums_ctx_visible_state(const struct ums_ctx *ctx);
void ums_ctx_show_event(struct ums_ctx *ctx);
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
void ums_list_queue(struct ums_list *list, struct ums_ctx *ctx);
void ums_list_withdraw(struct ums_list *list, struct ums_ctx *ctx);
void ums_list_lost(struct ums_list *list);
void ums_list_notify(struct ums_list *list);
void ums_list_wake_one(struct ums_list *list);
long ums_list_create(int fd, void __user *arg, size_t size);

DEFINE_FREE(ums_list_put, struct ums_list *, ums_list_put(_T))

/* attach.c */
long ums_attach(int fd, void __user *arg, size_t size);
long ums_detach(int fd, void __user *arg, size_t size);
void ums_detach_current(u64 exit_code);

/* execute.c */
int ums_switch_to(struct ums_task *self, u64 id, const struct pt_regs *save);
void ums_give_back(struct ums_task *ut, u32 reason, u64 arg,
		   const struct pt_regs *save);
long ums_yield(int fd, void __user *arg, size_t size);

/* vp.c */
struct ums_vp *ums_vp_alloc(struct ums_task *owner);
void ums_vp_free(struct ums_vp *vp);
bool ums_vp_leave(struct ums_task *ut, enum ums_held held);
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
bool ums_pull_dying(struct ums_task *ut, struct pt_regs *regs);
void ums_wait_served(struct ums_task *ut);
void ums_serve(struct ums_task *ut);
void ums_serve_home(struct ums_group *group, const struct ums_vp *vp);

/* fdinfo.c */
void ums_group_show_fdinfo(struct seq_file *m, struct file *file);
void ums_list_show_fdinfo(struct seq_file *m, struct file *file);

/* syscalls.c */
int ums_copy_arg(void *karg, size_t ksize, void __user *arg, size_t usize);
int ums_check_node(u32 flags, int *node);

#endif /* _KERNEL_UMS_UMS_H */
