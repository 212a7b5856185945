// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmark: what switches, system calls and faults cost, with UMS and
 * without. Not a test. In a guest with -icount shift=0 a nanosecond is an
 * instruction.
 *
 * Everything runs on cpu 0. A row measures BATCHES batches after one that does
 * not count, and prints the median and the spread (largest minus smallest) of
 * the time for one operation. To add a row, write a function that calls
 * measure() in the thread that shall do the operation, and enter it in rows[].
 */
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

void measure_prepared(struct result *result, run_fn prepare, run_fn run,
		      unsigned int per, void *arg)
{
	__u64 start, time[BATCHES];
	int i;

	result->count = COUNT;
	for (i = -1; i < BATCHES; i++) {
		if (prepare)
			prepare(COUNT, arg);
		start = ut_now_ns();
		run(COUNT, arg);
		if (i >= 0)
			time[i] = ut_now_ns() - start;
	}
	/* Not in between: it would change the control word of SSE */
	for (i = 0; i < BATCHES; i++)
		result->ns[i] = (double)time[i] / (COUNT * per);
}

void measure(struct result *result, run_fn run, unsigned int per, void *arg)
{
	measure_prepared(result, NULL, run, per, arg);
}

void run_getppid(unsigned int count, void *arg)
{
	while (count--)
		syscall(SYS_getppid);
}

static void plain_getppid(struct result *result)
{
	measure(result, run_getppid, 1, NULL);
}

static void futex_wait(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Wait for our turn, 0 or 1, and give it to the other one */
static void take_turns(uint32_t *word, uint32_t mine, unsigned int count)
{
	while (count--) {
		while (UT_LOAD(*word) != mine)
			futex_wait(word, !mine);
		UT_STORE(*word, !mine);
		futex_wake(word);
	}
}

static void *answer_futex(void *word)
{
	take_turns(word, 1, TOTAL);
	return NULL;
}

static void run_futex(unsigned int count, void *word)
{
	take_turns(word, 0, count);
}

static void plain_futex(struct result *result)
{
	uint32_t word = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer_futex, &word)) {
		result->failed = true;
		return;
	}
	measure(result, run_futex, 2, &word);
	pthread_join(thread, NULL);
}

static void *answer_yield(void *stop)
{
	while (!UT_LOAD(*(uint32_t *)stop))
		sched_yield();
	return NULL;
}

static void run_yield(unsigned int count, void *arg)
{
	while (count--)
		sched_yield();
}

static void plain_yield(struct result *result)
{
	uint32_t stop = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer_yield, &stop)) {
		result->failed = true;
		return;
	}
	measure(result, run_yield, 2, NULL);
	UT_STORE(stop, 1);
	pthread_join(thread, NULL);
}

bool pipes_open(struct pipes *pipes, struct result *result)
{
	pipes->result = result;
	return !pipe(pipes->there) && !pipe(pipes->back);
}

void pipes_close(struct pipes *pipes)
{
	close(pipes->there[0]);
	close(pipes->there[1]);
	close(pipes->back[0]);
	close(pipes->back[1]);
}

static void *answer_pipe(void *arg)
{
	struct pipes *pipes = arg;
	int i;
	char byte;

	for (i = 0; i < TOTAL; i++)
		if (read(pipes->there[0], &byte, 1) != 1 ||
		    write(pipes->back[1], &byte, 1) != 1)
			break;
	return NULL;
}

static void run_pipe(unsigned int count, void *arg)
{
	struct pipes *pipes = arg;
	char byte = 0;

	while (count--)
		if (write(pipes->there[1], &byte, 1) != 1 ||
		    read(pipes->back[0], &byte, 1) != 1)
			pipes->result->failed = true;
}

static void plain_pipe(struct result *result)
{
	struct pipes pipes;
	pthread_t thread;

	if (!pipes_open(&pipes, result) ||
	    pthread_create(&thread, NULL, answer_pipe, &pipes)) {
		result->failed = true;
		return;
	}
	measure(result, run_pipe, 1, &pipes);
	pthread_join(thread, NULL);
	pipes_close(&pipes);
}

struct area {
	char *start;
	long page;
};

static bool area_map(struct area *area)
{
	area->page = sysconf(_SC_PAGESIZE);
	area->start = mmap(NULL, COUNT * area->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return area->start != MAP_FAILED &&
	       !madvise(area->start, COUNT * area->page, MADV_NOHUGEPAGE);
}

static void drop_pages(unsigned int count, void *arg)
{
	struct area *area = arg;

	madvise(area->start, count * area->page, MADV_DONTNEED);
}

static void run_faults(unsigned int count, void *arg)
{
	struct area *area = arg;

	while (count--)
		UT_STORE(area->start[count * area->page], 1);
}

static void plain_fault(struct result *result)
{
	struct area area;

	if (!area_map(&area)) {
		result->failed = true;
		return;
	}
	measure_prepared(result, drop_pages, run_faults, 1, &area);
	munmap(area.start, COUNT * area.page);
}

static void *schedule(void *arg)
{
	struct rig *rig = arg;
	struct ums_event event;
	int i;

	if (ut_base_schedule_here(&rig->base)) {
		rig->result->failed = true;
		return NULL;
	}
	if (rig->serve)
		rig->serve(rig);
	for (i = 0; i < 2; i++)
		if (rig->worker[i].fn &&
		    ut_slot_state(&rig->base, rig->worker[i].ctx) !=
			    UMS_STATE_TERMINATED &&
		    ut_run_to(&rig->base, rig->worker[i].ctx, &event,
			      UMS_REASON_TERMINATED) != UMS_REASON_TERMINATED)
			rig->result->failed = true;
	return NULL;
}

void with_ums(struct result *result, void (*serve)(struct rig *rig),
	      void (*first)(struct ut_thread *thread),
	      void (*second)(struct ut_thread *thread))
{
	void (*fn[2])(struct ut_thread *thread) = { first, second };
	struct rig rig = { .result = result, .serve = serve };
	struct ums_event event;
	pthread_t scheduler;
	int i;

	if (ut_base_open(&rig.base, 8, UMS_ORPHAN_RELEASE) ||
	    !pipes_open(&rig.pipes, result)) {
		result->failed = true;
		return;
	}
	for (i = 0; i < 2; i++)
		if (fn[i] && (ut_spawn_worker(&rig.base, &rig.worker[i], fn[i],
					      &rig) ||
			      ut_dequeue(rig.base.list, &event, 1,
					 UT_LIMIT_MS) != 1))
			exit(EXIT_FAILURE);
	if (pthread_create(&scheduler, NULL, schedule, &rig))
		exit(EXIT_FAILURE);
	pthread_join(scheduler, NULL);
	for (i = 0; i < 2; i++)
		if (fn[i])
			ut_join(&rig.worker[i]);
	pipes_close(&rig.pipes);
	ut_base_close(&rig.base);
}

static void worker_getppid(struct ut_thread *thread)
{
	plain_getppid(((struct rig *)thread->arg)->result);
}

static void ums_worker_getppid(struct result *result)
{
	with_ums(result, NULL, worker_getppid, NULL);
}

static void scheduler_getppid(struct rig *rig)
{
	plain_getppid(rig->result);
}

static void ums_scheduler_getppid(struct result *result)
{
	with_ums(result, scheduler_getppid, NULL, NULL);
}

static void worker_fault(struct ut_thread *thread)
{
	plain_fault(((struct rig *)thread->arg)->result);
}

static void ums_worker_fault(struct result *result)
{
	with_ums(result, NULL, worker_fault, NULL);
}

static void worker_yield(struct ut_thread *thread)
{
	int i;

	for (i = 0; i < TOTAL; i++)
		ut_yield(i);
}

/* Straight calls: a block would be seen as a failure */
static void run_execute(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_event event;

	while (count--)
		if (ut_execute(rig->base.group, rig->worker[0].ctx, &event) !=
		    UMS_REASON_YIELDED)
			rig->result->failed = true;
}

static void scheduler_execute(struct rig *rig)
{
	measure(rig->result, run_execute, 2, rig);
}

static void ums_execute_and_yield(struct result *result)
{
	with_ums(result, scheduler_execute, worker_yield, NULL);
}

static void run_execute_second(unsigned int count, void *arg)
{
	struct rig *rig = arg;

	while (count--)
		if (ut_execute(rig->base.group, rig->worker[1].ctx, NULL))
			rig->result->failed = true;
}

static void worker_measure_second(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;

	measure(rig->result, run_execute_second, 2, rig);
}

static void worker_execute_first(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (ut_execute(rig->base.group, rig->worker[0].ctx, NULL))
			rig->result->failed = true;
}

static void ums_worker_to_worker(struct result *result)
{
	with_ums(result, NULL, worker_measure_second, worker_execute_first);
}

static void worker_read(struct ut_thread *thread)
{
	struct rig *rig = thread->arg;
	char byte;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (read(rig->pipes.there[0], &byte, 1) != 1)
			rig->result->failed = true;
}

/* The worker is blocked here, and again when its turn is over */
static void run_unblock(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_event event;
	char byte = 0;
	long ret;

	while (count--) {
		ret = write(rig->pipes.there[1], &byte, 1);
		if (ret == 1)
			ret = ut_dequeue(rig->base.list, &event, 1, -1);
		if (ret == 1)
			ret = ut_execute(rig->base.group, event.ctx, &event);
		if (ret != UMS_REASON_BLOCKED && ret != UMS_REASON_TERMINATED)
			rig->result->failed = true;
	}
}

static void scheduler_unblock(struct rig *rig)
{
	struct ums_event event;

	if (ut_run_to_block(&rig->base, rig->worker[0].ctx, &event,
			    SYS_read) != UMS_REASON_BLOCKED)
		rig->result->failed = true;
	else
		measure(rig->result, run_unblock, 1, rig);
}

static void ums_block_and_unblock(struct result *result)
{
	with_ums(result, scheduler_unblock, worker_read, NULL);
}

static const struct row rows[] = {
	{ "getppid, plain thread", plain_getppid },
	{ "getppid, attached worker", ums_worker_getppid, true },
	{ "getppid, attached scheduler", ums_scheduler_getppid, true },
	{ "futex hand-off, per switch", plain_futex },
	{ "sched_yield of two threads, per switch", plain_yield },
	{ "pipe ping-pong, round trip", plain_pipe },
	{ "UMS execute and yield, per switch", ums_execute_and_yield, true },
	{ "UMS worker to worker, per switch", ums_worker_to_worker, true },
	{ "UMS write, dequeue, execute, block in read", ums_block_and_unblock,
	  true },
	{ "page fault, plain thread", plain_fault },
	{ "page fault, attached worker", ums_worker_fault, true },
	{ "user switch, one way", user_switch, true },
	{ "user switch through libums, one way", library_switch, true },
	{ "user switch, worker to worker, one way", user_hand, true },
	{ "user yield, run queue, next worker", user_queue, true },
	{ "getppid, switched in by user switch", user_getppid, true },
	{ "getppid, first after a switch to another", user_first_call, true },
	{ "pipe ping-pong with a worker, round trip", user_pipe, true },
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Rows whose name contains an argument, or all */
static bool is_wanted(const struct row *row, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strstr(row->name, argv[i]))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	bool absent = ut_absent(), failed = false;
	cpu_set_t set;
	size_t i;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity");
	ut_prefault();
	uu_init();

	printf("%-44s %8s %12s %10s\n", "ns for each", "count", "median",
	       "spread");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result result = {};

		if (!is_wanted(&rows[i], argc, argv))
			continue;
		if (rows[i].needs_ums && absent) {
			printf("%-44s %8s\n", rows[i].name, "no UMS");
			continue;
		}
		rows[i].fn(&result);
		if (result.failed) {
			printf("%-44s %8s\n", rows[i].name, "FAILED");
			failed = true;
			continue;
		}
		qsort(result.ns, BATCHES, sizeof(result.ns[0]), compare);
		printf("%-44s %8u %12.1f %10.1f\n", rows[i].name, result.count,
		       result.ns[BATCHES / 2],
		       result.ns[BATCHES - 1] - result.ns[0]);
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
