// SPDX-License-Identifier: GPL-2.0
/*
 * photon: a user-mode scheduler in the style of Windows
 *
 * One scheduler thread for each cpu, pinned, with a completion list of its own.
 * A new worker goes to the less loaded of two schedulers picked at random. The
 * entry point of a scheduler drains its list into its ready queue, and executes
 * what is first there; it is called anew when the worker blocks, yields or
 * ends. A scheduler that has nothing to do waits for its list, and for the word
 * that all is over.
 *
 * The workers compute, yield, sleep, and wait for each other by pipe and by
 * futex, and note what they have done. The exit status is 0 only if all of it
 * was done exactly once, 4 on a kernel without UMS, else 1.
 *
 * An entry point must not wait for a lock that a worker can hold: this one
 * works on memory that was there before, and leaves joining, freeing and
 * printing to the main thread.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "photon.h"

#define EXIT_NO_UMS	4

/**
 * struct scheduler - A scheduler
 *
 * @list: Its completion list.
 * @event: File descriptor to wait for @list with.
 * @thread: For the main thread to join.
 * @cpu: Cpu that it is pinned to.
 * @load: Workers that were given to it and have not ended.
 * @head: Ready queue: next one to execute. The queue and what follows are
 *	touched by the scheduler only.
 * @tail: Last one of the queue.
 * @calls: Calls of the entry point, by reason.
 * @executed: Tries to execute a worker.
 * @retries: Of these, how many found it locked.
 * @waits: Times that there was nothing to do.
 */
struct scheduler {
	ums_completion_list_t *list;
	int event;
	pthread_t thread;
	int cpu;
	atomic_uint load;
	struct worker *head;
	struct worker *tail;
	unsigned long calls[UMS_REASON_TERMINATED + 1];
	unsigned long executed;
	unsigned long retries;
	unsigned long waits;
};

static unsigned int nr_workers = 64;
static unsigned int nr_rounds = 50;
static unsigned int nr_schedulers;

static struct worker *workers;
static struct scheduler *schedulers;
static atomic_uint nr_ended;
static sem_t all_ended;
static int stop_fd;

noreturn void die(const char *what)
{
	dprintf(STDERR_FILENO, "photon: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* --- The schedulers ------------------------------------------------------ */

static void enqueue(struct scheduler *self, struct worker *worker)
{
	worker->next = NULL;
	if (self->head)
		self->tail->next = worker;
	else
		self->head = worker;
	self->tail = worker;
}

static struct worker *dequeue(struct scheduler *self)
{
	struct worker *worker = self->head;

	if (worker)
		self->head = worker->next;
	return worker;
}

static void worker_ended(struct scheduler *self, struct worker *worker)
{
	atomic_fetch_add(&worker->ends, 1);
	atomic_fetch_sub(&self->load, 1);
	if (atomic_fetch_add(&nr_ended, 1) + 1 == nr_workers)
		sem_post(&all_ended);
}

static bool is_terminated(ums_context_t *context)
{
	bool terminated;

	if (query_ums_thread_information(context, UMS_THREAD_IS_TERMINATED,
					 &terminated, sizeof(terminated), NULL))
		die("query_ums_thread_information");
	return terminated;
}

/* Move all that can be executed to the ready queue, do not wait for it */
static void drain(struct scheduler *self)
{
	ums_context_t *item, *next;

	if (dequeue_ums_completion_list_items(self->list, 0, &item)) {
		if (errno != EAGAIN && errno != EINTR)
			die("dequeue_ums_completion_list_items");
		return;
	}

	for (; item; item = next) {
		next = get_next_ums_list_item(item);
		if (is_terminated(item))
			worker_ended(self, ums_context_user(item));
		else
			enqueue(self, ums_context_user(item));
	}
}

/* Returns false when all is over */
static bool wait_for_work(struct scheduler *self)
{
	struct pollfd fds[] = {
		{ .fd = self->event, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};

	self->waits++;
	if (poll(fds, 2, -1) < 0 && errno != EINTR)
		die("poll");
	return !fds[1].revents;
}

/* What the worker that just ran needs */
static void take_back(struct scheduler *self, ums_reason_t reason,
		      ums_activation_t *activation)
{
	switch (reason) {
	case UMS_REASON_YIELDED:
	case UMS_REASON_PREEMPTED:
		/* It is ready, and no list says so */
		enqueue(self, ums_context_user(activation->context));
		break;
	case UMS_REASON_TERMINATED:
		worker_ended(self, ums_context_user(activation->context));
		break;
	case UMS_REASON_STARTUP:
	case UMS_REASON_BLOCKED:	/* the list will have it */
	case UMS_REASON_READY:		/* of lists only */
		break;
	}
}

/*
 * The entry point. It is left by a successful execute_ums_thread(), and by
 * returning when there is no more work.
 */
static void run_workers(ums_reason_t reason, ums_activation_t *activation,
			void *param)
{
	struct scheduler *self = activation->scheduler_param;
	struct worker *worker;

	/* A worker yields itself, see photon_work.c */
	if (reason == UMS_REASON_YIELDED &&
	    param != ums_context_user(activation->context))
		die("parameter of a yield");

	self->calls[reason]++;
	take_back(self, reason, activation);

	for (;;) {
		drain(self);
		worker = dequeue(self);
		if (worker) {
			self->executed++;
			execute_ums_thread(worker->context);
			if (errno != EAGAIN && errno != EINTR)
				die("execute_ums_thread");
			self->retries++;
			enqueue(self, worker);
		} else if (!wait_for_work(self)) {
			return;
		}
	}
}

static void *scheduler_thread(void *arg)
{
	struct scheduler *self = arg;
	struct ums_scheduler_startup_info info = {
		.version = UMS_API_VERSION,
		.completion_list = self->list,
		.scheduler_proc = run_workers,
		.scheduler_param = self,
	};
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(self->cpu, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		die("sched_setaffinity");

	if (enter_ums_scheduling_mode(&info))
		die("enter_ums_scheduling_mode");
	return NULL;
}

static void start_schedulers(const cpu_set_t *cpus)
{
	struct scheduler *self = schedulers;
	int cpu = -1;

	for (; self < schedulers + nr_schedulers; self++) {
		/* With more of them than cpus, begin again with the first */
		do {
			cpu = (cpu + 1) % CPU_SETSIZE;
		} while (!CPU_ISSET(cpu, cpus));
		self->cpu = cpu;

		if (create_ums_completion_list(&self->list) ||
		    get_ums_completion_list_event(self->list, &self->event))
			die("create_ums_completion_list");
		errno = pthread_create(&self->thread, NULL, scheduler_thread,
				       self);
		if (errno)
			die("pthread_create");
	}
}

static void stop_schedulers(void)
{
	struct scheduler *self = schedulers;

	if (eventfd_write(stop_fd, 1))
		die("eventfd_write");
	for (; self < schedulers + nr_schedulers; self++) {
		pthread_join(self->thread, NULL);
		if (delete_ums_completion_list(self->list))
			die("delete_ums_completion_list");
	}
}

/* --- The workers --------------------------------------------------------- */

static void *worker_main(void *arg);

/* The less loaded of two random schedulers */
static struct scheduler *pick_scheduler(unsigned int *seed)
{
	struct scheduler *a = &schedulers[rand_r(seed) % nr_schedulers];
	struct scheduler *b = &schedulers[rand_r(seed) % nr_schedulers];

	return atomic_load(&b->load) < atomic_load(&a->load) ? b : a;
}

static void spawn(struct worker *worker)
{
	unsigned int seed = worker->number;

	worker->scheduler = pick_scheduler(&seed);
	atomic_fetch_add(&worker->scheduler->load, 1);
	if (create_ums_thread_context(&worker->context) ||
	    set_ums_thread_information(worker->context, UMS_THREAD_USER_CONTEXT,
				       &worker, sizeof(worker)))
		die("create_ums_thread_context");
	if (ums_pthread_create(&worker->thread, NULL, worker->scheduler->list,
			       worker->context, worker_main, worker))
		die("ums_pthread_create");
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	unsigned int round;

	if (get_current_ums_thread() != self->context)
		die("get_current_ums_thread");
	atomic_fetch_add(&self->starts, 1);

	/* Workers spawn workers too */
	if (self->number % 2 == 0)
		spawn(self->partner);

	for (round = 0; round < nr_rounds; round++) {
		work_round(self, round);
		atomic_fetch_add(&self->done[round], 1);
	}
	return self;
}

static void create_workers(void)
{
	unsigned int i;

	workers = calloc(nr_workers, sizeof(*workers));
	if (!workers)
		die("memory");

	for (i = 0; i < nr_workers; i++) {
		workers[i].number = i;
		workers[i].partner = &workers[i ^ 1];
		workers[i].done = calloc(nr_rounds, sizeof(*workers[i].done));
		if (!workers[i].done || sem_init(&workers[i].given, 0, 0))
			die("memory");
	}
	work_setup();
}

/* Number of workers that are not as they should be */
static unsigned int reap_workers(void)
{
	struct worker *self = workers;
	unsigned int round, wrong = 0;
	void *result;

	for (; self < workers + nr_workers; self++) {
		bool good = atomic_load(&self->starts) == 1 &&
			    atomic_load(&self->ends) == 1;

		if (pthread_join(self->thread, &result) || result != self)
			good = false;
		if (delete_ums_thread_context(self->context))
			good = false;
		for (round = 0; round < nr_rounds; round++)
			if (atomic_load(&self->done[round]) != 1)
				good = false;
		wrong += !good;
		sem_destroy(&self->given);
		free(self->done);
	}
	free(workers);
	return wrong;
}

/* --- The rest ------------------------------------------------------------ */

static void print_summary(double seconds)
{
	const struct scheduler *self = schedulers;

	printf("%4s %10s %10s %10s %10s %10s %10s %10s\n", "cpu", "executed",
	       "blocked", "yielded", "preempted", "ended", "retried", "waited");
	for (; self < schedulers + nr_schedulers; self++)
		printf("%4d %10lu %10lu %10lu %10lu %10lu %10lu %10lu\n",
		       self->cpu, self->executed,
		       self->calls[UMS_REASON_BLOCKED],
		       self->calls[UMS_REASON_YIELDED],
		       self->calls[UMS_REASON_PREEMPTED],
		       self->calls[UMS_REASON_TERMINATED],
		       self->retries, self->waits);
	printf("%u workers, %u rounds each, %.3f s\n", nr_workers, nr_rounds,
	       seconds);
}

static noreturn void print_help(int status)
{
	fprintf(status ? stderr : stdout,
		"Usage: photon [options]\n"
		"  -w, --workers=N     workers, an even number (default %u)\n"
		"  -r, --rounds=N      rounds of work of each (default %u)\n"
		"  -s, --schedulers=N  schedulers (default one for each cpu)\n"
		"  -h, --help          print this\n"
		"Exit status: 0 all work was done exactly once, 1 it was not,\n"
		"%d this kernel has no UMS.\n",
		nr_workers, nr_rounds, EXIT_NO_UMS);
	exit(status);
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || !value || value > INT_MAX)
		print_help(EXIT_FAILURE);
	return value;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "workers", required_argument, NULL, 'w' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "schedulers", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "w:r:s:h", options,
				     NULL)) != -1) {
		switch (option) {
		case 'w':
			nr_workers = number(optarg);
			break;
		case 'r':
			nr_rounds = number(optarg);
			break;
		case 's':
			nr_schedulers = number(optarg);
			break;
		case 'h':
			print_help(EXIT_SUCCESS);
		default:
			print_help(EXIT_FAILURE);
		}
	}
	if (optind < argc || nr_workers % 2)
		print_help(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct ums_group_options options = {
		.orphan_policy = UMS_ORPHAN_RELEASE,
	};
	struct ums_probe probe;
	unsigned int i, wrong;
	cpu_set_t cpus;
	double start;

	parse_options(argc, argv);
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		die("sched_getaffinity");
	if (!nr_schedulers)
		nr_schedulers = CPU_COUNT(&cpus);

	options.max_contexts = nr_workers + nr_schedulers;
	if (ums_probe_kernel(&probe)) {
		fprintf(stderr, "photon: this kernel has no UMS\n");
		return EXIT_NO_UMS;
	}
	if (ums_configure_default_group(&options))
		die("ums_configure_default_group");

	schedulers = calloc(nr_schedulers, sizeof(*schedulers));
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (!schedulers || stop_fd < 0 || sem_init(&all_ended, 0, 0))
		die("start");
	create_workers();

	start = now();
	start_schedulers(&cpus);
	for (i = 0; i < nr_workers; i += 2)
		spawn(&workers[i]);
	while (sem_wait(&all_ended) && errno == EINTR)
		;
	start = now() - start;

	wrong = reap_workers();
	stop_schedulers();
	print_summary(start);
	free(schedulers);

	if (wrong)
		printf("FAILED: the work of %u workers was not done once\n",
		       wrong);
	else
		printf("all work was done exactly once\n");
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
