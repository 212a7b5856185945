// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: a worker that blocks, is woken by its scheduler, runs, and
 * blocks again. A worker that is preempted would make a row wrong.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

static void answer_pipe(struct ut_thread *self)
{
	struct rig *rig = self->arg;
	struct pipes *pipes = &rig->pipes;
	char byte = 0;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (!pipe_take(pipes->there[0], pipes->epoll[EPOLL_THERE]) ||
		    write(pipes->back[1], &byte, 1) != 1)
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
	if (ut_dequeue(rig->base.list, &event, 1, -1) != 1)
		bench_die("a worker that was woken is not on its list");
	return event.ctx;
}

/* It answers before it waits again, and the answer is waited for */
static __always_inline void check_turn(long reason)
{
	if (reason != UMS_REASON_BLOCKED && reason != UMS_REASON_TERMINATED)
		bench_die("a worker has not come to the end of its turn");
}

static void start_turns(struct rig *rig, long call)
{
	struct ums_event event;

	if (ut_run_to_block(&rig->base, rig->worker[0].ctx, &event, call) !=
	    UMS_REASON_BLOCKED)
		bench_die("a worker does not block");
}

/* The scheduler writes, runs the worker until that reads again, and reads */
static void run_pipe(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);
	struct pipes *pipes = &rig->pipes;
	char byte = 0;

	while (count--) {
		expect(rig, write(pipes->there[1], &byte, 1) == 1);
		expect(rig, next_ready(rig) == rig->worker[0].ctx);
		check_turn(uu.execute(sched, uu_slot(&rig->worker[0])));
		expect(rig, pipe_take(pipes->back[0],
				      pipes->epoll[EPOLL_BACK]));
	}
}

static void measure_pipe(struct rig *rig)
{
	start_turns(rig, rig->pipes.epoll[EPOLL_THERE] < 0 ? SYS_read :
							    SYS_epoll_wait);
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

void user_epoll(struct result *result)
{
	with_files(result, polled_open, measure_pipe, answer_pipe);
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

	while (count--) {
		UT_STORE(rig->word[0], 1);
		futex_wake(&rig->word[0]);
		expect(rig, next_ready(rig) == rig->worker[0].ctx);
		check_turn(uu.execute(sched, uu_slot(&rig->worker[0])));
		while (!UT_LOAD(rig->word[1]))
			futex_wait(&rig->word[1], 0);
		UT_STORE(rig->word[1], 0);
	}
}

static void measure_futex(struct rig *rig)
{
	start_turns(rig, SYS_futex);
	measure(rig->result, run_futex, 1, rig);
}

void user_futex(struct result *result)
{
	with_ums(result, measure_futex, answer_futex, NULL);
}

static void sleep_again(struct ut_thread *self)
{
	struct rig *rig = self->arg;

	prctl(PR_SET_TIMERSLACK, 1);
	while (!UT_LOAD(rig->stop))
		run_nanosleep(1, NULL);
}

/* Nobody wakes it: the scheduler waits for it, and runs it until it sleeps again */
static void run_sleeps(unsigned int count, void *arg)
{
	struct rig *rig = arg;
	struct ums_context *sched = ut_slot(&rig->base, rig->base.sched);

	while (count--) {
		expect(rig, next_ready(rig) == rig->worker[0].ctx);
		check_turn(uu.execute(sched, uu_slot(&rig->worker[0])));
	}
}

static void measure_sleeps(struct rig *rig)
{
	start_turns(rig, SYS_clock_nanosleep);
	measure(rig->result, run_sleeps, 1, rig);
	without_sleep(rig->result);
	UT_STORE(rig->stop, 1);
	/* From its last sleep; then it can be run to its end */
	expect(rig, next_ready(rig) == rig->worker[0].ctx);
}

void user_nanosleep(struct result *result)
{
	with_ums(result, measure_sleeps, sleep_again, NULL);
}
