#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make run: the demonstration, or the command in UMS_CMD, in the guest. Its
# output and status are the command's.

. "$(dirname "$0")/lib.sh"

demo=$tree/samples/ums/demo.sh
if [ -z "${UMS_CMD:-}" ]; then
	[ -f "$demo" ] || die "there is no demonstration: no samples/ums/demo.sh"
	UMS_CMD="exec bash '$demo'"
	: "${TIMEOUT:=1200}"
	export TIMEOUT
fi
exec "$top/scripts/boot.sh" run "$UMS_CMD"
