// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's first process: mounts the host's root, runs the one job that the
 * host asked for, looks for leaks and then, last of all, writes the verdict.
 *
 * Whatever goes wrong on the way ends the guest without a verdict, which the
 * host takes for failure. The console belongs to the kernel's log; the job has
 * channels of its own.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest.h"

static noreturn void power_off(void)
{
	sync();
	/* QEMU runs with -no-reboot. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/* The kernel's log, where the host takes what we say for a complaint. */
static int kmsg = -1;

void note(const char *what, const char *why)
{
	char line[600];

	/* Not dprintf(): it wants to seek, and this file refuses. */
	snprintf(line, sizeof(line), "init: %s: %s\n", what, why);
	if (write(kmsg, line, strlen(line)) < 0)
		power_off();
}

noreturn void fatal(const char *what)
{
	note(what, strerror(errno));
	power_off();
}

/* What the host asks for, as files in the initramfs; see scripts/boot.sh. */
static int job_dir = -1;

/* The content of a job file without its last newline, or "". */
char *job_text(const char *name)
{
	int fd = openat(job_dir, name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *f;

	if (fd < 0)
		return strdup("");
	f = fdopen(fd, "r");
	n = getdelim(&text, &size, '\0', f);
	fclose(f);
	if (n < 0)
		return strdup("");
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

bool job_is(const char *name, const char *value)
{
	char *text = job_text(name);
	bool same = !strcmp(text, value);

	free(text);
	return same;
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		note(path, strerror(errno));
	close(fd);
}

/* Out of the way of the descriptors that the job is given. */
static int open_high(const char *path, int flags)
{
	int low = open(path, flags | O_CLOEXEC);
	int fd = fcntl(low, F_DUPFD_CLOEXEC, 10);

	close(low);
	return fd;
}

int main(void)
{
	bool timed_out = false;
	bool leaked;
	int verdict, code;

	mount_early();
	kmsg = open_high("/dev/kmsg", O_WRONLY);
	job_dir = open_high("/job", O_RDONLY | O_DIRECTORY);
	verdict = port_open("ums.verdict");
	/* The answer that the search for a working accelerator waits for. */
	if (job_is("mode", "probe")) {
		dprintf(verdict, "alive\n");
		power_off();
	}
	mount_root();
	raise_limits();
	loopback_up();
	leaks_clear();
	code = run_job(&timed_out);
	leaked = leaks_found();
	dprintf(verdict, "exit %d\ntimeout %d\nleaks %d\nend\n", code, timed_out,
		leaked);
	power_off();
}
