#!/bin/sh
# Each installed header compiles alone, as C99, C17 and C++17, and without a warning (kernel*.h and
# module.h as GNU C only); uses_lists.c, which has all macros of some, runs as each of them.
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
	for language in "c c99" "c c17" "c++ c++17"; do
		# shellcheck disable=SC2086  # two words
		compile $language "$folder/alone.c" -fsyntax-only
	done
done
for source in "$here"/uses_*.c; do
	for language in "c c99" "c c17" "c++ c++17"; do
		# shellcheck disable=SC2086  # two words
		compile $language "$source" -pthread -o "$folder/uses"
		"$folder/uses"
	done
done
