#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What report.awk has to find in a console log, and what it has to let pass.

cd "$(dirname "$0")" || exit 1
bad=0

finds() {
	printf '[    1.000000] %s\n' "$1" | awk -f report.awk >/dev/null
}

while IFS= read -r line; do
	finds "$line" || { echo "    not found: $line"; bad=1; }
done <<'END'
BUG: KASAN: slab-use-after-free in ums_execute+0x10/0x20
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: sleeping function called from invalid context at kernel/ums/park.c:10
BUG: scheduling while atomic: execute_test/100/0x00000002
BUG: Bad page state in process many_test  pfn:12345
BUG ums_ctx (Not tainted): Poison overwritten
[ BUG: Invalid wait context ]
WARNING: CPU: 1 PID: 100 at kernel/ums/park.c:10 ums_park+0x10/0x20
WARNING: possible circular locking dependency detected
WARNING: possible recursive locking detected
WARNING: possible irq lock inversion dependency detected
WARNING: inconsistent lock state
WARNING: bad unlock balance detected!
WARNING: held lock freed!
WARNING: suspicious RCU usage
WARNING: lock held when returning to user space!
Oops: general protection fault, probably for non-canonical address
Oops: Oops: 0000 [#1] PREEMPT SMP KASAN
traps: PANIC: double fault, error_code: 0x0
kernel BUG at kernel/ums/table.c:10!
Kernel panic - not syncing: kernel: panic_on_warn set ...
INFO: task ctl_test:100 blocked for more than 120 seconds.
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt self-detected stall on CPU
watchdog: BUG: soft lockup - CPU#0 stuck for 60s! [ctl_test:100]
UBSAN: array-index-out-of-bounds in kernel/ums/ring.c:10:20
ODEBUG: free active (active state 0) object type: timer_list
refcount_t: underflow; use-after-free.
list_add corruption. prev->next should be next
unreferenced object 0xffff888000000000 (size 192):
init: mount: No such device
END

while IFS= read -r line; do
	if finds "$line"; then
		echo "    found: $line"
		bad=1
	fi
done <<'END'
Linux version 6.12.117-debug (ums@ums) #1 SMP PREEMPT
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
kasan: KernelAddressSanitizer initialized
ums-test: fault_test
FAULT_INJECTION: forcing a failure.
traps: user_trap_test[100] trap int3 ip:401000 sp:7ffd00000000 error:0
Out of memory: Killed process 100 (event_cgroup_te)
END

# race WHAT WHOSE: a report of KCSAN, whose second line of a stack is that
race() {
	printf '[    1.000000] %s\n' "BUG: KCSAN: data-race in $1" \
		"write to 0xffff888040e13c80 of 4 bytes by interrupt on cpu 0:" \
		" __wake_up+0x2d/0x50" " $2+0x3d/0x50" \
		"==================================================" |
		awk -f report.awk >/dev/null
}

race "ums_park / ums_execute" ums_park || { echo "    race not found"; bad=1; }
race "sock_poll / wake" ums_list_notify || { echo "    race not found"; bad=1; }
for what in "sock_poll / wake:do_sys_poll" \
	"poll_schedule_timeout.constprop.0 / pollwake:ums_list_notify_work"; do
	if race "${what%:*}" "${what#*:}"; then
		echo "    found: $what"
		bad=1
	fi
done

exit $bad
