#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make bochs: the tests of registers, exceptions and the vDSO once more, on a cpu that
# has what QEMU's TCG has not: AVX-512, exceptions of SSE, alignment checks. Bochs
# is slow, and has neither the host's files nor a channel: the tests are in the
# initramfs, and what they print is on the console.

. "$(dirname "$0")/lib.sh"

: "${TIMEOUT:=900}" "${TESTS:=user_* regs_test}"
selftests=$build/user/selftests/ums
work=$build/bochs
log=$logs/console-bochs.log
rm -rf "$work"
mkdir -p "$work/root"/{bin,dev,proc,sys,tmp,tests} "$work/iso/boot/grub"

programs=()
for pattern in $TESTS; do
	# shellcheck disable=SC2231 # a pattern
	for program in "$selftests"/$pattern; do
		if [[ $program == *_test && -f $program ]] &&
			! ldd "$program" >/dev/null 2>&1; then
			programs+=("${program##*/}")
			cp "$program" "$work/root/tests/"
		fi
	done
done
[ ${#programs[@]} -gt 0 ] || die "TESTS='$TESTS' selects none"

# The kernel says nothing while they run, or its lines were in theirs.
write_init() {
	cat <<-END
		#!/bin/busybox sh
		busybox mount -t proc none /proc
		busybox mount -t sysfs none /sys
		busybox mount -t devtmpfs none /dev
		busybox dmesg -n 1
		export UMS_TEST_MS=50
		cd /tests
		for t in ${programs[*]}; do
			echo "##begin \$t"
			./\$t
			echo "##end \$t \$?"
		done
		busybox dmesg | busybox sed '1,/Run .init/d; s/^/##log /'
		echo "##done"
		busybox stty -F /dev/ttyS0 -echo # when all is written
		busybox reboot -f
	END
}

# Bochs 2.7 reports a size for XSAVES that is not right, and does not restore with
# XRSTORS what it has saved; and protection keys are of no size.
cmdline="console=ttyS0 panic=-1 reboot=t clearcpuid=xsaves,xsavec,pku"

make_disk() {
	cp /bin/busybox "$work/root/bin/"
	write_init >"$work/root/init"
	chmod +x "$work/root/init"
	(cd "$work/root" && find . | cpio -o -H newc --quiet -R 0:0) |
		gzip -1 >"$work/iso/boot/initrd.gz"
	cp "$out/arch/x86/boot/bzImage" "$work/iso/boot/"
	cat >"$work/iso/boot/grub/grub.cfg" <<-END
		set timeout=0
		menuentry ums {
			linux /boot/bzImage $cmdline
			initrd /boot/initrd.gz
		}
	END
	grub-mkrescue -o "$work/disk.iso" "$work/iso"
}

start() {
	cat >"$work/bochsrc" <<-END
		megs: 1024
		cpu: model=tigerlake, count=1, ips=100000000, reset_on_triple_fault=0
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/vgabios/vgabios.bin
		ata0-master: type=cdrom, path=$work/disk.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=$work/console
		log: $work/bochs.log
		display_library: rfb, options="timeout=0"
		panic: action=report
	END
	# Debian's Bochs has a debugger. It is told to go on, and when the machine resets
	# itself it asks again, and ends as nobody answers.
	echo c >"$work/commands"
	# Its display is a server for anyone, if there is a network.
	timeout "$TIMEOUT" unshare -rn bochs -q -f "$work/bochsrc" -rc "$work/commands" \
		</dev/null || true
}

run_logged "making a disk for Bochs" "$logs/bochs-disk.log" make_disk
run_logged "running ${#programs[@]} programs in Bochs" "$logs/bochs.log" start
tr -d '\r' <"$work/console" >"$log"
# A step through SYSCALL: with Bochs its trap comes at the kernel's first instruction.
awk '
	/ at exc_debug_kernel/ { next }
	/^ok .*# SKIP/ { skipped++; next }
	/^ok / { passed++ }
	/^not ok / { failed++ }
	/^#.*Expected/ || /^not ok / { print }
	/^##end / && $3 != 0 && $3 != 4 { print; bad++ }
	/^##log .*(WARNING|BUG|Oops)/ { print; bad++ }
	/^##done/ { done = 1 }
	END {
		if (!done)
			print "it came to no end"
		printf "%d passed, %d failed, %d skipped\n", passed,
			failed + bad + !done, skipped
		exit failed + bad || !done || !passed
	}' "$log" || die "whole console: $log"
