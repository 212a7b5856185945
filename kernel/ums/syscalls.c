// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: ums_ctl().
 *
 * Arguments are checked before the file descriptor, and nothing is changed
 * until all is known to be good.
 */
#include <linux/nodemask.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include "ums.h"

/**
 * ums_copy_arg - Copy the argument of an operation in
 * @karg: Where to.
 * @ksize: Size of the first version of the structure.
 * @arg: From user space.
 * @usize: Its size.
 *
 * Return: 0; -EINVAL if it is too short, -E2BIG if it is longer than a page or
 * what is unknown is not zero, -EFAULT.
 */
int ums_copy_arg(void *karg, size_t ksize, void __user *arg, size_t usize)
{
	if (usize < ksize)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;

	return copy_struct_from_user(karg, ksize, arg, usize);
}

/**
 * ums_check_node - Check the NUMA node of something to be created
 * @flags: %UMS_CREATE_NODE says that @node means something.
 * @node: In: what the user said. Out: a node with memory or NUMA_NO_NODE.
 *
 * Return: 0 or -EINVAL.
 */
int ums_check_node(u32 flags, int *node)
{
	if (flags & ~UMS_CREATE_NODE)
		return -EINVAL;

	if (!(flags & UMS_CREATE_NODE)) {
		if (*node)
			return -EINVAL;
		*node = NUMA_NO_NODE;
		return 0;
	}

	if (*node < 0 || *node >= MAX_NUMNODES || !node_state(*node, N_MEMORY))
		return -EINVAL;
	return 0;
}

static long ums_probe(int fd, void __user *arg, size_t size)
{
	struct ums_probe probe;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_probe) != 32);

	err = ums_copy_arg(&probe, sizeof(probe), arg, size);
	if (err)
		return err;
	if (fd != -1 || memchr_inv(&probe, 0, sizeof(probe)))
		return -EINVAL;

	probe.abi_version = UMS_ABI_VERSION;
	probe.last_op = UMS_CTL_SET;
	probe.features = UMS_FEATURE_KERNEL_SWITCH | UMS_FEATURE_NODE |
			 UMS_FEATURE_WATCHDOG | UMS_FEATURE_MANAGED_SLEEP;
	if (ums_arch_user_switch())
		probe.features |= UMS_FEATURE_USER_SWITCH;
	probe.slot_size = sizeof(struct ums_context);
	probe.event_size = sizeof(struct ums_event);
	probe.max_contexts = UMS_MAX_CONTEXTS;

	return copy_to_user(arg, &probe, sizeof(probe)) ? -EFAULT : 0;
}

/**
 * sys_ums_ctl - Set up and control user-mode scheduling
 * @op: One of &enum ums_ctl_op.
 * @fd: A group or a list, as @op wants it; -1 where it wants none.
 * @arg: The structure that belongs to @op.
 * @size: Its size.
 *
 * Return: see the operations; -EINVAL for an unknown one, -EOPNOTSUPP for one
 * that this version does not implement.
 */
SYSCALL_DEFINE4(ums_ctl, unsigned int, op, int, fd, void __user *, arg,
		size_t, size)
{
	switch (op) {
	case UMS_CTL_PROBE:
		return ums_probe(fd, arg, size);
	case UMS_CTL_SETUP:
		return ums_setup(fd, arg, size);
	case UMS_CTL_LIST_CREATE:
		return ums_list_create(fd, arg, size);
	case UMS_CTL_CTX_CREATE:
		return ums_ctx_create(fd, arg, size);
	case UMS_CTL_CTX_DELETE:
		return ums_ctx_delete(fd, arg, size);
	case UMS_CTL_ATTACH:
		return ums_attach(fd, arg, size);
	case UMS_CTL_DETACH:
		return ums_detach(fd, arg, size);
	case UMS_CTL_YIELD:
		return ums_yield(fd, arg, size);
	case UMS_CTL_QUERY:
		return ums_ctx_query(fd, arg, size);
	case UMS_CTL_SET:
		return ums_ctx_set(fd, arg, size);
	case UMS_CTL_SUSPEND:
	case UMS_CTL_RESUME:
	case UMS_CTL_PREEMPT:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}
