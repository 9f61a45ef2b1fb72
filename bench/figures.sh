#!/bin/sh
# figures.sh [BUILD-TREE]: the tables of bench/README.md, measured anew. glibc, jemalloc, mimalloc
# and tcmalloc stand beside ours; all are loaded by LD_PRELOAD into the same programs.
# Counts instructions, memory and maps, but no time: nothing else on the machine disturbs it.
set -eu

build=${1:-build/release}
libraries=/usr/lib/x86_64-linux-gnu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
	echo "figures.sh: $*" >&2
	exit 1
}

# A column: NAME LIBRARY PACKAGE; an empty library is glibc's own malloc.
measure() {
	[ -z "$2" ] || [ -e "$2" ] || die "$2 is missing: apt-get install $3"
	echo "$1" >>"$work/names"
	for program in fastpath_fastpath figures_footprint; do
		LD_PRELOAD=$2 "$build/tests/$program" --report
	done | sed -nE 's/^(.*[^ ]) {2,}(-?[0-9.]+) +[0-9]+$/\1|\2/p' |
		sed -E 's/ \([0-9]+\)//' >"$work/$1"
}

measure stitchmalloc "$build/libstitchmalloc.so" "nothing, but build it"
measure glibc "" libc6
measure jemalloc "$libraries/libjemalloc.so.2" libjemalloc2
measure mimalloc "$libraries/libmimalloc.so.2" libmimalloc2.0
measure tcmalloc "$libraries/libtcmalloc_minimal.so.4" libtcmalloc-minimal4

cd "$work"
# shellcheck disable=SC2046 # one word a name
set -- $(cat names)
printf '| |'
printf ' %s |' "$@"
printf '\n|---|'
printf -- '---:|%.0s' "$@"
echo
cut -d'|' -f1 stitchmalloc | while read -r row; do
	printf '| %s |' "$row"
	for name in "$@"; do
		printf ' %s |' "$(awk -F'|' -v row="$row" '$1 == row { print $2 }' "$name")"
	done
	echo
done
