#!/bin/bash
# redis-server: keys of every type through redis-cli --pipe, redis-benchmark in another database,
# BGSAVE (a fork that walks the heap) while both sides write. The two dump files are then loaded
# by a server without preload and compared key by key.
. "$(dirname "$0")/lib.sh"
begin "$@"
need redis-server redis-server
need redis-benchmark redis-tools
need python3 python3

cli()
{
	redis-cli -s "$TMP/run/redis.sock" "$@"
}

answers()
{
	[ "$(cli ping 2>&1)" = PONG ]
}

# start: a server with its socket and files in the current directory.
start()
{
	serve redis-server --port 0 --unixsocket "$TMP/run/redis.sock" --dir "$TMP/run" \
		--logfile "$TMP/run/redis.log" --save '' --appendonly no --io-threads 2 \
		--enable-debug-command yes
	until_true 'redis answers' answers
	check_maps "$SERVER"
}

bgsave()
{
	cli bgsave >/dev/null
	until_true 'BGSAVE done' sh -c "redis-cli -s '$TMP/run/redis.sock' info persistence |
		grep -q 'rdb_bgsave_in_progress:0'"
	cli info persistence | grep -q 'rdb_last_bgsave_status:ok' ||
		fail "BGSAVE failed: $(cli info persistence | grep rdb_)"
}

BENCH=(redis-benchmark -s "$TMP/run/redis.sock" --dbnum 1 -q -c 30 -P 8 -r 20000 -d 200
	-t "set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,lrange_100,mset")

work()
{
	local load

	start
	"${BENCH[@]}" -n 4000 | grep -c 'requests per second' >benched
	setsid "${BENCH[@]}" -n 2000 -l >/dev/null 2>&1 &
	load=$!
	SERVERS+=("$load")
	cli --pipe <"$TMP/load" | tail -n 1 >loaded
	bgsave && cli --pipe <"$TMP/change" | tail -n 1 >>loaded
	bgsave
	kill "$load" || fail "redis-benchmark ended before its time"
	wait "$load"
	bgsave
	cp dump.rdb final.rdb
	cli dbsize >size
	cli flushall >/dev/null && cli memory purge >/dev/null && cli ping >alive
	stop_server TERM
	if grep -v WARNING redis.log | grep -iE 'crash|panic|assert|error|fail|out of memory'; then
		fail "complaints in the log"
	fi
}

# Values of database 0 of a dump file, one line a key, by a server without preload.
values()
{
	SIDE=plain
	mkdir "$TMP/run" && cp "$TMP/$1/final.rdb" "$TMP/run/dump.rdb" && start || exit 1
	cli --scan | LC_ALL=C sort >"$TMP/keys"
	sed 's/.*/DEBUG DIGEST-VALUE &/' "$TMP/keys" | cli >"$TMP/digests"
	sed 's/.*/TYPE &/' "$TMP/keys" | cli >"$TMP/types"
	paste -d' ' "$TMP/keys" "$TMP/types" "$TMP/digests" >"$TMP/$1/values"
	stop_server TERM
	rm -r "$TMP/run"
}

/usr/bin/python3 "$HERE/redis_work.py" "$TMP/load" "$TMP/change" || fail "no input"
took_effect redis-server --version
both work
values plain
values under
not_empty benched loaded size values alive
same benched loaded size values alive
end "same types and values of $(wc -l <"$TMP/plain/values") keys in both dump files"
