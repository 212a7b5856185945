// SPDX-License-Identifier: GPL-2.0
/*
 * httpd --ums: every connection is a worker of user-mode scheduling.
 *
 * One scheduler for each cpu, pinned to it, with a completion list of its own.
 * A new worker goes to the scheduler that has the fewest, and is pinned to the
 * same cpu: what it does in the kernel after a wait, before the scheduler runs
 * it, then happens there, and nothing migrates. The scheduler runs what is
 * ready in the order in which it became so; when a worker blocks, the scheduler
 * has its cpu back and runs the next.
 *
 * A worker may be stopped while it holds a lock, say that of malloc(). The
 * code of a scheduler must never wait for it, so it takes none: it collects
 * events, executes, and hands those who have ended to crew_ended().
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdnoreturn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ums/ums.h>

#include "httpd.h"
#include "httpd_crew.h"

#define BATCH	64

struct worker {
	struct crew_thread crew;	/* first */
	struct scheduler *sched;
	ums_context_t *context;
	struct worker *next;		/* in the ready queue */
};

struct counters {
	unsigned long executed;
	unsigned long retried;
	unsigned long blocked;
	unsigned long blocked_fault;	/* of these, not by a system call */
	unsigned long yielded;
	unsigned long preempted;
	unsigned long terminated;
	unsigned long dequeues;
	unsigned long ready;
};

struct scheduler {
	pthread_t thread;
	int cpu;
	int error;			/* of the start */
	ums_completion_list_t *list;
	atomic_uint nr_workers;		/* that are to be waited for */
	atomic_bool stop;		/* no further workers will come */

	/* its own */
	struct worker *head, *tail;	/* ready queue */
	unsigned int nr_ready;
	struct counters count;
};

static struct ums_group *group;
static struct scheduler *scheds;
static unsigned int nr_scheds;
static sem_t started;

static noreturn void die(const char *what)
{
	dprintf(STDERR_FILENO, "httpd: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILURE);
}

static void make_ready(struct scheduler *sched, struct worker *w)
{
	w->next = NULL;
	if (sched->nr_ready++)
		sched->tail->next = w;
	else
		sched->head = w;
	sched->tail = w;
}

static void worker_ended(struct scheduler *sched, struct worker *w)
{
	sched->count.terminated++;
	crew_ended(&w->crew);
	atomic_fetch_sub(&sched->nr_workers, 1);
}

static struct worker *worker_of(const struct ums_event *event)
{
	ums_context_t *context = ums_event_context(event);
	struct worker *w = context ? ums_context_user(context) : NULL;

	if (!w)
		die("event of an unknown worker");
	return w;
}

/* Takes what has become ready; waits for it if there is nothing else to do. */
static void collect(struct scheduler *sched)
{
	struct ums_event events[BATCH];
	int n;

	n = ums_dequeue(sched->list, events, BATCH, sched->nr_ready ? 0 : -1);
	sched->count.dequeues++;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("dequeue");

	for (int i = 0; i < n; i++) {
		struct worker *w = worker_of(&events[i]);

		if (events[i].reason == UMS_REASON_TERMINATED) {
			worker_ended(sched, w);
		} else {
			sched->count.ready++;
			make_ready(sched, w);
		}
	}
}

static void run_first(struct scheduler *sched)
{
	struct worker *w = sched->head;
	struct ums_event event;

	sched->head = w->next;
	sched->nr_ready--;

	switch (ums_run(w->context, &event)) {
	case UMS_REASON_BLOCKED:
		sched->count.blocked++;
		sched->count.blocked_fault += event.cause != UMS_CAUSE_SYSCALL;
		break;
	case UMS_REASON_YIELDED:
		sched->count.yielded++;
		make_ready(sched, worker_of(&event));
		break;
	case UMS_REASON_PREEMPTED:
		sched->count.preempted++;
		make_ready(sched, worker_of(&event));
		break;
	case UMS_REASON_TERMINATED:
		worker_ended(sched, worker_of(&event));
		break;
	default:
		/* the kernel has it locked, or we had a signal */
		if (errno != EAGAIN && errno != EINTR)
			die("execute");
		sched->count.retried++;
		make_ready(sched, w);
		return;
	}
	sched->count.executed++;
}

static int pin(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return -pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

static void *schedule(void *arg)
{
	struct scheduler *sched = arg;

	sched->error = pin(sched->cpu);
	if (!sched->error && ums_scheduler_enter(sched->list))
		sched->error = -errno;
	sem_post(&started);
	if (sched->error)
		return NULL;

	while (!atomic_load(&sched->stop) || atomic_load(&sched->nr_workers)) {
		collect(sched);
		for (unsigned int n = sched->nr_ready; n; n--)
			run_first(sched);
	}

	if (ums_scheduler_leave())
		die("leave scheduling mode");
	return NULL;
}

/* A worker that tells its scheduler to end when no others are left. */
static void last_worker(void *arg)
{
	struct scheduler *sched = arg;

	atomic_store(&sched->stop, true);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	/* Only slower if it fails. */
	pin(w->sched->cpu);
	if (!ums_worker_enter(w->sched->list, w->context)) {
		w->crew.fn(w->crew.arg);
		/* TERMINATED follows when the thread exits. */
		return NULL;
	}

	/*
	 * The kernel has no memory for it: go on as an ordinary thread, which
	 * no scheduler hears of.
	 */
	if (w->crew.fn == last_worker)
		die("attach");
	atomic_fetch_sub(&w->sched->nr_workers, 1);
	w->crew.fn(w->crew.arg);
	crew_ended(&w->crew);
	return NULL;
}

static void dispose(struct crew_thread *t)
{
	struct worker *w = (struct worker *)t;

	if (delete_ums_thread_context(w->context))
		die("delete context");
	free(w);
}

static int start_worker(struct scheduler *sched, void (*fn)(void *arg),
			void *arg)
{
	struct worker *w = calloc(1, sizeof(*w));
	int error;

	if (!w)
		return -ENOMEM;
	w->sched = sched;
	w->crew.fn = fn;
	w->crew.arg = arg;
	if (ums_context_create(group, UMS_NODE_ANY, &w->context)) {
		error = -errno;
		free(w);
		return error;
	}

	atomic_fetch_add(&sched->nr_workers, 1);
	error = 0;
	if (set_ums_thread_information(w->context, UMS_THREAD_USER_CONTEXT,
				       &w, sizeof(w)))
		error = -errno;
	if (!error)
		error = crew_start(&w->crew, run);
	if (error) {
		atomic_fetch_sub(&sched->nr_workers, 1);
		dispose(&w->crew);
	}
	return error;
}

static int ums_spawn_least(void (*fn)(void *arg), void *arg)
{
	struct scheduler *best = scheds;

	crew_reap(dispose);
	for (unsigned int i = 1; i < nr_scheds; i++) {
		if (atomic_load(&scheds[i].nr_workers) <
		    atomic_load(&best->nr_workers))
			best = &scheds[i];
	}
	return start_worker(best, fn, arg);
}

static int start_scheduler(struct scheduler *sched, int cpu)
{
	int error;

	sched->cpu = cpu;
	if (ums_list_create(group, UMS_NODE_ANY, &sched->list))
		return -errno;
	error = -pthread_create(&sched->thread, NULL, schedule, sched);
	if (error)
		return error;
	while (sem_wait(&started))
		;
	return sched->error;
}

static struct ums_probe probe;

static bool ums_available(void)
{
	return !ums_probe_kernel(&probe);
}

static int ums_start(const struct httpd_config *config)
{
	struct ums_group_options options = {
		.orphan_policy = UMS_ORPHAN_RELEASE,
	};
	cpu_set_t cpus;
	int error = 0, cpu = -1;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	nr_scheds = config->schedulers ? config->schedulers :
					  (unsigned int)CPU_COUNT(&cpus);
	/* A connection that has ended keeps its context until it is joined. */
	options.max_contexts = 2 * config->max_connections + nr_scheds + 64;
	if (options.max_contexts > probe.max_contexts)
		options.max_contexts = probe.max_contexts;
	scheds = calloc(nr_scheds, sizeof(*scheds));
	if (!scheds || sem_init(&started, 0, 0) ||
	    ums_group_create(&options, &group))
		return -errno;

	for (unsigned int i = 0; !error && i < nr_scheds; i++) {
		do {
			cpu = (cpu + 1) % CPU_SETSIZE;
		} while (!CPU_ISSET(cpu, &cpus));
		error = start_scheduler(&scheds[i], cpu);
	}
	return error;
}

static int ums_stop(void)
{
	int error = 0;

	for (unsigned int i = 0; !error && i < nr_scheds; i++) {
		error = start_worker(&scheds[i], last_worker, &scheds[i]);
		if (!error)
			error = -pthread_join(scheds[i].thread, NULL);
	}
	if (error)
		return error;

	crew_join(dispose);
	for (unsigned int i = 0; i < nr_scheds; i++) {
		if (delete_ums_completion_list(scheds[i].list))
			return -errno;
	}
	return ums_group_destroy(group) ? -errno : 0;
}

static void ums_report(FILE *out)
{
	struct counters sum = { 0 };

	for (unsigned int i = 0; i < nr_scheds; i++) {
		const struct counters *c = &scheds[i].count;

		sum.executed += c->executed;
		sum.retried += c->retried;
		sum.blocked += c->blocked;
		sum.blocked_fault += c->blocked_fault;
		sum.yielded += c->yielded;
		sum.preempted += c->preempted;
		sum.terminated += c->terminated;
		sum.dequeues += c->dequeues;
		sum.ready += c->ready;
	}
	fprintf(out, " schedulers=%u executed=%lu retried=%lu", nr_scheds,
		sum.executed, sum.retried);
	fprintf(out, " blocked=%lu blocked_fault=%lu yielded=%lu preempted=%lu",
		sum.blocked, sum.blocked_fault, sum.yielded, sum.preempted);
	fprintf(out, " terminated=%lu dequeues=%lu ready=%lu", sum.terminated,
		sum.dequeues, sum.ready);
	free(scheds);
}

const struct httpd_mode httpd_ums = {
	.name = "ums",
	.available = ums_available,
	.start = ums_start,
	.spawn = ums_spawn_least,
	.stop = ums_stop,
	.report = ums_report,
};
