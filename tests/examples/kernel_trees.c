/* Trees under the kernel's own names, those of 2004 included. */
#include <stdio.h>

#include <stitch/kernel.h>

struct timer {
	struct rb_node node;
	unsigned long expires;
};

static bool timer_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct timer, node)->expires < rb_entry(b, struct timer, node)->expires;
}

/* The next timer is always at hand. */
static bool timers_in_order(void)
{
	static struct timer timers[100];
	struct rb_root_cached queue = RB_ROOT_CACHED;
	struct rb_node *first;
	unsigned long last = 0;

	for (unsigned long i = 0; i < 100; i++) {
		timers[i].expires = i * 37 % 100 + 1;
		rb_add_cached(&timers[i].node, &queue, timer_less);
	}
	while ((first = rb_first_cached(&queue))) {
		if (container_of(first, struct timer, node)->expires != ++last)
			return false;
		rb_erase_cached(first, &queue);
	}
	return last == 100 && RB_EMPTY_ROOT(&queue.rb_root) && !queue.rb_root.rb_node;
}

int main(void)
{
	DEFINE_IDR(ids);
	RADIX_TREE(tree, GFP_ATOMIC);
	struct btree_head32 squares;
	int id, error = btree_init32(&squares);
	bool good = timers_in_order();

	/* As in 2004: memory, then an id under a lock; all again when another has been faster. */
	do {
		if (!idr_pre_get(&ids, GFP_KERNEL))
			return 1;
		error = idr_get_new(&ids, &tree, &id);
	} while (error == -EAGAIN);
	good = good && !error && idr_find(&ids, id) == &tree &&
	       idr_alloc(&ids, &ids, 0, 0, GFP_KERNEL) != id && IS_ERR(idr_replace(&ids, &id, 7));
	error = radix_tree_preload(GFP_KERNEL); /* so that this needs nothing of the reserve */
	good = good && !error && !radix_tree_insert(&tree, 1ul << 40, &ids);
	radix_tree_preload_end();
	good = good && radix_tree_delete(&tree, 1ul << 40) == &ids && !radix_tree_delete(&tree, 0);
	good = good && !btree_insert32(&squares, 9, &id, GFP_KERNEL) && btree_remove32(&squares, 9);
	idr_destroy(&ids);
	printf("the kernel's names: %s\n", good ? "good" : "wrong");
	return good ? 0 : 2;
}
