# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the harness scripts share: where things lie, how they speak, how a long
# step is run, and how a step is kept from being taken for finished when it is
# not. Sourced, never run.
#
# Rules: everything made lies below $build; a file is written beside its place
# and renamed into it; a stamp is written last.

set -Eeuo pipefail
# Nothing ends without a word.
trap 'echo "ums: $0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
# Who is interrupted does not go on to explain why his child ended.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
: "${KERNEL:=release}" "${KSRC:=}"

case $KERNEL in
release | debug | bench | noums | bench-noums | kcsan) ;;
*)
	echo "KERNEL=$KERNEL: want release, debug, bench, noums, bench-noums or kcsan" >&2
	exit 2
	;;
esac

# A tree of the user's own gets a build directory of its own: two source trees
# under one set of objects would confuse kbuild's time stamps.
if [ -n "$KSRC" ]; then
	ksrc=$(cd "$KSRC" 2>/dev/null && pwd -P) || {
		echo "KSRC=$KSRC: no such directory" >&2
		exit 2
	}
	build=$top/build/ksrc
else
	ksrc=
	build=$top/build
fi
# shellcheck disable=SC2034 # for those who source this
{
	base=${ksrc:-$build/base}
	tree=$build/linux
	out=$build/$KERNEL
	logs=$build/log
	jobs=${JOBS:-$(nproc)}
}
mkdir -p "$build" "$logs"

say() {
	printf '==> %s\n' "$*" >&2
}

die() {
	printf 'ums: %s\n' "$*" >&2
	exit 1
}

# Two makes in one build directory take turns; the lock ends with the script.
lock_build() {
	exec 9>"$build/.lock"
	if ! flock -n 9; then
		say "waiting for another make in $build"
		flock 9
	fi
}

term_width() {
	local w
	w=$({ stty size </dev/tty; } 2>/dev/null | cut -d' ' -f2) || w=
	echo "${w:-80}"
}

# Reads a log on stdin, stores it in $2, and shows that it grows: on a terminal
# in one line that changes, elsewhere in a line now and then.
watch_log() {
	local title=$1 log=$2 begin=$SECONDS due=$((SECONDS + 20))
	local n=0 last='' width=0 line

	[ -t 2 ] && width=$(term_width)
	while IFS= read -r line; do
		printf '%s\n' "$line"
		n=$((n + 1))
		if [ "$width" -gt 0 ]; then
			[ "$SECONDS" = "$last" ] && continue
			last=$SECONDS
			printf '\r\033[K%.*s' "$((width - 1))" \
				"    $title: step $n $line" >&2
		elif [ "$SECONDS" -ge "$due" ]; then
			due=$((SECONDS + 20))
			printf '    %s: step %d, %d s\n' "$title" "$n" \
				$((SECONDS - begin)) >&2
		fi
	done >"$log"
	[ "$width" -eq 0 ] || printf '\r\033[K' >&2
}

# run_logged TITLE LOG COMMAND...: the command stays in the foreground, so that
# Ctrl-C reaches it. On failure the cause and the log's path are printed.
run_logged() {
	local title=$1 log=$2 start=$SECONDS
	shift 2

	say "$title"
	if "$@" 2>&1 </dev/null | watch_log "$title" "$log"; then
		[ $((SECONDS - start)) -lt 5 ] ||
			printf '    %s: %d s\n' "$title" $((SECONDS - start)) >&2
		return 0
	fi
	grep -nE '(error|Error|ERROR|undefined reference|No such file)' "$log" |
		head -n 20 >&2 || true
	echo "    ..." >&2
	tail -n 8 "$log" >&2
	die "$title failed; whole log: $log"
}

# put FILE: stdin becomes FILE in one go, and only if it differs, so that the
# time stamp of a file says when its content changed.
put() {
	local tmp
	mkdir -p "$(dirname "$1")"
	tmp=$(dirname "$1")/.$(basename "$1").$$
	cat >"$tmp"
	if cmp -s "$tmp" "$1"; then
		rm -f "$tmp"
	else
		mv -f "$tmp" "$1"
	fi
}

# How kbuild is always called. ccache: paths are made relative and the working
# directory left out of the hash, so that a clone in another place hits too;
# what a build would say about its time and place is fixed.
kmake() {
	local cc=gcc
	if command -v ccache >/dev/null; then
		cc='ccache gcc'
		export CCACHE_BASEDIR=$build CCACHE_NOHASHDIR=1
		export CCACHE_IGNOREOPTIONS='-fmacro-prefix-map=*'
		# kbuild's own is for the path that ccache replaces.
		export KCPPFLAGS=-fmacro-prefix-map=../linux/=
		export CCACHE_SLOPPINESS=time_macros,include_file_mtime
	fi
	env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u MAKELEVEL \
		-u KERNEL -u KSRC -u TESTS -u CMD -u O \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' \
		KBUILD_BUILD_USER=ums KBUILD_BUILD_HOST=ums \
		KBUILD_BUILD_VERSION=1 LC_ALL=C \
		make -C "$tree" O="$out" -j"$jobs" CC="$cc" HOSTCC="$cc" "$@"
}
