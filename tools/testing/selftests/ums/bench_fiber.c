// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: changing sides inside of one thread, and the instruction that
 * UMS needs for it and fibers do not.
 */
#include <ucontext.h>

#include "bench.h"

static _Alignas(64) __u64 fiber_stack[8192];

__u64 *fiber_stack_init(void (*entry)(void))
{
	__u64 *top = fiber_stack + ARRAY_SIZE(fiber_stack) - 2;

	*top = (uintptr_t)entry;
	return top;
}

/* Save callee-saved registers and the stack to @save_rsp, and take the others */
void fiber_switch(void **save_rsp, void *load_rsp);

/* The least there can be: callee-saved registers, and the stack */
asm(".text\n"
	".balign 64\n"
	".globl fiber_switch\n"
	".type fiber_switch, @function\n"
	"fiber_switch:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, (%rdi)\n"
	"mov %rsi, %rsp\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n"
	".size fiber_switch, . - fiber_switch\n");

static void *own_rsp, *other_rsp;

static void answer_fiber(void)
{
	for (;;)
		fiber_switch(&other_rsp, own_rsp);
}

static void run_fiber(unsigned int count, void *arg)
{
	while (count--)
		fiber_switch(&own_rsp, other_rsp);
}

void fiber_bare(struct result *result)
{
	/* Six registers are popped before the return */
	other_rsp = fiber_stack_init(answer_fiber) - 6;
	measure(result, run_fiber, 2, NULL);
}

static ucontext_t own_context, other_context;

static void answer_context(void)
{
	for (;;)
		swapcontext(&other_context, &own_context);
}

static void run_context(unsigned int count, void *arg)
{
	while (count--)
		swapcontext(&own_context, &other_context);
}

void fiber_ucontext(struct result *result)
{
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = fiber_stack;
	other_context.uc_stack.ss_size = sizeof(fiber_stack);
	makecontext(&other_context, answer_context, 0);
	measure(result, run_context, 2, NULL);
}

static void run_wrfsbase(unsigned int count, void *arg)
{
	__u64 fsbase;

	asm volatile("rdfsbase %0" : "=r" (fsbase));
	while (count--)
		asm volatile("wrfsbase %0" : : "r" (fsbase));
}

void fiber_wrfsbase(struct result *result)
{
	measure(result, run_wrfsbase, 1, NULL);
}
