/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: just enough of io_uring, without a library.
 */
#ifndef UMS_SELFTESTS_URING_H
#define UMS_SELFTESTS_URING_H

#include <linux/io_uring.h>

#include "common.h"

/* One ring of io_uring, mapped, with room for a few entries */
struct uring {
	int fd;
	struct io_uring_params params;
	char *sq;
	char *cq;
	struct io_uring_sqe *sqes;
};

/* 0 or a negative errno. What it opened and mapped stays on failure */
int uring_open_flags(struct uring *uring, __u32 flags);
int uring_open(struct uring *uring);
/* Submit a copy of @sqe: 1, or 0 or a negative errno if it was not taken */
int uring_submit(struct uring *uring, const struct io_uring_sqe *sqe);
/* Poll @fd for input; @flags as IORING_POLL_ADD_MULTI. As uring_submit() */
int uring_poll(struct uring *uring, int fd, __u32 flags);
/* Take a completion; false if there is none (yet, if @wait) */
bool uring_take(struct uring *uring, struct io_uring_cqe *cqe, bool wait);
void uring_close(struct uring *uring);

#endif /* UMS_SELFTESTS_URING_H */
