/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers for the user switch: the functions of the vDSO, and a
 * scheduler that uses them. As common.h, nothing here asserts.
 */
#ifndef UMS_SELFTESTS_USER_H
#define UMS_SELFTESTS_USER_H

#include "common.h"

/* Reason to SKIP() when !uu_init() */
#define UU_ABSENT	"no user switch here"

/**
 * struct uu_vdso - The functions of the vDSO
 *
 * @execute: Of a scheduler: run a worker. An &enum ums_reason, with
 *	UMS_RETURN_USER if it came back by user switch; or a negative errno.
 * @yield: Of a worker: back to the scheduler. 0 or a negative errno.
 * @switch_to: Of a worker: run another one. 0 or a negative errno.
 */
struct uu_vdso {
	long (*execute)(struct ums_context *sched, struct ums_context *worker);
	long (*yield)(struct ums_context *worker, __u64 param);
	long (*switch_to)(struct ums_context *from, struct ums_context *to);
};

extern struct uu_vdso uu;

/* Whether user switches are possible; then @uu is set */
bool uu_init(void);

static inline struct ums_context *uu_slot(struct ut_thread *thread)
{
	return ut_slot(thread->base, thread->ctx);
}

/* Of a worker: back to the scheduler */
static inline long uu_yield(struct ut_thread *self, __u64 param)
{
	return uu.yield(uu_slot(self), param);
}

/* Of the scheduler of @base: run @worker. As @uu.execute */
static inline long uu_execute(struct ut_base *base, struct ut_thread *worker)
{
	return uu.execute(ut_slot(base, base->sched), uu_slot(worker));
}

/*
 * Run @worker, waiting when it blocks or is locked, until it yields or ends.
 * Returns what @uu.execute did last.
 */
long uu_run(struct ut_base *base, struct ut_thread *worker);
/* Wait until the new @worker is reported, and uu_run() it */
long uu_start(struct ut_base *base, struct ut_thread *worker);
/*
 * Run each of @workers in turn, whoever is ready, until all have ended. 0, or
 * a negative errno, -ETIMEDOUT after UT_LIMIT_MS. Reads no events.
 */
long uu_schedule(struct ut_base *base, struct ut_thread *workers,
		 unsigned int nr);
/* Keep the caller, and what it starts, on its cpu: nobody has foreign ids */
int uu_pin(void);
/* Have the kernel know that the caller runs; its thread id */
pid_t uu_resolve(void);
/* Whether a scheduler and a worker of a new group do what they should */
bool uu_fresh_group_works(void);
/* Counters; all ones when that failed */
struct ums_switches uu_switches(struct ut_base *base, __u64 ctx);

/*
 * For common.c, if UMS_TEST_SWITCH is "user": which base a group belongs to, who
 * the calling thread is, and its switches. False if it is not for the vDSO.
 */
void uu_mode_opened(struct ut_base *base);
void uu_mode_closed(struct ut_base *base);
void uu_mode_attached(int list, __u64 ctx);
void uu_mode_detached(void);
bool uu_mode_execute(int group, __u64 ctx, struct ums_event *event, long *ret);
bool uu_mode_yield(__u64 param, long *ret);

#endif /* UMS_SELFTESTS_USER_H */
