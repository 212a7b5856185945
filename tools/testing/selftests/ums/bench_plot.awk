# SPDX-License-Identifier: GPL-2.0
# Files of ums_bench and httpd_bench.sh to a program for gnuplot; after
# bench_json.awk. Switches as bars, rings of threads and connections of httpd as
# lines, all on logarithmic scales.

function block(name, rows) {
	printf "$%s << EOD\n%sEOD\n", name, rows
}

# Points of lines, in the order in which their names are first seen
function point(plot, name, x, y) {
	if (!((plot, name) in points))
		names[plot, ++nr_lines[plot]] = name
	points[plot, name] = points[plot, name] sprintf("%d %s\n", x, y)
}

function plot_lines(plot, title, x, y,    i) {
	for (i = 1; i <= nr_lines[plot]; i++)
		block(plot i, points[plot, names[plot, i]])
	printf "set title '%s'\n", title
	printf "set xlabel '%s'; set ylabel '%s'\n", x, y
	print "set logscale xy; set grid y lc '#dddddd'; set key outside right"
	for (i = 1; i <= nr_lines[plot]; i++)
		printf "%s $%s%d using 1:2 with linespoints lw 2 title '%s'",
			i == 1 ? "plot" : ",", plot, i, names[plot, i]
	print ""
}

!/"(median|mean)"/ {
	next
}

text("group") ~ /^switch/ {
	bars = bars sprintf("\"%s\" %s\n", text("name"), number("median"))
	nr_bars++
}

text("group") ~ /^ring/ {
	point("ring", text("name"), number("threads"), number("median"))
}

text("group") == "httpd" {
	point("httpd", text("name"), number("connections"), number("mean"))
}

END {
	unit = clock == "icount" ? "instructions" : "ns"
	plots = !!nr_bars + !!nr_lines["ring"] + !!nr_lines["httpd"]
	printf "set terminal svg size 1000,%d font 'sans-serif,13' background 'white' noenhanced\n",
		480 * plots
	printf "set multiplot layout %d,1\n", plots
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
	if (nr_lines["ring"])
		plot_lines("ring", "A token passed around a ring of threads, once",
			"threads", unit)
	if (nr_lines["httpd"])
		plot_lines("httpd", "httpd: time for one request", "connections",
			"ns")
	print "unset multiplot"
}
