#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests that switch by system call, once more in the other ways to switch:
# in groups without user switches, and by the vDSO (see UMS_TEST_SWITCH in
# common.h); and in groups without managed sleeps. One result for each program.
# Programs that go on for some time do so for a shorter one.

cd "$(dirname "$0")" || exit 1

# None of those that check arguments and hardly switch or sleep
kernel="attach block block_fault block_rules churn dequeue execute exit fdinfo
	lib_info lib_run lib_sched lib lifecycle orphan poll race regs ring
	signal stop stress trace wake"
# Not those that want to know what the kernel has counted
user="attach block block_fault block_rules dequeue exit lifecycle orphan poll
	race regs ring signal stop stress wake"
# Not those that know how it is with managed sleeps
unmanaged="attach block_fault block_rules churn dequeue execute exit lib_info
	lib_run lib_sched lib lifecycle orphan poll race ring signal stop stress
	trace wake"

# What takes long, and is about lists, tracepoints or the end of a group, not about
# who switches or sleeps
declare -A without=(
	[dequeue]="stop_and_continue_keep_the_remaining_time"
	[lifecycle]="nothing_is_left_of_groups_that_went"
	[orphan]="release_races_with_workers_that_come_and_go"
	[ring]="kernel_survives_a_vandal"
	[wake]="interrupted_waiter_passes_its_wakeup_on"
)

output=$(mktemp -d) || exit 1
trap 'rm -rf "$output"' EXIT

number=0
failed=0

# run WHAT MODE PROGRAM: under any time limit that the program has itself
run() {
	local status=0 log="$output/log" name="$3_test, $2 $1"

	number=$((number + 1))
	(
		# libums has variables of its own
		export "UMS_TEST_${1^^}=$2" "UMS_${1^^}=$2" UMS_TEST_MS=300
		exec "./$3_test" ${without[$3]:+-T "${without[$3]}"}
	) >"$log" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		echo "ok $number $name"
	elif [ "$status" -eq 4 ]; then
		echo "ok $number $name # SKIP"
	else
		sed 's/^/# /' "$log"
		echo "not ok $number $name"
		failed=$((failed + 1))
	fi
}

echo "TAP version 13"
# shellcheck disable=SC2086 # words
set -- $kernel $user $unmanaged
echo "1..$#"
for program in $kernel; do
	run switch kernel "$program"
done
for program in $user; do
	run switch user "$program"
done
for program in $unmanaged; do
	run sleep unmanaged "$program"
done
[ "$failed" -eq 0 ]
