#!/bin/bash
# bash: a script of 2,000 commands: expansions, arrays, functions, here-documents, pipes,
# substitutions and the small programs they start, each of them preloaded as well.
. "$(dirname "$0")/lib.sh"
begin "$@"
need /bin/bash bash
need awk mawk
need sed sed

generate()
{
	local i

	echo 'declare -A map; list=(); text=; f() { local n=$1; echo "$((n * n % 1009))"; }'
	for ((i = 1; i < 2000; i++)); do
		case $((i % 20)) in
		0) echo "seq $((i % 97 + 3)) | sed 's/1/one/g' | awk '{ s += length(\$0) } END { print s }'" ;;
		1) echo "map[key$i]=\$(f $i); echo \"\${map[key$i]}\"" ;;
		2) echo "list+=(item{1..9}_$i); echo \"\${#list[@]} \${list[-1]}\"" ;;
		3) echo "text+='abc$i '; echo \"\${#text} \${text//a/AA}\" | cksum" ;;
		4) echo "cat <<END | tr a-z A-Z" && echo "here $i \$((i * 2)) \${text:0:20}" && echo END ;;
		5) echo "(list=(x y z); echo sub $i \"\${list[@]}\")" ;;
		6) echo "while read -r a b; do echo \"\$b-\$a\"; done < <(printf '%s %s\\n' $i two three four)" ;;
		7) echo "printf '%05d %x %s\\n' $i $i \"\$(printf '%*s' $((i % 50)) '' | tr ' ' '#')\"" ;;
		8) echo "[[ 'v$i.txt' =~ ^v([0-9]+)\\.(.*)\$ ]] && echo \"\${BASH_REMATCH[@]}\"" ;;
		9) echo "for k in \"\${!map[@]}\"; do echo \"\$k\"; done | sort | head -n 3" ;;
		10) echo "mapfile -t lines < <(seq $i $((i + 30))); echo \"\${lines[*]: -3}\"" ;;
		11) echo "echo \$((($i ** 3) % 1000003)) \$((16#ff + $i)); let z=$i*3; echo \$z" ;;
		12) echo "eval 'v$i=\"\${text:$((i % 7)):30}\"'; echo \"\${v$i^^}\"" ;;
		13) echo "set -- {a..z}; shift $((i % 20)); echo \"\$# \$* \${@: -2}\"" ;;
		14) echo "case file$i in *[02468]) echo even ;; *) echo odd ;; esac" ;;
		15) echo "list=(\"\${list[@]: -40}\"); IFS=, ; echo \"\${list[*]}\" | wc -c; unset IFS" ;;
		16) echo "trap 'echo trapped $i' EXIT; true & wait \$!; echo \$?" ;;
		17) echo "echo \"\$(echo \"\$(echo \"\$(echo deep $i)\")\")\"" ;;
		18) echo "nosuchcommand$i 2>&1 | sed 's/^.*: line/line/'; (exit $((i % 256))); echo \$?" ;;
		19) echo "read -r first rest <<<\"$i \${text: -50}\"; echo \"\$rest \$first\"" ;;
		esac
	done
}

work()
{
	run /bin/bash "$TMP/script" >result
}

generate >"$TMP/script"
took_effect /bin/bash -c 'seq 3 | awk 1 | sed 1d'
both work
not_empty result
same result
end "same output of a script of 2,000 commands, $(wc -l <"$TMP/plain/result") lines"
