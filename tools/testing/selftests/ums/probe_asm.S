/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: see probe.h.
 */
	.text
	.globl	probed
	.type	probed, @function
probed:
	movl	$42, %eax
	addl	$1, %eax
	ret
	.size	probed, . - probed

	.globl	increment
	.type	increment, @function
increment:
	incq	(%rdi)
	ret
	.size	increment, . - increment

	.section .note.GNU-stack, "", @progbits
