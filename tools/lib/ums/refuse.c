// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: why the processor was not given away, and what else run.c seldom needs
 *
 * Each begins with what says more than that the caller is in the wrong role.
 */
#include "internal.h"

UMS_REALIGN int ums_fail(long result)
{
	/* It names no group. To the kernel, who is not attached has no other. */
	return ums_error(result == -EBADF ? ENOTCONN : -result);
}

UMS_REALIGN int ums_kernel_reason(long result)
{
	result += UMS_RETURN_USER;
	return result < 0 ? ums_fail(result) : (int)result;
}

static int refuse(struct ums_context_object *context, bool in_role)
{
	if (ums_check_context(context))
		return -1;
	return ums_error(in_role ? EXDEV : ENOTCONN);
}

UMS_REALIGN int ums_refuse_call(struct ums_context_object *context)
{
	return refuse(context, ums_self.proc);
}

UMS_REALIGN int ums_refuse_execute(struct ums_context_object *context)
{
	return refuse(context, ums_self.list);
}

UMS_REALIGN int ums_refuse_switch(struct ums_context_object *context)
{
	unsigned int state = ums_load(&ums_self.worker_slot->state);

	return refuse(context, state == UMS_STATE_RUNNING);
}

UMS_REALIGN int ums_refuse_yield(void)
{
	return ums_check() ? -1 : ums_error(ENOTCONN);
}
