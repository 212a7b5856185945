// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: slots and ring are unmapped, moved or protected while there are workers
 * in each state. The kernel has pages of its own to write to, and goes on as before;
 * user code that switches without it faults like any other.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define SWITCHES	200
/* So many contexts that the last is in another page than the first */
#define CONTEXTS	20

static int lose_by_munmap(void *start, size_t size)
{
	return munmap(start, size);
}

static int lose_by_move(void *start, size_t size)
{
	void *there = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	return mremap(start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      there) != there;
}

static int lose_by_no_access(void *start, size_t size)
{
	return mprotect(start, size, PROT_NONE);
}

static int lose_by_no_write(void *start, size_t size)
{
	return mprotect(start, size, PROT_READ);
}

FIXTURE(mapping)
{
	struct ut_base base;
	struct ut_thread fresh;
	struct ut_thread user_held;
	struct ut_thread kernel_held;
	struct ut_thread blocked;
	int pipe[2];
};

FIXTURE_VARIANT(mapping)
{
	int (*lose)(void *start, size_t size);
};

FIXTURE_VARIANT_ADD(mapping, that_is_unmapped) { .lose = lose_by_munmap };
FIXTURE_VARIANT_ADD(mapping, that_is_moved) { .lose = lose_by_move };
FIXTURE_VARIANT_ADD(mapping, without_access) { .lose = lose_by_no_access };
FIXTURE_VARIANT_ADD(mapping, that_is_read_only) { .lose = lose_by_no_write };

FIXTURE_SETUP(mapping)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	uu_init();
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, ut_base_open(&self->base, CONTEXTS, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
}

FIXTURE_TEARDOWN(mapping)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

static void yields_twice(struct ut_thread *self)
{
	ut_yield(1);
	self->ret = ut_yield(2);
}

static void leaves_by_user_switch(struct ut_thread *self)
{
	if (uu.yield)
		uu_yield(self, 1);
	else
		ut_yield(1);
	self->ret = ut_yield(2);
}

static void reads(struct ut_thread *self)
{
	char byte;

	self->ret = read(*(int *)self->arg, &byte, 1) - 1;
}

static bool put_in_place(FIXTURE_DATA(mapping) * self)
{
	struct ut_base *base = &self->base;
	struct ums_event event;

	return !ut_spawn_worker(base, &self->fresh, yields_twice, NULL) &&
	       !ut_spawn_worker(base, &self->user_held, leaves_by_user_switch,
				NULL) &&
	       !ut_spawn_worker(base, &self->kernel_held, yields_twice, NULL) &&
	       !ut_spawn_worker(base, &self->blocked, reads, self->pipe) &&
	       ut_next_of(base, self->fresh.ctx, &event) == 1 &&
	       ut_next_of(base, self->user_held.ctx, &event) == 1 &&
	       ut_next_of(base, self->kernel_held.ctx, &event) == 1 &&
	       ut_next_of(base, self->blocked.ctx, &event) == 1 &&
	       ut_run_to(base, self->user_held.ctx, &event,
			 UMS_REASON_YIELDED) == UMS_REASON_YIELDED &&
	       ut_run_to(base, self->kernel_held.ctx, &event,
			 UMS_REASON_YIELDED) == UMS_REASON_YIELDED &&
	       ut_run_to_block(base, self->blocked.ctx, &event, SYS_read) ==
		       UMS_REASON_BLOCKED;
}

static bool yields(struct ut_base *base, struct ut_thread *worker, __u64 param)
{
	struct ums_event event;

	return ut_run_to(base, worker->ctx, &event, UMS_REASON_YIELDED) ==
		       UMS_REASON_YIELDED &&
	       event.ctx == worker->ctx && event.arg == param;
}

static bool ends(struct ut_base *base, struct ut_thread *worker)
{
	struct ums_event event;

	if (ut_run_to(base, worker->ctx, &event, UMS_REASON_TERMINATED) !=
	    UMS_REASON_TERMINATED)
		return false;
	ut_join(worker);
	return event.ctx == worker->ctx && !worker->ret;
}

TEST_F(mapping, is_not_needed_for_system_calls)
{
	struct ut_base *base = &self->base;
	struct ums_context *slots;
	struct ums_event event;

	ASSERT_TRUE(put_in_place(self));
	ASSERT_EQ(0, variant->lose(base->slots, base->slots_size));
	ASSERT_EQ(0, variant->lose(base->ring, base->ring_size));

	EXPECT_TRUE(yields(base, &self->fresh, 1));
	EXPECT_TRUE(yields(base, &self->fresh, 2));
	EXPECT_TRUE(yields(base, &self->user_held, 2));
	EXPECT_TRUE(yields(base, &self->kernel_held, 2));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(1, ut_next_of(base, self->blocked.ctx, &event));
	EXPECT_EQ(UMS_REASON_READY, event.reason);

	/* Who maps it again sees all that was written meanwhile */
	slots = mmap(NULL, base->slots_size, PROT_READ, MAP_SHARED, base->group,
		     0);
	ASSERT_NE(MAP_FAILED, (void *)slots);
	EXPECT_EQ(2, slots[(__u32)self->fresh.ctx].event_arg);
	EXPECT_EQ(self->kernel_held.ctx,
		  slots[(__u32)base->sched].event_ctx);
	EXPECT_EQ(UMS_STATE_READY, slots[(__u32)self->blocked.ctx].state &
				   ~UMS_STATE_USER);

	EXPECT_TRUE(ends(base, &self->fresh));
	EXPECT_TRUE(ends(base, &self->user_held));
	EXPECT_TRUE(ends(base, &self->kernel_held));
	EXPECT_TRUE(ends(base, &self->blocked));
}

static int switch_without_slots(struct ut_base *base, struct ut_thread *worker,
				int (*lose)(void *start, size_t size))
{
	struct rlimit no_core = {};

	setrlimit(RLIMIT_CORE, &no_core);
	/* The harness catches it */
	signal(SIGSEGV, SIG_DFL);
	if (ut_base_open(base, CONTEXTS, UMS_ORPHAN_RELEASE) ||
	    ut_base_schedule_here(base) ||
	    ut_spawn_worker(base, worker, leaves_by_user_switch, NULL) ||
	    uu_start(base, worker) < 0 ||
	    lose(base->slots, base->slots_size))
		return 1;
	uu_execute(base, worker);
	return 2;
}

TEST_F(mapping, is_needed_to_switch_in_user_mode)
{
	struct ut_thread worker;
	struct ut_base base;
	int status;
	pid_t pid;

	if (!uu.execute)
		SKIP(return, UU_ABSENT);
	pid = fork();
	if (!pid)
		_exit(switch_without_slots(&base, &worker, variant->lose));
	status = ut_wait_child(pid, UT_LIMIT_MS);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGSEGV, WTERMSIG(status));
}

/* For the handler: what is protected, and for whom that was repaired */
static char *protected;
static size_t protected_size;
static struct repaired {
	pid_t tid;
	unsigned int times;
} repaired[2];

static void repair(int sig, siginfo_t *info, void *context)
{
	char *addr = info->si_addr;
	pid_t tid = gettid();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(repaired); i++)
		if (repaired[i].tid == tid)
			repaired[i].times++;
	if (addr < protected || addr >= protected + protected_size ||
	    mprotect(protected, protected_size, PROT_READ | PROT_WRITE))
		_exit(1);
}

FIXTURE(protected)
{
	struct ut_base base;
	struct ut_thread worker;
};

/*
 * @page: The scheduler's slot is in page 0, the worker's in page 1; -1 for both.
 * @prot: What is left of their protection.
 * @not: Whose switches have begun by the time that they fault.
 */
FIXTURE_VARIANT(protected)
{
	int page;
	int prot;
	enum { NEITHER, SCHEDULER, WORKER } not;
};

FIXTURE_VARIANT_ADD(protected, slots) { .page = -1, .prot = PROT_NONE };
FIXTURE_VARIANT_ADD(protected, slot_of_the_scheduler) { .prot = PROT_NONE };
FIXTURE_VARIANT_ADD(protected, slot_of_the_worker) {
	.page = 1, .prot = PROT_NONE,
};

FIXTURE_VARIANT_ADD(protected, read_only_slots) {
	.page = -1, .prot = PROT_READ,
};

FIXTURE_VARIANT_ADD(protected, read_only_slot_of_the_scheduler) {
	.prot = PROT_READ, .not = SCHEDULER,
};

FIXTURE_VARIANT_ADD(protected, read_only_slot_of_the_worker) {
	.page = 1, .prot = PROT_READ, .not = WORKER,
};

static int prot;

static bool protect(void)
{
	return !mprotect(protected, protected_size, prot);
}

FIXTURE_SETUP(protected)
{
	struct sigaction action = {
		.sa_sigaction = repair,
		.sa_flags = SA_SIGINFO,
	};
	size_t page = sysconf(_SC_PAGESIZE);
	__u64 unused;
	int i;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&self->base, CONTEXTS, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	for (i = 0; i < CONTEXTS - 2; i++)
		ASSERT_EQ(0, ut_ctx_create(self->base.group, 0, &unused));
	protected = (char *)self->base.slots + (variant->page == 1 ? page : 0);
	protected_size = variant->page < 0 ? 2 * page : page;
	prot = variant->prot;
	ASSERT_EQ(0, sigaction(SIGSEGV, &action, NULL));
}

FIXTURE_TEARDOWN(protected)
{
	if (self->base.slots)
		ut_base_close(&self->base);
}

/* Both protect before each of their switches */
static void switches_often(struct ut_thread *self)
{
	int i;

	for (i = 0; i < SWITCHES; i++) {
		if (!protect() || uu_yield(self, i))
			self->ret = 1;
	}
}

/* Now and then a switch is by system call, if it was disturbed */
static bool is_repaired(const struct repaired *by, bool never)
{
	return never ? !by->times : by->times > SWITCHES / 2;
}

/*
 * A switch that has not begun begins again, and one that has is finished by the
 * kernel: to none of the two is anything lost.
 */
TEST_F(protected, are_repaired_by_a_handler)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker = &self->worker;
	struct ums_event event;
	int i;

	ASSERT_EQ(0, ut_spawn_worker(base, worker, switches_often, NULL));
	ASSERT_LT(base->slots_size / 2, (char *)ut_slot(base, worker->ctx) -
					(char *)base->slots);
	ASSERT_EQ(1, ut_next_of(base, worker->ctx, &event));
	repaired[0].tid = gettid();
	repaired[1].tid = worker->tid;
	for (i = 0; i < SWITCHES; i++) {
		ASSERT_TRUE(protect());
		ASSERT_EQ(UMS_REASON_YIELDED,
			  uu_run(base, worker) & ~UMS_RETURN_USER);
	}
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(base, worker));
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
	EXPECT_TRUE(is_repaired(&repaired[0], variant->not == SCHEDULER));
	EXPECT_TRUE(is_repaired(&repaired[1], variant->not == WORKER));
}

static void yields_often(struct ut_thread *self)
{
	int i;

	for (i = 0; i < SWITCHES; i++)
		self->ret |= uu_yield(self, i);
}

TEST(slots_are_as_good_where_they_were_moved)
{
	struct ut_thread worker;
	struct ut_base base;
	void *there;

	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!uu_init())
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_base_open(&base, CONTEXTS, UMS_ORPHAN_RELEASE));
	ASSERT_EQ(0, ut_base_schedule_here(&base));
	there = mmap(NULL, base.slots_size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(there, mremap(base.slots, base.slots_size, base.slots_size,
				MREMAP_MAYMOVE | MREMAP_FIXED, there));
	base.slots = there;
	ASSERT_EQ(0, ut_spawn_worker(&base, &worker, yields_often, NULL));
	ASSERT_LT(0, uu_start(&base, &worker));
	EXPECT_EQ(0, uu_schedule(&base, &worker, 1));
	ut_join(&worker);
	EXPECT_EQ(0, worker.ret);
	/* And that was not by the system call */
	EXPECT_LT(SWITCHES / 2, ut_slot(&base, worker.ctx)->switched);
	ut_base_close(&base);
}

TEST_HARNESS_MAIN
