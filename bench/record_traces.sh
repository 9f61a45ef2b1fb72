#!/bin/bash
# record_traces.sh [BUILD-TREE [NAME]...]: records the malloc calls of five Debian programs at small
# work into BUILD-TREE/traces/NAME.trace, a few MB each: python3 lua sqlite3 cc1plus redis.
# bench/replay_traces.sh plays them. Nothing of this is committed; it takes half a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build/release}")
traces=$build/traces
works=$PWD/tests/preload
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill $server; rm -rf "$tmp"' EXIT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

die()
{
	echo "record_traces.sh: $*" >&2
	exit 1
}

need()
{
	command -v "$1" >/dev/null || die "no program '$1': apt-get install $2"
}

# trace NAME [NAME=VALUE]... PROGRAM ARGS...
trace()
{
	local file=$traces/$1.trace

	shift
	env "$build/stitchmalloc" record -o "$file" -- "$@" >"$tmp/output" 2>&1 ||
		die "failed: $*: $(tail -n 5 "$tmp/output")"
}

# Syntax trees of Python's library, made in four threads and dropped in others; without Python's
# own allocator in front, which would leave hardly a call.
python3_work='
import ast, glob, json, os, queue, threading
files = sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py"))[:24]
box = queue.Queue(2)

def work(n):
    for name in files[n::4]:
        with open(name, encoding="utf-8") as file:
            box.put(ast.parse(file.read()))
        names = [node.id for node in ast.walk(box.get()) if isinstance(node, ast.Name)]
        json.loads(json.dumps([{"name": name, "at": i} for i, name in enumerate(names[:2000])]))

threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
'

record_python3()
{
	need /usr/bin/python3 python3
	PYTHONMALLOC=malloc trace python3 /usr/bin/python3 -c "$python3_work"
}

record_lua()
{
	need lua5.4 lua5.4
	sed 's/tree(16)/tree(13)/; s/40000/10000/; s/200000/50000/; s/300000/60000/' \
		"$works/lua_work.lua" >"$tmp/work.lua"
	trace lua lua5.4 "$tmp/work.lua"
}

record_sqlite3()
{
	need sqlite3 sqlite3
	sed 's/300000/60000/' "$works/sqlite_work.sql" >"$tmp/work.sql"
	trace sqlite3 sqlite3 -bail "$tmp/work.db" ".read $tmp/work.sql"
}

# The driver starts the compiler proper through the recorder.
record_cc1plus()
{
	need g++ g++
	cat >"$tmp/work.cc" <<-'END'
		#include <functional>
		#include <map>
		#include <string>
		#include <vector>
		int main(int argc, char **argv)
		{
			std::map<std::string, std::vector<std::function<int(int)>>> all;
			for (int i = 0; i < argc; i++)
				all[argv[i]].push_back([i](int k) { return i * k; });
			return all.begin()->second[0](1);
		}
	END
	g++ -std=c++17 -O2 -S -o "$tmp/work.s" "$tmp/work.cc" \
		-wrapper "$build/stitchmalloc,record,-o,$traces/cc1plus.trace,--" ||
		die "g++ failed"
}

# Strings, lists, hashes and sets that come and go, from 20 clients; then half of the strings go,
# and larger ones come.
record_redis()
{
	local socket=$tmp/redis.sock

	need redis-server redis-server
	need redis-benchmark redis-tools
	"$build/stitchmalloc" record -o "$traces/redis.trace" -- redis-server --port 0 \
		--unixsocket "$socket" --save '' --io-threads 2 >"$tmp/output" 2>&1 &
	server=$!
	for _ in $(seq 100); do
		[ "$(redis-cli -s "$socket" ping 2>&1)" != PONG ] || break
		sleep 0.1
	done
	redis-benchmark -s "$socket" -q -c 20 -P 8 -r 10000 -d 150 -n 20000 \
		-t set,get,lpush,lpop,sadd,hset,zadd >/dev/null || die "$(tail "$tmp/output")"
	redis-cli -s "$socket" --scan --pattern 'key:*[13579]' | xargs redis-cli -s "$socket" del \
		>/dev/null
	redis-benchmark -s "$socket" -q -c 20 -P 8 -r 10000 -d 900 -n 10000 -t set >/dev/null
	kill $server
	wait $server || die "redis-server: $(tail "$tmp/output")"
	server=
}

[ -x "$build/stitchmalloc" ] || die "no launcher in $build: build it first"
[ -e "$build/libstitchrecord.so" ] ||
	die "no recorder in $build: build it first"
mkdir -p "$traces"
[ $# -gt 1 ] || set -- "$build" python3 lua sqlite3 cc1plus redis
shift
for name in "$@"; do
	[ "$(type -t "record_$name")" = function ] || die "no program '$name'"
	"record_$name"
	rm -f "$traces/$name.trace".*
	printf '%-8s %8d KiB\n' "$name" $(($(stat -c %s "$traces/$name.trace") / 1024))
done
