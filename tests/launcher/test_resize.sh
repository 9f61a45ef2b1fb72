#!/bin/sh
# test_resize.sh BUILD: bench/resize grows what it says it grows, on the allocator that is
# preloaded, and refuses what it does not know.
set -eu
build=$1
resize=$build/bench/resize

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

for scenario in steps blocked copied append list vector; do
	text=$(LD_PRELOAD=$build/libstitchmalloc.so "$resize" $scenario --rounds 1) ||
		fail "$scenario"
	echo "$text" | grep -q '^allocator: .*/libstitchmalloc\.so' ||
		fail "$scenario: not on ours: $text"
	echo "$text" | grep -Eq '^ms: [0-9]+\.[0-9]+$' || fail "$scenario: no time: $text"
done
echo "$text" | grep -qx 'moves: 16.0' || fail "vector moves at each doubling: $text"
LD_PRELOAD=$build/libstitchmalloc.so "$resize" steps --rounds 1 | grep -qx 'moves: [0-9].0' ||
	fail 'a block with nothing behind it moves at nearly every step'
"$resize" --help | grep -q '^usage: resize' || fail 'no help'
for arguments in '' 'nothing' 'steps --rounds' 'steps --rounds 0' 'steps --seed 1'; do
	# shellcheck disable=SC2086  # several words
	"$resize" $arguments >/dev/null 2>&1 && fail "accepted: $arguments"
done
exit 0
