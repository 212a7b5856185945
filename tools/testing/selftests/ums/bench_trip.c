// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: a worker that blocks, is woken by its scheduler, runs, and
 * blocks again. A worker that is preempted makes a row wrong, and fails it.
 */
#include <unistd.h>

#include "bench.h"

static void answer_pipe(struct ut_thread *self)
{
	struct rig *rig = self->arg;
	char byte;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (read(rig->pipes.there[0], &byte, 1) != 1 ||
		    write(rig->pipes.back[1], &byte, 1) != 1)
			break;
}

/*
 * Who is ready next: off the ring as long as there is something. Inline, as it
 * is in a scheduler that has one loop.
 */
static __always_inline __u64 next_ready(struct rig *rig)
{
	struct ums_ring *ring = rig->base.ring;
	struct ums_event event;
	__u32 head = UT_LOAD(ring->head);
	__u64 ctx;

	if (head != UT_LOAD(ring->tail)) {
		ctx = ring->ctx[head & ring->mask];
		if (__atomic_compare_exchange_n(&ring->head, &head, head + 1,
						false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return ctx;
	}
	expect(rig, ut_dequeue(rig->base.list, &event, 1, -1) == 1);
	return event.ctx;
}

static bool is_end_of_turn(long reason)
{
	return reason == UMS_REASON_BLOCKED || reason == UMS_REASON_TERMINATED;
}

/* The scheduler writes, runs the worker until that reads again, and reads */
static void run_pipe(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	char byte = 0;
	long ret;

	while (count--) {
		expect(rig, write(rig->pipes.there[1], &byte, 1) == 1);
		expect(rig, next_ready(rig) == rig->worker[0].ctx);
		ret = uu.execute(sched, uu_slot(&rig->worker[0]));
		expect(rig, is_end_of_turn(ret));
		expect(rig, read(rig->pipes.back[0], &byte, 1) == 1);
	}
}

static void measure_pipe(struct rig *rig)
{
	expect(rig, uu_execute(&rig->base, &rig->worker[0]) ==
		    UMS_REASON_BLOCKED);
	measure(rig->result, run_pipe, 1, rig);
}

void user_pipe(struct result *result)
{
	with_files(result, pipes_open, measure_pipe, answer_pipe);
}

void user_socket(struct result *result)
{
	with_files(result, sockets_open, measure_pipe, answer_pipe);
}

/* The same by two words: the one that the worker waits for, and its answer */
static void answer_futex(struct ut_thread *self)
{
	struct rig *rig = self->arg;
	int i;

	for (i = 0; i < TOTAL; i++) {
		while (!UT_LOAD(rig->word[0]))
			futex_wait(&rig->word[0], 0);
		UT_STORE(rig->word[0], 0);
		UT_STORE(rig->word[1], 1);
		futex_wake(&rig->word[1]);
	}
}

static void run_futex(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	long ret;

	while (count--) {
		UT_STORE(rig->word[0], 1);
		futex_wake(&rig->word[0]);
		expect(rig, next_ready(rig) == rig->worker[0].ctx);
		ret = uu.execute(sched, uu_slot(&rig->worker[0]));
		expect(rig, is_end_of_turn(ret));
		while (!UT_LOAD(rig->word[1]))
			futex_wait(&rig->word[1], 0);
		UT_STORE(rig->word[1], 0);
	}
}

static void measure_futex(struct rig *rig)
{
	expect(rig, uu_execute(&rig->base, &rig->worker[0]) ==
		    UMS_REASON_BLOCKED);
	measure(rig->result, run_futex, 1, rig);
}

void user_futex(struct result *result)
{
	with_ums(result, measure_futex, answer_futex, NULL);
}
