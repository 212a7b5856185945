// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: information of threads, by the classes of Windows
 *
 * Priority and affinity are those of the kernel thread, and go to the kernel by
 * its thread id. All of a value is set, or nothing.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* First version of the kernel's struct sched_attr, which libc may not have */
struct sched_attr_v0 {
	__u32 size;
	__u32 sched_policy;
	__u64 sched_flags;
	__s32 sched_nice;
	__u32 sched_priority;
	__u64 sched_runtime;
	__u64 sched_deadline;
	__u64 sched_period;
};

static bool is_terminated(const struct ums_context_object *context)
{
	unsigned int state;

	return ums_load(&context->failed) ||
	       !ums_context_alive(context, &state) ||
	       state == UMS_STATE_TERMINATED;
}

/* Its thread id, or -1 and errno if there is no such thread */
static pid_t context_tid(const struct ums_context_object *context)
{
	if (is_terminated(context))
		return ums_error(ESRCH);
	if (ums_load(&context->slot->state) == UMS_STATE_CREATED)
		return ums_error(ENXIO);
	return ums_load(&context->slot->tid);
}

static int get_attr(pid_t tid, struct sched_attr_v0 *attr)
{
	return syscall(SYS_sched_getattr, tid, attr, sizeof(*attr), 0);
}

static int query_priority(ums_context_t *context, void *buffer)
{
	struct ums_thread_priority priority;
	pid_t tid = context_tid(context);
	struct sched_attr_v0 attr;

	if (tid < 0 || get_attr(tid, &attr))
		return -1;

	priority.policy = attr.sched_policy;
	priority.nice = attr.sched_nice;
	priority.priority = attr.sched_priority;
	memcpy(buffer, &priority, sizeof(priority));
	return 0;
}

static int set_priority(ums_context_t *context, const void *buffer)
{
	struct ums_thread_priority priority;
	pid_t tid = context_tid(context);
	struct sched_attr_v0 attr;

	if (tid < 0 || get_attr(tid, &attr))
		return -1;

	memcpy(&priority, buffer, sizeof(priority));
	attr.size = sizeof(attr);
	attr.sched_policy = priority.policy;
	attr.sched_nice = priority.nice;
	attr.sched_priority = priority.priority;
	return syscall(SYS_sched_setattr, tid, &attr, 0);
}

static int query_affinity(ums_context_t *context, void *buffer, size_t length,
			  size_t *return_length)
{
	pid_t tid = context_tid(context);
	long ret;

	if (tid < 0)
		return -1;

	/* The kernel takes whole words, and says EINVAL to too few */
	ret = syscall(SYS_sched_getaffinity, tid,
		      length / sizeof(long) * sizeof(long), buffer);
	if (ret < 0)
		return errno == EINVAL ? ums_error(ERANGE) : -1;

	memset((char *)buffer + ret, 0, length - ret);
	if (return_length)
		*return_length = ret;
	return 0;
}

static int query_thread(ums_context_t *context, void *buffer)
{
	unsigned int state;

	if (!ums_load(&context->used) || ums_load(&context->failed) ||
	    (ums_context_alive(context, &state) && state == UMS_STATE_CREATED))
		return ums_error(ENXIO);

	memcpy(buffer, &context->thread, sizeof(context->thread));
	return 0;
}

/* Size of the value of a class; 0 for one of no fixed size, -1 without any */
static long class_size(enum ums_thread_info_class info_class)
{
	switch (info_class) {
	case UMS_THREAD_USER_CONTEXT:
		return sizeof(void *);
	case UMS_THREAD_PRIORITY:
		return sizeof(struct ums_thread_priority);
	case UMS_THREAD_AFFINITY:
		return 0;
	case UMS_THREAD_TEB:
		return sizeof(pthread_t);
	case UMS_THREAD_IS_SUSPENDED:
	case UMS_THREAD_IS_TERMINATED:
		return sizeof(bool);
	case UMS_THREAD_INVALID_INFO_CLASS:
	case UMS_THREAD_MAX_INFO_CLASS:
		break;
	}
	return ums_error(EINVAL);
}

static int query_fixed(ums_context_t *context,
		       enum ums_thread_info_class info_class, void *buffer)
{
	unsigned int state;
	bool flag;
	void *user;

	switch (info_class) {
	case UMS_THREAD_PRIORITY:
		return query_priority(context, buffer);
	case UMS_THREAD_TEB:
		return query_thread(context, buffer);
	case UMS_THREAD_IS_SUSPENDED:
		flag = ums_context_alive(context, &state) &&
		       state == UMS_STATE_SUSPENDED;
		memcpy(buffer, &flag, sizeof(flag));
		return 0;
	case UMS_THREAD_IS_TERMINATED:
		flag = is_terminated(context);
		memcpy(buffer, &flag, sizeof(flag));
		return 0;
	default:
		user = ums_load(&context->user);
		memcpy(buffer, &user, sizeof(user));
		return 0;
	}
}

UMS_API
int query_ums_thread_information(ums_context_t *context,
				 enum ums_thread_info_class info_class,
				 void *buffer, size_t length,
				 size_t *return_length)
{
	long size;

	if (ums_check_context(context))
		return -1;
	size = class_size(info_class);
	if (size < 0)
		return -1;
	if (!buffer)
		return ums_error(EINVAL);
	if (!size)
		return query_affinity(context, buffer, length, return_length);

	if (return_length)
		*return_length = size;
	if (length < (size_t)size)
		return ums_error(ERANGE);
	return query_fixed(context, info_class, buffer);
}

UMS_API
int set_ums_thread_information(ums_context_t *context,
			       enum ums_thread_info_class info_class,
			       const void *buffer, size_t length)
{
	void *user;
	pid_t tid;
	long size;

	if (ums_check_context(context))
		return -1;
	size = class_size(info_class);
	if (size < 0)
		return -1;
	if (!buffer || (size && length != (size_t)size))
		return ums_error(EINVAL);

	switch (info_class) {
	case UMS_THREAD_USER_CONTEXT:
		memcpy(&user, buffer, sizeof(user));
		ums_store(&context->user, user);
		return 0;
	case UMS_THREAD_PRIORITY:
		return set_priority(context, buffer);
	case UMS_THREAD_AFFINITY:
		tid = context_tid(context);
		return tid < 0 ? -1 : (int)syscall(SYS_sched_setaffinity, tid,
						   length, buffer);
	default:
		return ums_error(EACCES);
	}
}

/* Its role, of all that is attached in this process */
static enum ums_role thread_role(pid_t tid)
{
	enum ums_role role = UMS_ROLE_NONE;
	struct ums_context *slot;
	struct ums_group *group;
	unsigned int i, state;

	pthread_mutex_lock(&ums_lock);
	for (group = ums_groups; group; group = group->next) {
		for (i = 1; i <= ums_load(&group->top); i++) {
			slot = ums_slot(group, i);
			state = ums_load(&slot->state);
			if (state != UMS_STATE_FREE &&
			    state != UMS_STATE_CREATED &&
			    state != UMS_STATE_TERMINATED &&
			    ums_load(&slot->tid) == (__u32)tid)
				role = ums_load(&slot->role);
		}
	}
	pthread_mutex_unlock(&ums_lock);
	return role;
}

UMS_API int
get_ums_system_thread_information(pid_t tid,
				  struct ums_system_thread_information *info)
{
	enum ums_role role;

	if (ums_check())
		return -1;
	if (!info || info->version != UMS_API_VERSION || tid < 0)
		return ums_error(EINVAL);
	if (!tid)
		tid = gettid();
	if (syscall(SYS_tgkill, getpid(), tid, 0))
		return -1;

	role = thread_role(tid);
	info->is_ums_scheduler_thread = role == UMS_ROLE_SCHEDULER;
	info->is_ums_worker_thread = role == UMS_ROLE_WORKER;
	return 0;
}
