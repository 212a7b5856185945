/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: a process with threads in many states, for something to happen to
 * them; and then they go on, and say how that was.
 *
 * The test forks it, waits until all are in place, does something from outside
 * or has it done inside, and lets them go on. The process ends with status 0 if
 * all of its threads have come to their end.
 */
#ifndef UMS_SELFTESTS_STATES_H
#define UMS_SELFTESTS_STATES_H

#include "user.h"

/**
 * enum who - The threads
 *
 * @RUNNING: A worker that has its processor, and makes system calls.
 * @SWITCHED: A worker that a scheduler runs, again and again, by user switch if
 *	there are any: the kernel seldom knows which of the two it is.
 * @USER_HELD: A worker that is ready, its registers in its slot.
 * @KERNEL_HELD: A worker that is ready, its registers in the kernel.
 * @NEW: A worker that never ran.
 * @BLOCKED: A worker in read().
 * @UNMANAGED: A worker in fcntl(), where sleeps are not managed: it is woken again
 *	and again, runs in the kernel without a processor, and waits again.
 * @LOCKED: A worker that was ready, its registers in its slot, before a debugger
 *	stopped it: it cannot be executed before it goes on.
 * @WOKEN: A worker that is ready, and in read(): it was woken there, but what it
 *	was woken for is gone.
 * @BEHIND: The scheduler whose processor @RUNNING has.
 * @SWITCHES: The scheduler of @SWITCHED, which runs all the others in the end.
 * @COMPUTES: A scheduler that runs, in user mode.
 * @WAITS: A scheduler in ums_dequeue().
 * @PLAIN: The first thread. Takes no part in UMS.
 * @NR_WHO: How many.
 */
enum who {
	RUNNING,
	SWITCHED,
	USER_HELD,
	KERNEL_HELD,
	NEW,
	BLOCKED,
	UNMANAGED,
	LOCKED,
	WOKEN,
	BEHIND,
	SWITCHES,
	COMPUTES,
	WAITS,
	PLAIN,
	NR_WHO,
};

/* Workers come first */
#define NR_WORKERS	(WOKEN + 1)

/* Why somebody cannot go on; of signal handlers as well */
#define STATES_BAD(states, who, cond) do {				\
	if (cond)							\
		UT_STORE((states)->thread[who].bad, __LINE__);		\
} while (0)

/**
 * struct state_thread - What a thread says of itself
 *
 * @tid: Its thread id.
 * @stack: Somewhere on its stack; a word that holds @tid.
 * @handled: Signals that it has handled; for tests.
 * @went_on: It has.
 * @ended: It came to its end.
 * @bad: The line where something was wrong.
 */
struct state_thread {
	pid_t tid;
	long *stack;
	unsigned int handled;
	int went_on;
	int ended;
	int bad;
};

/**
 * struct states - Memory that the test and the process share
 *
 * @thread: By &enum who.
 * @pid: The process.
 * @ready: All are in place, and @before has returned.
 * @hold: @LOCKED is to be stopped.
 * @go: They are to go on.
 * @error: Why they are not in place.
 * @step: For the test and its @before.
 * @first: Called by each thread before it goes to its place.
 * @before: Called by @PLAIN when all are in place.
 * @after: Called by each thread that goes on.
 */
struct states {
	struct state_thread thread[NR_WHO];
	pid_t pid;
	int ready;
	int hold;
	int go;
	long error;
	int step;
	void (*first)(struct states *states, enum who who);
	void (*before)(struct states *states);
	void (*after)(struct states *states, enum who who);
};

/* Memory for it; NULL on failure */
struct states *states_alloc(void);
/* Start the process; whether all are in place, or it has died of @before */
bool states_start(struct states *states);
/* Have them go on, and wait for the end: the wait status, or a negative errno */
int states_finish(struct states *states);
/* As states_finish(), when they go on already, or are dead */
int states_wait(struct states *states);
/*
 * What went wrong: 0 for nothing, the line that said so, or a negative number if
 * somebody has not come to the end.
 */
int states_bad(const struct states *states);
/* Kill it if it is still there, and free the memory; NULL is ignored */
void states_free(struct states *states);

/* Inside: the threads, so that @before can do something to them */
pthread_t states_pthread(enum who who);
struct ut_base *states_base(void);
/* Who the caller is; safe in signal handlers */
enum who states_me(void);
/* Of a handler: to where the thread waits. Returns if it has not got there */
void states_jump(void);

#endif /* UMS_SELFTESTS_STATES_H */
