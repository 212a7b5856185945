// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers for the user switch, see user.h.
 */
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../vDSO/parse_vdso.h"
#include "user.h"

struct uu_vdso uu;

bool uu_init(void)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR);
	struct ums_probe probe = {};

	if (!base || ut_probe(&probe) ||
	    !(probe.features & UMS_FEATURE_USER_SWITCH))
		return false;
	vdso_init_from_sysinfo_ehdr(base);
	uu.execute = vdso_sym("LINUX_2.6", "__vdso_ums_execute");
	uu.yield = vdso_sym("LINUX_2.6", "__vdso_ums_yield");
	uu.switch_to = vdso_sym("LINUX_2.6", "__vdso_ums_switch");
	return uu.execute && uu.yield && uu.switch_to;
}

long uu_run(struct ut_base *base, struct ut_thread *worker)
{
	struct ums_event event;
	long ret;

	for (;;) {
		ret = uu_execute(base, worker);
		if (ret == -EAGAIN || ret == -EINTR)
			continue;
		if (ret != UMS_REASON_BLOCKED)
			return ret;
		ret = ut_next_of(base, worker->ctx, &event);
		if (ret != 1)
			return ret;
		if (event.reason != UMS_REASON_READY)
			return event.reason;
	}
}

long uu_start(struct ut_base *base, struct ut_thread *worker)
{
	struct ums_event event;
	long ret = ut_next_of(base, worker->ctx, &event);

	return ret == 1 ? uu_run(base, worker) : ret;
}

/* Whether @ret of uu_execute() only says that the worker cannot run just now */
static bool not_now(long ret)
{
	return ret == -EAGAIN || ret == -EINTR || ret == -EBUSY ||
	       ret == -EINPROGRESS || ret == -ENXIO;
}

long uu_schedule(struct ut_base *base, struct ut_thread *workers,
		 unsigned int nr)
{
	__u64 end = ut_now_ns() + UT_LIMIT_MS * UT_NSEC_PER_MSEC;
	unsigned int i, left, naps = 0;
	long ret;

	do {
		for (i = 0, left = nr; i < nr; i++) {
			if (ut_slot_state(base, workers[i].ctx) ==
			    UMS_STATE_TERMINATED) {
				left--;
				continue;
			}
			ret = uu_execute(base, &workers[i]);
			if (not_now(ret)) {
				ut_nap_longer(&naps);
				continue;
			}
			if (ret < 0 && ret != -ESRCH)
				return ret;
			naps = 0;
		}
	} while (left && ut_now_ns() < end);
	return left ? -ETIMEDOUT : 0;
}

int uu_pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

pid_t uu_resolve(void)
{
	return syscall(SYS_gettid);
}

struct ums_switches uu_switches(struct ut_base *base, __u64 ctx)
{
	struct ums_info info;

	if (ut_query(base->group, ctx, UMS_INFO_SWITCHES, &info))
		memset(&info.switches, 0xff, sizeof(info.switches));
	return info.switches;
}

static void yields_ten_times(struct ut_thread *self)
{
	int i;

	for (i = 0; i < 10; i++) {
		self->ret += uu_resolve() == self->tid;
		uu_yield(self, i);
	}
}

bool uu_fresh_group_works(void)
{
	struct ut_thread worker;
	struct ut_base base;
	bool good;

	if (ut_base_open_flags(&base, 4, UMS_ORPHAN_RELEASE, 0))
		return false;
	good = !ut_base_schedule_here(&base) &&
	       !ut_spawn_worker(&base, &worker, yields_ten_times, NULL);
	if (good) {
		good = !uu_schedule(&base, &worker, 1);
		ut_join(&worker);
		good = good && worker.ret == 10;
	}
	ut_detach();
	ut_base_close(&base);
	return good;
}
