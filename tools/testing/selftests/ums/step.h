/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: a process whose three threads take turns by user switch,
 * for somebody to interfere with. One scheduler, two workers, one virtual
 * processor: the scheduler executes the first worker, that switches to the
 * second, that yields. Whatever happens to them, they take turns.
 */
#ifndef UMS_SELFTESTS_STEP_H
#define UMS_SELFTESTS_STEP_H

#include <signal.h>

#include "user.h"

/* Who takes turns, in order; also the function of the vDSO that each calls */
enum { STEP_EXECUTE, STEP_SWITCH, STEP_YIELD, STEP_THREADS };

/* The victim sends this to itself before it calls its function */
#define STEP_MARK	SIGUSR2
/* Has a handler in every thread; sent with sigqueue() none is lost */
#define STEP_SIGNAL	SIGRTMIN

/**
 * struct step_thread - What a thread says of itself
 *
 * @tid: Its thread id.
 * @turns: Turns it has taken.
 * @handled: Signals that it has handled.
 * @bad: Something that must not be: a turn out of turn, two threads at a time,
 *	a handler under another name or on another stack.
 */
struct step_thread {
	pid_t tid;
	long turns;
	long handled;
	long bad;
};

/**
 * struct step - Shared memory of the process and who interferes
 *
 * @thread: The threads.
 * @turn: Whose turn it is.
 * @inside: Who takes it just now, plus 1.
 * @victim: Who sends %STEP_MARK to itself, once; -1 for none.
 * @stop: No more rounds.
 * @error: What failed before the threads ran.
 * @sum: Counters of all, at the end.
 */
struct step {
	struct step_thread thread[STEP_THREADS];
	int turn;
	int inside;
	int victim;
	int stop;
	long error;
	struct ums_switches sum;
};

/* Memory for one; NULL on failure */
struct step *step_alloc(void);
void step_free(struct step *step);

/* The process: takes turns until @stop; does not return */
void step_process(struct step *step);

#endif /* UMS_SELFTESTS_STEP_H */
