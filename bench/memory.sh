#!/bin/bash
# memory.sh [-n ROUNDS] [-q] [BUILD-TREE]: what stays resident, on glibc's malloc, ours, jemalloc,
# mimalloc and tcmalloc: bench/phases in four forms and bench/server_day, each ROUNDS times (1).
# Prints tables, with medians; writes what the programs printed, the curves and a drawing of them
# into BUILD-TREE/memory. -q: small heaps and a short day, to see whether it works.
# A quarter of an hour for a round: the day takes a minute, each quiet time ten seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

. bench/shared/tables.sh
rounds=1 phases_small='' day_small=''
while getopts n:q option; do
	case $option in
	n) rounds=$OPTARG ;;
	q) phases_small='--mib 32 --quiet 2'
		day_small='--operations 500000 --mib 32 --seconds 2' ;;
	*) die "usage: memory.sh [-n ROUNDS] [-q] [BUILD-TREE]" ;;
	esac
done
shift $((OPTIND - 1))
[ "$rounds" -ge 1 ] 2>/dev/null || die "-n needs a number of rounds"
build=$(realpath "${1:-build/release}")
out=$build/memory
allocators='stitchmalloc glibc jemalloc mimalloc tcmalloc'

need phases server_day replay
mkdir -p "$out"
rm -f "$out"/*.txt "$out"/*.csv "$out"/*.svg

# cpu FORM: time of user and system.
cpu()
{
	row "$1" "$2: user+sys, s" 'figures: cpu_s=\([0-9.]*\)' |
		sed -E 's/([0-9]+\.[0-9]{2})[0-9]*/\1/g'
}

for round in $(seq "$rounds"); do
	for name in $allocators; do
		echo "round $round: $name" >&2
		# shellcheck disable=SC2086  # several words or none
		{
			measure mixed "$name" phases $phases_small
			measure cycles "$name" phases --cycles 5 $phases_small
			measure larger "$name" phases --second $phases_small
			measure smaller "$name" phases --second --reverse $phases_small
			measure day "$name" server_day --name "$name" $day_small \
				--csv "$out/day.$name.$round.csv"
		}
	done
done
curves=
for name in $allocators; do curves="$curves $out/day.$name.1.csv"; done
# shellcheck disable=SC2086  # one word a curve
"$build/bench/replay" --plot "$out/day.svg" --title "A day of a server's traffic" $curves

number='\([0-9.]*\)'
heading 'phases, MiB'
row mixed '16 B-1 MiB: built' "phase .*built $number"
row mixed 'freed' "phase .*freed $number"
row mixed 'after the quiet time' "end: $number"
row cycles 'five times: after the quiet time' "end: $number"
row larger '16 B-8 KiB, then 64 KiB-8 MiB: peak over live' "peak over live: $number"
row larger 'after the quiet time' "end: $number"
row smaller '64 KiB-8 MiB, then 16 B-8 KiB: peak over live' "peak over live: $number"
row smaller 'after the quiet time' "end: $number"
cpu mixed 'once'
cpu cycles 'five times'
heading 'server_day'
row day 'resident over live at the end' "end ratio: $number"
row day 'at the last top' "last top: .*ratio $number"
row day 'at the last bottom' "last bottom: .*ratio $number"
row day 'last quarter, highest' "last quarter max: $number"
row day 'last quarter, mean' "last quarter mean: $number"
row day 'the quarter before, mean' "third quarter mean: $number"
row day 'slope of the last quarter' "last quarter slope: \([-+0-9.]*\)"
row day 'peak KiB' "peak KiB: $number"
row day 'faults' "faults: $number"
cpu day 'the day'
printf '\nlive MiB at the end: %s; curves: %s\n' \
	"$(figure day glibc "end live MiB: $number")" "$out/day.svg"
