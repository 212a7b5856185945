// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: what the fields of ums_ctl() arguments may hold, for every operation,
 * and what they tell. See ctl_test.c for sizes and pointers.
 */
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	8

FIXTURE(field)
{
	struct ut_base base;
};

FIXTURE_SETUP(field)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CONTEXTS, 0));
}

FIXTURE_TEARDOWN(field)
{
	ut_base_close(&self->base);
}

TEST_F(field, unknown_operations_are_refused)
{
	char buf[256] = {};

	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_PREEMPT + 1, -1, buf, sizeof(buf)));
	EXPECT_EQ(-EINVAL, ut_ctl(0x80000000, -1, buf, sizeof(buf)));
	EXPECT_EQ(-EINVAL, ut_ctl(~0U, self->base.group, NULL, 0));
}

TEST_F(field, reserved_operations_say_so)
{
	unsigned int op;

	for (op = UMS_CTL_SUSPEND; op <= UMS_CTL_PREEMPT; op++) {
		EXPECT_EQ(-EOPNOTSUPP, ut_ctl(op, -1, NULL, 0));
		EXPECT_EQ(-EOPNOTSUPP, ut_ctl(op, self->base.group, NULL, 0));
	}
}

TEST_F(field, detach_takes_no_argument)
{
	char byte = 0;

	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_DETACH, -1, &byte, 0));
	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_DETACH, -1, NULL, 1));
	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_DETACH, -1, &byte, 1));
	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_DETACH, self->base.group, NULL, 0));
	EXPECT_EQ(-ENOTCONN, ut_detach());
}

TEST_F(field, probe_describes_this_kernel)
{
	struct ums_probe probe = {};

	ASSERT_EQ(0, ut_probe(&probe));
	EXPECT_EQ(UMS_ABI_VERSION, probe.abi_version);
	EXPECT_LE(UMS_CTL_SET, probe.last_op);
	EXPECT_GT(UMS_CTL_SUSPEND, probe.last_op);
	EXPECT_NE(0, probe.features & UMS_FEATURE_KERNEL_SWITCH);
	EXPECT_EQ(0, probe.features &
		     ~(UMS_FEATURE_KERNEL_SWITCH | UMS_FEATURE_NODE |
		       UMS_FEATURE_USER_SWITCH | UMS_FEATURE_WATCHDOG |
		       UMS_FEATURE_MANAGED_SLEEP));
	EXPECT_EQ(sizeof(struct ums_context), probe.slot_size);
	EXPECT_EQ(256, probe.slot_size);
	EXPECT_EQ(sizeof(struct ums_event), probe.event_size);
	EXPECT_EQ(1048576, probe.max_contexts);
	EXPECT_EQ(0, probe.reserved);
}

TEST_F(field, probe_wants_zeros)
{
	struct ums_probe probe;
	unsigned int i;

	for (i = 0; i < sizeof(probe); i++) {
		memset(&probe, 0, sizeof(probe));
		((char *)&probe)[i] = 1;
		EXPECT_EQ(-EINVAL, ut_probe(&probe))
			TH_LOG("byte %u", i);
	}
}

static long setup_with(struct ums_setup setup)
{
	long ret = ut_ctl(UMS_CTL_SETUP, -1, &setup, sizeof(setup));

	if (ret < 0)
		return ret;
	close(ret);
	return 0;
}

TEST_F(field, setup_limits_the_number_of_contexts)
{
	struct ums_probe probe = {};

	ASSERT_EQ(0, ut_probe(&probe));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){}));
	EXPECT_EQ(0, setup_with((struct ums_setup){ .max_contexts = 1 }));
	EXPECT_EQ(0, setup_with((struct ums_setup){
			.max_contexts = probe.max_contexts }));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
			.max_contexts = probe.max_contexts + 1 }));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
			.max_contexts = ~0U }));
}

TEST_F(field, setup_refuses_what_it_does_not_know)
{
	unsigned int bit;

	EXPECT_EQ(0, setup_with((struct ums_setup){
			.max_contexts = 1,
			.orphan_policy = UMS_ORPHAN_KILL }));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
			.max_contexts = 1, .orphan_policy = 2 }));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
			.max_contexts = 1, .orphan_policy = ~0U }));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
			.max_contexts = 1, .watchdog_ms = 1 }));
	EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
			.max_contexts = 1,
			.watchdog_ms = UMS_WATCHDOG_MIN_MS - 1 }));
	EXPECT_EQ(0, setup_with((struct ums_setup){
			.max_contexts = 1,
			.watchdog_ms = UMS_WATCHDOG_MIN_MS }));
	EXPECT_EQ(0, setup_with((struct ums_setup){
			.max_contexts = 1, .watchdog_ms = ~0U }));
	EXPECT_EQ(-EOPNOTSUPP, setup_with((struct ums_setup){
			.max_contexts = 1, .slice_ns = 1000000 }));
	for (bit = 0; bit < 32; bit++) {
		if ((1U << bit) & (UMS_SETUP_KERNEL_SWITCH |
				   UMS_SETUP_NO_MANAGED_SLEEP))
			continue;
		EXPECT_EQ(-EINVAL, setup_with((struct ums_setup){
				.max_contexts = 1, .flags = 1U << bit }))
			TH_LOG("flag bit %u", bit);
	}
}

TEST_F(field, fds_are_close_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->base.group, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->base.list, F_GETFD));
}

static long list_with(int group, struct ums_list_create create)
{
	long ret = ut_ctl(UMS_CTL_LIST_CREATE, group, &create, sizeof(create));

	if (ret < 0)
		return ret;
	close(ret);
	return 0;
}

TEST_F(field, list_create_refuses_what_it_does_not_know)
{
	int group = self->base.group;
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
				.flags = 1U << bit }))
			TH_LOG("flag bit %u", bit);
	}
	EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
			.node = 1 }));
	EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
			.node = -1 }));
	EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
			.entries = 8 }));
	EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
			.id = 1 }));
	EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
			.mmap_size = 4096 }));
}

TEST_F(field, list_create_tells_what_to_map)
{
	struct ums_list_create *info = &self->base.list_info;
	__u32 entries = info->entries;

	EXPECT_LE(MAX_CONTEXTS, entries);
	EXPECT_EQ(0, entries & (entries - 1));
	EXPECT_LE(sizeof(struct ums_ring) + entries * sizeof(__u64),
		  info->mmap_size);
	EXPECT_EQ(0, info->mmap_size % sysconf(_SC_PAGESIZE));
	EXPECT_EQ(entries - 1, self->base.ring->mask);
	EXPECT_EQ(0, self->base.ring->lost);
	EXPECT_EQ(self->base.ring->head, self->base.ring->tail);
}

TEST_F(field, list_ids_differ)
{
	struct ums_list_create other;
	long fd = ut_list_create(self->base.group, &other);

	ASSERT_LE(0, fd);
	EXPECT_NE(self->base.list_info.id, other.id);
	close(fd);
}

static long ctx_with(int group, struct ums_ctx_create create)
{
	long ret = ut_ctl(UMS_CTL_CTX_CREATE, group, &create, sizeof(create));

	if (!ret)
		ut_ctx_delete(group, create.ctx);
	return ret;
}

TEST_F(field, ctx_create_refuses_what_it_does_not_know)
{
	int group = self->base.group;
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, ctx_with(group, (struct ums_ctx_create){
				.flags = 1U << bit }))
			TH_LOG("flag bit %u", bit);
	}
	EXPECT_EQ(-EINVAL, ctx_with(group, (struct ums_ctx_create){
			.node = 1 }));
	EXPECT_EQ(-EINVAL, ctx_with(group, (struct ums_ctx_create){
			.ctx = 1 }));
	EXPECT_EQ(0, ctx_with(group, (struct ums_ctx_create){
			.cookie = ~0ULL }));
}

TEST_F(field, nodes_must_be_online)
{
	static const __s32 bad[] = { -1, -2, 1023, 1024, INT32_MAX, INT32_MIN };
	int group = self->base.group;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, list_with(group, (struct ums_list_create){
				.flags = UMS_CREATE_NODE, .node = bad[i] }))
			TH_LOG("node %d", bad[i]);
		EXPECT_EQ(-EINVAL, ctx_with(group, (struct ums_ctx_create){
				.flags = UMS_CREATE_NODE, .node = bad[i] }))
			TH_LOG("node %d", bad[i]);
	}
	EXPECT_EQ(0, list_with(group, (struct ums_list_create){
			.flags = UMS_CREATE_NODE }));
	EXPECT_EQ(0, ctx_with(group, (struct ums_ctx_create){
			.flags = UMS_CREATE_NODE }));
}

TEST_F(field, attach_refuses_what_it_does_not_know)
{
	struct ums_attach attach = { .role = UMS_ROLE_SCHEDULER };
	static const __u32 bad_roles[] = { UMS_ROLE_NONE, 3, ~0U };
	unsigned int i;

	ASSERT_EQ(0, ut_ctx_create(self->base.group, 0, &attach.ctx));
	for (i = 0; i < 32; i++) {
		attach.flags = 1U << i;
		EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_ATTACH, self->base.list,
					  &attach, sizeof(attach)))
			TH_LOG("flag bit %u", i);
	}
	for (i = 0; i < ARRAY_SIZE(bad_roles); i++) {
		EXPECT_EQ(-EINVAL, ut_attach(self->base.list, bad_roles[i],
					     attach.ctx))
			TH_LOG("role %u", bad_roles[i]);
	}
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(self->base.group, attach.ctx));
}

TEST_F(field, yield_refuses_flags)
{
	struct ums_yield yield = {};
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		yield.flags = 1ULL << bit;
		if (yield.flags == UMS_YIELD_SAVE)
			continue;
		EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_YIELD, -1, &yield,
					  sizeof(yield)))
			TH_LOG("flag bit %u", bit);
	}
}

TEST_F(field, query_and_set_refuse_what_they_do_not_know)
{
	static const __u32 bad_classes[] = { UMS_INFO_SWITCHES + 1, ~0U };
	struct ums_info info, clean = {};
	int group = self->base.group;
	unsigned int i, class;

	ASSERT_EQ(0, ut_ctx_create(group, 0, &clean.ctx));
	for (i = 0; i < ARRAY_SIZE(bad_classes); i++) {
		info = clean;
		info.info_class = bad_classes[i];
		EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_QUERY, group, &info,
					  sizeof(info)));
		EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_SET, group, &info,
					  sizeof(info)));
	}
	for (i = 0; i < ARRAY_SIZE(info.pad); i++) {
		info = clean;
		info.pad[i] = 1;
		EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_QUERY, group, &info,
					  sizeof(info)));
	}
	info = clean;
	info.reserved = 1;
	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_QUERY, group, &info, sizeof(info)));
	EXPECT_EQ(-EINVAL, ut_ctl(UMS_CTL_SET, group, &info, sizeof(info)));

	for (class = UMS_INFO_STATE; class <= UMS_INFO_EVENT; class++) {
		info = clean;
		info.info_class = class;
		EXPECT_EQ(-EACCES, ut_ctl(UMS_CTL_SET, group, &info,
					  sizeof(info)));
	}
}

TEST_HARNESS_MAIN
