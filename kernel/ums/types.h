/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: the objects of kernel/ums/, who protects what of them,
 * and the order of locks.
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
 *       ums_group.late_lock
 *         pi_lock, rq lock	(wakeups)
 *
 * Two context locks are held where a VP passes from one thread to another: that
 * of the giver, current, and that of the taker.
 *
 * Words that are read without their lock are marked, and the member says who may.
 * There are three kinds:
 *
 * - Slots and rings are user memory too. All of it is accessed once, and no lock of
 *   ours keeps user code from it: what is read there is looked up or compared, and
 *   never relied upon.
 * - What others change only in a direction that does no harm: &ums_task.vp from NULL,
 *   &ums_task.released to true. Who sees the old value sleeps, and the one who wrote
 *   has a wakeup, or TIF_UMS, to follow.
 * - Hints, of which the truth is found out under the lock, or that may be late.
 *
 * None of the spinning locks is ever taken with a runqueue lock held. They
 * are raw and taken with interrupts off, since "about to sleep" calls us, and
 * whoever wakes a worker, with any lock held under which that is allowed
 * (sleep.c).
 */
#ifndef _KERNEL_UMS_TYPES_H
#define _KERNEL_UMS_TYPES_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/swait.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <linux/ums.h>
#include <uapi/linux/ums.h>

#include <asm/ums.h>

/* Upper limit of &ums_setup.max_contexts */
#define UMS_MAX_CONTEXTS	(1024 * 1024)

/* State of a context whose registers are in its slot, or in user mode */
#define UMS_STATE_USER_HELD	(UMS_STATE_READY | UMS_STATE_USER)

/* &ums_context.vp_ids that no context matches */
#define UMS_VP_IDS_NONE		(~0ULL)

#define UMS_SLOTS_PER_PAGE	(PAGE_SIZE / sizeof(struct ums_context))

#define UMS_CTXS_PER_PAGE	(PAGE_SIZE / sizeof(struct ums_ctx *))

/**
 * struct ums_table_page - Page of the table of contexts
 *
 * @ctx: By index; NULL where there is none. Read under RCU, changed under
 *	&ums_group.mutex.
 */
struct ums_table_page {
	struct ums_ctx __rcu	*ctx[UMS_CTXS_PER_PAGE];
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
 * @ucounts: Who is charged for it, see limit.c.
 * @max_contexts: As set up; constant.
 * @orphan_policy: One of &enum ums_orphan_policy.
 * @user_switch: Its contexts may switch in user mode; constant.
 * @managed_sleep: Wakeups of its workers are recorded, see sleep.c; constant.
 * @watchdog_ms: As set up, 0 for no watchdog.
 * @table: Contexts: index / UMS_CTXS_PER_PAGE -> page, or NULL. Pages are added
 *	under @mutex, and freed with the group.
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
 * @watchdog: See watchdog.c.
 * @activity: What it has seen of the schedulers; @mutex.
 * @waited: There were workers waiting when it looked; @mutex.
 * @barked: It has reported once; @mutex.
 * @late_lock: Protects @late.
 * @late: Contexts whose wakeup was recorded lately, see late.c.
 * @late_timer: For the first of them; armed under @late_lock.
 */
struct ums_group {
	refcount_t		refs;
	struct mutex		mutex;	/* see above */
	struct mm_struct	*mm;
	struct pid		*tgid;
	struct ucounts		*ucounts;
	u32			max_contexts;
	u32			orphan_policy;
	bool			user_switch;
	bool			managed_sleep;
	u32			watchdog_ms;
	struct ums_table_page	**table;
	struct xarray		pages;
	struct list_head	partial;
	u32			nr_pages;
	struct xarray		lists;
	u32			next_list_id;
	u32			nr_schedulers;
	atomic_t		nr_workers;
	struct list_head	vps;
	struct swait_queue_head	served;
	struct delayed_work	watchdog;
	u64			activity;
	bool			waited;
	bool			barked;
	raw_spinlock_t		late_lock;
	struct list_head	late;
	struct timer_list	late_timer;
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
 * @overflow: Entries were lost and nobody was told yet. Read without to find out
 *	whether to look.
 * @waiters: Threads in ums_dequeue(), longest waiting first.
 * @nr_waiters: How many.
 * @wait: Pollers. Not under @lock.
 * @notify: Tells them, where a wakeup was recorded.
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
	struct irq_work		notify;
};

/**
 * struct ums_last - An event, what cannot be found again
 *
 * @seq: As in &struct ums_event, like all of this.
 * @arg: See there.
 * @time_ns: See there.
 * @cpu: See there.
 * @cause: See there.
 * @reason: See there; 0 before the first event.
 */
struct ums_last {
	u64	seq;
	u64	arg;
	u64	time_ns;
	u16	cpu;
	u8	cause;
	u8	reason;
} __packed __aligned(4);

/**
 * struct ums_count - Counters of a context
 *
 * @executed: As in &struct ums_stats.
 * @blocked: See there.
 * @yielded: See there.
 * @preempted: See there.
 * @resolved: As in &struct ums_switches.
 * @slow_kernel: See there.
 * @slow_ids: See there.
 * @slow_busy: See there.
 * @recorded: See there.
 * @finished: See there; takes an interrupt or a fault within some ten
 *	instructions, which is seldom enough for 32 bits.
 * @late: See there; once in %UMS_LATE at most.
 */
struct ums_count {
	u64	executed;
	u64	blocked;
	u64	yielded;
	u64	preempted;
	u64	resolved;
	u64	slow_kernel;
	u64	slow_ids;
	u64	slow_busy;
	u64	recorded;
	u32	finished;
	u32	late;
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
 *	RUNNING here, and have been left by user code for another one. Read
 *	without by the thread itself: what others make of it is for it all the
 *	same, see ums_become_ready() and __ums_sched_blocked().
 * @role: One of &enum ums_role; never changes back to none.
 * @ut: The attached thread, or NULL.
 * @list_id: The list that it is or was attached to.
 * @unread: @event was queued on the list and is not known to have been read.
 * @ring_pos: Where in the list's ring it was last queued; under
 *	&ums_list.lock as well.
 * @seq: Number of transitions.
 * @last: Worker: its last event. What a scheduler was told is in &ums_vp.event.
 * @saved: Times that the kernel saved its registers in the slot at a system call.
 *	Written by whoever carries it, who publishes or gives the VP away after;
 *	read by the thread when it has a VP. Two at a time only if user memory
 *	lies, and then any number will do.
 * @cookie: From the user.
 * @count: How often what happened.
 * @ids: As in the slot. Own thread only.
 * @recorded_at: When its wakeup was last recorded, in jiffies.
 * @late_since: Since when it is in &ums_group.late, in jiffies;
 *	&ums_group.late_lock.
 * @late: In &ums_group.late, while a thread is attached; &ums_group.late_lock.
 * @run_ns: Cpu time of the thread. After termination only.
 * @rcu: For freeing.
 *
 * There may be many, so it is kept within three cache lines.
 */
struct ums_ctx {
	raw_spinlock_t		lock;
	u16			state;
	u8			role;
	bool			unread;
	u64			id;
	struct ums_context	*slot;
	struct ums_task		*ut;
	u32			list_id;
	u32			ring_pos;
	u64			seq;
	struct ums_last		last;
	u32			saved;
	u64			cookie;
	struct ums_count	count;
	union {
		struct {
			u32	ids;
			u16	recorded_at;
			u16	late_since;
		};
		u64		run_ns;
	};
	union {
		struct list_head	late;
		struct rcu_head		rcu;
	};
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
 * @event: What the owner was last told when the VP came back; @lock.
 * @event_version: As in the owner's slot; @lock.
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
	struct ums_event	event;
	u64			event_version;
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
 * Hangs off task_struct; freed, after a grace period, when the thread detaches or
 * exits. Others reach it through &ums_ctx.ut, &ums_vp.owner or &ums_vp.carrier,
 * under the lock of that member, and keep no pointer beyond. Under RCU, from the
 * thread, look at it only who wants @gate, and who wakes a worker (sleep.c).
 *
 * @gate: Must be first.
 * @task: The thread; constant.
 * @user_switch: It may switch in user mode; constant.
 * @list: Counted, as is its group; constant.
 * @ctx: Cannot be deleted while the thread is attached; constant.
 * @own_vp: Scheduler: its VP; constant.
 * @vp: The VP that this thread holds, or NULL. Set by others only while NULL
 *	(release, pairs with the acquire in park.c), under &ums_vp.lock;
 *	cleared by the thread itself only. So the thread reads it without: if it is
 *	not NULL it stays, and if it is NULL the thread looks again before it sleeps.
 * @pending_vp: A VP that runs this thread's user code, while the thread is the
 *	carrier of another one: it takes it as soon as it has handed that on.
 *	&ums_ctx.lock.
 * @kept: User-held, but its kernel thread has the same registers still: it left
 *	by a system call of its own. Own thread only.
 * @hidden: User-held, and its slot says RUNNING: it has a signal to handle, and
 *	nobody shall switch to it before. Own thread only.
 * @held: Where its user state is, an &enum ums_held. Set to KERNEL by the thread
 *	alone, to USER by the thread under &ums_ctx.lock.
 * @deferred: Worker: what it still has to do with a VP, an &enum ums_deferred.
 *	Own thread only.
 * @executing: Scheduler: parked or about to park in ums_execute(). Own
 *	thread only.
 * @released: Worker: the last scheduler is gone, become a plain thread.
 *	Written under &ums_ctx.lock, and TIF_UMS set after; read without by the
 *	thread, which comes to the border for TIF_UMS.
 * @woken: Its wakeup from a managed sleep was recorded. pi_lock of the thread;
 *	read without, under &ums_ctx.lock: whoever sees it set too late, or no
 *	more, finds by the state of the thread that it runs.
 * @fault: A page fault from user mode is being handled. Own thread only.
 * @start_runtime: Cpu time at attachment, ns.
 * @kept_left: ums_times_left() when it was @kept. If it is another number now,
 *	user code has come back and left anew. Own thread only.
 * @uevent: Scheduler in ums_execute(): where the event goes, or NULL. Own thread
 *	only.
 * @deferred_arg: Worker with something @deferred: parameter or context id. Own
 *	thread only.
 * @fault_address: In a @fault, when nothing can be @deferred, and no scheduler in
 *	ums_execute(): its address. Own thread only.
 * @rcu: For freeing, by the thread.
 */
struct ums_task {
	struct ums_gate		gate;
	struct task_struct	*task;
	struct ums_list		*list;
	struct ums_ctx		*ctx;
	struct ums_vp		*own_vp;
	struct ums_vp		*vp;
	struct ums_vp		*pending_vp;
	bool			user_switch;
	bool			released;
	bool			woken;
	u8			held;
	/* Own thread only, all of them: they share a byte. */
	bool			kept : 1;
	bool			hidden : 1;
	bool			executing : 1;
	bool			fault : 1;
	u8			deferred;
	u64			start_runtime;
	union {
		struct {
			u64	kept_left;
			union {
				struct ums_event __user	*uevent;
				u64			deferred_arg;
				unsigned long		fault_address;
			};
		};
		struct rcu_head	rcu;
	};
};

#endif /* _KERNEL_UMS_TYPES_H */
