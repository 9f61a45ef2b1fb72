/*
 * kmalloc.c - kmalloc and its family, and what each GFP flag does, as include/stitch/slab.h and
 * gfp.h promise.
 */
#include "semantics/check.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kernel_api.h"

#define KERNEL STITCH_GFP_KERNEL
#define ATOMIC STITCH_GFP_ATOMIC
#define MANY 4000

static size_t natural(size_t bytes)
{
	size_t align = bytes & -bytes;

	return align > 4096 ? 4096 : align < 16 ? 16 : align;
}

static void is_aligned_at(size_t bytes, stitch_gfp_t flags)
{
	void *objects[3];

	for (int i = 0; i < 3; i++) {
		objects[i] = stitch_kmalloc(bytes, flags);
		CHECK(objects[i] && !((uintptr_t)objects[i] % natural(bytes)), "%zu bytes: %p",
		      bytes, objects[i]);
		CHECK(stitch_ksize(objects[i]) >= bytes, "ksize of %zu", bytes);
		memset(objects[i], 0xa5, bytes);
	}
	for (int i = 0; i < 3; i++)
		stitch_kfree(objects[i]);
}

static void every_size_is_aligned(void)
{
	for (size_t bytes = 1; bytes <= 12288; bytes++) {
		is_aligned_at(bytes, KERNEL);
		is_aligned_at(bytes, ATOMIC);
	}
	is_aligned_at((size_t)3 << 20, KERNEL);
}

static void sizes_are_as_said(void)
{
	for (size_t bytes = 1; bytes <= 20000; bytes += bytes < 9000 ? 1 : 777) {
		size_t whole = stitch_kmalloc_size_roundup(bytes);
		void *object = stitch_kmalloc(bytes, KERNEL);

		CHECK(stitch_ksize(object) == whole, "%zu bytes: %zu, not %zu", bytes,
		      stitch_ksize(object), whole);
		CHECK(stitch_kmalloc_size_roundup(whole) == whole, "of %zu", whole);
		stitch_kfree(object);
	}
	CHECK(stitch_kmalloc_size_roundup(0) == 0, "of 0");
}

static void nothing_is_nothing(void)
{
	void *zero = STITCH_ZERO_SIZE_PTR;

	CHECK(stitch_kmalloc(0, KERNEL) == zero && stitch_kmalloc(0, ATOMIC) == zero, "kmalloc");
	CHECK(stitch_kzalloc(0, KERNEL) == zero && stitch_kcalloc(3, 0, KERNEL) == zero, "zero");
	CHECK(stitch_kmalloc_array(0, 3, KERNEL) == zero, "kmalloc_array");
	CHECK(stitch_kvmalloc(0, KERNEL) == zero, "kvmalloc");
	CHECK(stitch_kmemdup("", 0, KERNEL) == zero, "kmemdup");
	CHECK(stitch_krealloc(NULL, 0, KERNEL) == zero, "krealloc of NULL");
	CHECK(stitch_krealloc(zero, 0, KERNEL) == zero, "krealloc of nothing");
	CHECK(stitch_krealloc(stitch_kmalloc(5, KERNEL), 0, KERNEL) == zero, "krealloc");
	CHECK(!stitch_ksize(zero) && !stitch_ksize(NULL), "ksize");
	CHECK(!stitch_kstrdup(NULL, KERNEL) && !stitch_kstrndup(NULL, 1, KERNEL), "of NULL");
	stitch_kfree(zero);
	stitch_kfree(NULL);
	stitch_kvfree(zero);
	stitch_kfree_sensitive(zero);
	stitch_kfree_sensitive(NULL);
	stitch_kfree(stitch_krealloc(zero, 40, KERNEL));
}

static void too_much_is_refused(void)
{
	errno = 0;
	CHECK(!stitch_kmalloc_array((size_t)1 << 40, (size_t)1 << 40, KERNEL), "overflow");
	CHECK(errno == ENOMEM, "errno %d", errno);
	CHECK(!stitch_kcalloc(SIZE_MAX, 2, ATOMIC), "kcalloc");
	CHECK(!stitch_kvcalloc(SIZE_MAX, 2, KERNEL), "kvcalloc");
	CHECK(!stitch_kmalloc(STITCH_KMALLOC_MAX_SIZE + 1, KERNEL | STITCH__GFP_NOFAIL), "max");
	CHECK(!stitch_kmalloc(SIZE_MAX, KERNEL) && !stitch_kmalloc(SIZE_MAX, ATOMIC), "SIZE_MAX");
}

static void resizes(stitch_gfp_t flags)
{
	unsigned char *object = NULL;
	size_t was = 0;

	for (size_t bytes = 1; bytes < 40000; bytes = bytes * 5 / 3 + 1) {
		object = stitch_krealloc(object, bytes, flags | STITCH__GFP_ZERO);
		CHECK(object, "%zu bytes", bytes);
		CHECK(!((uintptr_t)object % natural(bytes)), "aligned for %zu", bytes);
		CHECK(all_bytes_are(object, 7, was), "contents at %zu", bytes);
		memset(object, 7, stitch_ksize(object));
		was = bytes;
	}
	CHECK(!stitch_krealloc(object, SIZE_MAX, flags), "too much");
	object = stitch_krealloc(object, 100, flags);
	CHECK(object && all_bytes_are(object, 7, 100), "shrunk");
	stitch_kfree(object);
}

static void copies(stitch_gfp_t flags)
{
	char *text = stitch_kstrdup("0123456789", flags);
	char *part = stitch_kstrndup("0123456789", 4, flags);
	char *bytes = stitch_kmemdup("a\0b", 3, flags);

	CHECK(text && !strcmp(text, "0123456789"), "kstrdup");
	CHECK(part && !strcmp(part, "0123"), "kstrndup");
	CHECK(bytes && !memcmp(bytes, "a\0b", 3), "kmemdup");
	stitch_kfree(text);
	stitch_kfree(part);
	free(bytes);
}

/* Between malloc, kmalloc and the reserve each frees and resizes the others'. */
static void memory_is_one(void)
{
	char *object = realloc(stitch_kmalloc(100, ATOMIC), 5000);

	CHECK(object && malloc_usable_size(object) >= 5000, "realloc");
	stitch_kfree(object);
	stitch_kfree(malloc(30));
	object = stitch_kmalloc(64, ATOMIC);
	CHECK(malloc_usable_size(object) == 64, "usable");
	free(object);
	stitch_kvfree(stitch_kvmalloc((size_t)5 << 20, KERNEL));
	object = stitch_krealloc(malloc(100), 300, ATOMIC);
	CHECK(object, "of malloc to the reserve");
	stitch_kfree_sensitive(object);
}

/* --- flags ----------------------------------------------------------------------------------- */

static void *kept[(size_t)1 << 17];

/* How many objects until there are no more; all are freed again. */
static size_t how_many(stitch_gfp_t flags)
{
	size_t nr = 0;

	while (nr < sizeof(kept) / sizeof(kept[0])) {
		void *object = stitch_kmalloc(1024, flags);

		if (!object)
			break;
		kept[nr++] = object;
	}
	for (size_t i = 0; i < nr; i++)
		stitch_kfree(kept[i]);
	return nr;
}

static void depths(void)
{
	size_t all = how_many(ATOMIC | STITCH__GFP_MEMALLOC), nr;
	unsigned int outer, inner;

	CHECK(all >= 128 && all < 65536, "%zu in all", all);
	nr = how_many(STITCH_GFP_NOWAIT);
	CHECK(nr <= all / 2 && nr >= all / 2 - 1, "NOWAIT: %zu of %zu", nr, all);
	nr = how_many(ATOMIC);
	CHECK(nr <= all * 13 / 16 && nr >= all * 13 / 16 - 1, "ATOMIC: %zu of %zu", nr, all);
	nr = how_many(STITCH__GFP_HIGH);
	CHECK(nr >= all * 13 / 16 - 1, "HIGH: %zu of %zu", nr, all);
	CHECK(how_many(ATOMIC | STITCH__GFP_MEMALLOC | STITCH__GFP_NOMEMALLOC) == nr, "NOMEMALLOC");
	outer = stitch_memalloc_noreclaim_save();
	inner = stitch_memalloc_noreclaim_save();
	stitch_memalloc_noreclaim_restore(inner);
	CHECK(how_many(STITCH_GFP_NOWAIT) == all, "in a scope, an inner one is over");
	CHECK(how_many(ATOMIC | STITCH__GFP_NOMEMALLOC) == nr, "NOMEMALLOC in a scope");
	stitch_memalloc_noreclaim_restore(outer);
	CHECK(how_many(ATOMIC) == nr, "after the scope");
}

static void no_zone(void)
{
	errno = 0;
	CHECK(!stitch_kmalloc(10, STITCH_GFP_HIGHUSER) && errno == ENOMEM, "HIGHMEM");
	CHECK(!stitch_kmalloc(10, ATOMIC | STITCH__GFP_HIGHMEM), "HIGHMEM, atomic");
	CHECK(!stitch_kvzalloc(10, STITCH_GFP_HIGHUSER), "kvzalloc");
}

static void zeroes(stitch_gfp_t flags)
{
	for (size_t bytes = 1; bytes < 30000; bytes = bytes * 2 + 1) {
		void *object = stitch_kmalloc(bytes, flags);

		memset(object, 0xff, bytes);
		stitch_kfree(object);
		object = stitch_kmalloc(bytes, flags | STITCH__GFP_ZERO);
		CHECK(all_bytes_are(object, 0, bytes), "ZERO, %zu bytes", bytes);
		memset(object, 0xff, bytes);
		stitch_kfree(object);
		object = stitch_kzalloc(bytes, flags);
		CHECK(all_bytes_are(object, 0, bytes), "kzalloc, %zu bytes", bytes);
		stitch_kfree(object);
	}
}

static void accepted(void)
{
	static const stitch_gfp_t flags[] = {
		STITCH_GFP_NOIO, STITCH_GFP_NOFS, STITCH_GFP_USER,
		STITCH_GFP_KERNEL_ACCOUNT, KERNEL | STITCH__GFP_COMP | STITCH__GFP_THISNODE,
		KERNEL | STITCH__GFP_COLD | STITCH__GFP_WRITE | STITCH__GFP_RECLAIMABLE,
		KERNEL | STITCH__GFP_NOFAIL, KERNEL | STITCH__GFP_NORETRY | STITCH__GFP_NOWARN,
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		errno = 77;
		free(stitch_kmalloc(100, flags[i]));
		CHECK(errno == 77, "flags %#x: errno %d", flags[i], errno);
	}
}

/* --- when there is no memory ----------------------------------------------------------------- */

/* From here on the process gets no more. */
static void limit_memory(size_t more)
{
	struct rlimit limit;
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	for (int i = 0; i < 6; i++)
		CHECK(file && fscanf(file, "%lu", &pages) == 1, "statm");
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * 4096 + more;
	CHECK(!setrlimit(RLIMIT_DATA, &limit), "setrlimit");
}

#define LARGE ((size_t)8 << 20)

static void *give_back_late(void *object)
{
	usleep(200000);
	free(object);
	return NULL;
}

static void without_memory(void)
{
	pthread_t thread;
	void *first, *object = NULL;

	limit_memory((size_t)64 << 20);
	CHECK(!pthread_create(&thread, NULL, give_back_late, NULL), "thread");
	pthread_join(thread, NULL);
	first = stitch_kmalloc(LARGE, KERNEL);
	while ((object = stitch_kmalloc(LARGE, KERNEL | STITCH__GFP_NORETRY)))
		*(void *volatile *)object = first;
	errno = 0;
	CHECK(!stitch_kmalloc(LARGE, KERNEL | STITCH__GFP_RETRY_MAYFAIL), "RETRY_MAYFAIL");
	CHECK(errno == ENOMEM, "errno %d", errno);
	CHECK(stitch_kmalloc((size_t)64 << 10, ATOMIC), "the reserve is there");
	CHECK(!pthread_create(&thread, NULL, give_back_late, first), "thread");
	object = stitch_kmalloc(LARGE, KERNEL | STITCH__GFP_NOFAIL);
	CHECK(object, "NOFAIL");
	pthread_join(thread, NULL);
	while (stitch_kmalloc(64 << 10, KERNEL))
		;
	CHECK(stitch_kmalloc(64 << 10, KERNEL | STITCH__GFP_MEMALLOC), "MEMALLOC: the reserve's");
}

static void in_a_child(void (*test)(void))
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		test();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "child: %#x", status);
}

static void the_first_fills_the_reserve(void)
{
	void *object;

	errno = 0;
	CHECK(!stitch_kmalloc(10, ATOMIC) && errno == ENOMEM, "there is no reserve yet");
	errno = 77;
	stitch_kfree(stitch_kmalloc(10, KERNEL));
	object = stitch_kmalloc(10, ATOMIC);
	CHECK(object, "it is there");
	stitch_kfree(object);
	CHECK(errno == 77, "errno is left alone");
}

static void the_reserve_grows(void)
{
	size_t was = how_many(ATOMIC);

	CHECK(!stitch_reserve_fill((size_t)9 << 20), "fill");
	CHECK(how_many(ATOMIC) >= ((size_t)9 << 10) * 13 / 16 - 1, "large");
	CHECK(how_many(ATOMIC) > was, "larger");
	stitch_kfree(stitch_kmalloc((size_t)4 << 20, ATOMIC));
	CHECK(!stitch_kmalloc(((size_t)4 << 20) + 1, ATOMIC), "more than the largest");
	errno = 0;
	CHECK(stitch_reserve_fill(SIZE_MAX) == -1 && errno == ENOMEM, "too much");
	CHECK(!stitch_reserve_fill(0), "enough");
}

int main(void)
{
	if (!on_stitchmalloc())
		return 0;
	the_first_fills_the_reserve();
	depths();
	every_size_is_aligned();
	sizes_are_as_said();
	nothing_is_nothing();
	too_much_is_refused();
	resizes(KERNEL);
	resizes(ATOMIC | STITCH__GFP_MEMALLOC);
	copies(KERNEL);
	copies(ATOMIC);
	memory_is_one();
	no_zone();
	zeroes(KERNEL);
	zeroes(ATOMIC);
	accepted();
	in_a_child(without_memory);
	the_reserve_grows();
	return 0;
}
