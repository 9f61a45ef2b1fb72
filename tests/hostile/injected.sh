#!/bin/bash
# strace makes the n-th call of a kind, and all later ones, fail: whatever moment it is, the
# threaded workload gets NULL and ENOMEM where it gets no memory, keeps its data, and ends
# with 0. In the quick set some n, each with another error; with STRESS_SECONDS set every n until
# no call is left to fail. A call that fails before main is the loader's business, if it says so.
set -u
library=$1
work=$2/hostile_exhausted_work
step=${STRESS_SECONDS:+1}
step=${step:-4}
last=${STRESS_SECONDS:+120}
last=${last:-40}
errors=(ENOMEM EPERM ENOSYS EAGAIN EINVAL)
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

need()
{
	command -v "$1" >/dev/null || { echo "no program '$1': apt-get install $2" >&2; exit 1; }
}
need strace strace

# traced WHAT...: with one more option for strace
traced()
{
	timeout -k 5 60 strace -f -qq -o "$out/trace" -E LD_PRELOAD="$library" "$@" "$work" work \
		>"$out/stdout" 2>"$out/stderr" </dev/null
}

# boot_of CALL: how many of these the loader has made when the heap reserves its window.
boot_of()
{
	traced -e "trace=mmap,$1" || {
		echo "strace cannot trace the workload here: $(tail -n 2 "$out/stderr")" >&2
		exit 1
	}
	sed '/PROT_NONE.*MAP_NORESERVE/q' "$out/trace" | grep -cE " (${1//,/|})\("
	return 0
}

nr_runs=0 nr_loader=0
for call in mmap munmap mremap madvise process_madvise mprotect mmap,mprotect,munmap,madvise; do
	first=$(boot_of $call) || exit 1
	[ $first -gt 0 ] || first=1
	for ((n = first; n < first + last; n += step)); do
		for when in "$n+" "$n"; do
			error=${errors[(n / step + nr_runs) % 5]}
			traced -e "trace=$call" -e "inject=$call:error=$error:when=$when"
			status=$?
			nr_runs=$((nr_runs + 1))
			if [ $status -ne 0 ] && ! grep -qx started "$out/stdout" &&
				grep -qE 'error while loading shared|cannot (map|enable|allocate)' \
					"$out/stderr"; then
				nr_loader=$((nr_loader + 1))
				continue
			fi
			[ $status -eq 0 ] && ! grep -qv 'cannot be preloaded' "$out/stderr" &&
				continue
			echo "$call fails with $error, when=$when: status $status" >&2
			tail -n 5 "$out/stderr" >&2
			exit 1
		done
		# Nothing was left to fail, nor will be.
		grep -q INJECTED "$out/trace" || break
	done
done
[ $nr_runs -gt $((2 * nr_loader)) ] || {
	echo "of $nr_runs runs $nr_loader ended in the loader" >&2
	exit 1
}
