#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes build/linux: the kernel source with patches/ applied, the overlay
# directories copied in and our entry in MAINTAINERS.
#
# Every file is written only where its content changes: kbuild goes by time
# stamps, and one edited file must not rebuild the kernel.

. "$(dirname "$0")/lib.sh"
# shellcheck source=overlay.sh
. "$top/scripts/overlay.sh"

patches=$top/patches
work=$build/tree.part
# The files that differ from the base, as the last complete run left them.
ours=$build/tree.files

kernel_version() {
	awk -F' *= *' '
		/^VERSION/ { v = $2 } /^PATCHLEVEL/ { p = $2 }
		/^SUBLEVEL/ { print v "." p "." $2; exit }' "$1/Makefile"
}

series() {
	sed -e 's/[[:space:]]*#.*//' -e '/^$/d' "$patches/series"
}

# The paths that the patches name, old and new.
patched_files() {
	series | while IFS= read -r p; do
		sed -nE 's,^(---|\+\+\+) [^/]+/([^[:space:]]+).*,\2,p' "$patches/$p"
	done | sort -u
}

# Copies of the files that the patches touch, patched.
apply_patches() {
	local p f have want log=$logs/patch.log

	have=$(kernel_version "$base")
	want=$(cat "$patches/base")
	[ "$have" = "$want" ] ||
		say "patches are for $want; trying them on $have"
	while IFS= read -r f; do
		[ ! -f "$base/$f" ] ||
			install -D -m "$(stat -c %a "$base/$f")" "$base/$f" "$work/$f"
	done
	while IFS= read -r p; do
		if ! patch -d "$work" -p1 --fuzz=0 --force --no-backup-if-mismatch \
			<"$patches/$p" >"$log" 2>&1; then
			cat "$log" >&2
			die "$p does not apply to $have ($base)"
		fi
	done < <(series)
}

# Our entry, where the alphabet puts it. Byte order, as the kernel sorts it.
merge_maintainers() {
	LC_ALL=C awk -v entry="$top/MAINTAINERS" '
	BEGIN {
		while ((getline line < entry) > 0) {
			if (!n && line !~ /^[A-Z0-9]/) continue
			text[++n] = line
		}
		while (n && text[n] == "") n--
	}
	function put_entry(i) {
		for (i = 1; i <= n; i++) print text[i]
		print ""
		done = 1
	}
	/^Maintainers List/ { list = 1 }
	list && !done && blank && /^[A-Z0-9]/ &&
		($0 > text[1] || $0 == "THE REST") { put_entry() }
	{ print; blank = ($0 == "") }
	END { if (!done) exit 1 }' "$base/MAINTAINERS" ||
		die "no place for our entry in $base/MAINTAINERS"
}

# The tree as the base has it, apart from the files in $1. The package never
# changes; a tree of the user's may between two runs, and its time stamps say
# little, so contents are compared.
sync_base() {
	local exclude=$work.exclude
	if [ -z "$ksrc" ] && [ -f "$ours" ]; then
		return
	fi
	if [ -n "$ksrc" ] && [ -e "$ksrc/.git" ]; then
		git -C "$ksrc" ls-files -o -i --exclude-standard --directory |
			sed 's,^,/,' >"$exclude"
	elif [ -e "$base/.config" ] || [ -d "$base/include/config" ]; then
		die "$base holds a build; give a clean tree (make mrproper there)"
	else
		: >"$exclude"
	fi
	sed 's,^,/,' "$1" >>"$exclude"
	say "copying $base to $tree"
	rsync -qrlp --checksum --delete --exclude=/.git \
		--exclude-from="$exclude" "$base/" "$tree/"
	rm -f "$exclude"
}

command -v patch >/dev/null || die "patch is missing"
[ -f "$patches/series" ] || die "no patches/series"
lock_build
rm -rf "$work" "$work".*
mkdir -p "$work"

overlay_files >"$work.overlay"
patched_files >"$work.patched"
while IFS= read -r f; do
	[ ! -e "$base/$f" ] || die "$f: the kernel has this file; make it a patch"
	! grep -qxF "$f" "$work.patched" || die "$f: in patches/ and in the overlay"
done <"$work.overlay"

apply_patches <"$work.patched"
while IFS= read -r f; do
	install -D -m "$(stat -c %a "$top/$f")" "$top/$f" "$work/$f"
done <"$work.overlay"
if [ -f "$top/MAINTAINERS" ]; then
	merge_maintainers >"$work/MAINTAINERS"
fi

(cd "$work" && find . -type f | sed 's,^\./,,' | sort) >"$work.new"
sort -u "$work.new" "$work.patched" >"$work.exclude-new"
sync_base "$work.exclude-new"

# Until this run is complete, whatever either run wrote is ours.
touch "$ours"
sort -u "$ours" "$work.new" >"$work.ours"
mv "$work.ours" "$ours"

# What we wrote before and do not now goes back to what the base has.
comm -23 "$ours" "$work.new" | while IFS= read -r f; do
	if [ -f "$base/$f" ] && ! grep -qxF "$f" "$work.patched"; then
		put "$tree/$f" <"$base/$f"
		chmod --reference="$base/$f" "$tree/$f"
	else
		rm -f "${tree:?}/$f"
	fi
done
while IFS= read -r f; do
	if cmp -s "$work/$f" "$tree/$f"; then
		chmod --reference="$work/$f" "$tree/$f"
		continue
	fi
	mkdir -p "$(dirname "$tree/$f")"
	touch "$work/$f"
	mv -f "$work/$f" "$tree/$f"
done <"$work.new"
put "$ours" <"$work.new"
rm -rf "$work" "$work".*
