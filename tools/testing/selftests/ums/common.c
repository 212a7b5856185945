// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers, see common.h. Does not use the harness, so that it can be
 * linked to every test.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "user.h"

#define UT_STACK_SIZE	(64 * 1024)

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

bool ut_unknown(long ret)
{
	/* A number that no kernel has */
	return ret == result(syscall(-1));
}

bool ut_absent(void)
{
	return ut_unknown(ut_probe(NULL));
}

long ut_ctl(unsigned int op, int fd, void *arg, size_t size)
{
	return result(syscall(__NR_ums_ctl, op, fd, arg, size));
}

long ut_execute_flags(int group, __u64 ctx, struct ums_event *event,
		      unsigned int flags)
{
	return result(syscall(__NR_ums_execute, group, ctx, event, flags));
}

long ut_execute(int group, __u64 ctx, struct ums_event *event)
{
	long ret;

	if (uu_mode_execute(group, ctx, event, &ret))
		return ret;
	return ut_execute_flags(group, ctx, event, 0);
}

long ut_dequeue_ts(int list, struct ums_event *events, unsigned int nr,
		   const struct timespec *timeout, unsigned int flags)
{
	return result(syscall(__NR_ums_dequeue, list, events, nr, timeout,
			      flags));
}

long ut_dequeue(int list, struct ums_event *events, unsigned int nr,
		long timeout_ms)
{
	struct timespec ts = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * UT_NSEC_PER_MSEC,
	};

	return ut_dequeue_ts(list, events, nr, timeout_ms < 0 ? NULL : &ts, 0);
}

long ut_probe(struct ums_probe *probe)
{
	struct ums_probe unused = {};

	if (!probe)
		probe = &unused;
	return ut_ctl(UMS_CTL_PROBE, -1, probe, sizeof(*probe));
}

long ut_setup_flags(unsigned int max_contexts, unsigned int policy,
		    unsigned int flags)
{
	struct ums_setup setup = {
		.flags = flags,
		.max_contexts = max_contexts,
		.orphan_policy = policy,
	};

	return ut_ctl(UMS_CTL_SETUP, -1, &setup, sizeof(setup));
}

long ut_setup(unsigned int max_contexts, unsigned int policy)
{
	const char *mode = getenv("UMS_TEST_SWITCH");
	unsigned int flags = 0;

	if (mode && !strcmp(mode, "kernel"))
		flags |= UMS_SETUP_KERNEL_SWITCH;
	mode = getenv("UMS_TEST_SLEEP");
	if (mode && !strcmp(mode, "unmanaged"))
		flags |= UMS_SETUP_NO_MANAGED_SLEEP;
	return ut_setup_flags(max_contexts, policy, flags);
}

long ut_list_create(int group, struct ums_list_create *out)
{
	struct ums_list_create unused;

	if (!out)
		out = &unused;
	memset(out, 0, sizeof(*out));
	return ut_ctl(UMS_CTL_LIST_CREATE, group, out, sizeof(*out));
}

long ut_ctx_create(int group, __u64 cookie, __u64 *ctx)
{
	struct ums_ctx_create create = { .cookie = cookie };
	long ret = ut_ctl(UMS_CTL_CTX_CREATE, group, &create, sizeof(create));

	if (!ret)
		*ctx = create.ctx;
	return ret;
}

long ut_ctx_delete(int group, __u64 ctx)
{
	struct ums_ctx_delete del = { .ctx = ctx };

	return ut_ctl(UMS_CTL_CTX_DELETE, group, &del, sizeof(del));
}

long ut_attach(int list, unsigned int role, __u64 ctx)
{
	struct ums_attach attach = { .role = role, .ctx = ctx };
	long ret = ut_ctl(UMS_CTL_ATTACH, list, &attach, sizeof(attach));

	if (!ret)
		uu_mode_attached(list, ctx);
	return ret;
}

long ut_detach(void)
{
	long ret = ut_ctl(UMS_CTL_DETACH, -1, NULL, 0);

	if (!ret)
		uu_mode_detached();
	return ret;
}

long ut_yield(__u64 param)
{
	struct ums_yield yield = { .param = param };
	long ret;

	if (uu_mode_yield(param, &ret))
		return ret;
	return ut_ctl(UMS_CTL_YIELD, -1, &yield, sizeof(yield));
}

long ut_query(int group, __u64 ctx, unsigned int class,
	      struct ums_info *info)
{
	memset(info, 0, sizeof(*info));
	info->ctx = ctx;
	info->info_class = class;
	return ut_ctl(UMS_CTL_QUERY, group, info, sizeof(*info));
}

__u64 ut_query_value(int group, __u64 ctx, unsigned int class)
{
	struct ums_info info;

	return ut_query(group, ctx, class, &info) ? UT_NONE : info.value;
}

__u64 ut_state(int group, __u64 ctx)
{
	__u64 state = ut_query_value(group, ctx, UMS_INFO_STATE);

	return state == UT_NONE ? state : state & ~(__u64)UMS_STATE_USER;
}

long ut_base_open_fd(struct ut_base *base, unsigned int max_contexts,
		     long group)
{
	long page = sysconf(_SC_PAGESIZE);
	long ret;

	memset(base, 0, sizeof(*base));
	base->list = -1;
	base->slots = MAP_FAILED;
	base->ring = MAP_FAILED;
	ut_prefault();

	base->group = group;
	if (group < 0)
		return group;
	ret = ut_list_create(base->group, &base->list_info);
	base->list = ret;
	if (ret < 0)
		goto fail;

	base->slots_size = (max_contexts + 1UL) * sizeof(struct ums_context);
	base->slots_size = (base->slots_size + page - 1) / page * page;
	base->slots = mmap(NULL, base->slots_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, base->group, 0);
	base->ring_size = base->list_info.mmap_size;
	base->ring = mmap(NULL, base->ring_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, base->list, 0);
	if (base->slots != MAP_FAILED && base->ring != MAP_FAILED) {
		uu_mode_opened(base);
		return 0;
	}
	ret = -errno;
fail:
	ut_base_close(base);
	return ret;
}

long ut_base_open(struct ut_base *base, unsigned int max_contexts,
		  unsigned int policy)
{
	return ut_base_open_fd(base, max_contexts,
			       ut_setup(max_contexts, policy));
}

long ut_base_open_flags(struct ut_base *base, unsigned int max_contexts,
			unsigned int policy, unsigned int flags)
{
	return ut_base_open_fd(base, max_contexts,
			       ut_setup_flags(max_contexts, policy, flags));
}

void ut_base_close(struct ut_base *base)
{
	uu_mode_closed(base);
	if (base->slots != MAP_FAILED)
		munmap(base->slots, base->slots_size);
	if (base->ring != MAP_FAILED)
		munmap(base->ring, base->ring_size);
	if (base->list >= 0)
		close(base->list);
	if (base->group >= 0)
		close(base->group);
}

long ut_base_schedule_here(struct ut_base *base)
{
	long ret = ut_ctx_create(base->group, 0, &base->sched);

	if (ret)
		return ret;
	return ut_attach(base->list, UMS_ROLE_SCHEDULER, base->sched);
}

static void *thread_main(void *arg)
{
	struct ut_thread *thread = arg;

	UT_STORE(thread->tid, gettid());
	if (thread->role == UMS_ROLE_NONE)
		UT_STORE(thread->attach_ret, 0);
	else
		UT_STORE(thread->attach_ret,
			 ut_attach(thread->list, thread->role, thread->ctx));
	if (!thread->attach_ret)
		thread->fn(thread);
	UT_STORE(thread->done, 1);
	return NULL;
}

long ut_spawn_on(struct ut_base *base, struct ut_thread *thread, int list,
		 unsigned int role, void (*fn)(struct ut_thread *thread),
		 void *arg)
{
	size_t stack = UT_STACK_SIZE + sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attr;
	long ret;

	memset(thread, 0, sizeof(*thread));
	thread->fn = fn;
	thread->arg = arg;
	thread->base = base;
	thread->list = list < 0 && base ? base->list : list;
	thread->role = role;
	thread->ctx = UT_NONE;
	thread->attach_ret = 1;

	if (role != UMS_ROLE_NONE) {
		ret = ut_ctx_create(base->group, (uintptr_t)thread,
				    &thread->ctx);
		if (ret)
			return ret;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	/* Not while another thread of the process is in execve() */
	UT_WAIT((ret = -pthread_create(&thread->thread, &attr, thread_main,
				       thread)) != -EAGAIN);
	pthread_attr_destroy(&attr);
	return ret;
}

long ut_spawn(struct ut_base *base, struct ut_thread *thread,
	      unsigned int role, void (*fn)(struct ut_thread *thread),
	      void *arg)
{
	return ut_spawn_on(base, thread, -1, role, fn, arg);
}

long ut_spawn_worker(struct ut_base *base, struct ut_thread *thread,
		     void (*fn)(struct ut_thread *thread), void *arg)
{
	return ut_spawn_on(base, thread, -1, UMS_ROLE_WORKER, fn, arg);
}

void ut_join(struct ut_thread *thread)
{
	pthread_join(thread->thread, NULL);
}

static void take_stash(struct ut_base *base, unsigned int i,
		       struct ums_event *event)
{
	*event = base->stash[i];
	base->nr_stash--;
	memmove(&base->stash[i], &base->stash[i + 1],
		(base->nr_stash - i) * sizeof(*event));
}

long ut_next(struct ut_base *base, struct ums_event *event)
{
	if (base->nr_stash) {
		take_stash(base, 0, event);
		return 1;
	}
	return ut_dequeue(base->list, event, 1, UT_LIMIT_MS);
}

long ut_next_of(struct ut_base *base, __u64 ctx, struct ums_event *event)
{
	unsigned int i;
	long ret;

	for (i = 0; i < base->nr_stash; i++) {
		if (base->stash[i].ctx == ctx) {
			take_stash(base, i, event);
			return 1;
		}
	}
	for (;;) {
		ret = ut_dequeue(base->list, event, 1, UT_LIMIT_MS);
		if (ret != 1 || event->ctx == ctx)
			return ret;
		if (base->nr_stash == UT_STASH)
			return -ENOBUFS;
		base->stash[base->nr_stash++] = *event;
	}
}

static long run_to(struct ut_base *base, __u64 ctx,
		   struct ums_event *event, unsigned int reason, long nr)
{
	long ret;

	for (;;) {
		ret = ut_execute(base->group, ctx, event);
		if (ret == -EAGAIN)
			continue;
		if (ret != UMS_REASON_BLOCKED)
			return ret;
		if (reason == UMS_REASON_BLOCKED &&
		    event->cause == UMS_CAUSE_SYSCALL &&
		    event->arg == (__u64)nr)
			return ret;
		ret = ut_next_of(base, ctx, event);
		if (ret != 1)
			return ret;
		if (event->reason != UMS_REASON_READY)
			return event->reason;
	}
}

long ut_run_to(struct ut_base *base, __u64 ctx, struct ums_event *event,
	       unsigned int reason)
{
	return run_to(base, ctx, event, reason, -1);
}

long ut_run_to_block(struct ut_base *base, __u64 ctx,
		     struct ums_event *event, long nr)
{
	return run_to(base, ctx, event, UMS_REASON_BLOCKED, nr);
}

long ut_finish(struct ut_base *base, __u64 ctx)
{
	struct ums_event event;
	long ret = ut_next_of(base, ctx, &event);

	if (ret != 1)
		return ret;
	if (event.reason == UMS_REASON_READY)
		ret = ut_run_to(base, ctx, &event, UMS_REASON_TERMINATED);
	else
		ret = event.reason;
	return ret == UMS_REASON_TERMINATED ? 0 : -EPROTO;
}

long ut_schedule(struct ut_base *base, unsigned int workers)
{
	struct ums_event event;
	long ret;

	while (workers) {
		ret = ut_next(base, &event);
		if (ret != 1)
			return ret;
		while (event.reason != UMS_REASON_TERMINATED) {
			ret = ut_execute(base->group, event.ctx, &event);
			if (ret == -EAGAIN)
				continue;
			if (ret < 0)
				return ret;
			if (ret == UMS_REASON_BLOCKED)
				break;
		}
		if (event.reason == UMS_REASON_TERMINATED)
			workers--;
	}
	return 0;
}

__u64 ut_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UT_NSEC_PER_SEC + ts.tv_nsec;
}

/* Between two looks: the longest, and how often those before it were doubled */
#define LONGEST_NAP_NS	(5 * UT_NSEC_PER_MSEC)
#define NAPS_GROW	6

static void nap(__u64 ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

void ut_nap(void)
{
	nap(UT_NSEC_PER_MSEC);
}

void ut_nap_longer(unsigned int *naps)
{
	nap(LONGEST_NAP_NS >> (NAPS_GROW - *naps));
	if (*naps < NAPS_GROW)
		(*naps)++;
}

unsigned int ut_run_ms(unsigned int usual)
{
	const char *ms = getenv("UMS_TEST_MS");

	return ms ? strtoul(ms, NULL, 10) : usual;
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

__u64 ut_median(__u64 *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return values[nr / 2];
}
