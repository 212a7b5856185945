/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling selftests: functions that have an exception each, see
 * trap.h. What they change besides, they restore where they go on.
 */

#define EFLAGS_TF	0x100
#define EFLAGS_AC	0x40000

	.section .rodata
	.balign	4
mxcsr_default:
	.long	0x1f80
/* Division by zero is not masked */
mxcsr_unmasked:
	.long	0x1d80
fcw_unmasked:
	.word	0x37b

.macro TRAP_START name:req
	.text
	.type	trap_\name, @function
trap_\name:
.endm

.macro TRAP_END name:req
	ret
	.size	trap_\name, . - trap_\name
	.section .data.rel.ro, "aw"
	.globl	code_\name
	.type	code_\name, @object
	.balign	8
code_\name:
	.quad	trap_\name
	.quad	trap_\name\()_after
	.size	code_\name, . - code_\name
.endm

/* The instruction was not executed, or it was: the handler goes on here */
.macro TRAP_AFTER name:req
trap_\name\()_after:
.endm

.macro SET_FLAG flag:req
	pushfq
	orq	$\flag, (%rsp)
	popfq
.endm

TRAP_START privileged
	hlt
TRAP_AFTER privileged
TRAP_END privileged

TRAP_START not_canonical
	movq	$1, %rax
	rorq	$1, %rax
	movb	(%rax), %al
TRAP_AFTER not_canonical
TRAP_END not_canonical

TRAP_START stack_segment
	pushq	%rbp
	movq	$1, %rbp
	rorq	$1, %rbp
	movb	(%rbp), %al
TRAP_AFTER stack_segment
	popq	%rbp
TRAP_END stack_segment

TRAP_START no_interrupt
	int	$0x81
TRAP_AFTER no_interrupt
TRAP_END no_interrupt

TRAP_START undefined
	ud2
TRAP_AFTER undefined
TRAP_END undefined

TRAP_START divide
	xorl	%edx, %edx
	xorl	%ecx, %ecx
	movl	$1, %eax
	divl	%ecx
TRAP_AFTER divide
TRAP_END divide

TRAP_START alignment
	SET_FLAG EFLAGS_AC
	movl	-9(%rsp), %eax
TRAP_AFTER alignment
TRAP_END alignment

TRAP_START page_fault
	movb	$1, 5(%rdi)
TRAP_AFTER page_fault
TRAP_END page_fault

TRAP_START page_fault_call
	call	*%rdi
TRAP_AFTER page_fault_call
TRAP_END page_fault_call

TRAP_START x87
	fninit
	fldcw	fcw_unmasked(%rip)
	fld1
	fldz
	fdivrp
	fwait
TRAP_AFTER x87
	fninit
TRAP_END x87

TRAP_START simd
	ldmxcsr	mxcsr_unmasked(%rip)
	movl	$1, %eax
	cvtsi2ss %eax, %xmm0
	xorps	%xmm1, %xmm1
	divss	%xmm1, %xmm0
TRAP_AFTER simd
	ldmxcsr	mxcsr_default(%rip)
TRAP_END simd

TRAP_START breakpoint
	int3
TRAP_AFTER breakpoint
TRAP_END breakpoint

TRAP_START breakpoint_long
	.byte	0xcd, 0x03	/* int $3, in two bytes */
TRAP_AFTER breakpoint_long
TRAP_END breakpoint_long

TRAP_START overflow
	int	$4
TRAP_AFTER overflow
TRAP_END overflow

TRAP_START icebp
	.byte	0xf1
TRAP_AFTER icebp
TRAP_END icebp

TRAP_START step
	SET_FLAG EFLAGS_TF
	nop
TRAP_AFTER step
TRAP_END step

	.section .note.GNU-stack, "", @progbits
