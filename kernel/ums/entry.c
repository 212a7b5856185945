// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: user code has entered the kernel under another thread.
 *
 * The gates in <linux/ums.h> have found that current is mismatched: the entry
 * is not its own. It is undone, such that it will be made again, and TIF_UMS
 * leads to the border, where the right thread takes over. Nobody has looked at
 * current in between: no tracer, filter, or signal.
 *
 * Faults undo themselves: the instruction has not been executed. Traps have to
 * be rewound or passed on.
 */
#include <linux/entry-common.h>

#include "ums.h"

/**
 * __ums_syscall_enter - A system call was made under the wrong thread
 * @regs: User registers of current.
 * @nr: Number of the system call.
 * @work: Its syscall_work.
 *
 * ums_execute() by the vDSO need not know who the caller is, as long as nobody
 * else wants to.
 *
 * Return: whether it was undone.
 */
bool __ums_syscall_enter(struct pt_regs *regs, long nr, unsigned long work)
{
	if ((work & SYSCALL_WORK_ENTER) == SYSCALL_WORK_UMS &&
	    ums_arch_wants_save(regs, nr))
		return false;

	ums_arch_rewind_syscall(regs);
	ums_gate()->skipped = true;
	set_thread_flag(TIF_UMS);
	return true;
}

/**
 * __ums_user_int - A trap was executed under the wrong thread
 * @regs: User registers of current.
 *
 * Return: true, it will be executed again.
 */
bool __ums_user_int(struct pt_regs *regs)
{
	ums_arch_rewind_int(regs);
	set_thread_flag(TIF_UMS);
	return true;
}

/**
 * __ums_user_debug - A debug exception came under the wrong thread
 * @dr6: Why.
 *
 * current is stepped by its debugger through code that has switched: that is
 * current's. User code that has set TF itself steps itself, or executed a trap:
 * the SIGTRAP is for the thread whose code it is, once it has its registers.
 *
 * Return: whether it was passed on.
 */
bool __ums_user_debug(unsigned long dr6)
{
	struct ums_task *ut = current->ums;

	set_thread_flag(TIF_UMS);
	return ums_arch_debug(&ut->vp->state, dr6);
}

/**
 * __ums_rseq_update - The ids in the rseq area of current have been written
 * @ids: As in the slot.
 */
void __ums_rseq_update(u32 ids)
{
	struct ums_task *ut = current->ums;

	if (ut->ctx->ids != ids) {
		ut->ctx->ids = ids;
		WRITE_ONCE(ut->ctx->slot->ids, ids);
	}
	if (ut->vp && ut->held == UMS_HELD_KERNEL)
		ums_vp_set_ids(ut);
}
