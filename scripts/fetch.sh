#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Gets the kernel source that the patches are for: Debian's package, unpacked
# once to build/base. With KSRC there is nothing to get.

. "$(dirname "$0")/lib.sh"

pkg=linux-source-6.12
tarball=usr/src/$pkg.tar.xz

# The package need not be installed, only unpacked, so root is not needed.
download() {
	local dl=$build/dl
	rm -rf "$dl"
	mkdir -p "$dl"
	say "downloading $pkg"
	if ! (cd "$dl" && apt-get download -q -o APT::Sandbox::User=root "$pkg") >&2; then
		[ "$(id -u)" -eq 0 ] ||
			die "apt does not find $pkg; type: su -c 'apt-get update'"
		apt-get update -q >&2
		(cd "$dl" && apt-get download -q -o APT::Sandbox::User=root "$pkg") >&2 ||
			die "apt-get download $pkg failed"
	fi
	dpkg-deb --fsys-tarfile "$dl"/*.deb | tar -x -C "$dl" "./$tarball"
	rm -f "$dl"/*.deb
}

unpack() {
	rm -rf "$base.part"
	mkdir -p "$base.part"
	tar -x -J -f "$1" -C "$base.part" --strip-components=1
	mv -T "$base.part" "$base"
}

if [ -n "$ksrc" ]; then
	[ -d "$ksrc/kernel/sched" ] || die "KSRC=$KSRC is not a kernel tree"
	exit 0
fi

[ ! -d "$base" ] || exit 0
lock_build
# Whoever had the lock may have done it.
[ ! -d "$base" ] || exit 0
archive=/$tarball
if [ ! -f "$archive" ]; then
	download
	archive=$build/dl/$tarball
fi
say "unpacking $(basename "$archive")"
unpack "$archive"
rm -rf "$build/dl"
