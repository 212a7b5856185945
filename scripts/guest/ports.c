// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the channels to the host: virtio-serial ports, known by name.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define CLASS "/sys/class/virtio-ports"

static bool port_named(const char *entry, const char *name)
{
	char path[320], line[64];
	bool same;
	FILE *f;

	snprintf(path, sizeof(path), CLASS "/%s/name", entry);
	f = fopen(path, "re");
	if (!f)
		return false;
	same = fgets(line, sizeof(line), f) &&
	       !strcmp(strtok(line, "\n"), name);
	fclose(f);
	return same;
}

static int port_find(const char *name)
{
	char path[300];
	struct dirent *e;
	int fd = -1;
	DIR *d = opendir(CLASS);

	if (!d)
		return -1;
	while (fd < 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.' || !port_named(e->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	closedir(d);
	return fd;
}

/* The driver learns of its ports by and by: wait for the one asked for. */
int port_open(const char *name)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int fd, tries;

	for (tries = 0; tries < 3000; tries++) {
		fd = port_find(name);
		if (fd >= 0)
			return fd;
		nanosleep(&pause, NULL);
	}
	errno = ENODEV;
	fatal(name);
}
