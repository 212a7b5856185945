/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: system calls, a group with one list, threads in either
 * role, a minimal scheduler, and waiting for a condition.
 *
 * Every call returns 0 or a positive result, or a negative errno, so that a
 * test can compare with one constant. Nothing here asserts: a helper that
 * fails says so to the test, which asserts. Helpers may run in any thread,
 * except those of the minimal scheduler, which keep events of a base in its
 * stash and so serve one scheduler thread for each base.
 *
 * The environment variable UMS_TEST_SWITCH says how the helpers switch: "kernel"
 * in groups without user switches, "user" by the vDSO wherever it can be used
 * (modes_lib.sh). If it is not set, by system call. UMS_TEST_SLEEP says how
 * workers sleep: "unmanaged", or as always.
 *
 * A test program includes kselftest_harness.h first, then this file. An
 * ASSERT_* leaves by longjmp(), so only the test's own thread may use it.
 */
#ifndef UMS_SELFTESTS_COMMON_H
#define UMS_SELFTESTS_COMMON_H

#include <errno.h>
#include <linux/ums.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifndef __NR_ums_ctl
#define __NR_ums_ctl		548
#define __NR_ums_execute	549
#define __NR_ums_dequeue	550
#endif

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#endif

/* No context, no value */
#define UT_NONE			(~0ULL)

/* How long a condition may take to come true before the test has failed */
#define UT_LIMIT_MS		60000
/* For a test as a whole; it waits for several conditions */
#define UT_TEST_TIMEOUT		180

#ifdef __KSELFTEST_HARNESS_H
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	UT_TEST_TIMEOUT
#endif

#define UT_NSEC_PER_MSEC	1000000ULL
#define UT_NSEC_PER_SEC		1000000000ULL

/* Reason to SKIP() when ut_absent(), first thing in a test or FIXTURE_SETUP() */
#define UT_ABSENT	"this kernel has no UMS"

/* Wait until @cond is true; false when that took too long */
#define UT_WAIT(cond) ({						\
	__u64 __ut_end = ut_now_ns() + UT_LIMIT_MS * UT_NSEC_PER_MSEC; \
	unsigned int __ut_naps = 0;					\
	bool __ut_ok;							\
									\
	while (!(__ut_ok = (cond)) && ut_now_ns() < __ut_end)		\
		ut_nap_longer(&__ut_naps);				\
	__ut_ok;							\
})

/* As that, for however long: who waits is killed when the test ends */
#define UT_AWAIT(cond) do {						\
	unsigned int __ut_naps = 0;					\
									\
	while (!(cond))							\
		ut_nap_longer(&__ut_naps);				\
} while (0)

/* Words that the kernel or another thread writes */
#define UT_LOAD(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define UT_STORE(x, v)		__atomic_store_n(&(x), (v), __ATOMIC_RELEASE)
#define UT_INC(x)		__atomic_add_fetch(&(x), 1, __ATOMIC_ACQ_REL)

/* Whether the helpers switch by the vDSO, so that the kernel does not count */
bool ut_user_mode(void);
/* Whether @ret, a negative errno, is that of calls that a kernel lacks */
bool ut_unknown(long ret);
/* Whether the kernel does not know the system calls */
bool ut_absent(void);

/* The system calls */
long ut_ctl(unsigned int op, int fd, void *arg, size_t size);
long ut_execute(int group, __u64 ctx, struct ums_event *event);
long ut_execute_flags(int group, __u64 ctx, struct ums_event *event,
		      unsigned int flags);
/* @timeout_ms: -1 waits for ever */
long ut_dequeue(int list, struct ums_event *events, unsigned int nr,
		long timeout_ms);
long ut_dequeue_ts(int list, struct ums_event *events, unsigned int nr,
		   const struct timespec *timeout, unsigned int flags);

/* Operations of ums_ctl() with well-formed arguments */
long ut_probe(struct ums_probe *probe);
long ut_setup(unsigned int max_contexts, unsigned int policy);
long ut_setup_flags(unsigned int max_contexts, unsigned int policy,
		    unsigned int flags);
long ut_list_create(int group, struct ums_list_create *out);
long ut_ctx_create(int group, __u64 cookie, __u64 *ctx);
long ut_ctx_delete(int group, __u64 ctx);
long ut_attach(int list, unsigned int role, __u64 ctx);
long ut_detach(void);
long ut_yield(__u64 param);
long ut_query(int group, __u64 ctx, unsigned int class,
	      struct ums_info *info);
/* A class whose value is one word; UT_NONE when the query failed */
__u64 ut_query_value(int group, __u64 ctx, unsigned int class);
__u64 ut_state(int group, __u64 ctx);

#define UT_STASH		64

/**
 * struct ut_base - A group, one list of it, and the mappings of both
 *
 * @group: Fd of the group.
 * @list: Fd of the list.
 * @list_info: What LIST_CREATE returned.
 * @slots: Mapping of @group.
 * @slots_size: Size of @slots.
 * @ring: Mapping of @list.
 * @ring_size: Size of @ring.
 * @sched: Context of the thread that called ut_base_schedule_here().
 * @stash: Events that ut_next() will return before it reads the list.
 * @nr_stash: How many there are.
 */
struct ut_base {
	int group;
	int list;
	struct ums_list_create list_info;
	struct ums_context *slots;
	size_t slots_size;
	struct ums_ring *ring;
	size_t ring_size;
	__u64 sched;
	struct ums_event stash[UT_STASH];
	unsigned int nr_stash;
};

long ut_base_open(struct ut_base *base, unsigned int max_contexts,
		  unsigned int policy);
/* @flags: of struct ums_setup */
long ut_base_open_flags(struct ut_base *base, unsigned int max_contexts,
			unsigned int policy, unsigned int flags);
/* Of a group that was set up with so many contexts; or what that returned */
long ut_base_open_fd(struct ut_base *base, unsigned int max_contexts,
		     long group);
void ut_base_close(struct ut_base *base);
/* Create a context and make the caller a scheduler of the base's list */
long ut_base_schedule_here(struct ut_base *base);

static inline struct ums_context *ut_slot(struct ut_base *base, __u64 ctx)
{
	return &base->slots[(uint32_t)ctx];
}

/* One of enum ums_state, without the flag */
static inline uint32_t ut_slot_state(struct ut_base *base, __u64 ctx)
{
	return UT_LOAD(ut_slot(base, ctx)->state) & ~UMS_STATE_USER;
}

/**
 * struct ut_thread - A thread that attaches and then calls a function
 *
 * @fn: What it runs once attached.
 * @arg: For @fn.
 * @base: Base that it belongs to, may be NULL without a role.
 * @list: List that it attaches to; that of @base unless the test set it.
 * @role: One of &enum ums_role; NONE does not attach.
 * @ctx: Its context, UT_NONE before there is one.
 * @thread: For ut_join().
 * @tid: Its thread id, 0 before it runs.
 * @attach_ret: Result of the attach, 1 until that returned.
 * @ret: For @fn to leave a result.
 * @done: @fn has returned.
 */
struct ut_thread {
	void (*fn)(struct ut_thread *thread);
	void *arg;
	struct ut_base *base;
	int list;
	unsigned int role;
	__u64 ctx;
	pthread_t thread;
	pid_t tid;
	long attach_ret;
	long ret;
	int done;
};

/*
 * Start a thread, with a small stack, that attaches with a new context. Its
 * cookie is the address of the struct ut_thread. Does not wait for anything:
 * a worker will be reported READY by the list.
 */
long ut_spawn(struct ut_base *base, struct ut_thread *thread,
	      unsigned int role, void (*fn)(struct ut_thread *thread),
	      void *arg);
long ut_spawn_worker(struct ut_base *base, struct ut_thread *thread,
		     void (*fn)(struct ut_thread *thread), void *arg);
/* To another list, -1 for that of the base */
long ut_spawn_on(struct ut_base *base, struct ut_thread *thread, int list,
		 unsigned int role, void (*fn)(struct ut_thread *thread),
		 void *arg);
void ut_join(struct ut_thread *thread);

/*
 * The minimal scheduler, for the one thread that attached by
 * ut_base_schedule_here().
 */
/* The next event, of the stash or of the list; 1, or a negative errno */
long ut_next(struct ut_base *base, struct ums_event *event);
/* Wait for an event of @ctx, leaving those of others in the stash */
long ut_next_of(struct ut_base *base, __u64 ctx, struct ums_event *event);
/*
 * Execute @ctx until it reports @reason, and in case of BLOCKED that in system
 * call @nr. Blocks that no test asked for, as a page fault that had to read,
 * are waited for and passed over. Returns the reason, or a negative errno.
 */
long ut_run_to(struct ut_base *base, __u64 ctx, struct ums_event *event,
	       unsigned int reason);
long ut_run_to_block(struct ut_base *base, __u64 ctx,
		     struct ums_event *event, long nr);
/* Wait for READY, then ut_run_to() TERMINATED */
long ut_finish(struct ut_base *base, __u64 ctx);
/* Run whatever is ready until @workers of them have terminated */
long ut_schedule(struct ut_base *base, unsigned int workers);

/* Time */
__u64 ut_now_ns(void);
/* A pause: a ms */
void ut_nap(void);
/*
 * Between two looks: what comes soon is seen soon, but who looks from another process
 * has the cpu switch the address space twice, which empties the TLB of an emulated
 * one. @naps: How many there were.
 */
void ut_nap_longer(unsigned int *naps);

/* What /proc says of any thread; 0 when there is none */
char ut_thread_state(pid_t tid);
/* Number of the system call that any thread sleeps in, -1 when it runs */
long ut_thread_syscall(pid_t tid);
static inline bool ut_thread_sleeps_in(pid_t tid, long nr)
{
	return ut_thread_syscall(tid) == nr;
}

/* How often a thread of this process has gone to sleep */
long ut_thread_switches(pid_t tid);

/* A number of /proc/self/status, as "Threads" */
long ut_status_number(const char *name);
unsigned int ut_count_fds(void);

/* Writes to a file that exists; 0 or a negative errno */
int ut_write_file(const char *path, const char *text);

/*
 * NULL, or why this machine cannot have so many threads. Limits are raised, if that
 * is allowed.
 */
const char *ut_too_small(long threads);

/* One that takes no part in UMS: sends @fd over the socket @sock */
int ut_send_fd(int sock, int fd);
int ut_receive_fd(int sock);

/*
 * Wait for the child @pid at most @timeout_ms, then kill it. Returns its wait
 * status, or -ETIMEDOUT.
 */
int ut_wait_child(pid_t pid, unsigned int timeout_ms);

/* Read all mapped files in, so that code pages of the disk do not block */
void ut_prefault(void);

/* How long a test goes on that could go on for ever: UMS_TEST_MS, or @usual */
unsigned int ut_run_ms(unsigned int usual);

/*
 * The middle one of an odd number of values, which are sorted: what a machine that
 * was kept waiting has measured now and then does not count.
 */
__u64 ut_median(__u64 *values, unsigned int nr);

#endif /* UMS_SELFTESTS_COMMON_H */
