#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the models of UMS with spin: the user switch (ums.pml), completion lists
# (list.pml), and managed sleeps and the end of threads (sleep.pml).
#
#   run.sh DIRECTORY [thorough]
# What it makes is kept in DIRECTORY. Each model must hold with each set of
# budgets, and must not with any of the mutations: what spin does not see
# broken it does not see right either. The search is complete in each case
# (partial order reduction, collapse compression, no bit-state hashing).
#
# It takes minutes and less than 1 GB; thorough about an hour and a few GB.

set -u
here=$(cd "$(dirname "$0")" && pwd) || exit
work=${1:?where to work} level=${2:-}
memory=4000
[ -z "$level" ] || memory=16000
mkdir -p "$work" || exit
cd "$work" || exit
failed=0
model=ums

# build NAME MACROS...: the verifier, in a directory of its own; "#include" of
# the model is relative to the model.
build() {
	local name=$1
	shift
	rm -rf "$name"
	mkdir "$name" && cp "$here"/*.pml "$name" || return
	(
		cd "$name" || exit
		spin -a "$@" "$model.pml" >log 2>&1 &&
			gcc -O1 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=512 \
				-DMEMLIM=$memory -o verifier pan.c >>log 2>&1 &&
			./verifier -m100000 >>log 2>&1
	)
}

# Errors found; empty if the search did not come to its end
errors() {
	grep -qE 'out of memory|max search depth too small' "$1/log" && return
	sed -n 's/.*errors: \([0-9]*\)$/\1/p' "$1/log"
}

states() {
	sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$1/log"
}

report() {
	local ok=$1 name=$2
	shift 2
	if [ "$ok" = true ]; then
		printf 'ok      %-30s %9s states  %s\n' "$name" \
			"$(states "$name")" "$*"
		rm -f "$name"/pan.* "$name"/verifier
	else
		printf 'NOT OK  %-30s %s\n' "$name" "$*"
		printf '        see %s/log' "$work/$name"
		[ ! -e "$name/$model.pml.trail" ] ||
			printf '; cd %s; spin -t -p %s %s.pml' \
				"$work/$name" "$*" "$model"
		echo
		failed=1
	fi
}

holds() {
	local name=$1 ok=false
	shift
	build "$name" "$@"
	[ "$(errors "$name")" != 0 ] || ok=true
	report $ok "$name" "$@"
}

# Found if an assertion was violated, or there was an invalid end state.
breaks() {
	local name=$1 ok=false
	shift
	build "$name" "-DBREAK_$name" "$@"
	if [ "$(errors "$name")" = 1 ] && grep -qE '^pan:1: ' "$name/log"; then
		ok=true
	fi
	report $ok "$name" "-DBREAK_$name" "$@"
}

echo "The user switch holds:"
holds switches		-DOPS=4 -DIRQS=1
holds interruptions	-DOPS=2 -DIRQS=2
holds kernel_held	-DOPS=3 -DIRQS=1 -DKERNEL_HELD
holds foreign_ids	-DOPS=3 -DIRQS=1 -DIDS=1
holds sleep		-DOPS=3 -DIRQS=1 -DSLEEPS=1
holds sleeps		-DOPS=2 -DIRQS=1 -DSLEEPS=2
holds preemption	-DOPS=2 -DIRQS=1 -DSSIGS=1
holds preemptions	-DOPS=2 -DSSIGS=2
holds worker_signal	-DOPS=2 -DWSIGS=1
holds signal_no_carrier	-DOPS=2 -DWSIGS=1 -DDEQUEUES=2 -DTSO
holds stolen_signal	-DOPS=2 -DWSIGS=1 -DSTEALS=1 -DKERNEL_HELD
holds signal_and_sleep	-DOPS=1 -DIRQS=1 -DWSIGS=1 -DSLEEPS=1
holds all_signals	-DOPS=1 -DWSIGS=1 -DSSIGS=1
holds two_signals	-DOPS=1 -DWSIGS=2

if [ "$level" = thorough ]; then
	holds more_switches	-DOPS=5 -DIRQS=1
	holds more_interruptions -DOPS=4 -DIRQS=2
	holds more_sleeps	-DOPS=3 -DIRQS=1 -DSLEEPS=2
	holds more_preemption	-DOPS=3 -DIRQS=1 -DSSIGS=1
	holds more_worker_signal -DOPS=3 -DWSIGS=1
	holds interrupted_signal -DOPS=2 -DIRQS=1 -DWSIGS=1
	holds more_signal_and_sleep -DOPS=2 -DWSIGS=1 -DSLEEPS=1
fi

echo "Each mutation is found:"
# vums.S
breaks PUBLISH_BEFORE_SAVE	-DOPS=3
breaks PUBLISH_BEFORE_RUNNING	-DOPS=3 -DIRQS=1
breaks CLAIM_WITH_STALE_VP	-DOPS=3 -DSSIGS=1
# entry, resolve.c
breaks SLEEP_MID_SWITCH		-DOPS=2 -DSLEEPS=1 -DIRQS=1
breaks FINISH_WITHOUT_PUBLISH	-DOPS=1 -DIRQS=1
breaks KEPT_NOT_COUNTED		-DOPS=3 -DIDS=1
# vp.c
breaks GIVE_NOT_PENDING		-DOPS=4 -DIRQS=1
breaks GIVE_WITHOUT_FLAG	-DOPS=4 -DIRQS=1
breaks PREEMPT_WITHOUT_FLAG	-DOPS=1 -DSSIGS=1
breaks SLEEP_WITHOUT_SERVE	-DOPS=2 -DWSIGS=1 -DDEQUEUES=2
# park.c
breaks STATE_SET_LATE		-DOPS=2 -DIRQS=1
breaks FLAG_CLEARED_LATE	-DOPS=1 -DIRQS=1 -DSSIGS=1
breaks HIDDEN_FOR_EVER		-DOPS=2 -DWSIGS=1 -DSTEALS=1 -DKERNEL_HELD
# pull.c
breaks PULL_WITHOUT_CMPXCHG	-DOPS=1 -DWSIGS=1
breaks ASK_WITHOUT_LOOKING	-DOPS=2 -DWSIGS=1 -DDEQUEUES=2
breaks NO_BARRIER_A		-DOPS=2 -DWSIGS=1 -DDEQUEUES=2
breaks NO_BARRIER_B		-DOPS=2 -DWSIGS=1 -DDEQUEUES=2 -DTSO

model=list
echo "Completion lists hold:"
holds read_by_all		-DCONSUMER
holds read_and_executed		-DSTEALS=1 -DCONSUMER
holds readers_leave		-DSTEALS=1 -DSIGNALS=1
holds most_readers_leave	-DEVENTS=1 -DSIGNALS=2 -DCONSUMER

if [ "$level" = thorough ]; then
	holds more_events	-DEVENTS=3 -DSTEALS=1
	holds any_reader_leaves	-DSIGNALS=1 -DCONSUMER
fi

echo "Each mutation is found:"
# list.c
breaks HEAD_READ_EARLY		-DSTEALS=1
# dequeue.c
breaks CLAIM_WITHOUT_REQUEUE	-DSTEALS=1
breaks CLAIM_ANY_EVENT		-DSTEALS=1
breaks HEAD_NOT_EXCHANGED	-DEVENTS=2
breaks WAIT_WITHOUT_LOCK	-DEVENTS=2
breaks LEAVE_ITEM_BEHIND	-DEVENTS=1 -DSIGNALS=2 -DCONSUMER

model="sleep"
echo "Managed sleeps, and the end of threads, hold:"
holds managed_sleeps		-DROUNDS=2 -DTOKENS=3
holds two_vps			-DNR_VPS=2
holds nobody_executes		-DEXECUTES=2 -DROUNDS=2 -DTOKENS=3
holds signal_in_sleep		-DSIGNALS=1
holds killed_in_sleep		-DKILLS=1
holds vp_wanted			-DSSIGS=1
holds last_scheduler_exits	-DSEXITS=1
holds one_scheduler_exits	-DNR_VPS=2 -DSEXITS=1
holds all_of_one_exit		-DNR_WORKERS=1 -DSEXITS=1 -DKILLS=1 -DSIGNALS=1 -DSSIGS=1

if [ "$level" = thorough ]; then
	holds both_schedulers_exit -DNR_VPS=2 -DSEXITS=2
	holds exit_and_kill	-DSEXITS=1 -DKILLS=1
	holds exit_and_signal	-DSEXITS=1 -DSIGNALS=1
	holds vp_wanted_and_signal -DSSIGS=2 -DSIGNALS=1
fi

echo "Each mutation is found:"
# sleep.c
breaks RECORD_WITHOUT_LOOKING	-DROUNDS=1
breaks OLD_WAKEUP_COUNTS	-DROUNDS=2 -DTOKENS=3
breaks WAKEUP_OF_WOKEN		-DROUNDS=1
breaks SIGNAL_TAKES_WAKEUP	-DSIGNALS=1
# late.c
breaks NO_TIMER			-DEXECUTES=2
# execute.c
breaks EXECUTE_WITHOUT_TRUE_WAKEUP -DROUNDS=1
# attach.c
breaks EXIT_KEEPS_VP		-DROUNDS=1
breaks EXIT_WITHOUT_FLAG	-DNR_VPS=2 -DSEXITS=1
breaks RELEASE_WITHOUT_WAKEUP	-DSEXITS=1

exit $failed
