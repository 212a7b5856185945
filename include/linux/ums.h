/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: the gates that the rest of the kernel calls.
 *
 * Each is a test of current->ums (NULL for everyone who is not attached) and
 * little else; the bodies are in kernel/ums/. With CONFIG_UMS=n they vanish.
 *
 * User code may have switched to another thread of the process, and only a word
 * in shared memory says so: current is mismatched. Where it enters the kernel
 * the entry is undone, and made again under the right thread.
 */
#ifndef _LINUX_UMS_H
#define _LINUX_UMS_H

#include <linux/jump_label.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/thread_info.h>
#include <linux/ums_types.h>

struct pt_regs;

/* As &ums_context.ids. Neither number gets near the limits. */
#define UMS_IDS(cpu, mm_cid)	(BIT(31) | (mm_cid) << 16 | (cpu))

/**
 * enum ums_wakeup - What becomes of a wakeup
 *
 * @UMS_WAKE: The thread is to run.
 * @UMS_RECORDED: It has been woken, as far as the waker is concerned, and runs
 *	when it is executed.
 * @UMS_WOKEN: It was before: this wakeup is for somebody else.
 * @UMS_WAKE_AGAIN: The same, and the thread is to run now.
 */
enum ums_wakeup {
	UMS_WAKE,
	UMS_RECORDED,
	UMS_WOKEN,
	UMS_WAKE_AGAIN,
};

#ifdef CONFIG_UMS

void __ums_exit_to_user(struct pt_regs *regs);
void __ums_sched_blocked(struct task_struct *tsk);
bool __ums_user_fault(unsigned long address);
bool __ums_waits_for_vp(void);
void __ums_task_exit(struct task_struct *tsk);
bool __ums_syscall_enter(struct pt_regs *regs, long nr, unsigned long work);
bool __ums_user_int(struct pt_regs *regs);
bool __ums_user_debug(unsigned long dr6);
void __ums_rseq_update(u32 ids);

int __ums_record_wakeup(struct task_struct *p);
void ums_wakeup_recorded(struct task_struct *p);

/*
 * In kernel/sched/core.c: true wakeups, also from managed sleeps. The first stays
 * on this cpu where affinity lets it.
 */
int ums_wake_up_here(struct task_struct *p);
int ums_wake_up(struct task_struct *p);

DECLARE_STATIC_KEY_FALSE(ums_used);

/* Can there be any UMS thread at all? */
static __always_inline bool ums_in_use(void)
{
	return static_branch_unlikely(&ums_used);
}

static __always_inline struct ums_gate *ums_gate(void)
{
	return (struct ums_gate *)current->ums;
}

/* Is what runs in user mode another thread than current, a UMS thread? */
static __always_inline bool ums_mismatched(void)
{
	const struct ums_gate *gate = ums_gate();

	return unlikely(READ_ONCE(*gate->running) != gate->index);
}

/**
 * ums_fork - Make a new thread a plain one
 * @tsk: The child, a copy of current, not running yet.
 */
static inline void ums_fork(struct task_struct *tsk)
{
	tsk->ums = NULL;
	clear_task_syscall_work(tsk, UMS);
	clear_tsk_thread_flag(tsk, TIF_UMS);
}

/**
 * ums_bound_changed - Can a thread still, or again, take part in user switches?
 * @tsk: current, or a thread that its tracer has stopped: another one could detach
 *	just now.
 *
 * It finds out before it is in user mode again, see ums_arch_bound().
 */
static inline void ums_bound_changed(struct task_struct *tsk)
{
	if (unlikely(READ_ONCE(tsk->ums)))
		set_tsk_thread_flag(tsk, TIF_UMS);
}

/**
 * ums_task_exit - Detach a thread whose address space goes away
 * @tsk: current, in exit or exec; may sleep.
 */
static inline void ums_task_exit(struct task_struct *tsk)
{
	if (unlikely(tsk->ums))
		__ums_task_exit(tsk);
}

/**
 * ums_is_worker - Does a thread only run when a UMS scheduler runs it?
 * @tsk: Any thread.
 */
static inline bool ums_is_worker(struct task_struct *tsk)
{
	const struct ums_gate *gate;

	guard(rcu)();
	gate = (struct ums_gate *)READ_ONCE(tsk->ums);
	return gate && gate->worker;
}

/**
 * ums_waits_for_vp - Will current only run user code when it is executed?
 *
 * Return: whether it is a worker without a virtual processor.
 */
static inline bool ums_waits_for_vp(void)
{
	return unlikely(current->ums) && __ums_waits_for_vp();
}

/**
 * ums_sched_blocked - current is about to sleep
 * @tsk: current, its state set, not holding any scheduler lock.
 *
 * Must not fault or sleep; may wake other tasks.
 */
static inline void ums_sched_blocked(struct task_struct *tsk)
{
	if (ums_in_use() && tsk->ums && !((struct ums_gate *)tsk->ums)->parked)
		__ums_sched_blocked(tsk);
}

/**
 * ums_handoff_next - Who is to go on where a thread sleeps?
 * @tsk: current; it cannot be preempted.
 *
 * Return: the task, or NULL.
 */
static inline struct task_struct *ums_handoff_next(struct task_struct *tsk)
{
	struct ums_gate *gate = (struct ums_gate *)tsk->ums;

	return unlikely(gate) ? gate->next : NULL;
}

/**
 * ums_handoff_take - The same, and ask nobody else to see to that
 * @tsk: current, a UMS thread; it cannot be preempted.
 *
 * Return: the task, which the caller wakes, and whose reference it has; or NULL.
 */
static inline struct task_struct *ums_handoff_take(struct task_struct *tsk)
{
	struct ums_gate *gate = (struct ums_gate *)tsk->ums;
	struct task_struct *p = gate->next;

	gate->next = NULL;
	return p;
}

/**
 * ums_managed_forbid - Sleeps of current are not managed for now
 *
 * For a caller that holds a lock as it calls what has managed sleeps.
 */
static inline void ums_managed_forbid(void)
{
	if (unlikely(current->ums))
		ums_gate()->unmanaged++;
}

/**
 * ums_managed_permit - Undo ums_managed_forbid()
 *
 * current can have neither attached nor detached in between.
 */
static inline void ums_managed_permit(void)
{
	if (unlikely(current->ums))
		ums_gate()->unmanaged--;
}

/**
 * ums_record_wakeup - Is a wakeup only to be recorded?
 * @p: The thread that somebody wakes; its pi_lock is held.
 *
 * Return: one of &enum ums_wakeup.
 */
static inline int ums_record_wakeup(struct task_struct *p)
{
	if (likely(!(READ_ONCE(p->__state) & TASK_RECORD)))
		return UMS_WAKE;
	return __ums_record_wakeup(p);
}

/**
 * ums_tick - A tick has come
 * @curr: current. In an interrupt.
 *
 * Nobody runs under another thread's name for longer.
 */
static inline void ums_tick(struct task_struct *curr)
{
	if (ums_in_use() && curr->ums)
		set_tsk_thread_flag(curr, TIF_UMS);
}

/**
 * ums_syscall_is_plain - Is there nothing to do at the entry of a system call?
 * @others: The bits of SYSCALL_WORK_ENTER that are set, without SYSCALL_WORK_UMS.
 *
 * Only if one of them all is set.
 *
 * Return: true if that is SYSCALL_WORK_UMS alone, and current is matched.
 */
static __always_inline bool ums_syscall_is_plain(unsigned long others)
{
	return likely(!others) && !ums_mismatched();
}

/**
 * ums_syscall_enter - Undo a system call that is not current's
 * @regs: User registers of current.
 * @nr: Number of the system call.
 * @work: Its syscall_work.
 *
 * Only if SYSCALL_WORK_UMS is set.
 *
 * Return: whether it was undone; the caller skips the call.
 */
static inline bool ums_syscall_enter(struct pt_regs *regs, long nr,
				     unsigned long work)
{
	return ums_mismatched() && __ums_syscall_enter(regs, nr, work);
}

/**
 * ums_syscall_skipped - Leave a system call that was undone
 *
 * Return: whether it was; nobody has seen its entry, or shall see its exit.
 */
static inline bool ums_syscall_skipped(void)
{
	const struct ums_gate *gate = ums_gate();

	return unlikely(gate) && gate->skipped;
}

/**
 * ums_user_trap - An exception came from user mode
 *
 * Return: true if it is not current's. The caller leaves the registers as they
 * are: the instruction is executed again, and faults again.
 */
static inline bool ums_user_trap(void)
{
	if (likely(!current->ums) || !ums_mismatched())
		return false;
	set_thread_flag(TIF_UMS);
	return true;
}

/**
 * ums_user_state_component - User mode used a part of the FPU for the first time
 *
 * From then on the thread has more state than others can carry for it, and the
 * border has to see to that.
 *
 * Return: as ums_user_trap().
 */
static inline bool ums_user_state_component(void)
{
	if (likely(!current->ums))
		return false;
	set_thread_flag(TIF_UMS);
	return ums_mismatched();
}

/**
 * ums_user_int - INT3, INTO, or INT with their numbers was executed in user mode
 * @regs: User registers, after it.
 *
 * Return: true if it is not current's; it will be executed again.
 */
static inline bool ums_user_int(struct pt_regs *regs)
{
	return unlikely(current->ums) && ums_mismatched() &&
	       __ums_user_int(regs);
}

/**
 * ums_user_debug - A debug exception came from user mode
 * @dr6: Why.
 *
 * Return: true if it was passed on to the thread whose it is.
 */
static inline bool ums_user_debug(unsigned long dr6)
{
	return unlikely(current->ums) && ums_mismatched() &&
	       __ums_user_debug(dr6);
}

/**
 * ums_user_fault - A page fault from user mode is about to be handled
 * @address: What was accessed.
 *
 * Return: as ums_user_trap().
 */
static inline bool ums_user_fault(unsigned long address)
{
	if (likely(!current->ums))
		return false;
	return ums_user_trap() || __ums_user_fault(address);
}

/**
 * ums_rseq_update - The ids in the rseq area of current have been written
 * @ids: UMS_IDS(), 0 if there is no area any more.
 */
static inline void ums_rseq_update(u32 ids)
{
	if (unlikely(current->ums))
		__ums_rseq_update(ids);
}

/**
 * ums_exit_to_user - Work of UMS threads at the border to user mode
 * @regs: User registers of current.
 * @ti_work: Thread flags as read by the caller, with interrupts off.
 *
 * Called with interrupts on, ahead of all other exit work. May sleep for as
 * long as nobody gives current a virtual processor.
 *
 * Return: the thread flags to go on with.
 */
static __always_inline unsigned long
ums_exit_to_user(struct pt_regs *regs, unsigned long ti_work)
{
	if (likely(!current->ums))
		return ti_work;

	__ums_exit_to_user(regs);
	return read_thread_flags();
}

#else /* CONFIG_UMS */

static inline bool ums_in_use(void) { return false; }
static inline void ums_fork(struct task_struct *tsk) { }
static inline void ums_bound_changed(struct task_struct *tsk) { }
static inline void ums_task_exit(struct task_struct *tsk) { }
static inline bool ums_is_worker(struct task_struct *tsk) { return false; }
static inline bool ums_waits_for_vp(void) { return false; }
static inline void ums_sched_blocked(struct task_struct *tsk) { }
static inline void ums_managed_forbid(void) { }
static inline void ums_managed_permit(void) { }
static inline int ums_record_wakeup(struct task_struct *p) { return UMS_WAKE; }

static inline struct task_struct *ums_handoff_next(struct task_struct *tsk)
{
	return NULL;
}

static inline void ums_wakeup_recorded(struct task_struct *p) { }
static inline void ums_tick(struct task_struct *curr) { }
static inline bool ums_syscall_skipped(void) { return false; }
static inline bool ums_user_trap(void) { return false; }
static inline bool ums_user_state_component(void) { return false; }
static inline bool ums_user_int(struct pt_regs *regs) { return false; }
static inline bool ums_user_debug(unsigned long dr6) { return false; }
static inline bool ums_user_fault(unsigned long address) { return false; }

static __always_inline bool ums_syscall_is_plain(unsigned long others)
{
	return false;
}

static inline bool ums_syscall_enter(struct pt_regs *regs, long nr,
				     unsigned long work)
{
	return false;
}

static inline void ums_rseq_update(u32 ids) { }

static __always_inline unsigned long
ums_exit_to_user(struct pt_regs *regs, unsigned long ti_work)
{
	return ti_work;
}

#endif /* CONFIG_UMS */

#endif /* _LINUX_UMS_H */
