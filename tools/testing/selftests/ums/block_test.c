// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a worker that blocks in a system call gives its virtual
 * processor back with an event that names the call, is reported READY exactly
 * once when the wait is over, and finishes the call when it is executed.
 *
 * Each variant is one place of the kernel where a thread can wait.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "common.h"

#define ROUNDS		3
#define TIMED_NS	(50 * UT_NSEC_PER_MSEC)

/**
 * struct site - What one wait needs
 *
 * @fd: What the worker waits on, and the other end of it.
 * @extra: A further descriptor.
 * @word: A futex.
 * @child: A child process.
 * @worker: The thread that waits.
 */
struct site {
	int fd[2];
	int extra;
	uint32_t word;
	pid_t child;
	struct ut_thread *worker;
};

static long no_errno(long ret)
{
	return ret < 0 ? -errno : ret;
}

static bool nothing(struct site *site)
{
	return true;
}

static bool open_pipe(struct site *site)
{
	return !pipe(site->fd);
}

static void write_byte(struct site *site)
{
	char byte = 'x';

	if (write(site->fd[1], &byte, 1) != 1)
		abort();
}

static long call_read(struct site *site)
{
	char byte;

	return no_errno(syscall(SYS_read, site->fd[0], &byte, 1));
}

static bool fill_pipe(struct site *site)
{
	static char page[4096];

	if (pipe2(site->fd, O_NONBLOCK))
		return false;
	while (write(site->fd[1], page, sizeof(page)) > 0)
		;
	return !fcntl(site->fd[1], F_SETFL, 0);
}

static long call_write(struct site *site)
{
	return no_errno(syscall(SYS_write, site->fd[1], "y", 1));
}

static void drain_pipe(struct site *site)
{
	static char page[4096];

	while (read(site->fd[0], page, sizeof(page)) > 0)
		;
}

static long call_futex(struct site *site)
{
	return no_errno(syscall(SYS_futex, &site->word, FUTEX_WAIT_PRIVATE, 0,
				NULL, NULL, 0));
}

static void wake_futex(struct site *site)
{
	syscall(SYS_futex, &site->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long pi_futex(struct site *site, int op)
{
	return no_errno(syscall(SYS_futex, &site->word, op, 0, NULL, NULL, 0));
}

static bool open_pi_futex(struct site *site)
{
	return !pi_futex(site, FUTEX_LOCK_PI_PRIVATE);
}

static long call_pi_futex(struct site *site)
{
	return pi_futex(site, FUTEX_LOCK_PI_PRIVATE) ?:
	       pi_futex(site, FUTEX_UNLOCK_PI_PRIVATE);
}

static void wake_pi_futex(struct site *site)
{
	pi_futex(site, FUTEX_UNLOCK_PI_PRIVATE);
}

static long call_nanosleep(struct site *site)
{
	struct timespec ts = { .tv_nsec = TIMED_NS };

	return no_errno(syscall(SYS_nanosleep, &ts, NULL));
}

static bool open_timer(struct site *site)
{
	struct itimerspec it = { .it_value.tv_sec = UT_LIMIT_MS };

	site->fd[0] = timerfd_create(CLOCK_MONOTONIC, 0);
	site->fd[1] = dup(site->fd[0]);
	return site->fd[1] >= 0 && !timerfd_settime(site->fd[1], 0, &it, NULL);
}

static void wake_timer(struct site *site)
{
	struct itimerspec it = { .it_value.tv_nsec = 1 };

	timerfd_settime(site->fd[1], 0, &it, NULL);
}

static long call_read_word(struct site *site)
{
	uint64_t value;

	return no_errno(syscall(SYS_read, site->fd[0], &value, sizeof(value)));
}

static bool open_eventfd(struct site *site)
{
	site->fd[0] = eventfd(0, 0);
	site->fd[1] = dup(site->fd[0]);
	return site->fd[1] >= 0;
}

static void wake_eventfd(struct site *site)
{
	eventfd_write(site->fd[1], 1);
}

static bool open_unix(struct site *site)
{
	return !socketpair(AF_UNIX, SOCK_STREAM, 0, site->fd);
}

static long call_recv(struct site *site)
{
	char byte;

	return no_errno(syscall(SYS_recvfrom, site->fd[0], &byte, 1, 0, NULL,
				NULL));
}

/* A listening socket of the loopback device, which may not be up yet */
static int listen_tcp(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (void *)addr, sizeof(*addr)) || listen(fd, 1) ||
	    getsockname(fd, (void *)addr, &len)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool open_tcp(struct site *site)
{
	struct sockaddr_in addr;
	int fd = listen_tcp(&addr);

	if (fd < 0)
		return false;
	site->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(site->fd[1], (void *)&addr, sizeof(addr)))
		return false;
	site->fd[0] = accept(fd, NULL, NULL);
	close(fd);
	return site->fd[0] >= 0;
}

static bool open_listener(struct site *site)
{
	struct sockaddr_in addr;

	site->fd[0] = listen_tcp(&addr);
	site->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	return site->fd[0] >= 0 && site->fd[1] >= 0;
}

static long call_accept(struct site *site)
{
	long fd = syscall(SYS_accept, site->fd[0], NULL, NULL);

	if (fd < 0)
		return -errno;
	close(fd);
	return 1;
}

static void wake_accept(struct site *site)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	if (getsockname(site->fd[0], (void *)&addr, &len) ||
	    connect(site->fd[1], (void *)&addr, len))
		abort();
}

static bool open_epoll(struct site *site)
{
	struct epoll_event event = { .events = EPOLLIN };

	site->extra = epoll_create1(0);
	return open_pipe(site) &&
	       !epoll_ctl(site->extra, EPOLL_CTL_ADD, site->fd[0], &event);
}

static long call_epoll(struct site *site)
{
	struct epoll_event event;

	return no_errno(syscall(SYS_epoll_wait, site->extra, &event, 1, -1));
}

static long call_poll(struct site *site)
{
	struct pollfd pfd = { .fd = site->fd[0], .events = POLLIN };

	return no_errno(syscall(SYS_poll, &pfd, 1, -1));
}

static long call_select(struct site *site)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(site->fd[0], &set);
	return no_errno(syscall(SYS_select, site->fd[0] + 1, &set, NULL, NULL,
				NULL));
}

static bool open_child(struct site *site)
{
	char byte;

	if (pipe(site->fd))
		return false;
	site->child = fork();
	if (!site->child)
		_exit(read(site->fd[0], &byte, 1) == 1 ? 0 : 1);
	return site->child > 0;
}

static long call_waitid(struct site *site)
{
	siginfo_t info;
	long ret = syscall(SYS_waitid, P_PID, site->child, &info, WEXITED,
			   NULL);

	return no_errno(ret) ?: info.si_status;
}

static long call_vfork(struct site *site)
{
	pid_t pid = vfork();
	char byte;

	if (!pid)
		_exit(read(site->fd[0], &byte, 1) == 1 ? 0 : 1);
	site->child = pid;
	return pid > 0 ? 1 : -errno;
}

static bool open_locked(struct site *site)
{
	char path[64];

	site->fd[1] = memfd_create("lock", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", site->fd[1]);
	site->fd[0] = open(path, O_RDWR);
	return site->fd[0] >= 0 && !flock(site->fd[1], LOCK_EX);
}

static long call_flock(struct site *site)
{
	return no_errno(syscall(SYS_flock, site->fd[0], LOCK_EX));
}

static void wake_flock(struct site *site)
{
	flock(site->fd[1], LOCK_UN);
}

static long call_sigwait(struct site *site)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return no_errno(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8));
}

static void wake_signal(struct site *site)
{
	syscall(SYS_tgkill, getpid(), site->worker->tid, SIGUSR2);
}

FIXTURE(block) {
	struct ut_base base;
	struct ut_thread worker;
	struct site site;
};

/* @wake: NULL when the wait ends by time. */
FIXTURE_VARIANT(block) {
	long nr;
	bool (*open)(struct site *site);
	long (*call)(struct site *site);
	void (*wake)(struct site *site);
	long result;
};

FIXTURE_VARIANT_ADD(block, nanosleep) {
	SYS_nanosleep, nothing, call_nanosleep, NULL, 0,
};

FIXTURE_VARIANT_ADD(block, timerfd) {
	SYS_read, open_timer, call_read_word, wake_timer, 8,
};

FIXTURE_VARIANT_ADD(block, pipe_read) {
	SYS_read, open_pipe, call_read, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, pipe_write) {
	SYS_write, fill_pipe, call_write, drain_pipe, 1,
};

FIXTURE_VARIANT_ADD(block, futex) {
	SYS_futex, nothing, call_futex, wake_futex, 0,
};

FIXTURE_VARIANT_ADD(block, pi_futex) {
	SYS_futex, open_pi_futex, call_pi_futex, wake_pi_futex, 0,
};

FIXTURE_VARIANT_ADD(block, eventfd) {
	SYS_read, open_eventfd, call_read_word, wake_eventfd, 8,
};

FIXTURE_VARIANT_ADD(block, unix_socket) {
	SYS_recvfrom, open_unix, call_recv, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, tcp_socket) {
	SYS_recvfrom, open_tcp, call_recv, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, accept) {
	SYS_accept, open_listener, call_accept, wake_accept, 1,
};

FIXTURE_VARIANT_ADD(block, epoll_wait) {
	SYS_epoll_wait, open_epoll, call_epoll, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, poll) {
	SYS_poll, open_pipe, call_poll, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, select) {
	SYS_select, open_pipe, call_select, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, waitid) {
	SYS_waitid, open_child, call_waitid, write_byte, 0,
};

FIXTURE_VARIANT_ADD(block, vfork) {
	SYS_vfork, open_pipe, call_vfork, write_byte, 1,
};

FIXTURE_VARIANT_ADD(block, flock) {
	SYS_flock, open_locked, call_flock, wake_flock, 0,
};

FIXTURE_VARIANT_ADD(block, sigwait) {
	SYS_rt_sigtimedwait, nothing, call_sigwait, wake_signal, SIGUSR2,
};

FIXTURE_SETUP(block)
{
	sigset_t set;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, ut_base_open(&self->base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(block)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

struct caller {
	struct site *site;
	long (*call)(struct site *site);
};

/* Yield first, so that the call starts when the test is ready for it */
static void call_and_yield(struct ut_thread *thread)
{
	struct caller *caller = thread->arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ut_yield(UT_NONE);
		ut_yield(caller->call(caller->site));
	}
}

static bool open_site(struct site *site, struct ut_thread *worker,
		      bool (*open)(struct site *site))
{
	memset(site, 0, sizeof(*site));
	site->fd[0] = -1;
	site->fd[1] = -1;
	site->extra = -1;
	site->worker = worker;
	return open(site);
}

static void close_site(struct site *site)
{
	if (site->child)
		waitpid(site->child, NULL, 0);
	if (site->fd[0] >= 0)
		close(site->fd[0]);
	if (site->fd[1] >= 0)
		close(site->fd[1]);
	if (site->extra >= 0)
		close(site->extra);
}

TEST_F(block, is_reported_with_its_call_and_finishes_when_executed)
{
	struct caller caller = { &self->site, variant->call };
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event blocked, event;
	struct ums_info info;
	__u64 start, seq;
	int i;

	ASSERT_EQ(0, ut_spawn_worker(base, worker, call_and_yield, &caller));
	ASSERT_EQ(1, ut_next(base, &event));
	ASSERT_EQ(UMS_REASON_READY, event.reason);
	ASSERT_EQ(worker->ctx, event.ctx);
	seq = event.seq;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		ASSERT_EQ(UT_NONE, event.arg);
		EXPECT_LT(seq, event.seq + ut_user_mode());
		seq = event.seq;
		ASSERT_TRUE(open_site(&self->site, worker, variant->open));

		start = ut_now_ns();
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, worker->ctx, &blocked,
					  variant->nr));
		EXPECT_EQ(worker->ctx, blocked.ctx);
		EXPECT_EQ((uintptr_t)worker, blocked.cookie);
		EXPECT_EQ(UMS_REASON_BLOCKED, blocked.reason);
		EXPECT_EQ(UMS_CAUSE_SYSCALL, blocked.cause);
		EXPECT_EQ(variant->nr, blocked.arg);
		EXPECT_LT(seq, blocked.seq);
		EXPECT_LE(start, blocked.time_ns);
		EXPECT_GE(ut_now_ns(), blocked.time_ns);

		if (variant->wake) {
			EXPECT_EQ(UMS_STATE_BLOCKED,
				  ut_slot_state(base, worker->ctx));
			EXPECT_EQ(UMS_STATE_BLOCKED,
				  ut_state(base->group, worker->ctx));
			EXPECT_EQ(-EINPROGRESS,
				  ut_execute(base->group, worker->ctx, &event));
			EXPECT_EQ(-EAGAIN,
				  ut_dequeue(base->list, &event, 1, 0));
			EXPECT_EQ(0, ut_query(base->group, worker->ctx,
					      UMS_INFO_EVENT, &info));
			EXPECT_EQ(0, memcmp(&blocked, &info.event,
					    sizeof(blocked)));
			variant->wake(&self->site);
		}

		ASSERT_EQ(1, ut_next(base, &event));
		EXPECT_EQ(UMS_REASON_READY, event.reason);
		EXPECT_EQ(worker->ctx, event.ctx);
		EXPECT_EQ((uintptr_t)worker, event.cookie);
		EXPECT_EQ(UMS_CAUSE_NONE, event.cause);
		EXPECT_EQ(0, event.arg);
		EXPECT_LT(blocked.seq, event.seq);
		EXPECT_LE(blocked.time_ns, event.time_ns);
		EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker->ctx));
		EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));
		if (!variant->wake)
			EXPECT_LE(start + TIMED_NS, ut_now_ns());
		seq = event.seq;

		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(variant->result, (long)event.arg);
		EXPECT_LT(seq, event.seq + ut_user_mode());
		seq = event.seq;
		close_site(&self->site);
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
}

TEST_HARNESS_MAIN
