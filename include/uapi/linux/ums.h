/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User-mode scheduling (UMS): system call interface.
 *
 * See Documentation/userspace-api/ums.rst.
 *
 * Every structure that crosses the ums_ctl() boundary is extensible: the
 * caller passes its size, fields that either side does not know must be zero.
 */
#ifndef _UAPI_LINUX_UMS_H
#define _UAPI_LINUX_UMS_H

#include <linux/types.h>

#define UMS_ABI_VERSION		1

/**
 * enum ums_ctl_op - Operations of ums_ctl()
 *
 * @UMS_CTL_PROBE: Fill &struct ums_probe. @fd must be -1.
 * @UMS_CTL_SETUP: Create a group, &struct ums_setup. @fd must be -1. Returns
 *	the group's file descriptor (close-on-exec).
 * @UMS_CTL_LIST_CREATE: Create a completion list in group @fd,
 *	&struct ums_list_create. Returns the list's file descriptor
 *	(close-on-exec).
 * @UMS_CTL_CTX_CREATE: Create a context in group @fd,
 *	&struct ums_ctx_create.
 * @UMS_CTL_CTX_DELETE: Delete a context of group @fd that never ran or has
 *	terminated, &struct ums_ctx_delete.
 * @UMS_CTL_ATTACH: Make the caller a scheduler or a worker of the list @fd,
 *	&struct ums_attach. For a worker the call returns when it is first
 *	executed.
 * @UMS_CTL_DETACH: Make the caller a plain thread again. @fd must be -1,
 *	@arg NULL, @size 0.
 * @UMS_CTL_YIELD: A worker gives its virtual processor back to the scheduler,
 *	&struct ums_yield. @fd must be -1. Returns when it is next executed.
 * @UMS_CTL_QUERY: Read a context of group @fd, &struct ums_info.
 * @UMS_CTL_SET: Change a context of group @fd, &struct ums_info.
 * @UMS_CTL_SUSPEND: Reserved; -EOPNOTSUPP in this version.
 * @UMS_CTL_RESUME: Reserved; -EOPNOTSUPP in this version.
 * @UMS_CTL_PREEMPT: Reserved; -EOPNOTSUPP in this version.
 */
enum ums_ctl_op {
	UMS_CTL_PROBE		= 0,
	UMS_CTL_SETUP		= 1,
	UMS_CTL_LIST_CREATE	= 2,
	UMS_CTL_CTX_CREATE	= 3,
	UMS_CTL_CTX_DELETE	= 4,
	UMS_CTL_ATTACH		= 5,
	UMS_CTL_DETACH		= 6,
	UMS_CTL_YIELD		= 7,
	UMS_CTL_QUERY		= 8,
	UMS_CTL_SET		= 9,
	UMS_CTL_SUSPEND		= 10,
	UMS_CTL_RESUME		= 11,
	UMS_CTL_PREEMPT		= 12,
};

/* Feature bits, see &struct ums_probe */
#define UMS_FEATURE_KERNEL_SWITCH	0x1ULL
#define UMS_FEATURE_NODE		0x2ULL
#define UMS_FEATURE_USER_SWITCH		0x4ULL
#define UMS_FEATURE_WATCHDOG		0x8ULL
#define UMS_FEATURE_MANAGED_SLEEP	0x10ULL

/**
 * struct ums_probe - Argument of %UMS_CTL_PROBE, all output
 *
 * @abi_version: %UMS_ABI_VERSION of the kernel.
 * @last_op: Highest &enum ums_ctl_op that is implemented.
 * @features: Bits UMS_FEATURE_*.
 * @slot_size: Bytes between two &struct ums_context in the group's mapping.
 * @event_size: sizeof(&struct ums_event).
 * @max_contexts: Upper limit of &ums_setup.max_contexts.
 * @reserved: Zero.
 */
struct ums_probe {
	__u32 abi_version;
	__u32 last_op;
	__u64 features;
	__u32 slot_size;
	__u32 event_size;
	__u32 max_contexts;
	__u32 reserved;
};

/**
 * enum ums_orphan_policy - What becomes of the workers when the last
 *			    scheduler of a group exits or detaches
 *
 * @UMS_ORPHAN_RELEASE: They become ordinary threads and go on.
 * @UMS_ORPHAN_KILL: The process is killed with SIGKILL.
 */
enum ums_orphan_policy {
	UMS_ORPHAN_RELEASE	= 0,
	UMS_ORPHAN_KILL		= 1,
};

/* Flags of &struct ums_setup */
#define UMS_SETUP_KERNEL_SWITCH	0x1U	/* no switches in user mode */
#define UMS_SETUP_NO_MANAGED_SLEEP 0x2U	/* woken workers run, in the kernel */

/* Least &ums_setup.watchdog_ms, but for zero */
#define UMS_WATCHDOG_MIN_MS	100

/**
 * struct ums_setup - Argument of %UMS_CTL_SETUP
 *
 * @flags: %UMS_SETUP_KERNEL_SWITCH, %UMS_SETUP_NO_MANAGED_SLEEP. Without the
 *	first, the contexts of the group switch in user mode where
 *	&ums_probe.features has %UMS_FEATURE_USER_SWITCH. Without the second,
 *	which needs %UMS_FEATURE_MANAGED_SLEEP, a worker that waits in one of
 *	the usual system calls is READY as soon as it is woken, and finishes the
 *	call when it is executed; with it, it finishes the call first, without a
 *	virtual processor, and is READY then.
 * @max_contexts: How many contexts the group can hold at a time; 1 to
 *	&ums_probe.max_contexts.
 * @orphan_policy: One of &enum ums_orphan_policy.
 * @watchdog_ms: If not zero, @orphan_policy also applies when the schedulers
 *	seem to hang: workers are ready and on a list, and for so many
 *	milliseconds at least, and up to three times as many, nobody has taken
 *	anything from a list or run a worker. Zero or %UMS_WATCHDOG_MIN_MS and
 *	more, where &ums_probe.features has %UMS_FEATURE_WATCHDOG.
 * @slice_ns: Time slice of a worker; zero (none) in this version, anything
 *	else is -EOPNOTSUPP.
 */
struct ums_setup {
	__u32 flags;
	__u32 max_contexts;
	__u32 orphan_policy;
	__u32 watchdog_ms;
	__u64 slice_ns;
};

/* Flags of &struct ums_list_create and &struct ums_ctx_create */
#define UMS_CREATE_NODE		0x1U	/* @node is valid */

/**
 * struct ums_list_create - Argument of %UMS_CTL_LIST_CREATE
 *
 * @flags: %UMS_CREATE_NODE or zero.
 * @node: NUMA node of the ring's memory; zero without %UMS_CREATE_NODE.
 * @entries: Output: entries of the ring, a power of two.
 * @id: Output: number of the list in its group, as fdinfo and traces show it.
 * @mmap_size: Output: bytes to map of the list's file descriptor.
 */
struct ums_list_create {
	__u32 flags;
	__s32 node;
	__u32 entries;
	__u32 id;
	__u64 mmap_size;
};

/**
 * struct ums_ctx_create - Argument of %UMS_CTL_CTX_CREATE
 *
 * @flags: %UMS_CREATE_NODE or zero.
 * @node: NUMA node of the slot's memory; zero without %UMS_CREATE_NODE.
 * @cookie: Any value; comes back in every event of the context.
 * @ctx: Output: the context's id, generation << 32 | index.
 */
struct ums_ctx_create {
	__u32 flags;
	__s32 node;
	__u64 cookie;
	__u64 ctx;
};

/**
 * struct ums_ctx_delete - Argument of %UMS_CTL_CTX_DELETE
 *
 * @ctx: Id of the context.
 */
struct ums_ctx_delete {
	__u64 ctx;
};

/**
 * enum ums_role - Role of an attached thread
 *
 * @UMS_ROLE_NONE: No thread is or was attached.
 * @UMS_ROLE_SCHEDULER: Owns a virtual processor and runs workers on it.
 * @UMS_ROLE_WORKER: Runs when a scheduler or another worker executes it.
 */
enum ums_role {
	UMS_ROLE_NONE		= 0,
	UMS_ROLE_SCHEDULER	= 1,
	UMS_ROLE_WORKER		= 2,
};

/**
 * struct ums_attach - Argument of %UMS_CTL_ATTACH
 *
 * @role: %UMS_ROLE_SCHEDULER or %UMS_ROLE_WORKER.
 * @flags: None defined, zero.
 * @ctx: Id of a context of the list's group that no thread was attached to
 *	yet.
 */
struct ums_attach {
	__u32 role;
	__u32 flags;
	__u64 ctx;
};

/* Flags of ums_execute(); for the vDSO, which has the caller's frame ready */
#define UMS_EXECUTE_SAVE	0x1U	/* save the caller's registers in its slot */

/* Flags of &struct ums_yield, as %UMS_EXECUTE_SAVE */
#define UMS_YIELD_SAVE		0x1ULL

/**
 * struct ums_yield - Argument of %UMS_CTL_YIELD
 *
 * @param: Goes to the scheduler as &ums_event.arg.
 * @flags: %UMS_YIELD_SAVE or zero.
 */
struct ums_yield {
	__u64 param;
	__u64 flags;
};

/**
 * enum ums_reason - Reason of an event
 *
 * @UMS_REASON_STARTUP: Never from the kernel; the library's first call of a
 *	scheduler's entry point.
 * @UMS_REASON_READY: The worker can be executed: it is new, or what it was
 *	blocked on is over.
 * @UMS_REASON_BLOCKED: The worker blocked in the kernel. A READY event
 *	follows when it can go on.
 * @UMS_REASON_YIELDED: The worker yielded and is ready again at once;
 *	no READY event follows.
 * @UMS_REASON_PREEMPTED: The worker lost its virtual processor, because the
 *	scheduler has a signal to handle. The worker is ready again at
 *	once; no READY event follows.
 * @UMS_REASON_TERMINATED: The worker exited or detached.
 */
enum ums_reason {
	UMS_REASON_STARTUP	= 0,
	UMS_REASON_READY	= 1,
	UMS_REASON_BLOCKED	= 2,
	UMS_REASON_YIELDED	= 3,
	UMS_REASON_PREEMPTED	= 4,
	UMS_REASON_TERMINATED	= 5,
};

/**
 * enum ums_cause - What a worker blocked on
 *
 * @UMS_CAUSE_NONE: Not a BLOCKED event.
 * @UMS_CAUSE_SYSCALL: A system call; &ums_event.arg is its number.
 * @UMS_CAUSE_FAULT: A page fault in user mode; &ums_event.arg is the address.
 * @UMS_CAUSE_SIGNAL: Stopped by job control, a debugger or the freezer.
 * @UMS_CAUSE_OTHER: Anything else.
 */
enum ums_cause {
	UMS_CAUSE_NONE		= 0,
	UMS_CAUSE_SYSCALL	= 1,
	UMS_CAUSE_FAULT		= 2,
	UMS_CAUSE_SIGNAL	= 3,
	UMS_CAUSE_OTHER		= 4,
};

/**
 * struct ums_event - What happened to a context
 *
 * @ctx: Id of the context.
 * @cookie: Its cookie: what it is when the event is read, or when ums_execute()
 *	was told of it.
 * @reason: One of &enum ums_reason.
 * @cause: One of &enum ums_cause.
 * @arg: By @reason: BLOCKED, see &enum ums_cause; YIELDED, the parameter;
 *	TERMINATED, the exit code as wait(2) would see it, zero after a detach.
 * @time_ns: CLOCK_MONOTONIC when it happened.
 * @cpu: Cpu it happened on.
 * @node: NUMA node of that cpu.
 * @seq: Number of the transition of this context; an event with a lower
 *	number happened earlier.
 */
struct ums_event {
	__u64 ctx;
	__u64 cookie;
	__u32 reason;
	__u32 cause;
	__u64 arg;
	__u64 time_ns;
	__u32 cpu;
	__u32 node;
	__u64 seq;
};

/**
 * struct ums_stats - Counters of a context
 *
 * @executed: Times that it was given a virtual processor.
 * @blocked: Times that it blocked and gave its virtual processor up.
 * @yielded: Times that it yielded by system call or executed another worker.
 * @preempted: Times that its virtual processor was taken away.
 * @run_ns: Cpu time of the attached thread since it was attached, in ns.
 */
struct ums_stats {
	__u64 executed;
	__u64 blocked;
	__u64 yielded;
	__u64 preempted;
	__u64 run_ns;
};

/**
 * struct ums_switches - How a context switched
 *
 * @user: Times that it left its virtual processor by a user switch.
 * @resolved: Times that its kernel thread took over what ran on a virtual
 *	processor in user mode under another one.
 * @finished: Times that the kernel found a virtual processor half-way through
 *	a user switch of its code, and finished it.
 * @slow_kernel: Times that it asked the vDSO for a switch and got a kernel
 *	switch, because the registers of the other one were in the kernel, or its
 *	own had to be.
 * @slow_ids: The same, because the rseq ids of the other one were of another
 *	cpu.
 * @slow_busy: The same, and there was no switch, because the other one ran, was
 *	blocked, locked or gone.
 * @recorded: Times that it was woken from a wait and became READY at once, to
 *	finish the system call when executed.
 * @late: Times that it was not executed for some 20 ms after that, and finished
 *	the system call, or its wait, without a virtual processor, so that nobody
 *	else had to wait for it.
 */
struct ums_switches {
	__u64 user;
	__u64 resolved;
	__u64 finished;
	__u64 slow_kernel;
	__u64 slow_ids;
	__u64 slow_busy;
	__u64 recorded;
	__u64 late;
};

/**
 * enum ums_info_class - Class of &struct ums_info
 *
 * @UMS_INFO_COOKIE: The cookie, in @value. Can be set.
 * @UMS_INFO_STATE: State, in @value: one of &enum ums_state.
 * @UMS_INFO_TID: Thread id in the caller's pid namespace, in @value; 0 when
 *	no thread is attached.
 * @UMS_INFO_ROLE: One of &enum ums_role, in @value.
 * @UMS_INFO_STATS: Counters, in @stats.
 * @UMS_INFO_EVENT: The last event, in @event: for a worker its own; for a
 *	scheduler the one that ums_execute() returned last, or zeros when it has
 *	gone.
 * @UMS_INFO_SWITCHES: How it switched, in @switches.
 */
enum ums_info_class {
	UMS_INFO_COOKIE		= 0,
	UMS_INFO_STATE		= 1,
	UMS_INFO_TID		= 2,
	UMS_INFO_ROLE		= 3,
	UMS_INFO_STATS		= 4,
	UMS_INFO_EVENT		= 5,
	UMS_INFO_SWITCHES	= 6,
};

/**
 * struct ums_info - Argument of %UMS_CTL_QUERY and %UMS_CTL_SET
 *
 * @ctx: Id of the context.
 * @info_class: One of &enum ums_info_class.
 * @reserved: Zero.
 * @value: Value of most classes.
 * @stats: Value of %UMS_INFO_STATS.
 * @event: Value of %UMS_INFO_EVENT.
 * @switches: Value of %UMS_INFO_SWITCHES.
 * @pad: Size of the union; all of it must be zero on a query.
 */
struct ums_info {
	__u64 ctx;
	__u32 info_class;
	__u32 reserved;
	union {
		__u64 value;
		struct ums_stats stats;
		struct ums_event event;
		struct ums_switches switches;
		__u64 pad[8];
	};
};

/**
 * enum ums_state - State word of a context
 *
 * @UMS_STATE_FREE: No such context.
 * @UMS_STATE_CREATED: No thread is attached yet.
 * @UMS_STATE_READY: Can be executed.
 * @UMS_STATE_RUNNING: Has a virtual processor.
 * @UMS_STATE_BLOCKED: Waits for something; or runs in the kernel, after a wait
 *	after which it could not be executed at once, until it reaches the
 *	border to user mode.
 * @UMS_STATE_LOCKED: The kernel handles a signal of a ready worker, or that
 *	waits in the kernel, on its way to user mode; it will be READY again,
 *	without an event.
 * @UMS_STATE_SUSPENDED: Reserved.
 * @UMS_STATE_TERMINATED: The thread exited or detached.
 * @UMS_STATE_USER: Flag of READY: the registers are in the slot. User code may
 *	change READY | USER to RUNNING, by the vDSO, and back.
 */
enum ums_state {
	UMS_STATE_FREE		= 0,
	UMS_STATE_CREATED	= 1,
	UMS_STATE_READY		= 2,
	UMS_STATE_RUNNING	= 3,
	UMS_STATE_BLOCKED	= 4,
	UMS_STATE_LOCKED	= 5,
	UMS_STATE_SUSPENDED	= 6,
	UMS_STATE_TERMINATED	= 7,
	UMS_STATE_USER		= 0x100,
};

/**
 * struct ums_regs - Registers of a context that is READY | USER
 *
 * Written and read by the vDSO and the kernel. These are what a function call
 * preserves; the top of the stack is the address where the call returns.
 *
 * @rbx: Callee-saved, as are @rbp and @r12 to @r15.
 * @rbp: See @rbx.
 * @r12: See @rbx.
 * @r13: See @rbx.
 * @r14: See @rbx.
 * @r15: See @rbx.
 * @rsp: Stack pointer.
 * @rip: Where the kernel lets the thread go on: the return of the vDSO
 *	functions. Written by the kernel, for debuggers.
 * @fsbase: Thread pointer.
 * @gsbase: The other one.
 * @mxcsr: SSE control and status.
 * @fcw: x87 control word.
 * @reserved: Zero.
 * @pkru: Protection keys.
 * @reserved1: Zero.
 */
struct ums_regs {
	__u64 rbx;
	__u64 rbp;
	__u64 r12;
	__u64 r13;
	__u64 r14;
	__u64 r15;
	__u64 rsp;
	__u64 rip;
	__u64 fsbase;
	__u64 gsbase;
	__u32 mxcsr;
	__u16 fcw;
	__u16 reserved;
	__u32 pkru;
	__u32 reserved1;
};

/* What a vDSO function returns if the other side came by user switch, ORed in */
#define UMS_RETURN_USER		0x100

/**
 * struct ums_context - Slot of a context, in the mapping of the group
 *
 * At offset index * &ums_probe.slot_size, where index is the low half of the
 * context's id; index 0 is not used. User space reads slots; it writes them by
 * the functions of the vDSO only. A copy of the event fields is consistent if
 * @event_version was even before (read with acquire) and the same after.
 *
 * @state: One of &enum ums_state; stored with release after the fields that
 *	belong to it. The vDSO exchanges it together with @ids.
 * @ids: Cpu and memory map concurrency id that the thread's rseq area holds,
 *	in a form of the kernel's own; 0 if it has none.
 * @id: Id of the context that has this slot, 0 if there is none.
 * @vp: Index of the scheduler whose virtual processor it runs on; valid while
 *	RUNNING.
 * @running: Scheduler: index of the context that runs on its virtual
 *	processor, its own when it runs itself.
 * @tid: Thread id of the attached thread, in its own pid namespace.
 * @role: One of &enum ums_role.
 * @vp_ids: Scheduler: what @state and @ids, as one word, of a context must be
 *	for a user switch to it on this virtual processor. All ones if there
 *	can be none.
 * @cookie: The context's cookie.
 * @param: Scheduler: parameter of the last yield that was a user switch.
 * @yielder: Scheduler: index of the context that made it.
 * @reserved0: Zero.
 * @regs: Registers while the state is READY | USER.
 * @switched: Number of user switches away from this context.
 * @reserved1: Zero.
 * @reserved2: Zero.
 * @event_version: Changes with every event in this slot; odd while the kernel
 *	writes one.
 * @event_ctx: Context of the last event: for a scheduler, that of the
 *	worker; the further event_ fields are as in &struct ums_event.
 * @event_reason: See @event_ctx.
 * @event_cause: See @event_ctx.
 * @event_arg: See @event_ctx.
 * @event_time_ns: See @event_ctx.
 * @event_cpu: See @event_ctx.
 * @event_node: See @event_ctx.
 * @event_seq: See @event_ctx.
 * @executed: Low 32 bits of &ums_stats.executed.
 * @blocked: Low 32 bits of &ums_stats.blocked.
 * @yielded: Low 32 bits of &ums_stats.yielded.
 * @preempted: Low 32 bits of &ums_stats.preempted.
 */
struct ums_context {
	__u32 state;
	__u32 ids;
	__u64 id;
	__u32 vp;
	__u32 running;
	__u32 tid;
	__u32 role;
	__u64 vp_ids;
	__u64 cookie;
	__u64 param;
	__u32 yielder;
	__u32 reserved0;

	struct ums_regs regs;
	__u32 switched;
	__u32 reserved1;
	__u64 reserved2[2];
	__u64 event_version;

	__u64 event_ctx;
	__u32 event_reason;
	__u32 event_cause;
	__u64 event_arg;
	__u64 event_time_ns;
	__u32 event_cpu;
	__u32 event_node;
	__u64 event_seq;
	__u32 executed;
	__u32 blocked;
	__u32 yielded;
	__u32 preempted;
};

/**
 * struct ums_ring - Mapping of a completion list
 *
 * A consumer in user mode reads @tail with acquire, and takes the entry at
 * @head & @mask by a cmpxchg of @head to @head + 1. An entry is a context id
 * whose context has something to report, or 0 for one that was withdrawn.
 *
 * @head: Free-running count of entries consumed; advanced by user space and by
 *	ums_dequeue().
 * @pad0: Keeps @head and @tail on cache lines of their own.
 * @tail: Free-running count of entries queued; stored with release by the
 *	kernel, which never reads it.
 * @mask: Number of entries - 1.
 * @lost: Number of entries that found the ring full, which only happens when
 *	@head was overwritten or entries are never consumed.
 * @pad1: Zero.
 * @ctx: The entries.
 */
struct ums_ring {
	__u32 head;
	__u32 pad0[15];
	__u32 tail;
	__u32 mask;
	__u32 lost;
	__u32 pad1[13];
	__u64 ctx[];
};

#endif /* _UAPI_LINUX_UMS_H */
