#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# By hand, after make kernel: whether boot.sh notices what a guest does wrong, says
# so, and leaves nothing running when it is interrupted.

. "$(dirname "$0")/lib.sh"

bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What a failed guest leaves for its reader
clear_away() {
	local dir
	dir=$(sed -n 's/^==> console log: \(.*\)\/console.log$/\1/p' "$work/err")
	[ -z "$dir" ] || rm -rf "$dir"
}

# guest STATUS TEXT COMMAND: how it ends, and what is printed then
guest() {
	local status=0

	TIMEOUT=${limit:-60} "$top/scripts/boot.sh" run "$3" \
		>"$work/out" 2>"$work/err" || status=$?
	if [ "$status" != "$1" ]; then
		echo "    '$3': status $status, want $1"
		bad=1
	fi
	if [ -n "$2" ] && ! grep -qF -- "$2" "$work/out" "$work/err"; then
		echo "    '$3': not a word of '$2'"
		sed 's/^/        /' "$work/err"
		bad=1
	fi
	clear_away
}

# The command's output and status are ours, and nothing is found where nothing is
guest 0 "a word" "echo a word"
guest 7 "" "exit 7"
guest 143 "" 'kill -TERM $$'
[ ! -s "$work/err" ] || {
	echo "    something was printed for no reason:"
	cat "$work/err"
	bad=1
}

guest 125 "sysrq triggered crash" "echo c >/proc/sysrq-trigger; sleep 1000"
guest 125 "ended without a verdict" "echo b >/proc/sysrq-trigger; sleep 1000"
guest 125 "WARNING: possible circular" \
	"echo 'WARNING: possible circular locking dependency detected' >/dev/kmsg"
guest 125 "in ums_test" "echo 'BUG: KASAN: slab-use-after-free in ums_test' >/dev/kmsg"
limit=3 guest 124 "took too long" "sleep 1000"

# As the terminal does it: to all of its processes
interrupted() {
	local group status=0

	set -m
	# Who was started in the background ignores it, and all that he starts
	env --default-signal=INT "$top/scripts/boot.sh" run "echo there; sleep 1000" \
		>"$work/out" 2>"$work/err" &
	group=$!
	set +m
	for ((i = 0; i < 1200; i++)); do
		! grep -q there "$work/out" || break
		sleep 0.1
	done
	pgrep -g "$group" qemu >/dev/null || {
		echo "    there is no QEMU to interrupt"
		bad=1
	}
	kill "-$1" -- "-$group"
	wait "$group" || status=$?
	[ "$status" = "$2" ] || {
		echo "    SIG$1: status $status, want $2"
		bad=1
	}
	if pgrep -a -g "$group"; then
		echo "    SIG$1: still there"
		kill -KILL -- "-$group"
		bad=1
	fi
	[ ! -e "$build/run/$KERNEL.$group" ] || {
		echo "    SIG$1: left build/run/$KERNEL.$group"
		bad=1
	}
}

interrupted INT 130
interrupted TERM 143

[ "$bad" -eq 0 ] || die "the harness does not keep its promises"
say "the harness keeps its promises"
