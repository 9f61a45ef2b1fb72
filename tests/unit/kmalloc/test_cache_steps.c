/*
 * test_cache_steps.c - a signal handler that uses the cache, or forks, at the instructions of hits,
 * refills, flushes, new slabs and shrinking: no object is given out twice, none is lost. A step
 * takes some microseconds: of what is long only every so many instructions are interrupted.
 *
 * Not under ThreadSanitizer, whose own instructions must not be interrupted, nor under Valgrind,
 * which knows no trap flag.
 */
#include "steps.h"

#include "kunit.h"
#include "isolated.h"
#include "cache_test.h"
#include "kmalloc/owner.h"
#include "mm/emergency.h"

#include <pthread.h>
#include <sched.h>

#if defined(__SANITIZE_THREAD__)
#define CAN_STEP 0
#else
#define CAN_STEP 1
#endif

#define NR_HELD 200u

static struct kmem_cache *cache;
static void *held[NR_HELD], *result, *had_by_handler;
static bool in_child;
static pid_t child;

/* --- what is interrupted --------------------------------------------------------------------- */

static void alloc_it(void)
{
	result = cache_object_alloc(cache, KERNEL);
}

static void free_it(void)
{
	cache_object_free(cache, held[0]);
	held[0] = NULL;
}

static void shrink_it(void)
{
	cache_shrink(cache);
}

/* --- what it is interrupted by ---------------------------------------------------------------- */

static void use_cache(void)
{
	void *first = cache_object_alloc(cache, KERNEL);
	void *second = cache_object_alloc(cache, KERNEL);

	cache_object_free(cache, first);
	had_by_handler = second;
	cache_object_free(cache, held[NR_HELD - 1]);
	held[NR_HELD - 1] = NULL;
}

static void fork_and_use(void)
{
	mm_fork_prepare();
	child = fork();
	if (child) {
		mm_fork_parent();
		return;
	}
	mm_fork_child();
	in_child = true;
	use_cache();
}

/* --- before and after ------------------------------------------------------------------------ */

enum before { SHEAF_FULL, SHEAF_EMPTY, SLABS_FULL };

static void fill_sheaf(void)
{
	void *some[2 * CACHE_SHEAF_MAX];
	unsigned int nr = 0;

	while (nr < 2 * cache->sheaf_limit)
		some[nr++] = new_object(cache);
	while (cache->sheaf[current_slot->cache_sheaf]->nr < cache->sheaf_limit)
		cache_object_free(cache, some[--nr]);
	while (nr--)
		cache_slab_free(cache, current_slot, some[nr], &(struct alloc_track){ 0 },
				&(struct cache_fault){ 0 });
	EXPECT_EQ(cache->sheaf[current_slot->cache_sheaf]->nr, cache->sheaf_limit);
}

static void prepare(enum before before)
{
	for (unsigned int i = 0; i < NR_HELD; i++)
		if (!held[i])
			held[i] = new_object(cache);
	cache_shrink(cache);
	for (unsigned int i = 1; before == SLABS_FULL && cache->nr_taken % cache->nr_objects; i++) {
		kfree(held[i]);
		held[i] = NULL;
		cache_shrink(cache);
	}
	if (before == SHEAF_FULL)
		fill_sheaf();
}

static bool is_of_cache(const void *object)
{
	return object && !emergency_contains(object);
}

static void check(unsigned int step)
{
	struct kmem_cache_stat stat;
	size_t nr = is_of_cache(result) + (size_t)is_of_cache(had_by_handler);

	for (unsigned int i = 0; i < NR_HELD; i++) {
		nr += is_of_cache(held[i]);
		EXPECT(!held[i] || (held[i] != result && held[i] != had_by_handler));
	}
	EXPECT(!result || result != had_by_handler);
	kfree(kmalloc(100000)); /* what was deferred */
	kmem_cache_stat_read(cache, &stat);
	if (stat.active_objs != nr)
		fprintf(stderr, "after %u steps%s:\n", step, in_child ? " in the child" : "");
	EXPECT_EQ(stat.active_objs, nr);
	EXPECT(validate_caches());
}

static void forget(void)
{
	if (result)
		kfree(result);
	if (had_by_handler)
		kfree(had_by_handler);
	result = had_by_handler = NULL;
}

static void expect_child_is_well(void)
{
	int status = -1;

	if (in_child) {
		fflush(NULL);
		_exit(kunit.nr_failed_checks != 0);
	}
	if (child > 0)
		waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
	child = 0;
}

/* Returns whether the handler came. */
static bool interrupt(enum before before, void (*what)(void), void (*by)(void), unsigned int step)
{
	prepare(before);
	child = 0;
	steps_prepare(by);
	nr_steps = 0;
	act_at = step;
	steps_begin();
	what();
	steps_end();
	if (act_at != NEVER)
		return false;
	check(step);
	if (by == fork_and_use)
		expect_child_is_well();
	forget();
	return true;
}

static void run(enum before before, void (*what)(void), void (*ctor)(void *), unsigned int stride,
		unsigned int least)
{
	unsigned int step;

	if (!CAN_STEP)
		return;
	heap_up("");
	cache = cache_of("stepped", 200, 0, CACHE_NO_MERGE, ctor);
	for (step = 1; interrupt(before, what, use_cache, step); step += stride + step / 8)
		;
	EXPECT(step > least);
	act_at = NEVER;
	forget();
	for (step = 1; interrupt(before, what, fork_and_use, step); step += 5 * stride + step / 4)
		;
	EXPECT(step > least);
	expect_caches_valid();
}

ISOLATED_TEST(amid_a_hit)
{
	run(SHEAF_FULL, alloc_it, NULL, 1, 20);
}

ISOLATED_TEST(amid_a_refill)
{
	run(SHEAF_EMPTY, alloc_it, NULL, 3, 200);
}

ISOLATED_TEST(amid_a_new_slab)
{
	run(SLABS_FULL, alloc_it, NULL, 7, 200);
}

ISOLATED_TEST(amid_constructors)
{
	run(SLABS_FULL, alloc_it, construct, 31, 500);
}

ISOLATED_TEST(amid_a_push)
{
	run(SHEAF_EMPTY, free_it, NULL, 1, 20);
}

ISOLATED_TEST(amid_a_flush)
{
	run(SHEAF_FULL, free_it, NULL, 7, 200);
}

ISOLATED_TEST(amid_shrinking)
{
	run(SHEAF_FULL, shrink_it, NULL, 13, 500);
}

/* --- another thread, in a child made without handlers ---------------------------------------- */

static _Atomic bool is_paused, is_done, may_go_on;
static enum before before_it;
static void (*what_is_amid)(void);
static unsigned int step_to_pause_at;

static void pause_here(void)
{
	is_paused = true;
	while (!may_go_on)
		sched_yield();
}

static void *other_thread(void *unused)
{
	prepare(before_it);
	steps_prepare(pause_here);
	nr_steps = 0;
	act_at = step_to_pause_at;
	steps_begin();
	what_is_amid();
	steps_end();
	forget();
	mm_thread_exit();
	is_done = true;
	return unused;
}

/* Whatever lies in a sheaf is a free object that is nowhere else. */
static void check_sheaf(const struct cache_sheaf *sheaf)
{
	EXPECT(!sheaf->held_by);
	for (uint32_t i = 0; i < sheaf->nr; i++) {
		ASSERT(sheaf->objects[i] != NULL);
		ASSERT_EQ(pagemap_read(virt_to_pfn(sheaf->objects[i])), cache->entry);
		EXPECT(cache_object_is_taken(cache, sheaf->objects[i]));
		for (uint32_t n = 0; n < i; n++)
			EXPECT(sheaf->objects[i] != sheaf->objects[n]);
	}
}

static void check_child(void)
{
	kfree(kmalloc(100000)); /* finds out */
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++)
		if (cache->sheaf[i])
			check_sheaf(cache->sheaf[i]);
	fflush(NULL);
	_exit(kunit.nr_failed_checks != 0);
}

static bool fork_amid(unsigned int step)
{
	pthread_t thread;
	int status = 0;

	is_paused = is_done = may_go_on = false;
	step_to_pause_at = step;
	ASSERT(!pthread_create(&thread, NULL, other_thread, NULL));
	while (!is_paused && !is_done)
		sched_yield();
	child = is_paused ? _Fork() : 0;
	if (is_paused && !child)
		check_child();
	may_go_on = true;
	pthread_join(thread, NULL);
	if (child > 0)
		waitpid(child, &status, 0);
	if (status)
		fprintf(stderr, "in a child made after %u steps\n", step);
	EXPECT_EQ(status, 0);
	return is_paused;
}

static void run_absent(enum before before, void (*what)(void))
{
	unsigned int step;

	if (!CAN_STEP)
		return;
	heap_up("");
	cache = cache_of("stepped", 200, 0, CACHE_NO_MERGE, NULL);
	before_it = before;
	what_is_amid = what;
	for (step = 1; fork_amid(step); step += 5 + step / 30)
		;
	EXPECT(step > 200);
}

ISOLATED_TEST(absent_amid_a_refill)
{
	run_absent(SHEAF_EMPTY, alloc_it);
}

ISOLATED_TEST(absent_amid_a_flush)
{
	run_absent(SHEAF_FULL, free_it);
}

RUN_TESTS
