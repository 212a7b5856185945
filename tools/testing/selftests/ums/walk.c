// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers: see walk.h.
 */
#include <asm/prctl.h>
#include <assert.h>
#include <cpuid.h>
#include <signal.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "user.h"
#include "walk.h"

/* More than any of the functions has */
#define FUNCTION_SIZE	512
#define IDS		7

#define X(offset, member) \
	static_assert((offset) == offsetof(struct ums_regs, member), #member)
X(WALK_RBX, rbx);
X(WALK_RBP, rbp);
X(WALK_R12, r12);
X(WALK_R13, r13);
X(WALK_R14, r14);
X(WALK_R15, r15);
X(WALK_RSP, rsp);
#undef X

/* By index: the scheduler, and its workers */
static alignas(256) struct ums_context slots[3];

static struct walk *seen;
static uintptr_t begin;

static _Unwind_Reason_Code is_caller(struct _Unwind_Context *context, void *found)
{
	if (_Unwind_GetRegionStart(context) != (uintptr_t)walk_call)
		return _URC_NO_REASON;
	*(bool *)found = true;
	return _URC_END_OF_STACK;
}

static void look(int sig, siginfo_t *info, void *context)
{
	uintptr_t ip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	bool found = false;

	if (ip - begin >= FUNCTION_SIZE || seen->nr == WALK_MAX)
		return;
	seen->ip[seen->nr++] = ip;
	_Unwind_Backtrace(is_caller, &found);
	seen->lost += !found;
}

uintptr_t walk_begin(enum walk_function function)
{
	switch (function) {
	case WALK_EXECUTE:
		return (uintptr_t)uu.execute;
	case WALK_YIELD:
		return (uintptr_t)uu.yield;
	default:
		return (uintptr_t)uu.switch_to;
	}
}

uintptr_t walk_claimed(enum walk_function function)
{
	static const uint8_t cmpxchg[] = { 0xf0, 0x48, 0x0f, 0xb1 };
	uintptr_t code = walk_begin(function);
	unsigned int i;

	for (i = 0; i < FUNCTION_SIZE; i++)
		if (!memcmp((void *)(code + i), cmpxchg, sizeof(cmpxchg)))
			return code + i + sizeof(cmpxchg) + 1;
	return 0;
}

/* Those of the caller that the vDSO changes; on a cold path others */
static int set_control(struct ums_regs *regs, enum walk_path path)
{
	unsigned int eax, ebx, ecx, edx;
	bool keys;

	if (syscall(SYS_arch_prctl, ARCH_GET_FS, &regs->fsbase) ||
	    syscall(SYS_arch_prctl, ARCH_GET_GS, &regs->gsbase))
		return -1;
	asm volatile("stmxcsr %0" : "=m" (regs->mxcsr));
	asm volatile("fnstcw %0" : "=m" (regs->fcw));
	keys = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
	       ecx & bit_OSPKE;
	if (keys)
		asm volatile(".byte 0x0f, 0x01, 0xee"
			     : "=a" (regs->pkru) : "c" (0) : "edx");
	if (path != WALK_COLD)
		return 0;
	/* Another way to round, and a base that nobody uses */
	regs->mxcsr ^= 0x2000;
	regs->gsbase = 4096;
	/* A key that nobody has */
	if (keys)
		regs->pkru ^= 1U << 31;
	return 0;
}

static int take(enum walk_function function, enum walk_path path)
{
	struct sigaction action = {
		.sa_sigaction = look,
		.sa_flags = SA_SIGINFO,
	};
	unsigned int from = function == WALK_EXECUTE ? 0 : 1;
	unsigned int to = function == WALK_SWITCH ? 2 : 1 - from;
	unsigned int i;

	if (sigaction(SIGTRAP, &action, NULL))
		return 1;
	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		slots[i].id = i;
		slots[i].ids = IDS;
		slots[i].state = UMS_STATE_RUNNING;
	}
	slots[0].vp_ids = (__u64)IDS << 32 | UMS_STATE_READY | UMS_STATE_USER;
	if (path != WALK_SLOW)
		slots[to].state = UMS_STATE_READY | UMS_STATE_USER;
	if (set_control(&slots[to].regs, path))
		return 1;
	seen->ret = walk_call((void *)begin, &slots[from],
			      function == WALK_YIELD ? 0 : (uintptr_t)&slots[to],
			      &slots[to].regs);
	return 0;
}

bool walk(struct walk *walk, enum walk_function function, enum walk_path path)
{
	bool ok;
	pid_t pid;

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED)
		return false;
	begin = walk_begin(function);
	pid = fork();
	if (!pid)
		_exit(take(function, path));
	ok = pid > 0 && !ut_wait_child(pid, UT_LIMIT_MS);
	*walk = *seen;
	munmap(seen, sizeof(*seen));
	return ok;
}
