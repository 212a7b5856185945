/* SPDX-License-Identifier: GPL-2.0 */
#ifndef UMS_SELFTESTS_TELL_H
#define UMS_SELFTESTS_TELL_H

struct ut_base;

/*
 * Prints what the kernel shows of @base, and where each thread of the process
 * is, to standard error. For a test that has waited for too long.
 */
void ut_tell(const struct ut_base *base);

#endif
