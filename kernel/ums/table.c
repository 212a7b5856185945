// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: the table of a group's contexts, by index.
 *
 * An array that grows, since every switch in the kernel looks a context up: a
 * test and a load. Readers hold RCU; who changes it holds &ums_group.mutex.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/mm.h>

#include "ums.h"

#define UMS_TABLE_MIN	32U

static struct ums_table *ums_table_locked(struct ums_group *group)
{
	return rcu_dereference_protected(group->table,
					 lockdep_is_held(&group->mutex));
}

static struct ums_table *ums_table_grow(struct ums_group *group, u32 index)
{
	struct ums_table *old = ums_table_locked(group), *new;
	u32 size = max(UMS_TABLE_MIN, roundup_pow_of_two(index + 1));

	new = kvzalloc(struct_size(new, ctx, size), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	new->size = size;
	if (old)
		memcpy(new->ctx, old->ctx, flex_array_size(old, ctx, old->size));
	rcu_assign_pointer(group->table, new);
	if (old)
		kvfree_rcu(old, rcu);
	return new;
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
	struct ums_table *table = ums_table_locked(group);
	u32 index = ums_ctx_index(ctx);

	if (!table || index >= table->size)
		table = ums_table_grow(group, index);
	if (!table)
		return -ENOMEM;

	rcu_assign_pointer(table->ctx[index], ctx);
	return 0;
}

/**
 * ums_table_remove - Remove a context
 * @group: Where; its mutex is held.
 * @index: Its index.
 */
void ums_table_remove(struct ums_group *group, u32 index)
{
	RCU_INIT_POINTER(ums_table_locked(group)->ctx[index], NULL);
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
	struct ums_table *table = rcu_dereference_protected(group->table, true);

	while (table && *index < table->size) {
		struct ums_ctx *ctx;

		ctx = rcu_dereference_protected(table->ctx[(*index)++], true);
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
	kvfree(rcu_dereference_protected(group->table, true));
}
