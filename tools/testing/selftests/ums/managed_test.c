// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a worker that was woken from a managed sleep is READY, and still
 * sleeps in its system call. What else may happen to it there.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

/* After the ends of a pipe */
#define EPOLL	2

/* Of which one is not disturbed */
#define LATE_ROUNDS	5

FIXTURE(managed)
{
	struct ut_base base;
	struct ut_thread worker;
	int fd[3];
	pid_t child;
};

/* For wait_for_child() */
static pid_t waits_for;

static void read_byte(struct ut_thread *thread)
{
	int *fd = thread->arg;
	char byte;

	thread->ret = read(fd[0], &byte, 1) == 1 ? 1 : -errno;
}

FIXTURE_SETUP(managed)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, pipe(self->fd));
	ASSERT_EQ(0, ut_base_open(&self->base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(managed)
{
	if (self->child > 0)
		kill(self->child, SIGKILL);
	if (self->base.slots)
		ut_base_close(&self->base);
}

/* Start the worker, and run it until it sleeps in system call @nr */
static bool start(FIXTURE_DATA(managed) * self,
		  void (*fn)(struct ut_thread *thread), long nr)
{
	struct ut_base *base = &self->base;
	struct ums_event event;

	return !ut_spawn_worker(base, &self->worker, fn, self->fd) &&
	       ut_next_of(base, self->worker.ctx, &event) == 1 &&
	       ut_run_to_block(base, self->worker.ctx, &event, nr) ==
		       UMS_REASON_BLOCKED &&
	       UT_WAIT(ut_thread_sleeps_in(self->worker.tid, nr));
}

/* For its end: when it stops, or goes on, that is a wakeup for nothing */
static void wait_for_child(struct ut_thread *thread)
{
	siginfo_t info = {};
	long ret = syscall(SYS_waitid, P_PID, waits_for, &info, WEXITED, NULL);

	thread->ret = ret ? -errno : info.si_status;
}

static bool start_waiting(FIXTURE_DATA(managed) * self)
{
	self->child = fork();
	if (!self->child)
		for (;;)
			pause();
	waits_for = self->child;
	return self->child > 0 && start(self, wait_for_child, SYS_waitid);
}

static __u64 late(FIXTURE_DATA(managed) * self)
{
	return uu_switches(&self->base, self->worker.ctx).late;
}

static __u64 recorded(FIXTURE_DATA(managed) * self)
{
	return uu_switches(&self->base, self->worker.ctx).recorded;
}

/* The event that says that it is READY, and the only one */
static bool is_reported_ready(FIXTURE_DATA(managed) * self)
{
	struct ums_event event;

	return ut_next_of(&self->base, self->worker.ctx, &event) == 1 &&
	       event.reason == UMS_REASON_READY &&
	       ut_slot_state(&self->base, self->worker.ctx) ==
		       UMS_STATE_READY &&
	       ut_dequeue(self->base.list, &event, 1, 0) == -EAGAIN;
}

/* Execute it, READY, to its end; what it leaves */
static long result(FIXTURE_DATA(managed) * self)
{
	struct ums_event event;

	if (ut_run_to(&self->base, self->worker.ctx, &event,
		      UMS_REASON_TERMINATED) != UMS_REASON_TERMINATED)
		return -EPROTO;
	ut_join(&self->worker);
	return self->worker.ret;
}

static bool holds(int pipe, size_t size)
{
	int bytes;

	return !ioctl(pipe, FIONREAD, &bytes) && (size_t)bytes == size;
}

/* It waits first, so it is woken first, and nobody else is */
TEST_F(managed, others_are_not_kept_waiting_by_one_that_is_not_executed)
{
	struct ut_thread other;

	ASSERT_TRUE(start(self, read_byte, SYS_read));
	ASSERT_EQ(0, ut_spawn(NULL, &other, UMS_ROLE_NONE, read_byte,
			      self->fd));
	ASSERT_TRUE(UT_WAIT(ut_thread_sleeps_in(UT_LOAD(other.tid), SYS_read)));
	ASSERT_EQ(1, write(self->fd[1], "", 1));
	ASSERT_TRUE(is_reported_ready(self));
	EXPECT_TRUE(UT_WAIT(late(self) == 1));
	EXPECT_TRUE(UT_WAIT(holds(self->fd[0], 0)));
	ASSERT_EQ(1, write(self->fd[1], "", 1));
	ut_join(&other);
	EXPECT_EQ(1, other.ret);
	EXPECT_EQ(UMS_STATE_READY,
		  ut_slot_state(&self->base, self->worker.ctx));
	EXPECT_EQ(1, result(self));
	EXPECT_EQ(1, recorded(self));
}

static void read_until_end(struct ut_thread *thread)
{
	int *fd = thread->arg;
	char byte;

	while (read(fd[0], &byte, 1) == 1)
		;
}

/*
 * Wake it, and execute it only when it is late. Until that was known, in ns; or 0 if
 * it was not to be had.
 */
static __u64 time_until_late(FIXTURE_DATA(managed) * self)
{
	__u64 before = late(self), start, time;
	struct ums_event event;

	start = ut_now_ns();
	if (write(self->fd[1], "", 1) != 1)
		return 0;
	/* The naps of UT_WAIT() would be a part of it */
	while (late(self) == before &&
	       ut_now_ns() - start < UT_LIMIT_MS * UT_NSEC_PER_MSEC)
		usleep(500);
	time = ut_now_ns() - start;
	if (late(self) == before || !is_reported_ready(self) ||
	    ut_run_to_block(&self->base, self->worker.ctx, &event, SYS_read) !=
		    UMS_REASON_BLOCKED)
		return 0;
	return time;
}

/* The same, some time after it was woken, and executed at once */
static __u64 time_until_late_again(FIXTURE_DATA(managed) * self)
{
	struct timespec some = { .tv_nsec = 15 * UT_NSEC_PER_MSEC };
	struct ums_event event;

	if (write(self->fd[1], "", 1) != 1 || !is_reported_ready(self) ||
	    ut_run_to_block(&self->base, self->worker.ctx, &event, SYS_read) !=
		    UMS_REASON_BLOCKED ||
	    nanosleep(&some, NULL))
		return 0;
	return time_until_late(self);
}

/*
 * 20 ms, as ticks are counted, and at most once more. What the machine is kept
 * waiting adds to that, or takes from it what ticks have been late: what is so each
 * time counts.
 */
TEST_F(managed, is_late_after_20_to_40_ms)
{
	__u64 first, again, least_first = -1, least_again = -1;
	__u64 most_first = 0, most_again = 0;
	int i;

	ASSERT_TRUE(start(self, read_until_end, SYS_read));
	for (i = 0; i < LATE_ROUNDS; i++) {
		first = time_until_late(self);
		again = time_until_late_again(self);
		ASSERT_NE(0, first);
		ASSERT_NE(0, again);
		least_first = first < least_first ? first : least_first;
		least_again = again < least_again ? again : least_again;
		most_first = first > most_first ? first : most_first;
		most_again = again > most_again ? again : most_again;
	}
	TH_LOG("us: %llu, and %llu", least_first / 1000, least_again / 1000);
	/* Less by the tick that had begun, which is 10 ms at most */
	EXPECT_LT(10 * UT_NSEC_PER_MSEC, most_first);
	EXPECT_LT(10 * UT_NSEC_PER_MSEC, most_again);
	EXPECT_GT(30 * UT_NSEC_PER_MSEC, least_first);
	EXPECT_GT(50 * UT_NSEC_PER_MSEC, least_again);
	close(self->fd[1]);
	EXPECT_EQ(0, result(self));
}

/* Nobody executes it, and there is nothing for it: it waits again */
static bool waits_again(FIXTURE_DATA(managed) * self, unsigned int times)
{
	return UT_WAIT(late(self) == times) &&
	       UT_WAIT(ut_thread_sleeps_in(self->worker.tid, SYS_waitid)) &&
	       ut_slot_state(&self->base, self->worker.ctx) == UMS_STATE_READY;
}

/* It went to sleep again without having been executed: no event, it is READY */
TEST_F(managed, late_one_stays_ready_if_it_waits_again)
{
	ASSERT_TRUE(start_waiting(self));
	ASSERT_EQ(0, kill(self->child, SIGSTOP));
	ASSERT_TRUE(is_reported_ready(self));
	ASSERT_TRUE(waits_again(self, 1));
	ASSERT_EQ(0, kill(self->child, SIGCONT));
	ASSERT_TRUE(waits_again(self, 2));
	EXPECT_EQ(2, recorded(self));
	EXPECT_EQ(-EAGAIN, ut_dequeue(self->base.list, NULL, 0, 0));
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	ASSERT_TRUE(UT_WAIT(recorded(self) == 3));
	EXPECT_EQ(-EAGAIN, ut_dequeue(self->base.list, NULL, 0, 0));
	EXPECT_EQ(SIGKILL, result(self));
}

TEST_F(managed, executed_one_looks_again_and_blocks_again)
{
	struct ut_base *base = &self->base;
	struct ums_event event;
	__u64 ctx;

	ASSERT_TRUE(start_waiting(self));
	ctx = self->worker.ctx;
	ASSERT_EQ(0, kill(self->child, SIGSTOP));
	ASSERT_TRUE(is_reported_ready(self));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, ctx, &event, SYS_waitid));
	EXPECT_EQ(UMS_STATE_BLOCKED, ut_slot_state(base, ctx));
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	ASSERT_TRUE(is_reported_ready(self));
	EXPECT_EQ(SIGKILL, result(self));
	EXPECT_EQ(2, recorded(self));
}

static void wait_in_epoll(struct ut_thread *thread)
{
	int *fd = thread->arg;
	struct epoll_event event;

	thread->ret = syscall(SYS_epoll_wait, fd[EPOLL], &event, 1, -1);
}

static bool watch(FIXTURE_DATA(managed) * self, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return !epoll_ctl(self->fd[EPOLL], EPOLL_CTL_ADD, fd, &event);
}

/* It is queued by the wakeup of the epoll that watches the queue */
TEST_F(managed, may_wait_for_its_own_list)
{
	self->fd[EPOLL] = epoll_create1(0);
	ASSERT_LE(0, self->fd[EPOLL]);
	ASSERT_TRUE(watch(self, self->base.list));
	ASSERT_TRUE(watch(self, self->fd[0]));
	ASSERT_TRUE(start(self, wait_in_epoll, SYS_epoll_wait));
	ASSERT_EQ(1, write(self->fd[1], "", 1));
	ASSERT_TRUE(is_reported_ready(self));
	EXPECT_EQ(1, result(self));
}

/* Three pages, the second of which is not there before somebody provides it */
static char *pages;

static bool open_pages(int *uffd, size_t page)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*uffd = syscall(SYS_userfaultfd, 0);
	if (pages == MAP_FAILED || *uffd < 0 || ioctl(*uffd, UFFDIO_API, &api))
		return false;
	pages[0] = 'x';
	pages[2 * page] = 'y';
	reg.range.start = (uintptr_t)pages;
	reg.range.len = 3 * page;
	return !ioctl(*uffd, UFFDIO_REGISTER, &reg);
}

static void write_pages(struct ut_thread *thread)
{
	size_t size = 3 * sysconf(_SC_PAGESIZE);
	int *fd = thread->arg;

	thread->ret = syscall(SYS_write, fd[1], pages, size) == (long)size;
}

static bool read_all(int fd, size_t size)
{
	char *buf = malloc(size);
	bool ok = buf && read(fd, buf, size) == (ssize_t)size;

	free(buf);
	return ok;
}

/* In the same call: READY where it waits for room, and not for its page */
TEST_F(managed, late_one_is_locked_while_it_waits_for_something_else)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct uffdio_zeropage zero = { .range.len = page };
	struct ut_base *base = &self->base;
	int in = self->fd[0], uffd;
	__u64 ctx;

	if (!open_pages(&uffd, page))
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(page, fcntl(self->fd[1], F_SETPIPE_SZ, page));
	ASSERT_EQ(1, write(self->fd[1], "", 1));
	ASSERT_TRUE(start(self, write_pages, SYS_write));
	ctx = self->worker.ctx;
	ASSERT_TRUE(read_all(in, 1));
	ASSERT_TRUE(is_reported_ready(self));
	ASSERT_TRUE(UT_WAIT(holds(in, page)));
	EXPECT_TRUE(UT_WAIT(late(self) == 1));
	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, ctx));
	/* Or it finds room without having waited */
	ASSERT_TRUE(UT_WAIT(ut_thread_sleeps_in(self->worker.tid, SYS_write)));
	ASSERT_TRUE(read_all(in, page));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(base, ctx) == UMS_STATE_LOCKED));
	/* Counted when its state is seen */
	EXPECT_TRUE(UT_WAIT(late(self) == 2));
	EXPECT_EQ(-EAGAIN, ut_execute(base->group, ctx, NULL));
	zero.range.start = (uintptr_t)pages + page;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(base, ctx) == UMS_STATE_READY));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, NULL, 0, 0));
	ASSERT_TRUE(holds(in, page));
	ASSERT_TRUE(read_all(in, page));
	EXPECT_EQ(1, result(self));
	close(uffd);
}

static int handled;

static void handle(int sig)
{
	handled = gettid();
}

static bool install_handler(void)
{
	struct sigaction action = { .sa_handler = handle };

	handled = 0;
	return !sigaction(SIGUSR1, &action, NULL);
}

/* It leaves the call at once, and handles the signal when it is executed */
TEST_F(managed, signal_interrupts_it)
{
	ASSERT_TRUE(install_handler());
	ASSERT_TRUE(start_waiting(self));
	ASSERT_EQ(0, kill(self->child, SIGSTOP));
	ASSERT_TRUE(is_reported_ready(self));
	ASSERT_EQ(0, syscall(SYS_tgkill, getpid(), self->worker.tid, SIGUSR1));
	ASSERT_TRUE(UT_WAIT(ut_slot_state(&self->base, self->worker.ctx) ==
			    UMS_STATE_READY));
	EXPECT_EQ(0, UT_LOAD(handled));
	EXPECT_EQ(-EINTR, result(self));
	EXPECT_EQ(self->worker.tid, handled);
}

/* A signal is no wakeup to be recorded: one event, when it is out of the call */
TEST_F(managed, signal_is_not_recorded)
{
	ASSERT_TRUE(install_handler());
	ASSERT_TRUE(start(self, read_byte, SYS_read));
	ASSERT_EQ(0, syscall(SYS_tgkill, getpid(), self->worker.tid, SIGUSR1));
	ASSERT_TRUE(is_reported_ready(self));
	EXPECT_EQ(-EINTR, result(self));
	EXPECT_EQ(0, recorded(self));
}

/* Nobody will execute it any more: its wakeups are true ones */
TEST_F(managed, plain_threads_are_woken)
{
	ASSERT_TRUE(start(self, read_byte, SYS_read));
	ASSERT_EQ(0, ut_detach());
	ASSERT_EQ(1, write(self->fd[1], "", 1));
	ut_join(&self->worker);
	EXPECT_EQ(1, self->worker.ret);
	EXPECT_EQ(0, recorded(self));
}

/* And one that is READY, and sleeps again, goes on by itself */
TEST_F(managed, ready_ones_become_plain_threads)
{
	ASSERT_TRUE(start_waiting(self));
	ASSERT_EQ(0, kill(self->child, SIGSTOP));
	ASSERT_TRUE(is_reported_ready(self));
	ASSERT_TRUE(waits_again(self, 1));
	ASSERT_EQ(0, ut_detach());
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	ut_join(&self->worker);
	EXPECT_EQ(SIGKILL, self->worker.ret);
}

TEST_HARNESS_MAIN
