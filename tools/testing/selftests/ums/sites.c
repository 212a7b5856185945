// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: places of the kernel where a thread can wait, see sites.h.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sites.h"
#include "sites_net.h"

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

static long call_send(struct site *site)
{
	return no_errno(syscall(SYS_write, site->fd[0], "y", 1));
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

static long call_futex_until(struct site *site)
{
	struct timespec ts = { .tv_nsec = SITE_NS };

	return no_errno(syscall(SYS_futex, &site->word, FUTEX_WAIT_PRIVATE, 0,
				&ts, NULL, 0));
}

static long call_futex_waitv(struct site *site)
{
	struct futex_waitv waitv = {
		.uaddr	= (uintptr_t)&site->word,
		.flags	= FUTEX_32 | FUTEX_PRIVATE_FLAG,
	};

	return no_errno(syscall(SYS_futex_waitv, &waitv, 1, 0, NULL, 0));
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
	struct timespec ts = { .tv_nsec = SITE_NS };

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

static bool fill_eventfd(struct site *site)
{
	return open_eventfd(site) && !eventfd_write(site->fd[1], UINT64_MAX - 1);
}

static long call_write_word(struct site *site)
{
	uint64_t value = 1;

	return no_errno(syscall(SYS_write, site->fd[0], &value, sizeof(value)));
}

static void drain_eventfd(struct site *site)
{
	eventfd_t value;

	eventfd_read(site->fd[1], &value);
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

static long call_wait4(struct site *site)
{
	int status;
	pid_t pid = syscall(SYS_wait4, site->child, &status, 0, NULL);

	return pid == site->child ? status : -errno;
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

static bool open_signalfd(struct site *site)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	site->fd[0] = signalfd(-1, &set, 0);
	return site->fd[0] >= 0;
}

static long call_read_signal(struct site *site)
{
	struct signalfd_siginfo info;
	long ret = syscall(SYS_read, site->fd[0], &info, sizeof(info));

	return ret == sizeof(info) ? info.ssi_signo : no_errno(ret);
}

static long call_sigwait_until(struct site *site)
{
	struct timespec ts = { .tv_nsec = SITE_NS };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return no_errno(syscall(SYS_rt_sigtimedwait, &set, NULL, &ts, 8));
}

static bool open_uring(struct site *site)
{
	return open_pipe(site) && !uring_open(&site->uring) &&
	       uring_poll(&site->uring, site->fd[0], 0) == 1;
}

static long call_uring(struct site *site)
{
	return no_errno(syscall(SYS_io_uring_enter, site->uring.fd, 0, 1,
				IORING_ENTER_GETEVENTS, NULL, 0));
}

/* Of which only the worker may do things, also those of its completions */
static bool open_uring_deferred(struct site *site)
{
	return open_pipe(site) &&
	       !uring_open_flags(&site->uring, IORING_SETUP_R_DISABLED |
				 IORING_SETUP_SINGLE_ISSUER |
				 IORING_SETUP_DEFER_TASKRUN);
}

static long call_uring_deferred(struct site *site)
{
	long ret = syscall(SYS_io_uring_register, site->uring.fd,
			   IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	if (ret)
		return -errno;
	ret = uring_poll(&site->uring, site->fd[0], 0);
	return ret == 1 ? call_uring(site) : ret;
}

/* Into a pipe, with a lock of that held */
static bool open_target(struct site *site)
{
	return !pipe(site->target);
}

static bool open_splice_pipe(struct site *site)
{
	return open_pipe(site) && open_target(site);
}

static bool open_splice_tcp(struct site *site)
{
	return open_tcp(site) && open_target(site);
}

static bool open_splice_unix(struct site *site)
{
	return open_unix(site) && open_target(site);
}

static long call_splice(struct site *site)
{
	return no_errno(syscall(SYS_splice, site->fd[0], NULL, site->target[1],
				NULL, 4096, 0)) > 0;
}

const struct site_type site_types[NR_SITES] = {
	[SITE_NANOSLEEP] = {
		SYS_nanosleep, nothing, call_nanosleep, NULL, 0, true,
	},
	[SITE_TIMERFD] = {
		SYS_read, open_timer, call_read_word, wake_timer, 8, true,
	},
	[SITE_PIPE_READ] = {
		SYS_read, open_pipe, call_read, write_byte, 1, true,
	},
	[SITE_PIPE_WRITE] = {
		SYS_write, fill_pipe, call_write, drain_pipe, 1, true,
	},
	[SITE_FUTEX] = {
		SYS_futex, nothing, call_futex, wake_futex, 0, true,
	},
	[SITE_FUTEX_UNTIL] = {
		SYS_futex, nothing, call_futex_until, NULL, -ETIMEDOUT, true,
	},
	[SITE_FUTEX_WAITV] = {
		SYS_futex_waitv, nothing, call_futex_waitv, wake_futex, 0, true,
	},
	[SITE_PI_FUTEX] = {
		SYS_futex, open_pi_futex, call_pi_futex, wake_pi_futex, 0,
	},
	[SITE_EVENTFD] = {
		SYS_read, open_eventfd, call_read_word, wake_eventfd, 8, true,
	},
	[SITE_EVENTFD_WRITE] = {
		SYS_write, fill_eventfd, call_write_word, drain_eventfd, 8,
		true,
	},
	[SITE_UNIX] = {
		SYS_recvfrom, open_unix, call_recv, write_byte, 1, true,
	},
	[SITE_TCP] = {
		SYS_recvfrom, open_tcp, call_recv, write_byte, 1, true,
	},
	[SITE_TCP_SEND] = {
		SYS_write, fill_tcp, call_send, drain_tcp, 1, true,
	},
	[SITE_CONNECT] = {
		SYS_connect, open_busy, call_connect, wake_connect,
		-ECONNRESET, true,
	},
	[SITE_ACCEPT] = {
		SYS_accept, open_listener, call_accept, wake_accept, 1, true,
	},
	[SITE_UNIX_ACCEPT] = {
		SYS_accept, open_unix_listener, call_accept, wake_accept, 1,
		true,
	},
	[SITE_UNIX_DGRAM] = {
		SYS_recvfrom, open_unix_dgram, call_recv, write_byte, 1, true,
	},
	[SITE_UDP] = {
		SYS_recvfrom, open_udp, call_recv, write_byte, 1, true,
	},
	[SITE_EPOLL] = {
		SYS_epoll_wait, open_epoll, call_epoll, write_byte, 1, true,
	},
	[SITE_POLL] = {
		SYS_poll, open_pipe, call_poll, write_byte, 1, true,
	},
	[SITE_SELECT] = {
		SYS_select, open_pipe, call_select, write_byte, 1, true,
	},
	[SITE_WAITID] = {
		SYS_waitid, open_child, call_waitid, write_byte, 0, true,
	},
	[SITE_WAIT4] = {
		SYS_wait4, open_child, call_wait4, write_byte, 0, true,
	},
	[SITE_SIGNALFD] = {
		SYS_read, open_signalfd, call_read_signal, wake_signal,
		SIGUSR2, true,
	},
	[SITE_SIGWAIT] = {
		SYS_rt_sigtimedwait, nothing, call_sigwait, wake_signal,
		SIGUSR2,
	},
	[SITE_SIGWAIT_UNTIL] = {
		SYS_rt_sigtimedwait, nothing, call_sigwait_until, NULL,
		-EAGAIN, true,
	},
	[SITE_URING] = {
		SYS_io_uring_enter, open_uring, call_uring, write_byte, 0,
		true,
	},
	[SITE_URING_DEFERRED] = {
		SYS_io_uring_enter, open_uring_deferred, call_uring_deferred,
		write_byte, 0, true,
	},
	[SITE_VFORK] = {
		SYS_vfork, open_pipe, call_vfork, write_byte, 1,
	},
	[SITE_FLOCK] = {
		SYS_flock, open_locked, call_flock, wake_flock, 0,
	},
	[SITE_SPLICE_PIPE] = {
		SYS_splice, open_splice_pipe, call_splice, write_byte, 1,
	},
	[SITE_SPLICE_TCP] = {
		SYS_splice, open_splice_tcp, call_splice, write_byte, 1,
	},
	[SITE_SPLICE_UNIX] = {
		SYS_splice, open_splice_unix, call_splice, write_byte, 1,
	},
};

bool site_open(struct site *site, struct ut_thread *worker, enum sites which)
{
	memset(site, 0, sizeof(*site));
	site->fd[0] = -1;
	site->fd[1] = -1;
	site->extra = -1;
	site->target[0] = -1;
	site->target[1] = -1;
	site->uring.fd = -1;
	site->worker = worker;
	return site_types[which].open(site);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void site_close(struct site *site)
{
	if (site->child)
		waitpid(site->child, NULL, 0);
	/* The end of the worker's own is work that wakes it from its next wait */
	if (site->uring.fd >= 0 &&
	    !(site->uring.params.flags & IORING_SETUP_DEFER_TASKRUN))
		uring_close(&site->uring);
	close_fd(site->fd[0]);
	close_fd(site->fd[1]);
	close_fd(site->extra);
	close_fd(site->target[0]);
	close_fd(site->target[1]);
}
