#!/bin/bash
# test_report.sh BUILD: `stitchmalloc report` of living processes: every line of every report is in
# the kernel's form, numbers are those of known allocations, and mistakes are told.
set -u
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
build=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
tool=$build/stitchmalloc
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$tmp"' EXIT

cat >work.py <<'END'
import sys, threading, time
areas = [bytearray(3 << 20) for i in range(3)]
small = [bytes(5000) for i in range(1000)]
def churn():
    while True:
        [bytes(n) for n in range(0, 20000, 100)]
        time.sleep(0.001)
for i in range(int(sys.argv[1])):
    threading.Thread(target=churn, daemon=True).start()
print("ready", flush=True)
time.sleep(300)
END

cat >forms.py <<'END'
"""Each file texts/NAME.ROUND is in the form of that report."""
import os, re, sys
node = r"Node 0, zone   Normal "
orders = r"( *\d+ ){11}"
types = r"(Unmovable|Movable|Reclaimable|HighAtomic|Isolate)"
forms = {
    "buddyinfo": [node + orders],
    "pagetypeinfo": [r"Page block order: 9", r"Pages per block:  512", "",
        r"Free pages count per migrate type at order   " + orders,
        r"Node    0, zone   Normal, type +" + types + r" ( *>?\d+ ){11}",
        r"Number of blocks type ( +" + types + r" ){5}", node + r"( *\d+ ){5}"],
    "slabinfo": [r"slabinfo - version: 2\.1", r"# name  .*<sharedavail>",
        r"\S+ +\d+ +\d+ +\d+ +\d+ +\d+ : tunables +0 +0 +0 : slabdata +\d+ +\d+ +0"],
    "vmallocinfo": [r"0x[0-9a-f]{16}-0x[0-9a-f]{16} +\d+ pages=\d+ vmalloc N0=\d+"],
    "zoneinfo": [r"Node 0, zone   Normal", r"  per-node stats", r"      \w+ +\d+",
        r"  pages free     \d+", r"        (boost|min|low|high|spanned|present|managed|cma) +\d+",
        r"        protection: \(0\)", r"  (node_unreclaimable|start_pfn): +\d+"],
    "meminfo": [r"\w+: +\d+ kB"],
    "vmstat": [r"\w+ \d+"],
    "extfrag_index": [node + r"([ -]\d\.\d{3} ){11}"],
    "unusable_index": [node + r"(\d\.\d{3} ){11}"],
    "resident_unusable_index": [node + r"(\d\.\d{3} ){11}"],
}
for file in os.listdir("texts"):
    with open(f"texts/{file}") as text:
        lines = text.read().splitlines()
    for line in lines:
        if not any(re.fullmatch(form, line) for form in forms[file.split(".")[0]]):
            sys.exit(f"{file}: {line!r}")
    if not lines:
        sys.exit(f"{file}: nothing")
if len(os.listdir("texts")) != 2 * len(forms):
    sys.exit("there are ten reports, twice")
END

start()
{
	"$tool" run python3 work.py "$1" >ready &
	pid=$!
	for _ in $(seq 300); do
		grep -q ready ready 2>/dev/null && return
		sleep 0.1
	done
	fail "the program does not start"
}

for threads in 0 2; do
	echo "every report of a process with $threads threads at work, twice"
	rm -f ready
	start "$threads"
	rm -rf texts
	mkdir texts
	for round in 1 2; do
		for name in $("$tool" report "$pid"); do
			"$tool" report "$pid" "$name" >"texts/$name.$round" ||
				fail "$name: status $?"
		done
	done
	python3 forms.py || fail "forms"
	# 3 MiB and bytearray's byte.
	[ "$("$tool" report "$pid" vmallocinfo | grep -c ' pages=769 ')" = 3 ] || fail "areas"
	"$tool" report "$pid" slabinfo | awk '$1 == "kmalloc-5040" && $2 >= 1000 && $3 >= $2 { n++ }
		END { exit n != 1 }' || fail "objects"
	kill "$pid"
	wait "$pid" 2>/dev/null
	pid=
done

echo "mistakes"
"$tool" report 2>said; [ $? = 2 ] || fail "no process"
"$tool" report $$ buddy 2>said; [ $? = 2 ] || fail "no such report"
"$tool" report $$ buddyinfo 2>said; [ $? = 125 ] || fail "not ours"
grep -q 'stitchmalloc run' said || fail "$(cat said)"
"$tool" report 999999999 buddyinfo 2>said; [ $? = 125 ] || fail "no such process"
grep -q 'there is no process' said || fail "$(cat said)"
echo "test_report: all well"
