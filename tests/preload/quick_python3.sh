#!/bin/bash
# python3 with every object from malloc: JSON, regular expressions, 8 threads, forked children.
. "$(dirname "$0")/lib.sh"
begin "$@"
need /usr/bin/python3 python3

PYTHON=(PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3)

work()
{
	run "${PYTHON[@]}" "$HERE/python3_work.py" >result
}

took_effect "${PYTHON[@]}" -c 'import json, re, threading'
both work
not_empty result
same result
end "same digests and counts of JSON, regular expressions, 8 threads and 4 forked children"
