// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: signals. What a handler does is random too: nothing, a
 * yield, a sleep, any operation, or a jump out of what it has interrupted.
 */
#include <sys/time.h>
#include <ucontext.h>

#include "fuzz.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM	0x80000000U
#endif

#define TRAP_FLAG	0x100
#define RT_SIGNALS	4

static int any_signal(struct fuzz_thread *self)
{
	static const int signals[] = {
		SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGURG, SIGCHLD,
	};
	unsigned int i = fuzz_below(self, ARRAY_SIZE(signals) + RT_SIGNALS);

	if (i < ARRAY_SIZE(signals))
		return signals[i];
	return SIGRTMIN + i - ARRAY_SIZE(signals);
}

static void jump_back(struct fuzz_thread *self)
{
	if (self->may_jump)
		siglongjmp(self->back, 1);
}

static void handler(int sig, siginfo_t *siginfo, void *context)
{
	struct fuzz_thread *self = fuzz_self();
	struct timespec ts;
	int saved = errno;

	if (!self || !UT_LOAD(self->may_jump))
		return;
	switch (fuzz_below(self, 8)) {
	case 0:
		ut_ctl(UMS_CTL_YIELD, -1, &(struct ums_yield) {},
		       sizeof(struct ums_yield));
		break;
	case 1:
		ts = fuzz_time(self, 500);
		nanosleep(&ts, NULL);
		break;
	case 2:
		jump_back(self);
		break;
	case 3:
	case 4:
		if (self->depth >= 3)
			break;
		self->depth++;
		fuzz_operate(self);
		self->depth--;
		break;
	default:
		break;
	}
	errno = saved;
}

/* Memory that is not there, most often */
static void fault_handler(int sig)
{
	struct fuzz_thread *self = fuzz_self();

	if (self)
		jump_back(self);
	_exit(2);
}

/* Steps that somebody began, or an instruction that traps */
static void trap_handler(int sig, siginfo_t *siginfo, void *context)
{
	ucontext_t *uc = context;
	struct fuzz_thread *self = fuzz_self();

	if (!self || !self->steps || !--self->steps)
		uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void ignored_call(int sig)
{
}

static void set_handler(int sig, int flags)
{
	struct sigaction action = {
		.sa_sigaction = handler,
		.sa_flags = flags | SA_SIGINFO,
	};

	sigaction(sig, &action, NULL);
}

void fuzz_catch_signals(void)
{
	static const int signals[] = {
		SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGURG,
	};
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	struct sigaction action = { .sa_flags = SA_ONSTACK };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		set_handler(signals[i], SA_RESTART);
	for (i = 0; i < RT_SIGNALS; i++)
		set_handler(SIGRTMIN + i, i % 2 ? SA_ONSTACK : 0);
	action.sa_handler = fault_handler;
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		sigaction(faults[i], &action, NULL);
	action.sa_handler = ignored_call;
	sigaction(SIGSYS, &action, NULL);
	action.sa_flags |= SA_SIGINFO;
	action.sa_sigaction = trap_handler;
	sigaction(SIGTRAP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static long op_tgkill(struct fuzz_thread *self)
{
	return syscall(SYS_tgkill, getpid(), fuzz_tid(self), any_signal(self));
}

static long op_kill(struct fuzz_thread *self)
{
	return kill(getpid(), any_signal(self));
}

static long op_sigqueue(struct fuzz_thread *self)
{
	union sigval value = { .sival_int = 1 };

	return sigqueue(getpid(), any_signal(self), value);
}

/* Not for this thread only, nor for ever: the keeper sees to that */
static long op_stop(struct fuzz_thread *self)
{
	return kill(getpid(), fuzz_one_in(self, 2) ? SIGSTOP : SIGTSTP);
}

static long op_mask(struct fuzz_thread *self)
{
	sigset_t set;
	unsigned int i;

	sigemptyset(&set);
	for (i = fuzz_below(self, 4); i; i--)
		sigaddset(&set, any_signal(self));
	if (fuzz_one_in(self, 8))
		sigaddset(&set, SIGSEGV);
	return sigprocmask(fuzz_one_in(self, 2) ? SIG_SETMASK : SIG_UNBLOCK,
			   &set, NULL);
}

static long op_altstack(struct fuzz_thread *self)
{
	stack_t stack = {
		.ss_sp = self->altstack,
		.ss_size = FUZZ_ALTSTACK,
		.ss_flags = fuzz_one_in(self, 4) ? SS_DISABLE : 0,
	};

	if (fuzz_one_in(self, 4))
		stack.ss_flags |= SS_AUTODISARM;
	return sigaltstack(&stack, NULL);
}

static long op_handler(struct fuzz_thread *self)
{
	static const int flags[] = { SA_RESTART, SA_ONSTACK, SA_NODEFER };
	int some = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (fuzz_one_in(self, 2))
			some |= flags[i];
	set_handler(any_signal(self), some);
	return 0;
}

static long op_itimer(struct fuzz_thread *self)
{
	struct itimerval timer = {
		.it_value.tv_usec = 1 + fuzz_below(self, 2000),
	};

	/* Not so often that there is time for nothing else */
	if (fuzz_one_in(self, 4))
		timer.it_interval.tv_usec = 10000 + fuzz_below(self, 20000);
	return setitimer(fuzz_below(self, 3), &timer, NULL);
}

/* The kernel's, since it can be for another thread */
static long op_timer(struct fuzz_thread *self)
{
	static const int clocks[] = {
		CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID,
	};
	struct itimerspec when = { .it_value = fuzz_time(self, 2000) };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = any_signal(self),
	};
	int id;

	event._sigev_un._tid = fuzz_tid(self);
	if (syscall(SYS_timer_create, clocks[fuzz_below(self, 4)], &event, &id))
		return -errno;
	if (fuzz_one_in(self, 4))
		when.it_interval.tv_nsec = 10 * UT_NSEC_PER_MSEC;
	syscall(SYS_timer_settime, id, 0, &when, NULL);
	/* There shall not be too many of them */
	syscall(SYS_timer_delete, id - (int)fuzz_below(self, 8));
	return 0;
}

static long op_sigwait(struct fuzz_thread *self)
{
	struct timespec ts = fuzz_time(self, 2000);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, any_signal(self));
	sigaddset(&set, any_signal(self));
	return sigtimedwait(&set, NULL, &ts);
}

static long op_die_and_survive(struct fuzz_thread *self)
{
	switch (fuzz_below(self, 5)) {
	case 0:
		asm volatile("ud2");
		break;
	case 1:
		asm volatile("int3");
		break;
	case 2:
		UT_STORE(*(char *)fuzz_bad_pointer(self), 1);
		break;
	case 3:
		asm volatile("divl %%ecx" : : "c" (0) : "eax", "edx");
		break;
	default:
		asm volatile("int $0x80" : : "a" (20) : "memory");
	}
	return 0;
}

/* Steps itself through one operation, which may switch */
static long op_step(struct fuzz_thread *self)
{
	if (self->steps)
		return -EBUSY;
	self->steps = 1 + fuzz_below(self, 300);
	asm volatile("subq $128, %%rsp\n\t"
		     "pushfq\n\t"
		     "orl $0x100, (%%rsp)\n\t"
		     "popfq\n\t"
		     "addq $128, %%rsp" : : : "memory", "cc");
	fuzz_operate(self);
	asm volatile("subq $128, %%rsp\n\t"
		     "pushfq\n\t"
		     "andl $~0x100, (%%rsp)\n\t"
		     "popfq\n\t"
		     "addq $128, %%rsp" : : : "memory", "cc");
	self->steps = 0;
	return 0;
}

const struct fuzz_op fuzz_signal_ops[] = {
	{ "tgkill", FUZZ_SIGNAL, FUZZ_ALL, 20, op_tgkill },
	{ "kill", FUZZ_SIGNAL, FUZZ_ALL, 5, op_kill },
	{ "sigqueue", FUZZ_SIGNAL, FUZZ_ALL, 5, op_sigqueue },
	{ "stop", FUZZ_STOP, FUZZ_ALL, 1, op_stop },
	{ "mask", FUZZ_SIGNAL, FUZZ_ALL, 5, op_mask },
	{ "altstack", FUZZ_SIGNAL, FUZZ_ALL, 5, op_altstack },
	{ "handler", FUZZ_SIGNAL, FUZZ_ALL, 5, op_handler },
	{ "itimer", FUZZ_SIGNAL, FUZZ_ALL, 3, op_itimer },
	{ "timer", FUZZ_SIGNAL, FUZZ_ALL, 5, op_timer },
	{ "sigwait", FUZZ_SIGNAL, FUZZ_ALL, 5, op_sigwait },
	{ "fault and survive", FUZZ_SIGNAL, FUZZ_ALL, 4, op_die_and_survive },
	{ "step", FUZZ_REGS, FUZZ_ALL, 3, op_step },
	{}
};
