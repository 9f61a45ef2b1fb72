#!/bin/bash
# replay_traces.sh [-n ROUNDS] [BUILD-TREE [NAME]...]: plays the traces of BUILD-TREE/traces on
# glibc's malloc, ours, jemalloc and mimalloc, prints a table for each (bench/pair: glibc in
# figures, the others in ratios), and draws resident memory into traces/NAME.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=10
[ "${1:-}" != -n ] || { rounds=$2 && shift 2; }
build=$(realpath "${1:-build/release}")
libraries=/usr/lib/x86_64-linux-gnu
replay=$build/bench/replay

die()
{
	echo "replay_traces.sh: $*" >&2
	exit 1
}

[ -x "$replay" ] || die "no $replay: build it first (STITCH_TESTS or STITCH_BENCH)"
[ $# -gt 0 ] && shift
if [ $# = 0 ]; then
	set -- "$build"/traces/*.trace
	[ -e "$1" ] || die "no traces in $build/traces: bench/record_traces.sh $build"
	set -- "${@##*/}"
	set -- "${@%.trace}"
fi

library_of()
{
	case $1 in
	glibc) echo libc ;;
	stitchmalloc) echo "$build/libstitchmalloc.so" ;;
	jemalloc) echo "$libraries/libjemalloc.so.2" ;;
	mimalloc) echo "$libraries/libmimalloc.so.2" ;;
	esac
}

allocators='glibc stitchmalloc jemalloc mimalloc'
[ -e "$(library_of jemalloc)" ] || die "apt-get install libjemalloc2"
[ -e "$(library_of mimalloc)" ] || die "apt-get install libmimalloc2.0"
pairs=$(for name in $allocators; do echo "$name=$(library_of "$name")"; done)

for trace in "$@"; do
	curves=
	# shellcheck disable=SC2086  # one word an allocator
	bench/pair -n "$rounds" --figures --markdown "$trace" \
		--json "$build/traces/$trace.json" $pairs -- "$replay" \
		"$build/traces/$trace.trace"
	for name in $allocators; do
		library=$(library_of "$name")
		curve=$build/traces/$trace.$name.csv
		LD_PRELOAD=${library#libc} "$replay" --name "$name" --csv "$curve" \
			"$build/traces/$trace.trace" >/dev/null
		curves="$curves $curve"
	done
	# shellcheck disable=SC2086
	"$replay" --plot "$build/traces/$trace.svg" --title "$trace: resident memory" $curves
	printf '\ncurves: %s\n\n' "$build/traces/$trace.svg"
done
