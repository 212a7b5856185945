#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests that switch by system call, once more in the other ways to switch: in
# groups without user switches, and by the vDSO; and in groups without managed
# sleeps.

. "$(dirname "$0")/modes_lib.sh"

# None of those that check arguments and hardly switch or sleep
kernel="attach block_fault block_rules churn execute fdinfo lib_info lib_run
	lib_sched lib orphan poll ring stop wake"
# Not those that want to know what the kernel has counted
user="block dequeue exit lifecycle race regs signal stress"
# Not those that know how it is with managed sleeps
unmanaged="attach block_fault block_rules churn dequeue execute exit lib_info
	lib_run lib_sched lib lifecycle orphan poll race ring signal stop stress
	wake"

# On a kernel for debugging all take five times as long: each is run in one way there,
# and groups without user switches have no managed sleeps either. Elsewhere all that
# can be is run in all ways.
debugging=
if [ -e /proc/lockdep_stats ]; then
	debugging=1
else
	kernel+=" $user"
	user+=" attach block_fault block_rules orphan poll ring stop wake"
fi

sleep_of() {
	if [ -n "$debugging" ] && grep -qw "$1" <<<"$unmanaged"; then
		echo unmanaged
	else
		echo -
	fi
}

echo "TAP version 13"
# shellcheck disable=SC2086 # words
set -- $kernel $user ${debugging:-$unmanaged}
echo "1..$(($# - ${debugging:-0}))"
for program in $kernel; do
	run kernel "$(sleep_of "$program")" "$program"
done
for program in $user; do
	run user - "$program"
done
if [ -z "$debugging" ]; then
	for program in $unmanaged; do
		run - unmanaged "$program"
	done
fi
[ "$failed" -eq 0 ]
