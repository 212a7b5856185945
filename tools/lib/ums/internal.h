/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libums: what its files share
 *
 * Who may touch what: an object is made and deleted by its user, who sees to
 * it that nobody uses it any more. What several threads write at the same time
 * is accessed by the ums_load() family, or under ums_lock where it says so.
 *
 * ums_lock is never taken, and nothing is allocated, by what a scheduler calls
 * between an event and the next: list.c from ums_list_read_kernel() on,
 * woken.c, wait.c, run.c, event.c, refuse.c, and the lookup of a context.
 */
#ifndef UMS_INTERNAL_H
#define UMS_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <ums/ums.h>

#define ums_attribute(...)	__attribute__((__VA_ARGS__))
#define UMS_API			ums_attribute(visibility("default"))
/* A variable of the library's own, found without a look at the GOT */
#define UMS_HIDDEN		ums_attribute(visibility("hidden"))
#define UMS_NOINLINE		ums_attribute(__noinline__)
#define UMS_ALWAYS_INLINE	ums_attribute(__always_inline__)
/* Seldom called, and by somebody whose stack is not aligned: run.c */
#define UMS_REALIGN		ums_attribute(__noinline__, __cold__, \
					      __force_align_arg_pointer__)

#define ums_likely(x)		__builtin_expect(!!(x), 1)
#define ums_unlikely(x)		__builtin_expect(!!(x), 0)

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
 * @refs: One of its creator, one of each thread that reports a woken worker: the
 *	last worker may be gone, and the list deleted, before that has returned.
 * @woken: Workers to be reported that were aside; see woken.c.
 * @group: Its group.
 * @fd: The kernel's list.
 * @ring: Mapping of @fd.
 * @ring_size: Bytes of @ring.
 * @users: Number of schedulers and contexts that belong to it, and of workers
 *	that were put aside.
 * @lost: The kernel reported lost entries when there were items to return.
 * @wake_fd: Eventfd of ums_list_accept_waiters(), or -1.
 * @hand_over: Its workers run each other, see wait.c.
 * @left: Of @woken, those that were taken off there before.
 * @sleepers: Threads that are to be told by @wake_fd.
 */
struct ums_list_object {
	unsigned int refs;
	struct ums_context_object *woken;
	struct ums_group *group;
	int fd;
	struct ums_ring *ring;
	size_t ring_size;
	unsigned int users;
	bool lost;
	int wake_fd;
	bool hand_over;
	struct ums_context_object *left;
	unsigned int sleepers;
};

/**
 * struct ums_context_object - See create_ums_thread_context()
 *
 * Its address is the cookie of the kernel's context.
 *
 * @handed_by: Who has handed his processor to this one, and waits; see wait.c.
 * @group: Its group.
 * @slot: Slot in shared memory; another context's after @id was deleted.
 * @id: Id of the kernel's context.
 * @refs: One of its creator, one of the worker while that is there, one while
 *	it is aside.
 * @used: A thread was started with it, or tried to attach to it.
 * @failed: That thread could not become a worker.
 * @list: List that the worker belongs to.
 * @self: Of the worker while that is there; under ums_lock.
 * @next_item: Next one of what dequeue_ums_completion_list_items() returned.
 * @waits: The worker has given its processor away, to wait; see wait.c.
 * @wait_state: Of its &struct ums_waiter. It has one at a time, from
 *	ums_waiter_init() to the end of ums_wait().
 * @hops: How often the processor was handed on, up to this worker, since it
 *	came from a scheduler to one that waited.
 * @next_woken: Next one of &ums_list_object.woken or &ums_list_object.left.
 * @user: UMS_THREAD_USER_CONTEXT.
 * @thread: The worker, as soon as @slot says that there is one.
 * @start_routine: What the worker runs.
 * @arg: For @start_routine.
 */
struct ums_context_object {
	struct ums_context_object *handed_by;
	struct ums_group *group;
	struct ums_context *slot;
	__u64 id;
	unsigned int refs;
	bool used;
	bool failed;
	struct ums_list_object *list;
	struct ums_self *self;
	struct ums_context_object *next_item;
	bool waits;
	unsigned int wait_state;
	unsigned int hops;
	struct ums_context_object *next_woken;
	void *user;
	pthread_t thread;
	void *(*start_routine)(void *arg);
	void *arg;
};

/**
 * struct ums_self - What the calling thread is to UMS
 *
 * @worker_slot: Slot of @worker, or ums_no_slot: then it is none, though there
 *	may be a @worker whose context has been deleted.
 * @sched_slot: Its slot while it is a scheduler.
 * @sched_group: Its group while it is a scheduler.
 * @worker: Its context while it is a worker. Holds a reference.
 * @list: Its list while it is a scheduler.
 * @id: Its kernel context while it is a scheduler.
 * @proc_group: @sched_group, while @proc is set.
 * @proc: Entry point while it is in enter_ums_scheduling_mode().
 * @reason: For @proc.
 * @param: For @proc.
 * @activation: For @proc.
 * @anchor: Where to go on to call @proc anew, of __builtin_setjmp().
 * @kernel_first: What it has taken first from a list of woken workers, of the
 *	kernel's events and these.
 */
struct ums_self {
	struct ums_context *worker_slot;
	struct ums_context *sched_slot;
	struct ums_group *sched_group;
	struct ums_context_object *worker;
	struct ums_list_object *list;
	__u64 id;
	struct ums_group *proc_group;
	ums_scheduler_proc_t proc;
	ums_reason_t reason;
	void *param;
	ums_activation_t activation;
	void *anchor[5];
	bool kernel_first;
};

/**
 * struct ums_vdso - The switch, of the caller with the slot @self
 *
 * @execute: A scheduler runs a worker. One of &enum ums_reason, with
 *	UMS_RETURN_USER if that came by a switch in user mode.
 * @yield: A worker goes back to its scheduler. 0.
 * @switch_to: A worker runs another one. 0.
 *
 * Or a negative errno.
 */
struct ums_vdso {
	long (*execute)(struct ums_context *self, struct ums_context *worker);
	long (*yield)(struct ums_context *self, __u64 param);
	long (*switch_to)(struct ums_context *self, struct ums_context *worker);
};

extern UMS_HIDDEN struct ums_vdso ums_vdso;
/* Of a thread that is no worker */
extern UMS_HIDDEN struct ums_context ums_no_slot;
extern UMS_HIDDEN __thread struct ums_self ums_self;
extern UMS_HIDDEN pthread_mutex_t ums_lock;
extern UMS_HIDDEN unsigned int ums_incarnation;
extern UMS_HIDDEN struct ums_group *ums_groups;

static inline int ums_error(int error)
{
	errno = error;
	return -1;
}

/* kernel.c: system calls. They return what syscall() does. */
long ums_kernel_ctl(unsigned int op, int fd, void *arg, size_t size);
long ums_kernel_execute(int group_fd, __u64 ctx, struct ums_event *event,
			unsigned int flags);
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

static inline struct ums_context *ums_slot(const struct ums_group *group,
					   unsigned int index)
{
	return (void *)(group->slots + index * group->slot_size);
}

/* vdso.c: before the first switch */
void ums_vdso_setup(void);

/* event.c: ums_run() for @event */
int ums_run_for_event(struct ums_context_object *context,
		      struct ums_event *event);

/* refuse.c: -1, and errno of a negative result of the vDSO */
int ums_fail(long result);
/* What ums_run() returns for a result, less UMS_RETURN_USER */
int ums_kernel_reason(long result);
/* -1 and the reason why the caller cannot, as a scheduler or a worker */
int ums_refuse_call(struct ums_context_object *context);
int ums_refuse_execute(struct ums_context_object *context);
int ums_refuse_switch(struct ums_context_object *context);
int ums_refuse_yield(void);

/*
 * Is @context of @group? NULL is a group of its own: so a scheduler that is
 * none cannot. Who can is of the same incarnation, too.
 */
static inline bool ums_is_of(const struct ums_context_object *context,
			     const struct ums_group *group)
{
	return ums_likely(context && context->group == group);
}

/* As &ums_vdso.execute, by a scheduler, of a worker of the same group */
static inline int ums_execute(const struct ums_context_object *context)
{
	return ums_vdso.execute(ums_self.sched_slot, context->slot);
}

/* context.c */
void ums_context_put(struct ums_context_object *context);
/* Whether it is the live context of its slot, and that slot's state */
static inline bool ums_context_alive(const struct ums_context_object *context,
				     unsigned int *state)
{
	const struct ums_context *slot = context->slot;

	*state = ums_load(&slot->state);
	return ums_load(&slot->id) == context->id;
}

/* Its worker is no worker any more: the last scheduler has left meanwhile */
static inline bool
ums_context_is_released(const struct ums_context_object *context)
{
	unsigned int state;

	return !ums_context_alive(context, &state) ||
	       state == UMS_STATE_TERMINATED;
}

/* list.c: the last one frees it */
void ums_list_free(struct ums_list_object *list);

static inline void ums_list_put(struct ums_list_object *list)
{
	if (ums_unlikely(!ums_dec(&list->refs)))
		ums_list_free(list);
}

/* Is there nothing that the kernel would tell? */
static inline bool ums_list_kernel_is_empty(const struct ums_list_object *list)
{
	const struct ums_ring *ring = list->ring;
	/* Acquire: pairs with (B) of the kernel's ums_list_queue() */
	__u32 tail = ums_load(&ring->tail);

	/* It has to report it when entries were lost */
	return ums_load(&ring->head) == tail && !ums_load(&ring->lost);
}

/* As ums_dequeue(), without checks; of the kernel's events only */
int ums_list_read_kernel(struct ums_list_object *list, struct ums_event *events,
			 unsigned int nr, int timeout_ms);

/* woken.c: the same, with the workers that were woken */
int ums_list_read_both(struct ums_list_object *list, struct ums_event *events,
		       unsigned int nr, int timeout_ms);
/* Tell those who sleep */
void ums_list_wake_sleepers(struct ums_list_object *list);

/* There is something on @list that sleepers may not know of: (B) of woken.c */
static inline void ums_list_notify(struct ums_list_object *list)
{
	if (ums_unlikely(__atomic_load_n(&list->sleepers, __ATOMIC_SEQ_CST)))
		ums_list_wake_sleepers(list);
}

/* Have it report a worker that was aside, to which what ASIDE holds belongs */
static inline void ums_list_push_woken(struct ums_context_object *context)
{
	struct ums_list_object *list = context->list;
	struct ums_context_object *first = ums_load(&list->woken);

	/* What ASIDE holds belongs to whoever takes the worker, from the push on */
	ums_inc(&list->refs);
	do {
		context->next_woken = first;
	} while (!__atomic_compare_exchange_n(&list->woken, &first, context,
					      true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	ums_list_notify(list);
	ums_list_put(list);
}

/* The first one of the stack @woken, or of the list if that is NULL; or NULL */
struct ums_context_object *
ums_list_take_first(struct ums_list_object *list,
		    struct ums_context_object *woken);
/* It could not be run */
void ums_list_return_woken(struct ums_context_object *context);

/* The first of these, with what ASIDE holds; or NULL */
static inline struct ums_context_object *
ums_list_take_woken(struct ums_list_object *list)
{
	struct ums_context_object *woken = NULL;

	if (ums_likely(!ums_load(&list->left))) {
		if (!ums_load(&list->woken))
			return NULL;
		woken = ums_swap(&list->woken, NULL);
		/* The only one, as a rule */
		if (ums_likely(woken && !woken->next_woken &&
			       !ums_context_is_released(woken)))
			return woken;
	}
	return ums_list_take_first(list, woken);
}

/* Drop those that are no workers any more */
void ums_list_drop_released(struct ums_list_object *list);

/* self.c */
int ums_self_setup(void);
/* Have ums_self cleaned up when the calling thread exits */
int ums_self_register(void);
/* The calling thread is to be a worker */
void ums_self_set_worker(struct ums_context_object *worker);
/* It is none, or no longer one. May lock. */
void ums_self_clear_worker(void);
/* A worker that has become an ordinary thread may take a role anew */
void ums_self_forget_released(void);

/* scheduler.c */
int ums_self_leave_scheduler(void);

#endif /* UMS_INTERNAL_H */
