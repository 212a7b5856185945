#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: the programs that the plan ($1) names, two at a time, as one
# alone leaves the second processor idle for most of its time. A line of the plan:
# seconds, directory, program, and "alone" or "beside": whether it may share the
# machine. Descriptor 3 takes to the host what they print, each line behind the
# number of the place that the program has, between marks that tell whose it is
# and how it ended.

# The lines reach the host whole, and at once.
exec 4> >(exec stdbuf -oL sed 's/^/1 /' >&3)
relays=($!)
exec 5> >(exec stdbuf -oL sed 's/^/2 /' >&3)
relays+=($!)
free=(4 5)
declare -A place runs # by process

# job DESCRIPTOR SECONDS DIRECTORY PROGRAM
job() {
	local start=$SECONDS status

	printf '##begin %s\n' "$4" >&"$1"
	echo "ums-test: $4" >/dev/kmsg
	(cd "$3" && exec timeout -k 10 "$2" "./$4" 3>&- 4>&- 5>&- 6<&-) \
		</dev/null >&"$1" 2>&1
	status=$?
	if [ "$status" = 124 ]; then
		# To see in the kernel's log where it was stuck.
		echo w >/proc/sysrq-trigger
	fi
	printf '\n##end %s %d %d\n' "$4" "$status" $((SECONDS - start)) >&"$1"
}

# Until no more than $1 are running
wait_for() {
	local ended

	while [ ${#place[@]} -gt "$1" ]; do
		wait -n -p ended "${!place[@]}"
		free+=("${place[$ended]}")
		unset "place[$ended]" "runs[$ended]"
	done
}

while read -r limit dir program how <&6; do
	[ "$how" != alone ] || wait_for 0
	wait_for 1
	# Not beside itself either: what it makes may have a name
	[[ " ${runs[*]} " != *" $program "* ]] || wait_for 0
	job "${free[0]}" "$limit" "$dir" "$program" &
	place[$!]=${free[0]} runs[$!]=$program
	free=("${free[@]:1}")
	[ "$how" != alone ] || wait_for 0
done 6<"$1"
wait_for 0
exec 4>&- 5>&-
wait "${relays[@]}"
