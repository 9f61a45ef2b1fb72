#!/bin/sh
# Each installed header compiles alone, as C99, GNU C17 and C++17, and without a warning (kernel*.h
# and module.h as GNU C only); uses_lists.c, which has all macros of some, runs as each of them, and
# with the kernel's names.
# usage: test_headers.sh INCLUDE-FOLDER
set -eu
include=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# compile LANGUAGE STANDARD FILE ARGUMENT...
compile()
{
	compiler=${CC:-cc}
	[ "$1" = c ] || compiler=${CXX:-c++}
	language=$1 standard=$2 file=$3
	shift 3
	"$compiler" -x "$language" "-std=$standard" -O2 -Wall -Wextra -Wshadow -Wcast-qual \
		-Wpedantic -Wundef -Wvla -Werror -I "$include" "$@" "$file"
}

for header in "$include"/stitch/*.h; do
	name=$(basename "$header")
	echo "#include <stitch/$name>" >"$folder/alone.c"
	compile c gnu17 "$folder/alone.c" -Wno-pedantic -fsyntax-only
	case $name in kernel*.h | module.h) continue ;; esac
	compile c c99 "$folder/alone.c" -fsyntax-only
	compile c++ c++17 "$folder/alone.c" -fsyntax-only
done
for source in "$here"/uses_*.c; do
	for language in "c c99" "c c17" "c++ c++17"; do
		# shellcheck disable=SC2086  # two words
		compile $language "$source" -pthread -o "$folder/uses"
		"$folder/uses"
	done
	# The same with the kernel's names, but for those that the kernel has not.
	sed -e 's/\bstitch_\([a-z_]*_validate\)/STITCH!\1/g; s/\bstitch_//g; s/\bSTITCH_//g' \
		-e 's/STITCH!/stitch_/g; s|<stitch/[a-z_]*\.h>|<stitch/kernel.h>|' \
		"$source" >"$folder/kernel.c"
	compile c gnu17 "$folder/kernel.c" -Wno-pedantic -pthread -o "$folder/uses"
	"$folder/uses"
done
# Whatever a kernel's name of a list means is there. (Those of trees are made by macros.)
sed -n 's/^#define [^ ]* \(stitch_[a-z0-9_]*\|STITCH_[A-Z0-9_]*\).*/\1/p' \
	"$include/stitch/kernel_lists.h" >"$folder/meant"
[ -s "$folder/meant" ]
while read -r name; do
	grep -qwr --exclude='kernel*.h' "$name" "$include/stitch" ||
		{ echo "there is no $name"; exit 1; }
done <"$folder/meant"
