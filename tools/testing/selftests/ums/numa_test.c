// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: memory of lists and contexts on the node that was asked for, and
 * schedulers with lists of their own on every node. Needs libnuma to build,
 * and two nodes with processors to run.
 */
#ifdef HAVE_LIBNUMA
#include <numa.h>
#include <numaif.h>
#endif
#include <sched.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "common.h"

#ifndef HAVE_LIBNUMA

TEST(memory_and_schedulers_are_on_their_nodes)
{
	SKIP(return, "built without libnuma");
}

#else

#define MAX_NODES	4
#define WORKERS		3
#define ROUNDS		50

FIXTURE(numa) {
	struct ut_base base;
	int node[MAX_NODES];
	int nodes;
};

static bool has_cpus(int node)
{
	struct bitmask *cpus = numa_allocate_cpumask();
	bool ret;

	ret = !numa_node_to_cpus(node, cpus) && numa_bitmask_weight(cpus);
	numa_free_cpumask(cpus);
	return ret;
}

FIXTURE_SETUP(numa)
{
	int node;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (numa_available() < 0)
		SKIP(return, "no NUMA");
	for (node = 0; node <= numa_max_node(); node++)
		if (self->nodes < MAX_NODES && has_cpus(node) &&
		    numa_node_size64(node, NULL) > 0)
			self->node[self->nodes++] = node;
	if (self->nodes < 2)
		SKIP(return, "only one node");
	ASSERT_EQ(0, ut_base_open(&self->base, 256, UMS_ORPHAN_RELEASE));
}

FIXTURE_TEARDOWN(numa)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

static int create_list_on(struct ut_base *base, int node,
			  struct ums_list_create *create)
{
	memset(create, 0, sizeof(*create));
	create->flags = UMS_CREATE_NODE;
	create->node = node;
	return ut_ctl(UMS_CTL_LIST_CREATE, base->group, create,
		      sizeof(*create));
}

/* Node of the page that @address is in, or a negative errno */
static int node_of(void *address)
{
	long page = sysconf(_SC_PAGESIZE);
	char *first = (char *)((uintptr_t)address & -page);
	void *start = first;
	int status = -ENOENT;

	/* It has to be in the page table to have a node */
	UT_LOAD(*first);
	if (numa_move_pages(0, 1, &start, NULL, &status, 0))
		return -errno;
	return status;
}

TEST_F(numa, list_is_on_the_node_that_was_asked_for)
{
	struct ums_list_create create;
	size_t offset;
	char *ring;
	int i, list;

	for (i = 0; i < self->nodes * 2; i++) {
		int node = self->node[i % self->nodes];

		list = create_list_on(&self->base, node, &create);
		ASSERT_LE(0, list);
		ring = mmap(NULL, create.mmap_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, list, 0);
		ASSERT_NE(MAP_FAILED, ring);
		for (offset = 0; offset < create.mmap_size; offset += 4096)
			EXPECT_EQ(node, node_of(ring + offset));
		munmap(ring, create.mmap_size);
		close(list);
	}
}

TEST_F(numa, context_is_on_the_node_that_was_asked_for)
{
	struct ums_ctx_create create;
	int i;

	for (i = 0; i < self->nodes * 20; i++) {
		int node = self->node[i % self->nodes];

		memset(&create, 0, sizeof(create));
		create.flags = UMS_CREATE_NODE;
		create.node = node;
		ASSERT_EQ(0, ut_ctl(UMS_CTL_CTX_CREATE, self->base.group,
				    &create, sizeof(create)));
		EXPECT_EQ(node, node_of(ut_slot(&self->base, create.ctx)));
	}
}

static bool is_event_of(const struct ums_event *event, int node)
{
	return event->node == (unsigned int)node &&
	       numa_node_of_cpu(event->cpu) == node;
}

struct tour {
	int *node;
	int nodes;
	int fd[2];
};

static void visit_nodes(struct ut_thread *thread)
{
	struct tour *tour = thread->arg;
	char byte;
	int i;

	for (i = 0; i < tour->nodes; i++) {
		if (numa_run_on_node(tour->node[i]))
			thread->ret = -errno;
		ut_yield(i);
		if (read(tour->fd[0], &byte, 1) != 1)
			thread->ret = -errno;
	}
}

TEST_F(numa, events_tell_the_node_that_they_happened_on)
{
	struct tour tour = { self->node, self->nodes };
	struct ut_base *base = &self->base;
	struct ut_thread worker;
	struct ums_event event;
	int i;

	ASSERT_EQ(0, pipe(tour.fd));
	ASSERT_EQ(0, ut_base_schedule_here(base));
	ASSERT_EQ(0, ut_spawn_worker(base, &worker, visit_nodes, &tour));
	ASSERT_EQ(1, ut_next(base, &event));
	for (i = 0; i < self->nodes; i++) {
		ASSERT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(base, worker.ctx, &event,
				    UMS_REASON_YIELDED));
		EXPECT_TRUE(is_event_of(&event, self->node[i]));
		ASSERT_EQ(UMS_REASON_BLOCKED,
			  ut_run_to_block(base, worker.ctx, &event, SYS_read));
		EXPECT_TRUE(is_event_of(&event, self->node[i]));
		ASSERT_EQ(1, write(tour.fd[1], "x", 1));
		ASSERT_EQ(1, ut_next(base, &event));
		EXPECT_EQ(UMS_REASON_READY, event.reason);
		/* Where it was woken, by us, wherever we are */
		EXPECT_TRUE(is_event_of(&event,
					numa_node_of_cpu(event.cpu)));
	}
	ASSERT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, worker.ctx, &event, UMS_REASON_TERMINATED));
	EXPECT_EQ(0, worker.ret);
	ut_join(&worker);
	close(tour.fd[0]);
	close(tour.fd[1]);
}

/**
 * struct station - A node with its scheduler, its list and its workers
 *
 * @node: The node.
 * @list: List with memory of that node.
 * @scheduler: Thread that runs on that node only.
 * @worker: Threads that do so, too.
 * @elsewhere: Events that happened on another node.
 * @calls: Yields that the scheduler saw.
 */
struct station {
	int node;
	int list;
	struct ut_thread scheduler;
	struct ut_thread worker[WORKERS];
	unsigned int elsewhere;
	unsigned int calls;
};

static void work_on_node(struct ut_thread *thread)
{
	struct station *station = thread->arg;
	unsigned int cpu, node;
	int i;

	thread->ret = numa_run_on_node(station->node);
	/* From here on */
	ut_yield(UT_NONE);
	for (i = 0; i < ROUNDS; i++) {
		if (getcpu(&cpu, &node) || node != (unsigned int)station->node)
			thread->ret = -EXDEV;
		ut_yield(i);
	}
}

static void schedule_on_node(struct ut_thread *thread)
{
	struct station *station = thread->arg;
	struct ums_event event;
	int left = WORKERS;
	long ret;

	thread->ret = numa_run_on_node(station->node);
	while (left && !thread->ret) {
		ret = ut_dequeue(station->list, &event, 1, UT_LIMIT_MS);
		if (ret != 1)
			thread->ret = ret ?: -EPROTO;
		while (ret > 0) {
			ret = ut_execute(thread->base->group, event.ctx,
					 &event);
			if (ret == -EAGAIN) {
				ret = 1;
				continue;
			}
			if (ret < 0)
				thread->ret = ret;
			if (ret != UMS_REASON_BLOCKED &&
			    !is_event_of(&event, station->node))
				station->elsewhere++;
			station->calls += ret == UMS_REASON_YIELDED;
			if (ret == UMS_REASON_TERMINATED)
				left--;
			if (ret != UMS_REASON_YIELDED)
				break;
		}
	}
}

TEST_F(numa, schedulers_run_their_lists_on_their_nodes)
{
	struct ut_base *base = &self->base;
	struct station station[MAX_NODES];
	struct ums_list_create create;
	int i, k;

	memset(station, 0, sizeof(station));
	for (i = 0; i < self->nodes; i++) {
		station[i].node = self->node[i];
		station[i].list = create_list_on(base, self->node[i], &create);
		ASSERT_LE(0, station[i].list);
		ASSERT_EQ(0, ut_spawn_on(base, &station[i].scheduler,
					 station[i].list, UMS_ROLE_SCHEDULER,
					 schedule_on_node, &station[i]));
		ASSERT_TRUE(UT_WAIT(UT_LOAD(station[i].scheduler.attach_ret) !=
				    1));
		ASSERT_EQ(0, station[i].scheduler.attach_ret);
		for (k = 0; k < WORKERS; k++)
			ASSERT_EQ(0, ut_spawn_on(base, &station[i].worker[k],
						 station[i].list,
						 UMS_ROLE_WORKER, work_on_node,
						 &station[i]));
	}
	for (i = 0; i < self->nodes; i++) {
		ut_join(&station[i].scheduler);
		ASSERT_EQ(0, station[i].scheduler.ret);
		EXPECT_EQ(0, station[i].elsewhere);
		EXPECT_EQ(WORKERS * (ROUNDS + 1), station[i].calls);
		for (k = 0; k < WORKERS; k++) {
			ut_join(&station[i].worker[k]);
			EXPECT_EQ(0, station[i].worker[k].ret);
		}
		close(station[i].list);
	}
}

#endif /* HAVE_LIBNUMA */

TEST_HARNESS_MAIN
