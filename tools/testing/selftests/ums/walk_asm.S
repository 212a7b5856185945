/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: see walk.h.
 */
#define __ASSEMBLY__
#include "walk.h"

#define EFLAGS_TF	0x100

	.text
	.globl	walk_call
	.type	walk_call, @function
walk_call:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	movq	%rsp, %rbp
	.cfi_def_cfa_register rbp
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rbx, WALK_RBX(%rcx)
	movq	%rbp, WALK_RBP(%rcx)
	movq	%r12, WALK_R12(%rcx)
	movq	%r13, WALK_R13(%rcx)
	movq	%r14, WALK_R14(%rcx)
	movq	%r15, WALK_R15(%rcx)
	/* Where the address is that the call leaves */
	leaq	-8(%rsp), %rdx
	movq	%rdx, WALK_RSP(%rcx)
	pushfq
	orq	$EFLAGS_TF, (%rsp)
	popfq
	call	*%rax
	pushfq
	andq	$~EFLAGS_TF, (%rsp)
	popfq
	popq	%rbp
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
	.cfi_endproc
	.size	walk_call, . - walk_call

	.section .note.GNU-stack, "", @progbits
