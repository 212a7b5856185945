#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What modes_test.sh does, for a test that sees what all processes do.

. "$(dirname "$0")/modes_lib.sh"

echo "TAP version 13"
echo "1..2"
run kernel - trace
run - unmanaged trace
[ "$failed" -eq 0 ]
