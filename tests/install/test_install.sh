#!/bin/sh
# test_install.sh BUILD: install into an empty prefix, then use what was installed as a user does:
# by pkg-config, by find_package (shared and static), in a static program and by the launcher.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset LD_PRELOAD

# expect TEXT COMMAND...
expect()
{
	text=$1
	shift
	output=$("$@" 2>&1) || { echo "FAIL: $*: status $?: $output"; exit 1; }
	case $output in *"$text"*) return ;; esac
	echo "FAIL: $*: expected the text: $text"
	echo "$output"
	exit 1
}

cmake --install "$1" --prefix "$tmp/prefix" >"$tmp/log"
libdir=$(dirname "$(find "$tmp/prefix" -name libstitchmalloc.so)")
export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
library=$(realpath "$libdir/libstitchmalloc.so")

echo "pkg-config"
# shellcheck disable=SC2046  # several words
gcc -DUSE_STITCH "$here/consumer.c" -o "$tmp/by-pkg-config" \
	$(pkg-config --cflags --libs stitchmalloc)
expect "malloc is from $library" "$tmp/by-pkg-config"
expect "version $(pkg-config --modversion stitchmalloc)" "$tmp/by-pkg-config"

echo "find_package"
mkdir "$tmp/project"
cp "$here/consumer.c" "$tmp/project/"
cat >"$tmp/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(consumer C)
find_package(stitchmalloc 0.1 REQUIRED)
add_compile_definitions(USE_STITCH)
add_executable(shared consumer.c)
target_link_libraries(shared stitchmalloc::stitchmalloc)
add_executable(static consumer.c)
target_link_libraries(static stitchmalloc::static)
END
cmake -G Ninja -S "$tmp/project" -B "$tmp/build" -DCMAKE_PREFIX_PATH="$tmp/prefix" >>"$tmp/log"
cmake --build "$tmp/build" >>"$tmp/log"
expect "malloc is from $library" "$tmp/build/shared"
expect "malloc is from $tmp/build/static" "$tmp/build/static"

echo "static program"
gcc -static "$here/consumer.c" "$libdir/libstitchmalloc.a" -o "$tmp/all-static" 2>"$tmp/stderr"
cat "$tmp/stderr"
[ ! -s "$tmp/stderr" ]
expect "malloc is from $tmp/all-static" "$tmp/all-static"

echo "schema"
[ -s "$tmp/prefix/share/stitchmalloc/leaks-1.schema.json" ]

echo "launcher"
expect "malloc is from $library" "$tmp/prefix/bin/stitchmalloc" run "$tmp/by-pkg-config"
gcc "$here/consumer.c" -o "$tmp/plain"
expect "/libc.so.6" "$tmp/plain"
expect "malloc is from $library" "$tmp/prefix/bin/stitchmalloc" run "$tmp/plain"
echo "test_install: all well"
