#!/bin/bash
# nginx with two workers under load of ab: static files, compression, TLS, a proxy to itself, server
# side includes, and reloads that replace the workers. All files are fetched during the load.
. "$(dirname "$0")/lib.sh"
begin "$@"
need nginx nginx
need ab apache2-utils
need curl curl
need openssl openssl
need python3 python3
need pgrep procps

free_ports()
{
	/usr/bin/python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*[x.getsockname()[1] for x in s])'
}

configuration()
{
	cat <<END
daemon off;
worker_processes 2;
pid $TMP/run/nginx.pid;
error_log $TMP/run/error.log info;
$([ "$(id -u)" -ne 0 ] || echo "user www-data;")
events { worker_connections 512; }
http {
	types { text/plain txt; text/html html; }
	access_log off;
	client_body_temp_path $TMP/run/body;
	proxy_temp_path $TMP/run/proxy;
	fastcgi_temp_path $TMP/run/fastcgi;
	uwsgi_temp_path $TMP/run/uwsgi;
	scgi_temp_path $TMP/run/scgi;
	proxy_cache_path $TMP/run/cache keys_zone=cache:1m;
	server {
		listen 127.0.0.1:$PORT;
		listen 127.0.0.1:$TLS_PORT ssl;
		ssl_certificate $TMP/cert.pem;
		ssl_certificate_key $TMP/key.pem;
		root $TMP/www;
		gzip on;
		gzip_types text/plain;
		keepalive_requests 50;
		location /list/ { alias $TMP/www/; autoindex on; autoindex_exact_size on; }
		location /include/ { alias $TMP/www/; ssi on; }
		location /proxy/ { proxy_pass http://127.0.0.1:$PORT/; proxy_buffers 4 4k; }
		location /cached/ { proxy_pass http://127.0.0.1:$PORT/; proxy_cache cache; }
	}
}
END
}

site()
{
	local i

	mkdir "$TMP/www"
	for ((i = 0; i < 60; i++)); do
		head -c $((i * i * 997)) "$TMP/input" >"$TMP/www/f$i.txt"
	done
	for ((i = 0; i < 10; i++)); do
		echo "<!--# include virtual=\"/f$i.txt\" --> after $i"
	done >"$TMP/www/page.html"
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \
		-keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>/dev/null || fail "no certificate"
	touch -d @1700000000 "$TMP"/www/*
}

# load NAME COUNT URL [OPTIONS]: every answer must arrive whole.
load()
{
	local out=$1 count=$2 url=$3

	shift 3
	ab -q -n "$count" -c 40 "$@" "$url" >"$TMP/$out" 2>&1 || fail "ab: $(tail -n 3 "$TMP/$out")"
	if ! grep -q "^Complete requests: *$count\$" "$TMP/$out" ||
		! grep -q "^Failed requests: *0\$" "$TMP/$out" ||
		grep -q '^Non-2xx' "$TMP/$out"; then
		fail "ab $url: $(grep -E 'requests|responses|Connect:' "$TMP/$out")"
	fi
}

fetch()
{
	local i path

	for ((i = 0; i < 60; i++)); do
		for path in "" proxy/ cached/; do
			curl -sf --compressed "$HTTP/${path}f$i.txt" |
				cmp - "$TMP/www/f$i.txt" || fail "wrong content of ${path}f$i.txt"
		done
		curl -sfk "$HTTPS/f$i.txt" | md5sum >>fetched
	done
	curl -sf "$HTTP/list/" >>fetched || fail "no list of files"
	curl -sf --compressed "$HTTP/include/page.html" | md5sum >>fetched || fail "no includes"
}

work()
{
	local pid jobs=()

	serve nginx -e "$TMP/run/error.log" -c "$TMP/nginx.conf"
	until_true 'nginx answers' curl -sf "$HTTP/f1.txt"
	check_maps "$SERVER"
	for pid in $(pgrep -P "$SERVER"); do
		check_maps "$pid"
	done
	load ab1 2000 "$HTTP/f12.txt" -k -H 'Accept-Encoding: gzip' &
	jobs+=($!)
	load ab2 600 "$HTTPS/f5.txt" &
	jobs+=($!)
	load ab3 2000 "$HTTP/proxy/f10.txt" -k &
	jobs+=($!)
	fetch
	# Reloads while connections come in; idle kept ones would be closed, so none are kept here.
	load ab4 1000 "$HTTP/include/page.html" &
	jobs+=($!)
	kill -HUP "$SERVER"
	until_true 'the first reload' grep -q 'gracefully shutting down' error.log
	load ab5 2000 "$HTTP/cached/f15.txt" &
	jobs+=($!)
	kill -HUP "$SERVER"
	for pid in "${jobs[@]}"; do
		wait "$pid" || exit 1
	done
	stop_server QUIT
	if grep -E 'exited on signal|\[(alert|crit|emerg)\]|with code [1-9]' error.log; then
		fail "a worker died or complained"
	fi
	[ "$(grep -c ': reconfiguring$' error.log)" -eq 2 ] || fail "nginx did not reload twice"
}

read -r PORT TLS_PORT < <(free_ports)
HTTP=http://127.0.0.1:$PORT
HTTPS=https://127.0.0.1:$TLS_PORT
/usr/bin/python3 -c '
import random
r = random.Random(3)
print("\n".join("%d %x" % (i, r.getrandbits(r.randrange(1, 300))) for i in range(100000)))
' >"$TMP/input" || fail "no input"
site
configuration >"$TMP/nginx.conf"
took_effect nginx -v
both work
not_empty fetched
same fetched
end "same bytes of 242 fetches under load; 5 ab runs without failure; no worker died"
