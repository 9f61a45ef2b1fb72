# tables.sh - what scripts share that run a program of bench/ on several allocators and print tables
# of medians. To be sourced from the project's root, with $build, $out and $allocators set.

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

library_of()
{
	local libraries=/usr/lib/x86_64-linux-gnu

	case $1 in
	glibc) ;;
	stitchmalloc) echo "$build/libstitchmalloc.so" ;;
	jemalloc) echo "$libraries/libjemalloc.so.2" ;;
	mimalloc) echo "$libraries/libmimalloc.so.2" ;;
	tcmalloc) echo "$libraries/libtcmalloc_minimal.so.4" ;;
	esac
}

# need PROGRAM...: they have been built, and all allocators are there.
need()
{
	local program pair

	for program in "$@"; do
		[ -x "$build/bench/$program" ] || die "no $build/bench/$program: build it first"
	done
	[ -e "$(library_of stitchmalloc)" ] || die "no library in $build: build it first"
	for pair in jemalloc:libjemalloc2 mimalloc:libmimalloc2.0 tcmalloc:libtcmalloc-minimal4; do
		[ -e "$(library_of "${pair%:*}")" ] || die "apt-get install ${pair#*:}"
	done
}

# measure FORM ALLOCATOR PROGRAM ARGUMENTS: the dynamic linker goes on without a preload that it
# does not like, so the program's own word is checked.
measure()
{
	local file=$out/$1.$2.$round.txt library

	library=$(library_of "$2")
	LD_PRELOAD=$library "$build/bench/$3" "${@:4}" >"$file" || die "$1 on $2 failed"
	grep -q "^allocator: ${library:-.*/libc\.so\.6}$" "$file" ||
		die "$1: not on $2: $(grep ^allocator "$file")"
}

# median of the numbers on stdin.
median()
{
	sort -g | awk '{ x[NR] = $1 }
		END { print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'
}

# figure FORM ALLOCATOR SED-PATTERN: the median over the rounds of what the pattern's \( \) finds
# last in each file.
figure()
{
	local file

	for file in "$out/$1.$2".*.txt; do
		sed -n "s/^$3.*/\1/p" "$file" | tail -n 1
	done | median
}

# row FORM NAME PATTERN: over all allocators.
row()
{
	local name

	printf '| %s |' "$2"
	for name in $allocators; do
		printf ' %s |' "$(figure "$1" "$name" "$3")"
	done
	echo
}

heading()
{
	local name

	printf '\n| %s |' "$1"
	for name in $allocators; do printf ' %s |' "$name"; done
	printf '\n|---|'
	for name in $allocators; do printf -- '---:|'; done
	echo
}
