#!/bin/bash
# git: 5,000 files; commits, merges, gc with one and two pack threads, fsck, clone, log, diff.
. "$(dirname "$0")/lib.sh"
begin "$@"
need git git
need python3 python3

GIT=(GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=c
	GIT_COMMITTER_EMAIL=c@example.org "GIT_AUTHOR_DATE=1700000000 +0000"
	"GIT_COMMITTER_DATE=1700000000 +0000" GIT_CONFIG_NOSYSTEM=1 git -c core.fsync=none)
GIT_C=("${GIT[@]}" -c init.defaultBranch=main -c gc.auto=0 -c core.preloadIndex=true
	-c advice.detachedHead=false -C repo)

make_tree()
{
	/usr/bin/python3 - "$1" <<'END'
import os, random, sys
rnd = random.Random(7)
words = ["%x" % rnd.getrandbits(24) for _ in range(3000)]
for i in range(5000):
    path = "%s/d%d/e%d/f%d.txt" % (sys.argv[1], i % 23, i % 71, i)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        for line in range(rnd.randrange(2, 30)):
            f.write(" ".join(rnd.choices(words, k=8)) + "\n")
END
}

change()
{
	local n files=()

	for ((n = $1; n < 5000; n += $2)); do
		files+=("repo/d$((n % 23))/e$((n % 71))/f$n.txt")
	done
	sed -s -i "2i changed $1" "${files[@]}"
}

# $1 threads: repack everything, then look at the repository as a reader does.
pack()
{
	run "${GIT_C[@]}" -c "pack.threads=$1" repack -a -d -f -q --depth=20 --window=10 &&
		run "${GIT_C[@]}" -c "pack.threads=$1" gc --prune=now --quiet &&
		run "${GIT_C[@]}" fsck --full --strict >"fsck$1" &&
		run "${GIT_C[@]}" rev-parse main side v1 >"refs$1" &&
		run "${GIT_C[@]}" cat-file --batch-all-objects --batch-check >"objects$1" &&
		run "${GIT_C[@]}" count-objects -v | grep -v '^size' >"count$1"
}

work()
{
	cp -r "$TMP/tree" repo &&
		run "${GIT_C[@]}" init -q &&
		run "${GIT_C[@]}" add . && run "${GIT_C[@]}" commit -q -m first &&
		run "${GIT_C[@]}" branch side && run "${GIT_C[@]}" tag -a -m one v1 &&
		change 3 11 && run "${GIT_C[@]}" commit -q -a -m second &&
		run "${GIT_C[@]}" checkout -q side && change 5 13 &&
		run "${GIT_C[@]}" commit -q -a -m third || return 1
	# Files changed on both sides conflict; theirs wins where it does.
	run "${GIT_C[@]}" merge -q -X theirs -m merged main &&
		run "${GIT_C[@]}" status --short >status &&
		run "${GIT_C[@]}" ls-tree -r -l HEAD >tree &&
		run "${GIT_C[@]}" log -p --stat --all --date=raw >log &&
		run "${GIT_C[@]}" grep -n -E 'ab+c' HEAD >grep &&
		run "${GIT_C[@]}" blame d3/e3/f3.txt >blame &&
		pack 1 && md5sum <"$(echo repo/.git/objects/pack/*.pack)" >pack1 && pack 2 &&
		run "${GIT[@]}" clone -q --bare --no-local repo copy &&
		run "${GIT[@]}" -C copy ls-tree -r -l HEAD >tree-copy && cmp tree tree-copy &&
		rm -rf repo copy
}

make_tree "$TMP/tree"
took_effect git hash-object --stdin
both work
not_empty tree log grep refs1 objects1 objects2 pack1
same status tree log grep blame fsck1 refs1 objects1 count1 pack1 fsck2 refs2 objects2 count2
end "same commits, trees, log, fsck and objects of 5,000 files; same pack with one thread"
