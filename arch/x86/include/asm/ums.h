/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: what only x86 knows. Registers, bases, FPU, and the
 * functions in the vDSO that switch in user mode.
 */
#ifndef _ASM_X86_UMS_H
#define _ASM_X86_UMS_H

/*
 * For the vDSO: offsets in struct ums_context, and values of its state word.
 * arch/x86/kernel/ums.c checks them.
 */
#define UMS_SLOT_SHIFT		8
#define UMS_SLOT_STATE		0
#define UMS_SLOT_ID		8
#define UMS_SLOT_VP		16
#define UMS_SLOT_RUNNING	20
#define UMS_SLOT_VP_IDS		32
#define UMS_SLOT_PARAM		48
#define UMS_SLOT_YIELDER	56
#define UMS_SLOT_RBX		64
#define UMS_SLOT_RBP		72
#define UMS_SLOT_R12		80
#define UMS_SLOT_R13		88
#define UMS_SLOT_R14		96
#define UMS_SLOT_R15		104
#define UMS_SLOT_RSP		112
#define UMS_SLOT_FSBASE		128
#define UMS_SLOT_GSBASE		136
#define UMS_SLOT_MXCSR		144
#define UMS_SLOT_FCW		148
#define UMS_SLOT_PKRU		152
#define UMS_SLOT_SWITCHED	160

#define UMS_WORD_RUNNING	0x003
#define UMS_WORD_USER_HELD	0x102
#define UMS_WORD_YIELDED	0x103

#ifndef __ASSEMBLER__

#include <linux/mm_types.h>
#include <linux/sched.h>
#include <asm/ptrace.h>
#include <asm/shstk.h>
#include <asm/vdso.h>

struct fpstate;
struct ums_context;

/**
 * struct ums_arch_state - User state of a thread, on its way from the kernel
 *			   thread that ran it to its own
 *
 * @regs: General registers.
 * @fsbase: Bases.
 * @gsbase: See @fsbase.
 * @ds: Selectors; cs and ss are in @regs.
 * @es: See @ds.
 * @fs: See @ds.
 * @gs: See @ds.
 * @pkru: Protection keys.
 * @debug: The thread has a SIGTRAP to get: it was stepped by its own TF, or
 *	executed a trap of that kind.
 * @dr6: What the debug exception said.
 * @fpstate: Everything else.
 */
struct ums_arch_state {
	struct pt_regs	regs;
	unsigned long	fsbase;
	unsigned long	gsbase;
	u16		ds;
	u16		es;
	u16		fs;
	u16		gs;
	u32		pkru;
	bool		debug;
	unsigned long	dr6;
	struct fpstate	*fpstate;
};

/**
 * enum ums_stage - Where in a user switch user code was interrupted
 *
 * @UMS_STAGE_NONE: Not in one.
 * @UMS_STAGE_SAVE: The target is claimed, the registers are all those of the
 *	one that leaves.
 * @UMS_STAGE_LOAD: The registers of the one that leaves are all saved.
 */
enum ums_stage {
	UMS_STAGE_NONE,
	UMS_STAGE_SAVE,
	UMS_STAGE_LOAD,
};

/**
 * struct ums_switch_regs - What the vDSO keeps in registers during a switch
 *
 * @leaves: Index of the context that leaves.
 * @target: Index of the one that comes.
 * @yield: @target is the scheduler, and @param is for it.
 * @param: See @yield.
 *
 * From user space, all of it.
 */
struct ums_switch_regs {
	u32	leaves;
	u32	target;
	bool	yield;
	u64	param;
};

/* Of a thread: what the cpu may not do for it, and which ports it may use */
#define UMS_TIF_BOUND	(_TIF_NOTSC | _TIF_NOCPUID | _TIF_SSBD |	\
			 _TIF_SPEC_IB | _TIF_SPEC_L1D_FLUSH | _TIF_IO_BITMAP)

/* Of DR7: local and global, for each breakpoint */
#define UMS_DR7_ENABLED	0xff

bool ums_arch_has_breakpoints(void);

/* Segments that a thread has for itself: set_thread_area() */
static inline bool ums_arch_has_segments(const struct desc_struct *array)
{
	static_assert(GDT_ENTRY_TLS_ENTRIES == 3);

	return *(const u64 *)&array[0] | *(const u64 *)&array[1] |
	       *(const u64 *)&array[2];
}

/**
 * ums_arch_bound - Must current's code run under its own kernel thread?
 *
 * So it is with hardware breakpoints, a shadow stack, segments of its own, and
 * whatever else the cpu does for a thread as the kernel tells it when that is
 * switched to.
 *
 * Return: whether it must, and no other thread's code may.
 */
static inline bool ums_arch_bound(void)
{
	const struct thread_struct *thread = &current->thread;

	return unlikely(read_thread_flags() & UMS_TIF_BOUND) ||
	       (unlikely(thread->ptrace_dr7 & UMS_DR7_ENABLED) &&
		ums_arch_has_breakpoints()) ||
	       unlikely(ums_arch_has_segments(thread->tls_array)) ||
	       shstk_is_enabled();
}

/**
 * ums_arch_can_carry - Can current be the carrier of other threads' code?
 *
 * Not if it uses parts of the FPU that a thread has to ask for (AMX): others
 * would use them without asking, and there is no buffer for that.
 *
 * Return: whether it can.
 */
static inline bool ums_arch_can_carry(void)
{
	const struct fpu *fpu = &current->thread.fpu;

	return fpu->fpstate->size <= fpu->__fpstate.size && !ums_arch_bound();
}

/**
 * ums_arch_in_vdso - Does user code run in the vDSO?
 * @regs: Its registers.
 *
 * Return: whether it does, as far as it is one that switches. At a system call
 * of that, rsp points to where its function returns.
 */
static inline bool ums_arch_in_vdso(const struct pt_regs *regs)
{
	const mm_context_t *context = &current->mm->context;

	return regs->ip - (unsigned long)context->vdso < vdso_image_64.size &&
	       context->vdso_image == &vdso_image_64;
}

bool ums_arch_user_switch(void);
void ums_arch_show_return(struct ums_context *slot);
int ums_arch_state_alloc(struct ums_arch_state *state);
void ums_arch_state_free(struct ums_arch_state *state);
bool ums_arch_capture(struct ums_arch_state *state, const struct pt_regs *regs);
void ums_arch_restore(struct ums_arch_state *state, struct pt_regs *regs);
void ums_arch_forget(struct ums_arch_state *state);
bool ums_arch_debug(struct ums_arch_state *state, unsigned long dr6);
void ums_arch_save(struct ums_context *slot, const struct pt_regs *regs);
bool ums_arch_load(struct ums_context *slot, struct pt_regs *regs, long ret);
enum ums_stage ums_arch_stage(const struct pt_regs *regs,
			      struct ums_switch_regs *sw);
void ums_arch_distrust(struct pt_regs *regs);
bool ums_arch_wants_save(const struct pt_regs *regs, long nr);
void ums_arch_rewind_syscall(struct pt_regs *regs);
void ums_arch_rewind_int(struct pt_regs *regs);

#endif /* __ASSEMBLER__ */

#endif /* _ASM_X86_UMS_H */
