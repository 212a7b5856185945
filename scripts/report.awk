# SPDX-License-Identifier: GPL-2.0
# Prints the kernel's complaints in a console log, with what leads to them and
# what follows. Exits with 0 if there are any, as grep does.

function complaint(line) {
	if (line !~ /^\[ *[0-9]+\.[0-9]+\]/)
		return 0
	sub(/^\[ *[0-9]+\.[0-9]+\](\[[^]]*\])? /, "", line)
	return line ~ /^(.*: )?(BUG|WARNING): / ||
		line ~ /^\[ (BUG|WARNING): / ||
		line ~ /^BUG [^ ]+ \(/ ||
		line ~ /PANIC: / ||
		line ~ /^(.*: )?(Oops|KASAN|UBSAN|KFENCE): / ||
		line ~ /^Kernel panic/ ||
		line ~ /kernel BUG at/ ||
		line ~ /INFO: (task|rcu|suspicious|possible|inconsistent|trying)/ ||
		line ~ /^rcu: INFO: / ||
		line ~ /self-detected stall|detected stalls/ ||
		line ~ /ODEBUG: |refcount_t: |list_(add|del) corruption/ ||
		line ~ /unreferenced object/ ||
		line ~ /^workqueue: .* hogged CPU.*lockup/ ||
		line ~ /^init: /
}

{ sub(/\r$/, "") }

# A data race counts if UMS takes part in it, anywhere on one of the stacks; but not
# that of poll() with its own callback, of which it does not matter who calls it.
/BUG: KCSAN: / {
	race = $0
	lines = 0
	ours = 0
	polls = /data-race in poll_schedule_timeout[a-z0-9.]* \/ pollwake$/
	next
}
race != "" {
	ours = ours || (!polls && /ums_[a-z_]+[a-z0-9._]*\+0x/)
	if (!/==========/) {
		part[lines++] = $0
	} else {
		if (ours) {
			print "    " race
			for (i = 0; i < lines; i++)
				print "    " part[i]
			found = 1
		}
		race = ""
	}
}

complaint($0) {
	if (!left)
		for (i = 2; i > 0; i--)
			if (NR - i > shown) print "    " line[(NR - i) % 3]
	left = 90
	found = 1
}
left && total < 300 { print "    " $0; shown = NR; left--; total++ }
{ line[NR % 3] = $0 }
END { exit !found }
