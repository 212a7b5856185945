# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Makes what the guest starts from: the init, and an initramfs with one job.
# Sourced, after lib.sh.

: "${top:?}" "${build:?}"

build_init() {
	local init=$build/init f
	for f in "$top"/scripts/guest/*.[ch]; do
		if [ "$f" -nt "$init" ]; then
			gcc -O2 -Wall -Wextra -static -o "$init.part.$$" \
				"$top"/scripts/guest/*.c
			mv -f "$init.part.$$" "$init"
			return
		fi
	done
}

# pack_job DIR: DIR/initrd.gz from the init and the files in DIR/job.
pack_job() {
	local root=$1/root
	mkdir -p "$root"
	cp "$build/init" "$root/init"
	mv "$1/job" "$root/job"
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) |
		gzip -1 >"$1/initrd.gz"
	rm -rf "$root"
}
