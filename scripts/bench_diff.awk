# SPDX-License-Identifier: GPL-2.0
# Two files of ums_bench, a row in a line: what differs for those who do not use
# UMS. The first file is of the kernel without it.

function text(key,	m) {
	return match($0, "\"" key "\": \"[^\"]*\"") ? \
		substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6) : ""
}

function number(key) {
	return match($0, "\"" key "\": [0-9.]+") ? \
		substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) + 0 : 0
}

BEGIN {
	printf "%-48s %11s %11s %8s\n", "without UMS in use", "CONFIG_UMS=n",
		"=y", "more"
}

/"median"/ {
	row = text("group") ", " text("name")
	if (FNR == NR)
		without[row] = number("median")
	else if (row in without && without[row] > 0)
		printf "  %-46s %12.1f %11.1f %7.2f%%\n", row, without[row],
			number("median"),
			(number("median") / without[row] - 1) * 100
}
