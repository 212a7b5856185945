// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: who may set a group up, and how many of them.
 *
 * The administrator has two knobs. kernel.ums_disabled is about all of the
 * system, and about new groups only. user.max_ums_groups is about each user of a
 * user namespace, and those above it.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>

#include "ums.h"

/* As the numbers of kernel.ums_disabled */
enum { UMS_FOR_ALL, UMS_FOR_ADMIN, UMS_FOR_NONE };

static int ums_disabled __read_mostly = UMS_FOR_ALL;

#ifdef CONFIG_SYSCTL
static struct ctl_table ums_sysctls[] = {
	{
		.procname	= "ums_disabled",
		.data		= &ums_disabled,
		.maxlen		= sizeof(ums_disabled),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_TWO,
	},
};

static int __init ums_sysctl_init(void)
{
	register_sysctl_init("kernel", ums_sysctls);
	return 0;
}
core_initcall(ums_sysctl_init);
#endif

static bool ums_setup_allowed(void)
{
	/* Whoever asks while it is written gets the old answer or the new one. */
	int disabled = READ_ONCE(ums_disabled);

	if (disabled == UMS_FOR_ADMIN)
		return capable(CAP_SYS_ADMIN);
	return disabled == UMS_FOR_ALL;
}

/**
 * ums_limit_charge - Count a new group of current
 * @ucounts: Set to whom it is charged, for ums_limit_uncharge().
 *
 * Return: 0; -EPERM if current may not have one, -ENOSPC if the user has as many
 * as he may, or there is no memory to count them.
 */
int ums_limit_charge(struct ucounts **ucounts)
{
	if (!ums_setup_allowed())
		return -EPERM;
	*ucounts = inc_ucount(current_user_ns(), current_euid(),
			      UCOUNT_UMS_GROUPS);
	return *ucounts ? 0 : -ENOSPC;
}

/**
 * ums_limit_uncharge - A group is gone, or did not come into being
 * @ucounts: From ums_limit_charge().
 */
void ums_limit_uncharge(struct ucounts *ucounts)
{
	dec_ucount(ucounts, UCOUNT_UMS_GROUPS);
}
