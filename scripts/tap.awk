# SPDX-License-Identifier: GPL-2.0
# Reads what suite.sh sends, prints a line for each program when it has ended,
# and what a failing one printed. The sums go to the file named by -v totals=.
#
# The first field of a line is the place of the program that printed it: so many
# run at once. A program that ends badly, or reports fewer tests than it planned,
# has failed even if no test of it did; one that speaks no TAP is one test.

function finish(p, status, seconds,    result, why, i) {
	if (plan[p] > passed[p] + failed[p] + skipped[p]) {
		why = why "; " plan[p] - passed[p] - failed[p] - skipped[p] \
			" never reported"
		failed[p] += plan[p] - passed[p] - failed[p] - skipped[p]
	}
	if (status == 124)
		why = why "; took too long"
	if (!(passed[p] + failed[p] + skipped[p])) {
		if (status == 0) passed[p] = 1
		else if (status == 4) skipped[p] = 1
	}
	if (status > 128)
		why = why "; killed by signal " status - 128
	if (status != 0 && !failed[p] && !(status == 4 && !passed[p])) {
		why = why "; exit status " status
		failed[p] = 1
	}
	result = passed[p] " passed"
	if (failed[p]) result = result ", " failed[p] " FAILED"
	if (skipped[p]) result = result ", " skipped[p] " skipped"
	printf "    %-8s %-24s %s%s (%d s)\n", kernel, name[p], result, why, seconds
	if (failed[p])
		for (i = 1; i <= lines[p]; i++) print "        " text[p, i]
	fflush()
	all_passed += passed[p]
	all_failed += failed[p]
	all_skipped += skipped[p]
	delete name[p]
}

{
	p = $1
	sub(/^[0-9]+ /, "")
}
/^##begin / {
	name[p] = $2
	lines[p] = plan[p] = passed[p] = failed[p] = skipped[p] = 0
	next
}
/^##end / && (p in name) && name[p] == $2 { finish(p, $3, $4); next }
{ text[p, ++lines[p]] = $0 }
/^1\.\.[0-9]+/ { plan[p] = substr($1, 4) + 0 }
/^(not )?ok [0-9]+/ {
	if (toupper($0) ~ /# *SKIP/) skipped[p]++
	else if ($1 == "ok" || toupper($0) ~ /# *XFAIL/) passed[p]++
	else failed[p]++
}
/^Bail out!/ { failed[p]++ }
END {
	for (p in name) {
		text[p, ++lines[p]] = "(the guest ended here)"
		if (!failed[p]) failed[p] = 1
		finish(p, 125, 0)
	}
	print all_passed + 0, all_failed + 0, all_skipped + 0 >totals
}
