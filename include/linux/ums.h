/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: the gates that the rest of the kernel calls.
 *
 * Each is a test of current->ums (NULL for everyone who is not attached) and
 * nothing else; the bodies are in kernel/ums/. With CONFIG_UMS=n they vanish.
 */
#ifndef _LINUX_UMS_H
#define _LINUX_UMS_H

#include <linux/sched.h>
#include <linux/thread_info.h>
#include <linux/ums_types.h>

struct pt_regs;

#ifdef CONFIG_UMS

void __ums_exit_to_user(struct pt_regs *regs);
void __ums_sched_blocked(struct task_struct *tsk);
void __ums_user_fault(unsigned long address);
void __ums_task_exit(struct task_struct *tsk);

/* In kernel/sched/core.c: ttwu() that stays on this cpu where affinity lets it */
int ums_wake_up_here(struct task_struct *p);

/**
 * ums_fork - Make a new thread a plain one
 * @tsk: The child, a copy of current, not running yet.
 */
static inline void ums_fork(struct task_struct *tsk)
{
	tsk->ums = NULL;
	clear_tsk_thread_flag(tsk, TIF_UMS);
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
 * ums_sched_blocked - current is about to sleep
 * @tsk: current, its state set, not holding any scheduler lock.
 *
 * Must not fault or sleep; may wake other tasks.
 */
static inline void ums_sched_blocked(struct task_struct *tsk)
{
	if (unlikely(tsk->ums))
		__ums_sched_blocked(tsk);
}

/**
 * ums_user_fault - A page fault from user mode is about to be handled
 * @address: What was accessed.
 */
static inline void ums_user_fault(unsigned long address)
{
	if (unlikely(current->ums))
		__ums_user_fault(address);
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

static inline void ums_fork(struct task_struct *tsk) { }
static inline void ums_task_exit(struct task_struct *tsk) { }
static inline void ums_sched_blocked(struct task_struct *tsk) { }
static inline void ums_user_fault(unsigned long address) { }

static __always_inline unsigned long
ums_exit_to_user(struct pt_regs *regs, unsigned long ti_work)
{
	return ti_work;
}

#endif /* CONFIG_UMS */

#endif /* _LINUX_UMS_H */
