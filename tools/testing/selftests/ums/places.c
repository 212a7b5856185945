// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a process with threads in many states, see places.h.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user.h"
#include "places.h"

#define DEEP		8192

/**
 * struct process - All of it
 *
 * @base: Group of MAIN.
 * @turns_base: Group of SCHEDULES and TAKES_TURNS, on whose virtual processor
 *	user code runs all the time.
 * @thread: All but MAIN.
 * @pipe: What BLOCKED reads.
 * @hole: What ENDS writes to, or NULL.
 * @turns: How often SCHEDULES had its turn.
 * @places: For those who look.
 */
struct process {
	struct ut_base base;
	struct ut_base turns_base;
	struct ut_thread thread[NR_PLACES];
	int pipe[2];
	char *hole;
	__u64 turns;
	struct place *places;
};

static struct process self;

static __attribute_noinline__ void here(enum place_of who)
{
	self.places[who].top = (__u64)__builtin_frame_address(0) + PLACE_NEAR;
	UT_STORE(self.places[who].tid, gettid());
}

/* The compiler must not think that @frame is not needed */
static void use(char *frame)
{
	asm volatile("" : : "r" (frame) : "memory");
}

static __attribute_noinline__ void yield_deep(struct ut_thread *thread)
{
	char frame[DEEP];

	use(frame);
	uu_yield(thread, 0);
	use(frame);
}

static void parks(struct ut_thread *thread)
{
	yield_deep(thread);
	yield_deep(thread);
	here(PARKED);
	/* Not the last thing: that would leave the frame */
	thread->ret = uu_yield(thread, 0);
}

static void blocks(struct ut_thread *thread)
{
	char byte;

	yield_deep(thread);
	here(BLOCKED);
	thread->ret = read(self.pipe[0], &byte, 1);
}

static void ends(struct ut_thread *thread)
{
	yield_deep(thread);
	yield_deep(thread);
	here(ENDS);
	if (self.hole)
		UT_STORE(*self.hole, 1);
	for (;;)
		;
}

static void takes_turns(struct ut_thread *thread)
{
	yield_deep(thread);
	yield_deep(thread);
	here(TAKES_TURNS);
	for (;;)
		uu_yield(thread, 0);
}

static __attribute_noinline__ long run_deep(struct ut_base *base, struct ut_thread *worker)
{
	char frame[DEEP];
	long ret;

	use(frame);
	ret = uu_start(base, worker);
	if (ret >= 0)
		ret = uu_run(base, worker);
	use(frame);
	return ret;
}

static void schedules(struct ut_thread *thread)
{
	struct ut_base *base = &self.turns_base;
	struct ut_thread *worker = &self.thread[TAKES_TURNS];

	if (ut_base_open_flags(base, 4, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(base) ||
	    ut_spawn_worker(base, worker, takes_turns, NULL) ||
	    run_deep(base, worker) < 0)
		return;
	here(SCHEDULES);
	while (uu_run(base, worker) >= 0)
		UT_INC(self.turns);
}

static void (*const functions[])(struct ut_thread *thread) = {
	[PARKED] = parks,
	[BLOCKED] = blocks,
	[ENDS] = ends,
};

int places_take(struct place *places, bool crash)
{
	struct ut_base *base = &self.base;
	struct ut_thread *thread = self.thread;
	enum place_of who;

	self.places = places;
	if (crash)
		self.hole = mmap(NULL, 1, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (self.hole == MAP_FAILED || pipe(self.pipe) ||
	    ut_base_open_flags(base, 8, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(base) ||
	    ut_spawn(NULL, &thread[SCHEDULES], UMS_ROLE_NONE, schedules, NULL))
		return __LINE__;
	for (who = PARKED; who <= ENDS; who++)
		if (ut_spawn_worker(base, &thread[who], functions[who],
				    NULL))
			return __LINE__;
	if (run_deep(base, &thread[PARKED]) < 0 ||
	    uu_run(base, &thread[PARKED]) < 0 ||
	    uu_start(base, &thread[BLOCKED]) < 0 ||
	    run_deep(base, &thread[ENDS]) < 0)
		return __LINE__;
	here(MAIN);
	/* Blocks for good */
	if (uu_execute(base, &thread[BLOCKED]) != UMS_REASON_BLOCKED ||
	    !UT_WAIT(ut_thread_sleeps_in(thread[BLOCKED].tid, SYS_read)) ||
	    !UT_WAIT(UT_LOAD(self.turns) > 1000))
		return __LINE__;
	/* Whoever stops or signals MAIN takes the worker away from it */
	while (uu_run(base, &thread[ENDS]) >= 0)
		;
	return __LINE__;
}
