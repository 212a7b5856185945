// SPDX-License-Identifier: GPL-2.0
/*
 * The user switch: a worker is interrupted at each instruction of a switch that
 * it has begun, gives its virtual processor up in a signal handler, and goes on
 * with that of another scheduler. It must then switch on that one.
 *
 *	A			W			B
 *	runs W			steps into a switch
 *				yields in the handler
 *	runs W2, which spins				runs W
 *				goes on with the switch
 *							has its processor back
 *	has its processor back from W2
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"
#include "walk.h"

#define TRAP_FLAG	0x100UL
/* The functions are shorter, and a thread is not stepped that far */
#define MAX_STEPS	100

static struct {
	struct ut_base base;
	struct ut_thread worker;
	struct ut_thread target;
	struct ut_thread spins;
	struct ut_thread other;
	bool by_switch;
	uintptr_t code;
	int steps;
	int at_step;
	int yielded;
	int spinning;
	int stop;
	long other_ret;
	__u64 other_ctx;
	int other_done;
} claim;

static void on_step(int sig, siginfo_t *info, void *arg)
{
	greg_t *regs = ((ucontext_t *)arg)->uc_mcontext.gregs;

	if ((uintptr_t)regs[REG_RIP] - claim.code >= 512 || claim.yielded ||
	    ++claim.steps < claim.at_step)
		return;
	regs[REG_EFL] &= ~TRAP_FLAG;
	claim.yielded = 1;
	ut_yield(1);
}

static void steps_into_a_switch(struct ut_thread *self)
{
	struct ums_context *slot = uu_slot(self);

	asm volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
	if (claim.by_switch)
		uu.switch_to(slot, uu_slot(&claim.target));
	else
		uu.yield(slot, 2);
	asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory",
		     "cc");
}

static void yields_twice(struct ut_thread *self)
{
	uu_yield(self, 3);
	uu_yield(self, 4);
}

static void spins(struct ut_thread *self)
{
	UT_STORE(claim.spinning, 1);
	while (!UT_LOAD(claim.stop))
		;
	uu_yield(self, 5);
}

static void schedules(struct ut_thread *self)
{
	struct ums_event event;

	if (!UT_WAIT(UT_LOAD(claim.spinning)))
		return;
	do {
		claim.other_ret = ut_execute(claim.base.group,
					     claim.worker.ctx, &event);
	} while (claim.other_ret == -EAGAIN || claim.other_ret == -EINTR);
	claim.other_ctx = event.ctx;
	UT_STORE(claim.other_done, 1);
	UT_STORE(claim.stop, 1);
}

FIXTURE(claim)
{
	pid_t tid;
};

FIXTURE_VARIANT(claim)
{
	bool by_switch;
};

FIXTURE_VARIANT_ADD(claim, yield) {
	.by_switch = false,
};

FIXTURE_VARIANT_ADD(claim, to_a_worker) {
	.by_switch = true,
};

FIXTURE_SETUP(claim)
{
	struct sigaction action = {
		.sa_sigaction = on_step,
		.sa_flags = SA_SIGINFO,
	};

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	/* On one cpu: who is moved to another one calls the kernel */
	ASSERT_EQ(0, uu_pin());
	ut_prefault();
	ASSERT_EQ(0, sigaction(SIGTRAP, &action, NULL));
	claim.by_switch = variant->by_switch;
	claim.code = (uintptr_t)(variant->by_switch ? (void *)uu.switch_to :
						      (void *)uu.yield);
	self->tid = gettid();
}

FIXTURE_TEARDOWN(claim)
{
}

/* All over again, for one instruction; whether it was reached */
static bool interrupt_at(struct __test_metadata *_metadata, int step)
{
	struct ums_context *spins_slot, *slot;
	struct ut_base *base = &claim.base;
	struct ums_event event;

	claim.at_step = step;
	claim.steps = 0;
	claim.yielded = 0;
	claim.spinning = 0;
	claim.stop = 0;
	claim.other_done = 0;
	ASSERT_EQ(0, ut_base_open(base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &claim.target, yields_twice, NULL));
	ASSERT_EQ(0, ut_spawn_worker(base, &claim.spins, spins, NULL));
	ASSERT_EQ(0, ut_spawn_worker(base, &claim.worker, steps_into_a_switch,
				     NULL));
	slot = ut_slot(base, base->sched);
	spins_slot = uu_slot(&claim.spins);
	ASSERT_LE(0, uu_start(base, &claim.target));
	ASSERT_EQ(1, ut_next_of(base, claim.spins.ctx, &event));
	ASSERT_EQ(1, ut_next_of(base, claim.worker.ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  uu_run(base, &claim.worker) & ~UMS_RETURN_USER);
	if (!claim.yielded)
		return false;

	ASSERT_EQ(0, ut_spawn(base, &claim.other, UMS_ROLE_SCHEDULER, schedules,
			      NULL));
	/* Its own context can be claimed meanwhile, but by nobody else */
	ASSERT_EQ(UMS_REASON_YIELDED | UMS_RETURN_USER,
		  uu_run(base, &claim.spins));
	EXPECT_EQ((__u32)spins_slot->id, slot->yielder);
	EXPECT_EQ(5, slot->param);
	EXPECT_TRUE(UT_WAIT(UT_LOAD(claim.other_done)));
	EXPECT_EQ(UMS_REASON_YIELDED, claim.other_ret & ~UMS_RETURN_USER);
	EXPECT_EQ(claim.by_switch ? claim.target.ctx : claim.worker.ctx,
		  claim.other_ctx);
	ut_join(&claim.other);
	return true;
}

static void finish(struct __test_metadata *_metadata)
{
	struct ut_thread *worker[] = { &claim.worker, &claim.target,
				       &claim.spins };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(worker); i++)
		while (ut_slot_state(&claim.base, worker[i]->ctx) !=
		       UMS_STATE_TERMINATED)
			ASSERT_LE(0, uu_run(&claim.base, worker[i]));
	for (i = 0; i < ARRAY_SIZE(worker); i++)
		ut_join(worker[i]);
	ASSERT_EQ(0, ut_detach());
	ut_base_close(&claim.base);
}

TEST_F(claim, is_for_the_processor_that_the_worker_has)
{
	int step;

	for (step = 1; step < MAX_STEPS; step++) {
		UT_STORE(claim.stop, 0);
		if (!interrupt_at(_metadata, step))
			break;
		finish(_metadata);
		EXPECT_EQ(self->tid, gettid());
	}
	TH_LOG("%d instructions", step - 1);
	/* It was not the end of the patience that ended it */
	EXPECT_GT(MAX_STEPS, step);
	EXPECT_LT(1, step);
	UT_STORE(claim.stop, 1);
	finish(_metadata);
}

/* A debugger's breakpoint, in the place of a byte of the vDSO */
static struct {
	uint8_t *at;
	uint8_t original;
	int hits;
} breakpoint;

/* As a debugger writes, to a page of one's own */
static bool write_code(uint8_t byte)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool ok = pwrite(fd, &byte, 1, (uintptr_t)breakpoint.at) == 1;

	close(fd);
	return ok;
}

static void on_breakpoint(int sig, siginfo_t *info, void *arg)
{
	greg_t *regs = ((ucontext_t *)arg)->uc_mcontext.gregs;

	breakpoint.hits++;
	if (!write_code(breakpoint.original))
		abort();
	if (regs[REG_RIP] == (greg_t)(uintptr_t)breakpoint.at + 1)
		regs[REG_RIP]--;
}

static bool set_breakpoint(uintptr_t address)
{
	struct sigaction action = {
		.sa_sigaction = on_breakpoint,
		.sa_flags = SA_SIGINFO,
	};

	breakpoint.at = (uint8_t *)address;
	breakpoint.original = *breakpoint.at;
	return !sigaction(SIGTRAP, &action, NULL) && write_code(0xcc);
}

static void waits(struct ut_thread *self)
{
	char byte;

	self->ret = read(*(int *)self->arg, &byte, 1);
}

/* INT3 leaves the thread behind the jump's first byte: that is not in the switch */
TEST(a_breakpoint_where_a_claim_has_failed)
{
	struct ut_thread worker;
	struct ut_base base;
	int fd[2];

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(0, ut_base_open(&base, 4, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	ASSERT_EQ(0, ut_spawn_worker(&base, &worker, waits, &fd[0]));
	ASSERT_TRUE(UT_WAIT(uu_execute(&base, &worker) == UMS_REASON_BLOCKED));

	ASSERT_TRUE(set_breakpoint(walk_claimed(WALK_EXECUTE)));
	EXPECT_EQ(-EINPROGRESS, uu_execute(&base, &worker));
	EXPECT_EQ(1, breakpoint.hits);
	EXPECT_EQ(-EINPROGRESS, uu_execute(&base, &worker));

	ASSERT_EQ(1, write(fd[1], "", 1));
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_start(&base, &worker));
	ut_join(&worker);
	EXPECT_EQ(1, worker.ret);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&base);
}

TEST_HARNESS_MAIN
