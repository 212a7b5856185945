# SPDX-License-Identifier: GPL-2.0
# Two files of ums_bench: what differs for those who do not use UMS. The first is
# of the kernel without it. After bench_json.awk.

BEGIN {
	printf "%-48s %11s %11s %8s\n", "without UMS in use", "CONFIG_UMS=n",
		"=y", "more"
}

/"median"/ && !/"cpus"/ {
	row = text("group") ", " text("name")
	if (FNR == NR)
		without[row] = number("median")
	else if (row in without && without[row] > 0)
		printf "  %-46s %12.1f %11.1f %7.2f%%\n", row, without[row],
			number("median"),
			(number("median") / without[row] - 1) * 100
}
