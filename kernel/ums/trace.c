// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode scheduling: bodies of the tracepoints.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/ums.h>
