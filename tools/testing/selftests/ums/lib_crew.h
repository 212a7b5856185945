/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS library test helpers: workers on one or several schedulers, each with a
 * completion list of its own
 *
 * A scheduler knows no more than that who has yielded is to be run again, after
 * the others. Or, if the test says so, it puts aside who waits, and the workers
 * of its list may run each other. It ends when all workers of its list have
 * terminated.
 */
#ifndef UMS_SELFTESTS_LIB_CREW_H
#define UMS_SELFTESTS_LIB_CREW_H

#include "common.h"
#include "lib_common.h"

#include <stdio.h>
#include <unistd.h>

#define LC_MAX_SCHEDS	4
#define LC_MAX_WORKERS	64

/**
 * struct lc_worker - A worker
 *
 * @fn: What it runs.
 * @arg: For @fn.
 * @index: Which of the crew it is.
 * @context: Its context.
 * @thread: Its thread.
 */
struct lc_worker {
	void (*fn)(struct lc_worker *worker);
	void *arg;
	unsigned int index;
	ums_context_t *context;
	pthread_t thread;
};

/**
 * struct lc_sched - A scheduler
 *
 * @crew: Whose.
 * @thread: Its thread.
 * @list: Its list.
 * @left: Workers of the list that have not terminated.
 * @ready: Ready queue, a ring.
 * @head: Entries taken from @ready.
 * @tail: Entries put into @ready.
 * @yields: Times that a worker has yielded.
 * @asides: Times that one was put aside.
 * @handed: Times that it was another worker than the one that was run.
 */
struct lc_sched {
	struct lc_crew *crew;
	pthread_t thread;
	ums_completion_list_t *list;
	unsigned int left;
	ums_context_t *ready[LC_MAX_WORKERS];
	unsigned int head;
	unsigned int tail;
	unsigned long yields;
	unsigned long asides;
	unsigned long handed;
};

/* Who waits: it is run again in turn, it is put aside, it may run another */
enum lc_waiters { LC_RUN_AGAIN, LC_PUT_ASIDE, LC_HAND_OVER };

/**
 * struct lc_crew - All of them
 *
 * @group: Their group.
 * @nr_scheds: How many schedulers.
 * @nr_workers: How many workers.
 * @waiters: What is done with who waits.
 * @entered: Where the schedulers wait for each other: the last one to leave a
 *	group makes plain threads of the workers that are left.
 * @scheds: The schedulers.
 * @workers: The workers, on the schedulers in turn.
 */
struct lc_crew {
	struct ums_group *group;
	unsigned int nr_scheds;
	unsigned int nr_workers;
	enum lc_waiters waiters;
	pthread_barrier_t entered;
	struct lc_sched scheds[LC_MAX_SCHEDS];
	struct lc_worker workers[LC_MAX_WORKERS];
};

/* The others would wait for ever for this scheduler's workers */
static inline void lc_die(const char *what, ums_context_t *context)
{
	printf("# %s: %s, worker %llx\n", what, strerror(errno),
	       (unsigned long long)(context ? ums_context_id(context) : 0));
	fflush(stdout);
	_exit(KSFT_FAIL);
}

static inline void lc_push(struct lc_sched *sched, ums_context_t *context)
{
	sched->ready[sched->tail++ % LC_MAX_WORKERS] = context;
}

static inline void lc_collect(struct lc_sched *sched)
{
	int timeout = sched->head == sched->tail ? -1 : 0;
	struct ums_event events[LC_MAX_WORKERS / 2];
	int i, nr;

	nr = ums_dequeue(sched->list, events, ARRAY_SIZE(events), timeout);
	if (nr < 0 && errno != EAGAIN && errno != EINTR)
		lc_die("dequeue", NULL);
	for (i = 0; i < nr; i++) {
		if (events[i].reason != UMS_REASON_READY)
			lc_die("no such event", NULL);
		lc_push(sched, ums_event_context(&events[i]));
	}
}

static inline void lc_run_first(struct lc_sched *sched)
{
	ums_context_t *context = sched->ready[sched->head++ % LC_MAX_WORKERS];
	struct ums_event event;
	int reason = ums_run(context, &event);

	if (reason >= 0 && event.reason != reason)
		lc_die("event of another reason", context);
	if (reason >= 0 && ums_event_context(&event) != context) {
		if (sched->crew->waiters != LC_HAND_OVER)
			lc_die("event of another worker instead", context);
		context = ums_event_context(&event);
		sched->handed++;
	}
	switch (reason) {
	case UMS_REASON_YIELDED:
		sched->yields++;
		if (sched->crew->waiters && !ums_set_aside(context)) {
			sched->asides++;
			break;
		}
		lc_push(sched, context);
		break;
	case UMS_REASON_PREEMPTED:
		lc_push(sched, context);
		break;
	case UMS_REASON_BLOCKED:
		break;
	case UMS_REASON_TERMINATED:
		sched->left--;
		break;
	default:
		if (errno != EAGAIN && errno != EINTR)
			lc_die("run", context);
		lc_push(sched, context);
	}
}

static inline void *lc_schedule(void *arg)
{
	struct lc_sched *sched = arg;

	if (ums_scheduler_enter(sched->list))
		lc_die("enter", NULL);
	pthread_barrier_wait(&sched->crew->entered);
	while (sched->left) {
		lc_collect(sched);
		if (sched->head != sched->tail)
			lc_run_first(sched);
	}
	if (ums_scheduler_leave())
		lc_die("leave", NULL);
	return NULL;
}

static inline void *lc_work(void *arg)
{
	struct lc_worker *worker = arg;

	worker->fn(worker);
	return NULL;
}

static inline int lc_open(struct lc_crew *crew, unsigned int nr_scheds,
			  enum lc_waiters waiters)
{
	unsigned int i;

	crew->nr_scheds = nr_scheds;
	crew->waiters = waiters;
	if (pthread_barrier_init(&crew->entered, NULL, nr_scheds))
		return -1;
	if (ums_group_create(NULL, &crew->group))
		return -1;
	for (i = 0; i < nr_scheds; i++) {
		struct lc_sched *sched = &crew->scheds[i];

		sched->crew = crew;
		if (ums_list_create(crew->group, UMS_NODE_ANY, &sched->list) ||
		    (waiters == LC_PUT_ASIDE &&
		     ums_list_accept_waiters(sched->list)) ||
		    (waiters == LC_HAND_OVER &&
		     ums_list_hand_over(sched->list)))
			return -1;
	}
	return 0;
}

/* One more worker; all are there before the first one runs */
static inline int lc_add(struct lc_crew *crew, void (*fn)(struct lc_worker *),
			 void *arg)
{
	struct lc_worker *worker = &crew->workers[crew->nr_workers];
	struct lc_sched *sched;

	sched = &crew->scheds[crew->nr_workers % crew->nr_scheds];
	worker->fn = fn;
	worker->arg = arg;
	worker->index = crew->nr_workers;
	if (ums_spawn(sched->list, lc_work, worker, NULL, &worker->context,
		      &worker->thread))
		return -1;
	sched->left++;
	crew->nr_workers++;
	return 0;
}

/* All schedulers and workers, until they have ended */
static inline int lc_run(struct lc_crew *crew)
{
	unsigned int i;

	for (i = 0; i < crew->nr_scheds; i++)
		if (pthread_create(&crew->scheds[i].thread, NULL, lc_schedule,
				   &crew->scheds[i]))
			return -1;
	for (i = 0; i < crew->nr_scheds; i++)
		pthread_join(crew->scheds[i].thread, NULL);
	for (i = 0; i < crew->nr_workers; i++)
		pthread_join(crew->workers[i].thread, NULL);
	return 0;
}

static inline int lc_close(struct lc_crew *crew)
{
	unsigned int i;

	for (i = 0; i < crew->nr_workers; i++)
		if (delete_ums_thread_context(crew->workers[i].context))
			return -1;
	for (i = 0; i < crew->nr_scheds; i++)
		if (delete_ums_completion_list(crew->scheds[i].list))
			return -1;
	return ums_group_destroy(crew->group);
}

static inline unsigned long lc_asides(const struct lc_crew *crew)
{
	unsigned long asides = 0;
	unsigned int i;

	for (i = 0; i < crew->nr_scheds; i++)
		asides += crew->scheds[i].asides;
	return asides;
}

static inline unsigned long lc_handed(const struct lc_crew *crew)
{
	unsigned long handed = 0;
	unsigned int i;

	for (i = 0; i < crew->nr_scheds; i++)
		handed += crew->scheds[i].handed;
	return handed;
}

/* How often the kernel had to find out who runs, and who has switched */
static inline int lc_switches(const struct lc_crew *crew,
			      struct ums_switches *sum)
{
	struct ums_switches switches;
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < crew->nr_workers; i++) {
		if (ums_context_switches(crew->workers[i].context, &switches))
			return -1;
		sum->user += switches.user;
		sum->resolved += switches.resolved;
		sum->slow_kernel += switches.slow_kernel;
		sum->slow_ids += switches.slow_ids;
	}
	return 0;
}

#endif /* UMS_SELFTESTS_LIB_CREW_H */
