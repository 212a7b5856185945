// SPDX-License-Identifier: GPL-2.0
/*
 * UMS: file descriptors. Which of them a call takes, that those of another
 * process are refused however they got there, and what can be mapped.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "../kselftest_harness.h"
#include "common.h"

#define MAX_CONTEXTS	1000

FIXTURE(fd)
{
	struct ut_base base;
	__u64 ctx;
};

FIXTURE_SETUP(fd)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	ASSERT_EQ(0, ut_base_open(&self->base, MAX_CONTEXTS, 0));
	ASSERT_EQ(0, ut_ctx_create(self->base.group, 0, &self->ctx));
}

FIXTURE_TEARDOWN(fd)
{
	ut_base_close(&self->base);
}

/* Every call that takes the fd of a group; the caller is not attached */
#define NR_GROUP_CALLS	5

static long group_call(unsigned int call, int fd, __u64 ctx)
{
	struct ums_info info = { .ctx = ctx };
	__u64 unused;

	switch (call) {
	case 0:
		return ut_list_create(fd, NULL);
	case 1:
		return ut_ctx_create(fd, 0, &unused);
	case 2:
		return ut_ctx_delete(fd, ctx);
	case 3:
		return ut_ctl(UMS_CTL_QUERY, fd, &info, sizeof(info));
	default:
		return ut_ctl(UMS_CTL_SET, fd, &info, sizeof(info));
	}
}

/* Every call that takes the fd of a list */
#define NR_LIST_CALLS	4

static long list_call(unsigned int call, int fd, __u64 ctx)
{
	struct ums_event event;

	switch (call) {
	case 0:
		return ut_attach(fd, UMS_ROLE_SCHEDULER, ctx);
	case 1:
		return ut_attach(fd, UMS_ROLE_WORKER, ctx);
	case 2:
		return ut_dequeue(fd, &event, 1, 0);
	default:
		return ut_dequeue(fd, NULL, 0, 0);
	}
}

/* 0 if all calls with both fds fail with @error, else a mark of the first */
static int all_fail(int group, int list, __u64 ctx, long error)
{
	unsigned int i;

	for (i = 0; i < NR_GROUP_CALLS; i++)
		if (group_call(i, group, ctx) != error)
			return 10 + i;
	for (i = 0; i < NR_LIST_CALLS; i++)
		if (list_call(i, list, ctx) != error)
			return 20 + i;
	return 0;
}

/* The same of a process that must not use them, and mapping does not go */
static int all_foreign(int group, int list, __u64 ctx)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int prot = PROT_READ | PROT_WRITE;

	if (mmap(NULL, page, prot, MAP_SHARED, group, 0) != MAP_FAILED ||
	    errno != EXDEV)
		return 30;
	if (mmap(NULL, page, prot, MAP_SHARED, list, 0) != MAP_FAILED ||
	    errno != EXDEV)
		return 31;
	/* It is not attached, which may be what it is told */
	if (ut_execute(group, ctx, NULL) != -ENOTCONN &&
	    ut_execute(group, ctx, NULL) != -EXDEV)
		return 32;
	return all_fail(group, list, ctx, -EXDEV);
}

TEST_F(fd, closed_fds_are_refused)
{
	int closed = dup(self->base.group);

	ASSERT_LE(0, closed);
	ASSERT_EQ(0, close(closed));
	EXPECT_EQ(0, all_fail(-1, -1, self->ctx, -EBADF));
	EXPECT_EQ(0, all_fail(closed, closed, self->ctx, -EBADF));
	EXPECT_EQ(0, all_fail(INT_MAX, INT_MIN, self->ctx, -EBADF));
}

TEST_F(fd, fds_of_other_kinds_are_refused)
{
	int pipes[2], socks[2], fd, i, fds[8], nr = 0;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	fds[nr++] = pipes[0];
	fds[nr++] = pipes[1];
	fds[nr++] = socks[0];
	fds[nr++] = eventfd(0, 0);
	fds[nr++] = epoll_create1(0);
	fds[nr++] = open("/proc/self/exe", O_RDONLY);
	fds[nr++] = open("/", O_RDONLY | O_DIRECTORY);
	for (i = 0; i < nr; i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(0, all_fail(fds[i], fds[i], self->ctx, -EBADFD));
	}
	fd = open("/proc/self/exe", O_PATH);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, all_fail(fd, fd, self->ctx, -EBADF));
}

TEST_F(fd, group_and_list_are_not_the_same)
{
	EXPECT_EQ(0, all_fail(self->base.list, self->base.group, self->ctx,
			      -EBADFD));
}

TEST_F(fd, duplicates_do_as_well)
{
	struct ums_event event;
	int group = dup(self->base.group), list = dup(self->base.list);
	__u64 ctx;

	EXPECT_EQ(UMS_STATE_CREATED, ut_state(group, self->ctx));
	EXPECT_EQ(0, ut_ctx_create(group, 0, &ctx));
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(self->base.group, ctx));
	EXPECT_EQ(-EAGAIN, ut_dequeue(list, &event, 1, 0));
}

TEST_F(fd, fork_child_is_refused)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child)
		_exit(all_foreign(self->base.group, self->base.list,
				  self->ctx));
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(self->base.group, self->ctx));
}

TEST_F(fd, fork_child_of_a_scheduler_is_refused)
{
	pid_t child;

	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(all_foreign(self->base.group, self->base.list,
				  self->ctx));
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(UMS_STATE_RUNNING,
		  ut_state(self->base.group, self->base.sched));
	EXPECT_EQ(0, ut_detach());
}

static int vfork_child(void *arg)
{
	FIXTURE_DATA(fd) * self = arg;

	return all_foreign(self->base.group, self->base.list, self->ctx);
}

TEST_F(fd, child_in_the_same_address_space_is_refused)
{
	size_t size = 64 * 1024;
	char *stack = malloc(size);
	pid_t child;

	ASSERT_NE(NULL, stack);
	child = clone(vfork_child, stack + size,
		      CLONE_VM | CLONE_VFORK | SIGCHLD, self);
	ASSERT_LE(0, child);
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(UMS_STATE_CREATED, ut_state(self->base.group, self->ctx));

	/* Even if it shares the fd table */
	child = clone(vfork_child, stack + size,
		      CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, self);
	ASSERT_LE(0, child);
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	free(stack);
}

TEST_F(fd, process_that_received_them_over_a_socket_is_refused)
{
	struct ut_base later;
	int socks[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		int group = ut_receive_fd(socks[1]);
		int list = ut_receive_fd(socks[1]);
		int ret;

		if (group < 0 || list < 0)
			_exit(1);
		ret = all_foreign(group, list, 1ULL << 32 | 1);
		if (!ret && (close(group) || close(list)))
			ret = 2;
		_exit(ret);
	}
	/* Of these nothing was inherited */
	ASSERT_EQ(0, ut_base_open(&later, 1, 0));
	EXPECT_EQ(0, ut_send_fd(socks[0], later.group));
	EXPECT_EQ(0, ut_send_fd(socks[0], later.list));
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(0, ut_ctx_create(later.group, 0, &self->ctx));
	ut_base_close(&later);
}

static void yields_once(struct ut_thread *thread)
{
	ut_yield(0);
}

static int poll_in(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int ret = poll(&pollfd, 1, timeout_ms);

	return ret == 1 ? pollfd.revents : ret;
}

/* What fdinfo shows of the one worker of a list; 0 if there is none */
static pid_t shown_tid(int list)
{
	char path[64], line[512];
	pid_t tid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", list);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "ums-ctx:\t%*x tid %d role worker state ready",
			   &tid) == 1)
			break;
	fclose(file);
	return tid;
}

/* Of another process; @sock tells that process that it is waited for */
static int watch_list(int sock, int list)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0);
	pid_t tid;

	if (poll_in(list, 0) || epoll_ctl(epoll, EPOLL_CTL_ADD, list, &event) ||
	    epoll_wait(epoll, &event, 1, 0))
		return 1;
	if (write(sock, "w", 1) != 1 ||
	    epoll_wait(epoll, &event, 1, UT_LIMIT_MS) != 1 ||
	    event.events != EPOLLIN || poll_in(list, -1) != POLLIN)
		return 2;
	if (read(sock, &tid, sizeof(tid)) != sizeof(tid) ||
	    shown_tid(list) != tid)
		return 3;
	/* It has taken nothing, and it can take nothing */
	if (ut_dequeue(list, NULL, 0, 0) != -EXDEV || poll_in(list, 0) != POLLIN)
		return 4;
	if (write(sock, "t", 1) != 1 || read(sock, &tid, 1) != 1 ||
	    poll_in(list, 0))
		return 5;
	return 0;
}

TEST_F(fd, process_that_received_a_list_may_watch_it)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	int socks[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(socks[0]);
		/* Those that were inherited are not meant */
		close(base->list);
		_exit(watch_list(socks[1], ut_receive_fd(socks[1])));
	}
	close(socks[1]);
	ASSERT_EQ(0, ut_send_fd(socks[0], base->list));
	ASSERT_EQ(1, read(socks[0], &byte, 1));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yields_once, NULL));
	ASSERT_EQ(0, ut_dequeue(base->list, NULL, 0, UT_LIMIT_MS));
	ASSERT_EQ(sizeof(worker.tid),
		  write(socks[0], &worker.tid, sizeof(worker.tid)));
	ASSERT_EQ(1, read(socks[0], &byte, 1));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(1, ut_next_of(base, worker.ctx, &event));
	ASSERT_EQ(1, write(socks[0], "g", 1));
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	ut_join(&worker);
}

TEST_F(fd, process_is_refused_after_exec)
{
	char group[16], list[16];
	struct ut_base base;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		if (ut_base_open(&base, 4, 0) ||
		    fcntl(base.group, F_SETFD, 0) ||
		    fcntl(base.list, F_SETFD, 0))
			_exit(1);
		snprintf(group, sizeof(group), "%d", base.group);
		snprintf(list, sizeof(list), "%d", base.list);
		execl("/proc/self/exe", "fd_test", "--foreign", group, list,
		      NULL);
		_exit(2);
	}
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
}

TEST_F(fd, mappings_are_shared_whole_and_not_larger)
{
	struct ut_base *base = &self->base;
	size_t page = sysconf(_SC_PAGESIZE);
	int prot = PROT_READ | PROT_WRITE;
	const struct {
		int fd;
		size_t size;
	} maps[] = {
		{ base->group, base->slots_size },
		{ base->list, base->ring_size },
	};
	unsigned int i;
	void *map;

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		int fd = maps[i].fd;
		size_t size = maps[i].size;

		EXPECT_EQ(MAP_FAILED, mmap(NULL, size, prot, MAP_PRIVATE, fd,
					   0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(MAP_FAILED, mmap(NULL, size, PROT_READ, MAP_PRIVATE,
					   fd, 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(MAP_FAILED, mmap(NULL, size + page, prot, MAP_SHARED,
					   fd, 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(MAP_FAILED, mmap(NULL, size, prot, MAP_SHARED, fd,
					   page));
		EXPECT_EQ(EINVAL, errno);
		map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(MAP_FAILED, mremap(map, size, size + page,
					     MREMAP_MAYMOVE));
		EXPECT_EQ(0, munmap(map, size));
	}
}

TEST_F(fd, mappings_show_the_same_memory)
{
	struct ut_base *base = &self->base;
	struct ums_context *slots = mmap(NULL, base->slots_size, PROT_READ,
					 MAP_SHARED, base->group, 0);

	ASSERT_NE(MAP_FAILED, (void *)slots);
	base->slots[0].cookie = 0x1234;
	EXPECT_EQ(0x1234, slots[0].cookie);
	EXPECT_EQ(self->ctx, slots[(__u32)self->ctx].id);
	munmap(slots, base->slots_size);
}

static bool move(void **map, size_t size)
{
	void *there = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	void *moved = mremap(*map, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			     there);

	*map = moved;
	return moved == there;
}

/* The kernel writes into its own pages, wherever they are to be seen */
TEST_F(fd, mappings_are_moved)
{
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;

	ASSERT_TRUE(move((void **)&base->slots, base->slots_size));
	ASSERT_TRUE(move((void **)&base->ring, base->ring_size));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, yields_once, NULL));
	ASSERT_EQ(1, ut_dequeue(base->list, &event, 1, UT_LIMIT_MS));
	EXPECT_EQ(worker.ctx, event.ctx);
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_YIELDED));
	EXPECT_EQ(UMS_STATE_READY, ut_slot_state(base, worker.ctx));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(UMS_STATE_TERMINATED, ut_slot_state(base, worker.ctx));
	ut_join(&worker);
}

TEST_F(fd, mappings_outlive_their_fds)
{
	struct ut_base *base = &self->base;

	EXPECT_EQ(0, close(base->group));
	EXPECT_EQ(0, close(base->list));
	EXPECT_EQ(self->ctx, ut_slot(base, self->ctx)->id);
	EXPECT_EQ(base->list_info.entries - 1, base->ring->mask);
	base->group = -1;
	base->list = -1;
}

TEST_F(fd, mappings_are_absent_in_a_child)
{
	struct ut_base *base = &self->base;
	unsigned char vec;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		if (!mincore(base->slots, 1, &vec) || errno != ENOMEM)
			_exit(1);
		if (!mincore(base->ring, 1, &vec) || errno != ENOMEM)
			_exit(2);
		_exit(0);
	}
	EXPECT_EQ(0, ut_wait_child(child, UT_LIMIT_MS));
	EXPECT_EQ(0, mincore(base->slots, 1, &vec));
}

TEST_F_SIGNAL(fd, slots_that_never_were_are_not_there, SIGBUS)
{
	struct ums_context *last = &self->base.slots[MAX_CONTEXTS];
	struct ums_context *first = &self->base.slots[1];

	EXPECT_EQ(self->ctx, UT_LOAD(first->id));
	EXPECT_EQ(1, UT_LOAD(last->id))
		TH_LOG("a slot without memory could be read");
}

TEST_F(fd, slots_come_when_contexts_are_created)
{
	struct ut_base *base = &self->base;
	unsigned int i;
	__u64 ctx;

	for (i = 1; i < MAX_CONTEXTS; i++) {
		ASSERT_EQ(0, ut_ctx_create(base->group, i, &ctx));
		ASSERT_EQ(ctx, ut_slot(base, ctx)->id);
		ASSERT_EQ(i, ut_slot(base, ctx)->cookie);
	}
}

int main(int argc, char **argv)
{
	/* What process_is_refused_after_exec runs */
	if (argc == 4 && !strcmp(argv[1], "--foreign"))
		return all_foreign(atoi(argv[2]), atoi(argv[3]),
				   1ULL << 32 | 1);
	return test_harness_run(argc, argv);
}
