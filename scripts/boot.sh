#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots build/$KERNEL in QEMU for one job, and judges the outcome.
#
#   boot.sh run COMMAND     a shell command; its output is ours
#   boot.sh shell           an interactive shell on this terminal
#
# What the job writes to its descriptor 3 arrives at ours, if we have one.
# Its directory is JOB_CWD. SMP, MEM, TIMEOUT (seconds for the job, 0: none),
# ICOUNT=1 and CMDLINE are what make's help says.
#
# Exit status: the job's; 124 if it took too long; 125 if the guest failed. A
# guest that ends without a complete verdict has failed, and so has one whose
# kernel complained.

. "$(dirname "$0")/lib.sh"
# shellcheck source=guest.sh
. "$top/scripts/guest.sh"

mode=$1
cmd=${2:-}
debug=
[ "$KERNEL" != debug ] || debug=1
: "${SMP:=${debug:+2}}" "${TIMEOUT:=600}" "${ICOUNT:=}"
: "${SMP:=4}" "${MEM:=2G}" "${JOB_CWD:=$PWD}"
# With several, one of them would run for a long time, and then the next.
[ -z "$ICOUNT" ] || SMP=1
[ "$mode" != shell ] || TIMEOUT=0

image=$out/arch/x86/boot/bzImage
[ -f "$image" ] || die "no $image; type: make kernel KERNEL=$KERNEL"
run=$build/run/$KERNEL.$$
qemu_pid=
relays=()

# Also the way out of Ctrl-C: QEMU and the relays end with us.
# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$? p
	trap - EXIT INT TERM HUP ERR
	for p in $qemu_pid "${relays[@]}"; do
		kill "$p" 2>/dev/null || true
	done
	wait
	[ "$keep" = 1 ] || rm -rf "$run"
	exit "$status"
}
keep=0
trap finish EXIT

write_job() {
	local shell=/bin/sh
	[ ! -x /bin/bash ] || shell=/bin/bash
	mkdir -p "$run/job"
	echo "$mode" >"$run/job/mode"
	echo "$cmd" >"$run/job/cmd"
	echo "$shell" >"$run/job/shell"
	echo "$JOB_CWD" >"$run/job/cwd"
	echo "$TIMEOUT" >"$run/job/timeout"
	{ stty size </dev/tty || true; } >"$run/job/winsize" 2>/dev/null
	cat >"$run/job/env" <<-END
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		HOME=/root
		USER=root
		LANG=C.UTF-8
		TERM=${TERM:-dumb}
		KSRC=$tree
		DOCS=$tree/Documentation
		HTTPD=$build/user/samples/httpd
		UMS_KERNEL=$KERNEL
		UMS_SAMPLES=$build/user/samples
		UMS_LIB=$build/user/libums
		UMS_SELFTESTS=$build/user/selftests/ums
	END
}

# Everything that happens to the kernel is fatal to it, and a guest that a busy
# host starves for half a minute is not stuck.
# But for data races, which are looked at in the end.
warn=1
[ "$KERNEL" != kcsan ] || warn=0
cmdline="console=ttyS0 panic=-1 reboot=t oops=panic panic_on_warn=$warn
	softlockup_panic=1 hung_task_panic=1 sysctl.kernel.panic_on_rcu_stall=1
	watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60
	tsc=reliable printk.devkmsg=on loglevel=7 ${CMDLINE:-}"

# Two nodes, a socket each, wherever the cpus can be halved; and two threads to a
# core where these can be, too.
machine() {
	local threads=1 half=$(($(numfmt --from=iec "${MEM%B}") / 2097152))
	[ $((SMP % 4)) -ne 0 ] || threads=2
	echo "-m $((half * 2))M"
	if [ $((SMP % 2)) -ne 0 ]; then
		echo "-smp $SMP"
		return
	fi
	echo "-smp $SMP,sockets=2,cores=$((SMP / 2 / threads)),threads=$threads"
	echo "-object memory-backend-ram,id=m0,size=${half}M"
	echo "-object memory-backend-ram,id=m1,size=${half}M"
	echo "-numa node,nodeid=0,memdev=m0,cpus=0-$((SMP / 2 - 1))"
	echo "-numa node,nodeid=1,memdev=m1,cpus=$((SMP / 2))-$((SMP - 1))"
}

# With ICOUNT one instruction takes one nanosecond of the guest's time.
accelerator() {
	local accel
	if [ -n "$ICOUNT" ]; then
		echo "-accel tcg -icount shift=0,sleep=off -cpu max"
		return
	fi
	accel=$("$top/scripts/accel.sh")
	case $accel in
	kvm) echo "-accel kvm -cpu max" ;;
	*)
		case $KERNEL in
		bench*) echo "-accel tcg,thread=single -cpu max" ;;
		# Strings of bytes are not fast, whatever the cpu says: TCG takes
		# byte by byte, 4096 of them for each new page.
		*) echo "-accel tcg,thread=multi -cpu max,-erms,-fsrm" ;;
		esac
		;;
	esac
}

channel() {
	echo "-chardev file,id=$1,path=$1"
	echo "-device virtserialport,chardev=$1,name=ums.$1"
}

# A console of its own for the shell; Ctrl-C is the guest's.
terminal() {
	[ "$mode" = shell ] || return 0
	echo "-chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty"
}

start_qemu() {
	local limit=() options
	options="$(accelerator) $(machine) $(terminal) $(channel verdict)
		$(channel out) $(channel err) $(channel results)"
	if [ "$TIMEOUT" != 0 ]; then
		limit=(timeout --foreground -k 10 $((TIMEOUT + 180)))
	fi
	cd "$run"
	mkfifo out err results
	cat out & relays+=($!)
	cat err >&2 & relays+=($!)
	if { : >&3; } 2>/dev/null; then
		cat results >&3 & relays+=($!)
	else
		cat results >/dev/null & relays+=($!)
	fi
	# shellcheck disable=SC2046,SC2086 # lists of words
	setpriv --pdeathsig TERM -- "${limit[@]}" qemu-system-x86_64 \
		-machine q35 -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$image" -initrd initrd.gz -append "${cmdline//[$'\n\t']/ }" \
		-serial file:console.log -device virtio-serial-pci,max_ports=8 \
		$options \
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-pci,fsdev=root,mount_tag=root \
		0<&5 2>qemu.log &
	qemu_pid=$!
}

verdict() {
	sed -n "s/^$1 //p" "$run/verdict" 2>/dev/null
}

# Says why the run failed, and where to read on. Does not return.
fail() {
	keep=1
	say "$2"
	awk -f "$top/scripts/report.awk" "$run/console.log" >&2 || true
	if [ "$1" = 125 ] && ! tail -n 1 "$run/verdict" 2>/dev/null | grep -qx end
	then
		sed 's/^/    /' "$run/qemu.log" >&2
		echo "    ... the console's end:" >&2
		tail -n 15 "$run/console.log" 2>/dev/null | sed 's/^/    /' >&2
	fi
	say "console log: $run/console.log"
	exit "$1"
}

judge() {
	if ! tail -n 1 "$run/verdict" 2>/dev/null | grep -qx end; then
		fail 125 "the guest ($KERNEL) ended without a verdict"
	fi
	[ "$(verdict timeout)" = 0 ] ||
		fail 124 "the job took more than $TIMEOUT s"
	[ "$(verdict leaks)" = 0 ] ||
		fail 125 "the job leaked kernel memory"
	if awk -f "$top/scripts/report.awk" "$run/console.log" >/dev/null; then
		fail 125 "the $KERNEL kernel complained"
	fi
	mv -f "$run/console.log" "$logs/console-$KERNEL.log"
	exit "$(verdict exit)"
}

build_init
write_job
pack_job "$run"
exec 5<&0
start_qemu
# Its status says nothing that the verdict does not.
wait "$qemu_pid" || true
qemu_pid=
wait "${relays[@]}" || true
relays=()
judge
