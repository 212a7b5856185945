/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: places of the kernel where a thread can wait. SIGUSR2 has to be
 * blocked for some.
 */
#ifndef UMS_SELFTESTS_SITES_H
#define UMS_SELFTESTS_SITES_H

#include "common.h"
#include "uring.h"

/* How long those wait that nobody wakes */
#define SITE_NS		(50 * UT_NSEC_PER_MSEC)

enum sites {
	SITE_NANOSLEEP,
	SITE_TIMERFD,
	SITE_PIPE_READ,
	SITE_PIPE_WRITE,
	SITE_FUTEX,
	SITE_FUTEX_UNTIL,
	SITE_FUTEX_WAITV,
	SITE_PI_FUTEX,
	SITE_EVENTFD,
	SITE_EVENTFD_WRITE,
	SITE_UNIX,
	SITE_TCP,
	SITE_TCP_SEND,
	SITE_CONNECT,
	SITE_ACCEPT,
	SITE_UNIX_ACCEPT,
	SITE_UNIX_DGRAM,
	SITE_UDP,
	SITE_EPOLL,
	SITE_POLL,
	SITE_SELECT,
	SITE_WAITID,
	SITE_WAIT4,
	SITE_SIGNALFD,
	SITE_SIGWAIT,
	SITE_SIGWAIT_UNTIL,
	SITE_URING,
	SITE_URING_DEFERRED,
	SITE_VFORK,
	SITE_FLOCK,
	SITE_SPLICE_PIPE,
	SITE_SPLICE_TCP,
	SITE_SPLICE_UNIX,
	NR_SITES,
};

/**
 * struct site - What one wait needs
 *
 * @fd: What the worker waits on, and the other end of it.
 * @extra: A further descriptor.
 * @target: A pipe to splice into.
 * @uring: A ring.
 * @word: A futex.
 * @child: A child process.
 * @worker: The thread that waits.
 */
struct site {
	int fd[2];
	int extra;
	int target[2];
	struct uring uring;
	uint32_t word;
	pid_t child;
	struct ut_thread *worker;
};

/**
 * struct site_type - How to wait
 *
 * @nr: Number of the system call.
 * @open: Prepare; false if that failed.
 * @call: Wait; in the worker.
 * @wake: End the wait; NULL when it ends by time.
 * @result: What @call returns then.
 * @managed: The wakeup is recorded, see kernel/ums/sleep.c.
 */
struct site_type {
	long nr;
	bool (*open)(struct site *site);
	long (*call)(struct site *site);
	void (*wake)(struct site *site);
	long result;
	bool managed;
};

extern const struct site_type site_types[NR_SITES];

/* Prepare @site for @worker to wait in; false if that failed */
bool site_open(struct site *site, struct ut_thread *worker, enum sites which);
void site_close(struct site *site);

#endif /* UMS_SELFTESTS_SITES_H */
