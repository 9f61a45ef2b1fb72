/*
 * isolated.h - tests of the heap, each in a process of its own: a heap boots once a process.
 *
 *	ISOLATED_TEST(what_is_true) { heap_up("hardened=1"); ... }
 *
 * Include after kunit.h, once. Needs the core over fake/os_fake.h.
 */
#ifndef TESTS_ISOLATED_H
#define TESTS_ISOLATED_H

#include "core/memblock.h"
#include "core/params.h"
#include "fake/os_fake.h"
#include "init/mm_init.h"
#include "kmalloc/kmalloc.h"
#include "mm/zone.h"
#include "slab/sheaf.h"
#include "slab/slab.h"

#define ISOLATED_TEST(test_name) \
	static void test_name##_alone(void); \
	TEST(test_name) \
	{ \
		isolated_run(test_name##_alone); \
	} \
	static void test_name##_alone(void)

/* All of a child's life. */
__attribute__((unused)) static _Noreturn void child_run(void (*body)(void))
{
	if (!setjmp(kunit.test_end))
		body();
	fflush(NULL);
	_exit(kunit.nr_failed_checks != 0);
}

/* The body runs in a child, which has said what failed; here it only counts. */
__attribute__((unused)) static void isolated_run(void (*body)(void))
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0) {
		perror("fork");
		exit(2);
	}
	if (!child)
		child_run(body);
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
}

/* A heap booted with these options, "" for none. */
__attribute__((unused)) static void heap_up(const char *options)
{
	static char text[256];
	static const char *environment[] = { text, NULL };

	os_fake_reset();
	snprintf(text, sizeof(text), "STITCH_CONF=%s", options);
	os_fake_start_set(environment, false);
	ASSERT(mm_init());
}

/* From here on this thread is a new one that has not called yet. Returns who it was. */
__attribute__((unused)) static struct slot *thread_switch(struct slot *to)
{
	struct slot *was = current_slot;

	current_slot = to;
	return was;
}

/* A slow path that does nothing, without the gate: the thread may have a slot afterwards. */
__attribute__((unused)) static struct slot *slot_visit(void)
{
	struct slot *slot = slot_enter();

	slot_leave(slot);
	if (slot_is_held())
		slot->inside = 0; /* as gate_leave does */
	return slot;
}

/* Every structure of the heap keeps its invariants; all threads are at rest. */
__attribute__((unused)) static void expect_valid(void)
{
	for (uint32_t id = 1; id <= slot_count(); id++)
		if (slot_by_id(id)->state != SLOT_LOST)
			EXPECT(validate_slabs(slot_by_id(id)));
	EXPECT(validate_zone());
}

/* No memory for anything from now on, until memory_back(). */
__attribute__((unused)) static void memory_gone(void)
{
	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, 12 /* ENOMEM */);
	while (memblock_alloc(CACHE_LINE))
		;
}

__attribute__((unused)) static void memory_back(void)
{
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
}

/* An index into size_classes. */
__attribute__((unused)) static unsigned int class_of(size_t bytes)
{
	return (unsigned int)size_class_of(bytes);
}

#endif
