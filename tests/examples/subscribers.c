/*
 * Subscribers of an event, who may leave while it is being told, and while another thread tells
 * one: the last who is at a subscriber frees it.
 */
#include <pthread.h>
#include <stdio.h>

#include <stitch/klist.h>
#include <stitch/slab.h>

struct subscriber {
	unsigned int nr_wanted; /* events */
	_Atomic unsigned int nr_told;
	struct stitch_klist_node node;
};

static _Atomic unsigned int nr_freed;

static void subscriber_put(struct stitch_klist_node *node)
{
	nr_freed++;
	stitch_kfree(stitch_container_of(node, struct subscriber, node));
}

static STITCH_DEFINE_KLIST(subscribers, NULL, subscriber_put);

/* Ten events. Who has had enough leaves, amid the walk. */
static void *tell(void *argument)
{
	struct stitch_klist_node *node;
	struct stitch_klist_iter iter;
	struct subscriber *one;

	for (unsigned int event = 0; event < 10; event++) {
		stitch_klist_iter_init(&subscribers, &iter);
		while ((node = stitch_klist_next(&iter))) { /* it is there until we go on */
			one = stitch_container_of(node, struct subscriber, node);
			if (++one->nr_told == one->nr_wanted)
				stitch_klist_del(node);
		}
	}
	return argument;
}

int main(void)
{
	struct subscriber *one;
	pthread_t thread;

	for (unsigned int i = 0; i < 1000; i++) {
		one = stitch_kzalloc(sizeof(*one), STITCH_GFP_KERNEL | STITCH__GFP_NOFAIL);
		one->nr_wanted = 1 + i % 20; /* there are 20 events */
		stitch_klist_add_tail(&one->node, &subscribers);
	}
	pthread_create(&thread, NULL, tell, NULL);
	tell(NULL);
	pthread_join(thread, NULL);
	printf("%u have left\n", nr_freed);
	return nr_freed == 1000 ? 0 : 2;
}
