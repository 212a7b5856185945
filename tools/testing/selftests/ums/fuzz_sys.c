// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: system calls that block, files, cpus and registers.
 */
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "fuzz.h"

/* Beyond this each call would take too long */
#define MAX_FILTERS	4

static long op_nap(struct fuzz_thread *self)
{
	struct timespec ts = fuzz_time(self, 1000);

	return nanosleep(&ts, NULL);
}

static long op_cpu_yield(struct fuzz_thread *self)
{
	return sched_yield();
}

/* Those that are sure not to block, and by which the kernel knows who we are */
static long op_call(struct fuzz_thread *self)
{
	return fuzz_one_in(self, 2) ? syscall(SYS_gettid) : syscall(SYS_getppid);
}

static long op_spin(struct fuzz_thread *self)
{
	unsigned int i;

	for (i = fuzz_below(self, 100000); i; i--)
		asm volatile("pause");
	return 0;
}

static long op_futex(struct fuzz_thread *self)
{
	struct timespec ts = fuzz_time(self, 1000);
	unsigned int i = fuzz_below(self, 2);
	uint32_t *word = &fuzz.word[i];

	if (fuzz_one_in(self, 2))
		return syscall(SYS_futex, word, FUTEX_WAIT, UT_LOAD(*word), &ts);
	UT_INC(*word);
	return syscall(SYS_futex, word, FUTEX_WAKE, 1 + fuzz_below(self, 3));
}

/* The owner's thread can be preempted, blocked, or gone */
static long op_futex_pi(struct fuzz_thread *self)
{
	uint32_t *word = &fuzz.word[2 + fuzz_below(self, 2)];
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 1000 * fuzz_below(self, 1000);
	if (ts.tv_nsec >= (long)UT_NSEC_PER_SEC)
		return -EAGAIN;
	if (syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, &ts))
		return -errno;
	fuzz_operate(self);
	return syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0);
}

static long op_pipe(struct fuzz_thread *self)
{
	struct pollfd poll_fd = { .fd = fuzz.pipe[0], .events = POLLIN };

	if (fuzz_one_in(self, 2))
		return write(fuzz.pipe[1], "byte", 1);
	if (!fuzz_one_in(self, 16) && poll(&poll_fd, 1, 1) != 1)
		return -EAGAIN;
	return read(fuzz.pipe[0], self->area, 1);
}

static long op_poll(struct fuzz_thread *self)
{
	struct pollfd fds[] = {
		{ .fd = fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS)),
		  .events = POLLIN },
		{ .fd = fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS)),
		  .events = POLLIN },
	};

	return poll(fds, 2, fuzz_below(self, 2));
}

static long op_close(struct fuzz_thread *self)
{
	if (fuzz_one_in(self, 2))
		return close(fuzz_group_fd(self, fuzz_below(self,
							    FUZZ_GROUPS)));
	return close(fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS)));
}

/* The number of one becomes another one of its kind */
static long op_dup(struct fuzz_thread *self)
{
	int a, b;

	if (fuzz_one_in(self, 2)) {
		a = fuzz_group_fd(self, fuzz_below(self, FUZZ_GROUPS));
		b = fuzz_group_fd(self, fuzz_below(self, FUZZ_GROUPS));
	} else {
		a = fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS));
		b = fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS));
	}
	return dup2(a, b);
}

static long read_proc(struct fuzz_thread *self, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	do {
		ret = read(fd, self->area, 2 * FUZZ_PAGE);
	} while (ret > 0);
	close(fd);
	return ret;
}

static long op_fdinfo(struct fuzz_thread *self)
{
	char path[64];
	int fd = fuzz_one_in(self, 2) ?
		 fuzz_group_fd(self, fuzz_below(self, FUZZ_GROUPS)) :
		 fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS));

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return read_proc(self, path);
}

static long op_proc(struct fuzz_thread *self)
{
	static const char * const files[] = {
		"status", "stat", "syscall", "wchan", "maps", "smaps_rollup",
	};
	char path[64];

	snprintf(path, sizeof(path), "/proc/thread-self/%s",
		 files[fuzz_below(self, ARRAY_SIZE(files))]);
	return read_proc(self, path);
}

/* To ourselves, by way of a socket */
static long op_pass(struct fuzz_thread *self)
{
	int fd;

	if (fuzz_one_in(self, 2))
		return ut_send_fd(fuzz.socket[0], fuzz_bad_fd(self));
	fd = ut_receive_fd(fuzz.socket[1]);
	if (fd >= 0)
		close(fd);
	return fd;
}

static long op_affinity(struct fuzz_thread *self)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	unsigned int i;

	CPU_ZERO(&set);
	for (i = 1 + fuzz_below(self, 2); i; i--)
		CPU_SET(fuzz_below(self, cpus), &set);
	return sched_setaffinity(fuzz_tid(self), sizeof(set), &set);
}

static long op_policy(struct fuzz_thread *self)
{
	static const int policies[] = { SCHED_OTHER, SCHED_BATCH, SCHED_IDLE };
	struct sched_param param = {};

	if (fuzz_one_in(self, 2))
		return setpriority(PRIO_PROCESS, fuzz_tid(self),
				   fuzz_below(self, 20));
	return sched_setscheduler(fuzz_tid(self), policies[fuzz_below(self, 3)],
				  &param);
}

static long op_membarrier(struct fuzz_thread *self)
{
	static const int commands[] = {
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		MEMBARRIER_CMD_PRIVATE_EXPEDITED,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
		MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
		MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
	};

	return syscall(SYS_membarrier,
		       commands[fuzz_below(self, ARRAY_SIZE(commands))], 0, 0);
}

/* Unregister the C library's area, if it has one, or register it again */
static long op_rseq(struct fuzz_thread *self)
{
	char *thread = __builtin_thread_pointer();

	if (!fuzz.rseq_offset)
		return -ENOENT;
	return syscall(SYS_rseq, thread + *fuzz.rseq_offset, 32,
		       fuzz_below(self, 2), 0x53053053);
}

/* Bases, control words, protection keys and wide registers */
static long op_regs(struct fuzz_thread *self)
{
	static const uint32_t mxcsr[] = { 0x1f80, 0x9fc0, 0x7f80 };
	static const uint16_t fcw[] = { 0x37f, 0x27f, 0xf7f };
	unsigned int i = fuzz_below(self, 3);
	int key;

	switch (fuzz_below(self, 5)) {
	case 0:
		return syscall(SYS_arch_prctl, ARCH_SET_GS,
			       fuzz_one_in(self, 2) ? 0 : fuzz_value(self));
	case 1:
		asm volatile("ldmxcsr %0" : : "m" (mxcsr[i]));
		return 0;
	case 2:
		asm volatile("fldcw %0" : : "m" (fcw[i]));
		return 0;
	case 3:
		key = pkey_alloc(0, i);
		if (key < 0)
			return -errno;
		pkey_mprotect(self->area, FUZZ_PAGE, PROT_READ | PROT_WRITE,
			      fuzz_one_in(self, 4) ? key : 0);
		return pkey_set(key, 0) + pkey_free(key);
	default:
		asm volatile("pxor %%xmm0, %%xmm0\n\t"
			     "fld1\n\t"
			     "fstp %%st(0)" : : : "xmm0");
		return 0;
	}
}

static long add_filter(struct fuzz_thread *self, unsigned int nr,
		       unsigned int action)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = ARRAY_SIZE(insns),
		.filter = insns,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       fuzz_below(self, 2) * SECCOMP_FILTER_FLAG_TSYNC,
		       &program);
}

/* For some calls of ours, in one thread or all of them */
static long op_filter(struct fuzz_thread *self)
{
	static const unsigned int actions[] = {
		SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM,
		SECCOMP_RET_TRAP, SECCOMP_RET_KILL_THREAD,
	};
	static const unsigned int calls[] = {
		SYS_getppid, SYS_sched_yield, SYS_nanosleep, __NR_ums_ctl,
		__NR_ums_execute, __NR_ums_dequeue,
	};
	unsigned int action = actions[fuzz_below(self, ARRAY_SIZE(actions))];
	unsigned int nr = calls[fuzz_below(self, ARRAY_SIZE(calls))];

	if (UT_INC(fuzz.filters) > MAX_FILTERS)
		return -EBUSY;
	if (action == SECCOMP_RET_KILL_THREAD && nr == __NR_ums_ctl)
		action = SECCOMP_RET_ALLOW;
	return add_filter(self, nr, action);
}

const struct fuzz_op fuzz_sys_ops[] = {
	{ "nap", FUZZ_BLOCK, FUZZ_ALL, 10, op_nap },
	{ "cpu yield", FUZZ_BLOCK, FUZZ_ALL, 5, op_cpu_yield },
	{ "call", FUZZ_SWITCH, FUZZ_ALL, 20, op_call },
	{ "spin", FUZZ_SWITCH, FUZZ_ALL, 2, op_spin },
	{ "futex", FUZZ_BLOCK, FUZZ_ALL, 10, op_futex },
	{ "PI futex", FUZZ_BLOCK, FUZZ_ALL, 5, op_futex_pi },
	{ "pipe", FUZZ_BLOCK, FUZZ_ALL, 10, op_pipe },
	{ "poll", FUZZ_FILES, FUZZ_ALL, 10, op_poll },
	{ "close", FUZZ_FILES, FUZZ_ALL, 1, op_close },
	{ "dup", FUZZ_FILES, FUZZ_ALL, 1, op_dup },
	{ "fdinfo", FUZZ_FILES, FUZZ_ALL, 5, op_fdinfo },
	{ "proc", FUZZ_FILES, FUZZ_ALL, 5, op_proc },
	{ "pass", FUZZ_FILES, FUZZ_ALL, 5, op_pass },
	{ "affinity", FUZZ_MOVE, FUZZ_ALL, 10, op_affinity },
	{ "policy", FUZZ_MOVE, FUZZ_ALL, 3, op_policy },
	{ "membarrier", FUZZ_MOVE, FUZZ_ALL, 5, op_membarrier },
	{ "rseq", FUZZ_MOVE, FUZZ_ALL, 3, op_rseq },
	{ "registers", FUZZ_REGS, FUZZ_ALL, 20, op_regs },
	{ "filter", FUZZ_SECCOMP, FUZZ_ALL, 1, op_filter },
	{}
};
