// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: giving the processor away
 *
 * All that hand a processor over go through execute() and yield(): the places
 * for the switch in user mode, once the kernel's vDSO has it. Nothing here
 * locks or allocates.
 */
#include "internal.h"

static long execute(struct ums_context_object *context, struct ums_event *event)
{
	return ums_kernel_execute(context->group->fd, context->id, event);
}

static int yield(__u64 param)
{
	struct ums_yield arg = { .param = param };

	return ums_kernel_ctl(UMS_CTL_YIELD, -1, &arg, sizeof(arg));
}

UMS_API int execute_ums_thread(ums_context_t *context)
{
	ums_activation_t *activation = &ums_self.activation;
	long reason;

	if (ums_check_context(context))
		return -1;
	if (!ums_self.proc)
		return ums_error(ENOTCONN);

	reason = execute(context, &activation->event);
	if (reason < 0)
		return -1;

	activation->context = (void *)(uintptr_t)activation->event.cookie;
	ums_self.reason = reason;
	ums_self.param = reason == UMS_REASON_YIELDED ?
			 (void *)(uintptr_t)activation->event.arg :
			 activation->scheduler_param;
	ums_scheduler_restart();
}

UMS_API int ums_run(ums_context_t *context, struct ums_event *event)
{
	if (ums_check_context(context))
		return -1;
	if (!ums_self.list)
		return ums_error(ENOTCONN);

	return execute(context, event);
}

UMS_API int ums_switch_to(ums_context_t *context)
{
	if (ums_check_context(context))
		return -1;
	if (!ums_self.worker)
		return ums_error(ENOTCONN);

	return execute(context, NULL);
}

UMS_API int ums_thread_yield(void *param)
{
	if (ums_check())
		return -1;
	if (!ums_self.worker)
		return ums_error(ENOTCONN);

	return yield((uintptr_t)param);
}
