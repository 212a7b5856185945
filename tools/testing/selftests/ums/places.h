/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: a process with threads in many states, for those who look at it
 * from outside: in a core file, or as a debugger.
 *
 * Each thread works at the far end of a large stack frame first, so that
 * registers from back then are recognized, then notes which part of its stack is
 * the right one.
 */
#ifndef UMS_SELFTESTS_PLACES_H
#define UMS_SELFTESTS_PLACES_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a function that is called may need of the stack */
#define PLACE_NEAR	2048

/**
 * enum place_of - The threads
 *
 * @MAIN: A scheduler, the first thread.
 * @PARKED: A worker that has yielded.
 * @BLOCKED: A worker in read().
 * @ENDS: A worker that MAIN runs.
 * @SCHEDULES: A scheduler that runs TAKES_TURNS again and again.
 * @TAKES_TURNS: See SCHEDULES.
 * @NR_PLACES: How many.
 */
enum place_of {
	MAIN,
	PARKED,
	BLOCKED,
	ENDS,
	SCHEDULES,
	TAKES_TURNS,
	NR_PLACES,
};

/**
 * struct place - Where a thread is at the end
 *
 * @tid: The thread.
 * @top: Of the part of the stack that it is in.
 */
struct place {
	pid_t tid;
	__u64 top;
};

/*
 * Has all threads take their places, and note them in @places. Then ENDS writes
 * to where it must not, or, if not @crash, computes for ever. Returns a line
 * number if it came to nothing.
 */
int places_take(struct place *places, bool crash);

#endif /* UMS_SELFTESTS_PLACES_H */
