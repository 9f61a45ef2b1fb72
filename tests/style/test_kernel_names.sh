#!/bin/sh
# Names of the kernel that are gone are refused by the compiler, which says what to use.
# usage: test_kernel_names.sh INCLUDE-FOLDER
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# compile EXPRESSION: with the header, of which else nothing is used.
compile()
{
	cat >"$folder/a.c" <<-END
		#include <stitch/kernel.h>
		void *f(void);
		void *f(void) { return kmalloc(1, $1); }
	END
	cc -O1 -Wall -Wextra -Werror -I "$include" -c -o "$folder/a.o" "$folder/a.c" \
		>"$folder/out" 2>&1
}

include=$1
compile 'GFP_KERNEL | __GFP_WAIT' || { cat "$folder/out"; echo "good names are refused"; exit 1; }
while read -r name advice; do
	if compile "$name"; then
		echo "$name is not refused"
		exit 1
	fi
	grep -q "$advice" "$folder/out" || { cat "$folder/out"; echo "$name: no advice"; exit 1; }
done <<'END'
__GFP_ATOMIC use GFP_ATOMIC
__GFP_NOTRACK leave it out
GFP_TEMPORARY use GFP_KERNEL
END
