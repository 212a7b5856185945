// SPDX-License-Identifier: GPL-2.0
/*
 * The leak scan, on kernels with kmemleak: what the job left behind.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

static bool absent(void)
{
	return access(KMEMLEAK, F_OK);
}

/* What booting has reported is not the job's. */
void leaks_clear(void)
{
	if (!absent())
		write_file(KMEMLEAK, "clear");
}

/* In seconds; lets RCU free what was given to it, too */
#define AGE	6

/*
 * Prints the report to the kernel's log. An object counts if two scans found no
 * pointer to it, it did not change between them, and it is older than five seconds
 * at the end of the second one. Each may take longer than that.
 */
bool leaks_found(void)
{
	char line[512];
	bool found = false;
	time_t start;
	FILE *f;

	if (absent())
		return false;
	start = time(NULL);
	write_file(KMEMLEAK, "scan");
	while (time(NULL) <= start + AGE)
		sleep(1);
	write_file(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "re");
	if (!f)
		fatal(KMEMLEAK);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		note("leak", line);
		found = true;
	}
	fclose(f);
	return found;
}
