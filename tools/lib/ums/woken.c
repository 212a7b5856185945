// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: the part of a completion list that user code fills
 *
 * Workers that were put aside, see wait.c, and have been woken. Any thread
 * pushes, any takes, and nobody waits for another one:
 *
 *  - &ums_list_object.woken is a stack, newest first. It is taken as a whole, so
 *    a push needs no more than a compare-exchange (no ABA: what it compares is
 *    linked to, and never looked at).
 *  - &ums_list_object.left is what a taker had no room for, oldest first, and is
 *    taken as a whole too. It comes before the stack. Two takers who both leave
 *    something append one to the other.
 *
 * So the order is that of the wakeups, except among takers at the same time.
 *
 * A thread that waits for such a list sleeps in poll(), for the kernel's part or
 * an eventfd:
 *
 *	taker				waker
 *	-----				-----
 *	sleepers++	(full barrier)	push		(full barrier)
 *	reset the eventfd		sleepers?	(B)
 *	empty?		(A)		write to the eventfd
 *	poll()
 *
 * Either (A) sees what was pushed or (B) sees the taker. If another taker resets
 * what was written for this one, it looks at the list after that; if it leaves
 * something it does as a waker does.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "wait.h"

#define MSEC_PER_SEC	1000
#define NSEC_PER_MSEC	1000000

UMS_API int ums_list_accept_waiters(ums_completion_list_t *list)
{
	if (ums_check_list(list))
		return -1;
	if (list->wake_fd >= 0)
		return 0;

	list->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return list->wake_fd < 0 ? -1 : 0;
}

UMS_API int ums_list_hand_over(ums_completion_list_t *list)
{
	if (ums_list_accept_waiters(list))
		return -1;
	ums_store(&list->hand_over, true);
	return 0;
}

static bool is_empty(const struct ums_list_object *list)
{
	return !__atomic_load_n(&list->woken, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&list->left, __ATOMIC_SEQ_CST);
}

void ums_list_wake_sleepers(struct ums_list_object *list)
{
	const __u64 one = 1;
	int error = errno;

	/* That it is full already is fine. Not write(): no cancellation here. */
	if (syscall(SYS_write, list->wake_fd, &one, sizeof(one)) < 0)
		errno = error;
}

static struct ums_context_object *reverse(struct ums_context_object *first)
{
	struct ums_context_object *next, *reversed = NULL;

	for (; first; first = next) {
		next = first->next_woken;
		first->next_woken = reversed;
		reversed = first;
	}
	return reversed;
}

/* All that there is, oldest first */
static struct ums_context_object *take_all(struct ums_list_object *list)
{
	struct ums_context_object *first;

	if (ums_load(&list->left)) {
		first = ums_swap(&list->left, NULL);
		if (first)
			return first;
	}
	if (!ums_load(&list->woken))
		return NULL;
	return reverse(ums_swap(&list->woken, NULL));
}

static void leave(struct ums_list_object *list,
		  struct ums_context_object *first)
{
	struct ums_context_object *none, *last;

	if (!first)
		return;
	for (;;) {
		none = NULL;
		if (__atomic_compare_exchange_n(&list->left, &none, first,
						false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			break;
		for (last = first; last->next_woken; last = last->next_woken)
			;
		last->next_woken = ums_swap(&list->left, NULL);
	}
	ums_list_notify(list);
}

struct ums_context_object *
ums_list_take_first(struct ums_list_object *list,
		    struct ums_context_object *woken)
{
	struct ums_context_object *first = reverse(woken);

	for (;;) {
		if (!first)
			first = take_all(list);
		if (!first)
			return NULL;
		leave(list, first->next_woken);
		if (!ums_context_is_released(first))
			return first;
		ums_aside_end(first);
		first = NULL;
	}
}

void ums_list_return_woken(struct ums_context_object *context)
{
	context->next_woken = NULL;
	leave(context->list, context);
}

static unsigned int
take_woken(struct ums_list_object *list, struct ums_event *events,
	   unsigned int nr)
{
	struct ums_context_object *context, *next;
	unsigned int taken = 0;

	if (!nr)
		return 0;
	for (context = take_all(list); context && taken < nr; context = next) {
		next = context->next_woken;
		if (!ums_context_is_released(context))
			events[taken++] = (struct ums_event){
				.ctx = context->id,
				.cookie = (uintptr_t)context,
				.reason = UMS_REASON_READY,
				.seq = context->slot->event_seq,
			};
		ums_aside_end(context);
	}
	leave(list, context);
	return taken;
}

void ums_list_drop_released(struct ums_list_object *list)
{
	struct ums_context_object *kept = NULL, **end = &kept, *context, *next;
	int i;

	/* The second time is for the stack */
	for (i = 0; i < 2; i++) {
		for (context = take_all(list); context; context = next) {
			next = context->next_woken;
			if (ums_context_is_released(context)) {
				ums_aside_end(context);
				continue;
			}
			*end = context;
			end = &context->next_woken;
		}
	}
	*end = NULL;
	leave(list, kept);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (long long)MSEC_PER_SEC +
	       now.tv_nsec / NSEC_PER_MSEC;
}

/* Sleep until there may be something on @list; as poll() */
static int sleep_for(struct ums_list_object *list, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = list->fd, .events = POLLIN },
		{ .fd = list->wake_fd, .events = POLLIN },
	};
	__u64 count;
	int ret = 1;

	__atomic_add_fetch(&list->sleepers, 1, __ATOMIC_SEQ_CST);
	/* Nothing to read is what it is for */
	if (read(list->wake_fd, &count, sizeof(count)) < 0)
		count = 0;
	if (is_empty(list)) /* (A) */
		ret = poll(fds, 2, timeout_ms);
	ums_dec(&list->sleepers);
	return ret;
}

/* Both parts, without waiting. Neither shall starve the other. */
static int take(struct ums_list_object *list, struct ums_event *events,
		unsigned int nr)
{
	unsigned int taken = 0;
	int from_kernel;

	if (!nr && !is_empty(list))
		return 0;

	ums_self.kernel_first = !ums_self.kernel_first;
	if (!ums_self.kernel_first)
		taken = take_woken(list, events, nr);
	if (taken && taken == nr)
		return taken;

	from_kernel = ums_list_read_kernel(list, events + taken, nr - taken, 0);
	if (from_kernel >= 0)
		taken += from_kernel;
	else if (errno == EOVERFLOW && taken)
		ums_store(&list->lost, true);
	else if (errno != EAGAIN)
		return -1;

	if (ums_self.kernel_first)
		taken += take_woken(list, events + taken, nr - taken);
	return taken || (from_kernel >= 0 && !nr) ? (int)taken :
						    ums_error(EAGAIN);
}

int ums_list_read_both(struct ums_list_object *list, struct ums_event *events,
		       unsigned int nr, int timeout_ms)
{
	long long end = timeout_ms > 0 ? now_ms() + timeout_ms + 1 : 0;
	int left = timeout_ms, ret;

	for (;;) {
		ret = take(list, events, nr);
		if (ret >= 0 || errno != EAGAIN || !timeout_ms)
			return ret;
		if (timeout_ms > 0) {
			left = end - now_ms();
			if (left <= 0)
				return ums_error(ETIMEDOUT);
		}
		if (sleep_for(list, left) < 0)
			return -1;
	}
}
