// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: a program as its users write them, C and C++ alike. Compiled by
 * both, against the installed library, with all warnings.
 *
 * Prints nothing. Exit status: 0 if all went well, 4 on a kernel without UMS.
 */
#include <ums/ums.h>

#include <errno.h>

#define EXIT_SKIP	4
#define NR_YIELDS	3

static int nr_yields;
static int nr_blocked;
static int nr_terminated;

static void *worker(void *arg)
{
	int i;

	for (i = 0; i < NR_YIELDS; i++)
		if (ums_thread_yield(arg))
			return NULL;
	return arg;
}

static void scheduler(ums_reason_t reason, ums_activation_t *activation,
		      void *param)
{
	ums_completion_list_t *list =
		(ums_completion_list_t *)activation->scheduler_param;
	ums_context_t *next = activation->context;

	(void)param;
	switch (reason) {
	case UMS_REASON_YIELDED:
		nr_yields++;
		break;
	case UMS_REASON_TERMINATED:
		nr_terminated++;
		return;
	case UMS_REASON_BLOCKED:
		nr_blocked++;
		next = NULL;
		break;
	case UMS_REASON_STARTUP:
	case UMS_REASON_PREEMPTED:
	case UMS_REASON_READY:
		break;
	}

	do {
		while (!next)
			if (dequeue_ums_completion_list_items(list, -1, &next))
				return;
		execute_ums_thread(next);
	} while (errno == EAGAIN || errno == EINTR);
}

int main(void)
{
	struct ums_scheduler_startup_info info = {
		UMS_API_VERSION, NULL, scheduler, NULL
	};
	ums_completion_list_t *list;
	ums_context_t *context;
	struct ums_probe probe;
	pthread_t thread;
	void *result;

	if (ums_probe_kernel(&probe))
		return EXIT_SKIP;
	if (create_ums_completion_list(&list))
		return 1;
	if (create_ums_thread_context(&context) ||
	    ums_pthread_create(&thread, NULL, list, context, worker, &thread))
		return 1;

	info.completion_list = list;
	info.scheduler_param = list;
	if (enter_ums_scheduling_mode(&info))
		return 1;

	if (pthread_join(thread, &result) || result != &thread)
		return 1;
	if (delete_ums_thread_context(context) ||
	    delete_ums_completion_list(list))
		return 1;
	return nr_yields != NR_YIELDS || nr_terminated != 1;
}
