/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling selftests: load every register, do one thing, store
 * every register. See regs.h.
 *
 * The only memory that the loaded state is kept apart from is the stack: the
 * address of the output image and the caller's own state lie there, so a
 * thread that comes back on another stack, or with another rsp, cannot pass.
 */
#define __ASSEMBLY__
#include "regs.h"

	.text

/* Save what the ABI makes us preserve, then load the image at rdi. */
.macro regs_enter
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	pushq	%rsi

	movq	REGS_XSAVE(%rdi), %rcx
	movl	REGS_RFBM(%rdi), %eax
	movl	REGS_RFBM + 4(%rdi), %edx
	xrstor64 (%rcx)

	pushq	REGS_FLAGS(%rdi)
	popfq
	movq	REGS_RAX(%rdi), %rax
	movq	REGS_RBX(%rdi), %rbx
	movq	REGS_RCX(%rdi), %rcx
	movq	REGS_RDX(%rdi), %rdx
	movq	REGS_RSI(%rdi), %rsi
	movq	REGS_RBP(%rdi), %rbp
	movq	REGS_R8(%rdi), %r8
	movq	REGS_R9(%rdi), %r9
	movq	REGS_R10(%rdi), %r10
	movq	REGS_R11(%rdi), %r11
	movq	REGS_R12(%rdi), %r12
	movq	REGS_R13(%rdi), %r13
	movq	REGS_R14(%rdi), %r14
	movq	REGS_R15(%rdi), %r15
	movq	REGS_RDI(%rdi), %rdi
.endm

/* Store everything to the image whose address is on the stack, and return. */
.macro regs_leave
	pushfq
	pushq	%rdi
	movq	16(%rsp), %rdi
	movq	%rax, REGS_RAX(%rdi)
	movq	%rbx, REGS_RBX(%rdi)
	movq	%rcx, REGS_RCX(%rdi)
	movq	%rdx, REGS_RDX(%rdi)
	movq	%rsi, REGS_RSI(%rdi)
	movq	%rbp, REGS_RBP(%rdi)
	movq	%r8, REGS_R8(%rdi)
	movq	%r9, REGS_R9(%rdi)
	movq	%r10, REGS_R10(%rdi)
	movq	%r11, REGS_R11(%rdi)
	movq	%r12, REGS_R12(%rdi)
	movq	%r13, REGS_R13(%rdi)
	movq	%r14, REGS_R14(%rdi)
	movq	%r15, REGS_R15(%rdi)
	popq	REGS_RDI(%rdi)
	popq	REGS_FLAGS(%rdi)
	cld

	movq	REGS_XSAVE(%rdi), %rcx
	movl	REGS_RFBM(%rdi), %eax
	movl	REGS_RFBM + 4(%rdi), %edx
	xsave64	(%rcx)

	addq	$8, %rsp
	fninit
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
.endm

	.globl	regs_syscall
	.type	regs_syscall, @function
regs_syscall:
	regs_enter
	syscall
	regs_leave
	.size	regs_syscall, . - regs_syscall

	.globl	regs_int80
	.type	regs_int80, @function
regs_int80:
	regs_enter
	int	$0x80
	regs_leave
	.size	regs_int80, . - regs_int80

	.globl	regs_call
	.type	regs_call, @function
regs_call:
	regs_enter
	call	*%rax
	regs_leave
	.size	regs_call, . - regs_call

	.globl	regs_store
	.type	regs_store, @function
regs_store:
	regs_enter
	movb	%cl, (%rdi)
	regs_leave
	.size	regs_store, . - regs_store

	.globl	regs_spin
	.type	regs_spin, @function
regs_spin:
	regs_enter
	movb	$1, (%rdi)
1:	pause
	cmpb	$0, (%rsi)
	je	1b
	regs_leave
	.size	regs_spin, . - regs_spin

	.globl	regs_clobber
	.type	regs_clobber, @function
regs_clobber:
	regs_enter
	addq	$8, %rsp
	cld
	fninit
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	regs_clobber, . - regs_clobber

	.section .note.GNU-stack, "", @progbits
