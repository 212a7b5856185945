#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests that switch by system call, once more in the other ways to switch:
# in groups without user switches, and by the vDSO (see UMS_TEST_SWITCH in
# common.h). One result for each program.

cd "$(dirname "$0")" || exit 1

kernel="attach block block_fault block_rules churn context ctl dequeue execute
	exit fd fdinfo field lib_info lib_run lib_sched lib lifecycle orphan
	poll race regs ring signal stop stress trace wake"
# Not those that want to know what the kernel has counted
user="attach block block_fault block_rules context ctl dequeue exit fd field
	lifecycle orphan poll race regs ring signal stop stress wake"

output=$(mktemp -d) || exit 1
trap 'rm -rf "$output"' EXIT

number=0
failed=0

# run MODE PROGRAM: under any time limit that the program has itself
run() {
	local status=0 log="$output/log"

	number=$((number + 1))
	# libums has a variable of its own
	UMS_TEST_SWITCH=$1 UMS_SWITCH=$1 "./$2_test" >"$log" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		echo "ok $number $2_test, $1 switch"
	elif [ "$status" -eq 4 ]; then
		echo "ok $number $2_test, $1 switch # SKIP"
	else
		sed 's/^/# /' "$log"
		echo "not ok $number $2_test, $1 switch"
		failed=$((failed + 1))
	fi
}

echo "TAP version 13"
set -- $kernel
count=$#
set -- $user
echo "1..$((count + $#))"
for program in $kernel; do
	run kernel "$program"
done
for program in $user; do
	run user "$program"
done
[ "$failed" -eq 0 ]
