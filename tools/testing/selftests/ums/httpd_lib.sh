#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of samples/ums/httpd share: assertions, a server, clients,
# files to serve, and the run of the tests in both modes of the server.
#
# The server is $HTTPD, or stands in $UMS_SAMPLES, beside this script, or in
# samples/ums. Needs curl. Only loopback is used, and ports that are free.
#
# No step waits for a fixed time: each waits for a condition, up to $LIMIT
# seconds, which only matters when something is broken.

set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
httpd=${HTTPD:-}
for f in "${UMS_SAMPLES:-$here}/httpd" "$here/httpd" \
	 "$here/../../../../samples/ums/httpd"; do
	[ -z "$httpd" ] && [ -x "$f" ] && httpd=$f
done
LIMIT=${LIMIT:-60}
SKIP=4		# kselftest's, and what httpd exits with where UMS is absent

# Hundreds of clients, each a process, take far longer on a kernel with lock
# debugging than all that they find out.
if [ -e /proc/lockdep_stats ] && [ -z "${HTTPD_ON_DEBUG:-}" ]; then
	echo "1..0 # SKIP kernel with lock debugging; HTTPD_ON_DEBUG=1 runs it"
	exit "$SKIP"
fi

number=0
failed=0
why=

result() # 0|1 name
{
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		failed=$((failed + 1))
		[ -n "$why" ] && sed 's/^/# /' <<<"$why"
	fi
	why=
}

# Assertions: return 1 and say why.
equal() # what expected actual
{
	[ "$2" = "$3" ] && return 0
	why+="$1: expected '$2', got '$3'"$'\n'
	return 1
}

matches() # what pattern text
{
	[[ $3 =~ $2 ]] && return 0
	why+="$1: '$2' does not match '$3'"$'\n'
	return 1
}

same_file() # expected actual
{
	local message

	message=$(cmp "$1" "$2" 2>&1) && return 0
	why+="$message"$'\n'
	return 1
}

wait_until() # command...
{
	local end=$((SECONDS + LIMIT))

	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			why+="waited $LIMIT s in vain: $*"$'\n'
			return 1
		fi
		sleep 0.05
	done
}

# --- the server ---------------------------------------------------------------

pid=
port=
log=

announced()
{
	port=$(sed -n 's/^mode=.* port=\([0-9]*\)$/\1/p' "$log")
	[ -n "$port" ] || ! kill -0 "$pid" 2>/dev/null
}

start() # options...
{
	log=$work/log
	: >"$log"
	"$httpd" "--$mode" --root "$root" --port 0 "$@" >"$log" 2>&1 &
	pid=$!
	wait_until announced
	if [ -z "$port" ]; then
		why+="the server did not start: $(cat "$log")"$'\n'
		return 1
	fi
	url=http://127.0.0.1:$port
}

gone()
{
	! kill -0 "$pid" 2>/dev/null
}

# Ends the server; it must be quick and clean about it. Sets $stats.
stop()
{
	local status

	kill -TERM "$pid" 2>/dev/null
	if ! wait_until gone; then
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
		pid=
		return 1
	fi
	wait "$pid"
	status=$?
	pid=
	stats=$(grep "^mode=$mode connections=" "$log")
	equal "exit status" 0 $status &&
	equal "lines printed" 2 "$(wc -l <"$log")"
}

stat_of() # key
{
	sed -n "s/.* $1=\([0-9]*\).*/\1/p" <<<" $stats"
}

nr_fds()
{
	ls "/proc/$pid/fd" | wc -l
}

nr_mappings()
{
	wc -l <"/proc/$pid/maps"
}

fds_are()
{
	[ "$(nr_fds)" = "$1" ]
}

fds_exceed()
{
	[ "$(nr_fds)" -gt "$1" ]
}

# --- clients ------------------------------------------------------------------

CURL=(curl --silent --no-progress-meter --show-error --max-time "$LIMIT" --noproxy '*')

fetch() # curl arguments...
{
	"${CURL[@]}" "$@" 2>&1
}

code() # curl arguments...: the status
{
	fetch --path-as-is -o /dev/null -w '%{http_code}' "$@"
}

# shellcheck disable=SC2034
last='Host: x|Connection: close'	# fields of a last request

# Sends text, printf's escapes expanded, and prints all that comes until the
# server closes the connection.
raw() # text
{
	local fd

	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return 1
	# shellcheck disable=SC2059
	printf "$1" >&"$fd"
	timeout "$LIMIT" cat <&"$fd" 2>/dev/null || echo "not closed"
	exec {fd}>&-
}

# The same with whole requests, in which '|' stands for the end of a line.
text_of() # request...
{
	local request

	for request; do
		printf %s "${request//|/\\r\\n}"'\r\n\r\n'
	done
}

ask() # request...
{
	raw "$(text_of "$@")"
}

# Sends text as raw() does, and prints the status of each response. By the shell
# alone: there are hundreds of them, and a process each would take minutes.
raw_status() # text
{
	local fd line status=0

	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return 1
	# shellcheck disable=SC2059
	printf "$1" >&"$fd"
	while :; do
		IFS= read -r -t "$LIMIT" -u "$fd" line
		status=$?
		[[ $line =~ ^HTTP/1\.1\ ([0-9]+)\  ]] &&
			printf '%s ' "${BASH_REMATCH[1]}"
		[ $status = 0 ] || break
	done
	[ $status -le 128 ] || printf 'not closed '
	exec {fd}>&-
}

codes() # request...
{
	raw_status "$(text_of "$@")"
}

header() # name: of a response on stdin
{
	sed -n "s/^$1: \(.*\)\r$/\1/Ip"
}

repeat() # count text
{
	local spaces

	printf -v spaces "%$1s" ''
	printf %s "${spaces// /$2}"
}

# --- what is served -----------------------------------------------------------

make_root()
{
	mkdir -p "$root/dir/empty" "$root/other" "$work/outside"
	echo "hello, world" >"$root/hello.txt"
	echo "<p>index</p>" >"$root/dir/index.html"
	echo "beside" >"$root/dir/page.html"
	echo "100%" >"$root/a b%c.txt"
	: >"$root/nothing"
	: >"$root/dated"
	head -c 1000000 /dev/urandom >"$root/big.bin"
	head -c 200000 /dev/urandom >"$root/some.bin"
	truncate -s 24M "$root/huge.bin"	# more than sockets hold
	for i in $(seq 20); do
		head -c $((i * 1777)) /dev/urandom >"$root/other/$i.bin"
	done
	echo "secret" >"$work/outside/secret"
	ln -s ../outside/secret "$root/link-out"
	ln -s "$work/outside/secret" "$root/link-absolute"
	ln -s ../outside "$root/link-dir"
	ln -s hello.txt "$root/link-in"
	ln -s loop "$root/loop"
	mkfifo "$root/fifo"
	touch -d '2020-02-29 12:34:56 UTC' "$root/dir/page.html"
}

many_processes()
{
	local i jobs=()

	rm -rf "$work/many"
	mkdir "$work/many"
	for i in $(seq 20); do
		fetch -o "$work/many/$i.bin" "$url/other/$i.bin" \
			-o "$work/many/$i.big" "$url/big.bin" &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	for i in $(seq 20); do
		same_file "$root/other/$i.bin" "$work/many/$i.bin" &&
		same_file "$root/big.bin" "$work/many/$i.big" || return 1
	done
	rm -rf "$work/many"
}

# Opens idle connections, waits until the server has taken as many as it may,
# and closes them all.
fill() # limit
{
	local fds=() fd before i ok=0

	before=$(nr_fds)
	for i in $(seq $(($1 + 5))); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
		fds+=("$fd")
	done
	wait_until fds_are $((before + $1)) || ok=1
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	return $ok
}

# --- the run ------------------------------------------------------------------

# In a subshell, which a test may change as it likes; its server ends with it.
run_alone() # test
{
	local status

	(
		$1
		status=$?
		if [ -n "$pid" ]; then
			kill -KILL "$pid" 2>/dev/null
			wait "$pid" 2>/dev/null
		fi
		printf %s "$why" >"$work/why"
		exit $status
	)
	status=$?
	why=$(cat "$work/why")
	result $status "$mode.$1"
}

is_wanted() # test
{
	[ -z "$wanted" ] || [[ " $wanted " == *" $1 "* ||
			       " $wanted " == *" $mode.$1 "* ]]
}

# Calls run_mode in both modes. Arguments: only these tests, [MODE.]NAME.
run_modes() # arguments of the script...
{
	wanted=$*
	echo "TAP version 13"
	if [ -z "$httpd" ] || ! command -v curl >/dev/null; then
		echo "1..0 # SKIP no httpd (set HTTPD) or no curl"
		exit $SKIP
	fi

	work=$(mktemp -d)
	root=$work/root
	trap '[ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT
	trap 'exit 1' INT TERM
	make_root

	for mode in threads ums; do
		"$httpd" "--$mode" --root "$work/none" >/dev/null 2>&1
		if [ $? = $SKIP ]; then
			number=$((number + 1))
			echo "ok $number $mode # SKIP the kernel has no UMS"
		else
			run_mode
		fi
	done

	echo "1..$number"
	[ $failed = 0 ]
}
