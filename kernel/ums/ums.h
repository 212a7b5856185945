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
 *     ums_ctx.lock		of the worker that gets the VP
 *       ums_ctx.lock		of the worker that gives it, current (nested)
 *         ums_vp.lock
 *         ums_list.lock
 *           pi_lock, rq lock	(wakeups)
 *
 * Two context locks nest in ums_execute() by a worker alone. That cannot
 * deadlock: the inner one belongs to current, which is RUNNING, and the inner
 * lock is taken only after the outer context was seen READY. Two threads that
 * each held the other's inner lock would both be RUNNING and READY.
 *
 * None of the spinning locks is ever taken with a runqueue lock held. They
 * are raw and taken with interrupts off, since "about to sleep" calls us.
 */
#ifndef _KERNEL_UMS_UMS_H
#define _KERNEL_UMS_UMS_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <linux/ums.h>
#include <uapi/linux/ums.h>

struct file;
struct mm_struct;
struct pid;
struct seq_file;
struct vm_area_struct;

/* Upper limit of &ums_setup.max_contexts */
#define UMS_MAX_CONTEXTS	(1024 * 1024)

#define UMS_SLOTS_PER_PAGE	(PAGE_SIZE / sizeof(struct ums_context))

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
 * @contexts: index -> &struct ums_ctx. Read under RCU, changed under @mutex.
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
 */
struct ums_group {
	refcount_t		refs;
	struct mutex		mutex;	/* see above */
	struct mm_struct	*mm;
	struct pid		*tgid;
	u32			max_contexts;
	u32			orphan_policy;
	struct xarray		contexts;
	struct xarray		pages;
	struct list_head	partial;
	u32			nr_pages;
	struct xarray		lists;
	u32			next_list_id;
	u32			nr_schedulers;
	atomic_t		nr_workers;
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
 * @slot: Kernel mapping of the slot; constant. Written only, never read.
 * @state: One of &enum ums_state, this is the truth and the slot shows it.
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
 * @index: Index of the owner's context; constant.
 * @rcu: For freeing.
 */
struct ums_vp {
	raw_spinlock_t		lock;
	struct ums_task		*owner;
	struct ums_task		*carrier;
	bool			preempt;
	u32			index;
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
 * struct ums_task - UMS side of an attached thread
 *
 * Hangs off task_struct; freed when the thread detaches or exits. Others
 * reach it through &ums_ctx.ut, &ums_vp.owner or &ums_vp.carrier, under the
 * lock of that member, and keep no pointer beyond.
 *
 * @task: The thread; constant.
 * @group: Counted; constant.
 * @list: Counted; constant.
 * @ctx: Cannot be deleted while the thread is attached; constant.
 * @own_vp: Scheduler: its VP; constant.
 * @vp: The VP that this thread holds, or NULL. Set by others only while NULL
 *	(release, pairs with the acquire in park.c), under &ums_vp.lock;
 *	cleared by the thread itself only.
 * @uevent: Scheduler in ums_execute(): where the event goes, or NULL.
 * @parked: Worker: in the sleep of park.c, which is not one to report. Own
 *	thread only.
 * @deferred: Worker: what it still has to do with a VP. Own thread only.
 * @deferred_arg: Parameter or context id. Own thread only.
 * @executing: Scheduler: parked or about to park in ums_execute(). Own
 *	thread only.
 * @released: Worker: the last scheduler is gone, become a plain thread.
 *	Written under &ums_ctx.lock.
 * @fault: A page fault from user mode is being handled. Own thread only.
 * @fault_address: Its address. Own thread only.
 * @start_runtime: Cpu time at attachment, ns.
 */
struct ums_task {
	struct task_struct	*task;
	struct ums_group	*group;
	struct ums_list		*list;
	struct ums_ctx		*ctx;
	struct ums_vp		*own_vp;
	struct ums_vp		*vp;
	struct ums_event __user	*uevent;
	bool			parked;
	enum ums_deferred	deferred;
	u64			deferred_arg;
	bool			executing;
	bool			released;
	bool			fault;
	unsigned long		fault_address;
	u64			start_runtime;
};

static inline u32 ums_ctx_index(const struct ums_ctx *ctx)
{
	return (u32)ctx->id;
}

static inline bool ums_is_scheduler(const struct ums_task *ut)
{
	return ut->own_vp;
}

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
struct ums_ctx *ums_ctx_find(struct ums_group *group, u64 id);
void ums_ctx_transition(struct ums_ctx *ctx, u32 state, u32 reason, u32 cause,
			u64 arg);
void ums_ctx_set_event(struct ums_ctx *ctx, const struct ums_event *event);
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
int ums_switch_to(struct ums_task *self, u64 id);
void ums_give_back(struct ums_task *ut, u32 reason, u64 arg);
long ums_yield(int fd, void __user *arg, size_t size);

/* vp.c */
struct task_struct *ums_vp_return(struct ums_task *ut);
void ums_vp_preempt(struct ums_vp *vp);

/* fdinfo.c */
void ums_group_show_fdinfo(struct seq_file *m, struct file *file);
void ums_list_show_fdinfo(struct seq_file *m, struct file *file);

/* syscalls.c */
int ums_copy_arg(void *karg, size_t ksize, void __user *arg, size_t usize);
int ums_check_node(u32 flags, int *node);

#endif /* _KERNEL_UMS_UMS_H */
