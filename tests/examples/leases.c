/* An augmented red-black tree: leases by start; one that covers a moment is found by the ends. */
#include <stdio.h>

#include <stitch/rbtree.h>

struct lease {
	struct stitch_rb_node rb;
	unsigned long start, end; /* seconds; the end is not part of it */
	unsigned long latest_end; /* of all leases under this node */
};

#define lease_of(node) stitch_rb_entry_safe(node, struct lease, rb)
#define lease_end(lease) ((lease)->end)
STITCH_RB_DECLARE_CALLBACKS_MAX(static, callbacks, struct lease, rb, unsigned long, latest_end,
				lease_end);

static void lease_add(struct stitch_rb_root *root, struct lease *lease)
{
	struct stitch_rb_node **link = &root->rb_node, *parent = NULL;

	for (; *link; link = &parent->rb_child[lease->start >= lease_of(parent)->start])
		parent = *link;
	stitch_rb_link_node(&lease->rb, parent, link);
	lease->latest_end = lease->end;
	callbacks.propagate(parent, NULL);
	stitch_rb_insert_augmented(&lease->rb, root, &callbacks);
}

/* The first lease that covers `when`; NULL when there is none. */
static struct lease *lease_at(const struct stitch_rb_root *root, unsigned long when)
{
	struct lease *lease = lease_of(root->rb_node), *left;

	while (lease) {
		left = lease_of(lease->rb.rb_left);
		if (left && left->latest_end > when)
			lease = left; /* if it is not there, then nowhere */
		else if (lease->start <= when && when < lease->end)
			return lease;
		else
			lease = lease->start > when ? NULL : lease_of(lease->rb.rb_right);
	}
	return NULL;
}

int main(void)
{
	static struct lease leases[1000];
	struct stitch_rb_root root = STITCH_RB_ROOT;

	for (unsigned long i = 0; i < 1000; i++) { /* every 10 s for 5 s, one of them for long */
		leases[i].start = i * 7 % 1000 * 10;
		leases[i].end = leases[i].start + (leases[i].start == 200 ? 2000 : 5);
		lease_add(&root, &leases[i]);
	}
	printf("at 1008: the lease from %lu on\n", lease_at(&root, 1008)->start);
	stitch_rb_erase_augmented(&lease_at(&root, 1008)->rb, &root, &callbacks);
	return !lease_at(&root, 1008) && lease_at(&root, 1004)->start == 1000 ? 0 : 2;
}
