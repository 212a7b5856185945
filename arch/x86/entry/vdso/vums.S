/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: the switch in user mode.
 *
 *   long __vdso_ums_execute(struct ums_context *sched, struct ums_context *worker);
 *   long __vdso_ums_yield(struct ums_context *worker, u64 param);
 *   long __vdso_ums_switch(struct ums_context *from, struct ums_context *to);
 *
 * Each claims its target, saves the registers of its caller, loads those of the
 * target, says who runs, and publishes the caller: from then on it may be run
 * elsewhere. If the target cannot be claimed they make the system call.
 *
 * The kernel may look at any instruction of this (arch/x86/kernel/ums.c), and
 * never lets user code go on from the middle of a switch:
 *
 *   begin .. claimed	nothing has happened, but what was read of the virtual
 *			processor may not be true when the thread goes on: the
 *			kernel has it go on at "slow"
 *   claimed .. load	registers are all the caller's: the kernel saves them
 *   load .. done	they are saved: the kernel only finishes
 *   cold .. cold end	as load
 *
 * At "claimed" itself, a jump, the switch has begun if ZF is set. From there on, r8d
 * is the index of the target and r9d that of the caller; in a yield r10 is the
 * parameter. Callee-saved registers and rsp are not changed before "load", and
 * the address to return to stays on the stack.
 *
 * In between, the unwind information is about the one whose stack it is. That
 * is never seen by signal handlers or debuggers, since the kernel finishes
 * first.
 *
 * A slot is the user's to scribble on. That harms him alone: the kernel believes
 * nothing of it.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/ums.h>
#include <asm/unistd_64.h>

.code64
.section .text, "ax"

/* Claim \target if it is what \sched, of this virtual processor, can run */
.macro UMS_CLAIM sched:req target:req
	movq	UMS_SLOT_VP_IDS(\sched), %rax
	leaq	(UMS_WORD_RUNNING - UMS_WORD_USER_HELD)(%rax), %rcx
	lock cmpxchgq %rcx, UMS_SLOT_STATE(\target)
.endm

/* Leaves gsbase in r11, and pkru in eax where there are protection keys */
.macro UMS_SAVE name:req
	movq	%rsp, UMS_SLOT_RSP(%rdi)
	movq	%rbx, UMS_SLOT_RBX(%rdi)
	movq	%rbp, UMS_SLOT_RBP(%rdi)
	movq	%r12, UMS_SLOT_R12(%rdi)
	movq	%r13, UMS_SLOT_R13(%rdi)
	movq	%r14, UMS_SLOT_R14(%rdi)
	movq	%r15, UMS_SLOT_R15(%rdi)
	stmxcsr	UMS_SLOT_MXCSR(%rdi)
	fnstcw	UMS_SLOT_FCW(%rdi)
	rdfsbase %rax
	movq	%rax, UMS_SLOT_FSBASE(%rdi)
	rdgsbase %r11
	movq	%r11, UMS_SLOT_GSBASE(%rdi)
	ALTERNATIVE "jmp .L\name\()_saved", "", X86_FEATURE_OSPKE
	xorl	%ecx, %ecx
	.byte	0x0f, 0x01, 0xee	/* rdpkru */
	movl	%eax, UMS_SLOT_PKRU(%rdi)
.L\name\()_saved:
	incl	UMS_SLOT_SWITCHED(%rdi)
.endm

/*
 * The control words of FPU and SSE are one word of the slot. They were stored as
 * two, and to load them as one at once would have to wait for both stores.
 */
.macro UMS_LOAD name:req
	ALTERNATIVE "jmp .L\name\()_pkru_done", "", X86_FEATURE_OSPKE
	cmpl	UMS_SLOT_PKRU(%rsi), %eax
	jne	.L\name\()_pkru
.L\name\()_pkru_done:
	cmpq	UMS_SLOT_GSBASE(%rsi), %r11
	jne	.L\name\()_gsbase
.L\name\()_gsbase_done:
	movq	UMS_SLOT_RBX(%rsi), %rbx
	movq	UMS_SLOT_RBP(%rsi), %rbp
	movq	UMS_SLOT_R12(%rsi), %r12
	movq	UMS_SLOT_R13(%rsi), %r13
	movq	UMS_SLOT_R14(%rsi), %r14
	movq	UMS_SLOT_R15(%rsi), %r15
	movq	UMS_SLOT_FSBASE(%rsi), %rax
	wrfsbase %rax
	movq	UMS_SLOT_MXCSR(%rsi), %rax
	cmpq	UMS_SLOT_MXCSR(%rdi), %rax
	jne	.L\name\()_control
.L\name\()_control_done:
	movq	UMS_SLOT_RSP(%rsi), %rsp
.endm

/*
 * A RET would be predicted to go back to where the other side was called from. The
 * state is restored as a whole: libgcc takes ".cfi_restore rip" for that of the
 * caller, and goes round for ever, and not for that of the function's start.
 */
.macro UMS_RETURN
	.cfi_remember_state
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmpq	*%rcx
	.cfi_restore_state
.endm

/* What a switch seldom has to load */
.macro UMS_COLD name:req
.L\name\()_cold:
.L\name\()_pkru:
	movl	UMS_SLOT_PKRU(%rsi), %eax
	xorl	%edx, %edx
	.byte	0x0f, 0x01, 0xef	/* wrpkru */
	jmp	.L\name\()_pkru_done
.L\name\()_gsbase:
	movq	UMS_SLOT_GSBASE(%rsi), %rax
	wrgsbase %rax
	jmp	.L\name\()_gsbase_done
.L\name\()_control:
	ldmxcsr	UMS_SLOT_MXCSR(%rsi)
	fldcw	UMS_SLOT_FCW(%rsi)
	jmp	.L\name\()_control_done
.L\name\()_cold_end:
.endm

/* ums_execute(-1, id of rsi, NULL, UMS_EXECUTE_SAVE) */
.macro UMS_EXECUTE
	movq	UMS_SLOT_ID(%rsi), %rsi
	movl	$-1, %edi
	xorl	%edx, %edx
	movl	$1, %r10d
	movl	$__NR_ums_execute, %eax
	syscall
	ret
.endm

	.balign	64
SYM_FUNC_START(__vdso_ums_execute)
	.cfi_startproc
	movl	UMS_SLOT_ID(%rsi), %r8d
	movl	UMS_SLOT_ID(%rdi), %r9d
.Lexecute_begin:
	UMS_CLAIM %rdi, %rsi
.Lexecute_claimed:
	jne	.Lexecute_slow
	movl	%r9d, UMS_SLOT_VP(%rsi)
	UMS_SAVE execute
.Lexecute_load:
	UMS_LOAD execute
	movl	%r8d, UMS_SLOT_RUNNING(%rdi)
	movl	$UMS_WORD_USER_HELD, UMS_SLOT_STATE(%rdi)
.Lexecute_done:
	xorl	%eax, %eax
	UMS_RETURN
	UMS_COLD execute
.Lexecute_slow:
	UMS_EXECUTE
	.cfi_endproc
SYM_FUNC_END(__vdso_ums_execute)

	.balign	64
SYM_FUNC_START(__vdso_ums_yield)
	.cfi_startproc
	movq	%rsi, %r10
.Lyield_begin:
	movl	UMS_SLOT_VP(%rdi), %r8d
	movl	UMS_SLOT_ID(%rdi), %r9d
	movq	%r8, %rsi
	subq	%r9, %rsi
	shlq	$UMS_SLOT_SHIFT, %rsi
	addq	%rdi, %rsi
	UMS_CLAIM %rsi, %rsi
.Lyield_claimed:
	jne	.Lyield_slow
	movq	%r10, UMS_SLOT_PARAM(%rsi)
	movl	%r9d, UMS_SLOT_YIELDER(%rsi)
	UMS_SAVE yield
.Lyield_load:
	UMS_LOAD yield
	movl	%r8d, UMS_SLOT_RUNNING(%rsi)
	movl	$UMS_WORD_USER_HELD, UMS_SLOT_STATE(%rdi)
.Lyield_done:
	movl	$UMS_WORD_YIELDED, %eax
	UMS_RETURN
	UMS_COLD yield
.Lyield_slow:
	/* ums_ctl(UMS_CTL_YIELD, -1, { r10, UMS_YIELD_SAVE }, 16) */
	movq	%r10, -16(%rsp)
	movq	$1, -8(%rsp)
	movl	$7, %edi
	movl	$-1, %esi
	leaq	-16(%rsp), %rdx
	movl	$16, %r10d
	movl	$__NR_ums_ctl, %eax
	syscall
.Lreturn:
	ret
	.cfi_endproc
SYM_FUNC_END(__vdso_ums_yield)

	.balign	64
SYM_FUNC_START(__vdso_ums_switch)
	.cfi_startproc
	movl	UMS_SLOT_ID(%rsi), %r8d
	movl	UMS_SLOT_ID(%rdi), %r9d
.Lswitch_begin:
	movl	UMS_SLOT_VP(%rdi), %edx
	movq	%rdx, %r10
	subq	%r9, %r10
	shlq	$UMS_SLOT_SHIFT, %r10
	addq	%rdi, %r10
	UMS_CLAIM %r10, %rsi
.Lswitch_claimed:
	jne	.Lswitch_slow
	movl	%edx, UMS_SLOT_VP(%rsi)
	UMS_SAVE switch
.Lswitch_load:
	UMS_LOAD switch
	movl	%r8d, UMS_SLOT_RUNNING(%r10)
	movl	$UMS_WORD_USER_HELD, UMS_SLOT_STATE(%rdi)
.Lswitch_done:
	xorl	%eax, %eax
	UMS_RETURN
	UMS_COLD switch
.Lswitch_slow:
	UMS_EXECUTE
	.cfi_endproc
SYM_FUNC_END(__vdso_ums_switch)

/*
 * For the kernel: where a loaded thread returns, then the ranges, in the order
 * of struct ums_range of arch/x86/kernel/ums.c. Relative to each word itself.
 */
.macro UMS_RANGE name:req
	.long	.L\name\()_begin - .
	.long	.L\name\()_claimed - .
	.long	.L\name\()_load - .
	.long	.L\name\()_done - .
	.long	.L\name\()_cold - .
	.long	.L\name\()_cold_end - .
	.long	.L\name\()_slow - .
.endm

.section .rodata, "a"
	.balign	4
__vdso_ums_table:
	.long	.Lreturn - .
	UMS_RANGE execute
	UMS_RANGE yield
	UMS_RANGE switch
	.size	__vdso_ums_table, . - __vdso_ums_table
	.type	__vdso_ums_table, @object
