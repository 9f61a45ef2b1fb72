/*
 * Calls when a thread or the process is on its way out: destructors of thread_local objects, of
 * thread-specific data of keys made before and after ours, in the last round of these too, exit
 * handlers, static destructors, destructor functions, and threads that still run beside exit.
 */
#include <pthread.h>

#include <atomic>

#include "semantics/figures.h"

static const size_t sizes[] = {8, 100, 1000, 8000, 30000, 500000, 3000000};

static std::atomic<unsigned int> nr_thread_local, nr_key_rounds;
static pthread_key_t first_key, last_key;

/* Everything a destructor may want, with a check that blocks keep their contents. */
static void use_the_heap(const char *where)
{
	for (size_t bytes : sizes) {
		unsigned char *block = static_cast<unsigned char *>(malloc(bytes));

		CHECK(block, "malloc(%zu) in %s", bytes, where);
		memset(block, 0x33, bytes);
		block = static_cast<unsigned char *>(realloc(block, bytes + 100));
		CHECK(block && all_bytes_are(block, 0x33, bytes), "realloc in %s", where);
		free(block);
		block = static_cast<unsigned char *>(calloc(1, bytes));
		CHECK(block && all_bytes_are(block, 0, bytes), "calloc in %s", where);
		free(block);
	}
}

struct holder {
	const char *where;
	void *blocks[sizeof(sizes) / sizeof(sizes[0])];

	explicit holder(const char *name) : where(name)
	{
		unsigned int i = 0;

		for (size_t bytes : sizes)
			memset(blocks[i++] = malloc(bytes), 0x44, bytes);
	}

	~holder()
	{
		unsigned int i = 0;

		for (size_t bytes : sizes) {
			CHECK(all_bytes_are(blocks[i], 0x44, bytes), "lost contents in %s", where);
			free(blocks[i++]);
		}
		use_the_heap(where);
		nr_thread_local++;
	}
};

static thread_local holder thread_holder("the destructor of a thread_local object");
static holder static_holder("the destructor of a static object");

/*
 * Comes back for all four rounds that glibc grants. In the first the thread still has its heap
 * (the one of two that are held), so that other destructors find their caches; later it has not.
 */
static void key_destructor(void *value)
{
	size_t round = *static_cast<size_t *>(value), nr_held = figure("nr_slots_held");

	CHECK(round < 4, "round %zu", round);
	CHECK(!on_stitchmalloc() || nr_held == (round ? 1 : 2),
	      "%zu thread heaps are held in round %zu", nr_held, round);
	free(value);
	use_the_heap("the destructor of a key");
	nr_key_rounds++;
	if (round == 3)
		return;
	value = malloc(sizeof(size_t));
	*static_cast<size_t *>(value) = round + 1;
	pthread_setspecific(last_key, value);
}

static void first_key_destructor(void *value)
{
	free(value);
	use_the_heap("the destructor of an early key");
	nr_key_rounds++;
}

/* Before the library's constructor, and so before its key. */
__attribute__((section(".preinit_array"), used)) static void (*const make_first_key)(void) = [] {
	CHECK(!pthread_key_create(&first_key, first_key_destructor), "pthread_key_create");
};

static void *short_lived(void *unused)
{
	size_t *value = static_cast<size_t *>(calloc(1, sizeof(size_t)));

	pthread_setspecific(first_key, malloc(1000));
	pthread_setspecific(last_key, value);
	CHECK(thread_holder.where, "the thread_local object is there");
	return unused;
}

static void *runs_beside_exit(void *unused)
{
	for (;;)
		use_the_heap("a thread beside exit");
	return unused;
}

static void at_exit_function(void)
{
	use_the_heap("an exit handler");
}

__attribute__((destructor)) static void destructor_function(void)
{
	use_the_heap("a destructor function");
}

int main(void)
{
	const unsigned int nr_threads = 50;
	pthread_t thread;

	CHECK(!pthread_key_create(&last_key, key_destructor), "pthread_key_create");
	for (unsigned int i = 0; i < nr_threads; i++) {
		CHECK(!pthread_create(&thread, nullptr, short_lived, nullptr), "pthread_create");
		pthread_join(thread, nullptr);
	}
	CHECK(nr_thread_local == nr_threads, "%u of %u thread_local objects were destroyed",
	      nr_thread_local.load(), nr_threads);
	CHECK(nr_key_rounds == 5 * nr_threads, "%u key destructors ran", nr_key_rounds.load());
	for (unsigned int i = 0; i < 40; i++)
		CHECK(!atexit(at_exit_function), "atexit");
	CHECK(!pthread_create(&thread, nullptr, runs_beside_exit, nullptr), "pthread_create");
	return 0;
}
