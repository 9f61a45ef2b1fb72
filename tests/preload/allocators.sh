#!/bin/bash
# Other allocators in the process: jemalloc, mimalloc and tcmalloc opened in three ways, each
# beside the preload, and linked in behind it, when it hands their blocks on to them.
. "$(dirname "$0")/lib.sh"
begin "$@"
need python3 python3

# library PATTERN PACKAGE: its path.
library()
{
	find /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu -name "$1" 2>/dev/null | head -n 1 |
		grep . || fail "no library '$1': apt-get install $2"
}

LIBRARIES=()
LIBRARIES+=("$(library libjemalloc.so.2 libjemalloc2)") || exit 1
LIBRARIES+=("$(library libmimalloc.so.2.0 libmimalloc2.0)") || exit 1
LIBRARIES+=("$(library libtcmalloc_minimal.so.4 libtcmalloc-minimal4)") || exit 1

# jemalloc has more thread-local storage than may be added to a running process by default.
TLS=GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384

# LIBRARY MODE. Beside glibc's malloc tcmalloc, opened by a running process, now and then ruins the
# heap, it seems since both move the program break by sbrk without a common lock. Expected is what a
# run prints in which that has not happened; the heap under test does without a break.
opened()
{
	local command=(run $TLS python3 "$HERE/allocators_work.py" "$@") status

	if [ "$SIDE" != plain ]; then
		"${command[@]}"
		return
	fi
	for _ in {1..9}; do
		"${command[@]}" >"$TMP/opened" 2>"$TMP/opened.err"
		status=$?
		[ $status != 0 ] || break
	done
	cat "$TMP/opened.err" >&2
	cat "$TMP/opened"
	return $status
}

work()
{
	local library mode preload

	for library in "${LIBRARIES[@]}"; do
		for mode in local global deep; do
			# Opened so, tcmalloc crashes now and then without us, too.
			[[ $library = *tcmalloc* && $mode = deep ]] && continue
			opened "$library" $mode || return
		done
		preload=$library
		[ "$SIDE" = plain ] || preload=$LIB:$library
		run "LD_PRELOAD=$preload" python3 "$HERE/allocators_work.py" "$library" linked ||
			return
	done >result
}

took_effect python3 -c 'import ctypes'
both work
not_empty result
same result
end "jemalloc, mimalloc, tcmalloc opened locally, globally, with RTLD_DEEPBIND, and linked in"
