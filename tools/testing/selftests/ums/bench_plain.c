// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmarks: threads without UMS, what they pay for switches, system calls
 * and faults.
 */
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* @answer in another thread, which does not end before @run has been measured */
static void with_thread(struct result *result, void *(*answer)(void *arg),
			run_fn run, unsigned int per, void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer, arg)) {
		result->failed = true;
		return;
	}
	measure(result, run, per, arg);
	pthread_join(thread, NULL);
}

void futex_wait(__u32 *word, __u32 value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void futex_wake(__u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Wait for our turn, 0 or 1, and give it to the other one */
static void take_turns(__u32 *word, __u32 mine, unsigned int count)
{
	while (count--) {
		while (UT_LOAD(*word) != mine)
			futex_wait(word, !mine);
		UT_STORE(*word, !mine);
		futex_wake(word);
	}
}

static void *answer_futex(void *word)
{
	take_turns(word, 1, TOTAL);
	return NULL;
}

static void run_futex(unsigned int count, void *word)
{
	take_turns(word, 0, count);
}

void plain_futex(struct result *result)
{
	__u32 word = 0;

	with_thread(result, answer_futex, run_futex, 2, &word);
}

void plain_futex_trip(struct result *result)
{
	__u32 word = 0;

	with_thread(result, answer_futex, run_futex, 1, &word);
}

/* As with a futex, but the way that POSIX has for it */
struct turn {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int whose;
};

static void take_turns_locked(struct turn *turn, int mine, unsigned int count)
{
	while (count--) {
		pthread_mutex_lock(&turn->lock);
		while (turn->whose != mine)
			pthread_cond_wait(&turn->changed, &turn->lock);
		turn->whose = !mine;
		pthread_cond_signal(&turn->changed);
		pthread_mutex_unlock(&turn->lock);
	}
}

static void *answer_cond(void *turn)
{
	take_turns_locked(turn, 1, TOTAL);
	return NULL;
}

static void run_cond(unsigned int count, void *turn)
{
	take_turns_locked(turn, 0, count);
}

void plain_cond(struct result *result)
{
	struct turn turn = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};

	with_thread(result, answer_cond, run_cond, 2, &turn);
}

/* One for each direction */
struct eventfds {
	int fd[2];
	struct result *result;
};

static void signal_and_wait(struct eventfds *eventfds, int mine, bool first)
{
	eventfd_t value;

	if ((first && eventfd_write(eventfds->fd[!mine], 1)) ||
	    eventfd_read(eventfds->fd[mine], &value) ||
	    (!first && eventfd_write(eventfds->fd[!mine], 1)))
		UT_STORE(eventfds->result->failed, true);
}

static void *answer_eventfd(void *arg)
{
	int i;

	for (i = 0; i < TOTAL; i++)
		signal_and_wait(arg, 1, false);
	return NULL;
}

static void run_eventfd(unsigned int count, void *arg)
{
	while (count--)
		signal_and_wait(arg, 0, true);
}

void plain_eventfd(struct result *result)
{
	struct eventfds eventfds = {
		.fd = { eventfd(0, 0), eventfd(0, 0) },
		.result = result,
	};

	with_thread(result, answer_eventfd, run_eventfd, 2, &eventfds);
	close(eventfds.fd[0]);
	close(eventfds.fd[1]);
}

static void *answer_yield(void *stop)
{
	while (!UT_LOAD(*(__u32 *)stop))
		sched_yield();
	return NULL;
}

static void run_yield(unsigned int count, void *arg)
{
	while (count--)
		sched_yield();
}

void plain_yield(struct result *result)
{
	__u32 stop = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer_yield, &stop)) {
		result->failed = true;
		return;
	}
	measure(result, run_yield, 2, NULL);
	UT_STORE(stop, 1);
	pthread_join(thread, NULL);
}

bool pipes_open(struct pipes *pipes, struct result *result)
{
	pipes->result = result;
	pipes->epoll[EPOLL_THERE] = -1;
	pipes->epoll[EPOLL_BACK] = -1;
	return !pipe(pipes->there) && !pipe(pipes->back);
}

static int epoll_on(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -1 : epoll;
}

bool polled_open(struct pipes *pipes, struct result *result)
{
	if (!pipes_open(pipes, result))
		return false;
	pipes->epoll[EPOLL_THERE] = epoll_on(pipes->there[0]);
	pipes->epoll[EPOLL_BACK] = epoll_on(pipes->back[0]);
	return pipes->epoll[EPOLL_THERE] >= 0 && pipes->epoll[EPOLL_BACK] >= 0;
}

bool sockets_open(struct pipes *pipes, struct result *result)
{
	int pair[2];

	pipes->result = result;
	pipes->epoll[EPOLL_THERE] = -1;
	pipes->epoll[EPOLL_BACK] = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return false;
	pipes->there[1] = pair[0];
	pipes->there[0] = pair[1];
	pipes->back[1] = dup(pair[1]);
	pipes->back[0] = dup(pair[0]);
	return pipes->back[0] >= 0 && pipes->back[1] >= 0;
}

void pipes_close(struct pipes *pipes)
{
	close(pipes->there[0]);
	close(pipes->there[1]);
	close(pipes->back[0]);
	close(pipes->back[1]);
	if (pipes->epoll[EPOLL_THERE] >= 0) {
		close(pipes->epoll[EPOLL_THERE]);
		close(pipes->epoll[EPOLL_BACK]);
	}
}

bool pipe_take(int fd, int epoll)
{
	struct epoll_event event;
	char byte;

	if (epoll >= 0 && epoll_wait(epoll, &event, 1, -1) != 1)
		return false;
	return read(fd, &byte, 1) == 1;
}

static void *answer_pipe(void *arg)
{
	struct pipes *pipes = arg;
	char byte = 0;
	int i;

	for (i = 0; i < TOTAL; i++)
		if (!pipe_take(pipes->there[0], pipes->epoll[EPOLL_THERE]) ||
		    write(pipes->back[1], &byte, 1) != 1)
			break;
	return NULL;
}

static void run_pipe(unsigned int count, void *arg)
{
	struct pipes *pipes = arg;
	char byte = 0;

	while (count--)
		if (write(pipes->there[1], &byte, 1) != 1 ||
		    !pipe_take(pipes->back[0], pipes->epoll[EPOLL_BACK]))
			pipes->result->failed = true;
}

static void over_files(struct result *result,
		       bool (*open)(struct pipes *pipes, struct result *result),
		       unsigned int per)
{
	struct pipes pipes;

	if (!open(&pipes, result)) {
		result->failed = true;
		return;
	}
	with_thread(result, answer_pipe, run_pipe, per, &pipes);
	pipes_close(&pipes);
}

void plain_pipe_hand(struct result *result)
{
	over_files(result, pipes_open, 2);
}

void plain_pipe(struct result *result)
{
	over_files(result, pipes_open, 1);
}

void plain_socket(struct result *result)
{
	over_files(result, sockets_open, 1);
}

void plain_epoll(struct result *result)
{
	over_files(result, polled_open, 1);
}

void run_getppid(unsigned int count, void *arg)
{
	while (count--)
		syscall(SYS_getppid);
}

void run_nanosleep(unsigned int count, void *arg)
{
	const struct timespec time = { .tv_nsec = SLEEP_NS };

	while (count--)
		nanosleep(&time, NULL);
}

void without_sleep(struct result *result)
{
	int i;

	for (i = 0; i < BATCHES; i++)
		result->value[i] -= SLEEP_NS;
}

void plain_nanosleep(struct result *result)
{
	prctl(PR_SET_TIMERSLACK, 1);
	measure(result, run_nanosleep, 1, NULL);
	prctl(PR_SET_TIMERSLACK, 0);
	without_sleep(result);
}

void plain_getppid(struct result *result)
{
	measure(result, run_getppid, 1, NULL);
}

struct area {
	char *start;
	long page;
	unsigned int count;
};

static bool area_map(struct area *area)
{
	area->page = sysconf(_SC_PAGESIZE);
	area->start = mmap(NULL, area->count * area->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return area->start != MAP_FAILED &&
	       !madvise(area->start, area->count * area->page, MADV_NOHUGEPAGE);
}

static void drop_pages(unsigned int count, void *arg)
{
	struct area *area = arg;

	madvise(area->start, count * area->page, MADV_DONTNEED);
}

static void run_faults(unsigned int count, void *arg)
{
	struct area *area = arg;

	while (count--)
		UT_STORE(area->start[count * area->page], 1);
}

void plain_fault(struct result *result)
{
	struct area area = { .count = result->count };

	if (!area_map(&area)) {
		result->failed = true;
		return;
	}
	measure_prepared(result, drop_pages, run_faults, 1, &area);
	munmap(area.start, area.count * area.page);
}

static void *end_at_once(void *arg)
{
	return NULL;
}

static void run_threads(unsigned int count, void *arg)
{
	struct result *result = arg;
	pthread_t thread;

	while (count--)
		if (pthread_create(&thread, NULL, end_at_once, NULL) ||
		    pthread_join(thread, NULL))
			result->failed = true;
}

void plain_thread(struct result *result)
{
	measure(result, run_threads, 1, result);
}

static void run_forks(unsigned int count, void *arg)
{
	struct result *result = arg;
	pid_t pid;

	while (count--) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			result->failed = true;
	}
}

void plain_fork(struct result *result)
{
	measure(result, run_forks, 1, result);
}
