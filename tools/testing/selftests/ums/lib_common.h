/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS library test helpers: a scheduler in the style of Windows that records
 * why it was called, and waiting for workers
 *
 * The scheduler runs until a given number of workers has terminated. Pages that
 * a worker has to read in block it where no test asked for it; the records of
 * such are left out.
 */
#ifndef UMS_SELFTESTS_LIB_COMMON_H
#define UMS_SELFTESTS_LIB_COMMON_H

#include <string.h>
#include <ums/ums.h>

/* A call of the library that fails, and how */
#define LT_EXPECT_ERRNO(error, call) do {		\
	errno = 0;					\
	EXPECT_EQ(-1, (call));				\
	EXPECT_EQ(error, errno);			\
} while (0)

#define LT_MAX_WORKERS	1024
#define LT_MAX_RECORDS	256

/**
 * struct lt_record - One call of the entry point
 *
 * @reason: As it was given.
 * @context: Of the activation.
 * @param: As it was given.
 * @event: Of the activation.
 * @frame: Address of a local variable of the entry point.
 */
struct lt_record {
	ums_reason_t reason;
	ums_context_t *context;
	void *param;
	struct ums_event event;
	uintptr_t frame;
};

/**
 * struct lt_sched - A scheduler
 *
 * @list: Its list.
 * @workers: How many workers are to terminate before it returns.
 * @ready: Its ready queue, a ring.
 * @head: Entries taken from @ready.
 * @tail: Entries put into @ready.
 * @records: The first calls of the entry point.
 * @nr_records: How many.
 * @calls: Calls of the entry point by reason, all of them.
 * @execute_errno: Error of an execute that is not worth another try.
 * @hook: Called first by the entry point if set.
 * @data: For @hook.
 */
struct lt_sched {
	ums_completion_list_t *list;
	int workers;
	ums_context_t *ready[LT_MAX_WORKERS];
	unsigned int head;
	unsigned int tail;
	struct lt_record records[LT_MAX_RECORDS];
	unsigned int nr_records;
	unsigned long calls[UMS_REASON_TERMINATED + 1];
	int execute_errno;
	void (*hook)(struct lt_sched *sched, ums_reason_t reason);
	void *data;
};

static inline void lt_push(struct lt_sched *sched, ums_context_t *context)
{
	sched->ready[sched->tail++ % LT_MAX_WORKERS] = context;
}

/* Where the test can know it beforehand: not a page that is read in */
static inline bool lt_expected(const struct lt_record *record)
{
	return record->reason != UMS_REASON_BLOCKED ||
	       record->event.cause == UMS_CAUSE_SYSCALL;
}

static inline void lt_record(struct lt_sched *sched,
			     const struct lt_record *record)
{
	sched->calls[record->reason]++;
	if (sched->nr_records < LT_MAX_RECORDS && lt_expected(record))
		sched->records[sched->nr_records++] = *record;
}

static inline void lt_drain(struct lt_sched *sched)
{
	int timeout = sched->head == sched->tail ? -1 : 0;
	ums_context_t *item;

	if (dequeue_ums_completion_list_items(sched->list, timeout, &item))
		return;
	for (; item; item = get_next_ums_list_item(item))
		lt_push(sched, item);
}

static inline void lt_proc(ums_reason_t reason, ums_activation_t *activation,
			   void *param)
{
	struct lt_sched *sched = activation->scheduler_param;
	struct lt_record record = {
		.reason = reason,
		.context = activation->context,
		.param = param,
		.event = activation->event,
	};

	record.frame = (uintptr_t)&record;
	lt_record(sched, &record);
	if (sched->hook)
		sched->hook(sched, reason);

	if (reason == UMS_REASON_YIELDED || reason == UMS_REASON_PREEMPTED)
		lt_push(sched, activation->context);
	else if (reason == UMS_REASON_TERMINATED)
		UT_STORE(sched->workers, sched->workers - 1);

	while (sched->workers > 0) {
		lt_drain(sched);
		if (sched->head == sched->tail)
			continue;
		activation->context =
			sched->ready[sched->head++ % LT_MAX_WORKERS];
		execute_ums_thread(activation->context);
		if (errno != EAGAIN && errno != EINTR) {
			sched->execute_errno = errno;
			return;
		}
		lt_push(sched, activation->context);
	}
}

/* Schedule here until sched->workers have terminated */
static inline int lt_schedule(struct lt_sched *sched)
{
	struct ums_scheduler_startup_info info = {
		.version = UMS_API_VERSION,
		.completion_list = sched->list,
		.scheduler_proc = lt_proc,
		.scheduler_param = sched,
	};

	return enter_ums_scheduling_mode(&info);
}

/* State of the kernel's context, wherever its registers are */
static inline __u64 lt_state(ums_context_t *context)
{
	struct ums_group *group;
	__u64 state;

	if (ums_default_group(&group))
		return UT_NONE;
	state = ut_state(ums_group_fd(group), ums_context_id(context));
	return state == UT_NONE ? state : state & ~(__u64)UMS_STATE_USER;
}

/* Spawn a worker of the default group and wait until its list has it */
static inline int lt_spawn_ready(ums_completion_list_t *list,
				 void *(*fn)(void *arg), void *arg,
				 ums_context_t **context, pthread_t *thread)
{
	if (ums_spawn(list, fn, arg, NULL, context, thread))
		return -1;
	return UT_WAIT(lt_state(*context) == UMS_STATE_READY) ? 0 : -1;
}

/*
 * Run a worker until it gives the processor back for a reason that the test can
 * know, as ums_run() does.
 */
static inline int lt_run(ums_completion_list_t *list, ums_context_t *context,
			 struct ums_event *event)
{
	struct ums_event ready;
	int ret;

	for (;;) {
		ret = ums_run(context, event);
		if (ret < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (ret != UMS_REASON_BLOCKED ||
		    event->cause == UMS_CAUSE_SYSCALL)
			return ret;
		if (ums_dequeue(list, &ready, 1, -1) != 1 ||
		    ready.ctx != event->ctx)
			return -1;
	}
}

#endif /* UMS_SELFTESTS_LIB_COMMON_H */
