// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: system calls, and whether they can be made
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#ifndef __NR_ums_ctl
#define __NR_ums_ctl		548
#define __NR_ums_execute	549
#define __NR_ums_dequeue	550
#endif

#define MSEC_PER_SEC		1000
#define NSEC_PER_MSEC		1000000

long ums_kernel_ctl(unsigned int op, int fd, void *arg, size_t size)
{
	return syscall(__NR_ums_ctl, op, fd, arg, size);
}

long ums_kernel_execute(int group_fd, __u64 ctx, struct ums_event *event,
			unsigned int flags)
{
	return syscall(__NR_ums_execute, group_fd, ctx, event, flags);
}

long ums_kernel_dequeue(int list_fd, struct ums_event *events, unsigned int nr,
			int timeout_ms)
{
	struct timespec timeout;

	if (timeout_ms < 0)
		return syscall(__NR_ums_dequeue, list_fd, events, nr, NULL, 0);

	timeout.tv_sec = timeout_ms / MSEC_PER_SEC;
	timeout.tv_nsec = timeout_ms % MSEC_PER_SEC * (long)NSEC_PER_MSEC;
	return syscall(__NR_ums_dequeue, list_fd, events, nr, &timeout, 0);
}

UMS_API int ums_probe_kernel(struct ums_probe *probe)
{
	struct ums_probe answer = { 0 };

	if (ums_kernel_ctl(UMS_CTL_PROBE, -1, &answer, sizeof(answer)))
		return -1;
	if (!probe)
		return ums_error(EINVAL);

	*probe = answer;
	return 0;
}

int ums_check(void)
{
	static bool present;
	struct ums_probe probe;

	if (ums_load(&present))
		return 0;
	if (ums_probe_kernel(&probe))
		return -1;

	ums_store(&present, true);
	return 0;
}

int ums_check_group(const struct ums_group *group)
{
	if (ums_check())
		return -1;
	if (!group)
		return ums_error(EINVAL);
	if (group->incarnation != ums_incarnation)
		return ums_error(EXDEV);
	return 0;
}

int ums_check_list(const struct ums_list_object *list)
{
	return ums_check_group(list ? list->group : NULL);
}

int ums_check_context(const struct ums_context_object *context)
{
	return ums_check_group(context ? context->group : NULL);
}
