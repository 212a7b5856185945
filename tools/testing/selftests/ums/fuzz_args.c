// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: random numbers, and arguments that are right, nearly
 * right, or hostile.
 */
#include <limits.h>
#include <string.h>

#include "fuzz.h"

uint64_t fuzz_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

uint64_t fuzz_sub_seed(uint64_t seed, uint64_t number)
{
	seed += (number + 1) * 0x9e3779b97f4a7c15ULL;
	seed = (seed ^ seed >> 31) * 0xd6e8feb86659fd93ULL;
	seed = (seed ^ seed >> 29) * 0xa0761d6478bd642fULL;
	seed ^= seed >> 32;
	/* The generator would stay at zero */
	return seed ?: 1;
}

bool fuzz_hostile(struct fuzz_thread *self)
{
	return (fuzz.shared->classes & FUZZ_HOSTILE) && fuzz_one_in(self, 12);
}

int fuzz_bad_fd(struct fuzz_thread *self)
{
	switch (fuzz_below(self, 8)) {
	case 0:
		return -1;
	case 1:
		return fuzz.pipe[0];
	case 2:
		return UT_LOAD(fuzz.group[fuzz_below(self, FUZZ_GROUPS)].fd);
	case 3:
		return UT_LOAD(fuzz.list[fuzz_below(self, FUZZ_LISTS)].fd);
	case 4:
		return fuzz.foreign_group;
	case 5:
		return fuzz.foreign_list;
	case 6:
		return fuzz_below(self, 64);
	default:
		return fuzz_number(self);
	}
}

int fuzz_group_fd(struct fuzz_thread *self, unsigned int group)
{
	if (fuzz_hostile(self))
		return fuzz_bad_fd(self);
	return UT_LOAD(fuzz.group[group].fd);
}

int fuzz_list_fd(struct fuzz_thread *self, unsigned int list)
{
	if (fuzz_hostile(self))
		return fuzz_bad_fd(self);
	return UT_LOAD(fuzz.list[list].fd);
}

void *fuzz_bad_pointer(struct fuzz_thread *self)
{
	char *area = self->area;
	unsigned int some = fuzz_below(self, 256);

	switch (fuzz_below(self, 10)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(uintptr_t)some;
	case 2:
		return (void *)(0xffff888000000000ULL + some * FUZZ_PAGE);
	case 3:
		return (void *)(1ULL << 47 | some);
	case 4:
		return area + 2 * FUZZ_PAGE + some;
	case 5:
		return area + 3 * FUZZ_PAGE + some;
	case 6:
		return area + 2 * FUZZ_PAGE - some;
	case 7:
		return (char *)fuzz.group[fuzz_below(self, FUZZ_GROUPS)].slots +
			8 * some;
	case 8:
		return (char *)fuzz.list[fuzz_below(self, FUZZ_LISTS)].ring +
			8 * some;
	default:
		return area + some;
	}
}

uint64_t fuzz_value(struct fuzz_thread *self)
{
	static const uint64_t states[] = {
		UMS_STATE_FREE, UMS_STATE_CREATED, UMS_STATE_READY,
		UMS_STATE_RUNNING, UMS_STATE_BLOCKED, UMS_STATE_LOCKED,
		UMS_STATE_TERMINATED, UMS_STATE_READY | UMS_STATE_USER,
	};
	unsigned int group = fuzz_below(self, FUZZ_GROUPS);
	uint64_t random = fuzz_number(self);

	switch (random % 8) {
	case 0:
		return fuzz_number(self);
	case 1:
		return random >> 32;
	case 2:
		return states[random / 16 % ARRAY_SIZE(states)];
	case 3:
		return 1ULL << random / 16 % 64;
	case 4:
		return 1ULL << 47 | random;
	case 5:
		return fuzz_ctx(self, group);
	default:
		return fuzz_below(self, 16);
	}
}

__u64 fuzz_id(struct fuzz_thread *self, unsigned int group)
{
	unsigned int i, at = fuzz_below(self, FUZZ_IDS);

	for (i = 0; i < FUZZ_IDS; i++)
		if (fuzz.group[group].ids[(at + i) % FUZZ_IDS])
			break;
	return fuzz.group[group].ids[(at + i) % FUZZ_IDS];
}

__u64 fuzz_ctx(struct fuzz_thread *self, unsigned int group)
{
	struct fuzz_thread *thread;
	unsigned int i;

	if (fuzz_hostile(self)) {
		switch (fuzz_below(self, 4)) {
		case 0:
			return fuzz_number(self);
		case 1:
			return fuzz_below(self, 16);
		case 2:
			return self->ctx;
		default:
			group = fuzz_below(self, FUZZ_GROUPS);
		}
	}
	for (i = 0; i < 4; i++) {
		thread = &fuzz.thread[fuzz_below(self, FUZZ_THREADS)];
		if (UT_LOAD(thread->role) == UMS_ROLE_WORKER &&
		    thread->group == group && thread != self)
			return thread->ctx;
	}
	return fuzz_id(self, group);
}

/* A structure of @size at the begin of @buf, which has room for a page more */
static size_t spoil_size(struct fuzz_thread *self, char *buf, size_t size)
{
	switch (fuzz_below(self, 8)) {
	case 0:
		return fuzz_below(self, size + 1);
	case 1:
		return size + fuzz_below(self, 64);
	case 2:
		buf[size + fuzz_below(self, 8)] = 1;
		return size + 8;
	case 3:
		return FUZZ_PAGE - fuzz_below(self, 2);
	case 4:
		return FUZZ_PAGE + 1;
	case 5:
		return SIZE_MAX - fuzz_below(self, 2);
	default:
		return fuzz_number(self);
	}
}

static void spoil_field(struct fuzz_thread *self, char *buf, size_t size)
{
	uint64_t value = fuzz_value(self);
	size_t at = fuzz_below(self, size / 4) * 4;

	memcpy(buf + at, &value, size - at < 8 ? 4 : 8);
}

long fuzz_ctl(struct fuzz_thread *self, unsigned int op, int fd, void *arg,
	      size_t size)
{
	char *buf = self->area, *passed = buf;
	size_t passed_size = size;
	long ret;

	memset(buf, 0, 2 * FUZZ_PAGE);
	memcpy(buf, arg, size);
	if (fuzz_hostile(self))
		fd = fuzz_bad_fd(self);
	if (fuzz_hostile(self))
		spoil_field(self, buf, size);
	if (fuzz_hostile(self))
		passed_size = spoil_size(self, buf, size);
	if (fuzz_hostile(self))
		passed = fuzz_bad_pointer(self);
	ret = ut_ctl(op, fd, passed, passed_size);
	memcpy(arg, buf, size);
	return ret;
}

pid_t fuzz_tid(struct fuzz_thread *self)
{
	return UT_LOAD(fuzz.thread[fuzz_below(self, FUZZ_THREADS)].tid);
}

struct timespec fuzz_time(struct fuzz_thread *self, unsigned int max_us)
{
	return (struct timespec) {
		.tv_nsec = 1 + 1000L * fuzz_below(self, max_us),
	};
}
