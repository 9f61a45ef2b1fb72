#!/bin/bash
# test_record.sh BUILD: `stitchmalloc record` sees every call of a threaded program, whatever the
# program does to its descriptors and however it ends; bench/replay makes the same calls again,
# draws curves, and says what is wrong with a broken trace.
set -u
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
here=$(cd "$(dirname "$0")" && pwd)
build=$1
. "$here/lib.sh"
record() { "$build/stitchmalloc" record "$@"; }
replay=$build/bench/replay

# number NAME FILE: from lines `NAME: number`.
number()
{
	sed -n "s/^$1: \([0-9]*\).*/\1/p" "$2"
}

gcc -O1 -fno-builtin -pthread "$here/record_work.c" -o work ||
	fail "gcc is needed: apt-get install gcc libc6-dev"

# same_calls A B: the calls of A less those of B are what A's program counted.
same_calls()
{
	local kind

	for kind in malloc calloc aligned realloc free bytes; do
		[ $(($(number $kind "$1.seen") - $(number $kind "$2.seen"))) = \
			$(($(number $kind "$1.made") - $(number $kind "$2.made"))) ] ||
			fail "$1: $kind: $(grep -h "^$kind:" "$1.made" "$1.seen" "$2.seen")"
	done
}

echo "every call is recorded"
for run in base: full: closed:close killed:kill; do
	name=${run%%:*}
	rounds=3000
	[ "$name" = base ] && rounds=0
	# shellcheck disable=SC2086  # no word or one
	record -o $name.trace -- ./work $rounds ${run#*:} >$name.made 2>$name.stderr
	status=$?
	[ $status = 0 ] || { [ "$name" = killed ] && [ $status = 137 ]; } || fail "$name: $status"
	grep -v ': line .* Killed ' "$name.stderr" && fail "$name: not silent"
	"$replay" --check "$name.trace" >"$name.seen" || exit 1
	[ "$name" = base ] || same_calls "$name" base
done
[ "$(number threads full.seen)" = 2 ] || fail "threads: $(number threads full.seen)"
[ "$(number 'of another thread.s' full.seen)" -gt 0 ] || fail "no free of another thread's block"
[ "$(number malloc full.made)" = 12000 ] || fail "the program does something else"
# 3 MiB of calls at 2 to 3 bytes.
[ "$(stat -c %s full.trace)" -lt 400000 ] || fail "large: $(stat -c %s full.trace) bytes"

echo "a forked child's file has what it inherited and what it did"
child=$(echo full.trace.*)
[ -e "$child" ] || fail "not one file of a child: $child"
"$replay" --check "$child" >child.seen || exit 1
[ "$(number inherited child.seen)" -ge 100 ] || fail "inherited: $(cat child.seen)"
[ "$(number aligned child.seen)" = 77 ] && [ "$(number free child.seen)" = 177 ] ||
	fail "the child's calls: $(cat child.seen)"

echo "the replay makes the same calls"
for library in "" "$build/libstitchmalloc.so"; do
	LD_PRELOAD=$library record -o again.trace -- "$replay" --csv curve.csv --svg curve.svg \
		--name 'a<b' --samples 50 full.trace >played || fail "replay: $(cat played)"
	"$replay" --check again.trace >again.seen || exit 1
	for kind in aligned realloc; do
		[ "$(number $kind again.seen)" = "$(number $kind full.seen)" ] ||
			fail "$kind: $(grep -h "^$kind" again.seen full.seen)"
	done
	for kind in malloc free bytes calloc; do
		more=$(($(number $kind again.seen) - $(number $kind full.seen)))
		most=8
		[ $kind = bytes ] && most=20000
		[ $more -ge 0 ] && [ $more -le $most ] || fail "$kind: $more more than recorded"
	done
done
LD_PRELOAD=$build/libstitchmalloc.so "$replay" "$child" >played || exit 1
grep -q "^allocator: $build/libstitchmalloc.so$" played || fail "$(cat played)"
echo 'static void *idle(void *arg) { for (;;) pause(); }
__attribute__((constructor)) static void start(void)
{ pthread_t thread; pthread_create(&thread, 0, idle, 0); }' |
	gcc -w -x c -include pthread.h -include unistd.h - -shared -fPIC -o background.so
expect 0 'wall s: ' env LD_PRELOAD="$PWD/background.so" "$replay" full.trace
"$replay" --realtime --touch bytes full.trace >played || exit 1
awk '/^wall s: / { n += $3 < 60 } END { exit n != 1 }' played || fail "$(cat played)"

echo "memory: 64 MiB in blocks of 1 MiB, resident when written to and only then"
cat >big.c <<'EOF'
#include <stdlib.h>
int main(int argc, char **argv)
{
	for (int i = 0; i < 64; i++)
		if (!malloc(1 << 20))
			return 1;
	free(malloc(strtoul(argv[1], NULL, 10) << 20));
	return argc != 2;
}
EOF
gcc -O0 -w big.c -o big && record -o big.trace ./big 136 && "$replay" big.trace >big.played
peak=$(number 'peak KiB' big.played)
[ "$peak" -ge 204800 ] && [ "$peak" -le 210000 ] || fail "peak $peak KiB: $(cat big.played)"
end=$(number 'end KiB' big.played)
[ "$end" -ge 65536 ] && [ "$end" -le 70000 ] || fail "end $end KiB"
[ "$(number 'end live KiB' big.played)" = 65536 ] || fail "live $(grep 'end live' big.played)"
record -o big.trace ./big 5120 && "$replay" --touch none big.trace >big.played
[ "$(number 'peak KiB' big.played)" -le 5000 ] || fail "untouched: $(cat big.played)"
[ "$(number 'peak live bytes' big.played)" -ge $((5184 << 20)) ] || fail "live: $(cat big.played)"

echo "curves"
[ "$(wc -l <curve.csv)" -ge 53 ] || fail "curve.csv has $(wc -l <curve.csv) lines"
expect 0 '' "$replay" --plot both.svg --title 'two & two' curve.csv other=curve.csv
/usr/bin/python3 - curve.svg both.svg <<'EOF' || fail "the drawings"
import sys
import xml.etree.ElementTree as tree
for name, curves in zip(sys.argv[1:], (1, 2)):
    svg = tree.parse(name).getroot()
    paths = [p for p in svg.iter("{http://www.w3.org/2000/svg}path") if len(p.get("d")) > 500]
    texts = "".join(t.text for t in svg.iter("{http://www.w3.org/2000/svg}text"))
    assert len(paths) == curves + 1 and "a<b: at most" in texts, (name, len(paths), texts)
assert "two & two" in texts and "other: at most" in texts
EOF
expect 1 'not a CSV file' "$replay" --plot no.svg "$here/test_record.sh"

echo "limits and refusals"
expect 0 'the limit is reached' record -o small.trace --limit 1 ./work 200000
expect 0 'calls in the' "$replay" --svg /dev/stdout small.trace
[ "$(stat -c %s small.trace)" -le 1048576 ] || fail "small.trace is too large"
expect 2 'record what?' record -o x.trace
expect 2 '-o FILE is missing' record true
expect 2 '--limit needs a number' record -o x.trace --limit 0 true
expect 2 'incomplete option --limit' record -o x.trace --limit
expect 125 'trace /none/x: No such file' record -o /none/x true
expect 125 'check the path after --lib' record -o x.trace --lib ./none.so true
echo kept >x.trace
expect 127 'program not found' record -o x.trace no-such-program
grep -q kept x.trace || fail "the file is empty before there is a program"
expect 3 '' record -o x.trace sh -c 'exit 3'
expect 0 '||' record -o x.trace sh -c 'echo "|$LD_PRELOAD$STITCH_RECORD|"'
expect 0 '|libm.so.6|' env LD_PRELOAD=libm.so.6 "$build/stitchmalloc" record -o x.trace \
	sh -c 'echo "|$LD_PRELOAD|"'

echo "broken traces"
/usr/bin/python3 - <<'EOF' || fail "no broken traces"
import struct
whole = open("full.trace", "rb").read()
open("empty.trace", "wb")
open("header.trace", "wb").write(whole[:4096])
open("cut.trace", "wb").write(whole[:-4096])
open("magic.trace", "wb").write(b"#" + whole[1:])
open("version.trace", "wb").write(whole[:8] + b"\2" + whole[9:])
def chunk(thread, records, ordinal=0):
    return (struct.pack("<IIII", 0x6b6e6843, 4096, thread, ordinal) + records).ljust(4096, b"\0")
def trace(name, *chunks):
    open(name + ".trace", "wb").write(whole[:4096] + b"".join(chunks))
malloc = b"\x11"
trace("kind", chunk(0, malloc + b"\x0f"))
trace("long", chunk(0, malloc + b"\xff" * 20))
trace("half", chunk(0, (malloc * 4079) + b"\x81"))
trace("twice", chunk(0, malloc + b"\x05\x05"))
trace("before", chunk(0, malloc + b"\x15"))
trace("far", chunk(0, malloc + b"\x16\x00"))
trace("nobody", chunk(0, malloc + b"\x06\x07"))
trace("circle", chunk(0, b"\x06\x01" + malloc), chunk(1, b"\x06\x00" + malloc))
trace("ordinal", chunk(0, malloc), chunk(0, malloc, 2))
trace("chunk", chunk(0, malloc), b"nonsense" * 512)
trace("alignment", chunk(0, b"\x13\x3f"))
trace("skipped", chunk(0, malloc), bytes(4096), chunk(0, malloc, 1))
EOF
for run in 'empty:not a trace' 'magic:not a trace' 'version:version 2' 'header:no calls in it' \
	'cut:cut off' 'kind:broken at byte 4113' 'long:broken at byte 4113' \
	'half:broken at byte 8191' 'twice:a second time' 'before:before its first' \
	'far:has none such' 'nobody:has none such' "circle:wait for each other's" \
	'ordinal:where 1 is due' 'chunk:broken at byte 8192' 'alignment:alignment of 2^63'; do
	expect 1 "${run#*:}" "$replay" "${run%%:*}.trace"
done
expect 0 'malloc: 2' "$replay" skipped.trace
expect 1 'No such file' "$replay" none.trace
expect 2 'no trace' "$replay"
echo "test_record: all well"
