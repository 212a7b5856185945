/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: what hangs off task_struct.
 */
#ifndef _LINUX_UMS_TYPES_H
#define _LINUX_UMS_TYPES_H

#include <linux/types.h>

struct task_struct;
struct ums_task;

/**
 * struct ums_gate - The part of &struct ums_task that the gates look at
 *
 * Its first member. All of it is for the thread itself alone, but for @worker.
 *
 * @running: The word of the thread's virtual processor that says whose user
 *	code it runs; shared memory. &ums_gate.index while the thread has none,
 *	or cannot switch in user mode.
 * @next: The task to wake when the thread next sleeps, or passes the border,
 *	counted; or NULL. Set with preemption off, see handoff.c.
 * @index: Index of the thread's own context.
 * @parked: In a sleep of the border, which is not one to report.
 * @skipped: The system call that is being left was not made.
 * @worker: The thread is a worker; constant. Others read it under RCU.
 * @unmanaged: It is in code that holds a lock where none is known to be held: no
 *	sleep is managed. A depth.
 */
struct ums_gate {
	const u32		*running;
	struct task_struct	*next;
	u32			index;
	bool			parked;
	bool			skipped;
	bool			worker;
	u8			unmanaged;
};

#endif /* _LINUX_UMS_TYPES_H */
