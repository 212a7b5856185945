// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: what debug_test.sh has debuggers look at.
 *
 *   debug_target wait	takes its places, says which thread is in which, stays
 *   debug_target crash	a child takes its places, and dumps core; says which
 *			thread was in which
 *   debug_target calls	two workers take turns at calling turn() and the kernel,
 *			each TURNS times
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "places.h"
#include "user.h"

#define SKIPPED	4
#define TURNS	50

static struct place *places;

static void say_who_is_where(void)
{
	static const char * const names[NR_PLACES] = {
		[MAIN] = "places_take",
		[PARKED] = "parks",
		[BLOCKED] = "blocks",
		[ENDS] = "ends",
		[SCHEDULES] = "schedules",
		[TAKES_TURNS] = "takes_turns",
	};
	enum place_of who;

	for (who = MAIN; who < NR_PLACES; who++)
		printf("%d %s\n", UT_LOAD(places[who].tid), names[who]);
	printf("end\n");
	fflush(stdout);
}

/* A thread without a role, for the others are busy */
static void speaks(struct ut_thread *thread)
{
	/* The last one */
	while (!UT_LOAD(places[ENDS].tid))
		ut_nap();
	say_who_is_where();
	pause();
}

static int crash(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return __LINE__;
	if (!child)
		_exit(places_take(places, true) % 256);
	status = ut_wait_child(child, 2 * UT_LIMIT_MS);
	if (status < 0 || !WIFSIGNALED(status))
		return __LINE__;
	/* What each has noted by itself */
	say_who_is_where();
	return 0;
}

/* For breakpoints */
__attribute_noinline__ int turn(pid_t tid);

int turn(pid_t tid)
{
	/* One call that says whose it should be */
	return getpriority(PRIO_PROCESS, tid);
}

static void takes_turns(struct ut_thread *thread)
{
	int i;

	for (i = 0; i < TURNS; i++) {
		thread->ret += turn(thread->tid);
		uu_yield(thread, i);
	}
}

static int run_calls(void)
{
	struct ut_thread worker[2];
	struct ut_base base;
	unsigned int i;

	if (ut_base_open_flags(&base, 4, UMS_ORPHAN_RELEASE, 0) ||
	    ut_base_schedule_here(&base))
		return __LINE__;
	for (i = 0; i < ARRAY_SIZE(worker); i++)
		if (ut_spawn_worker(&base, &worker[i], takes_turns, NULL))
			return __LINE__;
	return uu_schedule(&base, worker, ARRAY_SIZE(worker)) ? __LINE__ : 0;
}

int main(int argc, char **argv)
{
	struct ut_thread speaker;

	if (ut_absent() || !uu_init())
		return SKIPPED;
	if (argc == 2 && !strcmp(argv[1], "calls"))
		return run_calls();
	places = mmap(NULL, NR_PLACES * sizeof(*places), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (places == MAP_FAILED)
		return 1;
	if (argc == 2 && !strcmp(argv[1], "crash"))
		return crash();
	/* Some of its threads never sleep: leave the machine to who looks at them */
	if (argc != 2 || strcmp(argv[1], "wait") || uu_pin() || nice(19) != 19 ||
	    ut_spawn(NULL, &speaker, UMS_ROLE_NONE, speaks, NULL))
		return 1;
	return places_take(places, false);
}
