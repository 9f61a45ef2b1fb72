#!/bin/sh
# test_launcher.sh BUILD: every promise of `stitchmalloc --help`, against a small library of our
# own in place of the real one, so that a failure here is the launcher's.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset LD_PRELOAD STITCH_CONF
failures=0

# expect STATUS TEXT COMMAND...: both its outputs together must hold TEXT.
expect()
{
	status=$1 text=$2
	shift 2
	output=$("$@" 2>&1)
	got=$?
	case $output in *"$text"*) found=yes ;; *) found=no ;; esac
	[ "$got" = "$status" ] && [ $found = yes ] && return
	echo "FAIL: $*: status $got, expected $status and the text: $text"
	echo "$output" | sed 's/^/    /'
	failures=$((failures + 1))
}

mkdir -p "$tmp/bin" "$tmp/lib" "$tmp/other"
cp "$1/stitchmalloc" "$tmp/bin/"
stitchmalloc=$tmp/bin/stitchmalloc
build()
{
	gcc -w -x c - "$@" || { echo "gcc is needed: apt-get install gcc libc6-dev"; exit 1; }
}
echo 'int answer;' | build -shared -fPIC -o "$tmp/other/libstitchmalloc.so"
echo 'int main(void) { return 0; }' | build -static -o "$tmp/static"
printf '#!/bin/sh\nexit 7\n' >"$tmp/seven" && chmod +x "$tmp/seven"
echo text >"$tmp/text"
# shellcheck disable=SC2016  # expanded by the program
show='echo "$LD_PRELOAD|$STITCH_CONF|$*"'

expect 2 'no command' "$stitchmalloc"
expect 2 'unknown command start' "$stitchmalloc" start
expect 0 'usage: stitchmalloc run' "$stitchmalloc" --help
expect 0 'stitchmalloc 0.' "$stitchmalloc" --version
# shellcheck disable=SC2016
for command in --help --version 'report 1'; do
	expect 125 'standard output: No space' sh -c '"$0" $1 >/dev/full' "$stitchmalloc" "$command"
done
expect 2 'run what?' "$stitchmalloc" run
expect 2 'run what?' "$stitchmalloc" run --
expect 2 '-o needs KEY=VALUE' "$stitchmalloc" run -o
expect 2 '-o needs KEY=VALUE' "$stitchmalloc" run -o stats true
expect 2 'option --lib' "$stitchmalloc" run --lib
expect 2 'option -x' "$stitchmalloc" run -x -- true

# Where the library is found: beside the program, else in ../lib, else where --lib says.
real=$tmp/other/libstitchmalloc.so
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$1/CMakeCache.txt")
[ -e "$prefix/lib/libstitchmalloc.so" ] || expect 125 'is not in' "$stitchmalloc" run true
expect 125 'check the path after --lib' "$stitchmalloc" run --lib "$tmp/none.so" true
expect 0 "$real||" "$stitchmalloc" run --lib "$real" -- sh -c "$show"
expect 0 "$real||" "$stitchmalloc" run --lib="$real" sh -c "$show"
cp "$real" "$tmp/lib/"
expect 0 "$tmp/lib/libstitchmalloc.so||" "$stitchmalloc" run sh -c "$show"
cp "$real" "$tmp/bin/"
expect 0 "$tmp/bin/libstitchmalloc.so||" "$stitchmalloc" run sh -c "$show"
ln -s "$stitchmalloc" "$tmp/link"
expect 0 "$tmp/bin/libstitchmalloc.so||" "$tmp/link" run sh -c "$show"
mkdir "$tmp/a b" && cp "$real" "$tmp/a b/"
expect 125 'cannot hold a path' "$stitchmalloc" run --lib "$tmp/a b/libstitchmalloc.so" true

mkdir "$tmp/a,b"
expect 2 'cannot hold a comma' sh -c 'cd "$1" && exec "$2" run --leaks --log=out true' sh \
	"$tmp/a,b" "$stitchmalloc"

# What the program sees.
library=$tmp/bin/libstitchmalloc.so
expect 0 "$library|a=1,b=2|x y -o z" "$stitchmalloc" run -o a=1 -ob=2 -- sh -c "$show" sh x y -o z
expect 0 "$real:$library|c=3,a=1|" env LD_PRELOAD="$real" STITCH_CONF=c=3 \
	"$stitchmalloc" run -o a=1 sh -c "$show"
expect 0 "$library||" env LD_PRELOAD= STITCH_CONF= "$stitchmalloc" run sh -c "$show"
expect 7 '' "$stitchmalloc" run "$tmp/seven"
expect 127 'no-such-program: program not found' "$stitchmalloc" run no-such-program
expect 127 '/none: program not found' "$stitchmalloc" run "$tmp/none"
expect 126 'text: cannot be executed' "$stitchmalloc" run "$tmp/text"
expect 126 'text: cannot be executed' env PATH="$tmp" "$stitchmalloc" run text

# Programs that the dynamic linker does not preload for.
expect 0 'statically linked' "$stitchmalloc" run "$tmp/static"
expect 0 'statically linked' env PATH="/nowhere:$tmp" "$stitchmalloc" run static
privileged=/bin/mount
if [ "$(id -u)" = 0 ]; then
	privileged=$tmp/mount
	cp /bin/mount "$privileged" && chown 1 "$privileged" && chmod u+s "$privileged"
fi
expect 0 'set-user-ID' "$stitchmalloc" run "$privileged" --version
output=$($stitchmalloc run true 2>&1)
[ -z "$output" ] || { echo "FAIL: not silent: $output"; failures=$((failures + 1)); }

echo "test_launcher: $failures failures"
[ $failures = 0 ]
