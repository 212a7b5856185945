// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers: where everybody is, for a test that gives up waiting.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "tell.h"

static void tell_file(const char *path)
{
	char line[256];
	FILE *file = fopen(path, "r");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		fprintf(stderr, "#   %s%s", line,
			strchr(line, '\n') ? "" : "\n");
	fclose(file);
}

void ut_tell(const struct ut_base *base)
{
	static const char * const files[] = { "syscall", "stack" };
	struct dirent *entry;
	char path[300];
	unsigned int i;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", base->group);
	tell_file(path);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", base->list);
	tell_file(path);
	dir = opendir("/proc/self/task");
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		fprintf(stderr, "# thread %s\n", entry->d_name);
		for (i = 0; i < ARRAY_SIZE(files); i++) {
			snprintf(path, sizeof(path), "/proc/self/task/%s/%s",
				 entry->d_name, files[i]);
			tell_file(path);
		}
	}
	closedir(dir);
}
