// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmark: what switches, system calls, faults and threads cost, with UMS
 * and without. Not a test. In a guest with -icount shift=0 a nanosecond is an
 * instruction. Its arguments are in bench.c.
 *
 * Everything runs on cpu 0. To add a row, write a function that calls measure()
 * in the thread that shall do the operation, and enter it here.
 */
#include <stdio.h>
#include <sys/personality.h>
#include <unistd.h>

#include "bench.h"

static const struct row rows[] = {
	{ "switch, one way", "bare fiber", fiber_bare },
	{ NULL, "swapcontext", fiber_ucontext },
	{ NULL, "UMS user switch", user_switch, NEEDS_USER_SWITCH },
	{ NULL, "UMS user switch, through libums", library_switch, NEEDS_UMS },
	{ NULL, "UMS user switch, worker to worker", user_hand,
	  NEEDS_USER_SWITCH },
	{ NULL, "UMS user yield, run queue, next worker", user_queue,
	  NEEDS_USER_SWITCH },
	{ NULL, "UMS kernel switch", ums_execute_and_yield, NEEDS_UMS },
	{ NULL, "UMS kernel switch, worker to worker", ums_worker_to_worker,
	  NEEDS_UMS },
	{ NULL, "sched_yield of two threads", plain_yield },
	{ NULL, "futex hand-off", plain_futex },
	{ NULL, "eventfd", plain_eventfd },
	{ NULL, "pipe", plain_pipe_hand },
	{ NULL, "pthread mutex and cond", plain_cond },

	{ "system call", "getppid, plain thread", plain_getppid },
	{ NULL, "getppid, UMS worker", ums_worker_getppid, NEEDS_UMS },
	{ NULL, "getppid, UMS scheduler", ums_scheduler_getppid, NEEDS_UMS },
	{ NULL, "getppid, worker switched in by user switch", user_getppid,
	  NEEDS_USER_SWITCH },
	{ NULL, "getppid, first after a user switch", user_first_call,
	  NEEDS_USER_SWITCH },

	{ "page fault", "plain thread", plain_fault },
	{ NULL, "UMS worker", ums_worker_fault, NEEDS_UMS },

	{ "blocking, round trip", "pipe, plain threads", plain_pipe },
	{ NULL, "pipe, UMS worker", user_pipe, NEEDS_USER_SWITCH },
	{ NULL, "socketpair, plain threads", plain_socket },
	{ NULL, "socketpair, UMS worker", user_socket, NEEDS_USER_SWITCH },
	{ NULL, "epoll, plain threads", plain_epoll },
	{ NULL, "epoll, UMS worker", user_epoll, NEEDS_USER_SWITCH },
	{ NULL, "futex, plain threads", plain_futex_trip },
	{ NULL, "futex, UMS worker", user_futex, NEEDS_USER_SWITCH },
	{ NULL, "nanosleep, beyond its time, plain thread",
	  plain_nanosleep },
	{ NULL, "nanosleep, beyond its time, UMS worker", user_nanosleep,
	  NEEDS_USER_SWITCH },
	{ NULL, "UMS write, dequeue, execute, block in read",
	  ums_block_and_unblock, NEEDS_UMS },

	{ "life of a thread", "pthread", plain_thread, 0, 300, .varies = true },
	{ NULL, "UMS worker, through libums", library_thread, NEEDS_UMS, 300,
	  .varies = true },
	{ NULL, "fork", plain_fork, 0, 50, .varies = true },

	{ "job of 1,000 instructions, given and taken back",
	  "16 pthreads, mutex and cond", jobs_pthread, .by_cpus = true,
	  .varies = true },
	{ NULL, "a pthread for each", jobs_thread_each, 0, 160, .by_cpus = true,
	  .varies = true },
	{ NULL, "16 UMS workers, stolen", jobs_library, NEEDS_UMS,
	  .by_cpus = true, .varies = true },
	{ NULL, "a UMS worker for each, stolen", jobs_library_each, NEEDS_UMS,
	  160, .by_cpus = true, .varies = true },

	{ "on each cpu: switch, one way", "UMS user switch", abreast_user_switch,
	  NEEDS_USER_SWITCH, .by_cpus = true },
	{ NULL, "UMS kernel switch", abreast_kernel_switch, NEEDS_UMS,
	  .by_cpus = true },
	{ NULL, "futex hand-off", abreast_futex, .by_cpus = true },
	{ "on each cpu: blocking, round trip", "pipe, plain threads",
	  abreast_plain_pipe, .by_cpus = true },
	{ NULL, "pipe, UMS worker", abreast_pipe, NEEDS_USER_SWITCH,
	  .by_cpus = true },
	{ "on each cpu: ring of 100, token passed once", "UMS channel",
	  abreast_ring, NEEDS_UMS, 1, .by_cpus = true },
	{ NULL, "pthread mutex and cond", abreast_plain_ring, 0, 1,
	  .by_cpus = true, .varies = true },

	{ "wake to run beside 8 that compute, 99.9%", "thread", latency_plain,
	  .varies = true },
	{ NULL, "thread, SCHED_FIFO", latency_fifo, .varies = true },
	{ NULL, "UMS worker, run first", latency_library, NEEDS_UMS,
	  .varies = true },

	{ "many threads, creation of one", "waiting in futex",
	  many_plain_creation, 0, 1, 1000, 100000, .varies = true },
	{ NULL, "UMS worker, ready", many_worker_creation, NEEDS_UMS, 1, 1000,
	  100000, .varies = true },
	{ "many threads, end of one by exit_group", "waiting in futex",
	  many_plain_end, 0, 1, 1000, 100000, .varies = true },
	{ NULL, "UMS worker, ready", many_worker_end, NEEDS_UMS, 1, 1000, 100000,
	  .varies = true },
	{ "many threads, memory of one in bytes", "waiting in futex",
	  many_plain_memory, 0, 1, 1000, 100000, .varies = true,
	  .unit = "bytes" },
	{ NULL, "UMS worker, ready", many_worker_memory, NEEDS_UMS, 1, 1000,
	  100000, .varies = true, .unit = "bytes" },

	{ "ring of threads, token passed once", "UMS channel",
	  ring_library_chan, NEEDS_UMS, 1, 2, 10000 },
	{ NULL, "UMS mutex and cond", ring_library_cond, NEEDS_UMS, 1, 2, 10000 },
	{ NULL, "pthread mutex and cond", ring_cond, 0, 1, 2, 10000,
	  .varies = true },
	{ NULL, "futex", ring_futex, 0, 1, 2, 10000, .varies = true },
};

/* Else where things lie, and so what a fork copies, is by chance */
static void lie_always_the_same(char **argv)
{
	int now = personality(0xffffffff);

	if (now < 0 || now & ADDR_NO_RANDOMIZE ||
	    personality(now | ADDR_NO_RANDOMIZE) < 0)
		return;
	execv("/proc/self/exe", argv);
	perror("execv");
}

int main(int argc, char **argv)
{
	lie_always_the_same(argv);
	bench_pin(0);
	ut_prefault();
	return bench_main(argc, argv, rows, ARRAY_SIZE(rows));
}
