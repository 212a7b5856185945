// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: contexts of workers
 *
 * An object lives until its user has deleted it and its worker, who may go on
 * as an ordinary thread, is gone. So does the group, whose mapping it looks at.
 */
#include <stdlib.h>

#include "internal.h"

UMS_API int ums_context_create(struct ums_group *group, int node,
			       ums_context_t **context)
{
	struct ums_context_object *result;
	int error;

	if (ums_check())
		return -1;
	if (!context)
		return ums_error(EINVAL);
	group = ums_group_or_default(group);
	if (!group)
		return -1;

	result = calloc(1, sizeof(*result));
	if (!result)
		return -1;
	if (ums_kernel_ctx_create(group, node, result, &result->id)) {
		error = errno;
		free(result);
		return ums_error(error);
	}

	result->group = group;
	result->slot = ums_slot(group, (__u32)result->id);
	result->refs = 1;
	ums_inc(&group->objects);
	*context = result;
	return 0;
}

UMS_API int create_ums_thread_context(ums_context_t **context)
{
	return ums_context_create(NULL, UMS_NODE_ANY, context);
}

void ums_context_put(struct ums_context_object *context)
{
	if (ums_dec(&context->refs))
		return;

	ums_dec(&context->group->objects);
	free(context);
}

/* A thread was started with it, and has not attached to it so far */
static bool context_starting(const struct ums_context_object *context)
{
	unsigned int state;

	return ums_load(&context->used) && !ums_load(&context->failed) &&
	       ums_context_alive(context, &state) &&
	       state == UMS_STATE_CREATED;
}

/* The kernel's rule: nobody is attached to it, or ever will be */
static bool context_deletable(const struct ums_context_object *context)
{
	unsigned int state = ums_load(&context->slot->state);

	return state == UMS_STATE_TERMINATED ||
	       (state == UMS_STATE_CREATED && !context_starting(context));
}

/*
 * A thread that was its worker, and is still there, tells by the slot that it is
 * none any more. Another context may get that slot.
 */
static void context_take_slot(struct ums_context_object *context)
{
	pthread_mutex_lock(&ums_lock);
	if (context->self)
		ums_store(&context->self->worker_slot, &ums_no_slot);
	pthread_mutex_unlock(&ums_lock);
}

UMS_API int delete_ums_thread_context(ums_context_t *context)
{
	if (ums_check())
		return -1;
	if (!context)
		return 0;
	if (ums_check_context(context))
		return -1;
	if (!context_deletable(context))
		return ums_error(EBUSY);
	context_take_slot(context);
	if (ums_kernel_ctx_delete(context->group, context->id))
		return -1;

	if (context->list)
		ums_dec(&context->list->users);
	ums_context_put(context);
	return 0;
}

UMS_API void *ums_context_user(ums_context_t *context)
{
	if (ums_check_context(context))
		return NULL;

	return ums_load(&context->user);
}

UMS_API __u64 ums_context_id(ums_context_t *context)
{
	if (ums_check_context(context))
		return 0;

	return context->id;
}

static int query(const struct ums_context_object *context, __u32 info_class,
		 struct ums_info *info)
{
	*info = (struct ums_info){
		.ctx = context->id,
		.info_class = info_class,
	};
	return ums_kernel_ctl(UMS_CTL_QUERY, context->group->fd, info,
			      sizeof(*info));
}

UMS_API int ums_context_switches(ums_context_t *context,
				 struct ums_switches *switches)
{
	struct ums_info info;

	if (ums_check_context(context))
		return -1;
	if (!switches)
		return ums_error(EINVAL);

	if (query(context, UMS_INFO_SWITCHES, &info))
		return -1;
	*switches = info.switches;
	return 0;
}

UMS_API int ums_context_stats(ums_context_t *context, struct ums_stats *stats)
{
	struct ums_switches switches;
	struct ums_info info;
	__u64 left;

	if (ums_check_context(context))
		return -1;
	if (!stats)
		return ums_error(EINVAL);

	/* The kernel does not see switches in user mode, but for their number */
	if (ums_context_switches(context, &switches) ||
	    query(context, UMS_INFO_STATS, &info))
		return -1;
	*stats = info.stats;
	stats->yielded += switches.user;
	left = stats->blocked + stats->yielded + stats->preempted;
	if (stats->executed < left)
		stats->executed = left;
	return 0;
}
