#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What tap.awk makes of programs that run two at a time, as suite.sh tells it.

cd "$(dirname "$0")" || exit 1
bad=0

# expect LINE...: what is printed, and the sums in the end. ~ is an empty line.
expect() {
	local want got

	want=$(printf '%s\n' "$@")
	got=$(sed 's/~$//' | awk -v kernel=k -v totals=/dev/stdout -f tap.awk)
	if [ "$got" != "$want" ]; then
		diff <(echo "$want") <(echo "$got") | sed 's/^/    /'
		bad=1
	fi
}

line() {
	printf '    %-8s %-24s %s' k "$1" "$2"
}

expect "$(line b_test '1 passed (2 s)')" \
	"$(line a_test '1 passed, 1 FAILED (3 s)')" \
	"        1..2" "        not ok 1 first" "        ok 2 second" "        " \
	"2 1 0" <<'END'
1 ##begin a_test
1 1..2
2 ##begin b_test
2 1..1
1 not ok 1 first
2 ok 1 only
2 ~
2 ##end b_test 0 2
1 ok 2 second
1 ~
1 ##end a_test 1 3
END

# Those that stop half-way, say nothing, or are not there any more in the end
expect "$(line a_test '1 passed, 1 FAILED; 1 never reported; killed by signal 11 (0 s)')" \
	"        1..2" "        ok 1 first" "        " \
	"$(line b_test '1 passed (0 s)')" \
	"$(line c_test '0 passed, 1 skipped (0 s)')" \
	"$(line d_test '0 passed, 1 FAILED; took too long; exit status 124 (9 s)')" "        " \
	"$(line e_test '1 passed, 1 FAILED (0 s)')" "        ok 1 first" \
	"        (the guest ended here)" \
	"3 3 1" <<'END'
1 ##begin a_test
2 ##begin b_test
1 1..2
1 ok 1 first
1 ~
1 ##end a_test 139 0
2 ~
2 ##end b_test 0 0
1 ##begin c_test
1 1..0 # SKIP no such kernel
1 ##end c_test 4 0
1 ##begin d_test
2 ##begin e_test
1 ~
1 ##end d_test 124 9
2 ok 1 first
END

exit $bad
