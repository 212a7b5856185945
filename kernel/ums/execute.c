// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: ums_execute() and the yield of a worker.
 *
 * Both only decide who gets the VP. The caller has given it away by the time
 * the system call returns, and parks on its way to user mode; what the call
 * returns to user space is known when it gets a VP again.
 *
 * A worker that has lost its VP on the way here does it at the border, when it
 * has a new one. Restarting the system call instead would never get anywhere
 * under a tracer, which makes it sleep at each entry.
 *
 * The vDSO makes these calls where it cannot switch in user mode. It asks that
 * the caller's registers be saved in its slot (%UMS_EXECUTE_SAVE,
 * %UMS_YIELD_SAVE), so that the way back can be a user switch. The caller of
 * ums_execute() need not be current then: what counts is whose registers these
 * are, and current, the carrier, is the one that gives the VP away. That saves
 * the resolve. No other system call is made like that, and nobody looks on
 * (__ums_syscall_enter()).
 */
#include <linux/entry-common.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include <trace/events/ums.h>

#include "ums.h"

/* Claims @ctx from user code; it is not in the kernel. Its lock is held. */
static int ums_claim(struct ums_ctx *ctx)
{
	u32 word = UMS_STATE_USER_HELD;

	if (try_cmpxchg_acquire(&ctx->slot->state, &word, UMS_STATE_RUNNING))
		return 0;
	return word == UMS_STATE_RUNNING ? -EBUSY : -EAGAIN;
}

/* Can @ctx be given a VP? Its lock is held. If so, it is claimed. */
static int ums_executable(struct ums_ctx *ctx)
{
	lockdep_assert_held(&ctx->lock);

	if (ctx->role == UMS_ROLE_SCHEDULER)
		return -EINVAL;

	switch (ctx->state) {
	case UMS_STATE_READY:
		/*
		 * Frozen where it sleeps, in a system call that is not finished.
		 * Without pi_lock: it may be frozen just after this, as any
		 * other carrier.
		 */
		if (unlikely(READ_ONCE(ctx->ut->task->__state) & TASK_FROZEN))
			return -EAGAIN;
		return ctx->ut->released ? -ESRCH : 0;
	case UMS_STATE_USER_HELD:
		return ctx->ut->released ? -ESRCH : ums_claim(ctx);
	case UMS_STATE_RUNNING:
		return ums_user_left(ctx->ut) ? ums_claim(ctx) : -EBUSY;
	case UMS_STATE_BLOCKED:
		return -EINPROGRESS;
	case UMS_STATE_LOCKED:
		return -EAGAIN;
	case UMS_STATE_CREATED:
		return -ENXIO;
	default:
		return -ESRCH;
	}
}

/**
 * struct ums_switch - A switch by system call
 *
 * @self: current; has a VP.
 * @caller: Context whose registers made the call: that of @self, or one that
 *	user code went on with on its VP.
 * @next: Context that shall run.
 * @save: @caller's registers, if they are to be in its slot; or NULL.
 */
struct ums_switch {
	struct ums_task		*self;
	struct ums_ctx		*caller;
	struct ums_ctx		*next;
	const struct pt_regs	*save;
};

/* What becomes of current, which gives its VP away. Its lock is held. */
static void ums_switch_leave(const struct ums_switch *sw)
{
	struct ums_task *self = sw->self;
	struct ums_ctx *ctx = self->ctx;
	bool other_vp;

	lockdep_assert_held(&ctx->lock);

	if (sw->save) {
		self->kept = sw->caller == ctx;
		self->kept_left = ums_times_left(ctx);
		ums_publish(sw->caller);
	}
	other_vp = ums_vp_leave(self, sw->save ? UMS_HELD_USER : UMS_HELD_KERNEL);
	if (ums_is_scheduler(self)) {
		self->executing = !sw->save;
		return;
	}
	if (sw->caller == ctx)
		ums_ctx_count(&ctx->count.yielded, &ctx->slot->yielded);
	if (!other_vp)
		ums_ctx_move(ctx, sw->save ? UMS_STATE_USER_HELD :
				   UMS_STATE_READY);
}

/*
 * Passes the VP of current on, and returns the task to wake. Both contexts'
 * locks are held, and the next one is claimed.
 */
static struct task_struct *ums_switch_pass(const struct ums_switch *sw)
{
	struct ums_task *self = sw->self;
	struct ums_ctx *next = sw->next;
	struct ums_vp *vp = self->vp;

	next->unread = false;
	ums_ctx_count(&next->count.executed, &next->slot->executed);
	vp->captured = false;
	vp->ret = 0;
	WRITE_ONCE(next->slot->vp, vp->index);
	WRITE_ONCE(vp->slot->running, ums_ctx_index(next));

	if (next == self->ctx) {
		/* User code had left current, and current was its carrier. */
		ums_publish(sw->caller);
		self->held = UMS_HELD_USER;
		self->kept = false;
		set_thread_flag(TIF_UMS);
		return NULL;
	}
	ums_switch_leave(sw);
	ums_ctx_move(next, UMS_STATE_RUNNING);
	return ums_vp_give(vp, next);
}

/* The caller asked the vDSO for a switch: why was it not one in user mode? */
static void ums_count_slow(const struct ums_switch *sw, u32 state, int err)
{
	struct ums_count *count = &sw->caller->count;

	lockdep_assert_held(&sw->caller->lock);

	if (err)
		count->slow_busy++;
	else if (state == UMS_STATE_READY)
		count->slow_kernel++;
	else
		count->slow_ids++;
}

/* With preemption off */
static int ums_do_switch(const struct ums_switch *sw, struct task_struct **wake)
{
	struct ums_ctx *next = sw->next, *own = sw->self->ctx;
	u32 state;
	int err;

	ums_lock_two(next, own);
	state = next->state;
	err = ums_executable(next);
	if (!err)
		*wake = ums_switch_pass(sw);
	if (sw->save && sw->caller == own)
		ums_count_slow(sw, state, err);
	ums_unlock_two(next, own);

	if (sw->save && sw->caller != own) {
		raw_spin_lock_irq(&sw->caller->lock);
		ums_count_slow(sw, state, err);
		raw_spin_unlock_irq(&sw->caller->lock);
	}
	return err;
}

/* Whose registers are those of current, which has a VP? */
static struct ums_ctx *ums_caller(struct ums_task *self)
{
	u32 running = READ_ONCE(*self->gate.running);

	if (running == self->gate.index)
		return self->ctx;
	return ums_ctx_by_index(ums_group_of(self), running);
}

/**
 * ums_switch_to - current hands its VP on
 * @self: current; has a VP.
 * @id: Context of the worker to run.
 * @save: Registers of the caller, if they shall be saved in its slot; or NULL,
 *	then the caller is current.
 *
 * Return: 0, and current has no VP any more, or other registers to load; or
 * the errors of sys_ums_execute() that are about @id.
 */
int ums_switch_to(struct ums_task *self, u64 id, const struct pt_regs *save)
{
	struct ums_switch sw = { .self = self, .save = save };
	struct task_struct *wake = NULL;
	int err = -ESRCH;

	/* Keeps what is found, and @wake. */
	preempt_disable();
	sw.caller = save ? ums_caller(self) : self->ctx;
	sw.next = ums_ctx_find(ums_group_of(self), id);
	if (!sw.caller || !sw.next)
		goto out;
	err = -EINVAL;
	if (sw.next == sw.caller)
		goto out;
	if (save)
		ums_save_regs(sw.caller, save);

	err = ums_do_switch(&sw, &wake);
	if (wake)
		ums_hand_off(wake);
out:
	preempt_enable();
	return err;
}

/*
 * Shall the registers of current's system call be saved? Not where somebody
 * follows it step by step: it must not sleep any more before it parks. Nor if it is
 * to run under its own kernel thread only.
 */
static const struct pt_regs *ums_wants_save(struct ums_task *ut)
{
	const struct pt_regs *regs = current_pt_regs();

	if (!ut->user_switch || !ums_arch_in_vdso(regs))
		return NULL;
	/* Too late to undo the call if somebody began to just now. */
	if (((READ_ONCE(current_thread_info()->syscall_work) &
	      SYSCALL_WORK_EXIT) || ums_arch_bound()) && !ums_mismatched())
		return NULL;
	return regs;
}

/*
 * The event is delivered when the VP comes back, and then it is too late for
 * -EFAULT to mean that nothing happened. An event spans two pages at most.
 */
static bool ums_event_writable(struct ums_event __user *event)
{
	u64 value;

	if (!user_access_begin(event, sizeof(*event)))
		return false;
	unsafe_get_user(value, &event->ctx, fault);
	unsafe_put_user(value, &event->ctx, fault);
	unsafe_get_user(value, &event->seq, fault);
	unsafe_put_user(value, &event->seq, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

/* Is @fd the group of current, @ut, or NULL if current is not attached? */
static int ums_check_own_group(struct ums_task *ut, int fd)
{
	struct ums_group *group __free(ums_group_put) = NULL;

	if (ut && likely(ums_group_has_fd(ums_group_of(ut), fd)))
		return 0;
	group = ums_group_get_by_fd(fd);
	if (IS_ERR(group))
		return PTR_ERR(group);
	if (!ut)
		return -ENOTCONN;
	return ums_group_of(ut) == group ? 0 : -EXDEV;
}

/* The same as ums_count_slow() for current, whose registers are not to be saved. */
static void ums_count_unsaved(struct ums_task *ut, int err)
{
	struct ums_count *count = &ut->ctx->count;

	if (!ut->user_switch)
		return;
	raw_spin_lock_irq(&ut->ctx->lock);
	if (err)
		count->slow_busy++;
	else
		count->slow_kernel++;
	raw_spin_unlock_irq(&ut->ctx->lock);
}

static long ums_execute_saving(struct ums_task *ut, u64 ctx)
{
	const struct pt_regs *save = ums_wants_save(ut);
	int err;

	/* A signal of current's is not the caller's if that is another one. */
	if (signal_pending(current) && (!save || !ums_mismatched()))
		return -ERESTARTSYS;
	ut->uevent = NULL;
	err = ums_switch_to(ut, ctx, save);
	if (!save)
		ums_count_unsaved(ut, err);
	return err;
}

/**
 * sys_ums_execute - Run a worker on the caller's virtual processor
 * @group_fd: The group that the caller is attached to. With %UMS_EXECUTE_SAVE it
 *	may be -1.
 * @ctx: Id of the worker's context.
 * @event: Scheduler: where the event goes that ends the call, or NULL. Not
 *	used for a worker, nor with %UMS_EXECUTE_SAVE.
 * @flags: %UMS_EXECUTE_SAVE or zero.
 *
 * By a scheduler, the call returns when its virtual processor comes back. By a
 * worker, it hands the virtual processor on, leaves the caller READY without
 * any event, and returns when the caller is executed again.
 *
 * @event is tried before anything happens. If somebody unmaps it during the call
 * that returns -EFAULT all the same; then the event is in the caller's slot.
 *
 * Return: &ums_event.reason to a scheduler, 0 to a worker; -EINVAL for bad
 * flags, and if @ctx is the caller or a scheduler; errors of
 * ums_group_get_by_fd(); -ENOTCONN if the caller is not attached, -EXDEV if it
 * is to another group; -EFAULT; -ESRCH if there is no such context or it has
 * terminated, -ENXIO if no thread has attached to it yet, -EBUSY if it is
 * running, -EINPROGRESS if it is blocked, -EAGAIN if the kernel is handling a
 * signal of it just now, or it is frozen, or waits in the kernel for something else
 * than it was ready for; -EINTR if the caller has a signal to handle first.
 */
SYSCALL_DEFINE4(ums_execute, int, group_fd, u64, ctx,
		struct ums_event __user *, event, unsigned int, flags)
{
	struct ums_task *ut = current->ums;
	int err;

	/* By the vDSO, which knows no fd. */
	if (likely(flags == UMS_EXECUTE_SAVE && group_fd == -1 && !event &&
		   ut && READ_ONCE(ut->vp)))
		return ums_execute_saving(ut, ctx);
	if ((flags & ~UMS_EXECUTE_SAVE) ||
	    ((flags & UMS_EXECUTE_SAVE) && event))
		return -EINVAL;
	if (!ut || !(flags & UMS_EXECUTE_SAVE) || group_fd != -1) {
		err = ums_check_own_group(ut, group_fd);
		if (err)
			return err;
	}

	if ((flags & UMS_EXECUTE_SAVE) && likely(READ_ONCE(ut->vp)))
		return ums_execute_saving(ut, ctx);
	if (ctx == ut->ctx->id)
		return -EINVAL;
	if (event && ums_is_scheduler(ut) && !ums_event_writable(event))
		return -EFAULT;
	if (signal_pending(current))
		return -ERESTARTSYS;
	ut->uevent = event;
	if (likely(READ_ONCE(ut->vp)))
		return ums_switch_to(ut, ctx, NULL);
	ut->deferred = UMS_DEFER_EXECUTE;
	ut->deferred_arg = ctx;
	return -ERESTARTNOINTR;
}

/**
 * ums_give_back - current gives its VP back, and is READY at once
 * @ut: A worker, current; has a VP.
 * @reason: %UMS_REASON_YIELDED or %UMS_REASON_PREEMPTED.
 * @arg: For the scheduler.
 * @save: Its user registers, if they shall be saved in its slot; or NULL.
 */
void ums_give_back(struct ums_task *ut, u32 reason, u64 arg,
		   const struct pt_regs *save)
{
	u32 state = save ? UMS_STATE_USER_HELD : UMS_STATE_READY;
	struct ums_ctx *ctx = ut->ctx;
	struct ums_vp *vp = ut->vp;
	struct task_struct *wake;

	if (save)
		ums_save_regs(ctx, save);
	preempt_disable();
	raw_spin_lock_irq(&ctx->lock);
	if (reason == UMS_REASON_YIELDED)
		ums_ctx_count(&ctx->count.yielded, &ctx->slot->yielded);
	else
		ums_ctx_count(&ctx->count.preempted, &ctx->slot->preempted);
	ums_ctx_transition(ctx, state, reason, 0, arg);
	if (save) {
		ut->held = UMS_HELD_USER;
		ut->kept = true;
		ut->kept_left = ums_times_left(ctx);
		ctx->count.slow_kernel++;
		ums_publish(ctx);
	}
	wake = ums_vp_return(ut);
	if (!wake) {
		/* No scheduler to tell; @arg is lost with its reader. */
		ums_ctx_transition(ctx, state, UMS_REASON_READY, 0, 0);
		ums_list_queue(ut->list, ctx);
	}
	raw_spin_unlock_irq(&ctx->lock);
	ums_serve_home(ums_group_of(ut), vp);
	if (wake)
		ums_hand_off(wake);
	preempt_enable_no_resched();

	if (!wake)
		ums_list_notify(ut->list);
}

/**
 * ums_yield - UMS_CTL_YIELD
 * @fd: Must be -1.
 * @arg: &struct ums_yield.
 * @size: Of what @arg points to.
 *
 * Return: 0 when the worker is next executed; -EINVAL, -EFAULT, -E2BIG for bad
 * arguments, -ENOTCONN if the caller is not attached, -EINVAL if it is a
 * scheduler.
 */
long ums_yield(int fd, void __user *arg, size_t size)
{
	const struct pt_regs *save = NULL;
	struct ums_task *ut = current->ums;
	struct ums_yield yield;
	int err;

	BUILD_BUG_ON(sizeof(struct ums_yield) != 16);

	err = ums_copy_arg(&yield, sizeof(yield), arg, size);
	if (err)
		return err;
	if (fd != -1 || (yield.flags & ~UMS_YIELD_SAVE))
		return -EINVAL;
	if (!ut)
		return -ENOTCONN;
	if (ums_is_scheduler(ut))
		return -EINVAL;

	if (likely(READ_ONCE(ut->vp))) {
		if (yield.flags & UMS_YIELD_SAVE) {
			save = ums_wants_save(ut);
			if (!save)
				ums_count_unsaved(ut, 0);
		}
		ums_give_back(ut, UMS_REASON_YIELDED, yield.param, save);
	} else {
		ut->deferred = UMS_DEFER_YIELD;
		ut->deferred_arg = yield.param;
	}
	return 0;
}
