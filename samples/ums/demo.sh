#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make run` shows: httpd serves the kernel's Documentation/, first with
# its connections as UMS workers, then as ordinary threads. curl checks that
# what arrives is what is there, wrk makes the load, and one table has both.
#
# Any error or difference makes the exit status 1.
#
# Environment:
#   HTTPD        the server (default: httpd in $UMS_SAMPLES, or beside this)
#   DOCS         what to serve (default: Documentation/ in $KSRC, or in this tree)
#   DURATION     seconds of load for each mode (default: 5)
#   CONNECTIONS  of the load (default: 32)
#   FILES        how many files to fetch and compare (default: 60)
#   LIMIT        seconds after which a step counts as hung (default: 120)

set -u

here=$(cd "$(dirname "$0")" && pwd)
httpd=${HTTPD:-${UMS_SAMPLES:-$here}/httpd}
docs=${DOCS:-${KSRC:-$here/../..}/Documentation}
duration=${DURATION:-5}
connections=${CONNECTIONS:-32}
nr_files=${FILES:-60}
limit=${LIMIT:-120}

problems=0
declare -A compared_of
pid=

problem()
{
	echo "demo: $*" >&2
	problems=$((problems + 1))
}

fail()
{
	echo "demo: $*" >&2
	exit 1
}

CURL=(curl --silent --show-error --no-progress-meter --path-as-is
      --noproxy '*' --max-time "$limit")

# --- what to fetch ------------------------------------------------------------

# Files from all over the tree, the largest, and the smallest that is not empty;
# only with names that need no encoding. NAME, one per line.
choose_files()
{
	(cd "$docs" && find . -type f -size +0 -printf '%s %P\n') |
		grep -E '^[0-9]+ [A-Za-z0-9_./+-]+$' | sort -n >"$work/all"
	[ -s "$work/all" ] || fail "no files in $docs"
	{
		head -n 1 "$work/all"
		tail -n 1 "$work/all"
		awk -v want="$nr_files" -v have="$(wc -l <"$work/all")" '
			BEGIN { step = have > want ? have / want : 1 }
			NR >= next_one { print; next_one += step }' "$work/all"
	} | sed 's/^[0-9]* //' | sort -u >"$work/files"

	# The load asks for files of ordinary size.
	awk '$1 > 1000 && $1 < 30000 { print "/" $2 }' "$work/all" |
		awk -v seed=1 'BEGIN { srand(seed) } { print rand(), $0 }' |
		sort -n | head -n 50 | sed 's/^[^ ]* //' >"$work/paths"
	[ -s "$work/paths" ] || sed 's|^|/|' "$work/files" >"$work/paths"
	# Read in, so that the mode that comes first has no slower disk.
	sed "s|^|$docs|" "$work/paths" | xargs cat >/dev/null
}

write_wrk_script()
{
	cat >"$work/load.lua" <<-'EOF'
	local requests = {}
	local nr = 0

	function init(args)
		for path in io.lines(args[1]) do
			requests[#requests + 1] = wrk.format("GET", path)
		end
	end

	function request()
		nr = nr % #requests + 1
		return requests[nr]
	end

	function done(summary, latency)
		local e = summary.errors
		local out = io.open(os.getenv("WRK_RESULT"), "w")

		out:write(string.format(
			"requests=%d us=%d bytes=%d errors=%d p50=%d p90=%d p99=%d max=%d\n",
			summary.requests, summary.duration, summary.bytes,
			e.connect + e.read + e.write + e.status + e.timeout,
			latency:percentile(50), latency:percentile(90),
			latency:percentile(99), latency.max))
		out:close()
	end
	EOF
}

# --- the server ---------------------------------------------------------------

gone()
{
	! kill -0 "$pid" 2>/dev/null
}

announced()
{
	port=$(sed -n "s/^mode=$mode port=//p" "$work/log.$mode")
	[ -n "$port" ] || gone
}

wait_until() # command
{
	local end=$((SECONDS + limit))

	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

start()
{
	: >"$work/log.$mode"
	"$httpd" "--$mode" --root "$docs" --port 0 >"$work/log.$mode" 2>&1 &
	pid=$!
	wait_until announced
	[ -n "$port" ] || fail "httpd --$mode: $(cat "$work/log.$mode")"
	url=http://127.0.0.1:$port
}

stop()
{
	kill -TERM "$pid"
	if ! wait_until gone; then
		problem "httpd --$mode does not end"
		kill -KILL "$pid"
	fi
	wait "$pid" || problem "httpd --$mode: exit status $?," \
		"$(cat "$work/log.$mode")"
	pid=
}

# --- curl ---------------------------------------------------------------------

# Fetches every chosen file and compares it.
compare_files() # how, curl options...
{
	local how=$1 args=() file nr=0 error
	shift

	rm -rf "$work/got"
	while read -r file; do
		nr=$((nr + 1))
		args+=("$url/$file" -o "$work/got/$nr")
	done <"$work/files"
	mkdir "$work/got"
	error=$("${CURL[@]}" --fail "$@" "${args[@]}" 2>&1) ||
		problem "curl, $how: $error"

	nr=0
	while read -r file; do
		nr=$((nr + 1))
		if error=$(cmp "$docs/$file" "$work/got/$nr" 2>&1); then
			compared=$((compared + 1))
		else
			problem "$how: $error"
		fi
	done <"$work/files"
}

check_head()
{
	local file want head

	file=$(tail -n 1 "$work/files")
	want=$(stat -L -c %s "$docs/$file")
	head=$("${CURL[@]}" -I "$url/$file")
	[[ $head == "HTTP/1.1 200 OK"* ]] &&
	grep -qi "^Content-Length: $want"$'\r$' <<<"$head" ||
		problem "HEAD of $file: $head"
}

check_status() # expected path [curl options...]
{
	local want=$1 path=$2 got
	shift 2

	got=$("${CURL[@]}" -o /dev/null -w '%{http_code}' "$@" "$url$path")
	[ "$got" = "$want" ] || problem "$path: $got instead of $want"
	rejected=$((rejected + 1))
}

check_by_curl()
{
	compared=0
	rejected=0
	compare_files "one after another"
	compare_files "$connections at a time" -Z --parallel-immediate \
		--parallel-max "$connections"
	check_head
	check_status 404 /there/is/no/such/file
	check_status 403 /../../../../etc/passwd
	check_status 403 /%2e%2e/%2e%2e/%2e%2e/etc/passwd
	check_status 404 //etc/passwd
	check_status 400 /%00
	check_status 405 / -X DELETE
}

# --- the whole ----------------------------------------------------------------

value() # key file
{
	sed -n "s/^\(.* \)\?$1=\([0-9]*\).*/\2/p" "$2" | tail -n 1
}

load()
{
	local threads error

	threads=$(nproc)
	[ "$threads" -le "$connections" ] || threads=$connections
	error=$(WRK_RESULT=$work/wrk.$mode timeout $((duration + limit)) \
		wrk --threads "$threads" --connections "$connections" \
		--duration "${duration}s" --timeout "${limit}s" \
		--script "$work/load.lua" "$url" -- "$work/paths" 2>&1) ||
		problem "wrk: $error"
	[ -s "$work/wrk.$mode" ] || fail "no result of wrk: $error"
}

run_mode()
{
	local log=$work/log.$mode wrk=$work/wrk.$mode

	echo "httpd --$mode: curl compares files ..."
	start
	check_by_curl
	echo "httpd --$mode: wrk, $connections connections for $duration s ..."
	load
	stop

	[ "$(value errors "$wrk")" = 0 ] || problem "wrk had errors: $(cat "$wrk")"
	[ "$(value requests "$wrk")" -gt 0 ] || problem "wrk had no requests"
	# All that was wrong is what was asked for wrongly.
	[ "$(value status_4xx "$log")" = $rejected ] &&
	[ "$(value status_5xx "$log")" = 0 ] &&
	[ "$(value refused "$log")" = 0 ] &&
	[ "$(value requests "$log")" -ge "$(value requests "$wrk")" ] ||
		problem "the server counted: $(tail -n 1 "$log")"
	[ "$mode" = threads ] || [ "$(value blocked "$log")" -gt 0 ] ||
		problem "no worker ever blocked"
	compared_of[$mode]=$compared
}

ms() # microseconds
{
	awk -v us="$1" 'BEGIN { printf "%.2f", us / 1000 }'
}

row() # name, value of --ums, value of --threads
{
	printf '  %-28s %14s %14s\n' "$@"
}

row_of() # name key log|wrk
{
	row "$1" "$(value "$2" "$work/$3.ums")" "$(value "$2" "$work/$3.threads")"
}

rate() # mode
{
	awk -v n="$(value requests "$work/wrk.$1")" \
		-v us="$(value us "$work/wrk.$1")" \
		'BEGIN { printf "%.1f", us ? n * 1e6 / us : 0 }'
}

switches() # mode
{
	echo $(($(value voluntary_switches "$work/log.$1") +
		$(value involuntary_switches "$work/log.$1")))
}

table()
{
	local key

	echo
	row "" "httpd --ums" "httpd --threads"
	row_of "requests" requests wrk
	row_of "errors" errors wrk
	row "requests per second" "$(rate ums)" "$(rate threads)"
	for key in p50 p90 p99 max; do
		row "latency $key, ms" "$(ms "$(value $key "$work/wrk.ums")")" \
			"$(ms "$(value $key "$work/wrk.threads")")"
	done
	row "blocked events" "$(value blocked "$work/log.ums")" -
	row "kernel switches to a worker" "$(value executed "$work/log.ums")" -
	row "context switches" "$(switches ums)" "$(switches threads)"
	row_of "connections" connections log
	row "files compared equal" "${compared_of[ums]}" \
		"${compared_of[threads]}"
	echo
}

[ -x "$httpd" ] || fail "no server at $httpd"
[ -d "$docs" ] || fail "no directory $docs"
for tool in curl wrk; do
	command -v $tool >/dev/null || fail "$tool is missing"
done

work=$(mktemp -d)
trap '[ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
choose_files
write_wrk_script

for mode in ums threads; do
	run_mode
done
table

if [ $problems != 0 ]; then
	echo "demo: $problems problems" >&2
	exit 1
fi
