#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make model: spin goes through all states of the model of the slot protocol.

. "$(dirname "$0")/lib.sh"

lock_build
say "model of the slot protocol"
"$top/tools/verification/ums/run.sh" "$build/model" || die "the model does not hold"
