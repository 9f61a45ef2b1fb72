#!/bin/sh
# injected.sh for every n.
STRESS_SECONDS=${STRESS_SECONDS:-60} exec "${0%/*}/injected.sh" "$@"
