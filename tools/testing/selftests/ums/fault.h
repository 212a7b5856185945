/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS tests: an operation in which each point that can fail does, in turn, where
 * a kernel has fault injection. By /proc/thread-self/fail-nth: the n-th point of the
 * calling thread fails. And by make-it-fail beside it: it gets so much memory, and no
 * more.
 */
#ifndef UMS_SELFTESTS_FAULT_H
#define UMS_SELFTESTS_FAULT_H

#include <stdbool.h>

/* What operations work on; that is for the test to know */
struct rig;

/**
 * struct fault_op - An operation that can fail
 *
 * @name: Of the operation.
 * @prepare: Before each time, or NULL. Returns whether that worked.
 * @fn: What is done; returns a negative errno, or what @undo needs.
 * @undo: After it succeeded, or NULL.
 * @error: What else than -ENOMEM and -EFAULT it may return when it fails.
 * @sure: It fails if one of so many points does, the first ones: there is no other way
 *	to go on. What debugs the kernel may ask for memory later, and go without.
 * @asks_twice: For memory that it did not get it may ask once more: all that it
 *	asks for from any point on shall fail as well.
 */
struct fault_op {
	const char *name;
	bool (*prepare)(struct rig *rig);
	long (*fn)(struct rig *rig);
	void (*undo)(struct rig *rig, long ret);
	long error;
	unsigned int sure;
	bool asks_twice;
};

/* Returns whether points can fail here; if so, all do until fault_end() */
bool fault_begin(void);
void fault_end(void);

/*
 * Returns how many points of @op have failed, or a negative errno that must not
 * be. Whenever it has failed it must succeed at once if nothing fails, and it must
 * leave no file open. For any thread.
 */
long fault_everywhere(struct rig *rig, const struct fault_op *op);

#endif /* UMS_SELFTESTS_FAULT_H */
