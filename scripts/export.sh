#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make patched: says where the patched tree is, and writes the same as one patch
# for a kernel tree elsewhere.

. "$(dirname "$0")/lib.sh"

lock_build
file=$build/ums.patch
while IFS= read -r f; do
	old=a/$f
	[ -f "$base/$f" ] || old=/dev/null
	# Status 1 says that they differ.
	diff -uN --label "$old" --label "b/$f" "$base/$f" "$tree/$f" || [ $? = 1 ]
done <"$build/tree.files" | put "$file"
echo "patched source: $tree"
echo "as one patch, for patch -p1: $file"
