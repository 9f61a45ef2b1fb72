#!/bin/bash
# Do the preload tests fail when they should? Runs each of them (or those named) under libraries
# that are broken on purpose, and under a file that is no library; with fault NONE they must pass.
# Takes long; not part of any set. A fault need not reach every program: sort calls malloc less than
# a thousand times, lua calls realloc alone.
#   FAULTS="HELLO NOMEM" selftest.sh quick_sort.sh sweep.py
cd "$(dirname "$0")/.." || exit 1
if ! command -v cc >/dev/null; then
	echo "no program 'cc': apt-get install gcc libc6-dev" >&2
	exit 1
fi
DIR=$(mktemp -d) || exit 1
trap 'rm -rf "$DIR"' EXIT
FAULTS=${FAULTS:-NONE HELLO NOMEM DIRTY SHORT TWICE EXIT NOT_A_LIBRARY}
[ $# -gt 0 ] || set -- quick_*.sh [!ql]*.sh sweep.py
wrong=0

for fault in $FAULTS; do
	if [ "$fault" = NOT_A_LIBRARY ]; then
		echo "not a library" >"$DIR/$fault.so"
	else
		cc -O2 -shared -fPIC -DFAULT="$fault" -o "$DIR/$fault.so" selftest/broken.c ||
			exit 1
	fi
	for test in "$@"; do
		options=()
		# Enough of the sweep to meet every fault.
		[ "$test" != sweep.py ] ||
			options=(--only 'bin/(sort|git|python3|perl|vim.basic|gdb)$')
		if timeout 300 "./$test" "$DIR/$fault.so" "${options[@]}" >"$DIR/out" 2>&1; then
			result=passes
		else
			result="fails: $(grep -m1 FAIL "$DIR/out")"
		fi
		echo "$fault $test $result"
		case "$fault $result" in
		"NONE fails"* | [!N]*passes | NO[!N]*passes) wrong=$((wrong + 1)) ;;
		esac
	done
done
echo "selftest: $wrong faults not noticed, or tests that fail without a fault"
[ $wrong -eq 0 ]
