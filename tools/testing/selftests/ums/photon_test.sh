#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# samples/ums/photon: all work is done exactly once, with one scheduler or more
# of them than cpus, and many workers.

ksft_skip=4
cd "$(dirname "$0")" || exit 1
nr=0
failed=0

# run NAME OPTION...
run()
{
	nr=$((nr + 1))
	name=$1
	shift
	output=$(timeout 300 ./photon "$@" 2>&1)
	status=$?
	echo "$output" | sed 's/^/# /'
	if [ $status -ne 0 ]; then
		echo "not ok $nr $name (status $status)"
		failed=1
	else
		echo "ok $nr $name"
	fi
}

# refuse NAME OPTION...
refuse()
{
	nr=$((nr + 1))
	name=$1
	shift
	./photon "$@" >/dev/null 2>&1
	if [ $? -ne 1 ]; then
		echo "not ok $nr $name"
		failed=1
	else
		echo "ok $nr $name"
	fi
}

echo "TAP version 13"
./photon --workers=2 --rounds=1 >/dev/null 2>&1
if [ $? -eq $ksft_skip ]; then
	echo "1..0 # SKIP this kernel has no UMS"
	exit $ksft_skip
fi

echo "1..7"
run "a scheduler for each cpu"
run "one scheduler" --schedulers=1 --workers=32
run "more schedulers than cpus" --schedulers=9 --workers=32
run "many workers" --workers=1000 --rounds=10
run "many rounds" --workers=8 --rounds=500
refuse "no odd number of workers" --workers=3
refuse "no unknown option" --wrong

exit $failed
