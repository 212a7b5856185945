/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libums: what its files share
 *
 * Who may touch what: an object is made and deleted by its user, who sees to
 * it that nobody uses it any more. What several threads write at the same time
 * is accessed by the ums_load() family, or under ums_lock where it says so.
 *
 * ums_lock is never taken, and nothing is allocated, by what a scheduler calls
 * between an event and the next: list.c from ums_list_read() on, run.c, and
 * the lookup of a context.
 */
#ifndef UMS_INTERNAL_H
#define UMS_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <ums/ums.h>

#define ums_attribute(a)	__attribute__((a))
#define UMS_API			ums_attribute(visibility("default"))
#define UMS_NOINLINE		ums_attribute(__noinline__)

#define ums_load(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ums_store(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define ums_swap(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define ums_inc(p)		__atomic_add_fetch((p), 1, __ATOMIC_ACQ_REL)
#define ums_dec(p)		__atomic_sub_fetch((p), 1, __ATOMIC_ACQ_REL)

/**
 * struct ums_group - See ums_group_create()
 *
 * @fd: The kernel's group.
 * @incarnation: Value of ums_incarnation when it was created. Differs after a
 *	fork: the fd is good for nothing in the child, and @slots is not there.
 * @slots: Mapping of @fd.
 * @slots_size: Bytes of @slots.
 * @slot_size: Bytes from one slot to the next.
 * @top: Highest index of a context so far; slots above may not be touched.
 * @objects: Number of lists, of the kernel's contexts, and of the objects of
 *	contexts: what keeps the group.
 * @next: Next group of the process; under ums_lock.
 */
struct ums_group {
	int fd;
	unsigned int incarnation;
	unsigned char *slots;
	size_t slots_size;
	size_t slot_size;
	unsigned int top;
	unsigned int objects;
	struct ums_group *next;
};

/**
 * struct ums_list_object - See create_ums_completion_list()
 *
 * @group: Its group.
 * @fd: The kernel's list.
 * @ring: Mapping of @fd.
 * @ring_size: Bytes of @ring.
 * @users: Number of schedulers and contexts that belong to it.
 * @lost: The kernel reported lost entries when there were items to return.
 */
struct ums_list_object {
	struct ums_group *group;
	int fd;
	struct ums_ring *ring;
	size_t ring_size;
	unsigned int users;
	bool lost;
};

/**
 * struct ums_context_object - See create_ums_thread_context()
 *
 * Its address is the cookie of the kernel's context.
 *
 * @group: Its group.
 * @slot: Slot in shared memory; another context's after @id was deleted.
 * @id: Id of the kernel's context.
 * @refs: One of its creator, one of the worker while that is there.
 * @used: A thread was started with it, or tried to attach to it.
 * @failed: That thread could not become a worker.
 * @list: List that the worker belongs to.
 * @next_item: Next one of what dequeue_ums_completion_list_items() returned.
 * @user: UMS_THREAD_USER_CONTEXT.
 * @thread: The worker, as soon as @slot says that there is one.
 * @start_routine: What the worker runs.
 * @arg: For @start_routine.
 */
struct ums_context_object {
	struct ums_group *group;
	struct ums_context *slot;
	__u64 id;
	unsigned int refs;
	bool used;
	bool failed;
	struct ums_list_object *list;
	struct ums_context_object *next_item;
	void *user;
	pthread_t thread;
	void *(*start_routine)(void *arg);
	void *arg;
};

/**
 * struct ums_self - What the calling thread is to UMS
 *
 * @worker: Its context while it is a worker. Holds a reference.
 * @list: Its list while it is a scheduler.
 * @id: Its kernel context while it is a scheduler.
 * @proc: Entry point while it is in enter_ums_scheduling_mode().
 * @reason: For @proc.
 * @param: For @proc.
 * @activation: For @proc.
 * @anchor: Where to go on to call @proc anew, of __builtin_setjmp().
 */
struct ums_self {
	struct ums_context_object *worker;
	struct ums_list_object *list;
	__u64 id;
	ums_scheduler_proc_t proc;
	ums_reason_t reason;
	void *param;
	ums_activation_t activation;
	void *anchor[5];
};

extern __thread struct ums_self ums_self;
extern pthread_mutex_t ums_lock;
extern unsigned int ums_incarnation;
extern struct ums_group *ums_groups;

static inline int ums_error(int error)
{
	errno = error;
	return -1;
}

/* kernel.c: system calls. They return what syscall() does. */
long ums_kernel_ctl(unsigned int op, int fd, void *arg, size_t size);
long ums_kernel_execute(int group_fd, __u64 ctx, struct ums_event *event);
long ums_kernel_dequeue(int list_fd, struct ums_event *events, unsigned int nr,
			int timeout_ms);
/* What every entry to the library begins with: -1 and errno without UMS */
int ums_check(void);
int ums_check_group(const struct ums_group *group);
int ums_check_list(const struct ums_list_object *list);
int ums_check_context(const struct ums_context_object *context);

/* group.c: of the kernel's contexts, also those of schedulers */
struct ums_group *ums_group_or_default(struct ums_group *group);
int ums_kernel_ctx_create(struct ums_group *group, int node, void *cookie,
			  __u64 *ctx);
int ums_kernel_ctx_delete(struct ums_group *group, __u64 ctx);
struct ums_context *ums_slot(const struct ums_group *group, unsigned int index);

/* context.c */
void ums_context_put(struct ums_context_object *context);
/* Whether it is the live context of its slot, and that slot's state */
bool ums_context_alive(const struct ums_context_object *context,
		       unsigned int *state);

/* list.c: as ums_dequeue(), without checks */
int ums_list_read(struct ums_list_object *list, struct ums_event *events,
		  unsigned int nr, int timeout_ms);

/* self.c */
int ums_self_setup(void);
/* Have ums_self cleaned up when the calling thread exits */
int ums_self_register(void);
/* A worker that has become an ordinary thread may take a role anew */
void ums_self_forget_released(void);

/* scheduler.c */
int ums_self_leave_scheduler(void);
/* Call the entry point anew */
noreturn void ums_scheduler_restart(void);

#endif /* UMS_INTERNAL_H */
