// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: groups.
 *
 * A group belongs to the process that set it up: one thread group in one
 * address space. Its file may end up elsewhere (fork, exec, SCM_RIGHTS); there
 * every use but close is refused.
 */
#include <linux/anon_inodes.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ums.h"

/**
 * ums_group_is_ours - May current use this group?
 * @group: The group.
 *
 * Both conditions are needed: a vfork child shares the address space, and a
 * process keeps its pid over exec.
 */
bool ums_group_is_ours(const struct ums_group *group)
{
	return group->mm == current->mm && group->tgid == task_tgid(current);
}

static void ums_group_free(struct ums_group *group)
{
	ums_watchdog_stop(group);
	ums_late_stop(group);
	ums_contexts_destroy(group);
	ums_slots_destroy(group);
	xa_destroy(&group->lists);
	mutex_destroy(&group->mutex);
	put_pid(group->tgid);
	mmdrop(group->mm);
	ums_limit_uncharge(group->ucounts);
	kfree(group);
}

/**
 * ums_group_put - Drop a reference
 * @group: The group; NULL and ERR_PTR() are ignored. May sleep.
 */
void ums_group_put(struct ums_group *group)
{
	if (!IS_ERR_OR_NULL(group) && refcount_dec_and_test(&group->refs))
		ums_group_free(group);
}

/**
 * ums_group_get_by_fd - Look a group up
 * @fd: From user space.
 *
 * Return: the group, counted; or ERR_PTR() of -EBADF (not open), -EBADFD (not
 * a group), -EXDEV (of another process).
 */
struct ums_group *ums_group_get_by_fd(int fd)
{
	struct ums_group *group;

	CLASS(fd, f)(fd);
	if (!fd_file(f))
		return ERR_PTR(-EBADF);
	if (fd_file(f)->f_op != &ums_group_fops)
		return ERR_PTR(-EBADFD);

	group = fd_file(f)->private_data;
	if (!ums_group_is_ours(group))
		return ERR_PTR(-EXDEV);

	refcount_inc(&group->refs);
	return group;
}

/**
 * ums_group_has_fd - Is that a file descriptor of a group?
 * @group: Group of current.
 * @fd: From user space.
 *
 * The file is not held, nor is any of it believed: it may just have been closed,
 * and be another one.
 *
 * Return: whether it is. If not, it may be one soon.
 */
bool ums_group_has_fd(const struct ums_group *group, int fd)
{
	struct file *file;

	guard(rcu)();
	file = files_lookup_fd_raw(current->files, fd);
	return file && READ_ONCE(file->f_op) == &ums_group_fops &&
	       READ_ONCE(file->private_data) == group;
}

static int ums_group_release(struct inode *inode, struct file *file)
{
	ums_group_put(file->private_data);
	return 0;
}

static vm_fault_t ums_group_fault(struct vm_fault *vmf)
{
	struct ums_group *group = vmf->vma->vm_file->private_data;
	struct page *page = ums_slot_page(group, vmf->pgoff);

	if (!page)
		return VM_FAULT_SIGBUS;

	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct ums_group_vm_ops = {
	.fault	= ums_group_fault,
};

static int ums_group_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ums_group *group = file->private_data;
	unsigned long size;

	if (!ums_group_is_ours(group))
		return -EXDEV;

	size = PAGE_ALIGN((group->max_contexts + 1UL) *
			  sizeof(struct ums_context));
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start > size)
		return -EINVAL;

	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	vma->vm_ops = &ums_group_vm_ops;
	return 0;
}

const struct file_operations ums_group_fops = {
	.release	= ums_group_release,
	.mmap		= ums_group_mmap,
	.show_fdinfo	= ums_group_show_fdinfo,
};

static struct ums_group *ums_group_alloc(const struct ums_setup *setup)
{
	struct ums_group *group;
	int err;

	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return ERR_PTR(-ENOMEM);
	group->max_contexts = setup->max_contexts;
	err = ums_table_alloc(group);
	if (err)
		goto err_free;
	err = ums_limit_charge(&group->ucounts);
	if (err)
		goto err_table;

	refcount_set(&group->refs, 1);
	mutex_init(&group->mutex);
	group->mm = current->mm;
	mmgrab(group->mm);
	group->tgid = get_pid(task_tgid(current));
	group->orphan_policy = setup->orphan_policy;
	group->user_switch = !(setup->flags & UMS_SETUP_KERNEL_SWITCH) &&
			     ums_arch_user_switch();
	xa_init_flags(&group->pages, XA_FLAGS_ACCOUNT);
	xa_init_flags(&group->lists, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&group->partial);
	INIT_LIST_HEAD(&group->vps);
	init_swait_queue_head(&group->served);
	group->managed_sleep = !(setup->flags & UMS_SETUP_NO_MANAGED_SLEEP);
	ums_late_init(group);
	group->watchdog_ms = setup->watchdog_ms;
	ums_watchdog_start(group);
	if (!ums_in_use())
		static_branch_enable(&ums_used);
	return group;

err_table:
	ums_table_free(group);
err_free:
	kfree(group);
	return ERR_PTR(err);
}

/**
 * ums_setup - UMS_CTL_SETUP
 * @fd: Must be -1.
 * @arg: &struct ums_setup.
 * @size: Of what @arg points to.
 *
 * Return: a file descriptor; -EINVAL, -EFAULT, -E2BIG for bad arguments,
 * -EOPNOTSUPP for a time slice, -EPERM if the administrator does not let current
 * have a group, -ENOSPC if the user has as many as he may, -ENOMEM, -EMFILE,
 * -ENFILE.
 */
long ums_setup(int fd, void __user *arg, size_t size)
{
	struct ums_setup setup;
	struct ums_group *group;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_setup) != 24);
	BUILD_BUG_ON(sizeof(struct ums_context) != 256);
	BUILD_BUG_ON(offsetof(struct ums_context, regs) != 64);
	BUILD_BUG_ON(sizeof(struct ums_regs) != 96);
	BUILD_BUG_ON(offsetof(struct ums_context, event_ctx) != 192);
	BUILD_BUG_ON(offsetof(struct ums_context, executed) != 240);

	err = ums_copy_arg(&setup, sizeof(setup), arg, size);
	if (err)
		return err;
	if (fd != -1 || (setup.flags & ~(UMS_SETUP_KERNEL_SWITCH |
					 UMS_SETUP_NO_MANAGED_SLEEP)))
		return -EINVAL;
	if (setup.watchdog_ms && setup.watchdog_ms < UMS_WATCHDOG_MIN_MS)
		return -EINVAL;
	if (!setup.max_contexts || setup.max_contexts > UMS_MAX_CONTEXTS)
		return -EINVAL;
	if (setup.orphan_policy > UMS_ORPHAN_KILL)
		return -EINVAL;
	if (setup.slice_ns)
		return -EOPNOTSUPP;

	group = ums_group_alloc(&setup);
	if (IS_ERR(group))
		return PTR_ERR(group);

	fd = anon_inode_getfd("[ums-group]", &ums_group_fops, group,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		ums_group_put(group);
	return fd;
}
