/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: a trace of one's own, of what the whole machine does.
 */
#ifndef UMS_SELFTESTS_TRACE_H
#define UMS_SELFTESTS_TRACE_H

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACEFS		"/sys/kernel/tracing"

struct trace {
	char dir[128];
};

static inline bool trace_write(const struct trace *trace, const char *name,
			       const char *text)
{
	char path[256];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", trace->dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/*
 * False if there is no tracefs, and errno says why. No names of threads: with them the
 * scheduler's events have two readers, and x86 patches their calls each time while the
 * scheduler makes them. QEMU 7.2 can keep the breakpoint of that, and the kernel dies.
 */
static inline bool trace_make(struct trace *trace)
{
	if (access(TRACEFS "/instances", W_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	snprintf(trace->dir, sizeof(trace->dir), TRACEFS "/instances/ums.%d",
		 getpid());
	if (!mkdir(trace->dir, 0700)) {
		if (trace_write(trace, "trace_options", "norecord-cmd"))
			return true;
		rmdir(trace->dir);
	}
	trace->dir[0] = '\0';
	return false;
}

/* The events of UMS, in the order in which they happened on all processors */
static inline bool trace_start(const struct trace *trace)
{
	return trace_write(trace, "trace_clock", "counter") &&
	       trace_write(trace, "buffer_size_kb", "4096") &&
	       trace_write(trace, "events/ums/enable", "1");
}

/* Stop, and give @play each line; false if some are missing */
static inline bool trace_play(const struct trace *trace,
			      void (*play)(const char *line))
{
	unsigned long there = 0, written = 1;
	char path[256], line[1024], *text;
	FILE *file;

	if (!trace_write(trace, "events/enable", "0"))
		return false;
	snprintf(path, sizeof(path), "%s/trace", trace->dir);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		text = strstr(line, "entries-written: ");
		if (text)
			sscanf(text, "entries-written: %lu/%lu", &there,
			       &written);
		play(line);
	}
	fclose(file);
	return there == written;
}

/* Of the thread that a line is about */
static inline pid_t trace_tid(const char *line)
{
	const char *end = strstr(line, " [");

	while (end && end > line && isspace(end[-1]))
		end--;
	while (end && end > line && isdigit(end[-1]))
		end--;
	return end ? atoi(end) : 0;
}

static inline void trace_remove(const struct trace *trace)
{
	if (trace->dir[0])
		rmdir(trace->dir);
}

#endif /* UMS_SELFTESTS_TRACE_H */
