#!/bin/sh
# run_death.sh LIBRARY PROGRAM EXPECT: PROGRAM under the preload must end as the file EXPECT says.
#
# Its first line: `signal NAME` or `exit STATUS`, then perhaps NAME=VALUE words for the
# environment. The other lines: standard error, line by line, each an extended regular
# expression for the whole line.
library=$1 program=$2 expect=$3
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck disable=SC3045  # dash and bash both know it
ulimit -c 0

read -r kind value settings <"$expect" || exit 1
# In the background, because a shell announces the signal that ended a command in front.
# shellcheck disable=SC2086  # several NAME=VALUE words
env $settings LD_PRELOAD="$library" "$program" 2>"$tmp/stderr" >"$tmp/stdout" &
wait $! 2>/dev/null
status=$?
ended="exit $status"
[ $status -gt 128 ] && ended="signal $(kill -l $status)"
failures=0
if [ "$ended" != "$kind $value" ]; then
	echo "FAIL: ended with $ended, expected $kind $value"
	failures=1
fi

tail -n +2 "$expect" >"$tmp/expect"
if [ "$(grep -c '' "$tmp/stderr")" != "$(grep -c '' "$tmp/expect")" ]; then
	echo "FAIL: standard error has another number of lines than $expect"
	failures=1
fi
while read -r line <&3 && read -r pattern <&4; do
	printf '%s\n' "$line" | grep -Eqx -e "$pattern" && continue
	echo "FAIL: does not match: $pattern"
	failures=1
done 3<"$tmp/stderr" 4<"$tmp/expect"

[ $failures = 0 ] || sed 's/^/stderr: /' "$tmp/stderr"
exit $failures
