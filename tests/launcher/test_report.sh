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
    "vmallocinfo": [r"0x[0-9a-f]{16}-0x[0-9a-f]{16} +\d+ pages=\d+ (vmalloc|vmap) N0=\d+"],
    "zoneinfo": [r"Node 0, zone   Normal", r"  per-node stats", r"      \w+ +\d+",
        r"  pages free     \d+", r"        (boost|min|low|high|spanned|present|managed|cma) +\d+",
        r"        protection: \(0, 0, 0\)", r"  (node_unreclaimable|start_pfn): +\d+"],
    "meminfo": [r"\w+: +\d+ kB"],
    "vmstat": [r"\w+ \d+"],
    "extfrag_index": [node + r"([ -]\d\.\d{3} ){11}"],
    "unusable_index": [node + r"(\d\.\d{3} ){11}"],
    "resident_unusable_index": [node + r"(\d\.\d{3} ){11}"],
    "memcg": [r"# path current peak max failcnt slab pages vmalloc threads",
        r"/\S* \d+ \d+ (max|\d+)( \d+){5}"],
    "memblock_memory": [r" +\d+: 0x[0-9a-f]{16}\.\.0x[0-9a-f]{16}    0 NONE"],
    "memblock_reserved": [r"   0: 0x[0-9a-f]{16}\.\.0x[0-9a-f]{16}    0 NONE"],
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
    sys.exit("there are twelve reports, twice")
END

# start_program COMMAND...: until it says that it is ready.
start_program()
{
	"$@" >ready &
	pid=$!
	for _ in $(seq 300); do
		grep -q ready ready 2>/dev/null && return
		sleep 0.1
	done
	fail "the program does not start"
}

stop()
{
	kill "$pid"
	wait "$pid" 2>/dev/null
	pid=
}

for threads in 0 2; do
	echo "every report of a process with $threads threads at work, twice"
	rm -f ready
	start_program "$tool" run python3 work.py "$threads"
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
	stop
done

echo "the same from inside and from outside"
cat >inside.c <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern int stitch_report(int fd, const char *name) __attribute__((weak));
extern void *stitch_kmem_cache_create(const char *, unsigned, unsigned, unsigned, void (*)(void *))
	__attribute__((weak));
extern void *stitch_kmem_cache_alloc(void *cache, unsigned flags) __attribute__((weak));
extern void *stitch_alloc_pages(unsigned flags, unsigned order) __attribute__((weak));
extern void *stitch_vmap(void **pages, unsigned count, unsigned long flags, unsigned prot)
	__attribute__((weak));
extern void stitch_vunmap(const void *address) __attribute__((weak));
int main(int argc, char **argv)
{
	void *cache = stitch_kmem_cache_create("with a space", 308, 0, 0x1000000, NULL);
	char path[100];
	for (int i = 0; i < 1000; i++)
		malloc(5000), malloc(100000), stitch_kmem_cache_alloc(cache, 0xcc0);
	free(malloc(30000000)), malloc(7000000);
	void *blocked = malloc(30000000), *behind = malloc(30000000);
	blocked = realloc(blocked, 50000000);
	void *pages[3] = { stitch_alloc_pages(0xcc2, 0), pages[0], stitch_alloc_pages(0xcc2, 0) };
	void *mapped = stitch_vmap(pages, 3, 0, 3), *gone = stitch_vmap(pages, 2, 0, 3);
	stitch_vunmap(gone);
	for (int i = 1; i < argc; i++) {
		snprintf(path, sizeof(path), "inside/%s", argv[i]);
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (stitch_report(fd, argv[i]) || close(fd))
			return 1;
	}
	write(1, "ready\n", 6);
	sleep(300);
	return 0;
}
END
cc -O1 -w -fno-builtin -o inside_work inside.c || fail "no compiler"
mkdir -p inside
names=$("$tool" report $$)
rm -f ready
start_program "$tool" run ./inside_work $names
for name in $names; do
	"$tool" report "$pid" "$name" | cmp - "inside/$name" || fail "$name differs"
done
grep -Eq '^with_a_space +1001 +1001 +312 +13 +1 ' inside/slabinfo ||
	fail "$(head -4 inside/slabinfo)"
grep -Eq ' 12288 pages=3 vmap N0=3' inside/vmallocinfo &&
	[ "$(grep -c ' vmap ' inside/vmallocinfo)" = 1 ] || fail "$(cat inside/vmallocinfo)"
grep -Eq ' pages=12208 vmalloc' inside/vmallocinfo || fail "$(cat inside/vmallocinfo)"
grep -Eq ' pages=1709 vmalloc' inside/vmallocinfo || fail "$(cat inside/vmallocinfo)"
stop

# slabtop reads /proc/slabinfo only: ours is laid over it where nobody else sees it.
if unshare -m true 2>/dev/null && command -v slabtop >/dev/null; then
	echo "slabtop"
	unshare -m sh -c 'mount --bind inside/slabinfo /proc/slabinfo && slabtop -o -s n' >top ||
		fail "slabtop: $(cat top)"
	grep -Eq ' 1001 +1001 +100% +0\.30K +77 +13 +308K +with_a_space' top || fail "$(cat top)"
	echo "free"
	unshare -m sh -c 'mount --bind inside/meminfo /proc/meminfo && free -k' >free ||
		fail "free: $(cat free)"
	# Its total and free are those of the report, and used is the rest.
	awk '/^MemTotal:/ { total = $2 } /^MemFree:/ { left = $2 }
		/^Mem:/ { exit !(total > 0 && $2 == total && $4 == left && $3 == total - left) }
		' inside/meminfo free || fail "$(cat inside/meminfo free)"
fi

echo "mistakes"
"$tool" report 2>said; [ $? = 2 ] || fail "no process"
"$tool" report $$ buddy 2>said; [ $? = 2 ] || fail "no such report"
"$tool" report $$ buddyinfo 2>said; [ $? = 125 ] || fail "not ours"
grep -q 'stitchmalloc run' said || fail "$(cat said)"
"$tool" report 999999999 buddyinfo 2>said; [ $? = 125 ] || fail "no such process"
grep -q 'there is no process' said || fail "$(cat said)"
echo "test_report: all well"
