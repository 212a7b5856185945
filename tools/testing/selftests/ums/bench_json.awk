# SPDX-License-Identifier: GPL-2.0
# What ums_bench writes has a row in each line: what a line says of @key.

function text(key) {
	return match($0, "\"" key "\": \"[^\"]*\"") ? \
		substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6) : ""
}

function number(key) {
	return match($0, "\"" key "\": -?[0-9.]+") ? \
		substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) + 0 : 0
}

BEGIN {
	CONVFMT = OFMT = "%.12g"
}
