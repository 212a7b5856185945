// SPDX-License-Identifier: GPL-2.0
/*
 * One connection: read a request, answer it, as long as both sides like.
 *
 * This is all that a thread of the server does, and it is blocking code. Time
 * limits are those of the socket (SO_RCVTIMEO, SO_SNDTIMEO) and, because a
 * client could send one byte at a time, one for a whole request head.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "httpd.h"
#include "httpd_http.h"

/* What is thrown away from a client that still talks when we close. */
#define LINGER_BYTES	(256 * 1024)

struct session {
	struct httpd_conn *conn;
	size_t used;
	char in[HTTP_HEAD_MAX];
	char out[HTTP_REPLY_MAX];
};

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static bool send_all(struct httpd_conn *conn, const char *buf, size_t len,
		     int flags)
{
	while (len) {
		ssize_t n = send(conn->fd, buf, len, flags | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		conn->stats.bytes += n;
		buf += n;
		len -= n;
	}
	return true;
}

static bool send_file(struct httpd_conn *conn, int file, off_t len)
{
	while (len) {
		ssize_t n = sendfile(conn->fd, file, NULL, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* 0: somebody made the file shorter than we promised */
		if (n <= 0)
			return false;
		conn->stats.bytes += n;
		len -= n;
	}
	return true;
}

static bool send_reply(struct session *s, const struct http_reply *reply,
		       bool head_only, int file)
{
	bool body = reply->has_file && !head_only && reply->length;
	size_t len = http_format(reply, head_only, s->out, sizeof(s->out));

	s->conn->stats.requests++;
	s->conn->stats.status[reply->status / 100]++;
	if (send_all(s->conn, s->out, len, body ? MSG_MORE : 0) &&
	    (!body || send_file(s->conn, file, reply->length)))
		return reply->keep_alive;

	if (errno == EAGAIN)
		s->conn->stats.timeouts++;
	else
		s->conn->stats.aborted++;
	return false;
}

static bool send_status(struct session *s, int status, bool keep_alive,
			bool head_only)
{
	struct http_reply reply = { .status = status, .keep_alive = keep_alive };

	return send_reply(s, &reply, head_only, -1);
}

/* Answers a request; true when the connection goes on. */
static bool answer(struct session *s, size_t head_len)
{
	struct httpd *srv = s->conn->srv;
	struct http_reply reply = { .status = 200 };
	struct http_request req;
	char path[PATH_MAX];
	bool dir, head_only, keep;
	int fd = -1;
	int status;

	status = http_parse(&req, s->in, head_len);
	head_only = req.method == HTTP_HEAD;
	reply.keep_alive = req.keep_alive && !atomic_load(&srv->closing);
	if (!status)
		status = http_decode_path(req.path, req.path_len, path,
					  sizeof(path), &dir);
	if (!status) {
		fd = http_open(srv->root_fd, path, dir, &reply.length,
			       &reply.mtime);
		if (fd < 0)
			status = -fd;
	}

	if (fd < 0) {
		reply.status = status;
		reply.keep_alive &= status != 400 && status < 500;
		reply.redirect = status == 301 ? &req : NULL;
		return send_reply(s, &reply, head_only, -1);
	}
	if (http_not_modified(&req, reply.mtime))
		reply.status = 304;
	else
		reply.has_file = true;
	reply.type = http_content_type(dir ? "index.html" : path);
	keep = send_reply(s, &reply, head_only, fd);
	close(fd);
	return keep;
}

/*
 * Reads until a request head is complete: its length, or 0 when the
 * connection has ended, with the right words if the client is to blame.
 */
static size_t read_head(struct session *s)
{
	struct httpd_conn *conn = s->conn;
	time_t deadline = seconds() + conn->srv->config.timeout;
	struct http_scan scan = { 0 };

	for (;;) {
		int status = http_scan(&scan, s->in, s->used);
		ssize_t n;

		if (status == 1)
			return scan.pos;
		if (!status && s->used && seconds() > deadline)
			status = 408;
		if (status) {
			conn->stats.timeouts += status == 408;
			send_status(s, status, false, false);
			return 0;
		}

		n = read(conn->fd, s->in + s->used, sizeof(s->in) - s->used);
		if (n > 0) {
			if (!s->used)
				deadline = seconds() + conn->srv->config.timeout;
			s->used += n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			/* An idle connection is closed without a word. */
			conn->stats.timeouts++;
			if (s->used)
				send_status(s, 408, false, false);
			return 0;
		}
		conn->stats.aborted += n < 0 || s->used;
		return 0;
	}
}

/*
 * Closing a socket with unread data resets the connection, and the client may
 * lose what it was just told. So wait for it to see our end, within limits.
 */
static void linger(struct session *s)
{
	struct timeval second = { .tv_sec = 1 };
	time_t deadline = seconds() + s->conn->srv->config.timeout;
	size_t left = LINGER_BYTES;

	if (shutdown(s->conn->fd, SHUT_WR) ||
	    setsockopt(s->conn->fd, SOL_SOCKET, SO_RCVTIMEO, &second,
		       sizeof(second)))
		return;
	while (left && seconds() <= deadline) {
		ssize_t n = read(s->conn->fd, s->in, sizeof(s->in));

		if (n <= 0)
			return;
		left -= (size_t)n < left ? (size_t)n : left;
	}
}

static void serve(struct session *s)
{
	struct httpd *srv = s->conn->srv;
	struct timeval timeout = { .tv_sec = srv->config.timeout };
	int on = 1;

	if (setsockopt(s->conn->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)) ||
	    setsockopt(s->conn->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
		       sizeof(timeout)) ||
	    setsockopt(s->conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))) {
		s->conn->stats.aborted++;
		return;
	}

	for (;;) {
		size_t head_len = read_head(s);
		bool keep = head_len && answer(s, head_len);

		if (!keep)
			break;
		/* What follows are requests that the client sent ahead. */
		s->used -= head_len;
		memmove(s->in, s->in + head_len, s->used);
	}
	linger(s);
}

void httpd_serve(void *arg)
{
	struct session s;

	s.conn = arg;
	s.used = 0;
	serve(&s);
	httpd_forget(arg);
}
