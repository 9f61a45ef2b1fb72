#!/bin/sh
# slow_fork.sh LIBRARY PROGRAMS: the fork programs for longer: stdio's locks for 30 s, the others
# 15 s each. STRESS_SECONDS in the environment stands for all; ctest needs a --timeout to match.
set -u
library=$1 programs=$2
given=${STRESS_SECONDS-}
failures=0

# run SECONDS NAME
run()
{
	STRESS_SECONDS=${given:-$1} LD_PRELOAD=$library "$programs/hostile_$2" && return
	echo "FAIL: $2"
	failures=$((failures + 1))
}

run 30 fork_stdio
for name in raw generations handlers spawn crowd waits from_threads; do
	run 15 fork_$name
done
exit $((failures != 0))
