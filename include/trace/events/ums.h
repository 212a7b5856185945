/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: tracepoints.
 *
 * ums_state shows every state of every context, ums_vp every holder of every
 * virtual processor, ums_queue and ums_dequeue the lists: a run can be put
 * together again from the trace alone, but for user switches that no entry to the
 * kernel followed. ums_resolve shows that one did. Contexts are shown by their ids, VPs by
 * the index of the scheduler's context. ums_late shows that a worker runs in the
 * kernel without one, because nobody executed it.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ums

#if !defined(_TRACE_UMS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_UMS_H

#include <linux/tracepoint.h>
#include <uapi/linux/ums.h>

#define ums_show_state(state)						\
	__print_symbolic(state,						\
		{ UMS_STATE_FREE,		"free" },		\
		{ UMS_STATE_CREATED,		"created" },		\
		{ UMS_STATE_READY,		"ready" },		\
		{ UMS_STATE_RUNNING,		"running" },		\
		{ UMS_STATE_BLOCKED,		"blocked" },		\
		{ UMS_STATE_LOCKED,		"locked" },		\
		{ UMS_STATE_TERMINATED,		"terminated" },		\
		{ UMS_STATE_READY | UMS_STATE_USER, "user-held" })

#define ums_show_reason(reason)						\
	__print_symbolic(reason,					\
		{ 0,				"-" },			\
		{ UMS_REASON_READY,		"ready" },		\
		{ UMS_REASON_BLOCKED,		"blocked" },		\
		{ UMS_REASON_YIELDED,		"yielded" },		\
		{ UMS_REASON_PREEMPTED,		"preempted" },		\
		{ UMS_REASON_TERMINATED,	"terminated" })

#define ums_show_cause(cause)						\
	__print_symbolic(cause,						\
		{ UMS_CAUSE_NONE,		"-" },			\
		{ UMS_CAUSE_SYSCALL,		"syscall" },		\
		{ UMS_CAUSE_FAULT,		"fault" },		\
		{ UMS_CAUSE_SIGNAL,		"signal" },		\
		{ UMS_CAUSE_OTHER,		"other" })

#define ums_show_role(role)						\
	__print_symbolic(role,						\
		{ UMS_ROLE_SCHEDULER,		"scheduler" },		\
		{ UMS_ROLE_WORKER,		"worker" })

TRACE_EVENT(ums_ctx_create,
	    TP_PROTO(u64 ctx, u64 cookie),
	    TP_ARGS(ctx, cookie),
	    TP_STRUCT__entry(__field(u64, ctx)
			     __field(u64, cookie)),
	    TP_fast_assign(__entry->ctx = ctx;
			   __entry->cookie = cookie;),
	    TP_printk("ctx=%llx cookie=%llx", __entry->ctx, __entry->cookie));

TRACE_EVENT(ums_ctx_delete,
	    TP_PROTO(u64 ctx),
	    TP_ARGS(ctx),
	    TP_STRUCT__entry(__field(u64, ctx)),
	    TP_fast_assign(__entry->ctx = ctx;),
	    TP_printk("ctx=%llx", __entry->ctx));

TRACE_EVENT(ums_attach,
	    TP_PROTO(u64 ctx, u32 role, u32 list),
	    TP_ARGS(ctx, role, list),
	    TP_STRUCT__entry(__field(u64, ctx)
			     __field(u32, role)
			     __field(u32, list)),
	    TP_fast_assign(__entry->ctx = ctx;
			   __entry->role = role;
			   __entry->list = list;),
	    TP_printk("ctx=%llx role=%s list=%u", __entry->ctx,
		      ums_show_role(__entry->role), __entry->list));

TRACE_EVENT(ums_detach,
	    TP_PROTO(u64 ctx, u64 exit_code),
	    TP_ARGS(ctx, exit_code),
	    TP_STRUCT__entry(__field(u64, ctx)
			     __field(u64, exit_code)),
	    TP_fast_assign(__entry->ctx = ctx;
			   __entry->exit_code = exit_code;),
	    TP_printk("ctx=%llx exit_code=%llx", __entry->ctx, __entry->exit_code));

TRACE_EVENT(ums_state,
	    TP_PROTO(u64 ctx, pid_t tid, u32 from, u32 to, u32 reason, u32 cause,
		     u64 arg, u64 seq),
	    TP_ARGS(ctx, tid, from, to, reason, cause, arg, seq),
	    TP_STRUCT__entry(__field(u64, ctx)
			     __field(pid_t, tid)
			     __field(u32, from)
			     __field(u32, to)
			     __field(u32, reason)
			     __field(u32, cause)
			     __field(u64, arg)
			     __field(u64, seq)),
	    TP_fast_assign(__entry->ctx = ctx;
			   __entry->tid = tid;
			   __entry->from = from;
			   __entry->to = to;
			   __entry->reason = reason;
			   __entry->cause = cause;
			   __entry->arg = arg;
			   __entry->seq = seq;),
	    TP_printk("ctx=%llx tid=%d from=%s to=%s reason=%s cause=%s arg=%llx seq=%llu",
		      __entry->ctx, __entry->tid, ums_show_state(__entry->from),
		      ums_show_state(__entry->to), ums_show_reason(__entry->reason),
		      ums_show_cause(__entry->cause), __entry->arg, __entry->seq));

TRACE_EVENT(ums_vp,
	    TP_PROTO(u32 vp, u64 from, u64 to),
	    TP_ARGS(vp, from, to),
	    TP_STRUCT__entry(__field(u32, vp)
			     __field(u64, from)
			     __field(u64, to)),
	    TP_fast_assign(__entry->vp = vp;
			   __entry->from = from;
			   __entry->to = to;),
	    TP_printk("vp=%u from=%llx to=%llx", __entry->vp, __entry->from,
		      __entry->to));

TRACE_EVENT(ums_resolve,
	    TP_PROTO(u32 vp, u64 from, u64 to, bool finished),
	    TP_ARGS(vp, from, to, finished),
	    TP_STRUCT__entry(__field(u32, vp)
			     __field(u64, from)
			     __field(u64, to)
			     __field(bool, finished)),
	    TP_fast_assign(__entry->vp = vp;
			   __entry->from = from;
			   __entry->to = to;
			   __entry->finished = finished;),
	    TP_printk("vp=%u from=%llx to=%llx finished=%d", __entry->vp,
		      __entry->from, __entry->to, __entry->finished));

TRACE_EVENT(ums_watchdog,
	    TP_PROTO(pid_t process, u32 waiting),
	    TP_ARGS(process, waiting),
	    TP_STRUCT__entry(__field(pid_t, process)
			     __field(u32, waiting)),
	    TP_fast_assign(__entry->process = process;
			   __entry->waiting = waiting;),
	    TP_printk("process=%d waiting=%u", __entry->process,
		      __entry->waiting));

TRACE_EVENT(ums_late,
	    TP_PROTO(u64 ctx, pid_t tid),
	    TP_ARGS(ctx, tid),
	    TP_STRUCT__entry(__field(u64, ctx)
			     __field(pid_t, tid)),
	    TP_fast_assign(__entry->ctx = ctx;
			   __entry->tid = tid;),
	    TP_printk("ctx=%llx tid=%d", __entry->ctx, __entry->tid));

DECLARE_EVENT_CLASS(ums_list_entry,
		    TP_PROTO(u32 list, u64 ctx, u64 seq),
		    TP_ARGS(list, ctx, seq),
		    TP_STRUCT__entry(__field(u32, list)
				     __field(u64, ctx)
				     __field(u64, seq)),
		    TP_fast_assign(__entry->list = list;
				   __entry->ctx = ctx;
				   __entry->seq = seq;),
		    TP_printk("list=%u ctx=%llx seq=%llu", __entry->list, __entry->ctx,
			      __entry->seq));

DEFINE_EVENT(ums_list_entry, ums_queue,
	     TP_PROTO(u32 list, u64 ctx, u64 seq),
	     TP_ARGS(list, ctx, seq));

DEFINE_EVENT(ums_list_entry, ums_dequeue,
	     TP_PROTO(u32 list, u64 ctx, u64 seq),
	     TP_ARGS(list, ctx, seq));

#endif /* _TRACE_UMS_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
