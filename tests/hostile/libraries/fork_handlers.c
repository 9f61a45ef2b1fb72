/*
 * A library whose fork handlers, registered in its constructor, use the heap in every way: objects
 * of all three routes live across the fork, and a thread is started, allocates and is joined.
 */
#include "hostile/fork.h"
#include "hostile/libraries/fork_handlers.h"

#define NR_OBJECTS 24u

static struct object objects[NR_OBJECTS], thread_objects[NR_OBJECTS];
static struct handler_counts counts;
static struct rng rng;

const struct handler_counts *handlers_counts(void)
{
	return &counts;
}

static void *allocates(void *unused)
{
	struct rng own = { .state = counts.nr_prepared };

	objects_steps(thread_objects, NR_OBJECTS, &own, 16);
	untagged_burst(&own);
	return unused;
}

static void use_heap(void)
{
	objects_check(objects, NR_OBJECTS);
	objects_steps(objects, NR_OBJECTS, &rng, 16);
	untagged_burst(&rng);
	if (counts.nr_prepared % 4 == 0) {
		pthread_t thread;

		thread_start(&thread, allocates, NULL);
		pthread_join(thread, NULL);
		objects_steps(thread_objects, NR_OBJECTS, &rng, 4);
	}
}

static void prepare(void)
{
	test_step = "a handler before the fork";
	counts.nr_prepared++;
	use_heap();
}

static void in_parent(void)
{
	test_step = "a handler in the parent";
	counts.nr_in_parent++;
	use_heap();
}

static void in_child(void)
{
	alarm(CHILD_HANG_SECONDS);
	test_step = "a handler in the child";
	counts.nr_in_child++;
	use_heap();
}

__attribute__((constructor)) static void library_start(void)
{
	CHECK(!pthread_atfork(prepare, in_parent, in_child), "pthread_atfork");
}

__attribute__((destructor)) static void library_end(void)
{
	objects_free(objects, NR_OBJECTS);
	objects_free(thread_objects, NR_OBJECTS);
}
