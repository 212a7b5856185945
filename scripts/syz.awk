# SPDX-License-Identifier: GPL-2.0
# Reads the uapi header, then syzkaller's description of it, and writes C that
# compiles if, and only if, the two agree: each structure and its members, each
# constant, and each operation with the structure that belongs to it.

function wrong(text) {
	printf "#error \"%s:%d: %s\"\n", FILENAME, FNR, text
}

# The C type of a member, with what follows its name in "dims"
function ctype(type, size) {
	dims = ""
	while (match(type, /^array\[.*, [0-9]+\]$/)) {
		size = type
		sub(/.*, /, "[", size)
		dims = dims size
		sub(/^array\[/, "", type)
		sub(/, [0-9]+\]$/, "", type)
	}
	while (type in resource)
		type = resource[type]
	sub(/^(const|flags)\[[^]]*, /, "", type)
	if (match(type, /^int(16|32|64)/))
		return "__u" substr(type, 4, RLENGTH - 3)
	if (type == "fd")
		return "__u32"
	wrong("what is " type "?")
	return "char"
}

# What a structure is called in C
function cname(name) {
	if (name ~ /^ums_info_/)
		return "struct ums_info"
	if (name == "ums_timeout")
		return "struct __kernel_timespec"
	return name == "ums_pollfd" ? "struct pollfd" : "struct " name
}

BEGIN {
	# Of the header, all that can be passed in
	family = "^UMS_(CTL|SETUP|ORPHAN|CREATE|ROLE|EXECUTE|YIELD|INFO)_"
	print "#include <linux/poll.h>"
	print "#include <linux/time_types.h>"
	print "#include <linux/ums.h>"
	print "#include <stddef.h>"
}

NR == FNR {
	if (match($0, /^ \* @UMS_[A-Z_]*: Reserved/))
		reserved[substr($2, 2, length($2) - 2)] = 1
	name = $1 == "#define" ? $2 : $1
	if (name ~ family && ($1 == "#define" || $2 == "="))
		defined[name] = 1
	next
}

/^#/ {
	next
}

{
	rest = $0
	while (match(rest, /UMS_[A-Z0-9_]+/)) {
		used[substr(rest, RSTART, RLENGTH)] = 1
		rest = substr(rest, RSTART + RLENGTH)
	}
}

/^resource / {
	split($2, part, /[][]/)
	resource[part[1]] = part[2]
}

# An operation has the name of its constant, and of its structure
/^ums_ctl\$/ && !/^ums_ctl\$ANY/ {
	split($1, part, /[$(]/)
	op = part[2]
	if ($0 !~ "op const\\[UMS_CTL_" op "\\]")
		wrong("not UMS_CTL_" op)
	wanted = "ums_" (op ~ /^(QUERY|SET)$/ ? "info_" : "") tolower(op)
	if ($0 ~ /arg ptr/ && $0 !~ "arg ptr\\[[a-z]+, " wanted "\\]")
		wrong("not " wanted)
	if ($0 !~ /arg ptr/ && op != "DETACH")
		wrong("no structure")
}

/^[a-z_]+ \{$/ {
	struct = $1
	members = asserts = ""
	next
}

struct != "" && /^}/ {
	name = cname(struct)
	printf "struct syz_%s {\n%s};\n", struct, members
	printf "_Static_assert(sizeof(struct syz_%s) == sizeof(%s), \"%s\");\n%s",
	       struct, name, struct, asserts
	struct = ""
	next
}

struct != "" && NF {
	type = $0
	sub(/^[ \t]*[a-z0-9_]+[ \t]+/, "", type)
	sub(/[ \t]+\([a-z]+\)$/, "", type)
	type = ctype(type)
	members = members "\t" type " " $1 dims ";\n"
	# Names that the kernel has given
	if (struct !~ /^ums_(timeout|pollfd)$/ && $1 != "pad")
		asserts = asserts sprintf("_Static_assert(offsetof(struct syz_%s, %s) == offsetof(%s, %s), \"%s.%s\");\n_Static_assert(sizeof(((struct syz_%s *)0)->%s) == sizeof(((%s *)0)->%s), \"%s.%s\");\n",
			struct, $1, cname(struct), $1, struct, $1,
			struct, $1, cname(struct), $1, struct, $1)
}

END {
	for (name in used)
		printf "_Static_assert(%s + 1, \"\");\n", name
	for (name in defined)
		if (!(name in used) && !(name in reserved))
			wrong("there is no " name)
}
