#!/bin/sh
# limit_walk.py in steps of 64 MiB.
STRESS_SECONDS=${STRESS_SECONDS:-60} exec "${0%/*}/limit_walk.py" "$@"
