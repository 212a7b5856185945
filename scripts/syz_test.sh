#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Whether syzkaller's description of the system calls is that of the uapi header.

. "$(dirname "$0")/lib.sh"

header=$top/include/uapi/linux/ums.h
awk -f "$top/scripts/syz.awk" "$header" \
	"$top/tools/testing/selftests/ums/syzkaller/ums.txt" |
	gcc -fsyntax-only -x c -I"$top/include/uapi" - || die "see syzkaller/ums.txt"
