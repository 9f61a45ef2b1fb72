#!/bin/bash
# lua5.4: tables, strings, closures, coroutines and both collectors; every object is a realloc.
. "$(dirname "$0")/lib.sh"
begin "$@"
need lua5.4 lua5.4

work()
{
	run lua5.4 "$HERE/lua_work.lua" >result
}

took_effect lua5.4 -v
both work
not_empty result
same result
end "same sums and texts from tables, strings, closures, coroutines under both collectors"
