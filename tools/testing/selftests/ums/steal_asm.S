/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: a long critical section of rseq.
 */

#define RSEQ_SIG	0x53053053
/* In struct rseq */
#define CPU_ID		4
#define RSEQ_CS		8

	.section .data
	.balign	32
.Lsection:
	.long	0, 0				/* version, flags */
	.quad	.Lbegin, .Lend - .Lbegin, .Labort

	.text
/* int add_slowly(intptr_t *value, int cpu, ptrdiff_t rseq_offset) */
	.globl	add_slowly
	.type	add_slowly, @function
add_slowly:
	leaq	.Lsection(%rip), %rax
	movq	%rax, %fs:RSEQ_CS(%rdx)
.Lbegin:
	cmpl	%esi, %fs:CPU_ID(%rdx)
	jne	.Lmoved
	movq	(%rdi), %rcx
	movl	$1000, %eax
.Lwait:
	decl	%eax
	jnz	.Lwait
	incq	%rcx
	movq	%rcx, (%rdi)
.Lend:
	xorl	%eax, %eax
	ret
	/* What the kernel wants to see before where it goes: UD1 */
	.byte	0x0f, 0xb9, 0x3d
	.long	RSEQ_SIG
.Labort:
.Lmoved:
	movl	$-1, %eax
	ret
	.size	add_slowly, . - add_slowly

	.section .note.GNU-stack, "", @progbits
