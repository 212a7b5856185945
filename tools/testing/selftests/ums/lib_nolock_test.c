// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: between an event and the next, it neither allocates nor locks. A
 * worker may have been stopped in the middle of either.
 *
 * This program's own malloc() and pthread_mutex_lock() count who calls them.
 */
#include "../kselftest_harness.h"

#include "common.h"
#include "lib_common.h"

#include <dlfcn.h>

#define NR_WORKERS	50

/* What the C library's own are called as well */
__typeof__(malloc) __libc_malloc;
__typeof__(calloc) __libc_calloc;
__typeof__(free) __libc_free;

/* The calling thread is one that must not */
static __thread bool forbidden;
static int nr_offences;
static int nr_calls;

static void note_call(void)
{
	if (forbidden)
		UT_INC(nr_offences);
	UT_INC(nr_calls);
}

void *malloc(size_t size)
{
	note_call();
	return __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	note_call();
	return __libc_calloc(nr, size);
}

void free(void *ptr)
{
	note_call();
	__libc_free(ptr);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static int (*next)(pthread_mutex_t *mutex);

	if (!UT_LOAD(next))
		UT_STORE(next, dlsym(RTLD_NEXT, "pthread_mutex_lock"));
	note_call();
	return next(mutex);
}

TEST(what_is_counted)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	void *memory;

	nr_calls = 0;
	memory = malloc(1);
	/* The compiler is not to do without it */
	__asm__ volatile ("" : "+r" (memory));
	free(memory);
	EXPECT_LE(2, nr_calls);
	nr_calls = 0;
	pthread_mutex_lock(&mutex);
	EXPECT_EQ(1, nr_calls);
}

static void *yield_and_block(void *arg)
{
	ums_thread_yield(arg);
	ut_nap();
	return arg;
}

struct spawned {
	ums_context_t *contexts[NR_WORKERS];
	pthread_t threads[NR_WORKERS];
};

static int spawn_all(ums_completion_list_t *list, struct spawned *spawned)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		if (ums_spawn(list, yield_and_block, NULL, NULL,
			      &spawned->contexts[i], &spawned->threads[i]))
			return -1;
	return 0;
}

static int reap_all(struct spawned *spawned)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		if (pthread_join(spawned->threads[i], NULL) ||
		    delete_ums_thread_context(spawned->contexts[i]))
			return -1;
	return 0;
}

/* From the first call of the entry point until it is about to return */
static void forbid(struct lt_sched *sched, ums_reason_t reason)
{
	forbidden = sched->workers > 1 || reason != UMS_REASON_TERMINATED;
}

TEST(windows_style)
{
	struct lt_sched *sched;
	struct spawned spawned;

	if (ut_absent())
		SKIP(return, UT_ABSENT);

	sched = calloc(1, sizeof(*sched));
	sched->workers = NR_WORKERS;
	sched->hook = forbid;
	ASSERT_EQ(0, create_ums_completion_list(&sched->list));
	ASSERT_EQ(0, spawn_all(sched->list, &spawned));
	ASSERT_EQ(0, lt_schedule(sched));
	EXPECT_EQ(0, nr_offences);
	EXPECT_EQ(0, reap_all(&spawned));
	EXPECT_EQ(0, delete_ums_completion_list(sched->list));
	free(sched);
}

static void run_all(ums_completion_list_t *list, int workers)
{
	struct ums_event event;
	ums_context_t *context;
	int reason;

	while (workers) {
		if (ums_dequeue(list, &event, 1, -1) != 1)
			continue;
		do {
			context = ums_event_context(&event);
			ums_context_user(context);
			reason = ums_run(context, &event);
		} while (reason == UMS_REASON_YIELDED ||
			 reason == UMS_REASON_PREEMPTED ||
			 (reason < 0 && (errno == EAGAIN || errno == EINTR)));
		workers -= reason == UMS_REASON_TERMINATED;
	}
}

TEST(direct)
{
	ums_completion_list_t *list;
	struct spawned spawned;

	if (ut_absent())
		SKIP(return, UT_ABSENT);

	ASSERT_EQ(0, create_ums_completion_list(&list));
	ASSERT_EQ(0, spawn_all(list, &spawned));
	ASSERT_EQ(0, ums_scheduler_enter(list));
	forbidden = true;
	run_all(list, NR_WORKERS);
	forbidden = false;
	EXPECT_EQ(0, nr_offences);
	EXPECT_EQ(0, ums_scheduler_leave());
	EXPECT_EQ(0, reap_all(&spawned));
	EXPECT_EQ(0, delete_ums_completion_list(list));
}

TEST_HARNESS_MAIN
