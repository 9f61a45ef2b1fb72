#!/bin/bash
# bash: a script of 2,000 commands: expansions, arrays, functions, here-documents, pipes,
# substitutions and the small programs they start, each of them preloaded as well.
. "$(dirname "$0")/lib.sh"
begin "$@"
need /bin/bash bash
need awk mawk
need sed sed

# Twenty kinds of commands; @ becomes the number of the command, %NL a new line.
kinds()
{
	cat <<'END'
seq $((@ % 97 + 3)) | sed 's/1/one/g' | awk '{ s += length($0) } END { print s }'
map[key@]=$(f @); echo "${map[key@]}"
list+=(item{1..9}_@); echo "${#list[@]} ${list[-1]}"
text+='abc@ '; echo "${#text} ${text//a/AA}" | cksum
cat <<STOP | tr a-z A-Z%NLhere @ $((@ * 2)) ${text:0:20}%NLSTOP
(list=(x y z); echo sub @ "${list[@]}")
while read -r a b; do echo "$b-$a"; done < <(printf '%s %s\n' @ two three four)
printf '%05d %x %s\n' @ @ "$(printf '%*s' $((@ % 50)) '' | tr ' ' '#')"
[[ 'v@.txt' =~ ^v([0-9]+)\.(.*)$ ]] && echo "${BASH_REMATCH[@]}"
for k in "${!map[@]}"; do echo "$k"; done | sort | head -n 3
mapfile -t lines < <(seq @ $((@ + 30))); echo "${lines[*]: -3}"
echo $(((@ ** 3) % 1000003)) $((16#ff + @)); let z=@*3; echo $z
eval 'v@="${text:$((@ % 7)):30}"'; echo "${v@^^}"
set -- {a..z}; shift $((@ % 20)); echo "$# $* ${*: -2}"
case file@ in *[02468]) echo even ;; *) echo odd ;; esac
list=("${list[@]: -40}"); IFS=, ; echo "${list[*]}" | wc -c; unset IFS
trap 'echo trapped @' EXIT; true & wait $!; echo $?
echo "$(echo "$(echo "$(echo deep @)")")"
nosuchcommand@ 2>&1 | sed 's/^.*: line/line/'; (exit $((@ % 256))); echo $?
read -r first rest <<<"@ ${text: -50}"; echo "$rest $first"
END
}

work()
{
	run /bin/bash "$TMP/script" >result
}

{
	echo 'declare -A map; list=(); text=; f() { local n=$1; echo "$((n * n % 1009))"; }'
	# Not every @ is a place for the number: "${name[@]}" keeps its own.
	kinds | awk '
	{ kind[NR % 20] = $0 }
	END {
		for (i = 1; i < 2000; i++) {
			line = kind[i % 20]
			gsub(/\[@\]/, "[\001]", line)
			gsub(/@/, i, line)
			gsub(/\001/, "@", line)
			gsub(/%NL/, "\n", line)
			print line
		}
	}'
} >"$TMP/script"
took_effect /bin/bash -c 'seq 3 | awk 1 | sed 1d'
both work
not_empty result
same result
[ ! -s "$TMP/plain/stderr" ] || fail "the script has mistakes"
end "same output of a script of 2,000 commands, $(wc -l <"$TMP/plain/result") lines"
