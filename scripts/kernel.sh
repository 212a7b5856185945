#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the kernel KERNEL from build/linux in build/$KERNEL.

. "$(dirname "$0")/lib.sh"

"$top/scripts/fetch.sh" || exit
"$top/scripts/tree.sh" || exit
"$top/scripts/config.sh" || exit
lock_build
# Most of what a kernel for debugging does is to check locks and to save stacks: KASAN
# leaves out what does that.
unchecked=(lockdep stacktrace unwind_frame smp_processor_id)
unchecked=("${unchecked[@]/#/KASAN_SANITIZE_}")
run_logged "building the $KERNEL kernel" "$logs/kernel-$KERNEL.log" \
	kmake bzImage "${unchecked[@]/%/.o=n}"
