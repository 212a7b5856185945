// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers: threads that take turns by user switch, see step.h.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "step.h"

#define STACK_LIMIT	65536

static struct step *step;
static struct ut_base base;
static struct ut_thread workers[STEP_THREADS];

static __thread int me;
static __thread uintptr_t my_stack;

struct step *step_alloc(void)
{
	struct step *memory = mmap(NULL, sizeof(*memory),
				   PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	memory->victim = -1;
	return memory;
}

void step_free(struct step *memory)
{
	munmap(memory, sizeof(*memory));
}

static void handler(int sig)
{
	struct step_thread *self = &step->thread[me];

	if (gettid() != self->tid ||
	    my_stack - (uintptr_t)__builtin_frame_address(0) > STACK_LIMIT)
		self->bad++;
	self->handled++;
}

static void mark(void)
{
	int victim = me;

	if (UT_LOAD(step->victim) == me &&
	    __atomic_compare_exchange_n(&step->victim, &victim, -1, false,
					__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		syscall(SYS_tgkill, getpid(), step->thread[me].tid, STEP_MARK);
}

/* The caller has nothing left to do but to let the next one run */
static void take_turn(long turns)
{
	struct step_thread *self = &step->thread[me];

	if (__atomic_exchange_n(&step->inside, me + 1, __ATOMIC_ACQ_REL))
		self->bad++;
	if (self->turns++ != turns || UT_LOAD(step->turn) != me)
		self->bad++;
	if (__atomic_exchange_n(&step->inside, 0, __ATOMIC_ACQ_REL) != me + 1)
		self->bad++;
	UT_STORE(step->turn, (me + 1) % STEP_THREADS);
}

static void work(struct ut_thread *self)
{
	long turns;

	me = self - workers;
	my_stack = (uintptr_t)__builtin_frame_address(0);
	UT_STORE(step->thread[me].tid, self->tid);
	for (turns = 0; !UT_LOAD(step->stop); turns++) {
		/* It may have lost the processor just before it called */
		while (UT_LOAD(step->turn) != me) {
			if (UT_LOAD(step->stop))
				return;
			/* Each function of the vDSO has one caller */
			if (me == STEP_SWITCH)
				ut_yield(0);
			else
				uu_yield(self, 0);
		}
		take_turn(turns);
		mark();
		if (me == STEP_SWITCH)
			uu.switch_to(uu_slot(self), uu_slot(self + 1));
		else
			uu_yield(self, turns);
	}
}

/* Run whose turn it is until it is the caller's */
static void execute(void)
{
	struct ums_event event;
	unsigned int naps = 0;
	bool marked = false;
	long ret;
	int turn;

	while ((turn = UT_LOAD(step->turn)) != STEP_EXECUTE &&
	       !UT_LOAD(step->stop)) {
		if (!marked)
			mark();
		marked = true;
		ret = uu_execute(&base, &workers[turn]);
		if (ret == -EINPROGRESS || ret == -ENXIO ||
		    ret == UMS_REASON_BLOCKED)
			ut_dequeue(base.list, &event, 1, 10);
		else if (ret == -EAGAIN)
			/* The debugger has it: leave the cpus to these two */
			ut_nap_longer(&naps);
	}
}

static void schedule_all(void)
{
	struct ums_switches one;
	long turns;
	int i;

	me = STEP_EXECUTE;
	my_stack = (uintptr_t)__builtin_frame_address(0);
	UT_STORE(step->thread[me].tid, gettid());
	for (turns = 0; !UT_LOAD(step->stop); turns++) {
		take_turn(turns);
		execute();
	}
	step->error = uu_schedule(&base, &workers[1], STEP_THREADS - 1);
	for (i = 0; i < STEP_THREADS; i++) {
		one = uu_switches(&base, i ? workers[i].ctx : base.sched);
		step->sum.user += one.user;
		step->sum.resolved += one.resolved;
		step->sum.finished += one.finished;
		step->sum.slow_kernel += one.slow_kernel;
		step->sum.slow_busy += one.slow_busy;
	}
}

static long start(void)
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = SA_RESTART,
	};
	long ret;
	int i;

	if (sigaction(STEP_SIGNAL, &action, NULL) || uu_pin())
		return -errno;
	ret = ut_base_open_flags(&base, 8, UMS_ORPHAN_RELEASE, 0);
	if (ret)
		return ret;
	ret = ut_base_schedule_here(&base);
	for (i = 1; i < STEP_THREADS && !ret; i++)
		ret = ut_spawn_worker(&base, &workers[i], work, NULL);
	return ret;
}

void step_process(struct step *shared)
{
	int i;

	step = shared;
	step->error = start();
	if (!step->error)
		schedule_all();
	for (i = 1; i < STEP_THREADS && !step->error; i++)
		ut_join(&workers[i]);
	_exit(!!step->error);
}
