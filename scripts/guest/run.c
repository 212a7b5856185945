// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the job and carries what it writes to the host.
 *
 * The job gets pipes, not the ports themselves: a port can be opened once
 * only, and programs open /dev/stdout again. Descriptor 3 is for test results.
 * In the mode "shell" the job gets the second console, a terminal.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define CHANNELS 3

static const char * const channel_name[CHANNELS] = {
	"ums.out", "ums.err", "ums.results",
};

/* Relay's poll set: the pipes, and the job's end. */
static struct pollfd fds[CHANNELS + 1];
static int ports[CHANNELS];

static void open_terminal(void)
{
	struct winsize size = {};
	char *text = job_text("winsize");
	int fd;

	setsid();
	fd = open("/dev/hvc0", O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
		fatal("/dev/hvc0");
	if (sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col) == 2)
		ioctl(fd, TIOCSWINSZ, &size);
	free(text);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static void open_channels(const int *write_end)
{
	int i, null = open("/dev/null", O_RDONLY);

	setsid();
	dup2(null, 0);
	/* The pipes themselves are above these: init holds the ports. */
	for (i = 0; i < CHANNELS; i++)
		dup2(write_end[i], i + 1);
}

static noreturn void exec_job(void)
{
	char *env = job_text("env"), *line, *cwd = job_text("cwd");
	char *shell = job_text("shell"), *cmd = job_text("cmd");

	clearenv();
	while ((line = strsep(&env, "\n")))
		if (*line)
			putenv(line);
	if (chdir(cwd))
		fatal(cwd);
	if (*cmd)
		execl(shell, shell, "-c", cmd, NULL);
	else
		execl(shell, shell, "-i", NULL);
	fatal(shell);
}

/* One read's worth from a pipe to its port. False at the end of the pipe. */
static bool relay(int from, int to)
{
	static char buffer[65536];
	ssize_t n = read(from, buffer, sizeof(buffer)), done = 0, k;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	while (done < n) {
		k = write(to, buffer + done, n - done);
		if (k < 0)
			fatal("port");
		done += k;
	}
	return true;
}

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Ends everything else that runs: init itself is spared. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
}

static void show_blocked_tasks(void)
{
	write_file("/proc/sysrq-trigger", "l");
	write_file("/proc/sysrq-trigger", "w");
}

/*
 * Collects whoever has ended, orphans too. When it is the job, *code is its
 * status as a shell would have it.
 */
static bool reap(pid_t job, int *code)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != job)
			continue;
		ended = true;
		*code = WIFEXITED(status) ? WEXITSTATUS(status) :
					    128 + WTERMSIG(status);
	}
	return ended;
}

/*
 * Until the job has ended and nobody holds a pipe any more. What the job left
 * running is killed; who can't be killed keeps his pipe, and the host loses
 * patience.
 */
static int relay_until_end(pid_t job, long limit, bool *timed_out)
{
	long deadline = limit ? now() + limit : 0;
	int i, code = 255, open_pipes = CHANNELS;
	bool ended = false;

	while (open_pipes || !ended) {
		if (poll(fds, CHANNELS + 1, 1000) < 0 && errno != EINTR)
			fatal("poll");
		for (i = 0; i < CHANNELS; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (!relay(fds[i].fd, ports[i])) {
				fds[i].fd = -1;
				open_pipes--;
			}
		}
		if (reap(job, &code)) {
			ended = true;
			fds[CHANNELS].fd = -1;
			kill_all();
		}
		if (deadline && !ended && !*timed_out && now() >= deadline) {
			*timed_out = true;
			note("job", "took too long");
			show_blocked_tasks();
			kill_all();
		}
	}
	return code;
}

int run_job(bool *timed_out)
{
	bool shell = job_is("mode", "shell");
	char *limit = job_text("timeout");
	int ends[CHANNELS][2], write_end[CHANNELS], code, i;
	pid_t pid;

	for (i = 0; i < CHANNELS; i++) {
		ports[i] = port_open(channel_name[i]);
		if (pipe2(ends[i], O_CLOEXEC))
			fatal("pipe");
		fds[i].fd = ends[i][0];
		fds[i].events = POLLIN;
		write_end[i] = ends[i][1];
	}
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (!pid) {
		if (shell)
			open_terminal();
		else
			open_channels(write_end);
		exec_job();
	}
	for (i = 0; i < CHANNELS; i++)
		close(write_end[i]);
	fds[CHANNELS].fd = pidfd_open(pid, 0);
	fds[CHANNELS].events = POLLIN;
	if (fds[CHANNELS].fd < 0)
		fatal("pidfd_open");
	code = relay_until_end(pid, atol(limit), timed_out);
	free(limit);
	return code;
}
