#!/bin/sh
# run_valgrind.sh LIBRARY PROGRAM EXPECT: what memcheck says of PROGRAM on the library that was
# built for it must be what the file EXPECT says.
#
# Its first line: `errors N`, the number in memcheck's last line, then perhaps NAME=VALUE words for
# the environment. The other lines: extended regular expressions for lines of the report, which
# has these in this order and any others between them; `-` in front: the report has none such.
library=$1 program=$2 expect=$3
command -v valgrind >/dev/null || {
	echo "FAIL: no program 'valgrind': apt-get install valgrind"
	exit 1
}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

read -r word errors settings <"$expect" && [ "$word" = errors ] || exit 1
# Valgrind must not put its own malloc in the place of ours.
# shellcheck disable=SC2086  # several NAME=VALUE words
env $settings LD_PRELOAD="$library" valgrind --soname-synonyms=somalloc=nouserintercepts \
	--leak-check=full --show-leak-kinds=definite,indirect,possible --num-callers=20 \
	--errors-for-leak-kinds=definite --read-inline-info=yes \
	"$program" >"$tmp/stdout" 2>"$tmp/stderr"
status=$?
sed 's/^==[0-9]*== \{0,1\}//' "$tmp/stderr" >"$tmp/report"
failures=0

# complain WHAT...
complain()
{
	echo "FAIL: $*"
	failures=1
}

[ $status = 0 ] || complain "ended with status $status"
grep -q "^ERROR SUMMARY: $errors errors" "$tmp/report" ||
	complain "expected $errors errors: $(grep 'ERROR SUMMARY' "$tmp/report")"
line=0
tail -n +2 "$expect" >"$tmp/expect"
while IFS= read -r pattern; do
	case $pattern in
	-*)
		grep -Eq -e "${pattern#-}" "$tmp/report" && complain "has a line: ${pattern#-}"
		continue
		;;
	esac
	found=$(tail -n "+$((line + 1))" "$tmp/report" | grep -En -m 1 -e "$pattern" | cut -d: -f1)
	if [ -n "$found" ]; then
		line=$((line + found))
	else
		complain "no line behind line $line matches: $pattern"
	fi
done <"$tmp/expect"

[ $failures = 0 ] || cat -n "$tmp/report"
exit $failures
