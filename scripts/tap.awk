# SPDX-License-Identifier: GPL-2.0
# Reads what suite.sh sends, prints a line for each program when it has ended,
# and what a failing one printed. The sums go to the file named by -v totals=.
#
# A program that ends badly, or reports fewer tests than it planned, has failed
# even if no test of it did; one that speaks no TAP is one test.

function finish(status, seconds,    result, why) {
	if (plan > passed + failed + skipped) {
		why = why "; " plan - passed - failed - skipped " never reported"
		failed += plan - passed - failed - skipped
	}
	if (status == 124)
		why = why "; took too long"
	if (!(passed + failed + skipped)) {
		if (status == 0) passed = 1
		else if (status == 4) skipped = 1
	}
	if (status > 128)
		why = why "; killed by signal " status - 128
	if (status != 0 && !failed && !(status == 4 && !passed)) {
		why = why "; exit status " status
		failed = 1
	}
	result = passed " passed"
	if (failed) result = result ", " failed " FAILED"
	if (skipped) result = result ", " skipped " skipped"
	printf "    %-8s %-24s %s%s (%d s)\n", kernel, name, result, why, seconds
	if (failed)
		for (i = 1; i <= lines; i++) print "        " text[i]
	fflush()
	all_passed += passed; all_failed += failed; all_skipped += skipped
	name = ""
}

/^##begin / {
	name = $2
	lines = plan = passed = failed = skipped = 0
	next
}
/^##end / && name == $2 { finish($3, $4); next }
{ text[++lines] = $0 }
/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
/^(not )?ok [0-9]+/ {
	if (toupper($0) ~ /# *SKIP/) skipped++
	else if ($1 == "ok" || toupper($0) ~ /# *XFAIL/) passed++
	else failed++
}
/^Bail out!/ { failed++ }
END {
	if (name != "") {
		lines++
		text[lines] = "(the guest ended here)"
		if (!failed) failed = 1
		finish(125, 0)
	}
	print all_passed + 0, all_failed + 0, all_skipped + 0 >totals
}
