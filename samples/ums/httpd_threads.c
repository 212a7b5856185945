// SPDX-License-Identifier: GPL-2.0
/*
 * httpd --threads: every connection is an ordinary thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "httpd.h"
#include "httpd_crew.h"

static void dispose(struct crew_thread *t)
{
	free(t);
}

static void *run(void *arg)
{
	struct crew_thread *t = arg;

	t->fn(t->arg);
	crew_ended(t);
	return NULL;
}

static bool threads_available(void)
{
	return true;
}

static int threads_start(const struct httpd_config *config)
{
	(void)config;
	return 0;
}

static int threads_spawn(void (*fn)(void *arg), void *arg)
{
	struct crew_thread *t;
	int error;

	crew_reap(dispose);
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	error = crew_start(t, run);
	if (error)
		free(t);
	return error;
}

static int threads_stop(void)
{
	crew_join(dispose);
	return 0;
}

static void threads_report(FILE *out)
{
	(void)out;
}

const struct httpd_mode httpd_threads = {
	.name = "threads",
	.available = threads_available,
	.start = threads_start,
	.spawn = threads_spawn,
	.stop = threads_stop,
	.report = threads_report,
};
