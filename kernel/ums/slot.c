// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: slot memory.
 *
 * Slots live in single pages that are allocated as contexts are created and
 * stay until the group goes: user space may have them mapped. A page lies on
 * one NUMA node. An index that is used again gets a new generation, so that a
 * stale id never finds somebody else's context.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "ums.h"

/**
 * struct ums_slot_page - A page of slots
 *
 * @partial: On &ums_group.partial while @used has a clear bit.
 * @page: The memory.
 * @number: Which page of the group's mapping it is; constant.
 * @node: NUMA node; constant.
 * @used: Bitmap of the slots in use.
 * @generation: Per slot, of the last context that had it.
 *
 * &ums_group.mutex protects all but the constants and @page.
 */
struct ums_slot_page {
	struct list_head	partial;
	struct page		*page;
	u32			number;
	u16			node;
	u16			used;
	u32			generation[UMS_SLOTS_PER_PAGE];
};

/* Slots of the last page may lie beyond the limit, and index 0 is not used. */
static unsigned long ums_slot_unusable(struct ums_group *group, u32 number)
{
	u64 last = (u64)group->max_contexts - (u64)number * UMS_SLOTS_PER_PAGE;
	unsigned long unusable = 0;

	if (number == 0)
		unusable |= BIT(0);
	if (last < UMS_SLOTS_PER_PAGE - 1)
		unusable |= GENMASK(UMS_SLOTS_PER_PAGE - 1, last + 1);

	return unusable;
}

static struct ums_slot_page *ums_slot_page_add(struct ums_group *group,
					       int node)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO;
	struct ums_slot_page *sp;
	int err;

	BUILD_BUG_ON(BITS_PER_TYPE(sp->used) < UMS_SLOTS_PER_PAGE);

	if ((u64)group->nr_pages * UMS_SLOTS_PER_PAGE > group->max_contexts)
		return ERR_PTR(-ENOSPC);

	sp = kzalloc(sizeof(*sp), GFP_KERNEL_ACCOUNT);
	if (!sp)
		return ERR_PTR(-ENOMEM);

	if (node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	sp->page = alloc_pages_node(node, gfp, 0);
	if (!sp->page) {
		kfree(sp);
		return ERR_PTR(-ENOMEM);
	}
	sp->number = group->nr_pages;
	sp->node = page_to_nid(sp->page);
	sp->used = ums_slot_unusable(group, sp->number);

	err = xa_err(xa_store(&group->pages, sp->number, sp, GFP_KERNEL));
	if (err) {
		put_page(sp->page);
		kfree(sp);
		return ERR_PTR(err);
	}
	group->nr_pages++;
	list_add(&sp->partial, &group->partial);

	return sp;
}

static struct ums_slot_page *ums_slot_page_find(struct ums_group *group,
						int node)
{
	struct ums_slot_page *sp;

	list_for_each_entry(sp, &group->partial, partial) {
		if (node == NUMA_NO_NODE || sp->node == node)
			return sp;
	}
	return ums_slot_page_add(group, node);
}

/**
 * ums_slot_alloc - Allocate a slot and the id that goes with it
 * @group: Where; its mutex is held.
 * @node: NUMA node of the memory, or NUMA_NO_NODE.
 * @id: Set to the id.
 * @slot: Set to the slot; zeroed.
 *
 * Return: 0, -ENOSPC if the group is full, or has no slot free on that node
 * and no page left to add, -ENOMEM.
 */
int ums_slot_alloc(struct ums_group *group, int node, u64 *id,
		   struct ums_context **slot)
{
	struct ums_slot_page *sp;
	unsigned int i;

	lockdep_assert_held(&group->mutex);

	sp = ums_slot_page_find(group, node);
	if (IS_ERR(sp))
		return PTR_ERR(sp);

	i = ffz(sp->used);
	sp->used |= BIT(i);
	if (sp->used == GENMASK(UMS_SLOTS_PER_PAGE - 1, 0))
		list_del_init(&sp->partial);

	if (!++sp->generation[i])
		sp->generation[i] = 1;
	*id = (u64)sp->generation[i] << 32 |
	      (sp->number * UMS_SLOTS_PER_PAGE + i);
	*slot = (struct ums_context *)page_address(sp->page) + i;
	memset(*slot, 0, sizeof(**slot));

	return 0;
}

/**
 * ums_slot_free - Free the slot of an index
 * @group: Where; its mutex is held.
 * @index: Low half of the id.
 */
void ums_slot_free(struct ums_group *group, u32 index)
{
	struct ums_slot_page *sp;

	lockdep_assert_held(&group->mutex);

	sp = xa_load(&group->pages, index / UMS_SLOTS_PER_PAGE);
	if (sp->used == GENMASK(UMS_SLOTS_PER_PAGE - 1, 0))
		list_add(&sp->partial, &group->partial);
	sp->used &= ~BIT(index % UMS_SLOTS_PER_PAGE);
}

/**
 * ums_slot_page - Page of the group's mapping
 * @group: Whose.
 * @pgoff: Which.
 *
 * Return: the page, not counted: it lives as long as the group; NULL where no
 * context was ever created.
 */
struct page *ums_slot_page(struct ums_group *group, pgoff_t pgoff)
{
	struct ums_slot_page *sp = xa_load(&group->pages, pgoff);

	return sp ? sp->page : NULL;
}

/**
 * ums_slots_destroy - Free all slot memory of a group that nobody uses
 * @group: Whose.
 */
void ums_slots_destroy(struct ums_group *group)
{
	struct ums_slot_page *sp;
	unsigned long number;

	xa_for_each(&group->pages, number, sp) {
		put_page(sp->page);
		kfree(sp);
		cond_resched();
	}
	xa_destroy(&group->pages);
}
