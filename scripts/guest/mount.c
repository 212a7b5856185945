// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's file systems and limits.
 *
 * The host's root comes by 9p and is read only; a tmpfs lies over it, so that
 * every program may write anywhere and nothing of it reaches the host. Only
 * /run begins empty: what it says is about processes of the host.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static void mount_on(const char *what, const char *where, const char *type,
		     unsigned long flags, const char *options)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, options))
		fatal(where);
}

/* For what init itself needs, and for the log. */
void mount_early(void)
{
	mount_on("dev", "/dev", "devtmpfs", 0, NULL);
	mount_on("proc", "/proc", "proc", 0, NULL);
	mount_on("sys", "/sys", "sysfs", 0, NULL);
}

/* A file system that the configuration may lack. */
static void try_mount(const char *type, const char *where)
{
	if (mount(type, where, type, 0, NULL))
		note(where, strerror(errno));
}

static void kernel_mounts(void)
{
	mount_on("dev", "/dev", "devtmpfs", 0, NULL);
	mount_on("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666,mode=620");
	mount_on("shm", "/dev/shm", "tmpfs", 0, "mode=1777");
	mkdir("/dev/mqueue", 0755);
	try_mount("mqueue", "/dev/mqueue");
	mkdir("/dev/hugepages", 0755);
	try_mount("hugetlbfs", "/dev/hugepages");
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		note("links in /dev", strerror(errno));
	mount_on("run", "/run", "tmpfs", 0, "mode=755");
	mount_on("proc", "/proc", "proc", 0, NULL);
	mount_on("sys", "/sys", "sysfs", 0, NULL);
	try_mount("debugfs", "/sys/kernel/debug");
	try_mount("tracefs", "/sys/kernel/tracing");
	try_mount("cgroup2", "/sys/fs/cgroup");
}

void mount_root(void)
{
	mount_on("root", "/host", "9p", MS_RDONLY,
		 "trans=virtio,version=9p2000.L,cache=loose,msize=512000");
	mount_on("over", "/over", "tmpfs", 0, "mode=755");
	mkdir("/over/upper", 0755);
	mkdir("/over/work", 0755);
	mount_on("root", "/root", "overlay", 0,
		 "lowerdir=/host,upperdir=/over/upper,workdir=/over/work");
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		fatal("chroot");
	kernel_mounts();
}

/* Tests start ten thousand threads. */
void raise_limits(void)
{
	struct rlimit files = { 65536, 65536 };
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &none);
	write_file("/proc/sys/kernel/threads-max", "65536");
	write_file("/proc/sys/kernel/pid_max", "131072");
	write_file("/proc/sys/vm/max_map_count", "262144");
	if (sethostname("ums", 3))
		note("hostname", strerror(errno));
}

void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		note("lo", strerror(errno));
	close(fd);
}
