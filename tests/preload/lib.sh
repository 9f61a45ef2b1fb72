# shellcheck shell=bash
# Common part of the preload tests: sourced, never run.
#
# A test is   SCRIPT LIBRARY [NAME=VALUE]...   The pairs go into the environment of the preloaded
# runs only. It calls begin, defines functions that do the work in the current directory with
# `run PROGRAM ARGS` for the program under test, hands them to `both`, which calls them without and
# with the preload, and compares what they left behind with `same`. Anything unexpected ends it
# with status 1; `end` says what was compared.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Only Debian's own programs: a python3 of the user's would be another one.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8
unset LD_PRELOAD
set -o pipefail

# Where failures go, whatever a test redirects.
exec 3>&2
SIDE=plain
SERVERS=()
PRELOAD_ENV=()
AS_USER=()

fail()
{
	local file

	exec 2>&3
	echo "$NAME: FAIL ($SIDE): $*" >&2
	for file in "$TMP"/run/stderr "$TMP"/run/*.log; do
		[ -s "$file" ] || continue
		echo "--- last lines of ${file##*/}" >&2
		tail -n 20 "$file" >&2
	done
	exit 1
}

cleanup()
{
	local pid

	for pid in "${SERVERS[@]}"; do
		disown "$pid" 2>/dev/null
		kill -KILL -- "-$pid" 2>/dev/null
	done
	[ -n "${KEEP:-}" ] || rm -rf "$TMP"
}

# need PROGRAM PACKAGE: a missing program is a failure that says what to install.
need()
{
	command -v "$1" >/dev/null || fail "no program '$1': apt-get install $2"
}

# Where to work: a RAM disk if it is large and may hold libraries, because 5,000 small files take
# a minute on some disks. TMPDIR overrides it.
scratch()
{
	local free

	free=$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)
	if [ "${free:-0}" -ge 2000000 ] && ! findmnt -no OPTIONS -T /dev/shm | grep -q noexec; then
		echo /dev/shm
	else
		echo /tmp
	fi
}

begin()
{
	NAME=${0##*/}
	NAME=${NAME%.sh}
	TMP=$(mktemp -d "${TMPDIR:-$(scratch)}/preload-$NAME.XXXXXX") || exit 1
	trap cleanup EXIT
	trap 'exit 1' INT TERM
	# Servers that give up root must still reach the library and their files.
	chmod 755 "$TMP"
	[ $# -ge 1 ] || fail "usage: $NAME.sh LIBRARY [NAME=VALUE]..."
	[ -f "$1" ] || fail "no library '$1'"
	LIB=$TMP/${1##*/}
	install -m 755 "$1" "$LIB" || fail "cannot copy '$1'"
	shift
	PRELOAD_ENV=("$@")
	mkdir -p "$TMP/home"
	SECONDS=0
}

# environment: sets ENVIRON for the current side.
environment()
{
	ENVIRON=("PATH=$PATH" "HOME=$TMP/home" LANG=C.UTF-8 LC_ALL=C.UTF-8 TZ=UTC TERM=dumb
		"TMPDIR=$TMP/run" SOURCE_DATE_EPOCH=1700000000)
	[ "$SIDE" = plain ] || ENVIRON+=("${PRELOAD_ENV[@]}" "LD_PRELOAD=$LIB")
}

# run PROGRAM ARGS...: the program under test, in a clean environment that differs between the
# two sides in LD_PRELOAD alone. Leading NAME=VALUE words are added to the environment.
# AS_USER may hold a command that gives up root; it is not preloaded itself.
run()
{
	environment
	"${AS_USER[@]}" env -i "${ENVIRON[@]}" "$@" 3>&-
}

# serve PROGRAM ARGS...: run in the background; SERVER is its process and the leader of a group
# that is killed at the end.
serve()
{
	environment
	setsid "${AS_USER[@]}" env -i "${ENVIRON[@]}" "$@" 3>&- &
	SERVER=$!
	SERVERS+=("$SERVER")
}

# stop_server SIGNAL: ends the last server and expects a clean exit.
stop_server()
{
	local status

	kill "-$1" "$SERVER" || fail "the server died before it was stopped"
	wait "$SERVER"
	status=$?
	SERVERS=()
	[ $status -eq 0 ] || fail "the server ended with status $status"
}

# until_true WHAT COMMAND...: waits for a condition, half a minute at most.
until_true()
{
	local what=$1 i

	shift
	for ((i = 0; i < 300; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	fail "waited 30 s in vain for: $what"
}

# check_maps PID: a running server has the library mapped exactly when it should.
check_maps()
{
	local found=under

	grep -qF "$LIB" "/proc/$1/maps" || found=plain
	[ $found = "$SIDE" ] || fail "process $1 ($(cat "/proc/$1/comm")): preload is '$found'"
}

# took_effect PROGRAM ARGS...: the loader reports the library in every process of a short run.
took_effect()
{
	local trace nr=0

	mkdir "$TMP/trace" && chmod 777 "$TMP/trace"
	SIDE=under
	(cd "$TMP/home" && run LD_DEBUG=files "LD_DEBUG_OUTPUT=$TMP/trace/of" "$@") \
		</dev/null >"$TMP/probe" 2>&1 ||
		fail "'$*' fails under the preload: $(tail -n 5 "$TMP/probe")"
	for trace in "$TMP"/trace/of.*; do
		[ -f "$trace" ] || fail "'$*' left no trace of the loader: is it static?"
		# env itself starts without the preload.
		grep -qE 'initialize program: (/usr/bin/)?env$' "$trace" && continue
		grep -qF "file=$LIB [0];  generating link map" "$trace" ||
			fail "'$*': not preloaded in: $(grep -m1 'initialize program' "$trace")"
		nr=$((nr + 1))
	done
	[ $nr -gt 0 ] || fail "'$*' was not preloaded"
	rm -r "$TMP/trace" "$TMP/probe"
	SIDE=plain
}

# both FUNCTION: calls it without and with the preload. Both sides work in a directory of the
# same name, so paths in results are the same; results move to $TMP/plain and $TMP/under.
# Expects status 0 of both, and the same messages on stderr.
both()
{
	for SIDE in plain under; do
		mkdir "$TMP/run"
		chmod 777 "$TMP/run"
		cd "$TMP/run" || fail "no directory to work in"
		"$1" >stdout 2>stderr </dev/null || fail "$1: status $?"
		cd "$TMP" || exit 1
		mv "$TMP/run" "$TMP/$SIDE"
	done
	same stdout stderr
}

# same FILE...: results of both sides, byte by byte.
same()
{
	local file

	for file in "$@"; do
		cmp -s "$TMP/plain/$file" "$TMP/under/$file" && continue
		diff -a "$TMP/plain/$file" "$TMP/under/$file" | head -n 20 | cut -c1-300 >&2
		fail "'$file' differs between the plain (<) and the preloaded (>) run"
	done
}

# not_empty FILE...: a comparison of nothing is no comparison.
not_empty()
{
	local file

	for file in "$@"; do
		[ -s "$TMP/plain/$file" ] || fail "'$file' of the plain run is empty"
	done
}

end()
{
	echo "$NAME: PASS: $* [${SECONDS} s]"
	exit 0
}
