#!/bin/bash
# test_pair.sh BUILD: bench/pair gives the ratios and intervals that made-up figures have, refuses
# what would measure the wrong thing, and shows what a failing program says.
set -u
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
here=$(cd "$(dirname "$0")" && pwd)
pair=$here/../../bench/pair
library=$1/libstitchmalloc.so
. "$here/lib.sh"

echo "statistics"
# The intervals are those of tables of the sign test; 0.95 is not reached with 5 values.
/usr/bin/python3 - "$pair" <<'EOF' || fail "statistics"
import importlib.machinery
import importlib.util
import math
import sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pair", sys.argv[1])
pair = importlib.util.module_from_spec(importlib.util.spec_from_loader("pair", loader))
loader.exec_module(pair)
assert pair.sign_interval([1, 2, 3, 4, 5]) is None
for n, k, level in ((6, 1, 0.96875), (10, 2, 0.978515625), (20, 6, 0.9586), (25, 8, 0.9567)):
    low, high, real = pair.sign_interval(list(range(n, 0, -1)))
    assert (low, high) == (k, n + 1 - k) and abs(real - level) < 1e-4, (n, low, high, real)
base = [dict(cpu_s=c, wall_s=2, faults=0, peak_kib=100) for c in (1, 2, 4, 8, 16, 32, 64)]
runs = [dict(cpu_s=f * b["cpu_s"], wall_s=1, faults=k, peak_kib=150) for k, (f, b) in
        enumerate(zip((1.1, 0.9, 1.3, 1.2, 1.0, 0.8, 1.4), base))]
result = pair.compare(runs, base)
assert math.isclose(result["cpu_s"]["ratio"], 1.1), result
assert [round(x, 6) for x in result["cpu_s"]["interval"]] == [0.8, 1.4, 0.984375], result
assert result["cpu_s"]["median"] == 9.6, result
assert result["wall_s"]["ratio"] == 0.5 and result["peak_kib"]["ratio"] == 1.5
assert result["faults"]["ratio"] == math.inf and pair.ratio(0, 0) == 1
EOF

echo "a known ratio"
cat >known.c <<'EOF'
#include <stdlib.h>
#include <string.h>
int main(void)
{
	size_t bytes = atoi(getenv("MIB")) * 1048576ul;
	char *p = malloc(bytes);
	memset(p, 1, bytes);
	return p[bytes / 2] != 1;
}
EOF
gcc -O0 -w known.c -o known && gcc -O0 -w -static known.c -o static ||
	fail "gcc is needed: apt-get install gcc libc6-dev"
export MIB=16
expect 0 '6 rounds (seed 5)' "$pair" -n 6 --seed 5 --json figures.json one=libc two=libc \
	"ours=$library" - -e two:MIB=48 -- ./known
/usr/bin/python3 - "$library" <<'EOF' || fail "known ratios"
import json
import os
import sys
figures = json.load(open("figures.json"))
results = figures["results"]
assert list(results) == ["one", "two", "ours", "none"] and figures["first"] == "one", list(results)
assert figures["libraries"]["ours"] == os.path.realpath(sys.argv[1])
faults, peak = results["two"]["faults"], results["two"]["peak_kib"]
assert 2.9 < faults["ratio"] < 3.05 and faults["interval"][0] > 2.9, faults
assert 2.7 < peak["ratio"] < 3.05, peak
assert all(len(r[k]["runs"]) == 6 for r in results.values() for k in r), results
# What resides before the program begins is not counted with it.
assert 16384 < results["one"]["peak_kib"]["median"] < 16384 + 2048, results["one"]
assert results["none"]["faults"]["ratio"] < 1.1
EOF
expect 0 '| ours | 0.500 | 1.000 | 1.500 | 2.000 |' "$pair" -n 1 --figures --markdown title libc \
	"ours=$library" -e ours:CPU=1 -e ours:FAULTS=3 -e ours:PEAK=6 -- sh -c \
	'echo figures: cpu_s=${CPU:-2} wall_s=1 faults=${FAULTS:-2} peak_kib=${PEAK:-3}'

echo "together: at once, on one processor, each with a digit of its own"
cat >turn.py <<'EOF'
import os, sys, time
factor = int(os.environ["FACTOR"])
with open("turns.%d" % factor, "a+") as turns:
    turns.write(sys.argv[1])
    turns.flush()
    nr_turns = os.path.getsize(turns.name)
end = time.monotonic() + 60
while nr_turns > 1 and os.path.getsize("turns.%d" % (3 - factor)) < nr_turns: # 1: warming up
    assert time.monotonic() < end, "alone"
    time.sleep(0.01)
assert len(os.sched_getaffinity(0)) == 1
print("figures: cpu_s=%d wall_s=1 faults=1 peak_kib=1" % factor)
EOF
expect 0 '6 rounds (all together' "$pair" -n 6 --together --figures --json together.json one=libc \
	two=libc -e one:FACTOR=1 -e two:FACTOR=2 -- /usr/bin/python3 turn.py '{place}'
/usr/bin/python3 - <<'EOF' || fail "together: $(cat together.json turns.1 turns.2)"
import json
results = json.load(open("together.json"))["results"]
assert results["one"]["cpu_s"]["runs"] == [1] * 6 and results["two"]["cpu_s"]["runs"] == [2] * 6
assert results["two"]["cpu_s"]["ratio"] == 2
one, two = open("turns.1").read(), open("turns.2").read()
assert one[0] == two[0] == "0", (one, two)
assert all(a + b in ("01", "10") for a, b in zip(one[1:], two[1:])) and len(one) == 7, (one, two)
EOF
expect 1 'need a port each' "$pair" --together libc "$library" --port 1 --server true --load true

echo "a server"
cat >server.py <<'EOF'
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    client, _ = listener.accept()
    if client.recv(100) == b"work":
        kept = b"x" * int(os.environ["BYTES"])
        client.send(b"done")
    client.close()
EOF
cat >load.py <<'EOF'
import os, socket, sys
assert "LD_PRELOAD" not in os.environ
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.send(b"work")
assert client.recv(100) == b"done"
EOF
expect 0 '2 rounds' "$pair" -n 2 --json server.json libc more="$library" -e more:BYTES=80000000 \
	-e libc:BYTES=1000 --port "$tmp/socket" --server "/usr/bin/python3 server.py $tmp/socket" \
	--load "/usr/bin/python3 load.py $tmp/socket"
/usr/bin/python3 - <<'EOF' || fail "the server's figures: $(cat server.json)"
import json
results = json.load(open("server.json"))["results"]
more, less = (results[name] for name in ("more", "libc"))
assert more["peak_kib"]["median"] - less["peak_kib"]["median"] > 75000
assert more["faults"]["median"] > 1000 and less["cpu_s"]["median"] > 0.001
EOF
at_once() { # at_once LOAD [OPTION]...: two servers, one of which holds 80 MB more
	local load=$1

	shift
	"$pair" -n 2 --together -e libc:BYTES=1000 -e more:BYTES=80000000 libc more="$library" \
		"$@" --port "$tmp/at{place}" --server "/usr/bin/python3 server.py $tmp/at{place}" \
		--load "/usr/bin/python3 $load $tmp/at{place}"
}
expect 0 '2 rounds (all together' at_once load.py --json both.json
/usr/bin/python3 - <<'EOF' || fail "the servers' figures: $(cat both.json)"
import json
results = json.load(open("both.json"))["results"]
assert results["more"]["peak_kib"]["median"] - results["libc"]["peak_kib"]["median"] > 75000
EOF
cat >failing.py <<'EOF'
import os, sys, time
with open("loads", "a") as loads:
    loads.write("x")
    loads.flush()
    is_warm_up = loads.tell() <= 2
while not is_warm_up and os.path.getsize("loads") < 4:
    time.sleep(0.01)
if not is_warm_up and sys.argv[1].endswith(os.environ["FAILING"]):
    sys.exit(1)
time.sleep(0 if is_warm_up else 86400)
EOF
# What still runs when another one fails is ended, whichever fails.
for FAILING in 0 1; do
	export FAILING
	expect 1 'the load ended with status 1' at_once failing.py
	rm loads
done
expect 1 'the load ended with status 1' "$pair" -n 1 - "$library" --port "$tmp/socket" \
	-e none:BYTES=x --server "/usr/bin/python3 server.py $tmp/socket" \
	--load "/usr/bin/python3 load.py $tmp/socket"
expect 1 'before it answered' "$pair" -n 1 libc "$library" --port "$tmp/socket" \
	--server 'sh -c "echo oops; exit 1"' --load true

echo "an end before the end: what was measured is reported"
cat >counting.sh <<'EOF'
echo run >>runs
[ "$(wc -l <runs)" != 8 ] || { kill -TERM "$(cat pair.pid)"; sleep 10; }
EOF
interrupted() { sh -c 'echo $$ >pair.pid; exec "$0" "$@"' "$@"; }
# Two runs of warm-up, two rounds of two; the second run of the third round ends it.
expect 130 '2 rounds' interrupted "$pair" -n 20 --json early.json libc "$library" -- sh counting.sh
/usr/bin/python3 - <<'EOF' || fail "the interrupted run's figures: $(cat early.json)"
import json
figures = json.load(open("early.json"))
assert figures["rounds"] == 2, figures["rounds"]
assert all(len(r[k]["runs"]) == 2 for r in figures["results"].values() for k in r), figures
EOF
rm runs
sed -i s/8/2/ counting.sh
expect 1 'nothing is reported' interrupted "$pair" -n 20 libc "$library" -- sh counting.sh

echo "refusals"
expect 1 'it is broken' "$pair" libc "$library" -- sh -c 'echo it is broken >&2; exit 4'
expect 1 'status 4' "$pair" libc "$library" -- sh -c 'exit 4'
expect 1 'SIGSEGV' "$pair" libc "$library" -- sh -c 'kill -SEGV $$'
expect 1 'cannot be preloaded' "$pair" libc "$library" -- ./static
echo 'no library' >text.so
expect 1 'not preloaded: ERROR: ld.so' "$pair" libc text.so -- true
echo 'int answer;' | gcc -x c - -shared -o other.so
expect 1 "the program's malloc is not" "$pair" libc other.so -- true
expect 0 'rounds' "$pair" -n 1 --no-check libc other.so -- true
expect 1 'no library' "$pair" libc none.so -- true
expect 1 'no program' "$pair" libc "$library" -- no-such-program
expect 1 'no line `figures:`' "$pair" --figures libc "$library" -- true
expect 1 'two allocators' "$pair" libc -- true
expect 1 'are called libc' "$pair" libc libc -- true
expect 1 'belong together' "$pair" libc "$library" --server true
expect 1 'give a program' "$pair" libc "$library"
expect 1 '-e x:A=1' "$pair" libc "$library" -e x:A=1 -- true
echo "test_pair: all well"
