#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make bench: what UMS costs beside what there is without it, in one run on one
# kernel; and what those pay who do not use it, on the same kernel built with and
# without CONFIG_UMS. Tables here, and in build/bench as text, JSON and plot.
#
# CLOCK=icount counts instructions, and says so if a second measurement differs;
# CLOCK=wall is time. ROWS, words, selects rows; then there are no files.
#
# The kernel is the release kernel; where instructions are counted, with static
# keys (config/base.config says why they are not there else).
#
# A row that failed, or differs, makes this fail in the end.

. "$(dirname "$0")/lib.sh"

: "${CLOCK:=icount}" "${TIMEOUT:=1800}" "${ROWS:=}"
case $CLOCK in
icount)
	options=(--repeat=1)
	with=bench without=bench-noums
	export ICOUNT=1
	;;
wall)
	options=()
	with=release without=noums
	cpus=$(nproc)
	export ICOUNT='' SMP=${SMP:-$((cpus < 2 ? 2 : cpus > 4 ? 4 : cpus))}
	;;
*) die "CLOCK=$CLOCK: want icount or wall" ;;
esac
export TIMEOUT
selftests=$top/tools/testing/selftests/ums
program=$build/user/selftests/ums/ums_bench
results=$build/bench
new=$results/new.$$
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"

# Rows that need no UMS, for a comparison of kernels
plain=("plain thread" sched_yield "futex hand-off" eventfd fork)

# On kernel $1, JSON to $2; the rest are texts to look for. The table is printed.
measure() {
	local kernel=$1 json=$2 status=0
	shift 2
	KERNEL=$kernel "$top/scripts/boot.sh" run \
		"exec$(printf ' %q' "$program" "${options[@]}" --json=/dev/fd/3 "$@")" \
		3>"$json" || status=$?
	# Of the program; all else is the guest's
	[ "$status" -le 1 ] || exit "$status"
	[ "$status" = 0 ] || touch "$new/failed"
}

KERNEL=$with "$top/scripts/kernel.sh"
say "measuring by ${CLOCK/icount/instructions executed}"
if [ -n "$ROWS" ]; then
	read -ra rows <<<"$ROWS"
	measure "$with" /dev/null "${rows[@]}"
	[ ! -f "$new/failed" ] || die "a row has failed, or differs"
	exit 0
fi
measure "$with" "$new/$CLOCK.json" | tee "$new/$CLOCK.txt"
# Where instructions are counted, time flies while the host reads a file.
httpd=()
if [ "$CLOCK" = wall ]; then
	say "measuring httpd"
	httpd=("$new/$CLOCK-httpd.json")
	KERNEL=$with "$top/scripts/boot.sh" run \
		"exec '$build/user/selftests/ums/httpd_bench.sh' --json=/dev/fd/3" \
		3>"${httpd[0]}" | tee -a "$new/$CLOCK.txt" || exit
fi

KERNEL=$without "$top/scripts/kernel.sh"
say "measuring without CONFIG_UMS"
measure "$without" "$new/$CLOCK-noums.json" "${plain[@]}" >"$new/$CLOCK-noums.txt"
# In a boot of its own: before the first group nobody has made the hooks live.
measure "$with" "$new/$CLOCK-unused.json" "${plain[@]}" >"$new/$CLOCK-unused.txt"
awk -f "$selftests/bench_json.awk" -f "$top/scripts/bench_diff.awk" \
	"$new/$CLOCK-noums.json" "$new/$CLOCK-unused.json" | tee -a "$new/$CLOCK.txt"

awk -v clock="$CLOCK" -f "$selftests/bench_json.awk" \
	-f "$selftests/bench_plot.awk" "$new/$CLOCK.json" \
	"${httpd[@]}" >"$new/$CLOCK.gp"
gnuplot "$new/$CLOCK.gp" >"$new/$CLOCK.svg"
mv -f "$new/$CLOCK"* "$results"
say "$results/$CLOCK.txt, .json, .svg"
[ ! -f "$new/failed" ] || die "a row has failed, or differs"
