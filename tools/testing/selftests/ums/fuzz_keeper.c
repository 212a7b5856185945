// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: who keeps a process, as the init of a pid namespace
 * that has nobody else. It stops the process, sends signals to its threads, has
 * them traced by others that go as they like, and kills it.
 */
#include <sched.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "fuzz.h"

/* In the life of a process; a tracer is there for a part of it */
#define INTERFERENCES	50
#define TRACER_PART	4

/* Seeds of keeper and tracers, which are no threads of the process */
#define KEEPER		1000
#define TRACER		1001

struct tracer {
	struct fuzz_shared *shared;
	uint64_t seed;
	pid_t tids[FUZZ_THREADS];
	unsigned int nr;
};

static unsigned int below(uint64_t *seed, unsigned int n)
{
	return (fuzz_random(seed) >> 16) % n;
}

static pid_t any_tid(struct fuzz_shared *shared, uint64_t *seed)
{
	return UT_LOAD(shared->tid[below(seed, FUZZ_THREADS)]);
}

static void seize(struct tracer *tracer)
{
	unsigned int i, options = fuzz_random(&tracer->seed) &
		(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
		 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
		 PTRACE_O_TRACESECCOMP);
	pid_t tid;

	if (!below(&tracer->seed, 16))
		options |= PTRACE_O_EXITKILL;
	for (i = 0; i < FUZZ_THREADS; i++) {
		tid = UT_LOAD(tracer->shared->tid[i]);
		if (!tid || !below(&tracer->seed, 3))
			continue;
		if (!ptrace(PTRACE_SEIZE, tid, NULL, options))
			tracer->tids[tracer->nr++] = tid;
	}
}

/* As a debugger does: read, and write what was read */
static void look_at(struct tracer *tracer, pid_t tid)
{
	struct user_regs_struct regs;
	static char state[16384];
	struct iovec iov = { .iov_base = state, .iov_len = sizeof(state) };

	switch (below(&tracer->seed, 4)) {
	case 0:
		if (!ptrace(PTRACE_GETREGS, tid, NULL, &regs))
			ptrace(PTRACE_SETREGS, tid, NULL, &regs);
		break;
	case 1:
		if (!ptrace(PTRACE_GETREGSET, tid, (void *)0x202UL, &iov))
			ptrace(PTRACE_SETREGSET, tid, (void *)0x202UL, &iov);
		break;
	case 2:
		/*
		 * A breakpoint in the vDSO, for one instruction. Not often: as
		 * long as it is there the thread is not switched to in user mode.
		 */
		ptrace(PTRACE_POKEUSER, tid,
		       offsetof(struct user, u_debugreg[0]),
		       (uintptr_t)uu.yield + below(&tracer->seed, 64));
		ptrace(PTRACE_POKEUSER, tid,
		       offsetof(struct user, u_debugreg[7]),
		       !below(&tracer->seed, 8));
		break;
	default:
		break;
	}
}

static void go_on(struct tracer *tracer, pid_t tid, int status)
{
	static const int requests[] = {
		PTRACE_CONT, PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SYSCALL,
		PTRACE_SINGLESTEP, PTRACE_SINGLESTEP, PTRACE_LISTEN,
		PTRACE_DETACH,
	};
	int request = requests[below(&tracer->seed, ARRAY_SIZE(requests))];
	long sig = WSTOPSIG(status);

	/* Stops that are no signal's, and those of single steps */
	if (status >> 16 || (sig & 0x80) || sig == SIGTRAP)
		sig = 0;
	UT_INC(tracer->shared->stops);
	look_at(tracer, tid);
	/* It stays when the tracer has gone */
	if (request == PTRACE_DETACH)
		ptrace(PTRACE_POKEUSER, tid,
		       offsetof(struct user, u_debugreg[7]), 0);
	if (ptrace(request, tid, NULL, request == PTRACE_LISTEN ? 0 : sig))
		ptrace(PTRACE_CONT, tid, NULL, sig);
}

/* Detaches from whom it can, or just goes */
static void trace(struct fuzz_shared *shared, uint64_t seed)
{
	struct tracer tracer = { .shared = shared, .seed = seed };
	__u64 longest = (shared->end - shared->ready) / TRACER_PART;
	__u64 end = ut_now_ns() + fuzz_random(&tracer.seed) % (longest + 1);
	bool detach = below(&tracer.seed, 2);
	int status;
	pid_t tid;

	seize(&tracer);
	while (tracer.nr && ut_now_ns() < end) {
		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid < 0)
			break;
		if (tid && WIFSTOPPED(status)) {
			go_on(&tracer, tid, status);
		} else if (!tid) {
			tid = tracer.tids[below(&tracer.seed, tracer.nr)];
			if (!below(&tracer.seed, 4))
				ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
			else
				sched_yield();
		}
	}
	while (detach && tracer.nr) {
		tid = tracer.tids[--tracer.nr];
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		ptrace(PTRACE_DETACH, tid, NULL, NULL);
	}
	_exit(0);
}

static void start_tracer(struct fuzz_shared *shared, uint64_t *seed)
{
	uint64_t its_seed = fuzz_sub_seed(fuzz_random(seed), TRACER);

	UT_INC(shared->tracers);
	if (!fork())
		trace(shared, its_seed);
}

static void move(pid_t tid, uint64_t *seed)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(below(seed, cpus), &set);
	sched_setaffinity(tid, sizeof(set), &set);
}

/**
 * struct keeper - Who keeps a process
 *
 * @shared: See there.
 * @seed: State of its random numbers.
 * @pid: The process.
 * @impatient: Kills it although it has not begun yet.
 * @share: How much of its time the process has, in percent.
 */
struct keeper {
	struct fuzz_shared *shared;
	uint64_t seed;
	pid_t pid;
	bool impatient;
	unsigned int share;
};

static void interfere(struct keeper *keeper)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGCONT, SIGURG };
	struct fuzz_shared *shared = keeper->shared;
	uint64_t *seed = &keeper->seed;
	pid_t tid = any_tid(shared, seed);

	switch (below(seed, 8)) {
	case 0:
		if (shared->classes & FUZZ_STOP)
			kill(keeper->pid, SIGSTOP);
		break;
	case 1:
		if (shared->classes & FUZZ_TRACE)
			start_tracer(shared, seed);
		break;
	case 2:
		if ((shared->classes & FUZZ_PESTER) && tid)
			syscall(SYS_tgkill, keeper->pid, tid,
				signals[below(seed, ARRAY_SIZE(signals))]);
		break;
	case 3:
		if ((shared->classes & FUZZ_PESTER) && tid)
			move(tid, seed);
		break;
	default:
		/* Whoever has stopped it, it was long enough */
		kill(keeper->pid, SIGCONT);
	}
}

static __u64 life(const struct fuzz_shared *shared)
{
	return shared->end - shared->ready;
}

/* When it is to be killed; 0 if that is not known yet */
static __u64 time_to_kill(struct keeper *keeper)
{
	struct fuzz_shared *shared = keeper->shared;
	__u64 ready = UT_LOAD(shared->ready);

	if (ready)
		return ready + life(shared) * keeper->share / 100;
	return keeper->impatient ?
		shared->begin + keeper->share * UT_NSEC_PER_MSEC : 0;
}

/* As the process goes, faster or slower */
static void nap(struct keeper *keeper)
{
	struct timespec ts = { .tv_nsec = UT_NSEC_PER_MSEC };

	if (UT_LOAD(keeper->shared->ready))
		ts.tv_nsec += life(keeper->shared) / INTERFERENCES;
	nanosleep(&ts, NULL);
}

/* Until it is gone; tracers go too. False if it has to be killed */
static bool watch(struct keeper *keeper)
{
	__u64 until;
	int status;
	pid_t gone;

	for (;;) {
		until = time_to_kill(keeper);
		if (until && ut_now_ns() >= until)
			return false;
		gone = waitpid(-1, &status, WNOHANG);
		if (gone == keeper->pid) {
			keeper->shared->status = status;
			return true;
		}
		if (UT_LOAD(keeper->shared->ready))
			interfere(keeper);
		nap(keeper);
	}
}

void fuzz_keeper(struct fuzz_shared *shared)
{
	struct keeper keeper = {
		.shared = shared,
		.seed = fuzz_sub_seed(shared->seed, KEEPER),
	};
	int group, list, status;

	shared->begin = ut_now_ns();
	uu_init();
	setsid();
	group = ut_setup_flags(15, UMS_ORPHAN_RELEASE, 0);
	list = group < 0 ? -1 : ut_list_create(group, NULL);
	keeper.impatient = !below(&keeper.seed, 16);
	/* Or it has time to end by itself */
	keeper.share = below(&keeper.seed, 2) ? below(&keeper.seed, 100) : 120;
	keeper.pid = fork();
	if (!keeper.pid)
		fuzz_process(shared, group, list);
	if (!watch(&keeper)) {
		kill(keeper.pid, SIGKILL);
		/* If this takes too long, the test finds out */
		waitpid(keeper.pid, &status, 0);
		shared->status = status;
	}
	_exit(0);
}
