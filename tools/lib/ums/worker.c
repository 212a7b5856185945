// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: threads that become workers
 */
#include <stdlib.h>

#include "internal.h"

/* The context gets its one and only thread, and a reference for it */
static int context_claim(struct ums_context_object *context,
			 struct ums_list_object *list)
{
	if (ums_check_list(list) || ums_check_context(context))
		return -1;
	if (context->group != list->group)
		return ums_error(EXDEV);
	if (ums_swap(&context->used, true))
		return ums_error(EBUSY);

	ums_inc(&list->users);
	ums_inc(&context->refs);
	context->list = list;
	return 0;
}

static void context_unclaim(struct ums_context_object *context)
{
	ums_dec(&context->list->users);
	context->list = NULL;
	ums_store(&context->used, false);
	ums_context_put(context);
}

/* Returns as a worker, when it is first executed */
static int worker_attach(struct ums_context_object *context)
{
	struct ums_attach attach = {
		.role = UMS_ROLE_WORKER,
		.ctx = context->id,
	};

	if (ums_self_register())
		return -1;

	context->thread = pthread_self();
	ums_self_set_worker(context);
	if (ums_kernel_ctl(UMS_CTL_ATTACH, context->list->fd, &attach,
			   sizeof(attach))) {
		ums_self_clear_worker();
		return -1;
	}
	return 0;
}

static void *worker_start(void *arg)
{
	struct ums_context_object *context = arg;

	if (worker_attach(context)) {
		ums_store(&context->failed, true);
		ums_context_put(context);
		return UMS_NOT_STARTED;
	}
	return context->start_routine(context->arg);
}

UMS_API int ums_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			       ums_completion_list_t *list,
			       ums_context_t *context,
			       void *(*start_routine)(void *), void *arg)
{
	int error;

	if (ums_check())
		return -1;
	if (!thread || !start_routine)
		return ums_error(EINVAL);
	if (context_claim(context, list))
		return -1;

	context->start_routine = start_routine;
	context->arg = arg;
	error = pthread_create(thread, attr, worker_start, context);
	if (error) {
		context_unclaim(context);
		return ums_error(error);
	}
	return 0;
}

static int spawn_detached(struct ums_list_object *list,
			  struct ums_context_object *context,
			  void *(*start_routine)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error, ret;

	error = pthread_attr_init(&attr);
	if (error)
		return ums_error(error);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = ums_pthread_create(&thread, &attr, list, context, start_routine,
				 arg);
	pthread_attr_destroy(&attr);
	return ret;
}

UMS_API int ums_spawn(ums_completion_list_t *list,
		      void *(*start_routine)(void *), void *arg, void *user,
		      ums_context_t **context, pthread_t *thread)
{
	struct ums_context_object *result;
	int error, ret;

	if (ums_check_list(list))
		return -1;
	if (!start_routine)
		return ums_error(EINVAL);
	if (ums_context_create(list->group, UMS_NODE_ANY, &result))
		return -1;

	result->user = user;
	if (context)
		*context = result;
	if (thread)
		ret = ums_pthread_create(thread, NULL, list, result,
					 start_routine, arg);
	else
		ret = spawn_detached(list, result, start_routine, arg);
	if (ret) {
		error = errno;
		if (context)
			*context = NULL;
		delete_ums_thread_context(result);
		return ums_error(error);
	}
	return 0;
}

UMS_API int ums_worker_enter(ums_completion_list_t *list,
			     ums_context_t *context)
{
	int error;

	if (ums_check())
		return -1;
	ums_self_forget_released();
	if (ums_self.worker || ums_self.list)
		return ums_error(EBUSY);
	if (context_claim(context, list))
		return -1;

	if (worker_attach(context)) {
		error = errno;
		context_unclaim(context);
		return ums_error(error);
	}
	return 0;
}

UMS_API int ums_worker_leave(void)
{
	struct ums_context_object *worker = ums_self.worker;

	if (ums_check())
		return -1;
	if (!worker)
		return ums_error(ENOTCONN);
	if (ums_kernel_ctl(UMS_CTL_DETACH, -1, NULL, 0))
		return -1;

	ums_self_clear_worker();
	ums_context_put(worker);
	return 0;
}

UMS_API ums_context_t *get_current_ums_thread(void)
{
	struct ums_context_object *worker = ums_self.worker;
	unsigned int state;

	if (ums_check())
		return NULL;
	if (!worker || !ums_context_alive(worker, &state) ||
	    state == UMS_STATE_TERMINATED) {
		errno = ENOTCONN;
		return NULL;
	}
	return worker;
}
