// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: giving the processor away, the short way
 *
 * A switch there and back in user mode takes about a hundred instructions in
 * the vDSO, so each one counts here. What is seldom needed, and the choice
 * among the errors, is in refuse.c: here it is only found out that there is one.
 * Nothing here locks or allocates.
 *
 * - One comparison says that the caller is a scheduler, and @context a worker
 *   of the same group: &ums_self.sched_group is NULL in any other thread.
 * - One says that the caller is a worker: &ums_self.worker_slot is never NULL,
 *   and the state in there is RUNNING only if it is. That matters, since the
 *   vDSO believes it, and would switch a plain thread. The kernel makes a plain
 *   thread of a worker when no scheduler is left; its slot is TERMINATED then,
 *   and is taken away from it before another context can get it, see
 *   context_take_slot().
 * - The vDSO needs no alignment of the stack, so this file is compiled without
 *   (Makefile). What else is called here is UMS_REALIGN.
 */
#include "internal.h"

UMS_API int ums_run(ums_context_t *context, struct ums_event *event)
{
	int result;

	if (ums_unlikely(event))
		return ums_run_for_event(context, event);
	if (!ums_is_of(context, ums_self.sched_group))
		return ums_refuse_execute(context);

	/* Negative are the reasons that the kernel gives, too */
	result = ums_execute(context) - UMS_RETURN_USER;
	if (ums_unlikely(result < 0))
		return ums_kernel_reason(result);
	return result;
}

UMS_API int ums_switch_to(ums_context_t *context)
{
	struct ums_context *self = ums_self.worker_slot;
	int result;

	if (ums_unlikely(self->state != UMS_STATE_RUNNING || !context ||
			 context->group != ums_self.worker->group))
		return ums_refuse_switch(context);

	result = ums_vdso.switch_to(self, context->slot);
	if (ums_unlikely(result < 0))
		return ums_fail(result);
	return result;
}

UMS_API int ums_thread_yield(void *param)
{
	struct ums_context *self = ums_self.worker_slot;
	int result;

	if (ums_unlikely(self->state != UMS_STATE_RUNNING))
		return ums_refuse_yield();

	result = ums_vdso.yield(self, (uintptr_t)param);
	if (ums_unlikely(result < 0))
		return ums_fail(result);
	return result;
}
