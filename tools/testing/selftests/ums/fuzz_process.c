// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: the process, and what its threads do next.
 *
 * It is nobody, so that it has nobody to kill and nothing to write to, should it
 * ever run code by accident; what it starts dies with the keeper's pid namespace.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "fuzz.h"

#define NOBODY		65534
#define STACK_SIZE	(128 * 1024)

#define MAX_LIVES	16
#define MAX_LIFE_MS	10000

struct fuzz fuzz;

static const struct fuzz_op * const tables[] = {
	fuzz_ums_ops, fuzz_memory_ops, fuzz_signal_ops, fuzz_sys_ops,
	fuzz_life_ops, fuzz_uring_ops,
};

static const struct fuzz_op *ops[FUZZ_MAX_OPS];
static unsigned int nr_ops;
static unsigned int weights[UMS_ROLE_WORKER + 1];
static __thread struct fuzz_thread *me;

struct fuzz_thread *fuzz_self(void)
{
	return me;
}

static void find_ops(void)
{
	const struct fuzz_op *op;
	unsigned int i;

	nr_ops = 0;
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (op = tables[i]; op->name && nr_ops < FUZZ_MAX_OPS; op++)
			ops[nr_ops++] = op;
}

const char *fuzz_op_name(unsigned int i)
{
	find_ops();
	return i < nr_ops ? ops[i]->name : NULL;
}

static unsigned int weight_of(const struct fuzz_op *op, unsigned int role)
{
	return (op->class & fuzz.shared->classes) && (op->roles & FUZZ_ROLE(role)) ?
	       op->weight : 0;
}

static void weigh_ops(void)
{
	unsigned int i, role;

	find_ops();
	for (role = 0; role < ARRAY_SIZE(weights); role++)
		for (i = 0; i < nr_ops; i++)
			weights[role] += weight_of(ops[i], role);
}

void fuzz_operate(struct fuzz_thread *self)
{
	unsigned int i, left, role = self->role;

	if (self->budget && !--self->budget)
		_exit(0);
	left = fuzz_below(self, weights[role]);
	for (i = 0; left >= weight_of(ops[i], role); i++)
		left -= weight_of(ops[i], role);
	UT_INC(fuzz.shared->op[i].calls);
	if (ops[i]->fn(self) >= 0)
		UT_INC(fuzz.shared->op[i].good);
}

/* Signal handlers come back to here */
static void operate_until_the_end(struct fuzz_thread *self)
{
	sigsetjmp(self->back, 1);
	self->depth = 0;
	self->steps = 0;
	UT_STORE(self->may_jump, 1);
	while (ut_now_ns() < fuzz.shared->end)
		fuzz_operate(self);
	UT_STORE(self->may_jump, 0);
}

static void begin(struct fuzz_thread *self)
{
	me = self;
	self->role = UMS_ROLE_NONE;
	UT_STORE(self->tid, gettid());
	UT_STORE(fuzz.shared->tid[self->number], self->tid);
}

static void *thread_main(void *arg)
{
	struct fuzz_thread *self = arg;

	begin(self);
	operate_until_the_end(self);
	return NULL;
}

static void *memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		_exit(1);
	return at;
}

static void prepare_thread(struct fuzz_thread *thread, unsigned int number)
{
	thread->number = number;
	thread->area = memory(FUZZ_AREA_SIZE);
	thread->stack = memory(FUZZ_STACK_SIZE);
	thread->altstack = memory(FUZZ_ALTSTACK);
	mprotect(thread->area + 2 * FUZZ_PAGE, FUZZ_PAGE, PROT_NONE);
	mprotect(thread->area + 3 * FUZZ_PAGE, FUZZ_PAGE, PROT_READ);
}

/* Each new thread of a number goes on with the random numbers of the last */
static void start_threads(void)
{
	struct fuzz_thread *thread;
	pthread_attr_t attr;
	pthread_t unused;
	unsigned int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (i = 1; i < FUZZ_THREADS; i++) {
		thread = &fuzz.thread[i];
		if (UT_LOAD(thread->taken))
			continue;
		UT_STORE(thread->taken, 1);
		if (pthread_create(&unused, &attr, thread_main, thread))
			UT_STORE(thread->taken, 0);
	}
	pthread_attr_destroy(&attr);
}

/* What the first thread does if it takes no part */
static void look_after_threads(void)
{
	while (ut_now_ns() < fuzz.shared->end) {
		start_threads();
		if (write(fuzz.pipe[1], "byte", 1) < 0 && errno == EBADF)
			_exit(1);
		poll(NULL, 0, 1);
	}
}

static void limit(int resource, rlim_t value)
{
	struct rlimit rlimit = { .rlim_cur = value, .rlim_max = value };

	setrlimit(resource, &rlimit);
}

static void become_harmless(void)
{
	limit(RLIMIT_AS, 1UL << 30);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_NPROC, 100);
	limit(RLIMIT_SIGPENDING, 1000);
	/* Not allowed to whoever is nobody already */
	if (!setgroups(0, NULL) && (setresgid(NOBODY, NOBODY, NOBODY) ||
				    setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(1);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Its own /proc/self */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void open_files(void)
{
	if (pipe2(fuzz.pipe, O_CLOEXEC | O_NONBLOCK) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       fuzz.socket))
		_exit(1);
	/* Who reads it may block; who writes may not */
	fcntl(fuzz.pipe[0], F_SETFL, 0);
}

static void open_groups(uint64_t *seed)
{
	struct ums_list_create create;
	unsigned int i, flags;
	long fd;

	fuzz_reserve();
	for (i = 0; i < FUZZ_GROUPS; i++) {
		fuzz.group[i].fd = -1;
		flags = fuzz_random(seed) % 4 ? 0 : UMS_SETUP_KERNEL_SWITCH;
		if (!(fuzz_random(seed) % 4))
			flags |= UMS_SETUP_NO_MANAGED_SLEEP;
		fd = ut_setup_flags(63, UMS_ORPHAN_RELEASE, flags);
		if (fd < 0)
			_exit(1);
		fuzz_set_group(i, fd, 63);
	}
	for (i = 0; i < FUZZ_LISTS; i++) {
		fuzz.list[i].fd = -1;
		fd = ut_list_create(fuzz.group[i % FUZZ_GROUPS].fd, &create);
		if (fd < 0)
			_exit(1);
		fuzz_set_list(i, i % FUZZ_GROUPS, fd, create.mmap_size);
	}
}

/* For so many times as long as it took to get here, on a slow machine too */
static void begin_to_live(struct fuzz_shared *shared, uint64_t *seed)
{
	__u64 now = ut_now_ns(), life = now - shared->begin;

	life *= 1 + fuzz_random(seed) % MAX_LIVES;
	if (life > MAX_LIFE_MS * UT_NSEC_PER_MSEC)
		life = MAX_LIFE_MS * UT_NSEC_PER_MSEC;
	shared->end = now + life;
	UT_STORE(shared->ready, now);
}

void fuzz_process(struct fuzz_shared *shared, int group, int list)
{
	uint64_t seed = shared->seed;
	unsigned int i;

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.shared = shared;
	fuzz.foreign_group = group;
	fuzz.foreign_list = list;
	fuzz.rseq_offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
	uu_init();
	become_harmless();
	open_files();
	open_groups(&seed);
	for (i = 0; i < FUZZ_THREADS; i++) {
		prepare_thread(&fuzz.thread[i], i);
		fuzz.thread[i].seed = fuzz_sub_seed(seed, i);
	}
	weigh_ops();
	fuzz_catch_signals();
	fuzz.thread[0].taken = 1;
	begin(&fuzz.thread[0]);
	begin_to_live(shared, &seed);
	start_threads();
	if (fuzz_random(&seed) % 4)
		look_after_threads();
	else
		operate_until_the_end(&fuzz.thread[0]);

	/* Whoever is not executed any more stays; the keeper kills them */
	switch (fuzz_random(&seed) % 3) {
	case 0:
		_exit(0);
	case 1:
		syscall(SYS_exit, 0);
		break;
	default:
		for (;;)
			pause();
	}
	_exit(1);
}
