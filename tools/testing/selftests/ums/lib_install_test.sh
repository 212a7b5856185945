#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# UMS library, as installed by "make -C tools/lib/ums install": what is there,
# what it exports, and programs that were built with it.

ksft_skip=4
cd "$(dirname "$0")" || exit 1
root=libums-root/opt/ums
nr=0
failed=0

# report STATUS NAME
report()
{
	nr=$((nr + 1))
	case $1 in
	0)
		echo "ok $nr $2"
		;;
	"$ksft_skip")
		echo "ok $nr $2 # SKIP ${3:-this kernel has no UMS}"
		;;
	*)
		echo "not ok $nr $2"
		failed=1
		;;
	esac
}

check_files()
{
	for file in lib/libums.so lib/libums.so.1 lib/libums.so.1.1 \
		    lib/libums.a lib/pkgconfig/libums.pc include/ums/ums.h \
		    include/ums/sync.h include/ums/abi.h; do
		if ! [ -r "$root/$file" ]; then
			echo "# missing: $file"
			return 1
		fi
	done
}

# The header needs nothing of the source tree, and goes with <linux/ums.h>
check_header()
{
	grep -q '^#ifndef _LINUX_UMS_H' $root/include/ums/abi.h &&
		! grep -rq '#include "\.\./' $root/include
}

check_soname()
{
	readelf -d $root/lib/libums.so | grep -q 'SONAME.*\[libums\.so\.1\]'
}

# All that the header declares is exported, and nothing else
check_symbols()
{
	exported=$(nm -D --defined-only $root/lib/libums.so |
		   sed -n 's/.* T \(.*\)@@UMS_.*/\1/p' | sort)
	declared=$(grep -oh '[a-z_]*ums[a-z_]*(' $root/include/ums/ums.h \
		   $root/include/ums/sync.h |
		   tr -d '(' | sort -u)
	if [ "$exported" != "$declared" ]; then
		echo "# only declared, or only exported:"
		printf '%s\n' "$exported" "$declared" | sort | uniq -u |
			sed 's/^/# /'
		return 1
	fi
	others=$(nm -D --defined-only $root/lib/libums.so |
		 grep -v -e '@@UMS_' -e ' A UMS_')
	[ -z "$others" ]
}

# check_program NAME
check_program()
{
	[ -x "./$1" ] || return $ksft_skip
	timeout 120 "./$1"
}

programs="lib_user lib_user_static lib_user_cxx lib_cxx"

echo "TAP version 13"
echo "1..8"
check_files
report $? "files"
check_header
report $? "header"
if command -v readelf >/dev/null && command -v nm >/dev/null; then
	check_soname
	report $? "soname"
	check_symbols
	report $? "symbols"
else
	report $ksft_skip "soname" "no binutils"
	report $ksft_skip "symbols" "no binutils"
fi
for program in $programs; do
	check_program "$program"
	report $? "$program"
done

exit $failed
