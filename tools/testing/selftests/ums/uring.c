// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: just enough of io_uring, see uring.h.
 */
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uring.h"

static size_t sq_size(const struct uring *uring)
{
	return uring->params.sq_off.array +
	       uring->params.sq_entries * sizeof(__u32);
}

static size_t cq_size(const struct uring *uring)
{
	return uring->params.cq_off.cqes +
	       uring->params.cq_entries * sizeof(struct io_uring_cqe);
}

static size_t sqes_size(const struct uring *uring)
{
	return uring->params.sq_entries * sizeof(*uring->sqes);
}

static void *map(const struct uring *uring, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, uring->fd,
		    offset);
}

int uring_open_flags(struct uring *uring, __u32 flags)
{
	memset(uring, 0, sizeof(*uring));
	uring->params.flags = flags;
	uring->fd = syscall(SYS_io_uring_setup, 8, &uring->params);
	if (uring->fd < 0)
		return -errno;
	uring->sq = map(uring, sq_size(uring), IORING_OFF_SQ_RING);
	uring->cq = map(uring, cq_size(uring), IORING_OFF_CQ_RING);
	uring->sqes = map(uring, sqes_size(uring), IORING_OFF_SQES);
	if (uring->sq == MAP_FAILED || uring->cq == MAP_FAILED ||
	    uring->sqes == MAP_FAILED)
		return -ENOMEM;
	return 0;
}

int uring_open(struct uring *uring)
{
	return uring_open_flags(uring, 0);
}

int uring_submit(struct uring *uring, const struct io_uring_sqe *sqe)
{
	__u32 *tail = (void *)(uring->sq + uring->params.sq_off.tail);
	__u32 *mask = (void *)(uring->sq + uring->params.sq_off.ring_mask);
	__u32 *array = (void *)(uring->sq + uring->params.sq_off.array);
	__u32 i = *tail & *mask;
	int ret;

	uring->sqes[i] = *sqe;
	array[i] = i;
	UT_STORE(*tail, *tail + 1);
	ret = syscall(SYS_io_uring_enter, uring->fd, 1, 0, 0, NULL, 0);
	return ret < 0 ? -errno : ret;
}

int uring_poll(struct uring *uring, int fd, __u32 flags)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = POLLIN,
		.len = flags,
	};

	return uring_submit(uring, &sqe);
}

bool uring_take(struct uring *uring, struct io_uring_cqe *cqe, bool wait)
{
	__u32 *head = (void *)(uring->cq + uring->params.cq_off.head);
	__u32 *tail = (void *)(uring->cq + uring->params.cq_off.tail);
	__u32 *mask = (void *)(uring->cq + uring->params.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(uring->cq +
					     uring->params.cq_off.cqes);

	if (wait && syscall(SYS_io_uring_enter, uring->fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return false;
	if (*head == UT_LOAD(*tail))
		return false;
	*cqe = cqes[*head & *mask];
	UT_STORE(*head, *head + 1);
	return true;
}

void uring_close(struct uring *uring)
{
	munmap(uring->sqes, sqes_size(uring));
	munmap(uring->cq, cq_size(uring));
	munmap(uring->sq, sq_size(uring));
	close(uring->fd);
}
