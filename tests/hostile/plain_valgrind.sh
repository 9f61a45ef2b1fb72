#!/bin/bash
# Valgrind's tools put their own malloc over ours, and report under the preload, line by line, what
# they report without. Told not to, they run the program on ours.
. "$(dirname "$0")/../preload/lib.sh"
folder=$2
begin "$1"
need valgrind valgrind
work=$folder/hostile_tools_work

# report OPTIONS...: the program's output and the tool's, without what differs between two runs, and
# without the sum of bytes: the loader needs 16 more for a thread when there is one more library.
report()
{
	run valgrind "$@" >stdout 2>stderr
	printf 'status %s\n' $?
	cat stdout
	sed -E 's/^==[0-9]+==//; s/0x[0-9A-Fa-f]+/ADDRESS/g; s/[0-9,]+ bytes allocated//' stderr
}

# compare EXPECTED OPTIONS...: the reports are the same, and have the line expected.
compare()
{
	local expected=$1

	shift
	cd "$TMP/run" || exit 1
	for SIDE in plain under; do
		report "$@" >"$TMP/$SIDE.report"
	done
	cd "$TMP" || exit 1
	if ! cmp -s plain.report under.report; then
		diff plain.report under.report | head -n 20 >&2
		fail "'$*': plain (<) and preloaded (>) differ"
	fi
	grep -Eq "$expected" plain.report ||
		fail "'$*': no line '$expected': $(head -n 20 plain.report)"
}

mkdir "$TMP/run"
compare '770 bytes in 10 blocks are definitely lost' --leak-check=full "$work" use overrun leak
for line in 'Invalid write of size 1' 'is 0 bytes after a block of size 100 alloc' \
	'is 1 bytes inside a block of size 100 free'; do
	grep -q "$line" under.report || fail "memcheck does not say '$line'"
done
compare 'ERROR SUMMARY: 0 errors' --tool=helgrind "$work" none
compare '55 bytes in 1 blocks are definitely lost' --leak-check=full \
	"$folder/hostile_tools_cxx_work"
grep -q '^ Mismatched free' under.report || fail "free() of what new has made is not reported"

SIDE=under
cd "$TMP/run" || exit 1
PRELOAD_ENV=(STITCH_CONF=stats=1)
report -q --soname-synonyms=somalloc=nouserintercepts "$work" none >"$TMP/ours"
grep -q '^sum ' "$TMP/ours" || fail "on our malloc: $(cat "$TMP/ours")"
end "memcheck and helgrind report the same under the preload; on our malloc the program works"
