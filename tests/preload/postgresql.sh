#!/bin/bash
# PostgreSQL: initdb, pgbench with a fixed seed, queries with sorts, hashes, parallel workers, JIT
# and PL/pgSQL, all preloaded (server, its children and clients). Compared: a dump in key order.
. "$(dirname "$0")/lib.sh"
begin "$@"
PG_BIN=$(echo /usr/lib/postgresql/*/bin)
PATH=${PG_BIN##* }:$PATH
need postgres postgresql
need pgbench postgresql
need setpriv util-linux

# initdb and postgres refuse root.
if [ "$(id -u)" -eq 0 ]; then
	id postgres >/dev/null || fail "no user postgres: apt-get install postgresql"
	AS_USER=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi
DB=(-h "$TMP/run" -U postgres)
SQL=(psql "${DB[@]}" -d postgres -X -q -v ON_ERROR_STOP=1 -A -t)

start()
{
	serve postgres -D data -k "$TMP/run" -c listen_addresses= -c fsync=off \
		-c shared_buffers=64MB -c max_wal_size=512MB -c work_mem=2MB -c log_line_prefix= \
		-c log_checkpoints=off -c autovacuum=off -c max_parallel_workers_per_gather=2 \
		2>>server.log
	until_true 'PostgreSQL answers' "${SQL[@]}" -c 'select 1'
	check_maps "$SERVER"
}

work()
{
	touch server.log
	run initdb -D data -U postgres -A trust --no-locale -E UTF8 -N >/dev/null || return 1
	start
	run pgbench "${DB[@]}" -q -i -s 3 2>/dev/null &&
		run pgbench "${DB[@]}" --random-seed=5 -c 4 -j 2 -t 1000 -n |
		grep -E 'processed|failed' >bench &&
		run "${SQL[@]}" -f "$HERE/postgresql_work.sql" >result || return 1
	# The first server is stopped in the middle of its life; the second recovers.
	kill -QUIT "$SERVER"
	wait "$SERVER"
	start
	# Dumps are bracketed by a random key.
	run pg_dump "${DB[@]}" -n work | grep -vE '^.(un)?restrict ' >dump || return 1
	run "${SQL[@]}" -c 'vacuum (full, analyze)' -c 'checkpoint' || return 1
	run "${SQL[@]}" -c "select count(*), md5(string_agg(t::text, '' order by aid))
		from pgbench_accounts t" >>result || return 1
	stop_server TERM
	if grep -E 'terminated by|PANIC|FATAL|ERROR|WARNING|out of memory' server.log |
		grep -vE 'the database system is (starting up|shutting down|not yet accepting)' |
		grep -v 'immediate shutdown'; then
		fail "complaints in the log"
	fi
	rm -r data
}

took_effect postgres --version
took_effect psql --version
both work
not_empty bench result dump
same bench result dump
end "same answers and dump of 300,000 accounts after 4,000 transactions"
