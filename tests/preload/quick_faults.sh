#!/bin/bash
# sqlite3 and lua5.4 with fault injection: at each of some hundred places the one request that comes
# next fails, or every one from there. Both handle that: they say so, or need not, and never crash.
# What ends without an error has the answer that it has without faults.
. "$(dirname "$0")/lib.sh"
begin "$@"
need sqlite3 sqlite3
need lua5.4 lua5.4

nr_unharmed=0 nr_said=0

# survives WHAT PROGRAM ARGS...: how did it take its faults?
survives()
{
	local what=$1 status

	shift
	PRELOAD_ENV=("STITCH_CONF=fail=100,exe=$1,$what")
	run "$@" >"$TMP/run/out" 2>"$TMP/run/stderr" </dev/null
	status=$?
	[ $status -lt 126 ] || fail "$1 with fail=100,$what: status $status"
	if [ $status -eq 0 ] && cmp -s "$TMP/run/out" "$TMP/run/good"; then
		nr_unharmed=$((nr_unharmed + 1))
	elif grep -qiE 'out of memory|not enough memory|cannot allocate' "$TMP/run/stderr" \
		"$TMP/run/out"; then
		nr_said=$((nr_said + 1))
	elif [ $status -eq 0 ]; then
		fail "$1 with fail=100,$what: status 0, another answer, and no word about it"
	fi
}

# each PROGRAM ARGS...: what it allocates in all is some 400 KB.
each()
{
	local space

	PRELOAD_ENV=()
	run "$@" >"$TMP/run/good" </dev/null || fail "$1 without faults"
	for ((space = 0; space < 400000; space += 4999)); do
		survives "fail_space=$space,fail_times=1" "$@"
		survives "fail_space=$space" "$@"
	done
}

mkdir "$TMP/run" && cd "$TMP/run" || fail "no directory to work in"
SIDE=under
each sqlite3 :memory: 'create table t(a, b);
	insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 400)
		select i, hex(i * 7919) from n;
	create index x on t(b); select count(*), sum(a), max(b) from t where b > 3;'
each lua5.4 -e 'local t = {} for i = 1, 1000 do t[i] = ("x"):rep(i % 50) .. i end
	print(#table.concat(t))'
[ $nr_said -ge 100 ] || fail "only $nr_said runs had a fault to speak of"
[ $nr_unharmed -ge 10 ] || fail "only $nr_unharmed runs did without the one block"
end "$nr_said runs said that memory had run out, $nr_unharmed did without; none crashed"
