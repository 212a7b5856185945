// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: what ums_ctl() accepts as arguments, for every operation: sizes of
 * structures, unknown flags and bits, pointers. A call that fails must leave
 * nothing behind.
 */
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	8

enum fd_kind { FD_NONE, FD_GROUP, FD_LIST };

union argument {
	struct ums_probe probe;
	struct ums_setup setup;
	struct ums_list_create list;
	struct ums_ctx_create create;
	struct ums_ctx_delete del;
	struct ums_attach attach;
	struct ums_yield yield;
	struct ums_info info;
};

/* An operation that takes a structure */
struct operation {
	unsigned int op;
	size_t size;
	enum fd_kind fd;
	/* Result of a right call; of those that return an fd, 0 */
	long ret;
	bool returns_fd;
	bool writes;
};

/* What a test calls it with */
struct call {
	struct ut_base base;
	struct operation op;
	int fd;
	long page;
	/* Two pages, behind them one that is not there */
	char *buf;
	__u64 ctx;
};

FIXTURE(ctl)
{
	struct call call;
};

FIXTURE_VARIANT(ctl)
{
	struct operation op;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, probe) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_PROBE,
		.size = sizeof(struct ums_probe),
		.writes = true,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, setup) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_SETUP,
		.size = sizeof(struct ums_setup),
		.returns_fd = true,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, list_create) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_LIST_CREATE,
		.size = sizeof(struct ums_list_create),
		.fd = FD_GROUP,
		.returns_fd = true,
		.writes = true,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, ctx_create) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_CTX_CREATE,
		.size = sizeof(struct ums_ctx_create),
		.fd = FD_GROUP,
		.writes = true,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, ctx_delete) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_CTX_DELETE,
		.size = sizeof(struct ums_ctx_delete),
		.fd = FD_GROUP,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, attach) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_ATTACH,
		.size = sizeof(struct ums_attach),
		.fd = FD_LIST,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, yield) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_YIELD,
		.size = sizeof(struct ums_yield),
		.ret = -ENOTCONN,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, query) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_QUERY,
		.size = sizeof(struct ums_info),
		.fd = FD_GROUP,
		.writes = true,
	},
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ctl, set) {
	/* clang-format on */
	.op = {
		.op = UMS_CTL_SET,
		.size = sizeof(struct ums_info),
		.fd = FD_GROUP,
	},
};

FIXTURE_SETUP(ctl)
{
	struct call *call = &self->call;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&call->base, MAX_CONTEXTS, 0));
	call->op = variant->op;
	call->fd = -1;
	if (call->op.fd == FD_GROUP)
		call->fd = call->base.group;
	else if (call->op.fd == FD_LIST)
		call->fd = call->base.list;
	call->page = sysconf(_SC_PAGESIZE);
	call->buf = mmap(NULL, call->page * 3, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)call->buf);
	ASSERT_EQ(0, munmap(call->buf + call->page * 2, call->page));
}

FIXTURE_TEARDOWN(ctl)
{
	struct call *call = &self->call;

	munmap(call->buf, call->page * 2);
	ut_base_close(&call->base);
}

/* Fill the buffer at @at with arguments that are right */
static union argument *fill(struct call *call, size_t at)
{
	union argument *arg = (void *)(call->buf + at);

	memset(arg, 0, call->op.size);
	switch (call->op.op) {
	case UMS_CTL_SETUP:
		arg->setup.max_contexts = 1;
		break;
	case UMS_CTL_CTX_DELETE:
	case UMS_CTL_ATTACH:
	case UMS_CTL_QUERY:
	case UMS_CTL_SET:
		if (!call->ctx)
			ut_ctx_create(call->base.group, 0, &call->ctx);
		break;
	}
	switch (call->op.op) {
	case UMS_CTL_CTX_DELETE:
		arg->del.ctx = call->ctx;
		break;
	case UMS_CTL_ATTACH:
		arg->attach.ctx = call->ctx;
		arg->attach.role = UMS_ROLE_SCHEDULER;
		break;
	case UMS_CTL_QUERY:
	case UMS_CTL_SET:
		arg->info.ctx = call->ctx;
		break;
	}
	return arg;
}

static long do_call(struct call *call, void *arg, size_t size)
{
	return ut_ctl(call->op.op, call->fd, arg, size);
}

/* A call that succeeds is undone; returns what it did as in the operation */
static long call_undo(struct call *call, void *arg, size_t size)
{
	union argument *out = arg;
	long ret = do_call(call, arg, size);

	if (ret < 0)
		return ret;
	if (call->op.returns_fd) {
		close(ret);
		return 0;
	}
	switch (call->op.op) {
	case UMS_CTL_CTX_CREATE:
		ut_ctx_delete(call->base.group, out->create.ctx);
		break;
	case UMS_CTL_CTX_DELETE:
		call->ctx = 0;
		break;
	case UMS_CTL_ATTACH:
		ut_detach();
		ut_ctx_delete(call->base.group, call->ctx);
		call->ctx = 0;
		break;
	}
	return ret;
}

/* All contexts that the test did not create itself must be there to create */
static unsigned int count_free_contexts(struct call *call)
{
	__u64 ctx[MAX_CONTEXTS + 1];
	unsigned int i, n;

	for (n = 0; n <= MAX_CONTEXTS; n++)
		if (ut_ctx_create(call->base.group, 0, &ctx[n]))
			break;
	for (i = 0; i < n; i++)
		ut_ctx_delete(call->base.group, ctx[i]);
	return n;
}

TEST_F(ctl, exact_size_is_accepted)
{
	struct call *call = &self->call;
	void *arg = fill(call, call->page * 2 - call->op.size);

	EXPECT_EQ(call->op.ret, call_undo(call, arg, call->op.size));
}

TEST_F(ctl, shorter_structs_are_refused)
{
	struct call *call = &self->call;
	void *arg = fill(call, 0);
	size_t size;

	for (size = 0; size < call->op.size; size++) {
		EXPECT_EQ(-EINVAL, do_call(call, arg, size))
			TH_LOG("size %zu", size);
	}
}

TEST_F(ctl, longer_structs_with_a_zero_tail_are_accepted)
{
	struct call *call = &self->call;
	static const size_t more[] = { 1, 3, 8, 64 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		void *arg = fill(call, 0);

		memset(arg + call->op.size, 0, call->page - call->op.size);
		EXPECT_EQ(call->op.ret, call_undo(call, arg,
						  call->op.size + more[i]))
			TH_LOG("%zu bytes more", more[i]);
	}
	EXPECT_EQ(call->op.ret, call_undo(call, fill(call, 0), call->page));
}

TEST_F(ctl, nonzero_tails_are_refused)
{
	struct call *call = &self->call;
	size_t size = call->op.size + 24, at;

	for (at = call->op.size; at < size; at++) {
		void *arg = fill(call, 0);

		memset(arg + call->op.size, 0, size - call->op.size);
		call->buf[at] = 1;
		EXPECT_EQ(-E2BIG, do_call(call, arg, size))
			TH_LOG("byte %zu", at);
	}
	EXPECT_EQ(MAX_CONTEXTS - (call->ctx ? 1 : 0),
		  count_free_contexts(call));
}

TEST_F(ctl, outputs_do_not_touch_what_lies_behind)
{
	struct call *call = &self->call;
	void *arg = fill(call, 0);

	memset(arg + call->op.size, 0x5a, 64);
	EXPECT_EQ(call->op.ret, call_undo(call, arg, call->op.size));
	for (size_t i = 0; i < 64; i++)
		EXPECT_EQ(0x5a, call->buf[call->op.size + i]);
}

TEST_F(ctl, structs_beyond_a_page_are_refused)
{
	struct call *call = &self->call;
	void *arg = fill(call, 0);

	EXPECT_EQ(-E2BIG, do_call(call, arg, call->page + 1));
	EXPECT_EQ(-E2BIG, do_call(call, arg, SIZE_MAX));
	/* The size is looked at first */
	EXPECT_EQ(-E2BIG, do_call(call, NULL, call->page + 1));
	EXPECT_EQ(-EINVAL, do_call(call, NULL, call->op.size - 1));
}

TEST_F(ctl, bad_pointers_fault)
{
	struct call *call = &self->call;
	void *arg = call->buf + call->page * 2 - call->op.size + 1;

	EXPECT_EQ(-EFAULT, do_call(call, NULL, call->op.size));
	EXPECT_EQ(-EFAULT, do_call(call, (void *)8, call->op.size));
	EXPECT_EQ(-EFAULT, do_call(call, (void *)0xffff888000000000,
				   call->op.size));
	EXPECT_EQ(-EFAULT, do_call(call, arg, call->op.size));
	/* The structure is there, its tail is not */
	arg = fill(call, call->page * 2 - call->op.size);
	EXPECT_EQ(-EFAULT, do_call(call, arg, call->op.size + 1));
}

TEST_F(ctl, output_faults_leave_nothing_behind)
{
	struct call *call = &self->call;
	/* One that has no output does not write to its argument */
	long expected = call->op.writes ? -EFAULT : call->op.ret;
	unsigned int fds = ut_count_fds(), i;
	void *arg;

	for (i = 0; i < MAX_CONTEXTS * 2; i++) {
		arg = fill(call, 0);
		ASSERT_EQ(0, mprotect(call->buf, call->page, PROT_READ));
		EXPECT_EQ(expected, call_undo(call, arg, call->op.size));
		ASSERT_EQ(0, mprotect(call->buf, call->page,
				      PROT_READ | PROT_WRITE));
	}
	EXPECT_EQ(fds, ut_count_fds());
	EXPECT_EQ(MAX_CONTEXTS - (call->ctx ? 1 : 0),
		  count_free_contexts(call));
}

TEST_F(ctl, full_fd_table_leaves_nothing_behind)
{
	struct call *call = &self->call;
	long expected = call->op.returns_fd ? -EMFILE : call->op.ret;
	unsigned int fds = ut_count_fds(), i;
	struct rlimit limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(expected, call_undo(call, fill(call, 0),
					      call->op.size));
	}
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(fds, ut_count_fds());
	EXPECT_EQ(call->op.ret, call_undo(call, fill(call, 0), call->op.size));
}

TEST_F(ctl, fd_must_be_minus_one_where_none_is_taken)
{
	struct call *call = &self->call;
	void *arg = fill(call, 0);

	if (call->op.fd != FD_NONE) {
		call->fd = -1;
		EXPECT_EQ(-EBADF, do_call(call, arg, call->op.size));
		return;
	}
	call->fd = call->base.group;
	EXPECT_EQ(-EINVAL, do_call(call, arg, call->op.size));
	call->fd = 0;
	EXPECT_EQ(-EINVAL, do_call(call, arg, call->op.size));
	call->fd = -2;
	EXPECT_EQ(-EINVAL, do_call(call, arg, call->op.size));
}

TEST_HARNESS_MAIN
