/*
 * The library opened with dlopen by a process that runs on libc's malloc: it loads (its
 * thread-local storage fits what is left for late comers), works through its own symbols beside
 * libc's heap, in threads as well, takes libc's blocks for what they are, and stays when closed.
 * That the program has made many thread-specific keys before, or all of them, is no hindrance.
 */
#include <pthread.h>

#include "semantics/again.h"

static void *(*their_malloc)(size_t);
static void *(*their_realloc)(void *, size_t);
static void (*their_free)(void *);
static size_t (*their_usable_size)(void *);

static void *uses_it(void *unused)
{
	for (size_t bytes = 0, step = 1; step; step = size_after(bytes), bytes = step) {
		void *block = their_malloc(bytes);

		CHECK(block, "malloc(%zu) of the opened library", bytes);
		memset(block, 1, bytes);
		their_free(block);
	}
	return unused;
}

static void takes_blocks_of_libc(void)
{
	char *block = malloc(100);

	CHECK(their_usable_size(block) == malloc_usable_size(block),
	      "usable size of libc's block: %zu, not %zu", their_usable_size(block),
	      malloc_usable_size(block));
	strcpy(block, "contents");
	block = their_realloc(block, 100000);
	CHECK(block && !strcmp(block, "contents"), "realloc of libc's block lost the contents");
	their_free(block);
	their_free(malloc(5000000));
}

static void use_in_threads(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, uses_it, NULL), "pthread_create");
		pthread_join(thread, NULL);
	}
}

static void open_and_use(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);

	CHECK(library, "dlopen: %s", dlerror());
	their_malloc = (void *(*)(size_t))dlsym(library, "malloc");
	their_realloc = (void *(*)(void *, size_t))dlsym(library, "realloc");
	their_free = (void (*)(void *))dlsym(library, "free");
	their_usable_size = (size_t(*)(void *))dlsym(library, "malloc_usable_size");
	CHECK(their_malloc && their_realloc && their_free && their_usable_size, "dlsym");
	CHECK(their_malloc != malloc, "the library is not beside libc's malloc");
	uses_it(NULL);
	takes_blocks_of_libc();
	use_in_threads();
	dlclose(library);
	/* -z nodelete: what the program still has a pointer to is still there. */
	uses_it(NULL);
}

static void make_keys(unsigned int nr_keys)
{
	pthread_key_t key;

	while (nr_keys && !pthread_key_create(&key, NULL))
		nr_keys--;
}

int main(int argc, char **argv)
{
	static const char *const nr_keys[] = { "0", "40", "100000" };
	const char *library = getenv("LD_PRELOAD");
	char text[1000];

	if (argc > 1) {
		make_keys((unsigned int)atoi(getenv("NR_KEYS")));
		open_and_use(argv[1]);
		return 0;
	}
	CHECK(library, "this test wants the library's path in LD_PRELOAD");
	for (size_t i = 0; i < sizeof(nr_keys) / sizeof(nr_keys[0]); i++) {
		int status;

		setenv("NR_KEYS", nr_keys[i], 1);
		status = run_again(library, "LD_PRELOAD", NULL, text, sizeof(text));
		CHECK(!status, "with %s keys: status %d: %s", nr_keys[i], status, text);
	}
	return 0;
}
