// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: threads that become schedulers, and the entry point of Windows
 *
 * The entry point is called anew on the stack from its start: the frames of
 * the call before are dropped by a jump out of execute_ums_thread(). That is
 * __builtin_setjmp() and __builtin_longjmp(), not those of the C library:
 *
 *  - They save frame, stack and place only, and the compiler treats all other
 *    registers as lost at the anchor: a few instructions for each event.
 *  - The compiler emits the landing pad and pops the shadow stack when
 *    -fcf-protection asks for it.
 *  - The anchor's frame stays in place, so its stack protector canary, its
 *    unwind tables (debuggers, exceptions, pthread_exit()) and the frames below
 *    stay valid. Those of the entry point are dropped without being unwound.
 *
 * Anchor and jump must not be in one function, and the anchor's function must
 * not return before the jump: hence UMS_NOINLINE, and call_entry_point()
 * returns only when scheduling mode ends.
 */
#include <string.h>

#include "internal.h"

UMS_API int ums_scheduler_enter(ums_completion_list_t *list)
{
	struct ums_attach attach = { .role = UMS_ROLE_SCHEDULER };
	int error;

	if (ums_check_list(list))
		return -1;
	ums_self_forget_released();
	if (ums_self.worker || ums_self.list)
		return ums_error(EBUSY);

	if (ums_self_register() ||
	    ums_kernel_ctx_create(list->group, UMS_NODE_ANY, NULL, &attach.ctx))
		return -1;
	if (ums_kernel_ctl(UMS_CTL_ATTACH, list->fd, &attach, sizeof(attach))) {
		error = errno;
		ums_kernel_ctx_delete(list->group, attach.ctx);
		return ums_error(error);
	}

	ums_inc(&list->users);
	ums_self.list = list;
	ums_self.id = attach.ctx;
	ums_self.sched_slot = ums_slot(list->group, (__u32)attach.ctx);
	ums_self.sched_group = list->group;
	return 0;
}

int ums_self_leave_scheduler(void)
{
	struct ums_list_object *list = ums_self.list;

	if (ums_kernel_ctl(UMS_CTL_DETACH, -1, NULL, 0))
		return -1;

	ums_kernel_ctx_delete(list->group, ums_self.id);
	ums_dec(&list->users);
	ums_self.list = NULL;
	ums_self.sched_group = NULL;
	ums_self.proc_group = NULL;
	ums_self.proc = NULL;
	return 0;
}

UMS_API int ums_scheduler_leave(void)
{
	if (ums_check())
		return -1;
	if (!ums_self.list || ums_self.proc)
		return ums_error(ENOTCONN);

	return ums_self_leave_scheduler();
}

static UMS_NOINLINE void call_entry_point(void)
{
	__builtin_setjmp(ums_self.anchor);
	ums_self.proc(ums_self.reason, &ums_self.activation, ums_self.param);
	/* No tail call, which clang would make: the frame has to stay */
	__asm__ volatile ("" : : : "memory");
}

static void leave(void *unused)
{
	(void)unused;
	ums_self_leave_scheduler();
}

UMS_API
int enter_ums_scheduling_mode(const struct ums_scheduler_startup_info *info)
{
	if (ums_check())
		return -1;
	if (!info || info->version != UMS_API_VERSION || !info->scheduler_proc)
		return ums_error(EINVAL);
	if (ums_scheduler_enter(info->completion_list))
		return -1;

	ums_self.proc_group = ums_self.sched_group;
	ums_self.proc = info->scheduler_proc;
	ums_self.reason = UMS_REASON_STARTUP;
	ums_self.param = info->scheduler_param;
	memset(&ums_self.activation, 0, sizeof(ums_self.activation));
	ums_self.activation.scheduler_param = info->scheduler_param;

	pthread_cleanup_push(leave, NULL);
	call_entry_point();
	pthread_cleanup_pop(1);
	return 0;
}
