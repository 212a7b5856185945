// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmark of the user part: other ways to change sides, see native_bench.c.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "native.h"

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

void peer_fiber(struct result *result)
{
	/* Six registers are popped before the return */
	other_rsp = native_stack_init(answer_fiber) - 6;
	native_measure(result, run_fiber, 2, NULL);
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

void peer_ucontext(struct result *result)
{
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = native_stack;
	other_context.uc_stack.ss_size = sizeof(native_stack);
	makecontext(&other_context, answer_context, 0);
	native_measure(result, run_context, 2, NULL);
}

static void run_wrfsbase(unsigned int count, void *arg)
{
	__u64 fsbase;

	asm volatile("rdfsbase %0" : "=r" (fsbase));
	while (count--)
		asm volatile("wrfsbase %0" : : "r" (fsbase));
}

void peer_wrfsbase(struct result *result)
{
	native_measure(result, run_wrfsbase, 1, NULL);
}

/* @word is 0, and 1 at the end */
static void with_thread(struct result *result, void *(*answer)(void *word),
			run_fn run)
{
	pthread_t thread;
	__u32 word = 0;

	if (pthread_create(&thread, NULL, answer, &word)) {
		result->failed = true;
		return;
	}
	native_measure(result, run, 2, &word);
	UT_STORE(word, 1);
	pthread_join(thread, NULL);
}

static void futex(__u32 *word, int op, __u32 value)
{
	syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* Wait for our turn, 0 or 1, and give it to the other one */
static void take_turns(__u32 *word, __u32 mine, unsigned int count)
{
	while (count--) {
		while (UT_LOAD(*word) != mine)
			futex(word, FUTEX_WAIT_PRIVATE, !mine);
		UT_STORE(*word, !mine);
		futex(word, FUTEX_WAKE_PRIVATE, 1);
	}
}

static void *answer_futex(void *word)
{
	take_turns(word, 1, TOTAL);
	return NULL;
}

static void run_futex(unsigned int count, void *word)
{
	take_turns(word, 0, count);
}

void peer_futex(struct result *result)
{
	with_thread(result, answer_futex, run_futex);
}

static void *answer_yield(void *stop)
{
	while (!UT_LOAD(*(__u32 *)stop))
		sched_yield();
	return NULL;
}

static void run_yield(unsigned int count, void *arg)
{
	while (count--)
		sched_yield();
}

void peer_yield(struct result *result)
{
	with_thread(result, answer_yield, run_yield);
}
