/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: functions that have an exception each, in trap_asm.S.
 */
#ifndef UMS_SELFTESTS_TRAP_H
#define UMS_SELFTESTS_TRAP_H

/**
 * struct trap_code - A function with an exception
 *
 * @fn: The function. Takes the address of a page that nobody may access.
 * @after: Where it goes on after the exception.
 */
struct trap_code {
	void (*fn)(char *no_access);
	char *after;
};

/* Faults */
extern const struct trap_code code_privileged;
extern const struct trap_code code_not_canonical;
extern const struct trap_code code_stack_segment;
extern const struct trap_code code_no_interrupt;
extern const struct trap_code code_undefined;
extern const struct trap_code code_divide;
extern const struct trap_code code_alignment;
extern const struct trap_code code_page_fault;
/* Its return address is on the stack when the page fault comes */
extern const struct trap_code code_page_fault_call;
extern const struct trap_code code_x87;
extern const struct trap_code code_simd;

/* Traps: the instruction has been executed */
extern const struct trap_code code_breakpoint;
extern const struct trap_code code_breakpoint_long;
extern const struct trap_code code_overflow;
extern const struct trap_code code_icebp;
extern const struct trap_code code_step;

#endif /* UMS_SELFTESTS_TRAP_H */
