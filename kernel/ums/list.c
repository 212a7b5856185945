// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: completion lists.
 *
 * The queue is a ring of context ids in memory that user space has mapped too
 * and may take entries from by itself. The kernel owns the tail; the head is a
 * word that anybody advances by cmpxchg, and that may hold anything. So:
 *
 * - What is queued is known from &ums_ctx.unread and the head, never from the
 *   entries: an entry is only a hint which context to look at.
 * - A context needs no more than one entry. If it is queued again while its entry is
 *   still between head and tail (it was executed by somebody who knew its id),
 *   that entry serves. Hence the ring, which has room for all contexts of the
 *   group, only fills up when user space wrote to the head, or deletes
 *   contexts and never consumes what they left behind. Then the event is
 *   counted as lost, and ums_dequeue() says so once.
 *
 * Barriers: the entry is written before the tail, (A) for the kernel's own
 * consumers and (B) for those in user space. The head is advanced by a full
 * barrier on both sides. A consumer in user space that has taken an entry and
 * then executes the context takes &ums_ctx.lock in ums_execute(); so either
 * ums_list_queue(), which runs under that lock too, sees the new head, or the
 * consumer sees the new state.
 */
#include <linux/anon_inodes.h>
#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/topology.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <trace/events/ums.h>

#include "ums.h"

/**
 * ums_list_get_by_fd - Look a list up
 * @fd: From user space.
 *
 * Return: the list, counted; or ERR_PTR() of -EBADF (not open), -EBADFD (not
 * a list), -EXDEV (of another process).
 */
struct ums_list *ums_list_get_by_fd(int fd)
{
	struct ums_list *list;

	CLASS(fd, f)(fd);
	if (!fd_file(f))
		return ERR_PTR(-EBADF);
	if (fd_file(f)->f_op != &ums_list_fops)
		return ERR_PTR(-EBADFD);

	list = fd_file(f)->private_data;
	if (!ums_group_is_ours(list->group))
		return ERR_PTR(-EXDEV);

	refcount_inc(&list->refs);
	return list;
}

/**
 * ums_list_put - Drop a reference
 * @list: The list; NULL and ERR_PTR() are ignored. May sleep.
 */
void ums_list_put(struct ums_list *list)
{
	struct ums_group *group;

	if (IS_ERR_OR_NULL(list) || !refcount_dec_and_test(&list->refs))
		return;

	group = list->group;
	mutex_lock(&group->mutex);
	if (list->id)
		xa_erase(&group->lists, list->id);
	mutex_unlock(&group->mutex);
	irq_work_sync(&list->notify);
	vfree(list->ring);
	kfree(list);
	ums_group_put(group);
}

/**
 * ums_list_empty - Is there nothing to dequeue?
 * @list: The list. With its lock, or on its wait queue, nothing comes after that
 *	without a wakeup. Without, it is a hint.
 */
bool ums_list_empty(const struct ums_list *list)
{
	return READ_ONCE(list->ring->head) == READ_ONCE(list->tail);
}

/**
 * ums_list_lost - Note that an entry was lost
 * @list: The list; its lock is held.
 */
void ums_list_lost(struct ums_list *list)
{
	lockdep_assert_held(&list->lock);

	list->overflow = true;
	WRITE_ONCE(list->ring->lost, ++list->lost);
}

/* Is the entry that @ctx has, or had, still to be consumed? */
static bool ums_list_queued(struct ums_list *list, struct ums_ctx *ctx,
			    u32 head)
{
	u32 queued = list->tail - head;

	return ctx->ring_pos - head < queued && queued <= list->entries &&
	       READ_ONCE(list->ring->ctx[ctx->ring_pos &
					 (list->entries - 1)]) == ctx->id;
}

/* Makes room for one entry where a withdrawn one stands in the way. */
static bool ums_list_has_room(struct ums_list *list, u32 head)
{
	u32 queued = list->tail - head;

	if (queued < list->entries)
		return true;
	if (queued > list->entries ||
	    READ_ONCE(list->ring->ctx[head & (list->entries - 1)]))
		return false;

	/* If that fails somebody has just consumed an entry, most likely. */
	if (try_cmpxchg(&list->ring->head, &head, head + 1))
		return true;
	return list->tail - head < list->entries;
}

/* How many waiters are looked at for one that is near */
#define UMS_NEAR_WAITERS	16

/* Wakes one waiter for one more item, a near one if that is soon found. */
static void ums_list_wake_locked(struct ums_list *list)
{
	int this_cpu = raw_smp_processor_id();
	struct ums_waiter *waiter, *pick = NULL;
	unsigned int looked = 0;

	lockdep_assert_held(&list->lock);

	list_for_each_entry(waiter, &list->waiters, node) {
		if (!pick)
			pick = waiter;
		if (cpus_share_cache(waiter->cpu, this_cpu)) {
			pick = waiter;
			break;
		}
		if (++looked == UMS_NEAR_WAITERS)
			break;
	}
	if (!pick)
		return;

	list_del_init(&pick->node);
	list->nr_waiters--;
	/* It cannot return before it has taken the lock. */
	wake_up_process(pick->task);
}

/**
 * ums_list_wake_one - Wake one thread that sleeps in ums_dequeue(), if any
 * @list: The list.
 */
void ums_list_wake_one(struct ums_list *list)
{
	raw_spin_lock_irq(&list->lock);
	ums_list_wake_locked(list);
	raw_spin_unlock_irq(&list->lock);
}

/**
 * ums_list_queue - Queue a context whose event has to be read
 * @list: The list.
 * @ctx: The context; its lock is held, and its event set.
 *
 * Wakes one thread in ums_dequeue(). The caller calls ums_list_notify() as
 * soon as it has dropped the lock, or ums_list_notify_later() before.
 */
void ums_list_queue(struct ums_list *list, struct ums_ctx *ctx)
{
	struct ums_ring *ring = list->ring;
	u32 head;

	lockdep_assert_held(&ctx->lock);

	raw_spin_lock(&list->lock);
	head = READ_ONCE(ring->head);
	ctx->unread = true;
	if (!ums_list_queued(list, ctx, head)) {
		if (!ums_list_has_room(list, head)) {
			ums_list_lost(list);
			goto wake;
		}
		ctx->ring_pos = list->tail;
		WRITE_ONCE(ring->ctx[list->tail & (list->entries - 1)],
			   ctx->id);
		/* (A) Pairs with the acquire in ums_list_peek(). */
		smp_store_release(&list->tail, list->tail + 1);
		/* (B) Pairs with the acquire of a consumer in user space. */
		smp_store_release(&ring->tail, list->tail);
	}
	trace_ums_queue(list->id, ctx->id, ctx->seq);
wake:
	if (!list_empty(&list->waiters))
		ums_list_wake_locked(list);
	raw_spin_unlock(&list->lock);
}

/**
 * ums_list_has - Is a context on a list, and has nobody read of it?
 * @list: The list.
 * @ctx: The context; its lock is held.
 *
 * Return: whether it is.
 */
bool ums_list_has(struct ums_list *list, struct ums_ctx *ctx)
{
	bool has;

	lockdep_assert_held(&ctx->lock);

	raw_spin_lock(&list->lock);
	has = ctx->unread &&
	      ums_list_queued(list, ctx, READ_ONCE(list->ring->head));
	raw_spin_unlock(&list->lock);
	return has;
}

/**
 * ums_list_notify - Tell pollers that something was queued
 * @list: The list. No spinning lock is held.
 */
void ums_list_notify(struct ums_list *list)
{
	if (wq_has_sleeper(&list->wait))
		wake_up_interruptible_poll(&list->wait, EPOLLIN | EPOLLRDNORM);
}

static void ums_list_notify_work(struct irq_work *work)
{
	ums_list_notify(container_of(work, struct ums_list, notify));
}

/**
 * ums_list_notify_later - As ums_list_notify(), whatever locks are held
 * @list: The list. A thread is attached to it, and does not detach before this
 *	returns.
 *
 * The wakeup of a poller can lead to other wait queues (epoll), one of which may
 * be the caller's.
 */
void ums_list_notify_later(struct ums_list *list)
{
	if (wq_has_sleeper(&list->wait))
		irq_work_queue(&list->notify);
}

/**
 * ums_list_withdraw - Take a context that is being deleted off the list
 * @list: The list.
 * @ctx: The context; its lock is held.
 */
void ums_list_withdraw(struct ums_list *list, struct ums_ctx *ctx)
{
	struct ums_ring *ring = list->ring;

	lockdep_assert_held(&ctx->lock);

	raw_spin_lock(&list->lock);
	if (ums_list_queued(list, ctx, READ_ONCE(ring->head)))
		WRITE_ONCE(ring->ctx[ctx->ring_pos & (list->entries - 1)], 0);
	ctx->unread = false;
	raw_spin_unlock(&list->lock);
}

static int ums_list_release(struct inode *inode, struct file *file)
{
	ums_list_put(file->private_data);
	return 0;
}

static __poll_t ums_list_poll(struct file *file, struct poll_table_struct *pt)
{
	struct ums_list *list = file->private_data;

	poll_wait(file, &list->wait, pt);
	return ums_list_empty(list) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static vm_fault_t ums_list_fault(struct vm_fault *vmf)
{
	struct ums_list *list = vmf->vma->vm_file->private_data;
	struct page *page;

	if (vmf->pgoff >= list->ring_size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;

	page = vmalloc_to_page((void *)list->ring + (vmf->pgoff << PAGE_SHIFT));
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct ums_list_vm_ops = {
	.fault	= ums_list_fault,
};

static int ums_list_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ums_list *list = file->private_data;

	if (!ums_group_is_ours(list->group))
		return -EXDEV;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start > list->ring_size)
		return -EINVAL;

	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	vma->vm_ops = &ums_list_vm_ops;
	return 0;
}

const struct file_operations ums_list_fops = {
	.release	= ums_list_release,
	.mmap		= ums_list_mmap,
	.poll		= ums_list_poll,
	.show_fdinfo	= ums_list_show_fdinfo,
};

/* On success the list has one reference and a reference on @group. */
static struct ums_list *ums_list_alloc(struct ums_group *group, int node)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO;
	struct ums_list *list;
	int err;

	BUILD_BUG_ON(offsetof(struct ums_ring, tail) != 64);
	BUILD_BUG_ON(offsetof(struct ums_ring, ctx) != 128);

	list = kzalloc(sizeof(*list), GFP_KERNEL_ACCOUNT);
	if (!list)
		return ERR_PTR(-ENOMEM);

	refcount_set(&list->refs, 1);
	raw_spin_lock_init(&list->lock);
	INIT_LIST_HEAD(&list->waiters);
	init_waitqueue_head(&list->wait);
	init_irq_work(&list->notify, ums_list_notify_work);
	list->entries = roundup_pow_of_two(group->max_contexts);
	list->ring_size = PAGE_ALIGN(struct_size(list->ring, ctx,
						 list->entries));
	if (node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	list->ring = __vmalloc_node(list->ring_size, PAGE_SIZE, gfp, node,
				    __builtin_return_address(0));
	if (!list->ring) {
		kfree(list);
		return ERR_PTR(-ENOMEM);
	}
	list->ring->mask = list->entries - 1;

	refcount_inc(&group->refs);
	list->group = group;

	mutex_lock(&group->mutex);
	err = xa_alloc_cyclic(&group->lists, &list->id, list, xa_limit_31b,
			      &group->next_list_id, GFP_KERNEL);
	mutex_unlock(&group->mutex);
	if (err < 0) {
		list->id = 0;
		ums_list_put(list);
		return ERR_PTR(err);
	}
	return list;
}

/**
 * ums_list_create - UMS_CTL_LIST_CREATE
 * @fd: Of a group.
 * @arg: &struct ums_list_create.
 * @size: Of what @arg points to.
 *
 * Return: a file descriptor; -EINVAL, -EFAULT, -E2BIG for bad arguments,
 * errors of ums_group_get_by_fd(), -ENOMEM, -EMFILE, -ENFILE.
 */
long ums_list_create(int fd, void __user *arg, size_t size)
{
	struct ums_group *group __free(ums_group_put) = NULL;
	struct ums_list *list __free(ums_list_put) = NULL;
	struct ums_list_create create;
	struct file *file;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_list_create) != 24);

	err = ums_copy_arg(&create, sizeof(create), arg, size);
	if (err)
		return err;
	if (create.entries || create.id || create.mmap_size)
		return -EINVAL;
	err = ums_check_node(create.flags, &create.node);
	if (err)
		return err;
	group = ums_group_get_by_fd(fd);
	if (IS_ERR(group))
		return PTR_ERR(group);
	list = ums_list_alloc(group, create.node);
	if (IS_ERR(list))
		return PTR_ERR(list);

	if (!(create.flags & UMS_CREATE_NODE))
		create.node = 0;
	create.entries = list->entries;
	create.id = list->id;
	create.mmap_size = list->ring_size;
	if (copy_to_user(arg, &create, sizeof(create)))
		return -EFAULT;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile("[ums-list]", &ums_list_fops, NULL,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file->private_data = no_free_ptr(list);
	fd_install(fd, file);
	return fd;
}
