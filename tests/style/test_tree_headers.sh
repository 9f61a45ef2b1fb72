#!/bin/sh
# Each header of trees compiles alone, as C99, C17 and C++17, with the warnings that a user may have
# on; and what its macros become does.
# usage: test_tree_headers.sh INCLUDE-FOLDER
set -eu
include=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
warnings="-Wall -Wextra -Wshadow -Wcast-qual -Wundef -Wvla -Werror"

# compile LANGUAGE STANDARD TEXT
compile()
{
	printf '%s\n' "$3" >"$folder/source"
	for compiler in gcc clang; do
		command -v "$compiler" >"$folder/which" || continue
		# shellcheck disable=SC2086  # several words
		"$compiler" -x "$1" "-std=$2" -O1 $warnings -I "$include" -c -o "$folder/o" \
			"$folder/source" || { echo "FAIL: $compiler $2: $3"; exit 1; }
	done
}

for header in rbtree btree btree_types radix_tree idr node_source; do
	for standard in "c c99" "c c17" "c gnu17" "c++ c++17" "c++ gnu++20"; do
		# shellcheck disable=SC2086  # two words
		compile $standard "#include <stitch/$header.h>"
	done
done

for standard in "c c99" "c++ c++17"; do
	# shellcheck disable=SC2086
	compile $standard '
#include <stitch/btree.h>
#include <stitch/idr.h>
#include <stitch/rbtree.h>
struct range { struct stitch_rb_node rb; unsigned long last, max; };
static inline unsigned long range_last(const struct range *range) { return range->last; }
STITCH_RB_DECLARE_CALLBACKS_MAX(static, callbacks, struct range, rb, unsigned long, max,
				range_last);
struct stitch_rb_root root = STITCH_RB_ROOT;
struct stitch_rb_root_cached cached = STITCH_RB_ROOT_CACHED;
STITCH_RADIX_TREE(tree, STITCH_GFP_KERNEL);
STITCH_DEFINE_IDR(ids);
unsigned long use(struct range *range, const char *text);
unsigned long use(struct range *range, const char *text)
{
	struct range *pos, *next;
	struct stitch_radix_tree_iter iter;
	struct stitch_btree_headl head;
	unsigned long sum = 0, key;
	void **slot, *val;
	int id;
	root = STITCH_RB_ROOT;
	cached = STITCH_RB_ROOT_CACHED;
	stitch_rb_erase_augmented(&range->rb, &root, &callbacks);
	stitch_rbtree_postorder_for_each_entry_safe(pos, next, &root, rb) sum += pos->last;
	stitch_radix_tree_for_each_slot(slot, &tree, &iter, 0) sum += iter.index;
	stitch_idr_for_each_entry(&ids, text, id) sum += (unsigned long)id;
	stitch_btree_initl(&head, NULL);
	stitch_btree_for_each_safel(&head, key, val) sum += key;
	return sum + (text != NULL);
}'
done
echo "test_tree_headers: all well"
