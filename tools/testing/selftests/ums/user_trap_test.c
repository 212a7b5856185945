// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: exceptions and the user switch. Each is what the kernel first sees
 * of a thread that it takes for another one. The signal is for the thread whose
 * code it was: once, on its own stack, and just as a plain thread gets it. The
 * other one notices nothing.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "../kselftest_harness.h"
#include "regs.h"
#include "trap.h"
#include "user.h"

#define ROUNDS		20
/* A tick may find out before the exception comes */
#define RESOLVED_MIN	(ROUNDS * 3 / 4)

#define SWITCHED_BACK	(UMS_REASON_YIELDED | UMS_RETURN_USER)

#define EFLAGS_TF	0x100
#define EFLAGS_AC	0x40000

static char *no_access;

/**
 * struct trap - What a signal handler is told of an exception
 *
 * @signo: As in siginfo_t, as are @code and @addr.
 * @code: See @signo.
 * @addr: See @signo.
 * @trapno: Number of the exception.
 * @err: Its error code.
 * @rip: Where it was.
 */
struct trap {
	int signo;
	int code;
	uintptr_t addr;
	uint64_t trapno;
	uint64_t err;
	uint64_t rip;
};

/**
 * struct seen - What the handlers of one thread saw since it cleared this
 *
 * @count: How often they ran.
 * @tid: Thread that the kernel took it for.
 * @stack: Where the stack was.
 * @trap: What they were told.
 */
struct seen {
	int count;
	pid_t tid;
	uintptr_t stack;
	struct trap trap;
};

static __thread struct seen seen;
static __thread uintptr_t go_on_at;
static int handlers;

#define ALTERNATE_SIZE	32768
static char alternates[2][ALTERNATE_SIZE];

static void handler(int signo, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	seen.count++;
	seen.tid = gettid();
	seen.stack = (uintptr_t)__builtin_frame_address(0);
	seen.trap.signo = signo;
	seen.trap.code = info->si_code;
	seen.trap.addr = (uintptr_t)info->si_addr;
	seen.trap.trapno = regs[REG_TRAPNO];
	seen.trap.err = regs[REG_ERR];
	seen.trap.rip = regs[REG_RIP];
	UT_INC(handlers);
	/* It was called */
	if (regs[REG_RIP] == (greg_t)(uintptr_t)no_access)
		regs[REG_RSP] += 8;
	regs[REG_RIP] = go_on_at;
	regs[REG_EFL] &= ~(EFLAGS_TF | EFLAGS_AC);
}

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

static int handle(bool alternate)
{
	struct sigaction action = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | (alternate ? SA_ONSTACK : 0),
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		ret |= sigaction(signals[i], &action, NULL);
	return ret;
}

static int use_alternate(char *stack)
{
	stack_t ss = { .ss_sp = stack, .ss_size = ALTERNATE_SIZE };

	return sigaltstack(&ss, NULL);
}

/**
 * struct scene - An exception, and who it comes to
 *
 * @code: The function that has it.
 * @plain: What a thread without UMS is told.
 * @base: Base of the threads.
 * @worker: The worker.
 * @of_worker: It is the worker that has it, not the scheduler.
 * @alternate: Handlers have a stack of their own.
 * @resolved: Rounds in which the kernel took one thread for the other first.
 */
struct scene {
	const struct trap_code *code;
	struct trap *plain;
	struct ut_base *base;
	struct ut_thread *worker;
	bool of_worker;
	bool alternate;
	unsigned int resolved;
};

enum {
	BAD_COUNT	= 1,
	BAD_THREAD	= 2,
	BAD_TRAP	= 4,
	BAD_STACK	= 8,
	BAD_OTHER	= 16,
};

static void prepare(struct scene *scene)
{
	memset(&seen, 0, sizeof(seen));
	go_on_at = (uintptr_t)scene->code->after;
}

/* On the caller's alternate stack, or not far below its frame */
static bool right_stack(const struct scene *scene, const char *alternate)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (scene->alternate)
		return seen.stack - (uintptr_t)alternate < ALTERNATE_SIZE;
	return here - seen.stack < ALTERNATE_SIZE;
}

/* After @scene->code in thread @tid */
static int judge(struct scene *scene, pid_t tid, const char *alternate)
{
	int bad = 0;

	if (seen.count != 1)
		bad |= BAD_COUNT;
	if (seen.tid != tid)
		bad |= BAD_THREAD;
	if (memcmp(&seen.trap, scene->plain, sizeof(seen.trap)))
		bad |= BAD_TRAP;
	if (!right_stack(scene, alternate))
		bad |= BAD_STACK;
	return bad;
}

static __u64 resolved(struct scene *scene, __u64 ctx)
{
	return uu_switches(scene->base, ctx).resolved;
}

static void traps_in_worker(struct ut_thread *self)
{
	struct scene *scene = self->arg;
	__u64 before;
	int i;

	self->ret |= use_alternate(alternates[1]);
	for (i = 0; i < ROUNDS; i++) {
		before = resolved(scene, self->ctx);
		prepare(scene);
		/* Comes back with the kernel taking it for the scheduler */
		uu_yield(self, i);
		scene->code->fn(no_access);
		self->ret |= judge(scene, self->tid, alternates[1]);
		scene->resolved += resolved(scene, self->ctx) == before + 1;
	}
}

static void resolve_and_yield(struct ut_thread *self)
{
	struct scene *scene = self->arg;
	int i;

	self->ret |= use_alternate(alternates[1]);
	for (i = 0; i < ROUNDS; i++) {
		prepare(scene);
		self->ret |= regs_check_call(i, SYS_gettid, 0, 0, 0, 0);
		/* Has all registers that matter filled meanwhile */
		self->ret |= regs_check_function(i, uu.yield,
						 (uintptr_t)uu_slot(self), i,
						 NULL);
		if (seen.count)
			self->ret |= BAD_OTHER;
	}
}

FIXTURE(trap)
{
	struct ut_base base;
	struct ut_thread worker;
	struct scene scene;
};

FIXTURE_VARIANT(trap)
{
	bool worker;
	bool alternate;
};

FIXTURE_VARIANT_ADD(trap, of_a_worker) { .worker = true };
FIXTURE_VARIANT_ADD(trap, of_a_worker_with_a_signal_stack) {
	.worker = true,
	.alternate = true,
};

FIXTURE_VARIANT_ADD(trap, of_a_scheduler) { };
FIXTURE_VARIANT_ADD(trap, of_a_scheduler_with_a_signal_stack) {
	.alternate = true,
};

FIXTURE_SETUP(trap)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	if (!regs_init())
		SKIP(return, "no XSAVE");
	no_access = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)no_access);
	ASSERT_EQ(0, ut_base_open_flags(&self->base, 16, UMS_ORPHAN_RELEASE, 0));
	self->scene.base = &self->base;
	self->scene.worker = &self->worker;
	self->scene.of_worker = variant->worker;
	self->scene.alternate = variant->alternate;
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, handle(variant->alternate));
	ASSERT_EQ(0, use_alternate(alternates[0]));
}

FIXTURE_TEARDOWN(trap)
{
	if (self->scene.base)
		ut_base_close(&self->base);
}

/* A child tries it, and says what it was told; false if there was no signal */
static bool try_plain(struct scene *scene)
{
	int status;
	pid_t pid;

	scene->plain = mmap(NULL, sizeof(*scene->plain), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene->plain == MAP_FAILED)
		return false;
	pid = fork();
	if (!pid) {
		prepare(scene);
		scene->code->fn(no_access);
		*scene->plain = seen.trap;
		_exit(seen.count != 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static void run_worker(struct __test_metadata *_metadata, struct scene *scene)
{
	struct ut_thread *worker = scene->worker;
	long ret;

	ASSERT_EQ(0, ut_spawn_worker(scene->base, worker, traps_in_worker,
				     scene));
	ret = uu_start(scene->base, worker);
	prepare(scene);
	while (ret == SWITCHED_BACK || ret == UMS_REASON_YIELDED) {
		uu_resolve();
		ret = uu_run(scene->base, worker);
	}
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	EXPECT_EQ(0, seen.count);
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
}

static void run_scheduler(struct __test_metadata *_metadata,
			  struct scene *scene)
{
	struct ut_thread *worker = scene->worker;
	struct ums_event event;
	pid_t tid = gettid();
	int i, bad = 0;
	__u64 before;

	ASSERT_EQ(0, ut_spawn_worker(scene->base, worker, resolve_and_yield,
				     scene));
	ASSERT_EQ(1, ut_next_of(scene->base, worker->ctx, &event));
	for (i = 0; i < ROUNDS; i++) {
		before = resolved(scene, scene->base->sched);
		prepare(scene);
		/* Comes back with the kernel taking it for the worker */
		ASSERT_LE(0, uu_run(scene->base, worker));
		scene->code->fn(no_access);
		bad |= judge(scene, tid, alternates[0]);
		scene->resolved += resolved(scene, scene->base->sched) ==
				   before + 1;
	}
	EXPECT_EQ(0, bad);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(scene->base, worker));
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
}

static void test_trap(struct __test_metadata *_metadata, struct scene *scene,
		      const struct trap_code *code)
{
	scene->code = code;
	if (!try_plain(scene))
		SKIP(return, "this machine has no such exception");
	ASSERT_EQ(0, ut_base_schedule_here(scene->base));
	if (scene->of_worker)
		run_worker(_metadata, scene);
	else
		run_scheduler(_metadata, scene);
	EXPECT_EQ(ROUNDS, UT_LOAD(handlers));
	EXPECT_LE(RESOLVED_MIN, scene->resolved);
	EXPECT_EQ(0, ut_detach());
}

TEST_F(trap, privileged)
{
	test_trap(_metadata, &self->scene, &code_privileged);
}

TEST_F(trap, not_canonical)
{
	test_trap(_metadata, &self->scene, &code_not_canonical);
}

TEST_F(trap, stack_segment)
{
	test_trap(_metadata, &self->scene, &code_stack_segment);
}

TEST_F(trap, no_interrupt)
{
	test_trap(_metadata, &self->scene, &code_no_interrupt);
}

TEST_F(trap, undefined)
{
	test_trap(_metadata, &self->scene, &code_undefined);
}

TEST_F(trap, divide)
{
	test_trap(_metadata, &self->scene, &code_divide);
}

TEST_F(trap, breakpoint)
{
	test_trap(_metadata, &self->scene, &code_breakpoint);
}

TEST_F(trap, breakpoint_long)
{
	test_trap(_metadata, &self->scene, &code_breakpoint_long);
}

TEST_F(trap, overflow)
{
	test_trap(_metadata, &self->scene, &code_overflow);
}

TEST_F(trap, icebp)
{
	test_trap(_metadata, &self->scene, &code_icebp);
}

TEST_F(trap, step)
{
	test_trap(_metadata, &self->scene, &code_step);
}

TEST_F(trap, alignment)
{
	test_trap(_metadata, &self->scene, &code_alignment);
}

TEST_F(trap, page_fault)
{
	test_trap(_metadata, &self->scene, &code_page_fault);
}

TEST_F(trap, page_fault_call)
{
	test_trap(_metadata, &self->scene, &code_page_fault_call);
}

TEST_F(trap, x87)
{
	test_trap(_metadata, &self->scene, &code_x87);
}

TEST_F(trap, simd)
{
	test_trap(_metadata, &self->scene, &code_simd);
}

TEST_HARNESS_MAIN
