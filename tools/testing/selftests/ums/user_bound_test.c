// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: threads that have something of the cpu that only the kernel exchanges
 * do not take part in user switches, as long as they have it: a shadow stack, or
 * instructions that are forbidden. See user_watch_test for breakpoints.
 */
#include <asm/ldt.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "../kselftest_harness.h"
#include "user.h"

#define ROUNDS	50

#ifndef ARCH_SHSTK_ENABLE
#define ARCH_SHSTK_ENABLE	0x5001
#define ARCH_SHSTK_DISABLE	0x5002
#define ARCH_SHSTK_SHSTK	1UL
#endif

FIXTURE(bound)
{
	struct ut_base base;
	struct ut_thread worker;
};

FIXTURE_SETUP(bound)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&self->base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(bound)
{
	if (!self->base.slots)
		return;
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
}

/* User switches away from either */
static __u64 user_switches(struct ut_base *base, struct ut_thread *worker)
{
	return uu_switches(base, base->sched).user +
	       uu_switches(base, worker->ctx).user;
}

/*
 * Not a function: what has been called before there is a shadow stack must not return
 * as long as there is one.
 */
#define SHADOW_STACK(op) ({						\
	long __ret = SYS_arch_prctl;					\
									\
	asm volatile("syscall"						\
		     : "+a" (__ret)					\
		     : "D" (op), "S" (ARCH_SHSTK_SHSTK)			\
		     : "rcx", "r11", "memory");				\
	__ret;								\
})

/* What the worker says it has done */
enum { NOTHING, BOUND, UNBOUND };
static int worker_is;

static void has_shadow_stack(struct ut_thread *self)
{
	long bad = 0;
	int i;

	uu_yield(self, 0);
	if (SHADOW_STACK(ARCH_SHSTK_ENABLE)) {
		self->ret = -1;
		return;
	}
	worker_is = BOUND;
	for (i = 0; i < ROUNDS; i++) {
		bad += uu_yield(self, 0) < 0;
		bad += uu_resolve() != self->tid;
	}
	if (SHADOW_STACK(ARCH_SHSTK_DISABLE))
		raise(SIGABRT);
	worker_is = UNBOUND;
	for (i = 0; i < ROUNDS; i++)
		bad += uu_yield(self, 0) < 0;
	self->ret = bad;
}

TEST_F(bound, a_worker_with_a_shadow_stack)
{
	struct ut_thread *worker = &self->worker;
	__u64 user[UNBOUND + 1] = {}, before;
	long ret;
	int was;

	ASSERT_EQ(0, ut_spawn_worker(&self->base, worker, has_shadow_stack,
				     NULL));
	ASSERT_LE(0, uu_start(&self->base, worker));
	do {
		was = worker_is;
		before = user_switches(&self->base, worker);
		ret = uu_run(&self->base, worker);
		if (was == worker_is)
			user[was] += user_switches(&self->base, worker) - before;
	} while (ret >= 0 && ret != UMS_REASON_TERMINATED);
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(worker);
	if (worker->ret == -1)
		SKIP(return, "no shadow stacks");
	EXPECT_EQ(0, worker->ret);
	EXPECT_EQ(0, user[BOUND]);
	EXPECT_LT(0, user[UNBOUND]);
}

static void yields(struct ut_thread *self)
{
	while (!UT_LOAD(self->arg))
		self->ret |= uu_yield(self, 0) < 0 ||
			     uu_resolve() != self->tid;
}

TEST_F(bound, a_scheduler_with_a_shadow_stack)
{
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	__u64 before, bound, after;
	pid_t tid = gettid();
	int i, bad = 0;

	ASSERT_EQ(0, ut_spawn_worker(base, worker, yields, NULL));
	ASSERT_LE(0, uu_start(base, worker));
	if (SHADOW_STACK(ARCH_SHSTK_ENABLE))
		bad = -1;
	before = user_switches(base, worker);
	for (i = 0; !bad && i < ROUNDS; i++) {
		bad += (uu_run(base, worker) & ~UMS_RETURN_USER) !=
		       UMS_REASON_YIELDED;
		bad += uu_resolve() != tid;
	}
	bound = user_switches(base, worker) - before;
	if (bad != -1 && SHADOW_STACK(ARCH_SHSTK_DISABLE))
		raise(SIGABRT);
	for (i = 0; i < ROUNDS; i++)
		ASSERT_LE(0, uu_run(base, worker));
	after = user_switches(base, worker) - before;
	UT_STORE(worker->arg, worker);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(base, worker));
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
	if (bad == -1)
		SKIP(return, "no shadow stacks");
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, bound);
	EXPECT_LT(0, after);
}

static __thread unsigned int refused;

/* RDTSC and INT have two bytes, OUT one */
static void refuse(int sig, siginfo_t *info, void *context)
{
	greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	*rip += *(uint8_t *)*rip == 0xee ? 1 : 2;
	refused++;
}

static bool may_read_tsc(void)
{
	unsigned int before = refused;

	asm volatile("rdtsc" : : : "eax", "edx", "memory");
	return refused == before;
}

/* One that is there for delays, and where nobody listens */
#define PORT	0x80

static bool may_use_port(void)
{
	unsigned int before = refused;

	asm volatile("outb %%al, %%dx" : : "a" (0), "d" (PORT) : "memory");
	return refused == before;
}

/* The first of those that set_thread_area() knows */
#define SEGMENT	12

static bool has_segment(void)
{
	unsigned int limit;
	bool there;

	asm volatile("lsl %2, %0"
		     : "=r" (limit), "=@ccz" (there)
		     : "r" (SEGMENT << 3 | 3));
	return there;
}

/**
 * struct liberty - Something that a thread may or may not do
 *
 * @set: Have the caller be a special one, or not; negative on failure.
 * @can: Whether the caller may do it.
 * @special: What a special thread may.
 */
struct liberty {
	int (*set)(bool special);
	bool (*can)(void);
	bool special;
};

static int forbid_tsc(bool special)
{
	return prctl(PR_SET_TSC, special ? PR_TSC_SIGSEGV : PR_TSC_ENABLE);
}

static int allow_port(bool special)
{
	return ioperm(PORT, 1, special);
}

#define NR_SET_THREAD_AREA_32	243

/* A call of 32-bit programs, which know 32 bits of an address */
static int make_segment(bool special)
{
	static struct user_desc desc;
	long ret = NR_SET_THREAD_AREA_32;

	desc = (struct user_desc) {
		.entry_number = SEGMENT,
		.base_addr = special ? 4096 : 0,
		.limit = special,
		.seg_32bit = special,
		.read_exec_only = !special,
		.seg_not_present = !special,
	};
	if ((uintptr_t)&desc >> 32)
		return -1;
	asm volatile("int $0x80"
		     : "+a" (ret) : "b" (&desc)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static const struct liberty no_tsc = {
	.set = forbid_tsc,
	.can = may_read_tsc,
	.special = false,
};

static const struct liberty a_port = {
	.set = allow_port,
	.can = may_use_port,
	.special = true,
};

static const struct liberty a_segment = {
	.set = make_segment,
	.can = has_segment,
	.special = true,
};

static void is_special(struct ut_thread *self)
{
	const struct liberty *liberty = self->arg;
	int i;

	uu_yield(self, 0);
	if (liberty->set(true)) {
		self->ret = -1;
		return;
	}
	worker_is = BOUND;
	for (i = 0; i < ROUNDS; i++) {
		self->ret |= uu_yield(self, 0) < 0;
		self->ret |= liberty->can() != liberty->special;
	}
	self->ret |= !!liberty->set(false);
	worker_is = UNBOUND;
	for (i = 0; i < ROUNDS; i++) {
		self->ret |= uu_yield(self, 0) < 0;
		self->ret |= liberty->can() == liberty->special;
	}
}

static __u64 slow_switches(struct ut_thread *worker)
{
	return uu_switches(worker->base, worker->ctx).slow_kernel;
}

/* Run the worker to its end, and be none of those oneself; false if it cannot be */
static bool check_liberty(struct __test_metadata *_metadata, struct ut_base *base,
			  struct ut_thread *worker, const struct liberty *liberty)
{
	struct sigaction action = {
		.sa_sigaction = refuse,
		.sa_flags = SA_SIGINFO,
	};
	__u64 user[UNBOUND + 1] = {}, before;
	int was, bad = 0;
	long ret;

	if (sigaction(SIGSEGV, &action, NULL) ||
	    ut_spawn_worker(base, worker, is_special, (void *)liberty))
		return false;
	ret = uu_start(base, worker);
	while (ret >= 0 && ret != UMS_REASON_TERMINATED) {
		was = worker_is;
		before = user_switches(base, worker);
		bad += liberty->can() == liberty->special;
		ret = uu_run(base, worker);
		if (was == worker_is)
			user[was] += user_switches(base, worker) - before;
	}
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(worker);
	if (worker->ret == -1)
		return false;
	EXPECT_EQ(0, worker->ret);
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, user[BOUND]);
	EXPECT_LT(0, user[UNBOUND]);
	EXPECT_LE(ROUNDS, slow_switches(worker));
	return true;
}

TEST_F(bound, a_worker_that_may_not_read_the_tsc)
{
	if (!check_liberty(_metadata, &self->base, &self->worker, &no_tsc))
		SKIP(return, "no PR_SET_TSC");
}

TEST_F(bound, a_worker_that_may_use_a_port)
{
	if (!check_liberty(_metadata, &self->base, &self->worker, &a_port))
		SKIP(return, "no ioperm()");
}

TEST_F(bound, a_worker_that_has_a_segment)
{
	if (!check_liberty(_metadata, &self->base, &self->worker, &a_segment))
		SKIP(return, "no set_thread_area()");
}

TEST_HARNESS_MAIN
