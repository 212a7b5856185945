/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's init, see init.c. What its parts offer one another.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdnoreturn.h>

/* init.c */
noreturn void fatal(const char *what);
void note(const char *what, const char *why);
char *job_text(const char *name);
bool job_is(const char *name, const char *value);
void write_file(const char *path, const char *text);

/* mount.c */
void mount_early(void);
void mount_root(void);
void raise_limits(void);
void loopback_up(void);

/* ports.c */
int port_open(const char *name);

/* run.c */
int run_job(bool *timed_out);

/* leaks.c */
void leaks_clear(void);
bool leaks_found(void);

#endif
