// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: the table of a group's contexts, by index.
 *
 * Every switch in the kernel looks a context up: two loads. The pages of the
 * table are allocated as contexts are created, and stay as long as the group;
 * who reads an entry holds RCU, who changes one holds &ums_group.mutex.
 */
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "ums.h"

static u32 ums_table_pages(const struct ums_group *group)
{
	return DIV_ROUND_UP(group->max_contexts + 1, UMS_CTXS_PER_PAGE);
}

/**
 * ums_table_alloc - Prepare a new group
 * @group: The group; its size is known.
 *
 * Return: 0 or -ENOMEM.
 */
int ums_table_alloc(struct ums_group *group)
{
	group->table = kvcalloc(ums_table_pages(group), sizeof(*group->table),
				GFP_KERNEL_ACCOUNT);
	return group->table ? 0 : -ENOMEM;
}

/**
 * ums_table_add - Enter a context
 * @group: Where; its mutex is held.
 * @ctx: The context; ready to be found.
 *
 * Return: 0 or -ENOMEM.
 */
int ums_table_add(struct ums_group *group, struct ums_ctx *ctx)
{
	u32 index = ums_ctx_index(ctx);
	struct ums_table_page **slot = &group->table[index / UMS_CTXS_PER_PAGE];
	struct ums_table_page *page = *slot;

	lockdep_assert_held(&group->mutex);

	if (!page) {
		/* From a slab, where kmemleak looks for contexts */
		page = kzalloc(sizeof(*page), GFP_KERNEL_ACCOUNT);
		if (!page)
			return -ENOMEM;
		/* Pairs with the dependency in ums_ctx_by_index(). */
		smp_store_release(slot, page);
	}
	rcu_assign_pointer(page->ctx[index % UMS_CTXS_PER_PAGE], ctx);
	return 0;
}

/**
 * ums_table_remove - Remove a context
 * @group: Where; its mutex is held.
 * @index: Its index.
 */
void ums_table_remove(struct ums_group *group, u32 index)
{
	struct ums_table_page *page = group->table[index / UMS_CTXS_PER_PAGE];

	lockdep_assert_held(&group->mutex);

	RCU_INIT_POINTER(page->ctx[index % UMS_CTXS_PER_PAGE], NULL);
}

/**
 * ums_table_next - Go through all contexts
 * @group: Of which; its mutex is held, or nobody else knows it.
 * @index: Where to go on, 0 to begin with.
 *
 * Return: the next context, or NULL.
 */
struct ums_ctx *ums_table_next(struct ums_group *group, u32 *index)
{
	while (*index <= group->max_contexts) {
		u32 at = *index % UMS_CTXS_PER_PAGE;
		struct ums_table_page *page;
		struct ums_ctx *ctx;

		page = group->table[*index / UMS_CTXS_PER_PAGE];
		if (!page) {
			*index += UMS_CTXS_PER_PAGE - at;
			continue;
		}
		++*index;
		ctx = rcu_dereference_protected(page->ctx[at], true);
		if (ctx)
			return ctx;
	}
	return NULL;
}

/**
 * ums_table_free - Free the table of a group that nobody uses
 * @group: The group.
 */
void ums_table_free(struct ums_group *group)
{
	u32 i;

	for (i = 0; i < ums_table_pages(group); i++)
		kfree(group->table[i]);
	kvfree(group->table);
}
