// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: user code overwrites what it shares with the kernel, while its
 * threads switch and enter the kernel. The process may die of it. Nobody else
 * notices, and the kernel has nothing to say.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "user.h"

/* With index 0 a page of slots: there is no memory for others */
#define CONTEXTS	15
#define SCHEDULERS	2
#define WORKERS		3	/* of each */

/*
 * How long each kind of attack goes on, by as many processes as it takes;
 * UMS_TEST_MS overrides it
 */
#define ATTACK_MS	300
#define PROCESS_MS	100

/*
 * What is overwritten: words of slots, and the ring. Or the threads jump to the
 * middle of the functions of the vDSO.
 */
enum kind {
	RUNNING, VP, STATE, VP_IDS, IDS, ID, YIELDER, RSP, FSBASE, GSBASE, MXCSR,
	PKRU, PRESERVED, RING, JUMP, KINDS
};

#define ALL_KINDS	((1U << KINDS) - 1)

#define FUNCTION_SIZE	320

#define NOBODY		65534

/* The process that is attacked */
static struct {
	unsigned int kinds;
	unsigned int seed;
	struct ut_base base;
	struct ut_thread scheduler[SCHEDULERS];
	struct ut_thread worker[SCHEDULERS][WORKERS];
	__u64 end;
} victim;

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Anything, or what could be in some field of some context */
static uint64_t value_of(uint64_t *seed);

static __thread sigjmp_buf jumped_from;

static void jump_back(int sig)
{
	siglongjmp(jumped_from, 1);
}

/* Call @address with @regs: rax rcx rdx rsi rdi r8 r9 r10 and flags */
static void call_with(uintptr_t address, const uint64_t *regs)
{
	if (!sigsetjmp(jumped_from, 0)) {
		asm volatile("movq	%%rdi, %%r11\n\t"
			"movq	%%rsi, %%rbx\n\t"
			"pushq	64(%%rbx)\n\t"
			"popfq\n\t"
			"movq	(%%rbx), %%rax\n\t"
			"movq	8(%%rbx), %%rcx\n\t"
			"movq	16(%%rbx), %%rdx\n\t"
			"movq	24(%%rbx), %%rsi\n\t"
			"movq	32(%%rbx), %%rdi\n\t"
			"movq	40(%%rbx), %%r8\n\t"
			"movq	48(%%rbx), %%r9\n\t"
			"movq	56(%%rbx), %%r10\n\t"
			"call	*%%r11\n\t"
			: "+D" (address), "+S" (regs)
			: : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10",
			    "r11", "r12", "r13", "r14", "r15", "memory", "cc");
		siglongjmp(jumped_from, 1);
	}
}

/* Not between instructions: QEMU does not get over some that would be there */
static bool is_load_or_store(const uint8_t *insn)
{
	return (insn[0] == 0x48 || insn[0] == 0x4c) &&
	       (insn[1] == 0x89 || insn[1] == 0x8b || insn[1] == 0x3b);
}

/* To anywhere in the functions, with pointers to slots or anything else */
static void jump_in(uint64_t *seed)
{
	const uintptr_t functions[] = {
		(uintptr_t)uu.execute,
		(uintptr_t)uu.yield,
		(uintptr_t)uu.switch_to,
	};
	uint64_t regs[9];
	uintptr_t target;
	unsigned int i;

	do {
		target = functions[next_random(seed) % ARRAY_SIZE(functions)] +
			 next_random(seed) % FUNCTION_SIZE;
	} while (!is_load_or_store((void *)target));
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		regs[i] = value_of(seed);
		if ((i == 3 || i == 4 || i == 7) && next_random(seed) % 8)
			regs[i] = (uintptr_t)&victim.base.slots[1 +
						next_random(seed) % CONTEXTS];
	}
	/* Zero, as if the target were claimed, carry or none */
	regs[8] = 0x202 | (next_random(seed) & 0x41);
	call_with(target, regs);
}

static void works(struct ut_thread *self)
{
	uint64_t seed = self->tid * 7919ULL + victim.seed;
	struct ut_thread *other;
	long page = sysconf(_SC_PAGESIZE);
	char *area;

	area = mmap(NULL, page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (;;) {
		other = &victim.worker[next_random(&seed) % SCHEDULERS]
				      [next_random(&seed) % WORKERS];
		if (victim.kinds & 1U << JUMP && !(next_random(&seed) % 64))
			jump_in(&seed);
		switch (next_random(&seed) % 6) {
		case 0:
			uu_resolve();
			break;
		case 1:
			if (other->ctx != UT_NONE && other->base)
				uu.switch_to(uu_slot(self), uu_slot(other));
			break;
		case 2:
			madvise(area, page, MADV_DONTNEED);
			break;
		case 3:
			UT_STORE(*area, 1);
			break;
		default:
			uu_yield(self, 1);
		}
	}
}

static void schedules(struct ut_thread *self)
{
	unsigned int nr = self - victim.scheduler;
	uint64_t seed = self->tid * 7919ULL + victim.seed;
	struct ut_thread *worker = victim.worker[nr];
	struct ums_event event;
	unsigned int i;
	long ret;

	for (i = 0; i < WORKERS; i++)
		if (ut_spawn_worker(&victim.base, &worker[i], works, NULL))
			_exit(1);
	for (;;) {
		worker = &victim.worker[next_random(&seed) % SCHEDULERS]
				       [next_random(&seed) % WORKERS];
		if (worker->ctx == UT_NONE || !worker->base)
			continue;
		if (victim.kinds & 1U << JUMP && !(next_random(&seed) % 64))
			jump_in(&seed);
		ret = uu.execute(uu_slot(self), uu_slot(worker));
		if (ret < 0 || !(next_random(&seed) % 8))
			ut_dequeue(victim.base.list, &event, 1, 0);
	}
}

static uint64_t value_of(uint64_t *seed)
{
	static const uint64_t states[] = {
		UMS_STATE_FREE, UMS_STATE_CREATED, UMS_STATE_READY,
		UMS_STATE_RUNNING, UMS_STATE_BLOCKED, UMS_STATE_LOCKED,
		UMS_STATE_TERMINATED, UMS_STATE_READY | UMS_STATE_USER,
	};
	struct ums_context *slot;
	uint64_t random = next_random(seed);

	slot = &victim.base.slots[1 + next_random(seed) % CONTEXTS];
	switch (random % 10) {
	case 0:
		return next_random(seed);
	case 1:
		return random >> 32;
	case 2:
		return states[random / 16 % ARRAY_SIZE(states)];
	case 3:
		return slot->regs.rsp;
	case 4:
		return slot->regs.fsbase;
	case 5:
		return 1ULL << 47 | random;
	case 6:
		return slot->vp_ids;
	case 7:
		return (uint64_t)slot->ids << 32 | UMS_STATE_RUNNING;
	default:
		return next_random(seed) % (CONTEXTS + 2);
	}
}

static void overwrite(enum kind kind, uint64_t *seed)
{
	struct ums_context *slot;
	uint64_t value = value_of(seed);

	slot = &victim.base.slots[1 + next_random(seed) % CONTEXTS];
	switch (kind) {
	case RUNNING:
		UT_STORE(slot->running, value);
		break;
	case VP:
		UT_STORE(slot->vp, value);
		break;
	case STATE:
		UT_STORE(slot->state, value);
		break;
	case VP_IDS:
		UT_STORE(slot->vp_ids, value);
		break;
	case IDS:
		UT_STORE(slot->ids, value);
		break;
	case ID:
		UT_STORE(slot->id, value);
		break;
	case YIELDER:
		UT_STORE(slot->yielder, value);
		UT_STORE(slot->switched, value);
		break;
	case RSP:
		UT_STORE(slot->regs.rsp, value);
		break;
	case FSBASE:
		UT_STORE(slot->regs.fsbase, value);
		break;
	case GSBASE:
		UT_STORE(slot->regs.gsbase, value);
		break;
	case MXCSR:
		UT_STORE(slot->regs.mxcsr, value);
		UT_STORE(slot->regs.fcw, value);
		break;
	case PKRU:
		UT_STORE(slot->regs.pkru, value);
		break;
	case PRESERVED:
		UT_STORE((&slot->regs.rbx)[value % 6], next_random(seed));
		break;
	case RING:
		if (next_random(seed) % 2)
			UT_STORE(victim.base.ring->ctx[value %
				 victim.base.list_info.entries],
				 value_of(seed));
		else
			UT_STORE((&victim.base.ring->head)[value % 32],
				 value_of(seed));
		break;
	case JUMP:
	case KINDS:
		break;
	}
}

static void pause_attack(void)
{
	if (victim.seed % 2)
		sched_yield();
	else
		ut_nap();
}

/* The plain thread that does it */
static void attack(void)
{
	uint64_t seed = victim.seed * 0x9e3779b97f4a7c15ULL + 1;
	unsigned int i;
	int kind;

	while (ut_now_ns() < victim.end) {
		for (i = 0; i < 100; i++) {
			kind = next_random(&seed) % KINDS;
			if (victim.kinds & 1U << kind)
				overwrite(kind, &seed);
			/* They shall get somewhere in between, now more now less */
			if (!(next_random(&seed) % 16))
				pause_attack();
		}
	}
}

/*
 * A thread with a stack that is not its own may run anything that there is, with
 * any arguments. So it shall not reach anybody: neither by signals, nor by rights.
 */
static void isolate(void)
{
	setsid();
	if (!geteuid() && (setresgid(NOBODY, NOBODY, NOBODY) ||
			   setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(1);
}

static void victim_process(unsigned int kinds, unsigned int seed)
{
	unsigned int i;

	isolate();

	victim.kinds = kinds;
	victim.seed = seed;
	if (kinds & 1U << JUMP) {
		/* Survives what he can */
		signal(SIGSEGV, jump_back);
		signal(SIGILL, jump_back);
		signal(SIGTRAP, jump_back);
	}
	victim.end = ut_now_ns() + PROCESS_MS * UT_NSEC_PER_MSEC;
	if (!uu_init() ||
	    ut_base_open_flags(&victim.base, CONTEXTS, UMS_ORPHAN_RELEASE, 0))
		_exit(1);
	for (i = 0; i < SCHEDULERS; i++)
		if (ut_spawn(&victim.base, &victim.scheduler[i],
			     UMS_ROLE_SCHEDULER, schedules, NULL))
			_exit(1);
	/* Some are killed by the test, in the middle of it */
	if (seed % 4 == 3)
		victim.end = UINT64_MAX;
	attack();
	_exit(0);
}

/* Nor by memory: the harness shares some with all that it forks */
static void become_victim(unsigned int kinds, unsigned int seed)
{
	char kinds_text[16], seed_text[16];

	snprintf(kinds_text, sizeof(kinds_text), "%u", kinds);
	snprintf(seed_text, sizeof(seed_text), "%u", seed);
	execl("/proc/self/exe", "user_hostile_test", "--victim", kinds_text,
	      seed_text, NULL);
	_exit(1);
}

FIXTURE(hostile)
{
	struct ut_base base;
	struct ut_thread worker;
	long switches;
};

/* Of the test's own process, which nobody attacks */
static void counts(struct ut_thread *self)
{
	while (!UT_LOAD(*(int *)self->arg)) {
		self->ret++;
		if (!(self->ret % 100) && uu_resolve() != self->tid)
			self->ret = -1;
		uu_yield(self, self->ret);
	}
}

static int stop;

FIXTURE_SETUP(hostile)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, ut_base_open_flags(&self->base, CONTEXTS,
					UMS_ORPHAN_RELEASE, 0));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker, counts,
				     &stop));
	ASSERT_LE(0, uu_start(&self->base, &self->worker));
	self->switches = 1;
}

FIXTURE_TEARDOWN(hostile)
{
	if (!self->switches)
		return;
	UT_STORE(stop, 1);
	EXPECT_EQ(self->switches, self->worker.ret);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(&self->base, &self->worker));
	ut_join(&self->worker);
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
	EXPECT_TRUE(uu_fresh_group_works());
}

/* The child's wait status; the caller's own group switches meanwhile */
static int wait_for(FIXTURE_DATA(hostile) * self, pid_t pid, unsigned int ms)
{
	__u64 end = ut_now_ns() + ms * UT_NSEC_PER_MSEC;
	int status;

	while (ut_now_ns() < end) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (uu_run(&self->base, &self->worker) < 0)
			return -EPROTO;
		self->switches++;
	}
	return -ETIMEDOUT;
}

FIXTURE_VARIANT(hostile)
{
	unsigned int kinds;
};

FIXTURE_VARIANT_ADD(hostile, nothing) { };
FIXTURE_VARIANT_ADD(hostile, running) { .kinds = 1U << RUNNING };
FIXTURE_VARIANT_ADD(hostile, vp) { .kinds = 1U << VP };
FIXTURE_VARIANT_ADD(hostile, state) { .kinds = 1U << STATE };
FIXTURE_VARIANT_ADD(hostile, vp_ids) { .kinds = 1U << VP_IDS };
FIXTURE_VARIANT_ADD(hostile, ids) { .kinds = 1U << IDS };
FIXTURE_VARIANT_ADD(hostile, id) { .kinds = 1U << ID };
FIXTURE_VARIANT_ADD(hostile, yielder) { .kinds = 1U << YIELDER };
FIXTURE_VARIANT_ADD(hostile, rsp) { .kinds = 1U << RSP };
FIXTURE_VARIANT_ADD(hostile, fsbase) { .kinds = 1U << FSBASE };
FIXTURE_VARIANT_ADD(hostile, gsbase) { .kinds = 1U << GSBASE };
FIXTURE_VARIANT_ADD(hostile, mxcsr) { .kinds = 1U << MXCSR };
FIXTURE_VARIANT_ADD(hostile, pkru) { .kinds = 1U << PKRU };
FIXTURE_VARIANT_ADD(hostile, preserved) { .kinds = 1U << PRESERVED };
FIXTURE_VARIANT_ADD(hostile, ring) { .kinds = 1U << RING };
FIXTURE_VARIANT_ADD(hostile, jumps) { .kinds = 1U << JUMP };
FIXTURE_VARIANT_ADD(hostile, who_runs_where) {
	.kinds = 1U << RUNNING | 1U << STATE | 1U << VP_IDS | 1U << IDS,
};

FIXTURE_VARIANT_ADD(hostile, all_memory) { .kinds = ALL_KINDS & ~(1U << JUMP) };
FIXTURE_VARIANT_ADD(hostile, all) { .kinds = ALL_KINDS };

TEST_F(hostile, harms_nobody_but_itself)
{
	__u64 end = ut_now_ns() + ut_run_ms(ATTACK_MS) * UT_NSEC_PER_MSEC;
	unsigned int seed, bad = 0;
	int status;
	pid_t pid;

	for (seed = 1; ut_now_ns() < end; seed++) {
		pid = fork();
		if (!pid)
			become_victim(variant->kinds, seed);
		ASSERT_LT(0, pid);
		status = wait_for(self, pid, 3 * PROCESS_MS);
		if (status == -ETIMEDOUT) {
			/* It was to be killed, or hangs, which is its right */
			kill(pid, SIGKILL);
			status = wait_for(self, pid, UT_LIMIT_MS);
		}
		ASSERT_LE(0, status);
		bad += status != 0 && WTERMSIG(status) != SIGKILL;
	}
	TH_LOG("%u processes, %u of them died of it", seed - 1, bad);
	if (!variant->kinds)
		EXPECT_EQ(0, bad);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--victim"))
		victim_process(strtoul(argv[2], NULL, 10),
			       strtoul(argv[3], NULL, 10));
	return test_harness_run(argc, argv);
}
