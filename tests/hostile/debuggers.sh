#!/bin/bash
# Under gdb, strace and rr a preloaded program prints what it prints alone. gdb stops in our malloc,
# finishes it, and, where gdb can call functions, calls it, also amid a slow path of the thread that
# it has stopped.
. "$(dirname "$0")/../preload/lib.sh"
folder=$2
begin "$1"
need gdb gdb
need strace strace
work=$folder/hostile_tools_work
mkdir "$TMP/run"
cd "$TMP/run" || exit 1
SIDE=plain
run "$work" none >expected || fail "the program alone"
SIDE=under

# check TOOL: its run has left the program's output in `stdout`, and nothing in `stderr`.
check()
{
	cmp -s expected stdout || fail "$1: other output: $(head -n 5 stdout)"
	[ ! -s stderr ] || fail "$1: the program says: $(head -n 5 stderr)"
}

# debug COMMAND...: gdb obeys, in the program that has come to fault(). It prints to gdb.log. One
# -ex each: when one fails, and a call that ends at a catchpoint has failed, the next is run.
debug()
{
	local arguments=() command

	for command in 'set confirm off' 'set pagination off' 'set disable-randomization off' \
		"set exec-wrapper env LD_PRELOAD=$preload" 'break fault' \
		'run none >stdout 2>stderr' "$@"; do
		arguments+=(-ex "$command")
	done
	SIDE=plain
	run gdb -q -nx -batch "${arguments[@]}" "$work" >gdb.log 2>&1 </dev/null
	SIDE=under
}

commands=('break malloc' 'continue' 'info symbol $pc' 'finish' 'delete')
lines=("malloc.* in section .text of .*${LIB##*/}" 'Value returned is \$[0-9]+ = .*0x'
	'exited normally')
calls=('print *(char *)memset(((void *(*)(long))malloc)(100), 65, 100)'
	'call ((void (*)(void *))free)(((void *(*)(long))malloc)(3000000))'
	'catch syscall mprotect' 'call ((void *(*)(long))malloc)(500000000)' 'delete'
	'print *(char *)memset(((void *(*)(long))malloc)(3000000), 66, 3000000)'
	'print *(char *)memset(((void *(*)(long))malloc)(100), 67, 100)')
called=("= 65 'A'" "= 66 'B'" "= 67 'C'" 'Catchpoint [0-9]+ \(call to syscall mprotect')

# gdb 13 cannot call functions on processors with more state than it knows (AMX).
preload=
debug 'print ((int (*)(int))abs)(-71)' 'continue'
gdb="gdb stops in, finishes and calls malloc"
if grep -q '^\$1 = 71' gdb.log && ! grep -q "Couldn't write" gdb.log; then
	commands+=("${calls[@]}")
	lines+=("${called[@]}")
else
	gdb="gdb stops in and finishes malloc (it cannot call functions on this machine)"
fi
preload=$LIB
debug "${commands[@]}" 'continue' 'continue' 'continue'
for line in "${lines[@]}"; do
	grep -Eq "$line" gdb.log || fail "gdb: no line '$line'"
done
check gdb

run strace -f -o strace.log "$work" none >stdout 2>stderr || fail "strace: status $?"
grep -q 'exited with 0' strace.log || fail "strace did not see the program's end"
check strace

rr="no rr here"
if command -v rr >/dev/null; then
	export _RR_TRACE_DIR=$TMP/rr
	rr="rr cannot record on this machine"
	SIDE=plain
	if run "_RR_TRACE_DIR=$TMP/rr" rr record -n true >rr.log 2>&1; then
		SIDE=under
		run "_RR_TRACE_DIR=$TMP/rr" rr record -n "$work" none >stdout 2>stderr ||
			fail "rr: status $?"
		check "rr record"
		SIDE=plain
		run "_RR_TRACE_DIR=$TMP/rr" rr replay -a >stdout 2>stderr || fail "rr replay: $?"
		check "rr replay"
		rr="rr records and replays"
	fi
fi
end "$gdb; strace; $rr"
