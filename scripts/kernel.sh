#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the kernel KERNEL from build/linux in build/$KERNEL.

. "$(dirname "$0")/lib.sh"

"$top/scripts/fetch.sh" || exit
"$top/scripts/tree.sh" || exit
"$top/scripts/config.sh" || exit
lock_build
run_logged "building the $KERNEL kernel" "$logs/kernel-$KERNEL.log" kmake bzImage
