#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes build/$KERNEL/.config from the fragments. A symbol that a fragment asks
# for and the result lacks is an error: kconfig drops silently what it cannot
# have, and a test of something that is not there passes.

. "$(dirname "$0")/lib.sh"

fragments() {
	local f names="base release core ums"
	case $KERNEL in
	debug) names="base debug core ums" ;;
	kcsan) names="base kcsan ums" ;;
	bench) names="base release bench ums" ;;
	bench-noums) names="base release bench" ;;
	noums) names="base release core" ;;
	esac
	for f in $names; do
		echo "$top/scripts/config/$f.config"
	done
}

# check_config FRAGMENT CONFIG: prints what was asked for and is not there.
check_config() {
	awk '
	function symbol(line) {
		sub(/^# /, "", line)
		sub(/[ =].*/, "", line)
		return line
	}
	FNR == 1 { file++ }
	!/^(# )?CONFIG_[A-Za-z0-9_]+(=| is not set)/ { next }
	file == 1 { asked[symbol($0)] = $0; next }
	{ got[symbol($0)] = $0 }
	END {
		for (s in asked) {
			off = asked[s] ~ /is not set$/
			have = s in got ? got[s] : "# " s " is not set"
			if (asked[s] == have || (off && have ~ /is not set$/))
				continue
			printf "    %s: asked for %s, got %s\n", s, asked[s],
				s in got ? have : "nothing (unknown, or a dependency is missing)"
			bad = 1
		}
		exit bad
	}' "$1" "$2"
}

lock_build
mkdir -p "$out"
stamp=$out/.config.stamp
mapfile -t files < <(fragments)
gcc --version | head -n 1 | put "$out/.compiler"
stale() {
	local f
	[ -f "$stamp" ] && [ -f "$out/.config" ] || return 0
	for f in "${files[@]}" "$0" "$out/.compiler"; do
		[ ! "$f" -nt "$stamp" ] || return 0
	done
	[ -n "$(find "$tree" -name 'Kconfig*' -newer "$stamp" -print -quit)" ]
}
stale || exit 0

rm -f "$stamp"
cat "${files[@]}" | put "$out/asked.config"
KCONFIG_ALLCONFIG=$out/asked.config KCONFIG_CONFIG=.config.part \
	run_logged "configuring $KERNEL" "$logs/config-$KERNEL.log" kmake allnoconfig
check_config "$out/asked.config" "$out/.config.part" >&2 ||
	die "the $KERNEL kernel's configuration lacks what its fragments ask for"
put "$out/.config" <"$out/.config.part"
rm -f "$out/.config.part"
touch "$stamp"
