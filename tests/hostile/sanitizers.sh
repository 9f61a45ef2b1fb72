#!/bin/bash
# Programs built with AddressSanitizer, LeakSanitizer, ThreadSanitizer and UBSan find under the
# preload what they find without, and print not one line more. The first three have a malloc
# of their own, for which ours steps aside; the fourth works with ours.
. "$(dirname "$0")/../preload/lib.sh"
begin "$1"
need gcc gcc
work=$HERE/../hostile/tools_work.c

# report FAULT: what the program says on both outputs, without what differs between two runs.
report()
{
	run "$TMP/program" "$1" >stdout 2>stderr
	printf 'status %s\n' $?
	cat stdout
	wc -l <stderr
	# The threads of a race come in any order.
	[ "$1" != race ] || sed -i '/^SUMMARY/!d' stderr
	sed -E 's/==[0-9]+==|\(pid=[0-9]+\)//; s/0x[0-9a-f]+/ADDRESS/g; /^ *(=>)?ADDRESS: ?/d
		s/tid=[0-9]+, [a-z]+/tid/' stderr
}

# compare SANITIZER FAULT EXPECTED: the reports are the same, and have the line expected.
compare()
{
	cd "$TMP/run" || exit 1
	SIDE=plain
	report "$2" >"$TMP/plain.report"
	SIDE=under
	report "$2" >"$TMP/under.report"
	cd "$TMP" || exit 1
	if ! cmp -s plain.report under.report; then
		diff plain.report under.report | head -n 20 >&2
		fail "$1, $2: plain (<) and preloaded (>) differ"
	fi
	SIDE=plain
	grep -Eq "$3" plain.report && return
	# No ptrace for LeakSanitizer, an address space that ThreadSanitizer does not know:
	grep -Em 1 'unexpected memory mapping|fatal error|ptrace' plain.report >impossible ||
		fail "$1, $2: no line '$3' even without the preload: $(head -n 5 plain.report)"
	echo "$NAME: this machine does not let $1 find '$2': $(cat impossible)"
}

# faults SANITIZER FAULT...: FAULT=EXPECTED
faults()
{
	local sanitizer=$1 pair

	shift
	gcc -g -O1 -fno-omit-frame-pointer -fno-builtin "-fsanitize=$sanitizer" "$work" \
		-o "$TMP/program" -pthread -w 2>"$TMP/gcc" || fail "gcc: $(cat "$TMP/gcc")"
	for pair in none='^sum ' "$@"; do
		compare "$sanitizer" "${pair%%=*}" "${pair#*=}"
	done
}

mkdir "$TMP/run"
faults address use='^SUMMARY: .*heap-use-after-free' overrun='^SUMMARY: .*heap-buffer-overflow' \
	leak='^SUMMARY: AddressSanitizer: [0-9]+ byte'
faults leak leak='^SUMMARY: LeakSanitizer: [0-9]+ byte'
faults thread use='^SUMMARY: .*heap-use-after-free' race='^SUMMARY: .*data race'
faults undefined leak='^sum '
end "ASan, LSan, TSan and UBSan report the same under the preload"
