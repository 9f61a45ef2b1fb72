#!/bin/sh
# slow_background.sh LIBRARY PROGRAMS: the programs of fork, threads and signals beside the
# background thread, which has work all the time. STRESS_SECONDS in the environment is for each;
# ctest needs a --timeout to match.
set -u
library=$1 programs=$2
STRESS_SECONDS=${STRESS_SECONDS:-4}
export STRESS_SECONDS
failures=0

for options in retain=1M,decay_ms=0 retain=8M,decay_ms=50; do
	for name in fork_stdio fork_raw fork_generations fork_handlers fork_spawn fork_crowd \
		fork_waits fork_from_threads signals background; do
		STITCH_CONF=background_thread=1,$options LD_PRELOAD=$library \
			"$programs/hostile_$name" && continue
		echo "FAIL: $name with $options"
		failures=$((failures + 1))
	done
done
exit $((failures != 0))
