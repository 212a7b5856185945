/* SPDX-License-Identifier: GPL-2.0 */
#ifndef UMS_SELFTESTS_STOPPER_H
#define UMS_SELFTESTS_STOPPER_H

#include <sys/types.h>

/**
 * struct stopper - A child that stops its parent again and again
 *
 * Each time it waits until every thread of the parent is stopped, and then has it
 * go on.
 *
 * @pid: The child.
 * @fd: Closed to tell the child to end.
 */
struct stopper {
	pid_t pid;
	int fd;
};

/* 0 or a negative errno. The caller has no other threads yet */
int stopper_start(struct stopper *stopper);
/* How often the parent was stopped; negative if some thread did not stop */
int stopper_end(struct stopper *stopper);

#endif /* UMS_SELFTESTS_STOPPER_H */
