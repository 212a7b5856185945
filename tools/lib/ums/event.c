// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: executing a worker, and the event that ends it
 *
 * The event of a scheduler whose processor has come back is in its slot. Nobody
 * writes there until it gives the processor away again.
 *
 * Nothing here locks or allocates.
 */
#include "internal.h"

/* A worker has yielded in user mode: nobody has looked at the clock */
static inline void read_yield(struct ums_event *event)
{
	const struct ums_context *self = ums_self.sched_slot;
	const struct ums_context *yielder;

	yielder = ums_slot(ums_self.sched_group, self->yielder);
	event->ctx = yielder->id;
	event->cookie = yielder->cookie;
	event->reason = UMS_REASON_YIELDED;
	event->cause = UMS_CAUSE_NONE;
	event->arg = self->param;
	event->time_ns = 0;
	event->cpu = 0;
	event->node = 0;
	event->seq = yielder->event_seq;
}

static UMS_NOINLINE void read_kernel_event(struct ums_event *event)
{
	const struct ums_context *self = ums_self.sched_slot;
	const struct ums_context *worker;

	worker = ums_slot(ums_self.sched_group, (__u32)self->event_ctx);
	event->ctx = self->event_ctx;
	event->cookie = worker->cookie;
	event->reason = self->event_reason;
	event->cause = self->event_cause;
	event->arg = self->event_arg;
	event->time_ns = self->event_time_ns;
	event->cpu = self->event_cpu;
	event->node = self->event_node;
	event->seq = self->event_seq;
}

/* The event of a @result of ums_execute(); returns its reason */
static inline int read_event(struct ums_event *event, int result)
{
	if (ums_likely(result & UMS_RETURN_USER)) {
		read_yield(event);
		return UMS_REASON_YIELDED;
	}
	read_kernel_event(event);
	return result;
}

int ums_run_for_event(struct ums_context_object *context,
		      struct ums_event *event)
{
	int result;

	if (!ums_is_of(context, ums_self.sched_group))
		return ums_refuse_execute(context);

	result = ums_execute(context);
	if (ums_unlikely(result < 0))
		return ums_fail(result);
	return read_event(event, result);
}

UMS_API int execute_ums_thread(ums_context_t *context)
{
	ums_activation_t *activation = &ums_self.activation;
	int result;

	if (!ums_is_of(context, ums_self.proc_group))
		return ums_refuse_call(context);

	result = ums_execute(context);
	if (ums_unlikely(result < 0))
		return ums_fail(result);

	ums_self.reason = read_event(&activation->event, result);
	activation->context = (void *)(uintptr_t)activation->event.cookie;
	ums_self.param = ums_self.reason == UMS_REASON_YIELDED ?
			 (void *)(uintptr_t)activation->event.arg :
			 activation->scheduler_param;
	/* Call the entry point anew: see scheduler.c, and why it is no setjmp() */
	__builtin_longjmp(ums_self.anchor, 1);
}
