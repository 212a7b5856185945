// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers: a child that stops its parent, see stopper.h.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "stopper.h"

/* What the child writes before it ends */
static int result[2];

static bool is_stopped(const char *dir, const char *tid)
{
	char path[400], line[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/stat", dir, tid);
	file = fopen(path, "re");
	/* It has ended */
	if (!file)
		return true;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	state = strrchr(line, ')');
	return !state || strchr("TtZX", state[2]);
}

static bool all_stopped(pid_t pid)
{
	struct dirent *entry;
	bool all = true;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return true;
	while (all && (entry = readdir(dir)))
		all = entry->d_name[0] == '.' ||
		      is_stopped(path, entry->d_name);
	closedir(dir);
	return all;
}

static void stop_parent(int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	pid_t parent = getppid();
	int stops = 0;

	while (!poll(&end, 1, 1)) {
		kill(parent, SIGSTOP);
		stops++;
		if (!UT_WAIT(all_stopped(parent)))
			stops = -1;
		kill(parent, SIGCONT);
		if (stops < 0)
			break;
	}
	_exit(write(result[1], &stops, sizeof(stops)) != sizeof(stops));
}

int stopper_start(struct stopper *stopper)
{
	int fd[2];

	if (pipe(fd) || pipe(result))
		return -errno;
	stopper->fd = fd[1];
	stopper->pid = fork();
	if (stopper->pid < 0)
		return -errno;
	if (!stopper->pid) {
		close(fd[1]);
		stop_parent(fd[0]);
	}
	close(fd[0]);
	return 0;
}

int stopper_end(struct stopper *stopper)
{
	int stops = -1;

	close(stopper->fd);
	if (read(result[0], &stops, sizeof(stops)) != sizeof(stops))
		stops = -1;
	waitpid(stopper->pid, NULL, 0);
	return stops;
}
