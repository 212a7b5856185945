// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers: have tests that were written for switches by system call
 * switch in user mode, see UMS_TEST_SWITCH in common.h.
 *
 * A call goes to the vDSO if its slot is known: the calling thread attached by
 * ut_attach(), the group was opened by ut_base_open(), and the slot has the
 * context. What is to fail goes to the kernel as it is.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "user.h"

#define MAX_BASES	16

/* Lists other than the base's are not known: their threads use the kernel */
static struct ut_base *bases[MAX_BASES];
static __thread struct ums_context *my_slot;
static __thread struct ut_base *my_base;

static void forget(void)
{
	my_slot = NULL;
	my_base = NULL;
}

bool ut_user_mode(void)
{
	static int known;
	const char *mode;

	if (!known) {
		mode = getenv("UMS_TEST_SWITCH");
		known = mode && !strcmp(mode, "user") && uu_init() ? 1 : -1;
		if (known == 1)
			pthread_atfork(NULL, NULL, forget);
	}
	return known == 1;
}

void uu_mode_opened(struct ut_base *base)
{
	unsigned int i;

	if (!ut_user_mode())
		return;
	for (i = 0; i < MAX_BASES; i++) {
		if (!bases[i]) {
			bases[i] = base;
			break;
		}
	}
}

void uu_mode_closed(struct ut_base *base)
{
	unsigned int i;

	for (i = 0; i < MAX_BASES; i++)
		if (bases[i] == base)
			bases[i] = NULL;
}

static bool has_slot(struct ut_base *base, __u64 ctx)
{
	size_t index = (__u32)ctx;

	return index && (index + 1) * sizeof(*base->slots) <= base->slots_size &&
	       ut_slot_state(base, ctx) != UMS_STATE_FREE &&
	       UT_LOAD(ut_slot(base, ctx)->id) == ctx;
}

void uu_mode_attached(int list, __u64 ctx)
{
	unsigned int i;

	for (i = 0; i < MAX_BASES; i++) {
		if (bases[i] && bases[i]->list == list) {
			my_base = bases[i];
			my_slot = ut_slot(my_base, ctx);
		}
	}
}

void uu_mode_detached(void)
{
	forget();
}

/* What came back by a user switch has no event: make one up */
static long user_event(struct ums_event *event)
{
	struct ums_context *from = &my_base->slots[my_slot->yielder];

	memset(event, 0, sizeof(*event));
	event->ctx = from->id;
	event->cookie = from->cookie;
	event->reason = UMS_REASON_YIELDED;
	event->arg = my_slot->param;
	event->seq = from->event_seq;
	return event->reason;
}

static long kernel_event(struct ums_event *event)
{
	event->ctx = my_slot->event_ctx;
	event->cookie = my_base->slots[(__u32)event->ctx].cookie;
	event->reason = my_slot->event_reason;
	event->cause = my_slot->event_cause;
	event->arg = my_slot->event_arg;
	event->time_ns = my_slot->event_time_ns;
	event->cpu = my_slot->event_cpu;
	event->node = my_slot->event_node;
	event->seq = my_slot->event_seq;
	return event->reason;
}

bool uu_mode_execute(int group, __u64 ctx, struct ums_event *event, long *ret)
{
	struct ums_event unused;

	if (!my_slot || my_base->group != group || !has_slot(my_base, ctx) ||
	    ut_slot(my_base, ctx)->role != UMS_ROLE_WORKER ||
	    my_slot->id == ctx)
		return false;
	if (my_slot->role == UMS_ROLE_WORKER) {
		*ret = uu.switch_to(my_slot, ut_slot(my_base, ctx));
		return true;
	}

	*ret = uu.execute(my_slot, ut_slot(my_base, ctx));
	if (*ret == (UMS_REASON_YIELDED | UMS_RETURN_USER))
		*ret = user_event(event ?: &unused);
	else if (*ret >= 0)
		*ret = kernel_event(event ?: &unused);
	return true;
}

bool uu_mode_yield(__u64 param, long *ret)
{
	if (!my_slot || my_slot->role != UMS_ROLE_WORKER ||
	    UT_LOAD(my_slot->state) != UMS_STATE_RUNNING)
		return false;
	*ret = uu.yield(my_slot, param);
	return true;
}
