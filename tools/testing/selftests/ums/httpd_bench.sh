#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# UMS benchmark: samples/ums/httpd with its connections as UMS workers and as
# threads, under load from wrk. Not a test.
#
#   httpd_bench.sh [--json=FILE] [CONNECTIONS...]
#
# One line for each number of connections (default: 1 10 100 1000) and mode: the
# requests that were answered, the time that one took, and the longest that all
# but one in a hundred waited, in ns.
#
# Environment:
#   DURATION  seconds of load for each line (default: 2)

# shellcheck source=httpd_lib.sh
. "$(dirname "$0")/httpd_lib.sh"

duration=${DURATION:-2}
json=/dev/null
case ${1-} in
--json=*)
	json=${1#--json=}
	shift
	;;
esac
work=$(mktemp -d)
root=$work/root
trap '[ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

write_files()
{
	local i

	mkdir "$root"
	for i in {1..16}; do
		head -c 4000 /dev/zero | tr '\0' 'a' >"$root/$i"
	done
	cat >"$work/load.lua" <<-'EOF'
	local nr = 0

	function request()
		nr = nr % 16 + 1
		return wrk.format("GET", "/" .. nr)
	end

	function done(summary, latency)
		local e = summary.errors
		local out = io.open(os.getenv("WRK_RESULT"), "w")

		out:write(string.format("%d %d %d %d\n", summary.requests,
			summary.duration, latency:percentile(99),
			e.connect + e.read + e.write + e.status + e.timeout))
		out:close()
	end
	EOF
}

# Prints: requests, microseconds of all, of the 99th percentile, errors
load() # connections seconds
{
	rm -f "$work/result"
	WRK_RESULT=$work/result timeout $(($2 + LIMIT)) \
		wrk --threads 1 --connections "$1" --duration "$2s" \
		--timeout "${LIMIT}s" --script "$work/load.lua" "$url" \
		>/dev/null 2>&1
	cat "$work/result"
}

measure() # connections
{
	local requests us p99 errors

	start || { echo "$why" >&2; exit 1; }
	# What either side reads from files and makes once
	load "$1" 1 >/dev/null
	read -r requests us p99 errors < <(load "$1" "$duration")
	stop || { echo "$why" >&2; exit 1; }
	if [ "${errors:-1}" != 0 ] || [ "$requests" = 0 ]; then
		echo "httpd --$mode: $1 connections: ${errors:-no} errors" >&2
		exit 1
	fi
	printf '  %-46s %6d %11d %11d\n' "--$mode, $1 connections" "$requests" \
		$((us * 1000 / requests)) $((p99 * 1000))
	printf '%s\n{"group": "httpd", "name": "--%s", "connections": %d, ' \
		"$separator" "$mode" "$1" >&4
	printf '"unit": "ns", "count": %d, "mean": %d, "p99": %d}' \
		"$requests" $((us * 1000 / requests)) $((p99 * 1000)) >&4
	separator=,
}

command -v wrk >/dev/null || { echo "no wrk" >&2; exit "$SKIP"; }
write_files
exec 4>"$json"
separator=
printf '{"program": "httpd_bench.sh", "kernel": "%s", "rows": [' "$(uname -rv)" >&4
echo "httpd, time for one request, 99% waited no longer"
[ $# -gt 0 ] || set -- 1 10 100 1000
for connections; do
	for mode in threads ums; do
		measure "$connections"
	done
done
printf '\n]}\n' >&4
