#!/bin/bash
# test_programs.sh BUILD: bench/programs.py measures programs and a server, records what they
# allocate with all their processes, prints tables that follow from its figures, goes on after a
# program that fails, and names what is missing before it runs anything.
set -u
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
here=$(cd "$(dirname "$0")" && pwd)
build=$1
. "$here/lib.sh"

# Programs of our own beside lua; ours is jemalloc, too: nothing but lua must be installed.
cat >programs.py <<'EOF2'
import importlib.machinery
import importlib.util
import os
import sys
sys.dont_write_bytecode = True
path, build, tmp = sys.argv[1:4]
loader = importlib.machinery.SourceFileLoader("programs", path)
programs = importlib.util.module_from_spec(importlib.util.spec_from_loader("programs", loader))
loader.exec_module(programs)
programs.JEMALLOC = f"{build}/libstitchmalloc.so"
programs.NEEDED = []
Work = programs.Work
if sys.argv[4] == "prepare":
    for work in programs.ALL_WORKS:
        for quick in (False, True):
            os.makedirs(f"{tmp}/{work.name}-{quick:d}")
            if work.prepare and work.name not in ("git-gc", "postgresql"): # they run programs
                work.prepare(f"{tmp}/{work.name}-{quick:d}", quick)
    sys.exit("prepared")
programs.ALL_WORKS = [work for work in programs.ALL_WORKS if work.name == "lua"] + [
    Work("eater", [], tmp + "/eater {mib}", title="an eater", mib=(3, 12)),
    Work("driver", [], "g++ {wrapper} -c -o /dev/null " + tmp + "/empty.cc"),
    Work("server", [], server=f"/usr/bin/python3 {tmp}/server.py {{tmp}}/socket",
         load=f"/usr/bin/python3 {tmp}/load.py {{tmp}}/socket", port="{tmp}/socket"),
    Work("absent", [("no-such-program", "some-package"), ("/no/file", "other-package")],
         "no-such-program"),
    Work("broken", [], "sh -c 'echo it is broken; exit 4'")]
try:
    sys.exit(programs.main(sys.argv[4:]))
except programs.Failure as failure:
    sys.exit(str(failure))
EOF2
# The child does not ask for what it inherits.
cat >eater.c <<'EOF2'
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void eat(size_t mib)
{
	for (; mib; mib--)
		memset(malloc(1 << 20), 1, 1 << 20);
}
int main(int argc, char **argv)
{
	eat(atoi(argv[1]));
	if (!fork())
		eat(5), _exit(0);
	return wait(NULL) < 0;
}
EOF2
cat >server.py <<'EOF2'
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    client, _ = listener.accept()
    if client.recv(100) == b"work":
        kept = b"x" * 50000000
        client.send(b"done")
    client.close()
EOF2
cat >load.py <<'EOF2'
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.send(b"work")
assert client.recv(100) == b"done"
EOF2
: >empty.cc
gcc -O0 -w eater.c -o eater || fail "gcc is needed: apt-get install gcc libc6-dev"
command -v lua5.4 >/dev/null || fail "lua5.4 is needed: apt-get install lua5.4"
command -v g++ >/dev/null || fail "g++ is needed: apt-get install g++"

# expect STATUS TEXT ARGUMENT...: of the benchmark; its output goes to the file `output`.
expect()
{
	local status=$1 text=$2 got

	shift 2
	/usr/bin/python3 programs.py "$here/../../bench/programs.py" "$build" "$tmp" "$@" \
		>output 2>messages
	got=$?
	[ $got = "$status" ] || fail "$*: status $got, expected $status: $(cat messages output)"
	grep -qF -e "$text" messages output || fail "$*: no '$text' in: $(cat messages output)"
}

# only NAME OPTION...
only()
{
	local name=$1

	shift
	expect 0 "programs: $name (1 of 1)" --quick --only "$name" --out "$tmp/out" "$@" "$build"
}

echo "the work files of the tests still have what is changed in them"
expect 1 'prepared' prepare
cmp -s python3-0/work.py python3-1/work.py && fail "python3: little work is all work"
[ -s g++-1/work.cc ] || fail "no work for g++"

echo "figures"
only eater -n 6
only driver -n 1
only server -n 1
only lua -n 1 --peer "other=$build/libstitchmalloc.so"
expect 0 'Minor faults' --tables --only lua --only eater --only driver --only server \
	--out "$tmp/out" "$build"
/usr/bin/python3 - <<'EOF2' || fail "the tables: $(cat output)"
import json
import re
rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in open("output")
        if line.startswith("|")]
assert [row[0] for row in rows] == ["program", "---", "lua", "an eater", "driver", "server"] * 2
times = {row[0]: dict(zip(rows[0], row)) for row in rows[2:6]}
faults = {row[0]: dict(zip(rows[6], row)) for row in rows[8:]}
assert all(len(row) == len(rows[0]) for row in rows[:6]), rows
eater = times["an eater"]
assert re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", eater["stitchmalloc / better"]), eater
assert re.fullmatch(r"\d\.\d{3}", times["lua"]["stitchmalloc / better"]), times
assert times["lua"]["other, MiB"] != "-" == eater["other, s"], times
assert 17 < float(eater["glibc, MiB"]) < 20 and eater["better"] in ("glibc", "jemalloc"), eater
assert 47 < float(times["server"]["stitchmalloc, MiB"]) < 80, times
assert faults["an eater"]["MiB allocated"] == "17", faults
assert 47 <= float(faults["server"]["MiB allocated"]) < 80, faults
assert float(faults["driver"]["MiB allocated"]) >= 2, faults
figures = json.load(open("out/eater.json"))["results"]
base = min(("glibc", "jemalloc"), key=lambda name: figures[name]["cpu_s"]["median"])
ratios = sorted(a / b for a, b in zip(figures["stitchmalloc"]["cpu_s"]["runs"],
                                      figures[base]["cpu_s"]["runs"]))
assert eater["better"] == base
assert eater["stitchmalloc / better"].startswith(f"{(ratios[2] + ratios[3]) / 2:.3f} ["), ratios
found = float(faults["an eater"]["glibc, a MiB"])
assert abs(found * 17 - figures["glibc"]["faults"]["median"]) < 1, (found, figures["glibc"])
EOF2

echo "what a program allocates is recorded again when its work is another"
grep -q recording messages && fail "recorded for tables: $(cat messages)"
only eater -n 1
grep -q recording messages && fail "recorded twice: $(cat messages)"
expect 1 'eater: recording' --only broken --only eater -n 1 --out "$tmp/out" "$build"
grep -q '^| an eater | 8 |' output || fail "not 8 MiB: $(cat output)"

echo "failures"
grep -q '^    it is broken$' messages && grep -q '^programs: broken: FAILED' messages ||
	fail "does not say what failed: $(cat messages)"
expect 2 'missing: apt-get install some-package other-package' --out "$tmp/none" "$build"
[ -e "$tmp/none" ] && fail "something ran although programs are missing"
expect 2 'not in /:' --only eater /
expect 2 'NAME=LIBRARY is needed' --only eater --peer x=none "$build"
expect 1 'no figures in' --tables --out "$tmp/none" "$build"
echo "test_programs: all well"
