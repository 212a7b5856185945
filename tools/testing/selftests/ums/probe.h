/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS test helpers: functions for probes and breakpoints, in probe_asm.S.
 */
#ifndef UMS_SELFTESTS_PROBE_H
#define UMS_SELFTESTS_PROBE_H

#define PROBED	43

/*
 * Returns PROBED. It begins with an instruction that the kernel does not emulate but
 * executes elsewhere, by a single step.
 */
long probed(void);

/*
 * One instruction writes to @word, and the first one of it all is that. Not atomically:
 * with a LOCK prefix QEMU 7.2 misses one of some thousand watchpoints.
 */
void increment(unsigned long *word);

#endif /* UMS_SELFTESTS_PROBE_H */
