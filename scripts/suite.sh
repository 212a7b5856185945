#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: the programs that the plan ($1) names, one after the other.
# A line of the plan: seconds, directory, program. Descriptor 3 takes to the
# host what they print, between marks that tell whose it is and how it ended.

while read -r limit dir program; do
	printf '##begin %s\n' "$program" >&3
	echo "ums-test: $program" >/dev/kmsg
	start=$SECONDS
	(cd "$dir" && exec timeout -k 10 "$limit" "./$program") \
		</dev/null >&3 2>&1
	status=$?
	if [ "$status" = 124 ]; then
		# To see in the kernel's log where it was stuck.
		echo w >/proc/sysrq-trigger
	fi
	printf '\n##end %s %d %d\n' "$program" "$status" $((SECONDS - start)) >&3
done <"$1"
