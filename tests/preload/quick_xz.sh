#!/bin/bash
# xz -T2: two threads that compress and decompress blocks of a real archive.
. "$(dirname "$0")/lib.sh"
begin "$@"
need xz xz-utils
need tar tar

work()
{
	run xz -T2 -2 --block-size=2MiB -c "$TMP/archive.tar" >archive.xz &&
		run xz -T2 -dc archive.xz >again.tar &&
		run xz -T2 -t -v archive.xz 2>/dev/null &&
		cmp "$TMP/archive.tar" again.tar &&
		rm again.tar &&
		head -c 2000000 "$TMP/archive.tar" | run xz -9e -T1 -c >small.xz
}

# The same bytes on both sides; the files are the machine's own.
tar -cf "$TMP/archive.tar" --sort=name -C / usr/include usr/share/perl 2>/dev/null
truncate -s 24M "$TMP/archive.tar" || fail "no archive to compress"
took_effect xz --version
both work
not_empty archive.xz small.xz
same archive.xz small.xz
end "same compressed bytes at -2 -T2 and -9e, and the archive again after -d -T2"
