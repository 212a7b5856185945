/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests of how processes and threads end: a crowd of threads in every
 * state that UMS knows.
 */
#ifndef UMS_SELFTESTS_LIFECYCLE_H
#define UMS_SELFTESTS_LIFECYCLE_H

#include "common.h"

#define CROWD_SIZE	16

/**
 * struct crowd - Threads in every state
 *
 * @base: Their group; crowd_make() makes the caller a scheduler of it.
 * @other: A second scheduler, on whose VP @spinner runs until @stop.
 * @spinner: A worker that is RUNNING.
 * @members: Workers: READY and never run, yielded, blocked in several calls,
 *	terminated.
 * @nr_members: How many.
 * @pipe: Nobody ever writes to it.
 * @futex: Nobody ever wakes it.
 * @stop: Ends @spinner.
 * @spinning: Set by @spinner.
 */
struct crowd {
	struct ut_base base;
	struct ut_thread other;
	struct ut_thread spinner;
	struct ut_thread members[CROWD_SIZE];
	unsigned int nr_members;
	int pipe[2];
	__u32 futex;
	int stop;
	int spinning;
};

/* Returns 0, or a negative errno */
long crowd_make(struct crowd *crowd, unsigned int policy);

#endif /* UMS_SELFTESTS_LIFECYCLE_H */
