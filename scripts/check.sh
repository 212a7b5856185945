#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make check: what a reviewer's tools say. checkpatch --strict on every file and
# patch, sparse and W=1 on our part of the kernel, shellcheck on the scripts. And
# whether what is there twice is the same.

. "$(dirname "$0")/lib.sh"
# shellcheck source=overlay.sh
. "$top/scripts/overlay.sh"

"$top/scripts/fetch.sh" || exit
"$top/scripts/tree.sh" || exit
"$top/scripts/config.sh" || exit
lock_build
bad=0

# checkpatch FILE [OPTION]. A file in the overlay is new by nature; MAINTAINERS
# has its entry beside it. The library's types have names that users of Windows
# know (NEW_TYPEDEFS), those of <elf.h> have theirs (CAMELCASE), and a test of a
# kernel without UMS says ENOSYS.
checkpatch() {
	local file=$1
	shift
	if ! (cd "$tree" && perl scripts/checkpatch.pl --strict --quiet \
		--no-summary --ignore FILE_PATH_CHANGES,NEW_TYPEDEFS,CAMELCASE,ENOSYS \
		--root="$tree" "$@" "$top/$file")
	then
		echo "    in $file"
		bad=1
	fi
}

our_files() {
	overlay_files
	(cd "$top" && find scripts .ci Makefile -type f)
}

say "checkpatch"
while IFS= read -r f; do
	case $f in
	*.[chS] | *.sh | *.rst | */Makefile | */Kconfig | Makefile | .ci/*)
		checkpatch "$f" -f
		;;
	esac
done < <(our_files | sort)
while IFS= read -r f; do
	# Whoever sends it signs it off.
	checkpatch "patches/$f" --no-signoff --patch
done < <(sed -e 's/[[:space:]]*#.*//' -e '/^$/d' "$top/patches/series")

say "what counts as a complaint of the kernel"
"$top/scripts/report_test.sh" || bad=1

say "what the tests' lines come to"
"$top/scripts/tap_test.sh" || bad=1

say "syzkaller's description of the system calls"
"$top/scripts/syz_test.sh" || bad=1

say "shellcheck"
mapfile -t shell < <(cd "$top" && our_files | grep -E '(\.sh|^\.ci/run)$')
(cd "$top" && shellcheck -S warning -x -P SCRIPTDIR "${shell[@]}") || bad=1

# Where our code is compiled; the rest of the kernel is not ours to judge.
log=$logs/sparse.log
for f in kernel/ums arch/x86/kernel/ums.c; do
	[ -e "$tree/$f" ] || continue
	target=$f/
	[ -d "$tree/$f" ] || target=${f%.c}.o
	# kbuild does not look again at what is up to date.
	rm -f "$out/${target%/}"/*.o "$out/$target" 2>/dev/null || true
	run_logged "sparse and W=1: $f" "$log" kmake C=2 W=1 "$target"
	if grep -E '(^|/)[^ ]*ums[^ ]*:[0-9]+:.*(warning|error)' "$log"; then
		bad=1
	fi
done
[ "$bad" -eq 0 ] || die "not clean"
say "clean"
