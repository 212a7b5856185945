/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: the fuzzer. fuzz_test.c starts processes one after another, each
 * with a keeper that stops, traces and kills it (fuzz_keeper.c). The process has
 * several threads that do one random operation after another (fuzz_process.c):
 * those on UMS (fuzz_ums.c, fuzz_args.c), on the memory that it shares with the
 * kernel (fuzz_memory.c), signals (fuzz_signal.c), and what else threads and
 * processes do (fuzz_sys.c, fuzz_life.c, fuzz_uring.c).
 *
 * Everything random comes from the seed of the process, in each thread by itself.
 * Which thread is faster is not in it: a process that is started again with its
 * seed does the same operations, in another order between threads.
 *
 * Each operation returns something negative if it failed.
 */
#ifndef UMS_SELFTESTS_FUZZ_H
#define UMS_SELFTESTS_FUZZ_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user.h"

#define FUZZ_GROUPS	3
#define FUZZ_LISTS	4
#define FUZZ_THREADS	8
#define FUZZ_IDS	64
#define FUZZ_MAX_OPS	96

#define FUZZ_PAGE	4096UL
/* Room for each mapping of a group or a list, which can be larger */
#define FUZZ_MAP	(4 * FUZZ_PAGE)
#define FUZZ_SLOTS	(FUZZ_MAP / sizeof(struct ums_context))

/* What a process does besides switching; its seed says which of these */
enum fuzz_class {
	FUZZ_SWITCH	= 0x001,
	FUZZ_CTL	= 0x002,
	FUZZ_HOSTILE	= 0x004,
	FUZZ_SCRIBBLE	= 0x008,
	FUZZ_MAPS	= 0x010,
	FUZZ_BLOCK	= 0x020,
	FUZZ_SIGNAL	= 0x040,
	FUZZ_LEAVE	= 0x080,
	FUZZ_PROCESS	= 0x100,
	FUZZ_MOVE	= 0x200,
	FUZZ_REGS	= 0x400,
	FUZZ_FILES	= 0x800,
	FUZZ_SECCOMP	= 0x1000,
	/* These are the keeper's */
	FUZZ_STOP	= 0x2000,
	FUZZ_TRACE	= 0x4000,
	FUZZ_PESTER	= 0x8000,
	FUZZ_CLASSES	= 0xffff,
};

/* Roles in which a thread does an operation, a mask of 1 << enum ums_role */
#define FUZZ_ROLE(role)	(1U << (role))
#define FUZZ_PLAIN	FUZZ_ROLE(UMS_ROLE_NONE)
#define FUZZ_SCHEDULER	FUZZ_ROLE(UMS_ROLE_SCHEDULER)
#define FUZZ_WORKER	FUZZ_ROLE(UMS_ROLE_WORKER)
#define FUZZ_ATTACHED	(FUZZ_SCHEDULER | FUZZ_WORKER)
#define FUZZ_ALL	(FUZZ_PLAIN | FUZZ_ATTACHED)

/**
 * struct fuzz_thread - A thread of the process
 *
 * @number: Of the thread.
 * @taken: There is such a thread.
 * @seed: State of its random numbers.
 * @tid: Its thread id.
 * @role: One of &enum ums_role, as far as it knows.
 * @group: Number of its group.
 * @ctx: Its context.
 * @back: Where signal handlers jump to, if @may_jump.
 * @may_jump: @back is valid.
 * @depth: Signal handlers that do operations of their own.
 * @budget: Operations until it exits, 0 for no limit: the child of a fork().
 * @steps: Single steps until it stops to step itself.
 * @helper: A process that runs on @stack, in the same memory; 0 if none.
 * @area: Two pages to write to, one without access, one to read.
 * @stack: For @helper.
 * @altstack: For signals.
 */
struct fuzz_thread {
	unsigned int number;
	int taken;
	uint64_t seed;
	pid_t tid;
	unsigned int role;
	unsigned int group;
	__u64 ctx;
	sigjmp_buf back;
	int may_jump;
	unsigned int depth;
	unsigned int budget;
	unsigned int steps;
	pid_t helper;
	char *area;
	char *stack;
	char *altstack;
};

#define FUZZ_AREA_SIZE	(4 * FUZZ_PAGE)
#define FUZZ_STACK_SIZE	(4 * FUZZ_PAGE)
#define FUZZ_ALTSTACK	(8 * FUZZ_PAGE)

/* Words that threads race for are read and written whole, and that is all */
struct fuzz_group {
	int fd;
	struct ums_context *slots;
	size_t size;
	__u64 ids[FUZZ_IDS];
};

struct fuzz_list {
	int fd;
	unsigned int group;
	struct ums_ring *ring;
	size_t size;
};

/**
 * struct fuzz_op - An operation
 *
 * @name: For the counts.
 * @class: One of &enum fuzz_class.
 * @roles: Who does it.
 * @weight: How often, relative to others.
 * @fn: Does it.
 */
struct fuzz_op {
	const char *name;
	unsigned int class;
	unsigned int roles;
	unsigned int weight;
	long (*fn)(struct fuzz_thread *self);
};

/**
 * struct fuzz_shared - What test, keepers and processes share
 *
 * @seed: Of the present process.
 * @classes: What it does.
 * @begin: When its keeper began, ns.
 * @ready: When it was ready to do it, 0 before.
 * @end: When it is to end by itself.
 * @tid: Its threads.
 * @status: Its wait status, -1 before it has one.
 * @user_switches: Returns from user switches that schedulers have seen, of all
 *	processes; as are:
 * @op: How often each operation was done, and with success.
 * @tracers: Tracers that were started.
 * @stops: Stops of tracees that they have seen.
 */
struct fuzz_shared {
	uint64_t seed;
	unsigned int classes;
	__u64 begin;
	__u64 ready;
	__u64 end;
	pid_t tid[FUZZ_THREADS];
	int status;
	unsigned long user_switches;
	struct {
		unsigned long calls;
		unsigned long good;
	} op[FUZZ_MAX_OPS];
	unsigned long tracers;
	unsigned long stops;
};

/**
 * struct fuzz - The process
 *
 * @shared: See there.
 * @group: Its groups.
 * @list: Their lists.
 * @thread: Its threads.
 * @pipe: Somebody writes a byte now and then.
 * @socket: Two ends that pass descriptors.
 * @foreign_group: Of another process.
 * @foreign_list: Of another process.
 * @word: For futexes.
 * @rseq_offset: From a thread's pointer to its rseq area, or NULL.
 * @filters: How many seccomp filters it has.
 */
struct fuzz {
	struct fuzz_shared *shared;
	struct fuzz_group group[FUZZ_GROUPS];
	struct fuzz_list list[FUZZ_LISTS];
	struct fuzz_thread thread[FUZZ_THREADS];
	int pipe[2];
	int socket[2];
	int foreign_group;
	int foreign_list;
	uint32_t word[4];
	const ptrdiff_t *rseq_offset;
	int filters;
};

extern struct fuzz fuzz;

/* fuzz_args.c: random numbers, and arguments */
uint64_t fuzz_random(uint64_t *seed);
/* One that differs in every bit for each @number */
uint64_t fuzz_sub_seed(uint64_t seed, uint64_t number);
static inline uint64_t fuzz_number(struct fuzz_thread *self)
{
	return fuzz_random(&self->seed);
}

/* Less than @n */
static inline unsigned int fuzz_below(struct fuzz_thread *self, unsigned int n)
{
	return (fuzz_number(self) >> 16) % n;
}

static inline bool fuzz_one_in(struct fuzz_thread *self, unsigned int n)
{
	return !fuzz_below(self, n);
}

/* Whether arguments shall be bad now */
bool fuzz_hostile(struct fuzz_thread *self);
/* A file descriptor of the wrong kind, of somebody else, or of nothing */
int fuzz_bad_fd(struct fuzz_thread *self);
int fuzz_group_fd(struct fuzz_thread *self, unsigned int group);
int fuzz_list_fd(struct fuzz_thread *self, unsigned int list);
/* Memory that cannot be read or written, or should not */
void *fuzz_bad_pointer(struct fuzz_thread *self);
/* Any value, or one that could be in some field of some context */
uint64_t fuzz_value(struct fuzz_thread *self);
/* Id of a context of @group that was created once */
__u64 fuzz_id(struct fuzz_thread *self, unsigned int group);
/* As fuzz_id(), mostly of a worker */
__u64 fuzz_ctx(struct fuzz_thread *self, unsigned int group);
/* ums_ctl(), with @arg, @size or @fd spoilt if it shall be */
long fuzz_ctl(struct fuzz_thread *self, unsigned int op, int fd, void *arg,
	      size_t size);
/* A thread of the process, 0 if it is not there */
pid_t fuzz_tid(struct fuzz_thread *self);
/* A short time */
struct timespec fuzz_time(struct fuzz_thread *self, unsigned int max_us);

/* fuzz_memory.c: a new group or list takes the place of number @i */
void fuzz_reserve(void);
void fuzz_set_group(unsigned int i, int fd, unsigned int max_contexts);
void fuzz_set_list(unsigned int i, unsigned int group, int fd, size_t size);
struct ums_context *fuzz_slot(unsigned int group, __u64 ctx);

/* fuzz_signal.c */
void fuzz_catch_signals(void);

/* fuzz_process.c: does not return */
void fuzz_process(struct fuzz_shared *shared, int group, int list);
/* A random operation of @self */
void fuzz_operate(struct fuzz_thread *self);
struct fuzz_thread *fuzz_self(void);
/* Name of an operation, NULL when there are no more */
const char *fuzz_op_name(unsigned int i);

/* fuzz_keeper.c: does not return */
void fuzz_keeper(struct fuzz_shared *shared);

/* Tables of operations; each ends with one that has no name */
extern const struct fuzz_op fuzz_ums_ops[];
extern const struct fuzz_op fuzz_memory_ops[];
extern const struct fuzz_op fuzz_signal_ops[];
extern const struct fuzz_op fuzz_sys_ops[];
extern const struct fuzz_op fuzz_life_ops[];
extern const struct fuzz_op fuzz_uring_ops[];

#endif /* UMS_SELFTESTS_FUZZ_H */
