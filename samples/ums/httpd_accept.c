// SPDX-License-Identifier: GPL-2.0
/*
 * The acceptor, and the list of all connections.
 *
 * The list is there for the end: a connection that waits for its client is
 * told by shutdown() of its socket. A connection leaves the list before it
 * closes its descriptor, so that never a reused number is shut down.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "httpd.h"

static struct timespec after_ms(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

static void add_stats(struct httpd_stats *to, const struct httpd_stats *from)
{
	to->connections += from->connections;
	to->refused += from->refused;
	to->requests += from->requests;
	for (int i = 0; i < 6; i++)
		to->status[i] += from->status[i];
	to->timeouts += from->timeouts;
	to->aborted += from->aborted;
	to->bytes += from->bytes;
}

/* False when the server is about to end. */
static bool remember(struct httpd_conn *conn)
{
	struct httpd *srv = conn->srv;
	bool open;

	pthread_mutex_lock(&srv->lock);
	open = !atomic_load(&srv->closing);
	if (open) {
		conn->next = srv->conns;
		if (conn->next)
			conn->next->prev = conn;
		srv->conns = conn;
		if (++srv->nr_conns > srv->peak)
			srv->peak = srv->nr_conns;
	}
	pthread_mutex_unlock(&srv->lock);
	return open;
}

void httpd_forget(struct httpd_conn *conn)
{
	struct httpd *srv = conn->srv;

	pthread_mutex_lock(&srv->lock);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		srv->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	add_stats(&srv->stats, &conn->stats);
	srv->nr_conns--;
	pthread_cond_broadcast(&srv->changed);
	pthread_mutex_unlock(&srv->lock);
	close(conn->fd);
	free(conn);
}

/* Waits while there are as many connections as there may be. */
static bool wait_for_room(struct httpd *srv)
{
	bool open;

	pthread_mutex_lock(&srv->lock);
	while (srv->nr_conns >= srv->config.max_connections &&
	       !atomic_load(&srv->closing))
		pthread_cond_wait(&srv->changed, &srv->lock);
	open = !atomic_load(&srv->closing);
	pthread_mutex_unlock(&srv->lock);
	return open;
}

/* The system is short of something: wait until a connection gives some back. */
static void wait_for_change(struct httpd *srv)
{
	struct timespec limit = after_ms(100);

	pthread_mutex_lock(&srv->lock);
	if (!atomic_load(&srv->closing))
		pthread_cond_timedwait(&srv->changed, &srv->lock, &limit);
	pthread_mutex_unlock(&srv->lock);
}

static void start_connection(struct httpd *srv, int fd)
{
	struct httpd_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return;
	}
	conn->srv = srv;
	conn->fd = fd;
	conn->stats.connections = 1;
	if (!remember(conn)) {
		close(fd);
		free(conn);
	} else if (srv->mode->spawn(httpd_serve, conn)) {
		conn->stats.refused = 1;
		httpd_forget(conn);
	}
}

void httpd_accept(void *arg)
{
	struct httpd *srv = arg;
	int error = 0;

	while (!error && wait_for_room(srv)) {
		int fd = accept4(srv->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			start_connection(srv, fd);
			continue;
		}
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			wait_for_change(srv);
			break;
		case EBADF:
		case EINVAL:	/* after shutdown(), too */
		case ENOTSOCK:
		case EOPNOTSUPP:
			error = errno;
			break;
		default:
			/* a connection that failed before it was accepted */
			break;
		}
	}

	pthread_mutex_lock(&srv->lock);
	srv->accepting = false;
	if (!atomic_load(&srv->closing)) {
		srv->accept_error = error;
		kill(getpid(), SIGTERM);
	}
	pthread_cond_broadcast(&srv->changed);
	pthread_mutex_unlock(&srv->lock);
}

static void shutdown_all(struct httpd *srv, int how)
{
	for (struct httpd_conn *conn = srv->conns; conn; conn = conn->next)
		shutdown(conn->fd, how);
}

void httpd_drain(struct httpd *srv, unsigned int grace)
{
	struct timespec limit = after_ms(grace * 1000);
	bool forced = false;

	pthread_mutex_lock(&srv->lock);
	atomic_store(&srv->closing, true);
	pthread_cond_broadcast(&srv->changed);
	shutdown(srv->listen_fd, SHUT_RDWR);
	shutdown_all(srv, SHUT_RD);
	while (srv->accepting || srv->nr_conns) {
		if (forced) {
			pthread_cond_wait(&srv->changed, &srv->lock);
		} else if (pthread_cond_timedwait(&srv->changed, &srv->lock,
						  &limit) == ETIMEDOUT) {
			shutdown_all(srv, SHUT_RDWR);
			forced = true;
		}
	}
	pthread_mutex_unlock(&srv->lock);
}
