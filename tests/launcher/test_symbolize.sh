#!/bin/bash
# test_symbolize.sh BUILD: a report that is named later says what one says that is named at once.
set -u
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
build=$(realpath "$1")
corpus=$(realpath "$(dirname "$0")/../leaks/corpus")
. "$(dirname "$0")/lib.sh"

# report SYMBOLIZE PROGRAM: to standard output
report()
{
	"$build/stitchmalloc" run --leaks=full -o "symbolize=$1" -- "./$2" 2>&1 >/dev/null |
		grep -v '^==='
}

# Addresses differ from run to run. Of libc's start of a thread reports have no names of functions,
# and of malloc itself no lines.
without_addresses()
{
	sed -E 's/0x[0-9a-f]+//g; /#0 /s/ [^ ]+:[0-9]+ / /' |
		grep -vE 'start_thread|clone3|\(start of a thread\)'
}

for program in inlined.c deep_64.c static_function.c libc_qsort.c new.cc map.cc std_thread.cc; do
	name=${program%.*}
	compiler=gcc
	[ "${program##*.}" = cc ] && compiler=g++
	$compiler -O1 -g -fno-builtin -o "$name" "$corpus/$program" -lpthread || fail "$program"
	report 1 "$name" | without_addresses >expected
	report 0 "$name" >plain
	grep -q '#1 .*BuildId' plain || fail "$name: no build-id in: $(cat plain)"
	grep -q ' in main ' plain && fail "$name: names in a report without: $(cat plain)"
	"$build/stitchmalloc" symbolize plain | without_addresses >named
	grep -q ' in ' named || fail "$name: no names in: $(cat named)"
	diff expected named || fail "$name: other names than the report's own"
done

report 0 inlined >plain
"$build/stitchmalloc" symbolize <plain | grep -q ' in main ' || fail "standard input"
strip inlined
"$build/stitchmalloc" symbolize plain 2>messages >named
grep -q ' in main ' named && fail "names of a program that has none"
echo 'int main(void) { return 0; }' | gcc -x c -o inlined - || fail "gcc"
"$build/stitchmalloc" symbolize plain 2>messages >named
grep -q 'not the file that the report is about' messages || fail "another build: $(cat messages)"
rm inlined
"$build/stitchmalloc" symbolize plain 2>messages >named
grep -q 'inlined' messages || fail "no message about a missing file"
[ "$(grep -c . plain)" = "$(grep -c . named)" ] || fail "lines were lost: $(cat named)"
expect 125 'No such file' "$build/stitchmalloc" symbolize nowhere
echo passed
