# SPDX-License-Identifier: GPL-2.0
# A file of ums_bench to a program for gnuplot; after bench_json.awk. Switches as
# bars, rings of threads as lines, both on logarithmic scales.

function block(name, rows) {
	printf "$%s << EOD\n%sEOD\n", name, rows
}

!/"median"/ {
	next
}

text("group") ~ /^switch/ {
	bars = bars sprintf("\"%s\" %s\n", text("name"), number("median"))
	nr_bars++
}

text("group") ~ /^ring/ {
	name = text("name")
	if (!(name in lines))
		rings[++nr_rings] = name
	lines[name] = lines[name] \
		sprintf("%d %s\n", number("threads"), number("median"))
}

END {
	unit = clock == "icount" ? "instructions" : "ns"
	print "set terminal svg size 1000,960 font 'sans-serif,13' background 'white' noenhanced"
	print "set multiplot layout 2,1"
	print "set border 3; set tics nomirror; set grid x lc '#dddddd'"
	if (nr_bars) {
		block("bars", bars)
		print "set title 'A switch between two threads, one way'"
		printf "set xlabel '%s'; set logscale x\n", unit
		printf "set xrange [1:]; set yrange [%s:-0.7]\n", nr_bars - 0.3
		print "set style fill solid; set boxwidth 0.6"
		print "plot $bars using (0.5*($2+1)):0:(1):2:($0-0.3):($0+0.3):ytic(1)" \
			" with boxxyerror lc '#4477aa' notitle," \
			" '' using ($2*1.1):0:(sprintf('%.0f', $2)) with labels left notitle"
		print "unset logscale; unset xrange; unset yrange; set ytics autofreq"
		print "set xrange [*:*]; set yrange [*:*]"
	}
	if (nr_rings) {
		for (i = 1; i <= nr_rings; i++)
			block("ring" i, lines[rings[i]])
		print "set title 'A token passed around a ring of threads, once'"
		printf "set xlabel 'threads'; set ylabel '%s'\n", unit
		print "set logscale xy; set grid y lc '#dddddd'; set key outside right"
		for (i = 1; i <= nr_rings; i++)
			printf "%s $ring%d using 1:2 with linespoints lw 2 title '%s'",
				i == 1 ? "plot" : ",", i, rings[i]
		print ""
	}
	print "unset multiplot"
}
