// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: a worker that blocks in a page fault, on a page that nobody
 * provides until the test does so by userfaultfd. A fault of user code is
 * reported with its address, one inside a system call as that call.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#define PAGES	4

FIXTURE(block_fault) {
	struct ut_base base;
	struct ut_thread worker;
	int uffd;
	long page;
	char *area;
	char buf[65536];
};

FIXTURE_SETUP(block_fault)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	self->uffd = -1;
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));

	self->page = sysconf(_SC_PAGESIZE);
	self->area = mmap(NULL, PAGES * self->page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	reg.range.start = (uintptr_t)self->area;
	reg.range.len = PAGES * self->page;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));

	ASSERT_EQ(0, ut_base_open(&self->base, 8, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(block_fault)
{
	if (self->base.slots)
		ut_base_close(&self->base);
	if (self->uffd >= 0)
		close(self->uffd);
}

/* Provide page @i of the area, filled with @byte */
static bool provide(int uffd, char *area, int i, char byte)
{
	long size = sysconf(_SC_PAGESIZE);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)area + i * size,
		.len = size,
	};
	char *page = malloc(size);
	bool ok;

	memset(page, byte, size);
	copy.src = (uintptr_t)page;
	ok = !ioctl(uffd, UFFDIO_COPY, &copy);
	free(page);
	return ok;
}

/* The address that somebody waits for, 0 if nobody comes to wait */
static __u64 next_fault(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, UT_LIMIT_MS) != 1 ||
	    read(uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return 0;
	return msg.arg.pagefault.address;
}

/* Execute until the worker blocks on something between @start and @end */
static long run_to_fault(struct ut_base *base, __u64 ctx,
			 struct ums_event *event, char *start, char *end)
{
	long ret;

	for (;;) {
		ret = ut_execute(base->group, ctx, event);
		if (ret == -EAGAIN)
			continue;
		if (ret != UMS_REASON_BLOCKED)
			return ret;
		if (event->cause == UMS_CAUSE_FAULT &&
		    event->arg >= (uintptr_t)start &&
		    event->arg < (uintptr_t)end)
			return ret;
		ret = ut_next_of(base, ctx, event);
		if (ret != 1)
			return ret;
	}
}

struct touch {
	char *area;
	long page;
	bool write;
	int fd;
};

/* At an odd offset of each page, so that the exact address is seen */
static void touch_pages(struct ut_thread *thread)
{
	struct touch *touch = thread->arg;
	char *byte;
	int i;

	for (i = 0; i < PAGES; i++) {
		byte = touch->area + i * touch->page + 101 + i;
		if (touch->write)
			UT_STORE(*byte, 'w');
		ut_yield(UT_LOAD(*byte));
	}
}

static void run_touch(struct __test_metadata *_metadata,
		      struct _test_data_block_fault *self, bool write)
{
	struct touch touch = { self->area, self->page, write };
	struct ut_thread *worker = &self->worker;
	char *end = self->area + PAGES * self->page;
	struct ut_base *base = &self->base;
	struct ums_event blocked, event;
	__u64 address;
	int i;

	ASSERT_EQ(0, ut_spawn_worker(base, worker, touch_pages, &touch));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	for (i = 0; i < PAGES; i++) {
		address = (uintptr_t)self->area + i * self->page + 101 + i;
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  run_to_fault(base, worker->ctx, &blocked,
				       self->area, end));
		EXPECT_EQ(UMS_CAUSE_FAULT, blocked.cause);
		EXPECT_EQ(address, blocked.arg);
		EXPECT_LT(event.seq, blocked.seq);
		EXPECT_EQ(UMS_STATE_BLOCKED, ut_slot_state(base, worker->ctx));
		EXPECT_EQ(-EINPROGRESS,
			  ut_execute(base->group, worker->ctx, &event));
		EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));

		EXPECT_EQ(address & -self->page, next_fault(self->uffd));
		ASSERT_TRUE(provide(self->uffd, self->area, i, 'p'));
		ASSERT_EQ(1, ut_next(base, &event));
		EXPECT_EQ(UMS_REASON_READY, event.reason);
		EXPECT_EQ(worker->ctx, event.ctx);
		EXPECT_LT(blocked.seq, event.seq);
		/* It has not run yet */
		EXPECT_EQ('p', *(char *)address);

		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(write ? 'w' : 'p', event.arg);
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
}

TEST_F(block_fault, read_is_reported_with_its_address)
{
	run_touch(_metadata, self, false);
}

TEST_F(block_fault, write_is_reported_with_its_address)
{
	run_touch(_metadata, self, true);
}

static void write_pages(struct ut_thread *thread)
{
	struct touch *touch = thread->arg;
	int i;

	for (i = 0; i < PAGES; i++) {
		ut_yield(UT_NONE);
		ut_yield(syscall(SYS_write, touch->fd,
				 touch->area + i * touch->page, touch->page));
	}
}

TEST_F(block_fault, inside_a_system_call_is_reported_as_that_call)
{
	struct touch touch = { self->area, self->page };
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event event;
	int i, fds[2];
	char byte;

	ASSERT_EQ(0, pipe(fds));
	touch.fd = fds[1];
	ASSERT_EQ(0, ut_spawn_worker(base, worker, write_pages, &touch));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, worker->ctx, &event,
					  SYS_write));
		EXPECT_EQ((uintptr_t)self->area + i * self->page,
			  next_fault(self->uffd));
		ASSERT_TRUE(provide(self->uffd, self->area, i, 'a' + i));
		ASSERT_EQ(1, ut_next(base, &event));
		EXPECT_EQ(UMS_REASON_READY, event.reason);
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker->ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_EQ(self->page, event.arg);
		ASSERT_EQ(1, read(fds[0], &byte, 1));
		EXPECT_EQ('a' + i, byte);
		ASSERT_EQ(self->page - 1,
			  read(fds[0], self->buf, self->page - 1));
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
	close(fds[0]);
	close(fds[1]);
}

/* A write to a file holds the lock of its inode while the buffer is read in */
static void hold_inode(struct ut_thread *thread)
{
	struct touch *touch = thread->arg;

	thread->ret = pwrite(touch->fd, touch->area, touch->page, 0);
}

static void write_same_file(struct ut_thread *thread)
{
	struct touch *touch = thread->arg;

	ut_yield(UT_NONE);
	ut_yield(syscall(SYS_pwrite64, touch->fd, "second", 6, 0));
}

TEST_F(block_fault, of_a_lock_holder_blocks_the_worker_that_wants_the_lock)
{
	struct touch touch = { self->area, self->page };
	struct ut_thread *worker = &self->worker;
	struct ut_base *base = &self->base;
	struct ums_event blocked, event;
	struct ut_thread holder;
	char text[6];

	touch.fd = memfd_create("file", 0);
	ASSERT_LE(0, touch.fd);
	ASSERT_EQ(0, ut_spawn(base, &holder, UMS_ROLE_NONE, hold_inode,
			      &touch));
	ASSERT_EQ((uintptr_t)self->area, next_fault(self->uffd));

	ASSERT_EQ(0, ut_spawn_worker(base, worker, write_same_file, &touch));
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	ASSERT_EQ(UMS_REASON_BLOCKED,
		  ut_run_to_block(base, worker->ctx, &blocked, SYS_pwrite64));
	EXPECT_EQ(-EINPROGRESS, ut_execute(base->group, worker->ctx, &event));
	EXPECT_EQ(-EAGAIN, ut_dequeue(base->list, &event, 1, 0));

	ASSERT_TRUE(provide(self->uffd, self->area, 0, 'h'));
	ASSERT_EQ(1, ut_next(base, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);
	EXPECT_LT(blocked.seq, event.seq);
	ut_join(&holder);
	EXPECT_EQ(self->page, holder.ret);
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(6, event.arg);
	ASSERT_EQ(6, pread(touch.fd, text, 6, 0));
	EXPECT_EQ(0, memcmp("second", text, 6));
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED));
	ut_join(worker);
	close(touch.fd);
}

TEST_HARNESS_MAIN
