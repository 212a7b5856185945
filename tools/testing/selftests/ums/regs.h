/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling selftests: a full set of user registers, and functions
 * that load it, do one thing, and store it again.
 *
 * Included by C and by assembly; the offsets are checked in regs.c.
 */
#ifndef __SELFTESTS_UMS_REGS_H
#define __SELFTESTS_UMS_REGS_H

#define REGS_RAX	0
#define REGS_RBX	8
#define REGS_RCX	16
#define REGS_RDX	24
#define REGS_RSI	32
#define REGS_RDI	40
#define REGS_RBP	48
#define REGS_R8		56
#define REGS_R9		64
#define REGS_R10	72
#define REGS_R11	80
#define REGS_R12	88
#define REGS_R13	96
#define REGS_R14	104
#define REGS_R15	112
#define REGS_FLAGS	120
#define REGS_RFBM	128
#define REGS_XSAVE	136

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stdint.h>

enum {
	RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15,
	NR_GPR
};

/* Carry, parity, adjust, zero, sign, direction, overflow */
#define FLAGS_USER	0xcd5ULL
#define FLAGS_DIRECTION	0x400ULL

/**
 * struct regs_image - All registers that user code can see
 *
 * @gpr: General purpose registers, rax rbx rcx rdx rsi rdi rbp r8 to r15.
 * @flags: rflags.
 * @rfbm: Components of the extended state to load and to store.
 * @xsave: Extended state, in the standard format of XSAVE.
 */
struct regs_image {
	uint64_t gpr[NR_GPR];
	uint64_t flags;
	uint64_t rfbm;
	void *xsave;
};

/* Load @in, do a system call (number in rax), store to @out. */
void regs_syscall(const struct regs_image *in, struct regs_image *out);

/* The same by int 0x80, the number is that of a 32-bit program. */
void regs_int80(const struct regs_image *in, struct regs_image *out);

/* Load @in, call the function in rax, store to @out. Its stack is unaligned. */
void regs_call(const struct regs_image *in, struct regs_image *out);

/* Load @in, store cl to the address in rdi, store to @out. */
void regs_store(const struct regs_image *in, struct regs_image *out);

/* Load @in, store 1 to (rdi), wait until (rsi) is not 0, store to @out. */
void regs_spin(const struct regs_image *in, struct regs_image *out);

/* Overwrite everything that a function call does not preserve. */
void regs_clobber(const struct regs_image *in);

/**
 * struct regs_act - What a thread does between load and store
 *
 * @fn: One of the functions above.
 * @before: Called when all is prepared, but for the registers; or NULL.
 * @arg: For @before.
 * @rax: Where to leave rax, or NULL.
 * @gpr: Registers that it needs; those that are 0 get values of their own.
 * @call: It is a system call, with the number in rax; changes rax, rcx and r11.
 * @function: It is a function call, which preserves what the ABI says.
 * @flags: Flags that must stay.
 */
struct regs_act {
	void (*fn)(const struct regs_image *in, struct regs_image *out);
	void (*before)(void *arg);
	void *arg;
	uint64_t *rax;
	uint64_t gpr[NR_GPR];
	bool call;
	bool function;
	uint64_t flags;
};

/* What was not as it had been, as bits */
enum {
	BAD_GPR		= 1,
	BAD_FLAGS	= 2,
	BAD_XSTATE	= 4,
	BAD_BASE	= 8,
	BAD_TLS		= 16,
	BAD_CALL	= 32,
	BAD_SELECTOR	= 64,
};

/* False when this machine has no XSAVE; must be called first */
bool regs_init(void);

/* Do @act with every register filled from @seed; 0, or BAD_* bits */
int regs_check(const struct regs_act *act, uint64_t seed);

/* A system call, with all registers that are no arguments filled */
int regs_check_call(uint64_t seed, long nr, uint64_t rdi, uint64_t rsi,
		    uint64_t rdx, uint64_t r10);

/* A function with two arguments, which is left and returned to by a switch */
int regs_check_function(uint64_t seed, void *function, uint64_t rdi,
			uint64_t rsi, uint64_t *rax);

/* Overwrite all registers that a signal handler may, for one thread at a time */
void regs_spoil(uint64_t seed);

#endif /* __ASSEMBLY__ */
#endif /* __SELFTESTS_UMS_REGS_H */
