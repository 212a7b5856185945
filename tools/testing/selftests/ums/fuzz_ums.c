// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: the system calls of UMS and its functions in the vDSO.
 */
#include <string.h>

#include "fuzz.h"

/* What a thread believes that it is can be wrong: its group was given up */
static long noted(struct fuzz_thread *self, long ret)
{
	if (ret == -ENOTCONN)
		UT_STORE(self->role, UMS_ROLE_NONE);
	return ret;
}

static long op_probe(struct fuzz_thread *self)
{
	struct ums_probe probe = {};

	return fuzz_ctl(self, UMS_CTL_PROBE, -1, &probe, sizeof(probe));
}

static long op_setup(struct fuzz_thread *self)
{
	static const unsigned int sizes[] = { 1, 3, 15, 16, 31, 63, 63, 65535 };
	struct ums_setup setup = {
		.flags = (fuzz_one_in(self, 4) ? UMS_SETUP_KERNEL_SWITCH : 0) |
			 (fuzz_one_in(self, 4) ? UMS_SETUP_NO_MANAGED_SLEEP : 0),
		.max_contexts = sizes[fuzz_below(self, ARRAY_SIZE(sizes))],
		.orphan_policy = fuzz_one_in(self, 16),
		.watchdog_ms = fuzz_one_in(self, 4) ? UMS_WATCHDOG_MIN_MS : 0,
	};
	long ret = fuzz_ctl(self, UMS_CTL_SETUP, -1, &setup, sizeof(setup));

	if (ret >= 0)
		fuzz_set_group(fuzz_below(self, FUZZ_GROUPS), ret,
			       setup.max_contexts);
	return ret;
}

static long op_list_create(struct fuzz_thread *self)
{
	struct ums_list_create create = {
		.flags = fuzz_one_in(self, 4) ? UMS_CREATE_NODE : 0,
	};
	unsigned int group = fuzz_below(self, FUZZ_GROUPS);
	long ret;

	if (create.flags)
		create.node = fuzz_below(self, 2);
	ret = fuzz_ctl(self, UMS_CTL_LIST_CREATE, fuzz_group_fd(self, group),
		       &create, sizeof(create));
	if (ret >= 0)
		fuzz_set_list(fuzz_below(self, FUZZ_LISTS), group, ret,
			      create.mmap_size);
	return ret;
}

static long new_context(struct fuzz_thread *self, unsigned int group,
			__u64 *ctx)
{
	struct ums_ctx_create create = {
		.flags = fuzz_one_in(self, 4) ? UMS_CREATE_NODE : 0,
		.cookie = fuzz_number(self),
	};
	long ret;

	if (create.flags)
		create.node = fuzz_below(self, 2);
	ret = fuzz_ctl(self, UMS_CTL_CTX_CREATE, fuzz_group_fd(self, group),
		       &create, sizeof(create));
	if (!ret) {
		*ctx = create.ctx;
		fuzz.group[group].ids[fuzz_below(self, FUZZ_IDS)] = create.ctx;
	}
	return ret;
}

/* Contexts that are not used any more, to make room */
static void delete_contexts(struct fuzz_thread *self, unsigned int group)
{
	struct ums_ctx_delete del;
	unsigned int i;

	for (i = 0; i < FUZZ_IDS; i++) {
		del.ctx = fuzz.group[group].ids[i];
		fuzz_ctl(self, UMS_CTL_CTX_DELETE, fuzz_group_fd(self, group),
			 &del, sizeof(del));
	}
}

static long op_ctx_create(struct fuzz_thread *self)
{
	__u64 ctx;

	return new_context(self, fuzz_below(self, FUZZ_GROUPS), &ctx);
}

static long op_ctx_delete(struct fuzz_thread *self)
{
	unsigned int group = fuzz_below(self, FUZZ_GROUPS);
	struct ums_ctx_delete del = {
		.ctx = fuzz_id(self, group),
	};

	return fuzz_ctl(self, UMS_CTL_CTX_DELETE, fuzz_group_fd(self, group),
			&del, sizeof(del));
}

static long op_attach(struct fuzz_thread *self)
{
	unsigned int l = fuzz_one_in(self, 3) ? fuzz_below(self, FUZZ_LISTS) : 0;
	unsigned int group = UT_LOAD(fuzz.list[l].group);
	struct ums_attach attach = {
		.role = self->number % 4 == 1 ? UMS_ROLE_SCHEDULER :
						UMS_ROLE_WORKER,
		.ctx = fuzz_ctx(self, group),
	};
	bool was_plain = self->role == UMS_ROLE_NONE;
	long ret;

	if (fuzz_one_in(self, 5))
		attach.role = 1 + fuzz_below(self, 2);
	if (!fuzz_one_in(self, 8) && new_context(self, group, &attach.ctx)) {
		delete_contexts(self, group);
		return -ENOSPC;
	}
	if (was_plain) {
		/* Schedulers shall find us before we return */
		self->group = group;
		self->ctx = attach.ctx;
		UT_STORE(self->role, attach.role);
	}
	ret = fuzz_ctl(self, UMS_CTL_ATTACH, fuzz_list_fd(self, l), &attach,
		       sizeof(attach));
	if (was_plain) {
		self->ctx = attach.ctx;
		UT_STORE(self->role, ret ? UMS_ROLE_NONE : attach.role);
	}
	return ret;
}

static long op_detach(struct fuzz_thread *self)
{
	struct ums_ctx_delete del = { .ctx = self->ctx };
	int fd = -1;
	long ret;

	if (fuzz_hostile(self))
		fd = fuzz_bad_fd(self);
	ret = noted(self, ut_ctl(UMS_CTL_DETACH, fd, NULL, fuzz_hostile(self)));
	if (ret)
		return ret;
	UT_STORE(self->role, UMS_ROLE_NONE);
	if (!fuzz_one_in(self, 4))
		fuzz_ctl(self, UMS_CTL_CTX_DELETE,
			 fuzz_group_fd(self, self->group), &del, sizeof(del));
	return 0;
}

static long op_yield(struct fuzz_thread *self)
{
	struct ums_yield yield = { .param = fuzz_number(self) };

	/* For the vDSO only, and of no effect elsewhere */
	if (fuzz_one_in(self, 8))
		yield.flags = UMS_YIELD_SAVE;
	return noted(self, fuzz_ctl(self, UMS_CTL_YIELD, -1, &yield,
				    sizeof(yield)));
}

static long info(struct fuzz_thread *self, unsigned int op, unsigned int class)
{
	unsigned int group = fuzz_below(self, FUZZ_GROUPS);
	struct ums_info info = {
		.ctx = fuzz_ctx(self, group),
		.info_class = class,
	};

	if (op == UMS_CTL_SET)
		info.value = fuzz_number(self);
	return fuzz_ctl(self, op, fuzz_group_fd(self, group), &info,
			sizeof(info));
}

static long op_query(struct fuzz_thread *self)
{
	return info(self, UMS_CTL_QUERY, fuzz_below(self, 8));
}

static long op_set(struct fuzz_thread *self)
{
	return info(self, UMS_CTL_SET,
		    fuzz_one_in(self, 2) ? UMS_INFO_COOKIE :
					   fuzz_below(self, 8));
}

/* Reserved ones, such that do not exist, and any with an argument of no kind */
static long op_any_ctl(struct fuzz_thread *self)
{
	unsigned int op = fuzz_below(self, 16);

	/* We would not know what we are */
	if (op == UMS_CTL_ATTACH || op == UMS_CTL_DETACH)
		op = fuzz_number(self) | 16;
	return ut_ctl(op, fuzz_bad_fd(self), fuzz_bad_pointer(self),
		      fuzz_below(self, 128));
}

static long op_execute(struct fuzz_thread *self)
{
	struct ums_event *event = (void *)self->area;
	unsigned int flags = 0;
	long ret;

	if (fuzz_one_in(self, 4))
		event = NULL;
	if (fuzz_hostile(self))
		flags = fuzz_one_in(self, 4) ? fuzz_number(self) :
					       UMS_EXECUTE_SAVE;
	if (fuzz_hostile(self))
		event = fuzz_bad_pointer(self);
	ret = ut_execute_flags(fuzz_group_fd(self, self->group),
			       fuzz_ctx(self, self->group), event, flags);
	return noted(self, ret);
}

static long op_dequeue(struct fuzz_thread *self)
{
	struct timespec *timeout, ts = fuzz_time(self, 2000);
	struct ums_event *events = (void *)self->area;
	unsigned int nr = fuzz_below(self, 4), flags = 0;

	timeout = fuzz_one_in(self, 64) ? NULL : &ts;
	if (fuzz_one_in(self, 2))
		ts.tv_nsec = 0;
	if (fuzz_hostile(self))
		ts.tv_nsec = fuzz_value(self);
	if (fuzz_hostile(self))
		timeout = fuzz_bad_pointer(self);
	if (fuzz_hostile(self))
		events = fuzz_bad_pointer(self);
	if (fuzz_hostile(self))
		flags = fuzz_value(self);
	/* What has no room ends at the page without access */
	if (fuzz_hostile(self))
		nr = fuzz_value(self);
	return ut_dequeue_ts(fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS)),
			     events, nr, timeout, flags);
}

static long vdso_execute(struct ums_context *sched, struct ums_context *worker)
{
	long ret = uu.execute(sched, worker);

	if (ret >= 0 && (ret & UMS_RETURN_USER))
		UT_INC(fuzz.shared->user_switches);
	return ret;
}

static long op_vdso(struct fuzz_thread *self)
{
	struct ums_context *own = fuzz_slot(self->group, self->ctx);
	struct ums_context *other;

	if (!uu.execute)
		return -ENOSYS;
	other = fuzz_slot(self->group, fuzz_ctx(self, self->group));
	if (self->role == UMS_ROLE_SCHEDULER)
		return noted(self, vdso_execute(own, other));
	if (fuzz_one_in(self, 2))
		return noted(self, uu.switch_to(own, other));
	return noted(self, uu.yield(own, fuzz_number(self)));
}

/* Several times in a row, so that there is time for somebody to interfere */
static long op_vdso_often(struct fuzz_thread *self)
{
	unsigned int i, n = 1 + fuzz_below(self, 64);
	long ret;

	for (i = 0; i < n; i++) {
		ret = op_vdso(self);
		if (ret < 0)
			return i ? 0 : ret;
	}
	return 0;
}

static struct ums_context *any_slot(struct fuzz_thread *self)
{
	if (fuzz_one_in(self, 8))
		return fuzz_bad_pointer(self);
	return &fuzz.group[fuzz_below(self, FUZZ_GROUPS)]
			.slots[fuzz_below(self, FUZZ_SLOTS)];
}

/* The wrong function, with the wrong slots, by somebody who must not call it */
static long op_vdso_wrong(struct fuzz_thread *self)
{
	if (!uu.execute)
		return -ENOSYS;
	switch (fuzz_below(self, 3)) {
	case 0:
		return uu.execute(any_slot(self), any_slot(self));
	case 1:
		return uu.switch_to(any_slot(self), any_slot(self));
	default:
		return uu.yield(any_slot(self), fuzz_number(self));
	}
}

const struct fuzz_op fuzz_ums_ops[] = {
	{ "probe", FUZZ_CTL, FUZZ_ALL, 1, op_probe },
	{ "setup", FUZZ_CTL, FUZZ_ALL, 1, op_setup },
	{ "list_create", FUZZ_CTL, FUZZ_ALL, 1, op_list_create },
	{ "ctx_create", FUZZ_CTL, FUZZ_ALL, 4, op_ctx_create },
	{ "ctx_delete", FUZZ_CTL, FUZZ_ALL, 6, op_ctx_delete },
	{ "attach", FUZZ_SWITCH, FUZZ_PLAIN, 100, op_attach },
	{ "attach again", FUZZ_HOSTILE, FUZZ_ATTACHED, 2, op_attach },
	{ "detach", FUZZ_LEAVE, FUZZ_ALL, 5, op_detach },
	{ "yield", FUZZ_SWITCH, FUZZ_WORKER, 60, op_yield },
	{ "yield by others", FUZZ_HOSTILE, FUZZ_PLAIN | FUZZ_SCHEDULER, 2,
	  op_yield },
	{ "query", FUZZ_CTL, FUZZ_ALL, 10, op_query },
	{ "set", FUZZ_CTL, FUZZ_ALL, 4, op_set },
	{ "any ctl", FUZZ_HOSTILE, FUZZ_ALL, 4, op_any_ctl },
	{ "execute", FUZZ_SWITCH, FUZZ_SCHEDULER, 200, op_execute },
	{ "execute by worker", FUZZ_SWITCH, FUZZ_WORKER, 30, op_execute },
	{ "execute by others", FUZZ_HOSTILE, FUZZ_PLAIN, 2, op_execute },
	{ "dequeue", FUZZ_SWITCH, FUZZ_SCHEDULER, 60, op_dequeue },
	{ "dequeue by others", FUZZ_SWITCH, FUZZ_PLAIN | FUZZ_WORKER, 10,
	  op_dequeue },
	{ "vdso", FUZZ_SWITCH, FUZZ_SCHEDULER, 300, op_vdso },
	{ "vdso by worker", FUZZ_SWITCH, FUZZ_WORKER, 100, op_vdso },
	{ "vdso often", FUZZ_SWITCH, FUZZ_ATTACHED, 60, op_vdso_often },
	{ "vdso wrong", FUZZ_SCRIBBLE, FUZZ_ALL, 2, op_vdso_wrong },
	{}
};
