// SPDX-License-Identifier: GPL-2.0
/*
 * httpd - a web server for static files, with a thread for each connection
 *
 * The threads are workers of user-mode scheduling (--ums) or ordinary threads
 * (--threads); all that they do is the same blocking code. SIGTERM or SIGINT
 * ends the server: it accepts no more, finishes what it is sending, and prints
 * what it has done in one line of key=value pairs.
 *
 * Only the main thread takes these signals, by sigwait(), and it is neither
 * worker nor scheduler.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd.h"

#define EXIT_USAGE	2

static void usage(FILE *out)
{
	fputs("Usage: httpd --ums | --threads [options]\n"
	      "  --root DIR         serve the files of DIR (default: .)\n"
	      "  --port N           TCP port, 0 for any (default: 8080)\n"
	      "  --address A        IPv4 address (default: 127.0.0.1)\n"
	      "  --schedulers N     UMS schedulers (default: one for each cpu)\n"
	      "  --connections N    at most N at a time (default: 4096)\n"
	      "  --timeout S        seconds that a client may be silent (default: 10)\n"
	      "  --grace S          seconds to finish after SIGTERM (default: 5)\n"
	      "It prints its port when it is ready, and ends by SIGTERM.\n"
	      "Exit status: 4 if the kernel has no UMS.\n", out);
}

static unsigned int number(const char *text, const char *option,
			   unsigned int min, unsigned int max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min ||
	    value > max) {
		fprintf(stderr, "httpd: --%s must be %u to %u\n", option, min,
			max);
		exit(EXIT_USAGE);
	}
	return value;
}

static void parse_options(struct httpd *srv, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ums", no_argument, NULL, 'u' },
		{ "threads", no_argument, NULL, 't' },
		{ "root", required_argument, NULL, 'r' },
		{ "port", required_argument, NULL, 'p' },
		{ "address", required_argument, NULL, 'a' },
		{ "schedulers", required_argument, NULL, 's' },
		{ "connections", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 'o' },
		{ "grace", required_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct httpd_config *config = &srv->config;
	int option, index;

	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		const char *name = option == '?' ? NULL : options[index].name;

		switch (option) {
		case 'u':
			srv->mode = &httpd_ums;
			break;
		case 't':
			srv->mode = &httpd_threads;
			break;
		case 'r':
			config->root = optarg;
			break;
		case 'p':
			config->port = number(optarg, name, 0, 65535);
			break;
		case 'a':
			config->address = optarg;
			break;
		case 's':
			config->schedulers = number(optarg, name, 1, 1024);
			break;
		case 'c':
			config->max_connections = number(optarg, name, 1, 100000);
			break;
		case 'o':
			config->timeout = number(optarg, name, 1, 3600);
			break;
		case 'g':
			config->grace = number(optarg, name, 0, 3600);
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			exit(EXIT_USAGE);
		}
	}
	if (!srv->mode || optind != argc) {
		usage(stderr);
		exit(EXIT_USAGE);
	}
}

static noreturn void fail(const char *what, int error)
{
	fprintf(stderr, "httpd: %s: %s\n", what, strerror(error));
	exit(EXIT_FAILURE);
}

/* A connection needs two descriptors, one of them for the file. */
static void raise_files(struct httpd_config *config)
{
	struct rlimit limit;
	rlim_t want = 2 * config->max_connections + 64;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit", errno);
	if (limit.rlim_cur < want) {
		limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			fail("setrlimit", errno);
	}
	if (limit.rlim_cur < want)
		config->max_connections = limit.rlim_cur > 66 ?
					  (limit.rlim_cur - 64) / 2 : 1;
}

static int open_socket(const struct httpd_config *config, int *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(config->port),
	};
	socklen_t len = sizeof(addr);
	int on = 1;
	int fd;

	if (inet_pton(AF_INET, config->address, &addr.sin_addr) != 1)
		fail(config->address, EINVAL);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		fail("socket", errno);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		fail("listen", errno);
	*port = ntohs(addr.sin_port);
	return fd;
}

static void init_lock(struct httpd *srv)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&srv->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&srv->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void report(const struct httpd *srv)
{
	const struct httpd_stats *s = &srv->stats;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("mode=%s connections=%lu peak=%u refused=%lu requests=%lu",
	       srv->mode->name, s->connections, srv->peak, s->refused,
	       s->requests);
	printf(" status_2xx=%lu status_3xx=%lu status_4xx=%lu status_5xx=%lu",
	       s->status[2], s->status[3], s->status[4], s->status[5]);
	printf(" timeouts=%lu aborted=%lu bytes=%llu", s->timeouts, s->aborted,
	       s->bytes);
	printf(" voluntary_switches=%ld involuntary_switches=%ld",
	       usage.ru_nvcsw, usage.ru_nivcsw);
	srv->mode->report(stdout);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct httpd srv = {
		.config = {
			.address = "127.0.0.1",
			.root = ".",
			.port = 8080,
			.max_connections = 4096,
			.timeout = 10,
			.grace = 5,
		},
		.accepting = true,
	};
	int error, port, signal_number;
	sigset_t signals;

	parse_options(&srv, argc, argv);
	if (!srv.mode->available()) {
		fprintf(stderr, "httpd: --%s: %s\n", srv.mode->name,
			strerror(errno));
		return HTTPD_EXIT_NO_UMS;
	}
	raise_files(&srv.config);
	init_lock(&srv);

	/* All threads inherit this. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	srv.root_fd = open(srv.config.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (srv.root_fd < 0)
		fail(srv.config.root, errno);
	srv.listen_fd = open_socket(&srv.config, &port);

	error = srv.mode->start(&srv.config);
	if (!error)
		error = srv.mode->spawn(httpd_accept, &srv);
	if (error)
		fail("start", -error);
	printf("mode=%s port=%d\n", srv.mode->name, port);
	fflush(stdout);

	sigwait(&signals, &signal_number);
	httpd_drain(&srv, srv.config.grace);
	error = srv.mode->stop();
	if (error)
		fail("stop", -error);
	close(srv.listen_fd);
	close(srv.root_fd);
	report(&srv);
	if (srv.accept_error)
		fail("accept", srv.accept_error);
	return EXIT_SUCCESS;
}
