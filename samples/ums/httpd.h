/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The httpd sample: one thread for each connection, in plain blocking code.
 *
 * What runs a thread is a mode: ordinary threads, or workers of UMS. The
 * acceptor and the connections do not know which one it is.
 */
#ifndef HTTPD_H
#define HTTPD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit status where the kernel has no UMS; what kselftest means by "skip". */
#define HTTPD_EXIT_NO_UMS	4

struct httpd_stats {
	unsigned long connections;
	unsigned long refused;		/* accepted, but no thread to be had */
	unsigned long requests;
	unsigned long status[6];	/* by hundreds */
	unsigned long timeouts;
	unsigned long aborted;		/* the client went in the middle */
	unsigned long long bytes;	/* heads and bodies sent */
};

struct httpd_conn {
	struct httpd *srv;
	struct httpd_conn *prev, *next;
	int fd;
	struct httpd_stats stats;
};

struct httpd_config {
	const char *address;
	const char *root;
	int port;
	unsigned int schedulers;	/* 0: one for each cpu */
	unsigned int max_connections;
	unsigned int timeout;		/* seconds that a client may be silent */
	unsigned int grace;		/* seconds that remain after SIGTERM */
};

/*
 * A way to run threads. spawn() may be called from any thread of the mode,
 * and from the main thread; stop() when all functions have returned or are
 * about to. All return 0 or a negative errno.
 */
struct httpd_mode {
	const char *name;
	bool (*available)(void);	/* else errno says why not */
	int (*start)(const struct httpd_config *config);
	int (*spawn)(void (*fn)(void *arg), void *arg);
	int (*stop)(void);
	void (*report)(FILE *out);
};

struct httpd {
	struct httpd_config config;
	const struct httpd_mode *mode;
	int listen_fd;
	int root_fd;
	atomic_bool closing;

	pthread_mutex_t lock;		/* for all below */
	pthread_cond_t changed;		/* a connection or the acceptor ended */
	bool accepting;
	int accept_error;		/* why the acceptor ended early */
	unsigned int nr_conns;
	unsigned int peak;		/* highest nr_conns */
	struct httpd_conn *conns;
	struct httpd_stats stats;
};

extern const struct httpd_mode httpd_threads;
extern const struct httpd_mode httpd_ums;

/* Thread functions. */
void httpd_accept(void *srv);
void httpd_serve(void *conn);

/* The last thing that a connection does: counts, closes and frees it. */
void httpd_forget(struct httpd_conn *conn);

/* Ends the acceptor and, at the latest after @grace seconds, connections. */
void httpd_drain(struct httpd *srv, unsigned int grace);

#endif /* HTTPD_H */
