/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: what hangs off task_struct.
 */
#ifndef _LINUX_UMS_TYPES_H
#define _LINUX_UMS_TYPES_H

struct ums_task;

#endif /* _LINUX_UMS_TYPES_H */
