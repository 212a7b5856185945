// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: places of the network where a thread can wait, see sites_net.h.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "sites_net.h"

/* For sockets that are to be filled */
#define BUFFER_BYTES	4096

bool open_unix(struct site *site)
{
	return !socketpair(AF_UNIX, SOCK_STREAM, 0, site->fd);
}

bool open_unix_dgram(struct site *site)
{
	return !socketpair(AF_UNIX, SOCK_DGRAM, 0, site->fd);
}

long call_recv(struct site *site)
{
	char byte;
	long ret = syscall(SYS_recvfrom, site->fd[0], &byte, 1, 0, NULL, NULL);

	return ret < 0 ? -errno : ret;
}

/* A socket at a port of the loopback device, which may not be up yet */
static int bind_loopback(int type, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, type, 0);

	if (fd < 0)
		return -1;
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (void *)addr, sizeof(*addr)) ||
	    getsockname(fd, (void *)addr, &len)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool open_tcp_with(struct site *site, int buffer)
{
	struct sockaddr_in addr;
	int fd = bind_loopback(SOCK_STREAM, &addr);

	if (fd < 0 || listen(fd, 1))
		return false;
	site->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	/* That of a receiver counts from the connection on */
	if (buffer)
		setsockopt(site->fd[1], SOL_SOCKET, SO_RCVBUF, &buffer,
			   sizeof(buffer));
	if (connect(site->fd[1], (void *)&addr, sizeof(addr)))
		return false;
	site->fd[0] = accept(fd, NULL, NULL);
	close(fd);
	if (buffer)
		setsockopt(site->fd[0], SOL_SOCKET, SO_SNDBUF, &buffer,
			   sizeof(buffer));
	return site->fd[0] >= 0;
}

bool open_tcp(struct site *site)
{
	return open_tcp_with(site, 0);
}

bool open_udp(struct site *site)
{
	struct sockaddr_in addr;

	site->fd[0] = bind_loopback(SOCK_DGRAM, &addr);
	site->fd[1] = socket(AF_INET, SOCK_DGRAM, 0);
	return site->fd[0] >= 0 &&
	       !connect(site->fd[1], (void *)&addr, sizeof(addr));
}

/* Is something on its way that makes room when it has arrived? */
static bool in_flight(int fd)
{
	int queued, unsent;

	return !ioctl(fd, SIOCOUTQ, &queued) &&
	       !ioctl(fd, SIOCOUTQNSD, &unsent) && queued != unsent;
}

bool fill_tcp(struct site *site)
{
	static char page[4096];
	bool settled;

	if (!open_tcp_with(site, BUFFER_BYTES) ||
	    fcntl(site->fd[0], F_SETFL, O_NONBLOCK))
		return false;
	do {
		settled = !in_flight(site->fd[0]);
		while (write(site->fd[0], page, sizeof(page)) > 0)
			settled = false;
		if (!settled)
			ut_nap();
	} while (!settled);
	return !fcntl(site->fd[0], F_SETFL, 0);
}

void drain_tcp(struct site *site)
{
	static char page[4096];

	while (recv(site->fd[1], page, sizeof(page), MSG_DONTWAIT) > 0)
		;
}

bool open_listener(struct site *site)
{
	struct sockaddr_in addr;

	site->fd[0] = bind_loopback(SOCK_STREAM, &addr);
	site->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	return site->fd[0] >= 0 && !listen(site->fd[0], 1);
}

bool open_unix_listener(struct site *site)
{
	/* The kernel chooses the name */
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	site->fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	site->fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	return !bind(site->fd[0], (void *)&addr, sizeof(addr.sun_family)) &&
	       !listen(site->fd[0], 1);
}

long call_accept(struct site *site)
{
	long fd = syscall(SYS_accept, site->fd[0], NULL, NULL);

	if (fd < 0)
		return -errno;
	close(fd);
	return 1;
}

static long connect_to(int fd, int listener)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (getsockname(listener, (void *)&addr, &len))
		return -errno;
	return syscall(SYS_connect, fd, &addr, len) ? -errno : 0;
}

void wake_accept(struct site *site)
{
	if (connect_to(site->fd[1], site->fd[0]))
		abort();
}

bool open_busy(struct site *site)
{
	struct sockaddr_in addr;

	site->extra = bind_loopback(SOCK_STREAM, &addr);
	site->fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	site->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	/* Which has room for one */
	return site->extra >= 0 && !listen(site->extra, 0) &&
	       !connect_to(site->fd[1], site->extra);
}

long call_connect(struct site *site)
{
	return connect_to(site->fd[0], site->extra);
}

void wake_connect(struct site *site)
{
	shutdown(site->fd[0], SHUT_RDWR);
}
