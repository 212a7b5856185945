// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: threads in every state go on, and then wait for something that the
 * kernel completes in their context: a request to io_uring, a page that somebody
 * else has to provide.
 */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "states.h"
#include "uring.h"

/* A pipe for each thread, to read from; and which have been written to */
static int pipes[NR_WHO][2];
static bool written[NR_WHO];

/* By userfaultfd: two pages for each thread */
#define PAGES	(2 * NR_WHO)

static int uffd;
static char *area;
static long page_size;

FIXTURE(event_io)
{
	struct states *states;
};

FIXTURE_SETUP(event_io)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	self->states = states_alloc();
	ASSERT_NE(NULL, self->states);
}

FIXTURE_TEARDOWN(event_io)
{
	states_free(self->states);
}

/* Write for those that wait; whether that are all now */
static bool write_to_pipes(struct states *states)
{
	bool all = true;
	enum who who;

	for (who = 0; who < NR_WHO; who++) {
		if (written[who])
			continue;
		if (UT_LOAD(states->thread[who].handled))
			written[who] = write(pipes[who][1], "x", 1) == 1;
		all = all && written[who];
	}
	return all;
}

static void *writer(void *states)
{
	STATES_BAD((struct states *)states, PLAIN,
		   !UT_WAIT(write_to_pipes(states)));
	return NULL;
}

static void start_writer(struct states *states)
{
	pthread_t thread;
	enum who who;

	for (who = 0; who < NR_WHO; who++)
		STATES_BAD(states, PLAIN, pipe(pipes[who]));
	STATES_BAD(states, PLAIN, pthread_create(&thread, NULL, writer, states));
}

static void reads_by_uring(struct states *states, enum who who)
{
	struct io_uring_cqe cqe = {};
	struct uring uring;
	char byte = 0;
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.fd = pipes[who][0],
		.addr = (uintptr_t)&byte,
		.len = 1,
		.user_data = states->thread[who].tid,
	};

	if (uring_open(&uring) || uring_submit(&uring, &sqe) != 1) {
		STATES_BAD(states, who, true);
		return;
	}
	STATES_BAD(states, who, uring_take(&uring, &cqe, false));
	UT_STORE(states->thread[who].handled, 1);
	/* Task work for it may end a wait before the completion is there */
	STATES_BAD(states, who, !UT_WAIT(uring_take(&uring, &cqe, true)));
	STATES_BAD(states, who, cqe.res != 1 || byte != 'x' ||
		   cqe.user_data != (__u64)states->thread[who].tid);
	uring_close(&uring);
}

TEST_F(event_io, threads_read_by_io_uring)
{
	struct states *states = self->states;
	struct uring uring;
	int ret = uring_open(&uring);

	if (ret == -EPERM || ut_unknown(ret))
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, ret);
	uring_close(&uring);

	states->before = start_writer;
	states->after = reads_by_uring;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

/* Until the process ends */
static void *provider(void *arg)
{
	struct states *states = arg;
	char *page = calloc(1, page_size);
	struct uffd_msg msg;

	page[0] = '/';
	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & -page_size,
			.src = (uintptr_t)page,
			.len = page_size,
		};

		/* Who is woken too early faults again, and asks again */
		STATES_BAD(states, PLAIN, ioctl(uffd, UFFDIO_COPY, &copy) &&
			   errno != EEXIST);
	}
	free(page);
	return NULL;
}

static void start_provider(struct states *states)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	page_size = sysconf(_SC_PAGESIZE);
	area = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd = syscall(SYS_userfaultfd, 0);
	reg.range.start = (uintptr_t)area;
	reg.range.len = PAGES * page_size;
	STATES_BAD(states, PLAIN, ioctl(uffd, UFFDIO_API, &api) ||
		   ioctl(uffd, UFFDIO_REGISTER, &reg) ||
		   pthread_create(&thread, NULL, provider, states));
}

/* One fault of user code, and one of the kernel: both pages hold a path */
static void faults(struct states *states, enum who who)
{
	char *page = area + 2 * who * page_size;

	STATES_BAD(states, who, UT_LOAD(page[0]) != '/');
	STATES_BAD(states, who, access(page + page_size, F_OK));
}

TEST_F(event_io, threads_wait_for_pages)
{
	struct states *states = self->states;
	int fd = syscall(SYS_userfaultfd, 0);

	if (fd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	close(fd);

	states->before = start_provider;
	states->after = faults;
	ASSERT_TRUE(states_start(states));
	EXPECT_EQ(0, states_finish(states));
	EXPECT_EQ(0, states_bad(states));
}

TEST_HARNESS_MAIN
