// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: registers and the user switch. A thread whose code runs while the
 * kernel takes it for another one finds all of its registers as they were when
 * the kernel finds out, wherever that is. And across a switch it finds what a
 * function call preserves, whichever way it left and came back.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "regs.h"
#include "user.h"

#define ROUNDS		40
/* A tick may find out first, or the rseq ids be others */
#define RESOLVED_MIN	(ROUNDS * 3 / 4)

/* gettid() of 32-bit programs */
#define NR_GETTID_32	224

/* How the kernel finds out who runs */
enum way { SYSCALL, INT80, FAULT, TICK };

/* Values, and choices, of their own for each thread and round */
static uint64_t seed_of(pid_t tid, int round)
{
	return (tid * 100000ULL + round) * 0x9e3779b97f4a7c15ULL;
}

/**
 * struct scene - Threads that are resolved
 *
 * @way: What they do then.
 * @base: Their base.
 * @worker: Two workers.
 * @area: Pages for each round, that nobody has touched.
 * @page: Size of one.
 * @running: One spins.
 * @stop: It shall go on.
 * @before: Its @resolved when it was not mismatched yet.
 * @resolved: Rounds in which the kernel found one running as another.
 * @end: No more rounds.
 */
struct scene {
	enum way way;
	struct ut_base *base;
	struct ut_thread *worker;
	uint8_t *area;
	long page;
	uint8_t running;
	uint8_t stop;
	__u64 before;
	unsigned int resolved;
	bool end;
};

static __u64 resolved(struct scene *scene, __u64 ctx)
{
	return uu_switches(scene->base, ctx).resolved;
}

/* Lets spinning threads go on once the kernel knows them */
static void release_spinners(struct ut_thread *self)
{
	struct scene *scene = self->arg;
	__u64 ctx = scene->worker ? scene->worker->ctx : scene->base->sched;
	int naps;

	while (UT_WAIT(UT_LOAD(scene->running) || UT_LOAD(scene->end)) &&
	       !UT_LOAD(scene->end)) {
		/* It may have come by system call, then there is nothing */
		for (naps = 0; naps < 1000; naps++) {
			if (resolved(scene, ctx) != UT_LOAD(scene->before))
				break;
			ut_nap();
		}
		UT_STORE(scene->running, 0);
		UT_STORE(scene->stop, 1);
	}
}

/*
 * One round of a thread: @leave, which comes back by user switch, and then
 * enter the kernel with every register filled. BAD_* bits.
 */
static int round_of(struct scene *scene, __u64 ctx, pid_t tid, int i,
		    void (*leave)(void *arg), void *arg)
{
	struct regs_act act = { .before = leave, .arg = arg };
	uint64_t rax = tid;
	int bad;

	switch (scene->way) {
	case SYSCALL:
	case INT80:
		act.fn = scene->way == INT80 ? regs_int80 : regs_syscall;
		act.gpr[RAX] = scene->way == INT80 ? NR_GETTID_32 : SYS_gettid;
		act.flags = FLAGS_USER;
		act.call = true;
		act.rax = &rax;
		break;
	case FAULT:
		act.fn = regs_store;
		act.gpr[RDI] = (uintptr_t)scene->area + i * scene->page;
		act.flags = FLAGS_USER;
		break;
	case TICK:
		act.fn = regs_spin;
		act.gpr[RDI] = (uintptr_t)&scene->running;
		act.gpr[RSI] = (uintptr_t)&scene->stop;
		act.flags = FLAGS_DIRECTION;
		UT_STORE(scene->stop, 0);
		break;
	}
	UT_STORE(scene->before, resolved(scene, ctx));
	bad = regs_check(&act, seed_of(tid, i));
	if (rax != (uint64_t)tid)
		bad |= BAD_CALL;
	scene->resolved += resolved(scene, ctx) == scene->before + 1;
	return bad;
}

FIXTURE(resolve)
{
	struct ut_base base;
	struct ut_thread worker[2];
	struct ut_thread releaser;
	struct scene scene;
};

FIXTURE_VARIANT(resolve)
{
	enum way way;
};

FIXTURE_VARIANT_ADD(resolve, at_a_system_call) { .way = SYSCALL };
FIXTURE_VARIANT_ADD(resolve, at_int80) { .way = INT80 };
FIXTURE_VARIANT_ADD(resolve, at_a_page_fault) { .way = FAULT };
FIXTURE_VARIANT_ADD(resolve, at_a_tick) { .way = TICK };

/* Without IA32 emulation int 0x80 is a fault */
static bool have_int80(void)
{
	pid_t pid = fork();
	int status;
	long ret;

	if (!pid) {
		asm volatile("int $0x80" : "=a" (ret) : "a" (NR_GETTID_32));
		_exit(ret != gettid());
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

FIXTURE_SETUP(resolve)
{
	struct scene *scene = &self->scene;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	if (!regs_init())
		SKIP(return, "no XSAVE");
	if (variant->way == INT80 && !have_int80())
		SKIP(return, "no int 0x80 here");
	scene->way = variant->way;
	scene->page = sysconf(_SC_PAGESIZE);
	scene->area = mmap(NULL, ROUNDS * scene->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, scene->area);
	madvise(scene->area, ROUNDS * scene->page, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, ut_base_open_flags(&self->base, 16, UMS_ORPHAN_RELEASE, 0));
	scene->base = &self->base;
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(resolve)
{
	if (!self->scene.base)
		return;
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
	munmap(self->scene.area, ROUNDS * self->scene.page);
}

static void leave_by_yield(void *arg)
{
	uu_yield(arg, 0);
}

static void rounds_of_worker(struct ut_thread *self)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		self->ret |= round_of(self->arg, self->ctx, self->tid, i,
				      leave_by_yield, self);
}

static void stop_releaser(struct scene *scene, struct ut_thread *releaser)
{
	if (scene->way != TICK)
		return;
	UT_STORE(scene->end, true);
	ut_join(releaser);
}

TEST_F(resolve, leaves_the_registers_of_a_worker)
{
	struct scene *scene = &self->scene;
	struct ut_thread *worker = self->worker;
	long ret;

	scene->worker = worker;
	ASSERT_EQ(0, ut_spawn_worker(&self->base, worker, rounds_of_worker,
				     scene));
	if (scene->way == TICK)
		ASSERT_EQ(0, ut_spawn(&self->base, &self->releaser,
				      UMS_ROLE_NONE, release_spinners, scene));
	ret = uu_start(&self->base, worker);
	while (ret == (UMS_REASON_YIELDED | UMS_RETURN_USER) ||
	       ret == UMS_REASON_YIELDED) {
		/* What is not resolved cannot be left mismatched */
		uu_resolve();
		ret = uu_run(&self->base, worker);
	}
	EXPECT_EQ(UMS_REASON_TERMINATED, ret);
	ut_join(worker);
	stop_releaser(scene, &self->releaser);
	EXPECT_EQ(0, worker->ret);
	EXPECT_LE(RESOLVED_MIN, scene->resolved);
}

/* Comes back with the kernel taking the caller for @to */
static void leave_to_neighbour(void *arg)
{
	struct ut_thread *self = arg;

	/* It may not have attached yet */
	while (uu.switch_to(uu_slot(self), uu_slot(self + 1)) < 0)
		uu_yield(self, 0);
}

static void rounds_with_neighbour(struct ut_thread *self)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		self->ret |= round_of(self->arg, self->ctx, self->tid, i,
				      leave_to_neighbour, self);
}

static void resolve_and_switch_back(struct ut_thread *self)
{
	long ret;

	do {
		if (uu_resolve() != self->tid)
			self->ret++;
		ret = uu.switch_to(uu_slot(self), uu_slot(self - 1));
	} while (ret != -ESRCH);
}

TEST_F(resolve, leaves_the_registers_of_a_worker_that_a_worker_runs)
{
	struct scene *scene = &self->scene;
	struct ut_thread *worker = self->worker;

	scene->worker = worker;
	ASSERT_EQ(0, ut_spawn_worker(&self->base, worker,
				     rounds_with_neighbour, scene));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &worker[1],
				     resolve_and_switch_back, scene));
	if (scene->way == TICK)
		ASSERT_EQ(0, ut_spawn(&self->base, &self->releaser,
				      UMS_ROLE_NONE, release_spinners, scene));
	EXPECT_EQ(0, uu_schedule(&self->base, worker, 2));
	ut_join(worker);
	ut_join(&worker[1]);
	stop_releaser(scene, &self->releaser);
	EXPECT_EQ(0, worker->ret);
	EXPECT_EQ(0, worker[1].ret);
	EXPECT_LE(RESOLVED_MIN, scene->resolved);
}

static void resolve_and_yield(struct ut_thread *self)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (uu_resolve() != self->tid)
			self->ret++;
		uu_yield(self, i);
	}
}

static void leave_to_worker(void *arg)
{
	struct ut_thread *worker = arg;

	if (uu_run(worker->base, worker) < 0)
		worker->ret++;
}

TEST_F(resolve, leaves_the_registers_of_the_scheduler)
{
	struct scene *scene = &self->scene;
	struct ut_thread *worker = self->worker;
	struct ums_event event;
	pid_t tid = gettid();
	int i, bad = 0;

	ASSERT_EQ(0, ut_spawn_worker(&self->base, worker, resolve_and_yield,
				     scene));
	ASSERT_EQ(1, ut_next_of(&self->base, worker->ctx, &event));
	if (scene->way == TICK)
		ASSERT_EQ(0, ut_spawn(&self->base, &self->releaser,
				      UMS_ROLE_NONE, release_spinners, scene));
	for (i = 0; i < ROUNDS; i++)
		bad |= round_of(scene, self->base.sched, tid, i,
				leave_to_worker, worker);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, worker));
	ut_join(worker);
	stop_releaser(scene, &self->releaser);
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, worker->ret);
	EXPECT_LE(RESOLVED_MIN, scene->resolved);
}

#define WORKERS		2
#define SWITCHES	1000

FIXTURE(across)
{
	struct ut_base base;
	struct ut_thread worker[WORKERS];
};

FIXTURE_VARIANT(across)
{
	bool pinned;
};

FIXTURE_VARIANT_ADD(across, on_one_cpu) { .pinned = true };
FIXTURE_VARIANT_ADD(across, on_all_cpus) { .pinned = false };

FIXTURE_SETUP(across)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	if (!regs_init())
		SKIP(return, "no XSAVE");
	ASSERT_EQ(0, ut_base_open_flags(&self->base, 16, UMS_ORPHAN_RELEASE, 0));
	if (variant->pinned)
		ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(across)
{
	if (!self->base.slots)
		return;
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
}

/* Leave in one of four ways, and come back in any; BAD_* bits */
static int leave_somehow(struct ut_thread *self, struct ut_thread *other, int i)
{
	uint64_t seed = seed_of(self->tid, i);
	struct ums_yield yield = { .param = i };
	uint64_t rax;

	switch (seed >> 33 & 3) {
	case 0:
		return regs_check_function(seed, uu.yield,
					   (uintptr_t)uu_slot(self), i, &rax);
	case 1:
		return regs_check_function(seed, uu.switch_to,
					   (uintptr_t)uu_slot(self),
					   (uintptr_t)uu_slot(other), &rax);
	case 2:
		return regs_check_call(seed, __NR_ums_ctl, UMS_CTL_YIELD, -1,
				       (uintptr_t)&yield, sizeof(yield));
	default:
		/* May fail, if the other one has ended */
		return regs_check_call(seed, __NR_ums_execute,
				       self->base->group, other->ctx, 0,
				       1ULL << 32) & ~BAD_CALL;
	}
}

static void leave_a_thousand_times(struct ut_thread *self)
{
	struct ut_thread *worker = self->arg;
	int i;

	for (i = 0; i < SWITCHES; i++)
		self->ret |= leave_somehow(self, &worker[self == worker], i);
}

/* Run @worker in one of two ways; BAD_* bits */
static int run_somehow(struct ut_base *base, struct ut_thread *worker, int i)
{
	struct ums_event event;
	uint64_t rax;

	if (i % 5)
		return regs_check_function(seed_of(0, i), uu.execute,
					   (uintptr_t)ut_slot(base, base->sched),
					   (uintptr_t)uu_slot(worker), &rax);
	/* May fail, if it is blocked */
	return regs_check_call(seed_of(0, i), __NR_ums_execute, base->group,
			       worker->ctx, (uintptr_t)&event, 1ULL << 32) &
	       ~BAD_CALL;
}

TEST_F(across, a_switch_everybody_keeps_their_own)
{
	__u64 end = ut_now_ns() + UT_LIMIT_MS * UT_NSEC_PER_MSEC;
	struct ut_thread *worker = self->worker;
	struct ums_switches sum = {}, one;
	struct ums_event event;
	int i, left, n = 1;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &worker[i],
					     leave_a_thousand_times, worker));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(1, ut_next(&self->base, &event));
	do {
		for (i = left = 0; i < WORKERS; i++) {
			if (ut_slot_state(&self->base, worker[i].ctx) ==
			    UMS_STATE_TERMINATED)
				continue;
			left++;
			ASSERT_EQ(0, run_somehow(&self->base, &worker[i], n++));
		}
		ASSERT_GT(end, ut_now_ns());
	} while (left);
	for (i = 0; i < WORKERS; i++) {
		ut_join(&worker[i]);
		EXPECT_EQ(0, worker[i].ret);
		one = uu_switches(&self->base, worker[i].ctx);
		sum.user += one.user;
		sum.resolved += one.resolved;
		sum.slow_kernel += one.slow_kernel;
	}
	/* Each way out and in was there, or nothing was shown */
	EXPECT_LT(0, sum.user);
	EXPECT_LT(0, sum.resolved);
	EXPECT_LT(0, sum.slow_kernel);
}

TEST_HARNESS_MAIN
