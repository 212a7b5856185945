#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Sees to it that the Debian packages for a purpose are there:
#   deps.sh build | boot | user | check | bench | model | bochs ...
# As root it installs what is missing, else it says what to type.

. "$(dirname "$0")/lib.sh"

packages() {
	case $1 in
	build)
		echo gcc libc6-dev make flex bison bc libelf-dev xz-utils
		echo patch rsync ccache kmod git
		;;
	boot) echo gcc libc6-dev qemu-system-x86 cpio ;;
	user)
		echo gcc g++ libc6-dev make rsync pkg-config libnuma-dev
		echo curl wrk gdb strace
		;;
	check) echo sparse perl shellcheck ;;
	bench) echo gnuplot-nox ;;
	model) echo spin gcc libc6-dev ;;
	bochs)
		echo bochs bochsbios vgabios busybox-static cpio
		echo grub-pc-bin grub-common xorriso mtools
		;;
	*) die "deps.sh: $1?" ;;
	esac
}

if ! command -v dpkg-query >/dev/null; then
	say "not a Debian system: packages are yours to install"
	exit 0
fi

mapfile -t wanted < <(for purpose; do packages "$purpose"; done | tr " " "\n" | sort -u)
missing=()
for p in "${wanted[@]}"; do
	state=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) || state=
	[ "$state" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	die "packages are missing; type: su -c 'apt-get install ${missing[*]}'"
fi
install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "${missing[@]}"
}
lock_build
# The lists of a fresh system are empty, those of an old one name packages that
# are gone.
update_and_install() {
	install || { apt-get update && install; }
}
run_logged "installing ${missing[*]}" "$logs/apt.log" update_and_install
