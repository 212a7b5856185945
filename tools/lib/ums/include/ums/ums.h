/* SPDX-License-Identifier: LGPL-2.1 OR MIT */
/*
 * libums: user-mode scheduling
 *
 * Two ways to write a scheduler, over the same objects, which mix freely:
 *
 *  - The API of Windows in Linux dress. The scheduler is a function that is
 *    called with a reason, picks a worker, and executes it by a call that does
 *    not return: see enter_ums_scheduling_mode(), execute_ums_thread().
 *  - A small direct API. The scheduler is a loop that calls ums_run(), which
 *    returns when the processor comes back.
 *
 * Rules for both:
 *
 *  - Calls return 0, or -1 with errno set, unless they say otherwise. On a
 *    kernel without UMS every call fails with ENOSYS, except those of mutex,
 *    condition variable and channel.
 *  - A worker can be stopped at any instruction, also while it holds a lock.
 *    A scheduler's code must not wait for such a lock: it calls neither
 *    malloc() nor stdio nor pthread_create() if its own workers do, or has
 *    another scheduler that keeps running. The library obeys: between an event
 *    and the scheduler's code, in dequeueing and in executing, it takes no
 *    lock and allocates nothing. Functions that may allocate or lock say so.
 *  - After fork() the child is a plain process. It may use the library anew,
 *    but none of the objects of its parent.
 *
 * Scheduler and worker change places in user mode, without a system call, where
 * the kernel and the worker's state allow it; else by system call, with the
 * same results. Environment variable UMS_SWITCH=kernel: always by system call.
 * UMS_SLEEP=unmanaged: a woken worker finishes its system call by itself first.
 */
#ifndef UMS_UMS_H
#define UMS_UMS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface, see &struct ums_scheduler_startup_info */
#define UMS_API_VERSION		1

/* The memory node of an object is left to the kernel */
#define UMS_NODE_ANY		(-1)

/* What pthread_join() returns for a worker that could not be attached */
#define UMS_NOT_STARTED		((void *)-1)

/*
 * The UMS domain of a process: contexts and lists.
 *
 * The functions of the Windows-style API use the default group, which is
 * created by the first of them that needs it.
 */
struct ums_group;

/**
 * typedef ums_completion_list_t - Where workers show up that can be executed
 */
typedef struct ums_list_object ums_completion_list_t;

/**
 * typedef ums_context_t - A worker as its schedulers see it
 *
 * Not &struct ums_context, which is the kernel's slot of it in shared memory.
 */
typedef struct ums_context_object ums_context_t;

/**
 * typedef ums_reason_t - Why the scheduler's entry point is called
 *
 * Of Windows are %UMS_REASON_STARTUP, %UMS_REASON_BLOCKED and
 * %UMS_REASON_YIELDED. Linux adds two: %UMS_REASON_PREEMPTED, the scheduler
 * had a signal to handle, and %UMS_REASON_TERMINATED, the worker has ended
 * (Windows reports it as blocked, and then by the list). After YIELDED and
 * PREEMPTED the worker can be executed at once and no list will report it: the
 * scheduler puts it into its ready queue. After BLOCKED a list reports it.
 * After TERMINATED its context can be deleted. %UMS_REASON_READY is the reason
 * of events of a list only.
 */
typedef enum ums_reason ums_reason_t;

/**
 * struct ums_activation - What an entry point is told beside the reason
 *
 * Valid until the entry point is called next or returns.
 *
 * @context: The worker that this is about, NULL on STARTUP. After a worker
 *	switched to another one, see ums_switch_to(), not the one that was
 *	executed.
 * @scheduler_param: That of &struct ums_scheduler_startup_info, for every
 *	reason.
 * @event: The event, as from ums_run(): after BLOCKED its cause and argument,
 *	after TERMINATED the exit code in its argument. All zero on STARTUP.
 */
typedef struct ums_activation {
	ums_context_t *context;
	void *scheduler_param;
	struct ums_event event;
} ums_activation_t;

/**
 * typedef ums_scheduler_proc_t - Entry point of a scheduler
 *
 * Called on the stack of enter_ums_scheduling_mode(), for each reason from
 * its beginning: the frames of the call before are gone, as after a longjmp().
 * In C++ no object with a destructor may be alive in them when
 * execute_ums_thread() succeeds. Scheduling mode ends when it returns.
 *
 * @reason: Why it is called.
 * @activation: Details.
 * @param: YIELDED: what the worker gave to ums_thread_yield(). Else the
 *	parameter of &struct ums_scheduler_startup_info.
 */
typedef void (*ums_scheduler_proc_t)(ums_reason_t reason,
				     ums_activation_t *activation,
				     void *param);

/**
 * struct ums_scheduler_startup_info - Argument of enter_ums_scheduling_mode()
 *
 * @version: %UMS_API_VERSION.
 * @completion_list: List that the scheduler belongs to. It may execute workers
 *	of any list of the same group.
 * @scheduler_proc: Entry point.
 * @scheduler_param: For the entry point.
 */
struct ums_scheduler_startup_info {
	__u32 version;
	ums_completion_list_t *completion_list;
	ums_scheduler_proc_t scheduler_proc;
	void *scheduler_param;
};

/**
 * enum ums_thread_info_class - Classes of information of a worker
 *
 * @UMS_THREAD_INVALID_INFO_CLASS: EINVAL.
 * @UMS_THREAD_USER_CONTEXT: void *, the scheduler's own data. Can be set.
 * @UMS_THREAD_PRIORITY: &struct ums_thread_priority. Can be set.
 * @UMS_THREAD_AFFINITY: Mask of cpus, as sched_setaffinity() takes it. Can be
 *	set.
 * @UMS_THREAD_TEB: pthread_t, which points to the thread's control block.
 * @UMS_THREAD_IS_SUSPENDED: bool; false in this version.
 * @UMS_THREAD_IS_TERMINATED: bool; true once the worker has exited or detached,
 *	or has become an ordinary thread because no scheduler was left.
 * @UMS_THREAD_MAX_INFO_CLASS: EINVAL; number of classes.
 */
enum ums_thread_info_class {
	UMS_THREAD_INVALID_INFO_CLASS	= 0,
	UMS_THREAD_USER_CONTEXT		= 1,
	UMS_THREAD_PRIORITY		= 2,
	UMS_THREAD_AFFINITY		= 3,
	UMS_THREAD_TEB			= 4,
	UMS_THREAD_IS_SUSPENDED		= 5,
	UMS_THREAD_IS_TERMINATED	= 6,
	UMS_THREAD_MAX_INFO_CLASS	= 7,
};

/**
 * struct ums_thread_priority - Value of %UMS_THREAD_PRIORITY
 *
 * @policy: SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO or SCHED_RR.
 * @nice: Nice value, for SCHED_OTHER and SCHED_BATCH; else 0.
 * @priority: Priority, for SCHED_FIFO and SCHED_RR; else 0.
 */
struct ums_thread_priority {
	int policy;
	int nice;
	unsigned int priority;
};

/**
 * struct ums_system_thread_information - What a thread is to UMS
 *
 * @version: %UMS_API_VERSION, set by the caller.
 * @is_ums_scheduler_thread: It is a scheduler.
 * @is_ums_worker_thread: It is a worker.
 */
struct ums_system_thread_information {
	__u32 version;
	bool is_ums_scheduler_thread;
	bool is_ums_worker_thread;
};

/* --- Windows-style API --------------------------------------------------- */

/**
 * create_ums_completion_list() - Create a completion list
 * @list: Output.
 *
 * May allocate and lock. EINVAL, ENOMEM, EMFILE, EPERM (the administrator does
 * not allow UMS).
 */
int create_ums_completion_list(ums_completion_list_t **list);

/**
 * delete_ums_completion_list() - Delete a completion list
 * @list: The list; NULL is allowed and does nothing.
 *
 * EBUSY while a scheduler belongs to it, or a worker whose context has not been
 * deleted. May lock.
 */
int delete_ums_completion_list(ums_completion_list_t *list);

/**
 * get_ums_completion_list_event() - File descriptor to wait for a list with
 * @list: The list.
 * @fd: Output. Readable in poll(), epoll and io_uring while the list is not
 *	empty. It belongs to the list; do not close it.
 */
int get_ums_completion_list_event(ums_completion_list_t *list, int *fd);

/**
 * dequeue_ums_completion_list_items() - Take all items of a list
 * @list: The list.
 * @timeout_ms: How long to wait for the first item: -1 for ever, 0 not at all.
 * @head: Output: first item, oldest first, see get_next_ums_list_item(). NULL
 *	after an error.
 *
 * Any thread may call it. An item is a worker to execute, or one that has ended
 * without a scheduler being called for it: see %UMS_THREAD_IS_TERMINATED.
 * EAGAIN: @timeout_ms is 0 and the list is empty. ETIMEDOUT. EINTR: a signal
 * handler ran. EOVERFLOW: items were lost because the memory of the list was
 * overwritten; reported once.
 */
int dequeue_ums_completion_list_items(ums_completion_list_t *list,
				      int timeout_ms, ums_context_t **head);

/**
 * get_next_ums_list_item() - Item after another one
 * @item: An item of what dequeue_ums_completion_list_items() returned.
 *
 * Take the next item before executing this one: the list that it was part of
 * is gone when it shows up again.
 *
 * Return: The next item, NULL after the last. NULL and errno on an error
 * (EINVAL, ENOSYS).
 */
ums_context_t *get_next_ums_list_item(ums_context_t *item);

/**
 * create_ums_thread_context() - Create a context for a worker to be
 * @context: Output.
 *
 * May allocate and lock. ENOSPC: the group has as many contexts as it may, see
 * ums_configure_default_group().
 */
int create_ums_thread_context(ums_context_t **context);

/**
 * delete_ums_thread_context() - Delete a context
 * @context: A context that no worker was started with, or whose worker has
 *	terminated; NULL is allowed and does nothing.
 *
 * EBUSY in any other case. May free memory, and lock.
 */
int delete_ums_thread_context(ums_context_t *context);

/**
 * ums_pthread_create() - Create a worker
 * @thread: Output, for pthread_join() or pthread_detach().
 * @attr: As for pthread_create(), or NULL.
 * @list: List that will report it.
 * @context: Its context, never used before, of the group of @list.
 * @start_routine: What it runs when it is first executed.
 * @arg: For @start_routine.
 *
 * May allocate and lock. The worker shows up in @list soon, possibly after the
 * call has returned. What its @start_routine returns is for pthread_join(),
 * and exits by pthread_exit() or cancellation are as in other threads.
 *
 * Only lack of kernel memory, or a seccomp filter, can keep the new thread from
 * becoming a worker. Then @start_routine is not called, pthread_join() gives
 * %UMS_NOT_STARTED, the context counts as terminated, and no scheduler hears
 * of it.
 *
 * EBUSY: the context was used before. EXDEV: another group's. EAGAIN, EPERM:
 * as pthread_create().
 */
int ums_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
		       ums_completion_list_t *list, ums_context_t *context,
		       void *(*start_routine)(void *), void *arg);

/**
 * enter_ums_scheduling_mode() - Become a scheduler
 * @info: List and entry point.
 *
 * Calls the entry point with STARTUP, and again whenever a worker gives the
 * processor back. Returns when the entry point does; the thread is then what it
 * was before. Also ends if the entry point calls pthread_exit() or throws.
 * May allocate and lock when it begins and ends.
 *
 * When the last scheduler of a group ends, the workers that are left become
 * ordinary threads, or the process is killed, see
 * &ums_group_options.orphan_policy.
 *
 * EINVAL: @info is incomplete or of another version. EBUSY: the caller is a
 * scheduler or worker already. ENOSPC: see create_ums_thread_context().
 */
int enter_ums_scheduling_mode(const struct ums_scheduler_startup_info *info);

/**
 * execute_ums_thread() - Run a worker
 * @context: The worker.
 *
 * For the entry point of a scheduler. Does not return on success; the entry
 * point is called anew when the processor comes back.
 *
 * Return: -1 and errno, and the worker did not run:
 *  EAGAIN: it is locked by the kernel just now. Requeue it and try again.
 *  EINTR: the scheduler had a signal to handle. Requeue it and try again.
 *  EBUSY: another scheduler runs it.
 *  EINPROGRESS: it is still blocked, a list will report it.
 *  ESRCH: it has terminated.
 *  ENXIO: no thread was started with it, or that has not got so far.
 *  EXDEV: it belongs to another group.
 *  ENOTCONN: the caller is not in scheduling mode.
 */
int execute_ums_thread(ums_context_t *context);

/**
 * ums_thread_yield() - Give the processor back to the scheduler
 * @param: For the scheduler: @param of its entry point, and the argument of its
 *	event.
 *
 * Returns when the worker is executed again. ENOTCONN: the caller is not a
 * worker.
 */
int ums_thread_yield(void *param);

/**
 * get_current_ums_thread() - The worker that calls
 *
 * Return: Its context. NULL and errno if the caller is not a worker
 * (ENOTCONN), or no longer one because no scheduler was left.
 */
ums_context_t *get_current_ums_thread(void);

/**
 * query_ums_thread_information() - Ask something about a worker
 * @context: The worker.
 * @info_class: What.
 * @buffer: Output, of the type that the class has.
 * @length: Size of @buffer in bytes.
 * @return_length: Output: bytes that the value has; may be NULL.
 *
 * EINVAL: no such class. ERANGE: @buffer is too small. ENXIO: no thread was
 * started with the context. ESRCH: it has terminated.
 */
int query_ums_thread_information(ums_context_t *context,
				 enum ums_thread_info_class info_class,
				 void *buffer, size_t length,
				 size_t *return_length);

/**
 * set_ums_thread_information() - Change something of a worker
 * @context: The worker.
 * @info_class: What.
 * @buffer: New value, of the type that the class has.
 * @length: Size of @buffer in bytes.
 *
 * EACCES: the class cannot be set. EINVAL: no such class, or @length does not
 * fit it. EPERM: not allowed to. Else as query_ums_thread_information().
 */
int set_ums_thread_information(ums_context_t *context,
			       enum ums_thread_info_class info_class,
			       const void *buffer, size_t length);

/**
 * get_ums_system_thread_information() - Ask what a thread is
 * @tid: Thread of this process, as gettid() returns it; 0 for the caller.
 * @info: Output; &ums_system_thread_information.version must be set.
 *
 * Looks through all contexts; may lock. ESRCH: no such thread in this process.
 */
int
get_ums_system_thread_information(pid_t tid,
				  struct ums_system_thread_information *info);

/* --- Groups -------------------------------------------------------------- */

/**
 * struct ums_group_options - How a group is to be
 *
 * @max_contexts: Contexts it can hold, schedulers included. 0 for the default:
 *	that of the environment variable UMS_MAX_CONTEXTS, or 16384.
 * @orphan_policy: One of &enum ums_orphan_policy.
 */
struct ums_group_options {
	__u32 max_contexts;
	enum ums_orphan_policy orphan_policy;
};

/**
 * ums_configure_default_group() - Say how the default group is to be
 * @options: Options.
 *
 * EBUSY: it has been created already. May lock.
 */
int ums_configure_default_group(const struct ums_group_options *options);

/**
 * ums_default_group() - The default group
 * @group: Output. Created if need be; never destroyed.
 *
 * May allocate and lock.
 */
int ums_default_group(struct ums_group **group);

/**
 * ums_group_create() - Create a group
 * @options: Options, NULL for the defaults.
 * @group: Output.
 *
 * May allocate and lock.
 */
int ums_group_create(const struct ums_group_options *options,
		     struct ums_group **group);

/* Flags of ums_group_create_flags() */
#define UMS_GROUP_KERNEL_SWITCH	0x1U	/* switch by system call only */
#define UMS_GROUP_NO_MANAGED_SLEEP 0x2U	/* as UMS_SLEEP=unmanaged */

/**
 * ums_group_create_flags() - As ums_group_create(), with flags
 * @options: Options, NULL for the defaults.
 * @flags: %UMS_GROUP_KERNEL_SWITCH, %UMS_GROUP_NO_MANAGED_SLEEP.
 * @group: Output.
 *
 * EINVAL also for unknown flags. May allocate and lock.
 */
int ums_group_create_flags(const struct ums_group_options *options,
			   unsigned int flags, struct ums_group **group);

/**
 * ums_group_destroy() - Destroy a group
 * @group: The group; NULL is allowed and does nothing.
 *
 * EBUSY while it has contexts or lists, or a thread was a worker of it and is
 * still there, or it is the default group. May lock.
 */
int ums_group_destroy(struct ums_group *group);

/**
 * ums_group_fd() - File descriptor of a group, for system calls of your own
 * @group: The group.
 *
 * It belongs to the group; do not close it. Contexts that you create with it
 * must not be attached to a list that this library reads.
 *
 * Return: The descriptor, or -1.
 */
int ums_group_fd(struct ums_group *group);

/* --- Direct API ---------------------------------------------------------- */

/**
 * ums_list_create() - As create_ums_completion_list(), in a given group
 * @group: The group, NULL for the default one.
 * @node: NUMA node of its memory, or %UMS_NODE_ANY.
 * @list: Output. For delete_ums_completion_list().
 */
int ums_list_create(struct ums_group *group, int node,
		    ums_completion_list_t **list);

/**
 * ums_context_create() - As create_ums_thread_context(), in a given group
 * @group: The group, NULL for the default one.
 * @node: NUMA node of its memory, or %UMS_NODE_ANY.
 * @context: Output. For delete_ums_thread_context().
 */
int ums_context_create(struct ums_group *group, int node,
		       ums_context_t **context);

/**
 * ums_spawn() - Create a worker with a context of its own
 * @list: List that will report it.
 * @start_routine: What it runs when it is first executed.
 * @arg: For @start_routine.
 * @user: See ums_context_user().
 * @context: Output; may be NULL. For delete_ums_thread_context() when the
 *	worker has terminated.
 * @thread: Output. NULL: the thread is detached.
 *
 * create_ums_thread_context() and ums_pthread_create() in one.
 */
int ums_spawn(ums_completion_list_t *list, void *(*start_routine)(void *),
	      void *arg, void *user, ums_context_t **context,
	      pthread_t *thread);

/**
 * ums_scheduler_enter() - Become a scheduler of a list
 * @list: The list.
 *
 * May allocate and lock. EBUSY: scheduler or worker already.
 */
int ums_scheduler_enter(ums_completion_list_t *list);

/**
 * ums_scheduler_leave() - Become an ordinary thread again
 *
 * The last one of a group leaves the workers to the orphan policy, see
 * enter_ums_scheduling_mode(). May lock. ENOTCONN: the caller did not use
 * ums_scheduler_enter().
 */
int ums_scheduler_leave(void);

/**
 * ums_run() - Run a worker until it gives the processor back
 * @context: The worker.
 * @event: Output: who gave it back, and why. May be NULL.
 *
 * For schedulers of either kind.
 *
 * A worker that yields in user mode is YIELDED without a look at the clock:
 * @time_ns, @cpu and @node of its event are zero, and @seq is that of the
 * worker's last event from the kernel.
 *
 * Return: One of &enum ums_reason: BLOCKED, YIELDED, PREEMPTED, TERMINATED; see
 * &typedef ums_reason_t for what each asks of the scheduler. -1 and errno as
 * execute_ums_thread().
 */
int ums_run(ums_context_t *context, struct ums_event *event);

/**
 * ums_switch_to() - A worker hands its processor to another worker
 * @context: The other worker, ready.
 *
 * The scheduler is told nothing. The caller is ready and in no list: somebody
 * must know to execute it again, and was told before; it may also be preempted,
 * and executed, between the two, so a flag is not enough. Returns then.
 *
 * Errors as execute_ums_thread(); ENOTCONN: the caller is not a worker.
 */
int ums_switch_to(ums_context_t *context);

/**
 * ums_worker_enter() - The calling thread becomes a worker
 * @list: List that will report it.
 * @context: Its context, never used before, of the group of @list.
 *
 * Returns when it is first executed. Errors as ums_pthread_create(); EBUSY also
 * when it is a scheduler or worker already.
 */
int ums_worker_enter(ums_completion_list_t *list, ums_context_t *context);

/**
 * ums_worker_leave() - The calling worker becomes an ordinary thread
 *
 * Its scheduler gets TERMINATED. For workers of either kind. ENOTCONN: not a
 * worker.
 */
int ums_worker_leave(void);

/**
 * ums_dequeue() - Take events from a list
 * @list: The list.
 * @events: Output, oldest first.
 * @nr: Room in @events. 0: wait until the list is not empty, take nothing.
 * @timeout_ms: How long to wait for the first: -1 for ever, 0 not at all.
 *
 * Return: Number of events, or -1 and errno as
 * dequeue_ums_completion_list_items().
 */
int ums_dequeue(ums_completion_list_t *list, struct ums_event *events,
		unsigned int nr, int timeout_ms);

/**
 * ums_event_context() - Whose event it is
 * @event: Event of ums_run() or ums_dequeue().
 *
 * Return: The context, NULL if it was not created by this library.
 */
ums_context_t *ums_event_context(const struct ums_event *event);

/**
 * ums_context_user() - The value of %UMS_THREAD_USER_CONTEXT
 * @context: The context.
 *
 * Return: The value, NULL if none was set. NULL and errno on an error.
 */
void *ums_context_user(ums_context_t *context);

/**
 * ums_context_id() - The kernel's id of a context
 * @context: The context.
 *
 * Return: The id, as in events, fdinfo and traces. 0 and errno on an error.
 */
__u64 ums_context_id(ums_context_t *context);

/**
 * ums_context_stats() - Counters of a context
 * @context: The context.
 * @stats: Output. Switches in user mode are counted as well, see
 *	ums_context_switches().
 */
int ums_context_stats(ums_context_t *context, struct ums_stats *stats);

/**
 * ums_context_switches() - How a context switched
 * @context: The context.
 * @switches: Output.
 */
int ums_context_switches(ums_context_t *context, struct ums_switches *switches);

/**
 * ums_probe_kernel() - What the kernel offers
 * @probe: Output.
 */
int ums_probe_kernel(struct ums_probe *probe);

#ifdef __cplusplus
}
#endif

#include "sync.h"

#endif /* UMS_UMS_H */
