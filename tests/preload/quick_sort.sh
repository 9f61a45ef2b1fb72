#!/bin/bash
# sort --parallel=2: in memory, through temporary files and a compressor, with keys; then a check.
. "$(dirname "$0")/lib.sh"
begin "$@"
need sort coreutils
need gzip gzip
need awk mawk

SORT=(sort --parallel=2)

work()
{
	run "${SORT[@]}" -S 200M "$TMP/input" >memory &&
		run "${SORT[@]}" -S 4M --compress-program=gzip -k3,3n -k1,1r "$TMP/input" >files &&
		run "${SORT[@]}" -u -t: -k2,2 "$TMP/input" >unique &&
		run "${SORT[@]}" -r "$TMP/input" | tac >back &&
		run "${SORT[@]}" -m memory back | md5sum >merged &&
		run "${SORT[@]}" -c memory && rm back
}

awk 'BEGIN {
	x = 1
	for (i = 0; i < 400000; i++) {
		x = (x * 16807) % 2147483647
		word = substr("abcdefghijklmnop", x % 16 + 1)
		printf "%s%d:%d word%d %d\n", word, x, x % 5000, x % 997, i * 31 % 10007
	}
}' >"$TMP/input"
took_effect sort --version
both work
not_empty memory files unique merged
same memory files unique merged
end "same order of 400,000 lines: in memory, by keys through temporary files, unique, merged"
