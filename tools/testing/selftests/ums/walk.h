/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: a walk through a function of the vDSO, instruction by instruction.
 * It is by a plain thread, with slots of its own making: so the kernel does not finish
 * what is interrupted, and each instruction is seen.
 */
#ifndef UMS_SELFTESTS_WALK_H
#define UMS_SELFTESTS_WALK_H

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stdint.h>

#define WALK_MAX	128

enum walk_function { WALK_EXECUTE, WALK_YIELD, WALK_SWITCH, WALK_FUNCTIONS };

/**
 * enum walk_path - Which way through the function
 *
 * @WALK_FAST: The target is claimed.
 * @WALK_COLD: And has control words and a base of its own.
 * @WALK_SLOW: It cannot be claimed. The system call fails, as there is no UMS thread.
 */
enum walk_path { WALK_FAST, WALK_COLD, WALK_SLOW, WALK_PATHS };

/**
 * struct walk - What was seen
 *
 * @nr: Instructions of the function.
 * @ip: Where they are, in the order in which they were executed.
 * @lost: Those of them from where the caller could not be found.
 * @ret: What the function returned.
 */
struct walk {
	unsigned int nr;
	uintptr_t ip[WALK_MAX];
	unsigned int lost;
	long ret;
};

/* uu_init() comes first. False if the walk came to no end */
bool walk(struct walk *walk, enum walk_function function, enum walk_path path);

/* Where the function begins */
uintptr_t walk_begin(enum walk_function function);

/* The instruction after the one that claims the target, if ZF is set; or 0 */
uintptr_t walk_claimed(enum walk_function function);

struct ums_regs;

/*
 * Call @function with the trap flag set. Its target, whose registers these are, goes
 * on where the function returns.
 */
long walk_call(void *function, void *arg, uint64_t arg2, struct ums_regs *target);

#endif /* __ASSEMBLY__ */

/* In struct ums_regs */
#define WALK_RBX	0
#define WALK_RBP	8
#define WALK_R12	16
#define WALK_R13	24
#define WALK_R14	32
#define WALK_R15	40
#define WALK_RSP	48

#endif /* UMS_SELFTESTS_WALK_H */
