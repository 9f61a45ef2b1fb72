#!/bin/bash
# resize.sh [-n ROUNDS] [-q] [BUILD-TREE]: what growing large blocks takes (bench/resize), and the
# compressor of the kernel's lecture in three ways (bench/compressor), on glibc's malloc, ours,
# jemalloc, mimalloc and tcmalloc. Each ROUNDS times (3), the allocators by turns. Prints tables,
# with medians; writes what the programs printed into BUILD-TREE/resize. -q: one short round, to
# see whether it works. About 7 minutes for a round.
set -euo pipefail
cd "$(dirname "$0")/.."

. bench/shared/tables.sh
rounds=3 times=10 text=100
while getopts n:q option; do
	case $option in
	n) rounds=$OPTARG ;;
	q) rounds=1 times=2 text=10 ;;
	*) die "usage: resize.sh [-n ROUNDS] [-q] [BUILD-TREE]" ;;
	esac
done
shift $((OPTIND - 1))
[ "$rounds" -ge 1 ] 2>/dev/null || die "-n needs a number of rounds"
build=$(realpath "${1:-build/release}")
out=$build/resize
allocators='stitchmalloc glibc jemalloc mimalloc tcmalloc'
scenarios='steps blocked copied append list vector'
ways='whole pages working'
[ -x "$build/bench/compressor" ] || die "apt-get install libzstd-dev, and build again"
need resize compressor
mkdir -p "$out"
rm -f "$out"/*.txt

for round in $(seq "$rounds"); do
	for name in $allocators; do
		echo "round $round: $name" >&2
		for scenario in $scenarios; do
			measure "$scenario" "$name" resize "$scenario" --rounds "$times"
		done
		for way in $ways; do
			measure "compressor.$way" "$name" compressor "$way" --mib "$text"
		done
	done
done

number='\([0-9.]*\)'
heading 'ms of a round, the first'
for scenario in $scenarios; do row "$scenario" "$scenario" "first ms: $number"; done
heading 'ms of a round, the median'
for scenario in $scenarios; do row "$scenario" "$scenario" "ms: $number"; done
heading 'moves in a round'
for scenario in $scenarios; do row "$scenario" "$scenario" "moves: $number"; done
heading 'compressor, ms'
for way in $ways; do row "compressor.$way" "$way" "ms: $number"; done
