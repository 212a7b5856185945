/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS benchmarks: what their files share.
 *
 * A row measures BATCHES batches of an operation, after one that does not count,
 * and reports the median, the smallest and the largest cost of one operation.
 */
#ifndef UMS_SELFTESTS_BENCH_H
#define UMS_SELFTESTS_BENCH_H

#include "user.h"

#define BATCHES		9
#define COUNT		1000

/*
 * How often the operation of a row with COUNT is done in all, for threads that
 * answer it
 */
#define TOTAL	((BATCHES + 1) * COUNT)

/**
 * struct result - What a row measured
 *
 * @count: Operations in a batch; set before, but the row may change it.
 * @batches: BATCHES, but the row may do with less.
 * @threads: How many, of a row that is to be repeated with more; else 0.
 * @cpus: How many, of a row that is to be repeated on more; else 0.
 * @group: Where a rig belongs, if several are measured at once; else 0.
 * @value: For one operation, by batch.
 * @failed: Something went wrong, the values are void.
 */
struct result {
	unsigned int count;
	unsigned int batches;
	unsigned int threads;
	unsigned int cpus;
	int group;
	double value[BATCHES];
	bool failed;
};

enum bench_needs { NEEDS_NOTHING, NEEDS_UMS, NEEDS_USER_SWITCH };

/**
 * struct row - Something to measure
 *
 * @group: Rows that are to be compared; the same for those that follow if NULL.
 * @name: Of the row; what one operation is, if the group does not say it.
 * @fn: Measures it.
 * @needs: What the kernel must have.
 * @count: Operations in a batch; 0 for COUNT.
 * @from: It is to be repeated with more and more threads, from so many on; 0
 *	if it is not.
 * @most: How many threads at most.
 * @by_cpus: It is to be repeated on 1, 2 and 4 cpus, as far as there are.
 * @varies: It depends on what others do: allocators, or the kernel's choice of
 *	who runs next. That it is not the same the second time is no failure.
 * @unit: Of the values; nanoseconds if NULL.
 */
struct row {
	const char *group;
	const char *name;
	void (*fn)(struct result *result);
	enum bench_needs needs;
	unsigned int count;
	unsigned int from;
	unsigned int most;
	bool by_cpus;
	bool varies;
	const char *unit;
};

/*
 * Measure the rows that the arguments ask for, and print them: what main()
 * returns. See bench.c for the arguments.
 */
int bench_main(int argc, char **argv, const struct row *rows, size_t nr);

/* The calling thread, and those that it will make */
void bench_pin(unsigned int cpu);

/* Ends the program, where a row that goes on would wait for ever */
void bench_die(const char *what);

/* Do something @count times */
typedef void (*run_fn)(unsigned int count, void *arg);

/* @run does @per operations each time, and @prepare what is not measured */
void measure_prepared(struct result *result, run_fn prepare, run_fn run,
		      unsigned int per, void *arg);
void measure(struct result *result, run_fn run, unsigned int per, void *arg);

/* bench_fiber.c: other sides inside of one thread */
/*
 * Make an empty stack of the one that there is for the other side: the next
 * return goes to @entry, aligned as if called
 */
__u64 *fiber_stack_init(void (*entry)(void));
void fiber_bare(struct result *result);
void fiber_wrfsbase(struct result *result);
void fiber_ucontext(struct result *result);

/* bench_plain.c: threads without UMS */
void plain_futex(struct result *result);
void plain_cond(struct result *result);
void plain_eventfd(struct result *result);
void plain_yield(struct result *result);
void plain_pipe_hand(struct result *result);
void plain_pipe(struct result *result);
void plain_socket(struct result *result);
void plain_epoll(struct result *result);
void plain_futex_trip(struct result *result);
void plain_nanosleep(struct result *result);
void plain_getppid(struct result *result);
void plain_fault(struct result *result);
void plain_thread(struct result *result);
void plain_fork(struct result *result);

void run_getppid(unsigned int count, void *arg);
/* So long that it is not over before it has begun; rows count what is beyond */
#define SLEEP_NS	100000
void run_nanosleep(unsigned int count, void *arg);
void without_sleep(struct result *result);
void futex_wait(__u32 *word, __u32 value);
void futex_wake(__u32 *word);

/**
 * struct pipes - A file for each direction
 *
 * @there: Ends of one, two pipes or a pair of sockets.
 * @back: Of the other one.
 * @epoll: Where the reader of each waits before it reads; -1 if it does not.
 * @result: Of the row.
 */
struct pipes {
	int there[2];
	int back[2];
	int epoll[2];
	struct result *result;
};

enum { EPOLL_THERE, EPOLL_BACK };

bool pipes_open(struct pipes *pipes, struct result *result);
bool polled_open(struct pipes *pipes, struct result *result);
bool sockets_open(struct pipes *pipes, struct result *result);
void pipes_close(struct pipes *pipes);
/* Take what has been sent, one byte; whether there was no error */
bool pipe_take(int fd, int epoll);

/* Contexts that a rig may need, and how many rigs may share a group */
#define RIG_CONTEXTS	8
#define MAX_RIGS	4

/**
 * struct rig - A scheduler and up to two workers
 *
 * @base: Their group and list.
 * @result: Of the row.
 * @worker: The workers.
 * @serve: What the scheduler does once they are ready, or NULL: then it runs
 *	them to their end.
 * @pipes: For rows that need them.
 * @word: For rows that need two words for futex().
 * @stop: For workers that run until they are told.
 * @calls: For workers that make system calls when they are told.
 */
struct rig {
	struct ut_base base;
	struct result *result;
	struct ut_thread worker[2];
	void (*serve)(struct rig *rig);
	struct pipes pipes;
	__u32 word[2];
	int stop;
	int calls;
};

static inline void expect(struct rig *rig, bool cond)
{
	if (!cond)
		rig->result->failed = true;
}

/* Run @serve in a scheduler with a worker for each function that is not NULL */
void with_ums(struct result *result, void (*serve)(struct rig *rig),
	      void (*first)(struct ut_thread *thread),
	      void (*second)(struct ut_thread *thread));
/* The same, with files that @open opens for it */
void with_files(struct result *result,
		bool (*open)(struct pipes *pipes, struct result *result),
		void (*serve)(struct rig *rig),
		void (*first)(struct ut_thread *thread));

/* bench_kernel.c: by system call */
void ums_worker_getppid(struct result *result);
void ums_scheduler_getppid(struct result *result);
void ums_worker_fault(struct result *result);
void ums_execute_and_yield(struct result *result);
void ums_worker_to_worker(struct result *result);
void ums_block_and_unblock(struct result *result);

/* bench_user.c: in user mode */
void user_switch(struct result *result);
void user_hand(struct result *result);
void user_queue(struct result *result);
void user_getppid(struct result *result);
void user_first_call(struct result *result);

/* bench_trip.c: a worker that blocks */
void user_pipe(struct result *result);
void user_socket(struct result *result);
void user_epoll(struct result *result);
void user_futex(struct result *result);
void user_nanosleep(struct result *result);

/* bench_lib.c: through libums */
void library_switch(struct result *result);
void library_thread(struct result *result);

/**
 * struct member - One of the threads that pass a token around
 *
 * @ring: All of them.
 * @thread: Its thread.
 * @token: What it has been given and not yet taken, in rings of plain threads.
 * @lock: Protects @token, unless that is a futex.
 * @given: Somebody has given it a token; with @lock.
 * @library: What a ring of workers has for it.
 */
struct member {
	struct ring *ring;
	pthread_t thread;
	__u32 token;
	pthread_mutex_t lock;
	pthread_cond_t given;
	void *library;
};

enum { NO_TOKEN, TOKEN, LAST_TOKEN };

/**
 * struct ring - Threads that pass a token around
 *
 * @nr: How many.
 * @member: All of them.
 * @give: Give one a token that it does not have.
 * @take: Wait for a token; by the member itself.
 * @result: Of the row.
 */
struct ring {
	unsigned int nr;
	struct member *member;
	void (*give)(struct member *to, __u32 token);
	__u32 (*take)(struct member *self);
	struct result *result;
};

/* As much as what they do needs, many times */
#define RING_STACK_SIZE		(64 * 1024)

/* What the first member does, who measures, and the others */
void ring_lead(struct member *self);
void ring_follow(struct member *self);

/* bench_ring.c, bench_ring_lib.c */
void ring_futex(struct result *result);
void ring_cond(struct result *result);
void ring_library_chan(struct result *result);
void ring_library_cond(struct result *result);

/* bench_jobs.c: short jobs, given to other threads and taken back */
void jobs_pthread(struct result *result);
void jobs_thread_each(struct result *result);
void jobs_library(struct result *result);
void jobs_library_each(struct result *result);

/* bench_abreast.c: on each of several cpus */
void abreast_user_switch(struct result *result);
void abreast_kernel_switch(struct result *result);
void abreast_futex(struct result *result);
void abreast_pipe(struct result *result);
void abreast_plain_pipe(struct result *result);
void abreast_ring(struct result *result);
void abreast_plain_ring(struct result *result);

/* bench_latency.c: from the end of a sleep to the thread that slept */
void latency_plain(struct result *result);
void latency_fifo(struct result *result);
void latency_library(struct result *result);

/* bench_many.c: the creation, the memory and the end of many threads */
void many_plain_creation(struct result *result);
void many_plain_memory(struct result *result);
void many_plain_end(struct result *result);
void many_worker_creation(struct result *result);
void many_worker_memory(struct result *result);
void many_worker_end(struct result *result);

#endif /* UMS_SELFTESTS_BENCH_H */
