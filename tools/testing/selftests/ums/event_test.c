// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: what happens to a process or its memory while its threads are in every
 * state; and what each thread does for itself when it goes on.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"

FIXTURE(event)
{
	struct states *states;
};

FIXTURE_SETUP(event)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(event)
{
	states_free(self->states);
}

static void set_cpu(cpu_set_t *set, long cpu)
{
	CPU_ZERO(set);
	CPU_SET(cpu, set);
}

/* One that all may use */
static long last_cpu(void)
{
	cpu_set_t set;
	long cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (cpu = CPU_SETSIZE - 1; cpu > 0; cpu--)
		if (CPU_ISSET(cpu, &set))
			break;
	return cpu;
}

static void is_on_last_cpu(struct states *states, enum who who)
{
	STATES_BAD(states, who, sched_getcpu() != states->step);
}

TEST_F(event, threads_are_moved_to_another_cpu)
{
	struct states *states = self->states;
	cpu_set_t set;
	enum who who;

	states->step = last_cpu();
	states->after = is_on_last_cpu;
	ASSERT_TRUE(states_start(states));
	set_cpu(&set, states->step);
	for (who = 0; who < NR_WHO; who++)
		ASSERT_EQ(0, sched_setaffinity(states->thread[who].tid,
					       sizeof(set), &set));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

static void issue_barriers(struct states *states)
{
	static const struct {
		int reg;
		int cmd;
	} kinds[] = {
		{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		  MEMBARRIER_CMD_PRIVATE_EXPEDITED },
		{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
		  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE },
		{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
		  MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		STATES_BAD(states, PLAIN,
			   syscall(SYS_membarrier, kinds[i].reg, 0, 0) ||
			   syscall(SYS_membarrier, kinds[i].cmd, 0, 0));
}

TEST_F(event, barriers_are_issued)
{
	struct states *states = self->states;

	states->before = issue_barriers;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

TEST_F(event, memory_is_read_and_written_from_outside)
{
	struct states *states = self->states;
	enum who who;

	ASSERT_TRUE(states_start(states));
	for (who = 0; who < NR_WHO; who++) {
		long word = 0;
		struct iovec here = { &word, sizeof(word) };
		struct iovec there = {
			UT_LOAD(states->thread[who].stack), sizeof(word)
		};

		if (who == NEW)
			continue;
		EXPECT_EQ(sizeof(word), process_vm_readv(states->pid, &here, 1,
							 &there, 1, 0));
		EXPECT_EQ(states->thread[who].tid, word);
		/* It will look for it */
		EXPECT_EQ(sizeof(word), process_vm_writev(states->pid, &here, 1,
							  &there, 1, 0));
	}
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

/* Two pages of a stack go, in one way or another */
static enum who loses_stack;

static void lose_stack(struct states *states, int (*lose)(void *start,
							  size_t size))
{
	uintptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t stack = (uintptr_t)states->thread[loses_stack].stack & -page;

	STATES_BAD(states, PLAIN, lose((void *)(stack - page), 2 * page));
}

static int protect(void *start, size_t size)
{
	return mprotect(start, size, PROT_NONE);
}

static int move(void *start, size_t size)
{
	void *there = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	return mremap(start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      there) != there;
}

static void unmap_stack(struct states *states)
{
	lose_stack(states, munmap);
}

static void protect_stack(struct states *states)
{
	lose_stack(states, protect);
}

static void move_stack(struct states *states)
{
	lose_stack(states, move);
}

FIXTURE(memory)
{
	struct states *states;
};

FIXTURE_VARIANT(memory)
{
	enum who who;
};

FIXTURE_VARIANT_ADD(memory, of_a_running_worker) { .who = RUNNING };
FIXTURE_VARIANT_ADD(memory, of_a_switched_worker) { .who = SWITCHED };
FIXTURE_VARIANT_ADD(memory, of_a_user_held_worker) { .who = USER_HELD };
FIXTURE_VARIANT_ADD(memory, of_a_kernel_held_worker) { .who = KERNEL_HELD };
FIXTURE_VARIANT_ADD(memory, of_a_blocked_worker) { .who = BLOCKED };
FIXTURE_VARIANT_ADD(memory, of_an_unmanaged_worker) { .who = UNMANAGED };
FIXTURE_VARIANT_ADD(memory, of_a_locked_worker) { .who = LOCKED };
FIXTURE_VARIANT_ADD(memory, of_a_woken_worker) { .who = WOKEN };
FIXTURE_VARIANT_ADD(memory, of_a_scheduler_behind) { .who = BEHIND };
FIXTURE_VARIANT_ADD(memory, of_a_scheduler_that_switches) { .who = SWITCHES };
FIXTURE_VARIANT_ADD(memory, of_a_scheduler_that_waits) { .who = WAITS };

FIXTURE_SETUP(memory)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	loses_stack = variant->who;
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(memory)
{
	states_free(self->states);
}

/* Whoever uses it next dies of that, and the process with it */
static bool dies_of(struct states *states, void (*before)(struct states *states))
{
	int status;

	states->before = before;
	if (!states_start(states))
		return false;
	status = states_finish(states);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV &&
	       (!uu_init() || uu_fresh_group_works());
}

TEST_F(memory, is_unmapped)
{
	EXPECT_TRUE(dies_of(self->states, unmap_stack));
}

TEST_F(memory, is_protected)
{
	EXPECT_TRUE(dies_of(self->states, protect_stack));
}

TEST_F(memory, is_moved)
{
	EXPECT_TRUE(dies_of(self->states, move_stack));
}

static void unmap_slots(struct states *states)
{
	struct ut_base *base = states_base();

	STATES_BAD(states, PLAIN, munmap(base->ring, base->ring_size));
	STATES_BAD(states, PLAIN, munmap(base->slots, base->slots_size));
}

static void move_slots(struct states *states)
{
	struct ut_base *base = states_base();

	STATES_BAD(states, PLAIN, move(base->ring, base->ring_size));
	STATES_BAD(states, PLAIN, move(base->slots, base->slots_size));
}

/* The schedulers of the test look into slots as well */
TEST_F(event, slots_are_unmapped)
{
	EXPECT_TRUE(dies_of(self->states, unmap_slots));
}

TEST_F(event, slots_are_moved)
{
	EXPECT_TRUE(dies_of(self->states, move_slots));
}

#define ANSWER	4242

static int listener;

/* Instead of the kernel, for each thread that asks */
static void *supervise(void *arg)
{
	struct seccomp_notif_resp answer;
	struct seccomp_notif call;
	struct states *states = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < NR_WHO; i++) {
		memset(&call, 0, sizeof(call));
		ret = ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call);
		STATES_BAD(states, PLAIN, ret);
		if (ret)
			break;
		memset(&answer, 0, sizeof(answer));
		answer.id = call.id;
		answer.val = ANSWER + call.pid;
		ret = ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
		STATES_BAD(states, PLAIN, ret);
		if (ret)
			break;
	}
	return NULL;
}

static void filter_calls(struct states *states)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOANO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };
	pthread_t supervisor;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			   SECCOMP_FILTER_FLAG_TSYNC |
			   SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
			   SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	STATES_BAD(states, PLAIN, listener < 0 ||
		   pthread_create(&supervisor, NULL, supervise, states));
}

static void makes_filtered_calls(struct states *states, enum who who)
{
	STATES_BAD(states, who, syscall(SYS_getpgrp) != -1 || errno != ENOANO);
	STATES_BAD(states, who, syscall(SYS_getppid) !=
		   ANSWER + states->thread[who].tid);
}

TEST_F(event, calls_are_filtered)
{
	struct states *states = self->states;

	states->before = filter_calls;
	states->after = makes_filtered_calls;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

/* What belongs to a thread, not to the process */
static void changes_what_is_its_own(struct states *states, enum who who)
{
	char name[16], path[64], line[32] = "";
	int nice = who + 1, fd, persona = PER_LINUX;
	uid_t id = geteuid() ? geteuid() : 1000 + who, real, effective, saved;

	snprintf(name, sizeof(name), "who%d", who);
	STATES_BAD(states, who, prctl(PR_SET_NAME, name));
	STATES_BAD(states, who, setpriority(PRIO_PROCESS, 0, nice));
	persona |= who & 1 ? UNAME26 : 0;
	persona |= who & 2 ? ADDR_NO_RANDOMIZE : 0;
	persona |= who & 4 ? SHORT_INODE : 0;
	persona |= who & 8 ? WHOLE_SECONDS : 0;
	STATES_BAD(states, who, personality(persona) < 0);
	STATES_BAD(states, who, prctl(PR_SET_TIMERSLACK, 1000 + who));
	/* Not by the C library, which changes those of all threads */
	STATES_BAD(states, who, syscall(SYS_setresuid, -1, -1, id));
	sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm",
		 states->thread[who].tid);
	fd = open(path, O_RDONLY);
	STATES_BAD(states, who, read(fd, line, sizeof(line) - 1) <= 0 ||
		   strncmp(line, name, strlen(name)));
	close(fd);
	STATES_BAD(states, who, getpriority(PRIO_PROCESS,
					    states->thread[who].tid) != nice);
	STATES_BAD(states, who, personality(0xffffffff) != persona);
	STATES_BAD(states, who, getresuid(&real, &effective, &saved) ||
		   saved != id);
	STATES_BAD(states, who, prctl(PR_GET_TIMERSLACK) != 1000 + (int)who);
}

TEST_F(event, threads_change_what_is_their_own)
{
	struct states *states = self->states;

	states->after = changes_what_is_its_own;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

/*
 * A child by vfork(), which has nothing of UMS, and by fork(). That of the C
 * library takes locks, which must not be shared by schedulers and workers.
 */
static void has_children(struct states *states, enum who who)
{
	int status = -1;
	pid_t pid;

	pid = vfork();
	if (!pid)
		_exit(7);
	STATES_BAD(states, who, waitpid(pid, &status, 0) != pid ||
		   WEXITSTATUS(status) != 7);
	pid = syscall(SYS_fork);
	if (!pid)
		_exit(ut_yield(0) == -ENOTCONN ? 8 : 9);
	STATES_BAD(states, who, waitpid(pid, &status, 0) != pid ||
		   WEXITSTATUS(status) != 8);
}

TEST_F(event, threads_have_children)
{
	struct states *states = self->states;

	states->after = has_children;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

/* Of its own, that it does not want to handle */
static void takes_signals_synchronously(struct states *states, enum who who)
{
	struct signalfd_siginfo info = {};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	STATES_BAD(states, who, pthread_sigmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	STATES_BAD(states, who, pthread_kill(pthread_self(), SIGUSR2));
	STATES_BAD(states, who, read(fd, &info, sizeof(info)) != sizeof(info) ||
		   info.ssi_signo != SIGUSR2);
	close(fd);
	STATES_BAD(states, who, pthread_kill(pthread_self(), SIGUSR2));
	STATES_BAD(states, who, sigwaitinfo(&set, NULL) != SIGUSR2);
}

TEST_F(event, threads_take_signals_synchronously)
{
	struct states *states = self->states;

	states->after = takes_signals_synchronously;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

TEST_HARNESS_MAIN
