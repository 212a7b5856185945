/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libums: the kernel's structures, for a library used out of the source tree
 *
 * `make install` puts the kernel's <linux/ums.h> itself in the place of this
 * file, under the same include guard, so that a program needs no kernel
 * headers newer than those of its system, and may include <linux/ums.h> too.
 */
#pragma GCC system_header

#ifndef _LINUX_UMS_H
#include "../../../../../include/uapi/linux/ums.h"
#ifndef _LINUX_UMS_H
#define _LINUX_UMS_H
#endif
#endif
