#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of what samples/ums/httpd answers, in both of its modes: what browsers
# send, what they never would, and many clients at once.

. "$(dirname "$0")/httpd_lib.sh"

# --- tests: one request -------------------------------------------------------

get()
{
	local head

	head=$(fetch -D - -o "$work/body" "$url/hello.txt")
	same_file "$root/hello.txt" "$work/body" &&
	matches status $'^HTTP/1.1 200 OK\r' "$head" &&
	equal length 13 "$(header Content-Length <<<"$head")" &&
	equal type "text/plain; charset=utf-8" \
		"$(header Content-Type <<<"$head")" &&
	equal connection keep-alive "$(header Connection <<<"$head")" &&
	matches date \
		'^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$' \
		"$(header Date <<<"$head")"
}

date_is_now()
{
	local now date

	now=$(date +%s)
	date=$(date -d "$(fetch -I "$url/hello.txt" | header Date)" +%s)
	matches "seconds between the clocks" '^[0-9]$|^[1-5][0-9]$' \
		"$((date - now))"
}

last_modified()
{
	local i head
	local dates=(1970-01-01Z 1999-12-31T23:59:59Z 2000-01-01Z 2000-02-29Z
		     2001-03-01Z 2019-02-28T12:00:01Z 2020-12-31Z 2024-02-29Z)

	for i in "${!dates[@]}"; do
		touch -d "${dates[i]}" "$root/dated.$i"
	done
	equal dates "$(printf '%s\n' "${dates[@]}" |
		date -u -f - '+%a, %d %b %Y %H:%M:%S GMT')" \
		"$(fetch -I "$url/dated.[0-$i]" | header Last-Modified)" ||
		return 1

	# never later than the clock of the server
	touch -d 2100-01-01 "$root/dated.0"
	head=$(fetch -I "$url/dated.0")
	equal future "$(header Date <<<"$head")" \
		"$(header Last-Modified <<<"$head")"
}

head_is_get_without_body()
{
	local get head

	get=$(fetch -D - -o /dev/null "$url/big.bin" | grep -v ^Date)
	head=$(ask 'HEAD /big.bin HTTP/1.1|Host: x' "HEAD /nope HTTP/1.1|$last")
	equal heads "$get" "$(sed '/^\r$/q' <<<"$head" | grep -v ^Date)" &&
	equal "heads, no body between" 2 "$(grep -c ^HTTP <<<"$head")" &&
	equal "empty lines at the ends" 2 "$(grep -c $'^\r$' <<<"$head")" &&
	equal "last line" $'\r' "$(tail -n 1 <<<"$head")"
}

get_empty_file()
{
	equal code 200 "$(code "$url/nothing")" &&
	equal length 0 "$(fetch -I "$url/nothing" | header Content-Length)"
}

get_big_file()
{
	fetch -o "$work/body" "$url/big.bin"
	same_file "$root/big.bin" "$work/body"
}

percent_decoding()
{
	fetch -o "$work/body" "$url/%61%20b%25c.txt?query=%zz"
	same_file "$root/a b%c.txt" "$work/body"
}

directories()
{
	local heads

	heads=$(fetch -D - -o /dev/null "$url/dir?x=1" -o /dev/null "$url//dir" \
		-o "$work/body" "$url/dir/")
	equal statuses "301 301 200 " \
		"$(sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' <<<"$heads" |
		tr '\n' ' ')" &&
	equal locations $'/dir/?x=1\n/dir/' "$(header Location <<<"$heads")" &&
	same_file "$root/dir/index.html" "$work/body" &&
	equal type "text/html; charset=utf-8" \
		"$(header Content-Type <<<"$heads" | tail -n 1)" &&
	equal "no index, none in the root, no such one, a file" \
		"403 403 404 404 " \
		"$(codes_at /dir/empty/ / /none/ /hello.txt/)"
}

not_found()
{
	equal code 404 "$(code "$url/nope")" &&
	equal body "404 Not Found" "$(fetch "$url/nope")" &&
	equal "a slash in a name, a loop, a long name, a long path" \
		"404 404 404 404 " \
		"$(codes_at /dir%2fpage.html /loop "/$(repeat 300 x)" \
			"/$(repeat 2500 x/)")"
}

conditional()
{
	local page='GET /dir/page.html HTTP/1.1|Host: x'
	local now="$page|If-Modified-Since: "

	equal "the same, in each of the three forms" "304 304 304 200 " "$(codes \
		"${now}Sat, 29 Feb 2020 12:34:56 GMT" \
		"${now}Saturday, 29-Feb-20 12:34:56 GMT" \
		"${now}Sat Feb 29 12:34:56 2020" "GET /hello.txt HTTP/1.1|$last")" &&
	equal "older, nonsense, tag first" "200 200 200 200 " "$(codes \
		"${now}Sat, 29 Feb 2020 12:34:55 GMT" "${now}yesterday" \
		"${now}Sat, 29 Feb 2020 12:34:56 GMT|If-None-Match: \"x\"" \
		"GET /hello.txt HTTP/1.1|$last")" &&
	equal "curl's" 304 "$(code -z 'Sat, 29 Feb 2020 12:34:56 GMT' \
		"$url/dir/page.html")" &&
	equal "no body" "304 200 " "$(codes "$page|If-None-Match: *" \
		"GET /hello.txt HTTP/1.1|$last")"
}

no_escape()
{
	local outside=(/../outside/secret /dir/../../outside/secret
		/%2e%2e/outside/secret /%2E./outside/secret
		/dir/%2e%2e/%2e%2e/outside/secret /.. /../
		//../outside/secret /link-out /link-absolute
		/link-dir/secret /link-dir/ /../root/hello.txt)
	local nowhere=(/..%2foutside/secret /..%5coutside/secret ///etc/passwd
		//%2fetc/passwd)

	equal "${outside[*]}" "$(repeat ${#outside[@]} '403 ')" \
		"$(codes_at "${outside[@]}")" &&
	equal "${nowhere[*]}" "$(repeat ${#nowhere[@]} $'404 Not Found\n')" \
		"$(fetch --path-as-is "${nowhere[@]/#/$url}"; echo)" &&
	equal "a link inside, dots inside, a fifo" "200 200 403 " \
		"$(codes_at /link-in /dir/../hello.txt /fifo)"
}

methods()
{
	local method

	for method in POST PUT DELETE OPTIONS TRACE PATCH; do
		equal $method "405 200 " "$(codes \
			"$method /hello.txt HTTP/1.1|Host: x" \
			"GET /hello.txt HTTP/1.1|$last")" || return 1
	done
	equal allow "GET, HEAD" "$(fetch -X DELETE -D - -o /dev/null "$url/" | header Allow)" &&
	equal "OPTIONS *" 405 "$(code -X OPTIONS --request-target '*' "$url")" &&
	equal CONNECT "405 " "$(codes "CONNECT x:1 HTTP/1.1|$last")" &&
	equal unknown "501 " "$(codes 'BREW / HTTP/1.1|Host: x')" &&
	equal "case matters" "501 " "$(codes 'get / HTTP/1.1|Host: x')"
}

versions()
{
	equal 1.0 "200 " "$(codes 'GET /hello.txt HTTP/1.0')" &&
	equal 1.2 "200 " "$(codes "GET /hello.txt HTTP/1.2|$last")" &&
	equal 2.0 "505 " "$(codes 'GET / HTTP/2.0|Host: x')" &&
	equal 0.9 "505 " "$(codes 'GET / HTTP/0.9')" &&
	equal "none" "400 " "$(codes 'GET /')" &&
	equal "two digits" "400 " "$(codes 'GET / HTTP/1.10|Host: x')" &&
	equal "lower case" "400 " "$(codes 'GET / http/1.1|Host: x')" &&
	equal "no number" "400 " "$(codes 'GET / HTTP/x.y|Host: x')"
}

malformed_lines()
{
	local line

	for line in 'GET' 'GET ' ' / HTTP/1.1' 'GET  / HTTP/1.1' \
		    'GET /  HTTP/1.1' 'GET / HTTP/1.1 ' 'GET / x HTTP/1.1' \
		    'GET\t/ HTTP/1.1' 'GET HTTP/1.1' 'GET x HTTP/1.1' \
		    'GET * HTTP/1.1' 'GET /#x HTTP/1.1' 'GET /\001 HTTP/1.1' \
		    'GET /\303\244 HTTP/1.1' 'G(T / HTTP/1.1' \
		    'GET /%%zz HTTP/1.1' 'GET /%%4 HTTP/1.1' \
		    'GET /%% HTTP/1.1' 'GET /hello.txt%%00 HTTP/1.1' \
		    'GET /%%00/../hello.txt HTTP/1.1' 'GET /\000 HTTP/1.1' \
		    'GET https://x/ HTTP/1.1' 'GET http:///x HTTP/1.1' \
		    'GET http://:80/ HTTP/1.1' '\026\003\001\002' \
		    'GET /hello.txt\r HTTP/1.1' \
		    'GET /hello.txt HTTP/1.1\000x'; do
		equal "$line" "400 " \
			"$(codes "$line|Host: x")" || return 1
	done
	equal "LF only" "400 " "$(raw_status 'GET / HTTP/1.1\nHost: x\n\n')" &&
	equal "LF after CRLF" "400 " "$(raw_status 'GET / HTTP/1.1\r\nHost: x\r\n\n')" &&
	equal "bare CR" "400 " "$(raw_status 'GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n')"
}

malformed_fields()
{
	local field

	for field in 'x' ': x' 'x : y' ' x: y' 'Host: x\r\n y' 'x: \000' \
		     'x: \001' 'x y: z' 'Host: x' 'Host: a b' 'Host: a/b' \
		     'Content-Length: x' 'Content-Length: -1' \
		     'Content-Length: 1, 1' 'Content-Length:' \
		     'Content-Length: 99999999999999999999' \
		     'Content-Length: 1\r\nContent-Length: 2' \
		     'Content-Length: 1\r\nTransfer-Encoding: chunked' \
		     'Transfer-Encoding: chunked\r\nTransfer-Encoding: x'; do
		equal "$field" "400 " "$(codes \
			"GET /hello.txt HTTP/1.1|Host: x|$field")" || return 1
	done
	equal "no host" "400 " "$(codes 'GET / HTTP/1.1')" &&
	equal "chunked in 1.0" "400 " "$(codes 'GET / HTTP/1.0|Transfer-Encoding: chunked')" &&
	equal "unknown coding" "501 " "$(codes \
		'GET / HTTP/1.1|Host: x|Transfer-Encoding: rot13')" &&
	equal "expectation" "417 " "$(codes 'GET / HTTP/1.1|Host: x|Expect: rain')"
}

limits()
{
	local long

	long=$(repeat 9000 x)
	equal "long target" "414 " "$(codes "GET /$long HTTP/1.1|Host: x")" &&
	equal "no end of line" "414 " "$(raw_status "GET /$long$long")" &&
	equal "long field" "431 " "$(codes "GET / HTTP/1.1|Host: x|x: $long$long")" &&
	equal "many fields" "431 " "$(codes \
		"GET / HTTP/1.1|Host: x|$(repeat 4000 'a: b|')")" &&
	equal "much is allowed" "200 " "$(codes \
		"GET /hello.txt?$(repeat 8000 x) HTTP/1.1|$last|x: $(repeat 7000 x)")"
}

other_forms()
{
	equal absolute "200 " "$(codes "GET http://other:80/hello.txt HTTP/1.1|$last")" &&
	equal "without a path" "403 " "$(codes "GET HTTP://other?x HTTP/1.1|$last")" &&
	equal "slashes, dots" "200 200 " \
		"$(codes_at ///hello.txt /./dir/.//page.html)" &&
	equal "empty lines first" "200 " "$(codes \
		'||GET /hello.txt HTTP/1.0')" &&
	equal "empty host" "200 " "$(codes 'GET /hello.txt HTTP/1.1|Host:|Connection: foo , CLOSE')"
}

# --- tests: connections -------------------------------------------------------

keep_alive()
{
	equal "new connections" "1 0 0 " "$(fetch -o /dev/null -o /dev/null \
		-o /dev/null -w '%{num_connects} ' "$url/hello.txt" \
		"$url/nope" "$url/big.bin")" &&
	equal "1.0" "1 1 " "$(fetch -0 -o /dev/null -o /dev/null \
		-w '%{num_connects} ' "$url/hello.txt" "$url/hello.txt")" &&
	equal "1.0, if asked to" "200 200 " "$(codes \
		'GET /hello.txt HTTP/1.0|Connection: keep-alive' \
		'GET /hello.txt HTTP/1.0')" &&
	equal "close" "200 " "$(codes "GET /hello.txt HTTP/1.1|$last" \
		'GET /hello.txt HTTP/1.1|Host: x')"
}

pipelined()
{
	local requests=() want='' i

	for i in {1..30}; do
		requests+=('GET /hello.txt HTTP/1.1|Host: x'
			   'GET /dir/page.html HTTP/1.1|Host: x')
		want+="hello, world beside "
	done
	requests+=("GET /nope HTTP/1.1|$last")
	equal bodies "${want}404 Not Found " "$(ask "${requests[@]}" |
		sed -n '/^hello, world$/p; /^beside$/p; /^404/p' | tr '\n' ' ')"
}

byte_by_byte()
{
	local fd i text=$'GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

	send ''
	for ((i = 0; i < ${#text}; i++)); do
		printf %s "${text:i:1}" >&"$fd"
	done
	text=$(rest_of "$fd")
	exec {fd}>&-
	equal body "hello, world" "${text##*$'\n'}"
}

body_is_no_request()
{
	local smuggled='GET /hello.txt HTTP/1.1|Host: x'	# 36 bytes

	equal "with a length" "405 " "$(codes \
		"POST / HTTP/1.1|Host: x|Content-Length: 36" "$smuggled")" &&
	equal "chunked" "200 " "$(codes \
		"GET /hello.txt HTTP/1.1|Host: x|Transfer-Encoding: chunked" \
		"24|$smuggled||" "0")" &&
	equal "none is left unread" "405 " "$(codes \
		"POST / HTTP/1.1|Host: x|Content-Length: 60004" \
		"$(repeat 60000 x)")" &&
	equal "of a big POST, as much as the server takes to be polite" 405 \
		"$(code -H Expect: --data-binary "@$root/some.bin" "$url/")"
}

many_at_once()
{
	local i args=() files=() ok=0

	rm -rf "$work/many"
	mkdir "$work/many"
	for i in {1..100}; do
		args+=("$url/some.bin?$i" -o "$work/many/$i")
		files+=("$root/some.bin")
	done
	fetch -Z --parallel-immediate --parallel-max 100 "${args[@]}" \
		>"$work/errors" || why+=$(<"$work/errors")
	cat "${files[@]}" | cmp - <(cat "$work/many"/*) >"$work/errors" 2>&1
	equal "comparison of all" "0 0" "${PIPESTATUS[*]}" || ok=1
	why+=$(<"$work/errors")
	rm -rf "$work/many"
	return $ok
}

# A client that goes in the middle of an answer costs the server nothing.
abort()
{
	local fd line i before

	before=$(nr_fds)
	for i in {1..10}; do
		send 'GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n'
		read -r -t "$LIMIT" -u "$fd" line
		matches status '^HTTP/1.1 200 ' "$line" || return 1
		exec {fd}>&-
	done
	wait_until fds_are "$before" &&
	equal "afterwards" 200 "$(code "$url/hello.txt")"
}

# Threads of connections that are over are joined when new ones come, and the
# memory of their stacks is used again.
nothing_left_behind()
{
	local request="GET /hello.txt HTTP/1.1|$last" mappings i

	for i in 1 2; do
		equal code "200 " "$(codes "$request")" &&
		wait_until fds_are "$base_fds" || return 1
	done
	mappings=$(nr_mappings)
	for i in {1..10}; do
		equal code "200 " "$(codes "$request")" || return 1
	done
	wait_until fds_are "$base_fds" || return 1
	# a stack that is left would be two
	matches "mappings, more than $mappings" '^(-.*|[0-6])$' \
		$(($(nr_mappings) - mappings))
}

# ------------------------------------------------------------------------------

tests="get date_is_now last_modified head_is_get_without_body get_empty_file
	get_big_file percent_decoding directories not_found conditional
	no_escape methods versions malformed_lines malformed_fields limits
	other_forms keep_alive pipelined byte_by_byte body_is_no_request
	many_at_once many_processes abort nothing_left_behind"

# One server for all of them.
run_mode()
{
	local test

	start
	result $? "$mode.start"
	[ -n "$port" ] || return
	base_fds=$(nr_fds)
	for test in $tests; do
		is_wanted "$test" || continue
		$test
		result $? "$mode.$test"
	done
	stop
	result $? "$mode.stop"
}

run_modes "$@"
