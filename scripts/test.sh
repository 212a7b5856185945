#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make test: one boot of each kernel, with all tests or those that TESTS (shell
# patterns) selects, REPEAT times; and one more for those that want more cpus. The
# last line is the sum.

kernels=${KERNEL:-release debug}
. "$(dirname "$0")/lib.sh"

: "${TESTS:=*}" "${REPEAT:=1}"
: "${TIMEOUT:=$((1800 * REPEAT))}"
selftests=$build/user/selftests
work=$build/test.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"

selected() {
	local pattern patterns
	read -ra patterns <<<"$TESTS"
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		if [[ $1 == $pattern ]]; then
			return 0
		fi
	done
	return 1
}

# The time limit that a directory's settings ask for.
limit_of() {
	local limit
	limit=$(sed -n 's/^timeout=//p' "$1/settings" 2>/dev/null) || true
	echo "${limit:-45}"
}

# Whether the program in that directory shares the machine with others
how() {
	if grep -q "^$2\>" "$1/alone" 2>/dev/null; then
		echo alone
	else
		echo beside
	fi
}

# How many cpus the program in that directory has, unless SMP says it: two, as more
# than the host has make all take longer, or two cores of two threads each. The debug
# kernel takes too long to boot twice.
cpus_for() {
	if [ "$1" != debug ] && grep -q "^$3\>" "$2/cores" 2>/dev/null; then
		echo "${SMP:-4}"
	else
		echo "${SMP:-2}"
	fi
}

# In plan.CPUS for that kernel
make_plans() {
	local dir group program round cpus plan
	rm -f "$work"/plan.*
	for ((round = 0; round < REPEAT; round++)); do
		while IFS=: read -r group program; do
			selected "$program" || continue
			dir=$selftests/$group
			echo "$(cpus_for "$1" "$dir" "$program")" \
				"$(limit_of "$dir")" "$dir" "$program" \
				"$(how "$dir" "$program")"
		done <"$selftests/kselftest-list.txt" | sort -k5,5r -k4,4r
	done | while read -r cpus plan; do
		echo "$plan" >>"$work/plan.$cpus"
	done
}

# One run of a kernel with so many cpus. What the guest does wrong counts as one
# failed test.
run_kernel() {
	local status=0 totals=$work/totals.$1.$2

	say "testing the $1 kernel on $2 cpus"
	KERNEL=$1 SMP=$2 TIMEOUT=$TIMEOUT JOB_CWD=/ "$top/scripts/boot.sh" run \
		"exec bash '$top/scripts/suite.sh' '$work/plan.$2'" \
		3>&1 >"$logs/suite-$1-$2.log" |
		tee "$logs/tests-$1-$2.log" |
		awk -v kernel="$1" -v totals="$totals" -f "$top/scripts/tap.awk" ||
		status=$?
	read -r p f s <"$totals"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$status" -ne 0 ]; then
		failed=$((failed + 1))
	fi
}

passed=0 failed=0 skipped=0
for k in $kernels; do
	KERNEL=$k "$top/scripts/kernel.sh" || exit
done
"$top/scripts/user.sh" || exit
[ -f "$selftests/kselftest-list.txt" ] || die "there are no selftests"
for k in $kernels; do
	before=$((passed + failed))
	make_plans "$k"
	for plan in "$work"/plan.*; do
		[ -s "$plan" ] || die "TESTS='$TESTS' selects none"
		run_kernel "$k" "${plan##*.}"
	done
	if [ "$((passed + failed))" = "$before" ]; then
		say "not one test passed on the $k kernel"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/sum"
[ "$failed" -eq 0 ]
