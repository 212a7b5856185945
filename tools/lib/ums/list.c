// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: completion lists
 *
 * Items are taken through the kernel, which knows the events. The mapping of
 * the list tells without a system call that there are none. Workers that never
 * were in the kernel are on a list of our own, see woken.c.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* Events taken from the kernel at a time; on the stack of a scheduler */
#define BATCH	32

UMS_API int ums_list_create(struct ums_group *group, int node,
			    ums_completion_list_t **list)
{
	struct ums_list_create create = { 0 };
	struct ums_list_object *result;
	int error;

	if (ums_check())
		return -1;
	if (!list)
		return ums_error(EINVAL);
	group = ums_group_or_default(group);
	if (!group)
		return -1;

	result = calloc(1, sizeof(*result));
	if (!result)
		return -1;
	result->refs = 1;
	result->group = group;
	result->wake_fd = -1;

	if (node != UMS_NODE_ANY) {
		create.flags = UMS_CREATE_NODE;
		create.node = node;
	}
	result->fd = ums_kernel_ctl(UMS_CTL_LIST_CREATE, group->fd, &create,
				    sizeof(create));
	if (result->fd < 0)
		goto err_free;

	result->ring_size = create.mmap_size;
	result->ring = mmap(NULL, result->ring_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, result->fd, 0);
	if (result->ring == MAP_FAILED)
		goto err_close;

	ums_inc(&group->objects);
	*list = result;
	return 0;

err_close:
	error = errno;
	close(result->fd);
	errno = error;
err_free:
	error = errno;
	free(result);
	errno = error;
	return -1;
}

UMS_API int create_ums_completion_list(ums_completion_list_t **list)
{
	return ums_list_create(NULL, UMS_NODE_ANY, list);
}

void ums_list_free(struct ums_list_object *list)
{
	int error = errno;

	/* Not close(): no cancellation here */
	if (list->wake_fd >= 0)
		syscall(SYS_close, list->wake_fd);
	free(list);
	errno = error;
}

UMS_API int delete_ums_completion_list(ums_completion_list_t *list)
{
	if (ums_check())
		return -1;
	if (!list)
		return 0;
	if (ums_check_list(list))
		return -1;
	ums_list_drop_released(list);
	if (ums_load(&list->users))
		return ums_error(EBUSY);

	munmap(list->ring, list->ring_size);
	close(list->fd);
	ums_dec(&list->group->objects);
	ums_list_put(list);
	return 0;
}

UMS_API int get_ums_completion_list_event(ums_completion_list_t *list, int *fd)
{
	if (ums_check_list(list))
		return -1;
	if (!fd)
		return ums_error(EINVAL);

	*fd = list->fd;
	return 0;
}

int ums_list_read_kernel(struct ums_list_object *list, struct ums_event *events,
			 unsigned int nr, int timeout_ms)
{
	if (!timeout_ms && ums_list_kernel_is_empty(list))
		return ums_error(EAGAIN);

	return ums_kernel_dequeue(list->fd, events, nr, timeout_ms);
}

static int list_read(struct ums_list_object *list, struct ums_event *events,
		     unsigned int nr, int timeout_ms)
{
	if (ums_load(&list->lost) && ums_swap(&list->lost, false))
		return ums_error(EOVERFLOW);
	if (list->wake_fd >= 0)
		return ums_list_read_both(list, events, nr, timeout_ms);

	return ums_list_read_kernel(list, events, nr, timeout_ms);
}

UMS_API int ums_dequeue(ums_completion_list_t *list, struct ums_event *events,
			unsigned int nr, int timeout_ms)
{
	if (ums_check_list(list))
		return -1;
	if ((nr && !events) || timeout_ms < -1)
		return ums_error(EINVAL);

	return list_read(list, events, nr, timeout_ms);
}

UMS_API ums_context_t *ums_event_context(const struct ums_event *event)
{
	if (ums_check())
		return NULL;
	if (!event) {
		errno = EINVAL;
		return NULL;
	}

	return (void *)(uintptr_t)event->cookie;
}

UMS_API
int dequeue_ums_completion_list_items(ums_completion_list_t *list,
				      int timeout_ms, ums_context_t **head)
{
	struct ums_context_object **link = head;
	struct ums_event events[BATCH];
	int i, nr;

	if (head)
		*head = NULL;
	if (ums_check_list(list))
		return -1;
	if (!head || timeout_ms < -1)
		return ums_error(EINVAL);

	nr = list_read(list, events, BATCH, timeout_ms);
	if (nr < 0)
		return -1;

	/* A full batch: there may be more */
	while (nr > 0) {
		for (i = 0; i < nr; i++) {
			*link = (void *)(uintptr_t)events[i].cookie;
			link = &(*link)->next_item;
		}
		nr = nr < BATCH ? 0 : list_read(list, events, BATCH, 0);
	}
	*link = NULL;

	if (nr < 0 && errno == EOVERFLOW)
		ums_store(&list->lost, true);
	return 0;
}

UMS_API ums_context_t *get_next_ums_list_item(ums_context_t *item)
{
	if (ums_check_context(item))
		return NULL;

	return item->next_item;
}
