#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# UMS benchmark on a machine that runs the kernel: ums_bench, and httpd_bench.sh
# if there is wrk. Not a test.
#
#   bench.sh [--programs=DIR] [--results=DIR] [TEXT...]
#
# The tables are printed; --results has them written to files as well: as text, as
# JSON, and plotted, if there is gnuplot. --programs says where ums_bench is, if not
# here. With TEXT, only those rows of ums_bench.

set -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=$here
results=
while :; do
	case ${1-} in
	--programs=*) programs=${1#*=} ;;
	--results=*) results=${1#*=} ;;
	*) break ;;
	esac
	shift
done
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

status=0
"$programs/ums_bench" "--json=$new/wall.json" "$@" | tee "$new/wall.txt" ||
	status=1
json=("$new/wall.json")
if [ $# = 0 ] && command -v wrk >/dev/null; then
	"$here/httpd_bench.sh" "--json=$new/wall-httpd.json" |
		tee -a "$new/wall.txt" || status=1
	json+=("$new/wall-httpd.json")
fi
[ -n "$results" ] || exit "$status"
if command -v gnuplot >/dev/null; then
	awk -v clock=wall -f "$here/bench_json.awk" -f "$here/bench_plot.awk" \
		"${json[@]}" >"$new/wall.gp"
	gnuplot "$new/wall.gp" >"$new/wall.svg" || status=1
fi
mkdir -p "$results" && cp "$new/wall"* "$results" || exit
echo "written to $results"
exit "$status"
