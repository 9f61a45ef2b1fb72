#!/bin/bash
# sqlite3: 300,000 rows, indexes, joins, window functions, vacuum; compared by the dump.
. "$(dirname "$0")/lib.sh"
begin "$@"
need sqlite3 sqlite3

work()
{
	run sqlite3 -bail work.db <"$HERE/sqlite_work.sql" >result &&
		run sqlite3 work.db .dump >dump
}

took_effect sqlite3 :memory: 'select 1'
both work
not_empty result dump
same result dump work.db
grep -qx ok "$TMP/under/result" || fail "integrity_check did not say ok"
end "same answers, dump and database file of 300,000 rows"
