#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of samples/ums/httpd as a program, in both of its modes: options,
# limits, clients that are slow, statistics, and the end by SIGTERM. Each test
# has a server of its own.

. "$(dirname "$0")/httpd_lib.sh"

# --- options and limits ----------------------------------------------------------

slow_clients()
{
	local fd line head idle drip stuck text i before ok=0

	start --timeout 1 || return 1
	before=$(nr_fds)
	# All at once, for each of them takes its time
	send 'GET / HT'
	line=$fd
	send 'GET / HTTP/1.1\r\nHost: x\r\n'
	head=$fd
	send ''
	idle=$fd
	# asks for much and does not read it
	send 'GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n'
	stuck=$fd

	# byte by byte, for ever
	send ''
	drip=$fd
	for ((i = 0; i < LIMIT * 2; i++)); do
		printf x >&"$drip" || break
		read -r -t 0.5 -u "$drip" text && break
	done 2>/dev/null
	matches "dripping" $'^HTTP/1.1 408 ' "$text" || ok=1

	equal "half a request" "408 " "$(statuses_of "$line")" &&
	equal "half a head" "408 " "$(statuses_of "$head")" &&
	equal "idle" "" "$(rest_of "$idle")" || ok=1
	wait_until fds_are "$before" || ok=1
	for fd in $line $head $idle $drip $stuck; do
		exec {fd}>&-
	done

	stop &&
	equal timeouts 5 "$(stat_of timeouts)" && return $ok
}

few_connections()
{
	local i args=() ok=0

	start --connections 4 && fill 4 || return 1
	for i in {1..50}; do
		args+=("$url/some.bin?$i" -o /dev/null)
	done
	equal codes "$(repeat 50 '200 ')" "$(fetch -Z --parallel-immediate \
		--parallel-max 50 -H 'Connection: close' \
		-w '%{http_code} ' "${args[@]}")" || ok=1
	stop &&
	equal connections 59 "$(stat_of connections)" &&
	equal "at a time" 4 "$(stat_of peak)" && return $ok
}

few_descriptors()
{
	local i args=() ok=0

	ulimit -Sn 100
	ulimit -Hn 100
	# two for each connection, and some
	start --connections 4096 && fill 18 || return 1
	for i in {1..50}; do
		args+=("$url/some.bin?$i" -o /dev/null)
	done
	equal codes "$(repeat 50 '200 ')" "$(fetch -Z --parallel-immediate \
		--parallel-max 50 -H 'Connection: close' \
		-w '%{http_code} ' "${args[@]}")" || ok=1
	stop &&
	equal refused 0 "$(stat_of refused)" &&
	equal "at a time" 18 "$(stat_of peak)" && return $ok
}

statistics()
{
	local i

	start || return 1
	for i in {1..10}; do
		equal codes "200 404 " "$(codes 'GET /hello.txt HTTP/1.1|Host: x' \
			"GET /nope HTTP/1.1|$last")" || return 1
	done
	code "$url/dir" >/dev/null
	fetch -o /dev/null "$url/big.bin"
	stop &&
	equal connections 12 "$(stat_of connections)" &&
	equal requests 22 "$(stat_of requests)" &&
	equal 2xx 11 "$(stat_of status_2xx)" &&
	equal 3xx 1 "$(stat_of status_3xx)" &&
	equal 4xx 10 "$(stat_of status_4xx)" &&
	equal 5xx 0 "$(stat_of status_5xx)" &&
	equal aborted 0 "$(stat_of aborted)" || return 1
	[ "$mode" = ums ] || return 0

	# Every execution ends in one event; every worker ends once.
	equal executed "$(stat_of executed)" $(($(stat_of blocked) +
		$(stat_of yielded) + $(stat_of preempted) +
		$(stat_of terminated))) &&
	equal executed "$(stat_of executed)" $(($(stat_of ready) +
		$(stat_of yielded) + $(stat_of preempted))) &&
	equal workers "$(stat_of terminated)" $(($(stat_of connections) + 1 +
		$(stat_of schedulers)))
}

schedulers()
{
	local n

	for n in 1 3; do
		start --schedulers $n || return 1
		many_processes || return 1
		stop && equal schedulers $n "$(stat_of schedulers)" || return 1
	done
}

port_in_use()
{
	local out ok=0

	start || return 1
	out=$("$httpd" "--$mode" --root "$root" --port "$port" 2>&1)
	equal "exit status" 1 $? &&
	equal message "httpd: listen: Address already in use" "$out" || ok=1
	stop && return $ok
}

bad_options()
{
	"$httpd" "--$mode" --port 65536 >/dev/null 2>&1
	equal "port" 2 $? || return 1
	"$httpd" "--$mode" --nonsense >/dev/null 2>&1
	equal "unknown" 2 $? || return 1
	"$httpd" --port 0 >/dev/null 2>&1
	equal "no mode" 2 $? || return 1
	"$httpd" "--$mode" --port 0 --root "$root/nope" >/dev/null 2>&1
	equal "no root" 1 $?
}

# --- tests: the end -----------------------------------------------------------

end_idle()
{
	start || return 1
	stop
}

end_with_idle_connections()
{
	local fds=() fd i ok=0

	start --timeout 3600 || return 1
	for i in {1..20}; do
		send ''
		fds+=("$fd")
	done
	wait_until fds_exceed 20 || ok=1
	stop || ok=1
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	return $ok
}

not_empty()
{
	[ -s "$1" ]
}

# What is being sent is finished, as long as it takes less than the grace time.
end_finishes_download()
{
	local client ok=0

	start --grace "$LIMIT" || return 1
	rm -f "$work/body"
	fetch --limit-rate 12M -o "$work/body" "$url/huge.bin" &
	client=$!
	wait_until not_empty "$work/body" || ok=1
	stop || ok=1
	wait $client
	equal "exit of curl" 0 $? &&
	same_file "$root/huge.bin" "$work/body" && return $ok
}

# A client that does not read does not keep the server.
end_with_stuck_client()
{
	local fd before ok=0

	start --timeout 3600 --grace 1 || return 1
	before=$(nr_fds)
	send 'GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n'
	wait_until fds_are $((before + 2)) || ok=1
	stop || ok=1
	exec {fd}>&-
	equal aborted 1 "$(stat_of aborted)" && return $ok
}

# Clients that go on until they are refused: two with a connection for each
# request, and two that keep theirs.
end_under_load()
{
	local i clients fields=('Connection: close' 'Accept: */*') ok=0

	for _ in 1 2 3; do
		start || return 1
		clients=()
		rm -f "$work"/load.*
		for i in {1..4}; do
			fetch --fail-early -H "${fields[i % 2]}" \
				"$url/other/[1-8].bin?[1-100000]" \
				>"$work/load.$i" &
			clients+=($!)
		done
		for i in {1..4}; do
			wait_until not_empty "$work/load.$i" || ok=1
		done
		stop || ok=1
		wait "${clients[@]}"
		equal refused 0 "$(stat_of refused)" || ok=1
	done
	return $ok
}

twice_the_signal()
{
	start || return 1
	kill -TERM "$pid"
	kill -TERM "$pid" 2>/dev/null
	stop
}

# ------------------------------------------------------------------------------

tests="slow_clients few_connections few_descriptors statistics port_in_use
	bad_options end_idle end_with_idle_connections end_finishes_download
	end_with_stuck_client end_under_load twice_the_signal"
ums_tests="schedulers"

run_mode()
{
	local test

	[ "$mode" = threads ] || tests="$tests $ums_tests"
	for test in $tests; do
		is_wanted "$test" && run_alone "$test"
	done
}

run_modes "$@"
