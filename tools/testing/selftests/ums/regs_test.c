// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a thread finds all of its registers as it left them, whatever
 * switch came between. Every thread of a test fills every register that user
 * code can see with values of its own, does the one thing that is under test,
 * and compares. The system call instruction may change rax, rcx and r11 only,
 * anything else nothing at all.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"
#include "regs.h"

#define WORKERS		3
#define ROUNDS		20

FIXTURE(regs) {
	struct ut_base base;
	struct ut_thread worker[WORKERS];
	int fd[2];
};

FIXTURE_SETUP(regs)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!regs_init())
		SKIP(return, "no XSAVE");
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open(&self->base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(regs)
{
	if (!self->base.slots)
		return;
	ut_base_close(&self->base);
	close(self->fd[0]);
	close(self->fd[1]);
}

static uint64_t seed_of(struct ut_thread *thread, int round)
{
	return thread->tid * 0x9e3779b97f4a7c15ULL + round * 7919 + 1;
}

/* Execute with every register of the caller filled */
static int execute_with_registers(struct ut_base *base, __u64 ctx,
				  struct ums_event *event, uint64_t seed)
{
	memset(event, 0, sizeof(*event));
	/* The flags are 32 bits: zero */
	return regs_check_call(seed, __NR_ums_execute, base->group, ctx,
			       (uintptr_t)event, 1ULL << 32);
}

static void yield_with_registers(struct ut_thread *thread)
{
	struct ums_yield yield = {};
	int i;

	for (i = 0; i < ROUNDS; i++) {
		yield.param = i;
		thread->ret |= regs_check_call(seed_of(thread, i), __NR_ums_ctl,
					 UMS_CTL_YIELD, -1, (uintptr_t)&yield,
					 sizeof(yield));
	}
}

/* Run every worker in turn until it has ended; the scheduler checks, too */
static int run_in_turn(struct ut_base *base, struct ut_thread *worker, int nr)
{
	bool ended[WORKERS] = {};
	struct ums_event event;
	int i, left = nr, bad = 0;
	uint64_t seed = 1;

	for (i = 0; left; i = (i + 1) % nr) {
		if (ended[i])
			continue;
		bad |= execute_with_registers(base, worker[i].ctx, &event,
					      seed++);
		if (event.reason == UMS_REASON_BLOCKED &&
		    ut_next_of(base, worker[i].ctx, &event) != 1)
			return -1;
		if (event.reason == UMS_REASON_TERMINATED) {
			ended[i] = true;
			left--;
		}
		if (bad)
			return bad;
	}
	return 0;
}

TEST_F(regs, survive_execute_and_yield)
{
	struct ums_event event;
	int i;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker[i],
					     yield_with_registers, NULL));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(1, ut_next(&self->base, &event));
	ASSERT_EQ(0, run_in_turn(&self->base, self->worker, WORKERS));
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(0, self->worker[i].ret);
		ut_join(&self->worker[i]);
	}
}

static void read_with_registers(struct ut_thread *thread)
{
	int *fd = thread->arg;
	char byte;
	int i;

	for (i = 0; i < ROUNDS; i++)
		thread->ret |= regs_check_call(seed_of(thread, i), SYS_read, fd[0],
					 (uintptr_t)&byte, 1, 0);
}

TEST_F(regs, survive_block_and_unblock)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker;
	struct ums_event event;
	int i, round;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[i],
					     read_with_registers, self->fd));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(1, ut_next_of(base, self->worker[i].ctx, &event));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, self->worker[i].ctx, &event,
					  SYS_read));
	for (round = 1; round <= ROUNDS * WORKERS; round++) {
		ASSERT_EQ(1, write(self->fd[1], "x", 1));
		ASSERT_EQ(1, ut_next(base, &event));
		worker = (void *)(uintptr_t)event.cookie;
		while (event.reason == UMS_REASON_READY) {
			ASSERT_EQ(0, execute_with_registers(base, worker->ctx,
							    &event, round));
			ASSERT_NE(0, event.reason);
			if (event.reason == UMS_REASON_BLOCKED &&
			    (event.cause != UMS_CAUSE_SYSCALL ||
			     event.arg != SYS_read))
				ASSERT_EQ(1, ut_next_of(base, worker->ctx,
							&event));
		}
	}
	for (i = 0; i < WORKERS; i++) {
		EXPECT_EQ(UMS_STATE_TERMINATED,
			  ut_slot_state(base, self->worker[i].ctx));
		EXPECT_EQ(0, self->worker[i].ret);
		ut_join(&self->worker[i]);
	}
}

static void execute_neighbour(struct ut_thread *thread)
{
	struct ut_thread *worker = thread->arg;
	struct ut_base *base = thread->base;
	struct ums_event unused;
	int i, next = (thread - worker + 1) % WORKERS;

	for (i = 0; i < ROUNDS; i++) {
		thread->ret |= execute_with_registers(base, worker[next].ctx,
						      &unused,
						      seed_of(thread, i));
		thread->ret |= unused.reason;
	}
}

TEST_F(regs, survive_a_switch_from_worker_to_worker)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	int i;

	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[i],
					     execute_neighbour, self->worker));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(1, ut_next(base, &event));
	/* Each waits in its last call for the one before it in the ring */
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, self->worker[i].ctx, &event,
				    UMS_REASON_TERMINATED));
		EXPECT_EQ(self->worker[i].ctx, event.ctx);
		EXPECT_EQ(0, self->worker[i].ret);
		ut_join(&self->worker[i]);
	}
}

/**
 * struct spin - A worker that waits in user mode
 *
 * @running: It waits; the test clears this.
 * @stop: It shall go on.
 * @target: Thread to send SIGUSR1 to once it waits.
 */
struct spin {
	uint8_t running;
	uint8_t stop;
	pid_t target;
};

static void spin_with_registers(struct ut_thread *thread)
{
	struct spin *spin = thread->arg;
	struct regs_act act = { .fn = regs_spin, .flags = FLAGS_DIRECTION };
	int i;

	act.gpr[RDI] = (uintptr_t)&spin->running;
	act.gpr[RSI] = (uintptr_t)&spin->stop;
	for (i = 0; i < ROUNDS; i++) {
		thread->ret |= regs_check(&act, seed_of(thread, i));
		ut_yield(i);
	}
}

static void shoot_when_running(struct ut_thread *thread)
{
	struct spin *spin = thread->arg;

	thread->ret = UT_WAIT(UT_LOAD(spin->running));
	syscall(SYS_tgkill, getpid(), spin->target, SIGUSR1);
}

static uint8_t *handler_stop;
static uint32_t handled;

/* Leaves nothing as it found it, except what sigreturn has to restore */
static void clobber(int sig, siginfo_t *info, void *context)
{
	regs_spoil(99 + handled);
	if (handler_stop)
		UT_STORE(*handler_stop, 1);
	UT_INC(handled);
}

static bool clobber_on(int sig)
{
	struct sigaction action = {
		.sa_sigaction = clobber,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};

	return !sigaction(sig, &action, NULL);
}

TEST_F(regs, survive_preemption_by_a_signal_of_the_scheduler)
{
	struct spin spin = { .target = gettid() };
	struct ut_thread *worker = &self->worker[0];
	struct ut_thread *other = &self->worker[1];
	struct ut_base *base = &self->base;
	struct ut_thread shooter;
	struct ums_event event;
	int i;

	ASSERT_TRUE(clobber_on(SIGUSR1));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, spin_with_registers, &spin));
	ASSERT_EQ(0, ut_spawn_worker(base, other, yield_with_registers, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	ASSERT_EQ(1, ut_next_of(base, other->ctx, &event));
	for (i = 0; i < ROUNDS; i++) {
		UT_STORE(spin.running, 0);
		UT_STORE(spin.stop, 0);
		ASSERT_EQ(0, ut_spawn(base, &shooter, UMS_ROLE_NONE,
				      shoot_when_running, &spin));
		ASSERT_EQ(0, execute_with_registers(base, worker->ctx, &event,
						    i + 1));
		ASSERT_EQ(UMS_REASON_PREEMPTED, event.reason);
		ASSERT_EQ(i + 1, UT_LOAD(handled));
		ut_join(&shooter);

		/* Others fill the registers meanwhile */
		ASSERT_EQ(0, execute_with_registers(base, other->ctx, &event,
						    i + 1000));
		ASSERT_EQ(UMS_REASON_YIELDED, event.reason);
		UT_STORE(spin.stop, 1);
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(0, UT_LOAD(worker->ret));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, self->worker[i].ctx, &event,
				    UMS_REASON_TERMINATED));
		EXPECT_EQ(0, self->worker[i].ret);
		ut_join(&self->worker[i]);
	}
}

TEST_F(regs, survive_the_handler_of_a_running_worker)
{
	struct ut_thread *worker = &self->worker[0];
	struct ut_base *base = &self->base;
	struct ut_thread shooter;
	struct ums_event event;
	struct spin spin = {};
	int i;

	ASSERT_TRUE(clobber_on(SIGUSR1));
	handler_stop = &spin.stop;
	ASSERT_EQ(0, ut_spawn_worker(base, worker, spin_with_registers, &spin));
	ASSERT_EQ(1, ut_next(base, &event));
	spin.target = worker->tid;
	for (i = 0; i < ROUNDS; i++) {
		UT_STORE(spin.running, 0);
		UT_STORE(spin.stop, 0);
		ASSERT_EQ(0, ut_spawn(base, &shooter, UMS_ROLE_NONE,
				      shoot_when_running, &spin));
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(i + 1, UT_LOAD(handled));
		EXPECT_EQ(0, UT_LOAD(worker->ret));
		ut_join(&shooter);
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
}

TEST_F(regs, survive_a_handler_that_a_parked_worker_runs_later)
{
	struct ut_thread *worker = &self->worker[0];
	struct ut_base *base = &self->base;
	struct ums_event event;
	int i;

	ASSERT_TRUE(clobber_on(SIGUSR1));
	ASSERT_EQ(0, ut_spawn_worker(base, worker, yield_with_registers, NULL));
	ASSERT_EQ(1, ut_next(base, &event));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(i, event.arg);
		EXPECT_EQ(i, UT_LOAD(handled));
		ASSERT_EQ(0, syscall(SYS_tgkill, getpid(), worker->tid,
				     SIGUSR1));
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(ROUNDS, handled);
	EXPECT_EQ(0, worker->ret);
	ut_join(worker);
}

struct store {
	uint8_t *area;
	long page;
};

static void store_with_registers(struct ut_thread *thread)
{
	struct regs_act act = { .fn = regs_store, .flags = FLAGS_USER };
	struct store *store = thread->arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		act.gpr[RDI] = (uintptr_t)store->area + i * store->page + i;
		thread->ret |= regs_check(&act, seed_of(thread, i));
		ut_yield(i);
	}
}

TEST_F(regs, survive_a_block_in_a_page_fault)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct store store = { .page = sysconf(_SC_PAGESIZE) };
	struct uffdio_api api = { .api = UFFD_API };
	struct ut_thread *worker = &self->worker[0];
	struct ut_thread *other = &self->worker[1];
	struct ut_base *base = &self->base;
	struct uffdio_zeropage zero = {};
	struct ums_event event;
	int i, uffd;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	store.area = mmap(NULL, ROUNDS * store.page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, store.area);
	reg.range.start = (uintptr_t)store.area;
	reg.range.len = ROUNDS * store.page;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));

	ASSERT_EQ(0, ut_spawn_worker(base, worker, store_with_registers,
				     &store));
	ASSERT_EQ(0, ut_spawn_worker(base, other, yield_with_registers, NULL));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	ASSERT_EQ(1, ut_next_of(base, other->ctx, &event));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, execute_with_registers(base, worker->ctx, &event,
						    i + 1));
		ASSERT_EQ(UMS_REASON_BLOCKED, event.reason);
		ASSERT_EQ(UMS_CAUSE_FAULT, event.cause);
		ASSERT_EQ(0, execute_with_registers(base, other->ctx, &event,
						    i + 1000));
		zero.range.start = (uintptr_t)store.area + i * store.page;
		zero.range.len = store.page;
		ASSERT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
		ASSERT_EQ(1, ut_next(base, &event));
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(0, UT_LOAD(worker->ret));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(base, self->worker[i].ctx, &event,
				    UMS_REASON_TERMINATED));
		EXPECT_EQ(0, self->worker[i].ret);
		ut_join(&self->worker[i]);
	}
	close(uffd);
}

TEST_HARNESS_MAIN
