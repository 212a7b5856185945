# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs tests in the other ways to switch and to sleep, see UMS_TEST_SWITCH and
# UMS_TEST_SLEEP in common.h: with a result for each program.

cd "$(dirname "$0")" || exit 1

# What takes long, and is about lists or the end of a group, not about
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

# run SWITCH SLEEP PROGRAM: for a short time if it goes on for some time, and under
# any time limit that it has itself. "-" is what groups do unless told.
run() {
	local status=0 log="$output/log" name="$3_test, switch $1, sleep $2"

	number=$((number + 1))
	(
		export UMS_TEST_MS=300
		# libums has variables of its own
		[ "$1" = - ] || export UMS_TEST_SWITCH="$1" UMS_SWITCH="$1"
		[ "$2" = - ] || export UMS_TEST_SLEEP="$2" UMS_SLEEP="$2"
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
