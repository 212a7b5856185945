// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling on x86: registers, and where in the vDSO they are whose.
 *
 * The user state of a thread is in one of three places: in its own kernel thread
 * (pt_regs, bases, PKRU, xstate), in its slot (what a function call preserves),
 * or in a struct ums_arch_state on its way from the kernel thread that ran it
 * to its own. kernel/ums/ knows which, and calls us to move it.
 *
 * What comes out of a slot is the user's, and is made such that the kernel can
 * return to user mode with it. No more is needed: he could have loaded any of
 * it himself.
 */
#include <linux/entry-common.h>
#include <linux/init.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/ums.h>
#include <uapi/linux/ums.h>

#include <asm/debugreg.h>
#include <asm/fpu/api.h>
#include <asm/fpu/sched.h>
#include <asm/fpu/signal.h>
#include <asm/fsgsbase.h>
#include <asm/gsseg.h>
#include <asm/pkru.h>
#include <asm/special_insns.h>
#include <asm/traps.h>
#include <asm/ums.h>
#include <asm/unistd.h>
#include <asm/vdso.h>

#include "fpu/context.h"
#include "fpu/legacy.h"

#define UMS_ASSERT_OFFSET(name, member)					\
	static_assert(UMS_SLOT_##name == offsetof(struct ums_context, member))

UMS_ASSERT_OFFSET(STATE, state);
UMS_ASSERT_OFFSET(STATE + sizeof(u32), ids);
UMS_ASSERT_OFFSET(ID, id);
UMS_ASSERT_OFFSET(VP, vp);
UMS_ASSERT_OFFSET(RUNNING, running);
UMS_ASSERT_OFFSET(VP_IDS, vp_ids);
UMS_ASSERT_OFFSET(PARAM, param);
UMS_ASSERT_OFFSET(YIELDER, yielder);
UMS_ASSERT_OFFSET(RBX, regs.rbx);
UMS_ASSERT_OFFSET(RBP, regs.rbp);
UMS_ASSERT_OFFSET(R12, regs.r12);
UMS_ASSERT_OFFSET(R13, regs.r13);
UMS_ASSERT_OFFSET(R14, regs.r14);
UMS_ASSERT_OFFSET(R15, regs.r15);
UMS_ASSERT_OFFSET(RSP, regs.rsp);
UMS_ASSERT_OFFSET(FSBASE, regs.fsbase);
UMS_ASSERT_OFFSET(GSBASE, regs.gsbase);
UMS_ASSERT_OFFSET(MXCSR, regs.mxcsr);
UMS_ASSERT_OFFSET(FCW, regs.fcw);
UMS_ASSERT_OFFSET(PKRU, regs.pkru);
UMS_ASSERT_OFFSET(SWITCHED, switched);
static_assert(sizeof(struct ums_context) == 1 << UMS_SLOT_SHIFT);
static_assert(UMS_WORD_RUNNING == UMS_STATE_RUNNING);
static_assert(UMS_WORD_USER_HELD == (UMS_STATE_READY | UMS_STATE_USER));
static_assert(UMS_WORD_YIELDED == (UMS_REASON_YIELDED | UMS_RETURN_USER));
static_assert(UMS_EXECUTE_SAVE == 1 && UMS_YIELD_SAVE == 1);
static_assert(UMS_CTL_YIELD == 7 && sizeof(struct ums_yield) == 16);

/**
 * struct ums_range - A function of the vDSO, offsets from the vDSO's start
 *
 * @begin: First instruction that reads something of the virtual processor.
 * @claimed: First instruction after the target was claimed, if ZF is set.
 * @load: First instruction that needs the caller's registers no more.
 * @done: First instruction of the target.
 * @cold: Out of line parts of @load.
 * @cold_end: Their end.
 * @slow: The system call that does the same.
 */
struct ums_range {
	u32	begin;
	u32	claimed;
	u32	load;
	u32	done;
	u32	cold;
	u32	cold_end;
	u32	slow;
};

enum { UMS_EXECUTE, UMS_YIELD, UMS_SWITCH, UMS_NR_RANGES };

static struct ums_range ums_ranges[UMS_NR_RANGES] __ro_after_init;
static u32 ums_return __ro_after_init;

/* Each word of the table is relative to itself. */
static u32 __init ums_table_next(u32 *at)
{
	u32 offset = *at + *(const s32 *)(vdso_image_64.data + *at);

	*at += sizeof(s32);
	return offset;
}

static int __init ums_arch_init(void)
{
	u32 at = vdso_image_64.sym___vdso_ums_table;
	unsigned int i;

	ums_return = ums_table_next(&at);
	for (i = 0; i < UMS_NR_RANGES; i++) {
		ums_ranges[i].begin = ums_table_next(&at);
		ums_ranges[i].claimed = ums_table_next(&at);
		ums_ranges[i].load = ums_table_next(&at);
		ums_ranges[i].done = ums_table_next(&at);
		ums_ranges[i].cold = ums_table_next(&at);
		ums_ranges[i].cold_end = ums_table_next(&at);
		ums_ranges[i].slow = ums_table_next(&at);
	}
	return 0;
}
core_initcall(ums_arch_init);

/**
 * ums_arch_user_switch - Can current switch in user mode?
 *
 * Not without the vDSO of 64-bit programs, nor without instructions for the
 * bases. Nor as long as it is bound, but that is looked at when it gets a VP.
 *
 * Return: whether it can.
 */
bool ums_arch_user_switch(void)
{
	return boot_cpu_has(X86_FEATURE_FSGSBASE) &&
	       boot_cpu_has(X86_FEATURE_XSAVE) &&
	       current->mm->context.vdso &&
	       current->mm->context.vdso_image == &vdso_image_64;
}

/**
 * ums_arch_has_breakpoints - Has a tracer set hardware breakpoints of current?
 *
 * A new thread has a copy of its maker's DR7, and none of the breakpoints.
 *
 * Return: whether it has.
 */
bool ums_arch_has_breakpoints(void)
{
	struct perf_event *const *bps = current->thread.ptrace_bps;

	return memchr_inv(bps, 0, sizeof(current->thread.ptrace_bps));
}

/**
 * ums_arch_show_return - Show debuggers where a context that is loaded goes on
 * @slot: Of the context.
 */
void ums_arch_show_return(struct ums_context *slot)
{
	WRITE_ONCE(slot->regs.rip,
		   (unsigned long)current->mm->context.vdso + ums_return);
}

/**
 * ums_arch_state_alloc - Allocate what a state needs
 * @state: The state.
 *
 * Return: 0 or -ENOMEM.
 */
int ums_arch_state_alloc(struct ums_arch_state *state)
{
	const struct fpstate *own = &current->thread.fpu.__fpstate;
	size_t size = offsetof(struct fpstate, regs) + own->size;

	/* A power of two is aligned to itself: xstate needs 64. */
	state->fpstate = kzalloc(roundup_pow_of_two(size), GFP_KERNEL_ACCOUNT);
	if (!state->fpstate)
		return -ENOMEM;

	state->fpstate->size = own->size;
	state->fpstate->user_size = own->user_size;
	state->fpstate->xfeatures = own->xfeatures;
	state->fpstate->user_xfeatures = own->user_xfeatures;
	state->fpstate->xfd = own->xfd;
	return 0;
}

/**
 * ums_arch_state_free - Undo ums_arch_state_alloc()
 * @state: The state.
 */
void ums_arch_state_free(struct ums_arch_state *state)
{
	kfree(state->fpstate);
}

/**
 * ums_arch_capture - Take over the user state that current runs for another
 * @state: Where to.
 * @regs: User registers of current.
 *
 * Interrupts are off. current's own user state is in its slot or elsewhere, so
 * its xstate is not worth saving again.
 *
 * Return: false if there is more xstate than fits, see ums_arch_can_carry().
 */
bool ums_arch_capture(struct ums_arch_state *state, const struct pt_regs *regs)
{
	struct fpu *fpu = &current->thread.fpu;
	struct fpstate *own = fpu->fpstate;

	lockdep_assert_irqs_disabled();

	if (own->size > state->fpstate->size)
		return false;

	state->regs = *regs;
	state->regs.orig_ax = -1;
	/* TF is current's if a debugger has set it. */
	if (test_thread_flag(TIF_FORCED_TF))
		state->regs.flags &= ~X86_EFLAGS_TF;
	savesegment(ds, state->ds);
	savesegment(es, state->es);
	savesegment(fs, state->fs);
	savesegment(gs, state->gs);
	state->fsbase = rdfsbase();
	state->gsbase = x86_gsbase_read_cpu_inactive();
	state->pkru = read_pkru();

	if (!test_thread_flag(TIF_NEED_FPU_LOAD)) {
		fpu->fpstate = state->fpstate;
		save_fpregs_to_fpstate(fpu);
		fpu->fpstate = own;
		set_thread_flag(TIF_NEED_FPU_LOAD);
	} else {
		memcpy(&state->fpstate->regs, &own->regs, own->size);
	}
	__fpu_invalidate_fpregs_state(fpu);
	return true;
}

/*
 * The bases are to be written after this. A selector that is not valid any more
 * becomes 0, as it does in a switch of threads.
 */
static void ums_load_selectors(const struct ums_arch_state *state)
{
	u16 ds, es, fs, gs;

	lockdep_assert_irqs_disabled();

	savesegment(ds, ds);
	savesegment(es, es);
	savesegment(fs, fs);
	savesegment(gs, gs);
	if (unlikely(ds != state->ds))
		loadsegment(ds, state->ds);
	if (unlikely(es != state->es))
		loadsegment(es, state->es);
	if (unlikely(fs != state->fs))
		loadsegment(fs, state->fs);
	if (unlikely(gs != state->gs))
		load_gs_index(state->gs);
}

/**
 * ums_arch_restore - current takes over its user state
 * @state: Where from.
 * @regs: User registers of current.
 */
void ums_arch_restore(struct ums_arch_state *state, struct pt_regs *regs)
{
	struct fpu *fpu = &current->thread.fpu;

	*regs = state->regs;
	local_irq_disable();
	ums_load_selectors(state);
	wrfsbase(state->fsbase);
	x86_gsbase_write_cpu_inactive(state->gsbase);
	restore_fpregs_from_fpstate(state->fpstate, XFEATURE_MASK_FPSTATE);
	fpregs_activate(fpu);
	fpu->last_cpu = smp_processor_id();
	clear_thread_flag(TIF_NEED_FPU_LOAD);
	local_irq_enable();
	write_pkru(state->pkru);

	if (state->debug) {
		state->debug = false;
		current->thread.virtual_dr6 = state->dr6 & DR_STEP;
		send_sigtrap(regs, 0, state->dr6 & DR_STEP ? TRAP_TRACE :
							     TRAP_BRKPT);
	}
}

/**
 * ums_arch_debug - Code that is not current's got a debug exception
 * @state: Where the user state will be captured.
 * @dr6: Reasons of the debug exception.
 *
 * Return: whether it is not for a debugger of current, who steps it or has set a
 * breakpoint; then the thread that restores the state gets the SIGTRAP.
 */
bool ums_arch_debug(struct ums_arch_state *state, unsigned long dr6)
{
	if ((dr6 & ~DR_STEP) || test_thread_flag(TIF_SINGLESTEP))
		return false;

	state->debug = true;
	state->dr6 = dr6;
	return true;
}

/**
 * ums_arch_forget - There will be no capture after all
 * @state: See ums_arch_debug().
 */
void ums_arch_forget(struct ums_arch_state *state)
{
	state->debug = false;
}

/* What is in its init state may not have been written. */
static void ums_read_saved_control(u32 *mxcsr, u16 *fcw)
{
	const struct xregs_state *xsave = &current->thread.fpu.fpstate->regs.xsave;
	u64 in_use = xsave->header.xfeatures;

	*fcw = in_use & XFEATURE_MASK_FP ? xsave->i387.cwd : 0x37f;
	if (cpu_feature_enabled(X86_FEATURE_XCOMPACTED) &&
	    !(in_use & XFEATURE_MASK_SSE))
		*mxcsr = MXCSR_DEFAULT;
	else
		*mxcsr = xsave->i387.mxcsr;
}

/* FPU and SSE control words of current, wherever they are. */
static void ums_read_control(u32 *mxcsr, u16 *fcw)
{
	unsigned long flags;

	/* As fpregs_lock(), and cheaper. */
	local_irq_save(flags);
	if (test_thread_flag(TIF_NEED_FPU_LOAD)) {
		ums_read_saved_control(mxcsr, fcw);
	} else {
		asm volatile("stmxcsr %0" : "=m" (*mxcsr));
		asm volatile("fnstcw %0" : "=m" (*fcw));
	}
	local_irq_restore(flags);
}

/**
 * ums_arch_save - Do what the vDSO does to save its caller's registers
 * @slot: Of the caller.
 * @regs: Its registers: at a system call of the vDSO, or in %UMS_STAGE_SAVE.
 */
void ums_arch_save(struct ums_context *slot, const struct pt_regs *regs)
{
	struct ums_regs *to = &slot->regs;
	u32 mxcsr;
	u16 fcw;

	ums_read_control(&mxcsr, &fcw);
	WRITE_ONCE(to->rbx, regs->bx);
	WRITE_ONCE(to->rbp, regs->bp);
	WRITE_ONCE(to->r12, regs->r12);
	WRITE_ONCE(to->r13, regs->r13);
	WRITE_ONCE(to->r14, regs->r14);
	WRITE_ONCE(to->r15, regs->r15);
	WRITE_ONCE(to->rsp, regs->sp);
	WRITE_ONCE(to->fsbase, rdfsbase());
	WRITE_ONCE(to->gsbase, x86_gsbase_read_cpu_inactive());
	WRITE_ONCE(to->mxcsr, mxcsr);
	WRITE_ONCE(to->fcw, fcw);
	WRITE_ONCE(to->pkru, read_pkru());
}

/*
 * Everything else of the xstate is lost in a function call. What is in its init
 * state need not be there in memory.
 */
static void ums_load_control(u32 mxcsr, u16 fcw)
{
	struct fpu *fpu = &current->thread.fpu;
	struct xregs_state *xsave;
	struct fxregs_state *fx;

	fpregs_lock();
	if (!test_thread_flag(TIF_NEED_FPU_LOAD))
		save_fpregs_to_fpstate(fpu);
	xsave = &fpu->fpstate->regs.xsave;
	fx = &xsave->i387;
	if ((xsave->header.xfeatures & XFEATURE_MASK_FPSSE) !=
	    XFEATURE_MASK_FPSSE || fx->mxcsr != mxcsr || fx->cwd != fcw) {
		set_thread_flag(TIF_NEED_FPU_LOAD);
		memset(fx, 0, sizeof(*fx));
		fx->mxcsr = mxcsr;
		fx->cwd = fcw;
		xsave->header.xfeatures |= XFEATURE_MASK_FPSSE;
		__fpu_invalidate_fpregs_state(fpu);
	}
	fpregs_unlock();
}

/**
 * ums_arch_load - Load current's registers from its slot
 * @slot: The slot. Not trusted.
 * @regs: User registers of current.
 * @ret: What the function of the vDSO returns.
 *
 * Return: false if the slot has bases that no thread can have; then all else is
 * as if it had others.
 */
bool ums_arch_load(struct ums_context *slot, struct pt_regs *regs, long ret)
{
	const struct ums_regs *from = &slot->regs;
	unsigned long fsbase = READ_ONCE(from->fsbase);
	unsigned long gsbase = READ_ONCE(from->gsbase);
	bool valid = fsbase < TASK_SIZE_MAX && gsbase < TASK_SIZE_MAX;

	memset(regs, 0, offsetof(struct pt_regs, orig_ax));
	regs->bx = READ_ONCE(from->rbx);
	regs->bp = READ_ONCE(from->rbp);
	regs->r12 = READ_ONCE(from->r12);
	regs->r13 = READ_ONCE(from->r13);
	regs->r14 = READ_ONCE(from->r14);
	regs->r15 = READ_ONCE(from->r15);
	regs->ax = ret;
	regs->orig_ax = -1;
	regs->ip = (unsigned long)current->mm->context.vdso + ums_return;
	regs->sp = READ_ONCE(from->rsp);
	regs->cs = __USER_CS;
	regs->ss = __USER_DS;
	regs->flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;

	if (valid) {
		local_irq_disable();
		wrfsbase(fsbase);
		x86_gsbase_write_cpu_inactive(gsbase);
		local_irq_enable();
	}
	ums_load_control(READ_ONCE(from->mxcsr) & mxcsr_feature_mask,
			 READ_ONCE(from->fcw));
	write_pkru(READ_ONCE(from->pkru));
	return valid;
}

/**
 * ums_arch_stage - Was user code interrupted half-way through a switch?
 * @regs: Its registers.
 * @sw: Set to what they say about the switch, if there is one.
 *
 * Return: where.
 */
enum ums_stage ums_arch_stage(const struct pt_regs *regs,
			      struct ums_switch_regs *sw)
{
	unsigned long offset = regs->ip -
			       (unsigned long)current->mm->context.vdso;
	enum ums_stage stage;
	unsigned int i;

	if (likely(!ums_arch_in_vdso(regs)))
		return UMS_STAGE_NONE;

	for (i = 0; i < UMS_NR_RANGES; i++) {
		const struct ums_range *range = &ums_ranges[i];

		if (offset < range->claimed || offset >= range->cold_end)
			continue;
		/* Behind the jump's first byte if a debugger's INT3 replaces that */
		if (offset <= range->claimed + 1 &&
		    !(regs->flags & X86_EFLAGS_ZF))
			break;
		if (offset >= range->done && offset < range->cold)
			break;
		stage = offset < range->load ? UMS_STAGE_SAVE : UMS_STAGE_LOAD;
		sw->leaves = regs->r9;
		sw->target = regs->r8;
		sw->yield = i == UMS_YIELD;
		sw->param = regs->r10;
		return stage;
	}
	return UMS_STAGE_NONE;
}

/**
 * ums_arch_distrust - User code was interrupted: do not trust what it has read
 * @regs: Its registers; it is in the vDSO.
 *
 * If it is about to claim a context for its virtual processor, it may be on
 * another one when it goes on, or its carrier on another cpu. Have it make the
 * system call instead. Starting anew would never end under a single step.
 */
void ums_arch_distrust(struct pt_regs *regs)
{
	unsigned long offset = regs->ip -
			       (unsigned long)current->mm->context.vdso;
	unsigned int i;

	for (i = 0; i < UMS_NR_RANGES; i++) {
		const struct ums_range *range = &ums_ranges[i];

		if (offset >= range->begin && offset < range->claimed)
			regs->ip += range->slow - offset;
	}
}

/**
 * ums_arch_wants_save - Is this ums_execute() with %UMS_EXECUTE_SAVE?
 * @regs: Registers of the caller.
 * @nr: Number of the system call.
 *
 * Return: whether it is, made by the vDSO.
 */
bool ums_arch_wants_save(const struct pt_regs *regs, long nr)
{
	return nr == __NR_ums_execute && regs->r10 == UMS_EXECUTE_SAVE &&
	       !in_ia32_syscall() && ums_arch_in_vdso(regs);
}

/**
 * ums_arch_rewind_syscall - Have a system call made again
 * @regs: Registers at its entry, by SYSCALL or int 0x80: two bytes both.
 */
void ums_arch_rewind_syscall(struct pt_regs *regs)
{
	regs->ip -= 2;
	regs->ax = regs->orig_ax;
	regs->orig_ax = -1;
}

#define UMS_INTO_OPCODE		0xce

/**
 * ums_arch_rewind_int - Have a trap executed again
 * @regs: Registers after it. INT3 and INTO are one byte long, "int $3" and
 *	"int $4" two.
 */
void ums_arch_rewind_int(struct pt_regs *regs)
{
	u8 byte;

	if (copy_from_user_nofault(&byte, (void __user *)regs->ip - 1, 1) ||
	    byte == INT3_INSN_OPCODE || byte == UMS_INTO_OPCODE)
		regs->ip -= 1;
	else
		regs->ip -= 2;
}
