#!/bin/bash
# stitch.sh [-n ROUNDS] [-q] [BUILD-TREE]: large blocks in a heap of scattered free pages, on
# glibc's malloc, ours, jemalloc, mimalloc and tcmalloc: bench/stitch with runs of 16, 64 and 256
# KiB and blocks of up to 4, 16 and 64 MiB, the steady state, two threads, and one that only
# computes. Each ROUNDS times (3), the allocators by turns. Prints tables, with medians; writes
# what the programs printed, curves and a drawing into BUILD-TREE/stitch. -q: a small heap, to see
# whether it works. About 5 minutes for a round.
set -euo pipefail
cd "$(dirname "$0")/.."

. bench/shared/tables.sh
rounds=3 heap='--heap 1024' large_sizes='4 16 64' run_sizes='16 64 256' idle=10
while getopts n:q option; do
	case $option in
	n) rounds=$OPTARG ;;
	q) heap='--heap 64 --rounds 8' large_sizes=4 run_sizes=64 idle=1 ;;
	*) die "usage: stitch.sh [-n ROUNDS] [-q] [BUILD-TREE]" ;;
	esac
done
shift $((OPTIND - 1))
[ "$rounds" -ge 1 ] 2>/dev/null || die "-n needs a number of rounds"
build=$(realpath "${1:-build/release}")
out=$build/stitch
allocators='stitchmalloc glibc jemalloc mimalloc tcmalloc'
need stitch replay
mkdir -p "$out"
rm -f "$out"/*.txt "$out"/*.csv "$out"/*.svg

# The issue of the design's own figures: 1 GiB of 16-32 KiB blocks.
narrow='--low 16 --high 32'

# shellcheck disable=SC2086  # several words
for round in $(seq "$rounds"); do
	for name in $allocators; do
		echo "round $round: $name" >&2
		for run in $run_sizes; do
			for large in $large_sizes; do
				measure "mixed.$run.$large" "$name" stitch $heap --run "$run" \
					--large "$large"
			done
		done
		measure narrow.64.16 "$name" stitch $heap $narrow --run 64 --large 16
		measure narrow.256.64 "$name" stitch $heap $narrow --run 256 --large 64
		for large in 1 4 16 64; do
			measure "same.$large" "$name" stitch --same --large "$large" --rounds 200
		done
		measure threads "$name" stitch $heap --run 64 --large 16 --threads 2
		measure beside "$name" stitch $heap --run 64 --large 16 --compute
		measure curve "$name" stitch $heap --run 64 --large 64 --idle "$idle" \
			--name "$name" --csv "$out/curve.$name.$round.csv"
	done
done
curves=
for name in $allocators; do curves="$curves $out/curve.$name.1.csv"; done
# shellcheck disable=SC2086  # one word a curve
"$build/bench/replay" --plot "$out/curve.svg" \
	--title 'A heap is built, half of it freed; large blocks; ten seconds of nothing' $curves

number='\([0-9.]*\)'
# growth FORM NAME: MiB of the peak above what was resident before.
growth()
{
	local name before peak

	printf '| %s |' "$2"
	for name in $allocators; do
		before=$(figure "$1" "$name" "before MiB: $number")
		peak=$(figure "$1" "$name" "peak MiB: $number")
		printf ' %.1f |' "$(awk "BEGIN { print $peak - $before }")"
	done
	echo
}

forms=
for run in $run_sizes; do
	for large in $large_sizes; do forms="$forms mixed.$run.$large"; done
done
forms="$forms narrow.64.16 narrow.256.64"
title()
{
	echo "$1" | sed -E 's/mixed/4-256 KiB/; s/narrow/16-32 KiB/
		s/\.([0-9]+)\.([0-9]+)/, runs of \1 KiB, blocks to \2 MiB/'
}

heading 'ns a page'
for form in $forms; do row "$form" "$(title "$form")" "ns a page: $number"; done
row threads 'two threads' "ns a page: $number"
row curve 'with the curve taken' "ns a page: $number"
for large in 1 4 16 64; do row "same.$large" "steady, $large MiB" "ns a page: $number"; done
heading 'faults a page'
for form in $forms; do row "$form" "$(title "$form")" "faults a page: $number"; done
heading 'MiB before'
for form in $forms; do row "$form" "$(title "$form")" "before MiB: $number"; done
heading 'growth of the peak, MiB'
for form in $forms; do growth "$form" "$(title "$form")"; done
growth threads 'two threads'
heading 'MiB after ten idle seconds'
row curve 'runs of 64 KiB, blocks to 64 MiB' "idle MiB: $number"
heading 'mappings'
row mixed.64."${large_sizes##* }" 'before' "maps before: $number"
row mixed.64."${large_sizes##* }" 'after' "maps after: $number"
heading 'a thread that only computes'
row beside 'its speed, 1: alone' "computes at: $number"
printf '\ncurves: %s\n' "$out/curve.svg"
