#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make bench: what UMS costs beside what there is without it, in one run on one
# kernel; and what those pay who do not use it, on the same kernel built with and
# without CONFIG_UMS. Tables here, everything else in build/bench.
#
# CLOCK=icount counts instructions, and says so if a second measurement differs;
# CLOCK=wall is time. ROWS selects rows, as ums_bench has it.

. "$(dirname "$0")/lib.sh"

: "${CLOCK:=icount}" "${TIMEOUT:=1800}" "${ROWS:=}"
case $CLOCK in
icount) export ICOUNT=1 options=--repeat=1 ;;
wall) export ICOUNT='' SMP=${SMP:-2} options='' ;;
*) die "CLOCK=$CLOCK: want icount or wall" ;;
esac
export TIMEOUT
program=$build/user/selftests/ums/ums_bench
results=$build/bench
mkdir -p "$results"

# Rows that need no UMS, for a comparison of kernels
plain=("plain thread" "sched_yield" "futex hand-off" eventfd fork)

# On kernel $1, to $2.json: the rest are texts to look for
measure() {
	local kernel=$1 to=$results/$2 text words=
	shift 2
	for text; do
		words+=" '$text'"
	done
	KERNEL=$kernel "$top/scripts/boot.sh" run \
		"exec '$program' $options --json=/dev/fd/3$words" \
		3>"$to.json.new"
	mv "$to.json.new" "$to.json"
}

say "measuring by ${CLOCK/icount/instructions executed}"
rows=()
[ -z "$ROWS" ] || rows=("$ROWS")
measure release "$CLOCK" "${rows[@]}" | tee "$results/$CLOCK.txt"
[ -z "$ROWS" ] || exit 0

KERNEL=noums "$top/scripts/kernel.sh"
say "measuring without CONFIG_UMS"
measure noums "$CLOCK-noums" "${plain[@]}" >"$results/$CLOCK-noums.txt"
awk -f "$top/scripts/bench_diff.awk" "$results/$CLOCK-noums.json" \
	"$results/$CLOCK.json" | tee -a "$results/$CLOCK.txt"

awk -f "$top/scripts/bench_plot.awk" -v clock="$CLOCK" \
	"$results/$CLOCK.json" >"$results/$CLOCK.gp"
gnuplot "$results/$CLOCK.gp" >"$results/$CLOCK.svg"
say "$results/$CLOCK.txt, .json, .svg"
