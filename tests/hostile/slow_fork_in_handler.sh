#!/bin/sh
# slow_fork_in_handler.sh LIBRARY PROGRAMS: 10,000 forks in signal handlers.
STRESS_SECONDS=${STRESS_SECONDS:-10} LD_PRELOAD=$1 exec "$2/hostile_fork_in_handler"
