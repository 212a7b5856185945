#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds what runs in the guest, from build/linux to build/user: libums/,
# samples/, selftests/ (installed), and the headers they need.

. "$(dirname "$0")/lib.sh"

lock_build
user=$build/user
out=$user
mkdir -p "$user"
umake() {
	env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u MAKELEVEL \
		-u KERNEL -u KSRC -u TESTS -u CMD -u O make -j"$jobs" "$@"
}

run_logged "installing the kernel's headers" "$logs/headers.log" kmake headers

if [ -f "$tree/tools/lib/ums/Makefile" ]; then
	run_logged "building libums" "$logs/libums.log" \
		umake -C "$tree/tools/lib/ums" OUTPUT="$user/libums"
fi
if [ -f "$tree/samples/ums/Makefile" ]; then
	run_logged "building the samples" "$logs/samples.log" \
		umake -C "$tree/samples/ums" OUTPUT="$user/samples"
fi
if [ -f "$tree/tools/testing/selftests/ums/Makefile" ]; then
	# What is no longer a test is not to be run.
	rm -rf "$user/selftests"
	run_logged "building the selftests" "$logs/selftests.log" \
		umake -C "$tree/tools/testing/selftests" O="$user" TARGETS=ums \
		FORCE_TARGETS=1 STATIC=1 USERCFLAGS=-Werror \
		KSFT_INSTALL_PATH="$user/selftests" install
fi
