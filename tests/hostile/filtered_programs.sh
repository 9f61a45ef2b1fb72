#!/bin/bash
# Real programs to which madvise, munmap, process_madvise, mremap and userfaultfd are refused from
# their first instruction on, with every error a filter may give: their results are right.
set -u
library=$1
refusing=$2/hostile_refusing_work
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
nr_failed=0

need()
{
	command -v "$1" >/dev/null || { echo "no program '$1': apt-get install $2" >&2; exit 1; }
}
need python3 python3

seq 1 60000 | tac >"$work/numbers"
python='
import threading, zlib
def work(results, n):
    data = [str(i) * (i % 50) for i in range(n)]
    text = "".join(sorted(data))
    results.append(zlib.crc32(bytearray(text.encode()) * 3))
results = []
threads = [threading.Thread(target=work, args=(results, 20000 + i * 1000)) for i in range(3)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(results), sum(len(bytes(n)) for n in range(0, 6000000, 700001)))
'
bash='
words=(); for ((i = 0; i < 3000; i++)); do words+=("word$i"); done
text="${words[*]}"; text+=$text; text=${text//word1/WORD}
printf "%s %s\n" "${#text}" "$(cksum <<<"$text")"
'

# check NAME CALLS ERROR COMMAND...
check()
{
	local name=$1 calls=$2 error=$3

	shift 3
	"$@" >"$work/plain" 2>&1 </dev/null || { echo "$name fails on its own" >&2; exit 1; }
	REFUSED_PRELOAD=$library "$refusing" "$error" "$calls" "$@" >"$work/under" 2>&1 </dev/null
	status=$?
	if [ $status -ne 0 ] || ! cmp -s "$work/plain" "$work/under"; then
		echo "$name with $calls refused by $error: status $status, output:" >&2
		head -n 5 "$work/under" | cut -c1-300 >&2
		nr_failed=$((nr_failed + 1))
	fi
}

for error in ENOMEM EPERM ENOSYS EAGAIN EINVAL; do
	check sort madvise,munmap,process_madvise,mremap "$error" \
		sort -n --parallel=2 -S 2M -T "$work" "$work/numbers"
	check bash madvise,munmap,process_madvise,mremap,userfaultfd "$error" bash -c "$bash"
	check python3 madvise,munmap,process_madvise,mremap "$error" \
		env PYTHONMALLOC=malloc python3 -c "$python"
done
exit $((nr_failed > 0))
