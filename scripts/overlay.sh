# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Which files of the repository belong into the kernel tree. Sourced,
# after lib.sh.

: "${top:?}"

overlay_dirs="kernel include arch tools samples Documentation"

# Paths relative to $top, one a line. Git knows what is a build product; in a
# copy without git everything is taken.
overlay_files() {
	local f d dirs=()
	for d in $overlay_dirs; do
		[ ! -d "$top/$d" ] || dirs+=("$d")
	done
	[ ${#dirs[@]} -gt 0 ] || return 0
	if [ -e "$top/.git" ]; then
		git -C "$top" ls-files -c -o --exclude-standard -- "${dirs[@]}"
	else
		(cd "$top" && find "${dirs[@]}" -type f)
	fi | sort -u | while IFS= read -r f; do
		[ ! -f "$top/$f" ] || printf '%s\n' "$f"
	done
}
