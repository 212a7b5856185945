/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: the places of sites.h that are in the network. A call returns what
 * the system call does, or a negative errno.
 */
#ifndef UMS_SELFTESTS_SITES_NET_H
#define UMS_SELFTESTS_SITES_NET_H

#include "sites.h"

/* Two ends, connected, with nothing to read; data comes by a write to the second */
bool open_unix(struct site *site);
bool open_unix_dgram(struct site *site);
bool open_tcp(struct site *site);
bool open_udp(struct site *site);
long call_recv(struct site *site);

/* As open_tcp(), the first end of which can take no more */
bool fill_tcp(struct site *site);
void drain_tcp(struct site *site);

/* One that listens, and one to connect to it */
bool open_listener(struct site *site);
bool open_unix_listener(struct site *site);
long call_accept(struct site *site);
void wake_accept(struct site *site);

/* One to connect to where nobody accepts, so that it waits until it is shut down */
bool open_busy(struct site *site);
long call_connect(struct site *site);
void wake_connect(struct site *site);

#endif /* UMS_SELFTESTS_SITES_NET_H */
