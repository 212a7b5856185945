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
#
# Where the processor is emulated the start of a program takes a good part of a
# second. So what the shell can do is done by the shell, and one curl fetches
# whatever may come by one.

set -u
# Bytes are bytes, and long strings of them are not slow
export LC_ALL=C

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

# A pipe that nobody writes to
exec {silence}<> <(:)

nap()
{
	read -r -t 0.05 -u "$silence" || :
}

wait_until() # command...
{
	local end=$((SECONDS + LIMIT))

	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			why+="waited $LIMIT s in vain: $*"$'\n'
			return 1
		fi
		nap
	done
}

# --- the server ---------------------------------------------------------------

pid=
port=
log=

announced()
{
	local line=

	read -r line <"$log"
	[[ $line =~ ^mode=.*\ port=([0-9]+)$ ]] && port=${BASH_REMATCH[1]}
	[ -n "$port" ] || ! kill -0 "$pid" 2>/dev/null
}

start() # options...
{
	log=$work/log
	port=
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
	local status lines

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
	mapfile -t lines <"$log"
	stats=${lines[1]-}
	equal "exit status" 0 $status &&
	equal "lines printed" 2 ${#lines[@]} &&
	matches statistics "^mode=$mode connections=" "$stats"
}

stat_of() # key
{
	[[ " $stats " =~ " $1="([0-9]+)" " ]] && echo "${BASH_REMATCH[1]}"
}

nr_fds()
{
	local fds=("/proc/$pid/fd"/*)

	echo ${#fds[@]}
}

nr_mappings()
{
	local maps

	mapfile -t maps <"/proc/$pid/maps"
	echo ${#maps[@]}
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

codes_at() # path...: the status of each
{
	local path args=()

	for path; do
		args+=(-o /dev/null "$url$path")
	done
	fetch --path-as-is -w '%{http_code} ' "${args[@]}"
}

# shellcheck disable=SC2034
last='Host: x|Connection: close'	# fields of a last request

# Connects, and sends text, in which printf's escapes are expanded. The
# connection's descriptor is in $fd.
send() # text
{
	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return 1
	# shellcheck disable=SC2059
	printf "$1" >&"$fd"
}

# All that comes until the server closes the connection
rest_of() # fd
{
	timeout "$LIMIT" cat <&"$1" 2>/dev/null || echo "not closed"
}

# The same, but only the status of each response; by the shell alone
statuses_of() # fd
{
	local line status=0

	while :; do
		IFS= read -r -t "$LIMIT" -u "$1" line
		status=$?
		[[ $line =~ ^HTTP/1\.1\ ([0-9]+)\  ]] &&
			printf '%s ' "${BASH_REMATCH[1]}"
		[ $status = 0 ] || break
	done
	[ $status -le 128 ] || printf 'not closed '
}

raw() # text: what comes
{
	local fd

	send "$1" || return 1
	rest_of "$fd"
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

raw_status() # text: the statuses of what comes
{
	local fd

	send "$1" || return 1
	statuses_of "$fd"
	exec {fd}>&-
}

codes() # request...
{
	raw_status "$(text_of "$@")"
}

header() # name: of the responses on stdin
{
	local line

	while IFS= read -r line; do
		[[ ${line,,} == "${1,,}: "*$'\r' ]] || continue
		line=${line%$'\r'}
		printf '%s\n' "${line:${#1}+2}"
	done
}

repeat() # count text
{
	local n=$1 part=$2 text=''

	for (( ; n; n /= 2)); do
		((n % 2)) && text+=$part
		part+=$part
	done
	printf %s "$text"
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
	for i in {1..8}; do
		head -c $((i * 4443)) /dev/urandom >"$root/other/$i.bin"
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

# Each is started for two files only.
many_processes()
{
	local i jobs=()

	rm -rf "$work/many"
	mkdir "$work/many"
	for i in {1..8}; do
		fetch -o "$work/many/$i.bin" "$url/other/$i.bin" \
			-o "$work/many/$i.big" "$url/big.bin" &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	for i in {1..8}; do
		same_file "$root/other/$i.bin" "$work/many/$i.bin" &&
		same_file "$root/big.bin" "$work/many/$i.big" || return 1
	done
}

# Opens idle connections, waits until the server has taken as many as it may,
# and closes them all.
fill() # limit
{
	local fds=() fd before i ok=0

	before=$(nr_fds)
	for ((i = 0; i < $1 + 5; i++)); do
		send ''
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
	why=$(<"$work/why")
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
