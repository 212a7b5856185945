// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: what a thread keeps of itself, and what happens to it when the thread
 * exits or forks
 *
 * The state is in thread-local memory that exists as soon as the thread does:
 * no access allocates. A key of pthread_key_create() is there only for its
 * destructor.
 */
#include "internal.h"

struct ums_context ums_no_slot;
__thread struct ums_self ums_self = { .worker_slot = &ums_no_slot };
pthread_mutex_t ums_lock = PTHREAD_MUTEX_INITIALIZER;
unsigned int ums_incarnation;
struct ums_group *ums_groups;

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static int setup_error;
static pthread_key_t exit_key;

void ums_self_set_worker(struct ums_context_object *worker)
{
	worker->self = &ums_self;
	ums_self.worker = worker;
	ums_store(&ums_self.worker_slot, worker->slot);
}

void ums_self_clear_worker(void)
{
	pthread_mutex_lock(&ums_lock);
	ums_self.worker->self = NULL;
	ums_store(&ums_self.worker_slot, &ums_no_slot);
	pthread_mutex_unlock(&ums_lock);
	ums_self.worker = NULL;
}

/* The thread exits; the kernel tells its schedulers by itself */
static void self_exit(void *unused)
{
	struct ums_context_object *worker = ums_self.worker;

	(void)unused;
	if (ums_self.list)
		ums_self_leave_scheduler();
	if (worker) {
		ums_self_clear_worker();
		ums_context_put(worker);
	}
}

void ums_self_forget_released(void)
{
	struct ums_context_object *worker = ums_self.worker;
	unsigned int state;

	if (worker && (!ums_context_alive(worker, &state) ||
		       state == UMS_STATE_TERMINATED)) {
		ums_self_clear_worker();
		ums_context_put(worker);
	}
}

static void before_fork(void)
{
	pthread_mutex_lock(&ums_lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&ums_lock);
}

/* Neither the kernel's objects nor the mappings of the parent are there */
static void after_fork_in_child(void)
{
	ums_self = (struct ums_self){ .worker_slot = &ums_no_slot };
	ums_incarnation++;
	ums_groups = NULL;
	pthread_mutex_unlock(&ums_lock);
}

static void setup(void)
{
	ums_vdso_setup();
	setup_error = pthread_key_create(&exit_key, self_exit);
	if (!setup_error)
		setup_error = pthread_atfork(before_fork, after_fork_in_parent,
					     after_fork_in_child);
}

int ums_self_setup(void)
{
	pthread_once(&setup_once, setup);
	return setup_error ? ums_error(setup_error) : 0;
}

int ums_self_register(void)
{
	int error = pthread_setspecific(exit_key, &ums_self);

	return error ? ums_error(error) : 0;
}
