/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS benchmark: what its files share.
 */
#ifndef UMS_SELFTESTS_BENCH_H
#define UMS_SELFTESTS_BENCH_H

#include "user.h"

#define BATCHES		9
#define COUNT		1000

/* How often a batch's operation is done for a row, for threads that answer it */
#define TOTAL	((BATCHES + 1) * COUNT)

/**
 * struct result - What a row measured
 *
 * @count: Operations in a batch.
 * @ns: Time for one operation, by batch.
 * @failed: Something went wrong, the times are void.
 */
struct result {
	unsigned int count;
	double ns[BATCHES];
	bool failed;
};

struct row {
	const char *name;
	void (*fn)(struct result *result);
	bool needs_ums;
};

/* Do something @count times */
typedef void (*run_fn)(unsigned int count, void *arg);

/* @run does @per operations each time, and @prepare what is not measured */
void measure_prepared(struct result *result, run_fn prepare, run_fn run,
		      unsigned int per, void *arg);
void measure(struct result *result, run_fn run, unsigned int per, void *arg);
void run_getppid(unsigned int count, void *arg);

/* Two pipes, one for each direction */
struct pipes {
	int there[2];
	int back[2];
	struct result *result;
};

bool pipes_open(struct pipes *pipes, struct result *result);
void pipes_close(struct pipes *pipes);

/**
 * struct rig - A scheduler and up to two workers
 *
 * @base: Their group and list.
 * @result: Of the row.
 * @worker: The workers.
 * @serve: What the scheduler does once they are ready, or NULL: then it runs
 *	them to their end.
 * @pipes: For rows that need them.
 * @stop: For workers that run until they are told.
 * @calls: For workers that make system calls when they are told.
 */
struct rig {
	struct ut_base base;
	struct result *result;
	struct ut_thread worker[2];
	void (*serve)(struct rig *rig);
	struct pipes pipes;
	int stop;
	int calls;
};

/* Run @serve in a scheduler with a worker for each function that is not NULL */
void with_ums(struct result *result, void (*serve)(struct rig *rig),
	      void (*first)(struct ut_thread *thread),
	      void (*second)(struct ut_thread *thread));

/* bench_user.c */
void user_switch(struct result *result);
void user_hand(struct result *result);
void user_queue(struct result *result);
void user_getppid(struct result *result);
void user_first_call(struct result *result);
void user_pipe(struct result *result);

/* bench_lib.c */
void library_switch(struct result *result);

#endif /* UMS_SELFTESTS_BENCH_H */
