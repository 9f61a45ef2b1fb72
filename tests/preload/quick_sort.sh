#!/bin/bash
# sort --parallel=2: in memory, through temporary files and a compressor, with keys; then a check.
. "$(dirname "$0")/lib.sh"
begin "$@"
need sort coreutils
need gzip gzip
need awk mawk

work()
{
	run sort --parallel=2 -S 200M "$TMP/input" >memory &&
		run sort --parallel=2 -S 4M --compress-program=gzip -k3,3n -k1,1r "$TMP/input" >files &&
		run sort --parallel=2 -u -t: -k2,2 "$TMP/input" >unique &&
		run sort --parallel=2 -m memory <(run sort --parallel=2 -r "$TMP/input" | tac) |
		md5sum >merged &&
		run sort -c memory
}

awk 'BEGIN {
	x = 1
	for (i = 0; i < 400000; i++) {
		x = (x * 16807) % 2147483647
		printf "%s%d:%d word%d %d\n", substr("abcdefghijklmnop", x % 16 + 1), x, x % 5000,
			x % 997, i * 31 % 10007
	}
}' >"$TMP/input"
took_effect sort --version
both work
not_empty memory files unique merged
same memory files unique merged
end "same order of 400,000 lines: in memory, by keys through temporary files, unique, merged"
