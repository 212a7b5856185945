// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: what switches in user mode cost.
 *
 * A worker that blocks or is preempted where a row does not expect it would
 * make the row wrong, and fails it.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* Both workers are known by now: run them until they have yielded */
static void start_workers(struct rig *rig)
{
	int i;

	for (i = 0; i < 2; i++)
		if (rig->worker[i].fn)
			expect(rig, uu_run(&rig->base, &rig->worker[i]) > 0);
}

static void yield_until_stopped(struct ut_thread *self)
{
	struct rig *rig = self->arg;

	while (!UT_LOAD(rig->stop))
		uu_yield(self, 0);
}

static void run_switches(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	struct ums_context *worker = uu_slot(&rig->worker[0]);

	while (count--)
		uu.execute(sched, worker);
}

static void measure_switches(struct rig *rig)
{
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	__u32 before;

	start_workers(rig);
	before = UT_LOAD(sched->switched);
	measure(rig->result, run_switches, 2, rig);
	expect(rig, UT_LOAD(sched->switched) - before == TOTAL);
	UT_STORE(rig->stop, 1);
}

void user_switch(struct result *result)
{
	with_ums(result, measure_switches, yield_until_stopped, NULL);
}

static void answer_hand(struct ut_thread *self)
{
	struct rig *rig = self->arg;
	struct ums_context *own = uu_slot(self);
	struct ums_context *other = uu_slot(&rig->worker[1]);

	uu_yield(self, 0);
	while (!UT_LOAD(rig->stop))
		uu.switch_to(own, other);
}

static void run_hand(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *own = uu_slot(&rig->worker[1]);
	struct ums_context *other = uu_slot(&rig->worker[0]);

	while (count--)
		uu.switch_to(own, other);
}

static void measure_hand(struct ut_thread *self)
{
	struct rig *rig = self->arg;
	struct ums_context *own = uu_slot(self);
	__u32 before;

	uu_yield(self, 0);
	before = UT_LOAD(own->switched);
	measure(rig->result, run_hand, 2, rig);
	expect(rig, UT_LOAD(own->switched) - before == TOTAL);
	UT_STORE(rig->stop, 1);
}

void user_hand(struct result *result)
{
	with_ums(result, start_workers, answer_hand, measure_hand);
}

/* A scheduler's run queue, with the lock that several would need */
struct queue {
	int lock;
	unsigned int head;
	unsigned int tail;
	struct ut_thread *worker[4];
};

static void queue_put(struct queue *queue, struct ut_thread *worker)
{
	while (__atomic_exchange_n(&queue->lock, 1, __ATOMIC_ACQUIRE))
		;
	queue->worker[queue->tail++ % ARRAY_SIZE(queue->worker)] = worker;
	UT_STORE(queue->lock, 0);
}

static struct ut_thread *queue_get(struct queue *queue)
{
	struct ut_thread *worker = NULL;

	while (__atomic_exchange_n(&queue->lock, 1, __ATOMIC_ACQUIRE))
		;
	if (queue->head != queue->tail)
		worker = queue->worker[queue->head++ %
				       ARRAY_SIZE(queue->worker)];
	UT_STORE(queue->lock, 0);
	return worker;
}

static void run_queue(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	struct queue queue = {};
	struct ut_thread *worker;
	long ret;

	queue_put(&queue, &rig->worker[0]);
	queue_put(&queue, &rig->worker[1]);
	while (count--) {
		if (UT_LOAD(rig->base.ring->head) !=
		    UT_LOAD(rig->base.ring->tail))
			expect(rig, false);
		worker = queue_get(&queue);
		ret = uu.execute(sched, uu_slot(worker));
		/* By way of the kernel if the tick came in the middle of it */
		if (ret >= 0 && (ret & ~UMS_RETURN_USER) == UMS_REASON_YIELDED)
			queue_put(&queue, worker);
		else
			bench_die("a worker has not yielded");
	}
}

static void measure_queue(struct rig *rig)
{
	start_workers(rig);
	measure(rig->result, run_queue, 1, rig);
	UT_STORE(rig->stop, 1);
}

void user_queue(struct result *result)
{
	with_ums(result, measure_queue, yield_until_stopped,
		 yield_until_stopped);
}

static void measure_getppid(struct ut_thread *self)
{
	uu_yield(self, 0);
	/* The first call resolves, in the batch that does not count */
	measure(((struct rig *)self->arg)->result, run_getppid, 1, NULL);
}

void user_getppid(struct result *result)
{
	with_ums(result, start_workers, measure_getppid, NULL);
}

static void call_until_stopped(struct ut_thread *self)
{
	struct rig *rig = self->arg;

	while (!UT_LOAD(rig->stop)) {
		uu_yield(self, 0);
		if (UT_LOAD(rig->calls))
			syscall(SYS_getppid);
	}
}

/* Both in turn, so that each finds the other one's kernel thread */
static void run_in_turn(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	struct ums_context *worker[] = {
		uu_slot(&rig->worker[0]), uu_slot(&rig->worker[1]),
	};

	while (count--)
		uu.execute(sched, worker[count % 2]);
}

/* What the calls cost more than the switches alone */
static void measure_first_call(struct rig *rig)
{
	struct result switches = { .count = rig->result->count };
	int i;

	start_workers(rig);
	measure(&switches, run_in_turn, 1, rig);
	UT_STORE(rig->calls, 1);
	measure(rig->result, run_in_turn, 1, rig);
	for (i = 0; i < BATCHES; i++)
		rig->result->value[i] -= switches.value[i];
	UT_STORE(rig->stop, 1);
}

void user_first_call(struct result *result)
{
	with_ums(result, measure_first_call, call_until_stopped,
		 call_until_stopped);
}
