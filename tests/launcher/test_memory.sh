#!/bin/bash
# test_memory.sh BUILD: bench/phases and bench/server_day count what they say they count: a heap of
# known size is built and given back, the day's work is the same under every malloc, and the curves
# can be drawn. No figure of an allocator is judged here.
set -u
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
build=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
ours=$build/libstitchmalloc.so
phases=$build/bench/phases
day=$build/bench/server_day

# number NAME FILE: what follows NAME there.
number()
{
	sed -n "s/^$1\([-+0-9.]*\).*/\1/p" "$2"
}

# between LOW NUMBER HIGH WHAT
between()
{
	awk -v low="$1" -v x="$2" -v high="$3" \
		'BEGIN { exit !(x != "" && x + 0 >= low && x + 0 <= high) }' ||
		fail "$4: '$2' is not from $1 to $3"
}

echo "phases: a heap of 64 MiB is built, and blocks that glibc maps one by one go back"
for library in "" "$ours"; do
	LD_PRELOAD=$library "$phases" --mib 64 --cycles 2 --quiet 0 4M-8M >built || fail "phases"
	line='^phase [12]\.1: 4194304-8388608 bytes, 1[0-6] blocks, live 64 MiB,'
	[ "$(grep -c "$line" built)" = 2 ] ||
		fail "phases: $(cat built)"
	between 64 "$(number 'phase 1.1: .*built ' built)" 66 "built"
	between 64 "$(number 'peak: ' built)" 130 "peak"
	grep -q "^allocator: ${library:-.*/libc\.so\.6}\$" built || fail "$(cat built)"
done
MALLOC_MMAP_THRESHOLD_=1000000 "$phases" --mib 64 --quiet 1 4M-8M >built
between 0 "$(number 'phase 1.1: .*freed ' built)" 1 "freed"
between 0 "$(number 'end: ' built)" 1 "end"
[ "$(grep -c '^quiet 1 s: [0-9.]* MiB$' built)" = 1 ] || fail "quiet: $(cat built)"

echo "phases: two phases, both ways"
LD_PRELOAD=$ours "$phases" --mib 8 --second --quiet 0 >there || fail "second"
LD_PRELOAD=$ours "$phases" --mib 8 --second --reverse --quiet 0 >back || fail "reverse"
sizes() { sed -n 's/^phase 1\.\([0-9]: [0-9-]*\) .*live 8 MiB.*/\1/p' "$1" | tr '\n' ' '; }
[ "$(sizes there)" = "1: 16-8192 2: 65536-8388608 " ] || fail "second: $(cat there)"
[ "$(sizes back)" = "1: 65536-8388608 2: 16-8192 " ] || fail "reverse: $(cat back)"
# As many bytes in each doubling of 16..8192: 8 MiB of them have some 84,000 blocks.
between 75000 "$(number 'phase 1.1: .* bytes, ' there)" 93000 "blocks of 16-8192"
grep -q '^figures: cpu_s=[0-9.]* wall_s=[0-9.]* faults=[0-9]* peak_kib=[0-9]*$' there ||
	fail "no figures"

echo "server_day: the same work everywhere"
work="--operations 40000 --mib 16 --seconds 0"
for name in libc ours; do
	library=
	[ $name = libc ] || library=$ours
	# shellcheck disable=SC2086  # several words
	LD_PRELOAD=$library "$day" $work --csv $name.csv --svg $name.svg --name "$name" \
		>$name.day || fail "server_day: $name"
	cut -d, -f1,2 $name.csv | grep -v '^#' >$name.live
	cmp libc.live $name.live || fail "$name: other live bytes"
done
[ "$(wc -l <libc.live)" = 513 ] || fail "csv: $(wc -l libc.live)"
head -n 1 libc.live | grep -qx 'day,live_bytes' || fail "csv: $(head -n 3 libc.live)"
tail -n 1 libc.live | grep -q '^1\.000000,' || fail "csv: $(tail -n 1 libc.live)"
awk -F, '!/^[#d]/ && $3 >= $2 { n++ } END { exit n < 500 }' libc.csv ||
	fail "less is resident than is live"
most=$(awk -F, 'NR > 1 && $2 > most { most = $2 } END { print most / 1048576 }' libc.live)
between 10 "$most" 30 "the highest live MiB, of 16"
# shellcheck disable=SC2086
"$day" $work --seed 2 --csv other.csv >/dev/null
cmp -s other.csv libc.csv && fail "another seed, but the same day"
for line in 'end live MiB: ' 'end ratio: ' 'last quarter max: ' 'last quarter mean: ' \
	'last quarter slope: ' 'third quarter mean: ' 'peak KiB: ' 'faults: '; do
	between -100 "$(number "$line" ours.day)" 1000000 "$line"
done
grep -Eqx 'rising: (yes|no)' ours.day || fail "rising: $(cat ours.day)"

echo "server_day: waits when it is done too soon; one thread; a heap without waves"
"$day" --operations 2000 --mib 1 --seconds 1 --threads 1 --swing 0 --drift 1 >short || fail "short"
between 1 "$(number 'wall s: ' short)" 100 "wall"

echo "curves"
expect 0 '' "$build/bench/replay" --plot both.svg --title 'a day' libc.csv other=ours.csv
/usr/bin/python3 - ours.svg both.svg <<'EOF' || fail "the drawings"
import sys
import xml.etree.ElementTree as tree
for name, curves in zip(sys.argv[1:], (1, 2)):
    svg = tree.parse(name).getroot()
    paths = [p for p in svg.iter("{http://www.w3.org/2000/svg}path") if len(p.get("d")) > 2000]
    texts = [t.text for t in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert len(paths) == curves + 1 and "percent of the day" in texts, (name, len(paths), texts)
    assert "100" in texts, texts
EOF
echo 'day,live_bytes,rss_bytes
1.5,1,1' >broken.csv
expect 1 'not a CSV file' "$build/bench/replay" --plot no.svg broken.csv

echo "refusals"
expect 2 '16-?' "$phases" 16-
expect 2 '8K-4K?' "$phases" 8K-4K
expect 2 '--mib?' "$phases" --mib
expect 2 '--mbi?' "$phases" --mbi 3
expect 2 '--threads?' "$day" --threads 0
expect 2 '--seconds?' "$day" --seconds
expect 2 '--days?' "$day" --days 3
echo "test_memory: all well"
