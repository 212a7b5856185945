// SPDX-License-Identifier: GPL-2.0
/*
 * UMS tests, the fuzzer: the memory that user code and the kernel share, which
 * is overwritten, unmapped and lent to others while it is in use; and page
 * faults.
 *
 * Each mapping has a place of its own that nothing else is ever mapped at.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "fuzz.h"

static char *places;

static void *place(unsigned int i)
{
	return places + i * FUZZ_MAP;
}

static void *empty(void *at)
{
	return mmap(at, FUZZ_MAP, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		    (at ? MAP_FIXED : 0), -1, 0);
}

void fuzz_reserve(void)
{
	unsigned int i;

	places = mmap(NULL, (FUZZ_GROUPS + FUZZ_LISTS) * FUZZ_MAP, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (places == MAP_FAILED)
		_exit(1);
	for (i = 0; i < FUZZ_GROUPS; i++)
		fuzz.group[i].slots = place(i);
	for (i = 0; i < FUZZ_LISTS; i++)
		fuzz.list[i].ring = place(FUZZ_GROUPS + i);
}

static long map_at(void *at, int fd, size_t size)
{
	if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 0) == MAP_FAILED)
		return -errno;
	return 0;
}

static size_t map_size(size_t size)
{
	size = (size + FUZZ_PAGE - 1) / FUZZ_PAGE * FUZZ_PAGE;
	return size > FUZZ_MAP ? FUZZ_MAP : size;
}

void fuzz_set_group(unsigned int i, int fd, unsigned int max_contexts)
{
	struct fuzz_group *group = &fuzz.group[i];
	int old = __atomic_exchange_n(&group->fd, fd, __ATOMIC_ACQ_REL);

	group->size = map_size((max_contexts + 1UL) *
			       sizeof(struct ums_context));
	map_at(group->slots, fd, group->size);
	if (old >= 0)
		close(old);
}

void fuzz_set_list(unsigned int i, unsigned int group, int fd, size_t size)
{
	struct fuzz_list *list = &fuzz.list[i];
	int old = __atomic_exchange_n(&list->fd, fd, __ATOMIC_ACQ_REL);

	UT_STORE(list->group, group);
	list->size = map_size(size);
	map_at(list->ring, fd, list->size);
	if (old >= 0)
		close(old);
}

struct ums_context *fuzz_slot(unsigned int group, __u64 ctx)
{
	return &fuzz.group[group].slots[(uint32_t)ctx % FUZZ_SLOTS];
}

static long op_scribble_slot(struct fuzz_thread *self)
{
	struct fuzz_group *group = &fuzz.group[fuzz_below(self, FUZZ_GROUPS)];
	struct ums_context *slot = &group->slots[fuzz_below(self, 16)];
	uint64_t value = fuzz_value(self);

	switch (fuzz_below(self, 12)) {
	case 0:
		UT_STORE(slot->state, value);
		break;
	case 1:
		UT_STORE(slot->ids, value);
		break;
	case 2:
		UT_STORE(slot->id, value);
		break;
	case 3:
		UT_STORE(slot->vp, value);
		break;
	case 4:
		UT_STORE(slot->running, value);
		break;
	case 5:
		UT_STORE(slot->vp_ids, value);
		break;
	case 6:
		UT_STORE(slot->yielder, value);
		break;
	case 7:
		UT_STORE(slot->switched, value);
		break;
	case 8:
		UT_STORE((&slot->regs.rbx)[fuzz_below(self, 12)], value);
		break;
	case 9:
		UT_STORE(slot->event_version, value);
		break;
	case 10:
		memcpy(slot, &group->slots[fuzz_below(self, 16)], sizeof(*slot));
		break;
	default:
		UT_STORE(((uint64_t *)slot)[fuzz_below(self, 32)], value);
	}
	return 0;
}

static long op_scribble_ring(struct fuzz_thread *self)
{
	struct ums_ring *ring = fuzz.list[fuzz_below(self, FUZZ_LISTS)].ring;
	uint64_t value = fuzz_value(self);

	switch (fuzz_below(self, 4)) {
	case 0:
		UT_STORE(ring->head, value);
		break;
	case 1:
		UT_STORE(ring->head, UT_LOAD(ring->tail) - value % 8);
		break;
	case 2:
		UT_STORE((&ring->head)[fuzz_below(self, 32)], value);
		break;
	default:
		UT_STORE(ring->ctx[fuzz_below(self, 64)], value);
	}
	return 0;
}

/* As a consumer in user mode should */
static long op_ring_take(struct fuzz_thread *self)
{
	struct ums_ring *ring = fuzz.list[fuzz_below(self, FUZZ_LISTS)].ring;
	uint32_t head = UT_LOAD(ring->head);

	if (head == UT_LOAD(ring->tail) ||
	    !__atomic_compare_exchange_n(&ring->head, &head, head + 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	return 0;
}

/* One of the places, and what belongs there */
static void *any_place(struct fuzz_thread *self, int *fd, size_t *size)
{
	unsigned int i = fuzz_below(self, FUZZ_GROUPS + FUZZ_LISTS);

	if (i < FUZZ_GROUPS) {
		*fd = UT_LOAD(fuzz.group[i].fd);
		*size = fuzz.group[i].size;
	} else {
		*fd = UT_LOAD(fuzz.list[i - FUZZ_GROUPS].fd);
		*size = fuzz.list[i - FUZZ_GROUPS].size;
	}
	return place(i);
}

static long op_map(struct fuzz_thread *self)
{
	size_t size;
	int fd;
	void *at = any_place(self, &fd, &size);

	return map_at(at, fd, size);
}

static long op_map_wrong(struct fuzz_thread *self)
{
	size_t size;
	int fd;
	void *at = any_place(self, &fd, &size);
	int flags = fuzz_one_in(self, 2) ? MAP_SHARED : MAP_PRIVATE;
	off_t offset = fuzz_below(self, 2) * FUZZ_PAGE;
	int prot = fuzz_below(self, 8);

	if (fuzz_one_in(self, 2))
		fd = fuzz_bad_fd(self);
	if (mmap(at, FUZZ_MAP, prot, flags | MAP_FIXED, fd, offset) ==
	    MAP_FAILED)
		return -errno;
	return 0;
}

static long op_unmap(struct fuzz_thread *self)
{
	size_t size;
	int fd;
	void *at = any_place(self, &fd, &size);

	return empty(at) == MAP_FAILED ? -errno : 0;
}

static long op_protect(struct fuzz_thread *self)
{
	size_t size;
	int fd;
	char *at = any_place(self, &fd, &size);

	at += fuzz_below(self, 4) * FUZZ_PAGE;
	return mprotect(at, FUZZ_PAGE, fuzz_below(self, 8)) ? -errno : 0;
}

static long op_advise(struct fuzz_thread *self)
{
	size_t size;
	int fd;
	void *at = any_place(self, &fd, &size);

	return madvise(at, FUZZ_MAP, fuzz_below(self, 26)) ? -errno : 0;
}

/* Away and back, or only growing, which is refused */
static long op_remap(struct fuzz_thread *self)
{
	size_t size;
	int fd;
	void *at = any_place(self, &fd, &size), *to;

	if (fuzz_one_in(self, 2))
		return mremap(at, size, size + FUZZ_PAGE, 0) == MAP_FAILED ?
		       -errno : 0;
	to = empty(NULL);
	if (to == MAP_FAILED)
		return -errno;
	if (mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
	    MAP_FAILED) {
		munmap(to, FUZZ_MAP);
		return -errno;
	}
	/* What is left behind must not become somebody else's */
	if (mremap(to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
	    MAP_FAILED)
		empty(at);
	munmap(to, FUZZ_MAP);
	return 0;
}

/* The pages in the hands of somebody who outlives the group */
static long op_lend(struct fuzz_thread *self)
{
	char *at = place(fuzz_below(self, FUZZ_GROUPS + FUZZ_LISTS));
	struct iovec remote = { .iov_base = at, .iov_len = 512 };
	struct iovec local = { .iov_base = self->area, .iov_len = 512 };
	long ret;

	switch (fuzz_below(self, 3)) {
	case 0:
		ret = vmsplice(fuzz.pipe[1], &remote, 1, SPLICE_F_NONBLOCK);
		break;
	case 1:
		ret = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		break;
	default:
		memcpy(self->area, at, 512);
		ret = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	}
	return ret < 0 ? -errno : 0;
}

static long op_fault(struct fuzz_thread *self)
{
	unsigned int i;

	madvise(self->area, 2 * FUZZ_PAGE, MADV_DONTNEED);
	for (i = 0; i < 2; i++)
		UT_STORE(self->area[i * FUZZ_PAGE], 1);
	return 0;
}

static long op_stack_fault(struct fuzz_thread *self)
{
	char deep[4 * FUZZ_PAGE];
	uintptr_t page = ((uintptr_t)deep + FUZZ_PAGE) & ~(FUZZ_PAGE - 1);

	if (madvise((void *)page, 2 * FUZZ_PAGE, MADV_DONTNEED))
		return -errno;
	UT_STORE(*(char *)page, 1);
	return 0;
}

const struct fuzz_op fuzz_memory_ops[] = {
	{ "scribble slot", FUZZ_SCRIBBLE, FUZZ_ALL, 6, op_scribble_slot },
	{ "scribble ring", FUZZ_SCRIBBLE, FUZZ_ALL, 6, op_scribble_ring },
	{ "ring take", FUZZ_SWITCH, FUZZ_ALL, 4, op_ring_take },
	{ "map", FUZZ_MAPS, FUZZ_ALL, 10, op_map },
	{ "map wrong", FUZZ_MAPS, FUZZ_ALL, 2, op_map_wrong },
	{ "unmap", FUZZ_MAPS, FUZZ_ALL, 2, op_unmap },
	{ "protect", FUZZ_MAPS, FUZZ_ALL, 2, op_protect },
	{ "advise", FUZZ_MAPS, FUZZ_ALL, 4, op_advise },
	{ "remap", FUZZ_MAPS, FUZZ_ALL, 2, op_remap },
	{ "lend", FUZZ_MAPS, FUZZ_ALL, 4, op_lend },
	{ "fault", FUZZ_BLOCK, FUZZ_ALL, 8, op_fault },
	{ "stack fault", FUZZ_BLOCK, FUZZ_ALL, 4, op_stack_fault },
	{}
};
