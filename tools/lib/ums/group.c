// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: groups, the default group, and the kernel's contexts in them
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define DEFAULT_MAX_CONTEXTS	16384
#define MAX_CONTEXTS_VARIABLE	"UMS_MAX_CONTEXTS"
#define SWITCH_VARIABLE		"UMS_SWITCH"
#define SLEEP_VARIABLE		"UMS_SLEEP"

/* Written under ums_lock */
static struct ums_group_options default_options;
static struct ums_group *default_group;

static __u32 default_max_contexts(const struct ums_probe *probe)
{
	const char *text = secure_getenv(MAX_CONTEXTS_VARIABLE);
	unsigned long max = 0;
	char *end;

	if (text) {
		errno = 0;
		max = strtoul(text, &end, 0);
		if (errno || *end)
			max = 0;
	}
	if (!max)
		max = DEFAULT_MAX_CONTEXTS;
	return max < probe->max_contexts ? max : probe->max_contexts;
}

/* What the user of the program wants of every group */
static __u32 default_flags(void)
{
	const char *text = secure_getenv(SWITCH_VARIABLE);
	__u32 flags = 0;

	if (text && !strcmp(text, "kernel"))
		flags |= UMS_SETUP_KERNEL_SWITCH;
	text = secure_getenv(SLEEP_VARIABLE);
	if (text && !strcmp(text, "unmanaged"))
		flags |= UMS_SETUP_NO_MANAGED_SLEEP;
	return flags;
}

static int group_map(struct ums_group *group, const struct ums_setup *setup,
		     const struct ums_probe *probe)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = (setup->max_contexts + 1UL) * probe->slot_size;
	void *slots;

	size = (size + page - 1) / page * page;
	/* The vDSO writes to them */
	slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, group->fd,
		     0);
	if (slots == MAP_FAILED)
		return -1;

	group->slots = slots;
	group->slots_size = size;
	group->slot_size = probe->slot_size;
	return 0;
}

/* With ums_lock held */
static struct ums_group *group_create(const struct ums_group_options *options,
				      unsigned int flags)
{
	struct ums_setup setup = {
		.flags = flags | default_flags(),
		.max_contexts = options->max_contexts,
		.orphan_policy = options->orphan_policy,
	};
	struct ums_group *group;
	struct ums_probe probe;
	int error;

	if (ums_probe_kernel(&probe) || ums_self_setup())
		return NULL;

	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->incarnation = ums_incarnation;

	if (!setup.max_contexts)
		setup.max_contexts = default_max_contexts(&probe);
	group->fd = ums_kernel_ctl(UMS_CTL_SETUP, -1, &setup, sizeof(setup));
	if (group->fd < 0)
		goto err_free;
	if (group_map(group, &setup, &probe))
		goto err_close;

	group->next = ums_groups;
	ums_groups = group;
	return group;

err_close:
	error = errno;
	close(group->fd);
	errno = error;
err_free:
	error = errno;
	free(group);
	errno = error;
	return NULL;
}

/* That of the parent is not ours after a fork */
static struct ums_group *get_default_group(void)
{
	struct ums_group *group = ums_load(&default_group);

	return group && group->incarnation == ums_incarnation ? group : NULL;
}

struct ums_group *ums_group_or_default(struct ums_group *group)
{
	if (group)
		return ums_check_group(group) ? NULL : group;
	if (ums_check())
		return NULL;
	group = get_default_group();
	if (group)
		return group;

	pthread_mutex_lock(&ums_lock);
	group = get_default_group();
	if (!group) {
		group = group_create(&default_options, 0);
		ums_store(&default_group, group);
	}
	pthread_mutex_unlock(&ums_lock);
	return group;
}

UMS_API int ums_default_group(struct ums_group **group)
{
	struct ums_group *result;

	if (ums_check())
		return -1;
	if (!group)
		return ums_error(EINVAL);

	result = ums_group_or_default(NULL);
	if (!result)
		return -1;
	*group = result;
	return 0;
}

static bool options_valid(const struct ums_group_options *options)
{
	switch (options->orphan_policy) {
	case UMS_ORPHAN_RELEASE:
	case UMS_ORPHAN_KILL:
		return true;
	}
	return false;
}

UMS_API
int ums_configure_default_group(const struct ums_group_options *options)
{
	struct ums_probe probe;
	int error = 0;

	if (ums_probe_kernel(&probe))
		return -1;
	if (!options || !options_valid(options) ||
	    options->max_contexts > probe.max_contexts)
		return ums_error(EINVAL);

	pthread_mutex_lock(&ums_lock);
	if (get_default_group())
		error = EBUSY;
	else
		default_options = *options;
	pthread_mutex_unlock(&ums_lock);
	return error ? ums_error(error) : 0;
}

UMS_API int ums_group_create_flags(const struct ums_group_options *options,
				   unsigned int flags, struct ums_group **group)
{
	const struct ums_group_options defaults = { 0 };
	struct ums_group *result;
	__u32 setup = 0;

	if (ums_check())
		return -1;
	if (!group || (flags & ~(UMS_GROUP_KERNEL_SWITCH |
				 UMS_GROUP_NO_MANAGED_SLEEP)))
		return ums_error(EINVAL);
	if (flags & UMS_GROUP_KERNEL_SWITCH)
		setup |= UMS_SETUP_KERNEL_SWITCH;
	if (flags & UMS_GROUP_NO_MANAGED_SLEEP)
		setup |= UMS_SETUP_NO_MANAGED_SLEEP;

	pthread_mutex_lock(&ums_lock);
	result = group_create(options ? options : &defaults, setup);
	pthread_mutex_unlock(&ums_lock);
	if (!result)
		return -1;
	*group = result;
	return 0;
}

UMS_API int ums_group_create(const struct ums_group_options *options,
			     struct ums_group **group)
{
	return ums_group_create_flags(options, 0, group);
}

UMS_API int ums_group_destroy(struct ums_group *group)
{
	struct ums_group **link = &ums_groups;

	if (ums_check())
		return -1;
	if (!group)
		return 0;
	if (ums_check_group(group))
		return -1;

	pthread_mutex_lock(&ums_lock);
	if (group == default_group || ums_load(&group->objects)) {
		pthread_mutex_unlock(&ums_lock);
		return ums_error(EBUSY);
	}
	while (*link != group)
		link = &(*link)->next;
	*link = group->next;
	pthread_mutex_unlock(&ums_lock);

	munmap(group->slots, group->slots_size);
	close(group->fd);
	free(group);
	return 0;
}

UMS_API int ums_group_fd(struct ums_group *group)
{
	return ums_check_group(group) ? -1 : group->fd;
}

/* Slots up to @index are there from now on */
static void group_raise_top(struct ums_group *group, unsigned int index)
{
	unsigned int top = ums_load(&group->top);

	while (top < index &&
	       !__atomic_compare_exchange_n(&group->top, &top, index, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

int ums_kernel_ctx_create(struct ums_group *group, int node, void *cookie,
			  __u64 *ctx)
{
	struct ums_ctx_create create = { .cookie = (uintptr_t)cookie };

	if (node != UMS_NODE_ANY) {
		create.flags = UMS_CREATE_NODE;
		create.node = node;
	}
	if (ums_kernel_ctl(UMS_CTL_CTX_CREATE, group->fd, &create,
			   sizeof(create)))
		return -1;

	group_raise_top(group, (__u32)create.ctx);
	ums_inc(&group->objects);
	*ctx = create.ctx;
	return 0;
}

int ums_kernel_ctx_delete(struct ums_group *group, __u64 ctx)
{
	struct ums_ctx_delete delete = { .ctx = ctx };

	if (ums_kernel_ctl(UMS_CTL_CTX_DELETE, group->fd, &delete,
			   sizeof(delete)))
		return -1;

	ums_dec(&group->objects);
	return 0;
}
