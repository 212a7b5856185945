#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# gdb and strace see each thread where it is, under its own id, with the user
# switch too. Without one of them its tests are skipped.

ksft_skip=4
cd "$(dirname "$0")" || exit 1
target=$PWD/debug_target
work=$(mktemp -d) || exit 1
pattern=$(cat /proc/sys/kernel/core_pattern)
pid=
nr=0
failed=0

finish() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$pattern" ] ||
		echo "$pattern" >/proc/sys/kernel/core_pattern
	rm -rf "$work"
}
trap finish EXIT

# report STATUS NAME [WHY]
report() {
	nr=$((nr + 1))
	case $1 in
	0) echo "ok $nr $2" ;;
	"$ksft_skip") echo "ok $nr $2 # SKIP ${3:-}" ;;
	*)
		echo "not ok $nr $2"
		failed=1
		;;
	esac
}

# check TOOL NAME FUNCTION: what the function prints is shown if it fails
check() {
	local status=0

	if ! command -v "$1" >/dev/null; then
		report "$ksft_skip" "$2" "there is no $1"
		return
	fi
	"$3" >"$work/log" 2>&1 || status=$?
	[ "$status" = 0 ] || [ "$status" = "$ksft_skip" ] ||
		sed 's/^/# /' "$work/log"
	report "$status" "$2" "no core files here"
}

# It takes longer to start than to do what it is asked, and half of that are its
# modules in Python, which it does not find in a directory that has none.
debug() {
	timeout 300 gdb -nx -batch --data-directory="$work" -ex 'set pagination off' \
		-ex 'set debuginfod enabled off' -ex 'set confirm off' "$@"
}

# Whether so many backtraces of each thread of $work/who in the file have its
# function
each_is_where_it_says() { # times file
	local tid name bad=0

	while read -r tid name; do
		[ "$tid" != end ] || break
		awk -v tid="$tid" -v name="$name" -v times="$1" '
			/^Thread / { mine = $0 ~ "LWP " tid "\\)" }
			mine && index($0, " " name " (") { found++ }
			END { exit found != times }' "$2" && continue
		echo "thread $tid is not in $name()"
		bad=1
	done <"$work/who"
	return $bad
}

attach() {
	mkfifo "$work/pipe"
	"$target" wait >"$work/pipe" &
	pid=$!
	# All of it, or until the target has died
	sed '/^end/q' <"$work/pipe" >"$work/who"
	grep -q '^end' "$work/who" || return 1
	# Twice: it finds them where it left them
	debug -ex "attach $pid" -ex 'thread apply all bt' -ex detach \
		-ex "attach $pid" -ex 'thread apply all bt' \
		"$target" >"$work/bt" 2>&1
	cat "$work/bt"
	each_is_where_it_says 2 "$work/bt" || return 1
	kill -9 "$pid"
	wait "$pid"
	pid=
}

core() {
	local file

	echo core >/proc/sys/kernel/core_pattern || return $ksft_skip
	ulimit -c unlimited || return $ksft_skip
	(cd "$work" && "$target" crash >"$work/who") || return 1
	file=$(echo "$work"/core*)
	[ -f "$file" ] || return 1
	debug "$target" "$file" -ex 'thread apply all bt' -ex 'echo === \n' \
		-ex 'bt 1' >"$work/bt" 2>&1
	cat "$work/bt"
	sed '/^===/,$d' "$work/bt" >"$work/all"
	each_is_where_it_says 1 "$work/all" || return 1
	# The one that is shown first is who did it
	sed '1,/^===/d' "$work/bt" | grep -q ' ends ('
}

# Says where it is and who it should be, then goes on by instructions. While it
# is stopped others can run, and would come to the breakpoint.
breakpoint() {
	local where='printf "LWP of %d: ", $edi'
	local commands=(-ex 'break *turn' -ex 'ignore 1 40' -ex run)

	for _ in 1 2 3; do
		commands+=(-ex "$where" -ex thread -ex disable -ex 'stepi 10'
			   -ex thread -ex enable -ex continue)
	done
	debug "${commands[@]}" -ex 'delete' -ex continue \
		--args "$target" calls >"$work/gdb" 2>&1
	cat "$work/gdb"
	grep -q 'exited normally' "$work/gdb" || return 1
	awk '/^LWP of/ {
			tid = $3 + 0
			n++
			if ($0 !~ "LWP " tid "\\)")
				bad++
			getline
			while ($0 !~ /Current thread/)
				if (getline <= 0)
					exit 1
			if ($0 !~ "LWP " tid "\\)")
				bad++
		}
		END { exit !(n == 3 && !bad) }' "$work/gdb"
}

trace() {
	timeout 300 strace -f -e trace=getpriority -o "$work/strace" \
		"$target" calls || return 1
	cat "$work/strace"
	awk '/getpriority\(PRIO_PROCESS, / {
			n++
			split($0, part, /PRIO_PROCESS, |\)/)
			if (part[2] + 0 != $1)
				bad++
		}
		END { exit !(n >= 100 && !bad) }' "$work/strace"
}

echo "TAP version 13"
"$target" calls
if [ $? = "$ksft_skip" ]; then
	echo "1..0 # SKIP no user switch here"
	exit $ksft_skip
fi
echo "1..4"
check gdb "a debugger that attaches finds each thread where it is" attach
check gdb "a core file has each thread where it was, under its own id" core
check gdb "breakpoints and single steps are of the thread whose code it is" \
	breakpoint
check strace "a tracer sees each call under the id of its thread" trace
[ "$failed" = 0 ]
