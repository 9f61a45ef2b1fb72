#!/bin/bash
# perl: hashes, sorting, regular expressions, growing strings, interpreter threads (each clones the
# whole interpreter), forked children, over the perl library's own source.
. "$(dirname "$0")/lib.sh"
begin "$@"
need /usr/bin/perl perl

work()
{
	run PERL_HASH_SEED=0 /usr/bin/perl "$HERE/perl_work.pl" >result
}

took_effect /usr/bin/perl -e 'print 1'
both work
not_empty result
same result
end "same word counts, digests, sorted output, results of 4 threads and 4 children"
