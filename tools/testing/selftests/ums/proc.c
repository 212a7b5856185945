// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers, see common.h: what /proc says of threads and processes, files
 * passed on, and children.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

/* What a thread costs at most, with all of the kernel's debugging */
#define THREAD_COST	(64 * 1024)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, buf, size - 1);
	close(fd);
	if (len >= 0)
		buf[len] = '\0';
	return len;
}

char ut_thread_state(pid_t tid)
{
	char path[64], buf[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return 0;
	end = strrchr(buf, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

long ut_thread_syscall(pid_t tid)
{
	char path[64], buf[512];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	if (read_file(path, buf, sizeof(buf)) <= 0 ||
	    !strncmp(buf, "running", 7))
		return -1;
	/* It may have been woken, on another cpu that does not run it yet */
	if (ut_thread_state(tid) == 'R')
		return -1;
	return strtol(buf, NULL, 10);
}

static long status_number(const char *path, const char *name)
{
	size_t len = strlen(name);
	char buf[8192], *line;

	if (read_file(path, buf, sizeof(buf)) <= 0)
		return -1;
	for (line = buf; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, name, len) && line[len] == ':')
			return strtol(line + len + 1, NULL, 10);
	}
	return -1;
}

long ut_status_number(const char *name)
{
	return status_number("/proc/self/status", name);
}

long ut_thread_switches(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	return status_number(path, "voluntary_ctxt_switches");
}

unsigned int ut_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;
	struct dirent *entry;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count - 1;	/* the directory's own */
}

union fd_message {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int ut_send_fd(int sock, int fd)
{
	union fd_message control = {};
	char byte = 'f';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int ut_receive_fd(int sock)
{
	union fd_message control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -errno;
	if (control.header.cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

int ut_wait_child(pid_t pid, unsigned int timeout_ms)
{
	__u64 end = ut_now_ns() + timeout_ms * UT_NSEC_PER_MSEC;
	unsigned int naps = 0;
	int status;
	pid_t ret;

	/* Of a fork that failed: it would mean others here */
	if (pid <= 0)
		return -EINVAL;
	do {
		ret = waitpid(pid, &status, WNOHANG);
		if (ret == pid)
			return status;
		if (ret < 0)
			return -errno;
		ut_nap_longer(&naps);
	} while (ut_now_ns() < end);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -ETIMEDOUT;
}

int ut_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

void ut_prefault(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[PATH_MAX + 128], path[PATH_MAX], perm[5];

	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %4095s", &start, &end,
			   perm, path) == 4 &&
		    path[0] == '/' && perm[0] == 'r')
			madvise((void *)start, end - start,
				MADV_POPULATE_READ);
	}
	fclose(maps);
}

static long read_number(const char *path, const char *format)
{
	FILE *file = fopen(path, "re");
	char line[128];
	long number = -1;

	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &number) != 1)
			number = -1;
	fclose(file);
	return number;
}

/* Whether the limit is @number now, or more */
static bool raise_limit(const char *path, long number)
{
	char text[24];

	if (read_number(path, "%ld") < number) {
		snprintf(text, sizeof(text), "%ld\n", number);
		ut_write_file(path, text);
	}
	return read_number(path, "%ld") >= number;
}

const char *ut_too_small(long threads)
{
	long number = threads + 1000;
	struct rlimit limit;

	if (!raise_limit("/proc/sys/kernel/threads-max", number))
		return "kernel.threads-max is too low";
	if (!raise_limit("/proc/sys/kernel/pid_max", number))
		return "kernel.pid_max is too low";
	/* A stack, and what guards it */
	if (!raise_limit("/proc/sys/vm/max_map_count", 2 * number))
		return "vm.max_map_count is too low";
	if (geteuid() && (getrlimit(RLIMIT_NPROC, &limit) ||
			  limit.rlim_cur < number))
		return "RLIMIT_NPROC is too low";
	if (read_number("/proc/meminfo", "MemAvailable: %ld kB") <
	    threads * (THREAD_COST / 1024))
		return "too little memory";
	return NULL;
}
