// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: io_uring, which polls lists, runs work in the context of
 * a UMS thread, and makes threads of its own. One for the process; entries that
 * two threads fill at the same time are as good as any others.
 */
#include <linux/io_uring.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"

#define ENTRIES	8

static struct {
	int state;
	int fd;
	struct io_uring_params params;
	char *ring;
	struct io_uring_sqe *sqes;
} uring;

enum { UNUSED, BUSY, READY, FAILED };

static void *map(size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, uring.fd,
		    offset);
}

static int open_uring(struct fuzz_thread *self)
{
	static const unsigned int flags[] = {
		0, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CLAMP,
	};

	uring.params.flags = flags[fuzz_below(self, ARRAY_SIZE(flags))];
	uring.fd = syscall(SYS_io_uring_setup, ENTRIES, &uring.params);
	if (uring.fd < 0)
		return FAILED;
	uring.ring = map(uring.params.sq_off.array + ENTRIES * sizeof(__u32) +
			 2 * FUZZ_PAGE, IORING_OFF_SQ_RING);
	uring.sqes = map(ENTRIES * sizeof(*uring.sqes), IORING_OFF_SQES);
	if (uring.ring == MAP_FAILED)
		uring.ring = map(FUZZ_PAGE, IORING_OFF_SQ_RING);
	return uring.ring == MAP_FAILED || uring.sqes == MAP_FAILED ? FAILED :
								      READY;
}

static bool have_uring(struct fuzz_thread *self)
{
	int state = UNUSED;

	if (__atomic_compare_exchange_n(&uring.state, &state, BUSY, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		state = open_uring(self);
		UT_STORE(uring.state, state);
	}
	return state == READY;
}

static __u32 *ring_word(unsigned int offset)
{
	return (__u32 *)(uring.ring + offset);
}

static void fill(struct fuzz_thread *self, struct io_uring_sqe *sqe)
{
	/* The kernel reads it later */
	static struct __kernel_timespec soon = { .tv_nsec = 1000000 };

	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = fuzz_below(self, 4);
	if (fuzz_one_in(self, 4))
		sqe->flags = IOSQE_ASYNC;
	switch (fuzz_below(self, 5)) {
	case 0:
		sqe->opcode = IORING_OP_NOP;
		break;
	case 1:
		sqe->opcode = IORING_OP_TIMEOUT;
		sqe->addr = (uintptr_t)&soon;
		sqe->len = 1;
		break;
	case 2:
		sqe->opcode = IORING_OP_READ;
		sqe->fd = fuzz.pipe[0];
		sqe->addr = (uintptr_t)self->area;
		sqe->len = 1;
		break;
	case 3:
		sqe->opcode = IORING_OP_POLL_REMOVE;
		sqe->addr = fuzz_below(self, 4);
		break;
	default:
		sqe->opcode = IORING_OP_POLL_ADD;
		sqe->fd = fuzz_list_fd(self, fuzz_below(self, FUZZ_LISTS));
		sqe->poll32_events = POLLIN;
		sqe->len = fuzz_below(self, 2) * IORING_POLL_ADD_MULTI;
	}
}

static long op_uring(struct fuzz_thread *self)
{
	__u32 *tail, mask, at, wait = 0, flags = 0;

	if (!have_uring(self))
		return -ENOSYS;
	tail = ring_word(uring.params.sq_off.tail);
	mask = *ring_word(uring.params.sq_off.ring_mask);
	at = UT_LOAD(*tail) & mask & (ENTRIES - 1);
	fill(self, &uring.sqes[at]);
	ring_word(uring.params.sq_off.array)[at] = at;
	UT_INC(*tail);
	if (fuzz_one_in(self, 2)) {
		flags = IORING_ENTER_GETEVENTS;
		wait = fuzz_below(self, 2);
	}
	/* All that has been completed is of no interest */
	UT_STORE(*ring_word(uring.params.cq_off.head),
		 UT_LOAD(*ring_word(uring.params.cq_off.tail)));
	return syscall(SYS_io_uring_enter, uring.fd, 1, wait, flags, NULL, 0);
}

const struct fuzz_op fuzz_uring_ops[] = {
	{ "io_uring", FUZZ_FILES, FUZZ_ALL, 10, op_uring },
	{}
};
