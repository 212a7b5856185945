// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests: the watchdog of a group. It applies the orphan policy when workers
 * are ready, and no scheduler does anything about it; and only then.
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "user.h"

#define CONTEXTS	8
#define WORKERS		3
/* Longer than a busy machine may keep the scheduler away */
#define PERIOD_MS	400
/* When nothing is to happen, that is given a chance so many times */
#define PERIODS		2

static long setup(unsigned int policy, unsigned int watchdog_ms)
{
	struct ums_setup setup = {
		.max_contexts = CONTEXTS,
		.orphan_policy = policy,
		.watchdog_ms = watchdog_ms,
	};

	return ut_ctl(UMS_CTL_SETUP, -1, &setup, sizeof(setup));
}

static long open_watched(struct ut_base *base, unsigned int policy,
			 unsigned int watchdog_ms)
{
	return ut_base_open_fd(base, CONTEXTS, setup(policy, watchdog_ms));
}

static bool has_watchdog(void)
{
	struct ums_probe probe = {};

	return !ut_probe(&probe) && (probe.features & UMS_FEATURE_WATCHDOG);
}

FIXTURE(watchdog)
{
	struct ut_base base;
	struct ut_thread worker[WORKERS];
	__u64 begin;
};

FIXTURE_SETUP(watchdog)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!has_watchdog())
		SKIP(return, "no watchdog");
	uu_init();
	ut_prefault();
	ASSERT_EQ(0, open_watched(&self->base, UMS_ORPHAN_RELEASE,
				  PERIOD_MS));
	ASSERT_EQ(0, ut_base_schedule_here(&self->base));
	self->begin = ut_now_ns();
}

FIXTURE_TEARDOWN(watchdog)
{
	EXPECT_EQ(0, ut_detach());
	ut_base_close(&self->base);
}

static unsigned int elapsed_ms(FIXTURE_DATA(watchdog) * self)
{
	return (ut_now_ns() - self->begin) / UT_NSEC_PER_MSEC;
}

/* Until it cannot, or is told to stop */
static void yields(struct ut_thread *self)
{
	while (!self->ret && !UT_LOAD(*(int *)self->arg))
		self->ret = ut_yield(0);
}

static int stop;
static int never;

static void spawn(struct __test_metadata *_metadata,
		  FIXTURE_DATA(watchdog) * self, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker[i],
					     yields, &stop));
}

static void join(struct __test_metadata *_metadata,
		 FIXTURE_DATA(watchdog) * self, unsigned int nr, long ret)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		EXPECT_TRUE(UT_WAIT(UT_LOAD(self->worker[i].done)));
		ut_join(&self->worker[i]);
		EXPECT_EQ(ret, self->worker[i].ret);
	}
}

TEST_F(watchdog, releases_workers_that_nobody_runs)
{
	struct ums_event event;

	spawn(_metadata, self, WORKERS);
	/* The caller is a scheduler, and does not do its work */
	join(_metadata, self, WORKERS, -ENOTCONN);
	EXPECT_LE(PERIOD_MS, elapsed_ms(self));

	/* It hears of it when it looks */
	ASSERT_EQ(1, ut_next_of(&self->base, self->worker[0].ctx, &event));
	EXPECT_EQ(UMS_REASON_TERMINATED, event.reason);
	EXPECT_EQ(-ESRCH, ut_execute(self->base.group, self->worker[0].ctx,
				     &event));
}

TEST_F(watchdog, releases_those_that_have_run_as_well)
{
	struct ums_event event;

	spawn(_metadata, self, 1);
	ASSERT_EQ(1, ut_next_of(&self->base, self->worker[0].ctx, &event));
	ASSERT_EQ(UMS_REASON_YIELDED,
		  ut_run_to(&self->base, self->worker[0].ctx, &event,
			    UMS_REASON_YIELDED));
	/* That one is in hand, and this one is on the list */
	ASSERT_EQ(0, ut_spawn_worker(&self->base, &self->worker[1], yields,
				     &stop));
	join(_metadata, self, 2, -ENOTCONN);
}

static void yields_in_user_mode(struct ut_thread *self)
{
	static int inside;

	while (!UT_LOAD(stop)) {
		/* Counts how often it runs while it runs */
		self->ret += __atomic_exchange_n(&inside, 1, __ATOMIC_ACQ_REL);
		UT_STORE(inside, 0);
		uu_yield(self, 0);
	}
}

/*
 * The scheduler runs a worker by user switches, but what they count is
 * overwritten, and another worker waits. So both are released, though one of
 * them may be running just then. It must not run twice.
 */
TEST_F(watchdog, releases_a_worker_that_is_switched_to)
{
	struct ut_base *base = &self->base;
	struct ut_thread *worker = &self->worker[0];
	long ret = 0, turns;

	if (!uu.execute)
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_spawn_worker(base, worker, yields_in_user_mode, NULL));
	ASSERT_LE(0, uu_start(base, worker));
	ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[1], yields, &never));
	for (turns = 1; elapsed_ms(self) < UT_LIMIT_MS; turns++) {
		ret = uu_execute(base, worker);
		UT_STORE(ut_slot(base, base->sched)->switched, 0);
		if (ret < 0 || (ret & ~UMS_RETURN_USER) != UMS_REASON_YIELDED)
			break;
	}
	EXPECT_TRUE(ret == -ESRCH || ret == -EAGAIN) TH_LOG("%ld", ret);
	EXPECT_LT(1, turns);
	UT_STORE(stop, 1);
	EXPECT_TRUE(UT_WAIT(UT_LOAD(worker->done)));
	ut_join(worker);
	EXPECT_EQ(0, worker->ret);
	EXPECT_TRUE(UT_WAIT(UT_LOAD(self->worker[1].done)));
	ut_join(&self->worker[1]);
	EXPECT_EQ(-ENOTCONN, self->worker[1].ret);
}

TEST_F(watchdog, leaves_workers_alone_that_are_run)
{
	struct ums_event event;
	unsigned int i;

	spawn(_metadata, self, WORKERS);
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(1, ut_next_of(&self->base, self->worker[i].ctx,
					&event));
	/* One is run now and then, the others are only in hand */
	while (elapsed_ms(self) < PERIODS * PERIOD_MS)
		EXPECT_EQ(UMS_REASON_YIELDED,
			  ut_run_to(&self->base, self->worker[0].ctx, &event,
				    UMS_REASON_YIELDED));
	/* And nothing at all for a while */
	EXPECT_EQ(-ETIMEDOUT, ut_dequeue(self->base.list, &event, 1,
					 PERIODS * PERIOD_MS));
	UT_STORE(stop, 1);
	for (i = 0; i < WORKERS; i++)
		EXPECT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(&self->base, self->worker[i].ctx, &event,
				    UMS_REASON_TERMINATED));
	join(_metadata, self, WORKERS, 0);
}

/* User switches are as good as calls, though nobody looks at the list */
TEST_F(watchdog, leaves_alone_a_scheduler_that_switches)
{
	struct ut_base *base = &self->base;
	struct ums_event event;

	if (!uu.execute)
		SKIP(return, UU_ABSENT);
	ASSERT_EQ(0, uu_pin());
	ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[0],
				     yields_in_user_mode, NULL));
	ASSERT_LE(0, uu_start(base, &self->worker[0]));
	ASSERT_EQ(0, ut_spawn_worker(base, &self->worker[1], yields, &stop));
	self->begin = ut_now_ns();
	while (elapsed_ms(self) < PERIODS * PERIOD_MS)
		ASSERT_EQ(UMS_REASON_YIELDED,
			  uu_run(base, &self->worker[0]) & ~UMS_RETURN_USER);
	UT_STORE(stop, 1);
	EXPECT_EQ(UMS_REASON_TERMINATED, uu_run(base, &self->worker[0]));
	ASSERT_EQ(1, ut_next_of(base, self->worker[1].ctx, &event));
	EXPECT_EQ(UMS_REASON_TERMINATED,
		  ut_run_to(base, self->worker[1].ctx, &event,
			    UMS_REASON_TERMINATED));
	join(_metadata, self, 2, 0);
}

TEST_F(watchdog, leaves_a_list_alone_that_is_read)
{
	struct ums_event event;
	int i;

	/* There is always somebody who waits, but never the same one */
	UT_STORE(stop, 1);
	for (i = 0; elapsed_ms(self) < PERIODS * PERIOD_MS; i++) {
		spawn(_metadata, self, 2);
		ASSERT_EQ(1, ut_next_of(&self->base, self->worker[0].ctx,
					&event));
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(&self->base, self->worker[0].ctx, &event,
				    UMS_REASON_TERMINATED));
		ASSERT_EQ(1, ut_next_of(&self->base, self->worker[1].ctx,
					&event));
		ASSERT_EQ(UMS_REASON_TERMINATED,
			  ut_run_to(&self->base, self->worker[1].ctx, &event,
				    UMS_REASON_TERMINATED));
		join(_metadata, self, 2, 0);
		ASSERT_EQ(0, ut_ctx_delete(self->base.group,
					   self->worker[0].ctx));
		ASSERT_EQ(0, ut_ctx_delete(self->base.group,
					   self->worker[1].ctx));
	}
	EXPECT_LT(0, i);
}

static void stalled_process(void)
{
	struct ut_thread worker;
	struct ut_base base;

	if (open_watched(&base, UMS_ORPHAN_KILL, PERIOD_MS) ||
	    ut_base_schedule_here(&base) ||
	    ut_spawn_worker(&base, &worker, yields, &stop))
		_exit(1);
	for (;;)
		pause();
}

FIXTURE(process)
{
};

FIXTURE_SETUP(process)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!has_watchdog())
		SKIP(return, "no watchdog");
}

FIXTURE_TEARDOWN(process)
{
}

static pid_t start(void (*process)(void))
{
	pid_t pid = fork();

	if (!pid)
		process();
	return pid;
}

TEST_F(process, that_stalls_is_killed)
{
	pid_t pid = start(stalled_process);
	int status;

	ASSERT_LT(0, pid);
	status = ut_wait_child(pid, UT_LIMIT_MS);
	ASSERT_LE(0, status);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

/* Enough to be stopped in time, and to go on in time */
#define SLOW_MS		1000
#define STOPPED_S	2

/* Says that it is ready by a byte, and goes on when it gets one */
static int ready[2], go_on[2];

static void slow_process(void)
{
	struct ut_thread worker;
	struct ums_event event;
	struct ut_base base;
	char byte = 0;

	close(go_on[1]);
	UT_STORE(stop, 1);
	if (open_watched(&base, UMS_ORPHAN_KILL, SLOW_MS) ||
	    ut_base_schedule_here(&base) ||
	    ut_spawn_worker(&base, &worker, yields, &stop) ||
	    write(ready[1], &byte, 1) != 1)
		_exit(1);
	if (read(go_on[0], &byte, 1) != 1)
		_exit(2);
	if (ut_next_of(&base, worker.ctx, &event) != 1 ||
	    ut_run_to(&base, worker.ctx, &event, UMS_REASON_TERMINATED) !=
	    UMS_REASON_TERMINATED)
		_exit(3);
	_exit(0);
}

static bool stop_by_signal(pid_t pid)
{
	int status;

	return !kill(pid, SIGSTOP) &&
	       waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

static bool continue_by_signal(pid_t pid)
{
	return !kill(pid, SIGCONT);
}

/* The scheduler alone; its worker may still be run */
static bool stop_by_debugger(pid_t pid)
{
	int status;

	return !ptrace(PTRACE_SEIZE, pid, NULL, NULL) &&
	       !ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) &&
	       waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

static bool continue_by_debugger(pid_t pid)
{
	return !ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

FIXTURE(stopped)
{
};

FIXTURE_VARIANT(stopped)
{
	bool (*halt)(pid_t pid);
	bool (*resume)(pid_t pid);
};

FIXTURE_VARIANT_ADD(stopped, process)
{
	.halt = stop_by_signal,
	.resume = continue_by_signal,
};

FIXTURE_VARIANT_ADD(stopped, scheduler)
{
	.halt = stop_by_debugger,
	.resume = continue_by_debugger,
};

FIXTURE_SETUP(stopped)
{
	if (ut_absent())
		SKIP(return, UT_ABSENT);
	if (!has_watchdog())
		SKIP(return, "no watchdog");
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go_on));
}

FIXTURE_TEARDOWN(stopped)
{
}

TEST_F(stopped, is_waited_for)
{
	struct timespec while_stopped = {
		.tv_sec = STOPPED_S,
	};
	pid_t pid = start(slow_process);
	char byte;

	ASSERT_LT(0, pid);
	/* So that both hear of the other one's end */
	close(ready[1]);
	close(go_on[0]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_TRUE(variant->halt(pid));
	EXPECT_EQ(0, nanosleep(&while_stopped, NULL));
	EXPECT_EQ(1, write(go_on[1], &byte, 1));
	EXPECT_TRUE(variant->resume(pid));
	EXPECT_EQ(0, ut_wait_child(pid, UT_LIMIT_MS));
}

TEST_HARNESS_MAIN
