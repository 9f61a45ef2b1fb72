#!/bin/bash
# memcached, four threads: eight clients store, overwrite, append, count and delete at once, then
# everything is read back. The client knows what it must read; both sides must read the same.
. "$(dirname "$0")/lib.sh"
begin "$@"
need memcached memcached
need python3 python3

# memcached asks root for a user to become.
[ "$(id -u)" -ne 0 ] || MEMCACHED_USER=(-u nobody)

work()
{
	serve memcached "${MEMCACHED_USER[@]}" -s "$TMP/run/memcached.sock" -a 0777 -t 4 -m 512 \
		-I 4m -c 200 -v
	until_true 'memcached listens' test -S "$TMP/run/memcached.sock"
	/usr/bin/python3 "$HERE/memcached_work.py" "$TMP/run/memcached.sock" >result ||
		fail "the client failed"
	check_maps "$SERVER"
	stop_server TERM
}

took_effect memcached --version
both work
not_empty result
same result
end "same values of $(sed -n 's/^read \([0-9]*\) .*/\1/p' "$TMP/plain/result") keys read back"
