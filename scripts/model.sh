#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make model: spin goes through all states of the models.

. "$(dirname "$0")/lib.sh"

lock_build
say "models of the user switch, of lists, and of sleeps"
"$top/tools/verification/ums/run.sh" "$build/model" || die "a model does not hold"
