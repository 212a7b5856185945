#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the QEMU accelerator that works here, kvm or tcg. That /dev/kvm is
# there says little (nested, or without the cpu's help): a guest is started,
# and its init has to answer. Asked once per boot of the host.

. "$(dirname "$0")/lib.sh"
# shellcheck source=guest.sh
. "$top/scripts/guest.sh"

known=$build/.accel
boot_id=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || hostname)

kvm_answers() {
	local dir
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	dir=$(mktemp -d "$build/probe.XXXXXX")
	# shellcheck disable=SC2064 # this directory
	trap "rm -rf '$dir'" EXIT
	build_init
	mkdir "$dir/job"
	echo probe >"$dir/job/mode"
	pack_job "$dir"
	say "trying KVM"
	cd "$dir"
	# QEMU may abort; what the shell says about that goes to the log too.
	{
		timeout -k 5 60 qemu-system-x86_64 -nodefaults -no-user-config \
			-display none -no-reboot -accel kvm -cpu max -smp 2 \
			-m 512M -kernel "$out/arch/x86/boot/bzImage" \
			-initrd initrd.gz -append "panic=-1 reboot=t quiet" \
			-device virtio-serial-pci \
			-chardev file,id=verdict,path=verdict \
			-device virtserialport,chardev=verdict,name=ums.verdict \
			</dev/null || true
	} >"$logs/kvm.log" 2>&1
	grep -qx alive "$dir/verdict"
}

if [ "$(cut -d' ' -f1 "$known" 2>/dev/null)" != "$boot_id" ]; then
	if kvm_answers; then
		accel=kvm
	else
		accel=tcg
	fi
	echo "$boot_id $accel" | put "$known"
fi
cut -d' ' -f2 "$known"
