#!/bin/bash
# A memory cgroup of 64 MiB, v1 or v2: the kernel kills and does not refuse, so what counts is that
# freed memory is given back, and that the limit is known. Phases that need 30 MiB each, all of
# other sizes, stay alive; one that needs 200 MiB is killed, which shows that the limit is in force.
set -u
library=$1
work=$2/hostile_memory_cgroup_work
limit=$((64 << 20))

# make_group: sets group, or says in one line why there is none.
make_group()
{
	if [ -w /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
		group=/sys/fs/cgroup/memory/stitch-test.$$
		mkdir "$group" 2>/dev/null &&
			echo $limit 2>/dev/null >"$group/memory.limit_in_bytes" && return
	elif [ -w /sys/fs/cgroup/cgroup.subtree_control ]; then
		group=/sys/fs/cgroup/stitch-test.$$
		echo +memory 2>/dev/null >/sys/fs/cgroup/cgroup.subtree_control
		mkdir "$group" 2>/dev/null && [ -w "$group/memory.max" ] &&
			echo $limit 2>/dev/null >"$group/memory.max" && return
	fi
	rmdir "${group:-/nonexistent}" 2>/dev/null
	echo "memory_cgroup: no writable memory cgroup here: nothing was tested"
	return 1
}

# The members of a group of its own end before it can go; the shell itself never joins.
inside()
{
	bash -c 'echo $$ >"$1/cgroup.procs" || exit 99; shift; exec "$@"' - "$group" "$@"
}

make_group || exit 0
swap=$group/memory.swap.max
[ -w "$swap" ] && echo 0 >"$swap"
trap 'rmdir "$group" 2>/dev/null || { sleep 1; rmdir "$group"; }' EXIT
inside env LD_PRELOAD="$library" "$work" fit
status=$?
[ $status -eq 0 ] || { echo "30 MiB at a time in 64 MiB: status $status" >&2; exit 1; }
# retain= is by default a sixteenth of the limit.
inside env LD_PRELOAD="$library" STITCH_CONF=help=1 true 2>&1 |
	grep -q '^retain=4M  (default 4M;' || {
	echo "the limit of 64 MiB was not found" >&2
	exit 1
}
inside env LD_PRELOAD="$library" "$work" burst 2>/dev/null
status=$?
if [ $status -ne 137 ]; then
	[ "$(wc -l </proc/swaps)" -gt 1 ] || { echo "200 MiB in 64: status $status" >&2; exit 1; }
	echo "memory_cgroup: the machine swaps: the limit was not seen to kill"
fi

# A cache that would not fit gives way to the limit; one without a shrinker does not.
inside env LD_PRELOAD="$library" STITCH_CONF=background_thread=1,retain=1M "$work" cache
status=$?
[ $status -eq 0 ] || { echo "75 MiB of a cache in 64: status $status" >&2; exit 1; }
inside env LD_PRELOAD="$library" STITCH_CONF=background_thread=1,retain=1M "$work" cache without \
	2>/dev/null
status=$?
if [ $status -ne 137 ] && [ "$(wc -l </proc/swaps)" -le 1 ]; then
	echo "75 MiB kept in 64: status $status" >&2
	exit 1
fi
