/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS benchmark of the user part: what its files share, see native_bench.c.
 */
#ifndef UMS_SELFTESTS_NATIVE_H
#define UMS_SELFTESTS_NATIVE_H

#include "bench.h"

/* For what takes nanoseconds; COUNT is for what enters the kernel */
#define MANY			(20 * COUNT)

/* A stack of the other side; only one of them is used at a time */
#define STACK_WORDS		8192
extern __u64 native_stack[STACK_WORDS];

/* Make it empty: the next return goes to @entry, aligned as if called */
__u64 *native_stack_init(void (*entry)(void));

/* Run @run, which does @per operations each time, result->count times a batch */
void native_measure(struct result *result, run_fn run, unsigned int per,
		    void *arg);

/* native_peers.c */
void fiber_switch(void **save_rsp, void *load_rsp);
void peer_fiber(struct result *result);
void peer_wrfsbase(struct result *result);
void peer_ucontext(struct result *result);
void peer_futex(struct result *result);
void peer_yield(struct result *result);

#endif /* UMS_SELFTESTS_NATIVE_H */
