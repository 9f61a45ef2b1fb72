/*
 * Blocks of libc's own heap: a module opened with RTLD_DEEPBIND allocates there, past any preload,
 * and the program frees with the malloc that it knows. free, realloc and malloc_usable_size hand
 * such pointers on; the option foreign= says what else is done.
 */
#include "semantics/again.h"

static void *(*libc_malloc)(size_t);
static struct mallinfo2 (*libc_mallinfo2)(void);

/* The C++ runtime as a module: __cxa_demangle gives memory that its caller must free. */
static char *module_result(void)
{
	void *module = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	typedef char *demangler(const char *, char *, size_t *, int *);
	demangler *demangle;
	char *text;

	CHECK(module, "dlopen: %s (package libstdc++6)", dlerror());
	demangle = (demangler *)dlsym(module, "__cxa_demangle");
	CHECK(demangle, "dlsym: %s", dlerror());
	text = demangle("_Z5probei", NULL, NULL, NULL);
	CHECK(text && !strcmp(text, "probe(int)"), "__cxa_demangle gave %s", text);
	return text;
}

static void find_libc(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	CHECK(libc, "dlopen: %s", dlerror());
	libc_malloc = (void *(*)(size_t))dlsym(libc, "malloc");
	libc_mallinfo2 = (struct mallinfo2(*)(void))dlsym(libc, "mallinfo2");
	CHECK(libc_malloc && libc_mallinfo2, "dlsym: %s", dlerror());
	CHECK(!on_stitchmalloc() || libc_malloc != malloc, "libc's malloc is the preloaded one");
}

static void forwards(void)
{
	char *block = libc_malloc(100);

	errno = 12345;
	CHECK(malloc_usable_size(block) >= 100 && malloc_usable_size(block) < 200,
	      "usable size of libc's block: %zu", malloc_usable_size(block));
	strcpy(block, "contents");
	block = realloc(block, 100000);
	CHECK(block && !strcmp(block, "contents"), "realloc of libc's block lost the contents");
	block = realloc(block, 50);
	CHECK(block && !strcmp(block, "contents"), "realloc of libc's block lost the contents");
	free(block);
	free(libc_malloc(3000000));
	CHECK(!realloc(libc_malloc(10), 0), "realloc(p, 0) of libc's block");
	CHECK(errno == 12345, "errno is %d", errno);
	block = libc_malloc(10);
	CHECK(!realloc(block, opaque(SIZE_MAX / 2)), "realloc of libc's block to half of memory");
	CHECK(errno == ENOMEM, "errno is %d", errno);
	free(block);
}

/* A forwarded free really frees. */
static void nothing_piles_up(void)
{
	size_t before = libc_mallinfo2().uordblks;

	for (unsigned int i = 0; i < 1000; i++)
		free(realloc(libc_malloc(1000), 3000));
	CHECK(libc_mallinfo2().uordblks < before + 100000, "libc's heap has grown from %zu to %zu",
	      before, libc_mallinfo2().uordblks);
}

/* With foreign=warn: one line for each call, and the call is still handed on. */
static void warns(void)
{
	char text[4096], expected[300];
	int status = run_again("one", "STITCH_CONF", "foreign=warn", text, sizeof(text));

	CHECK(!status, "foreign=warn: status %d: %s", status, text);
	for (const char *line = text, *name = "realloc"; *line; name = "free") {
		void *block = NULL;

		sscanf(line, "stitchmalloc: %*[a-z](): foreign pointer %p", &block);
		snprintf(expected, sizeof(expected), "stitchmalloc: %s(): foreign pointer %p "
			 "(handed to the next allocator)\n", name, block);
		CHECK(block && !strncmp(line, expected, strlen(expected)), "foreign=warn wrote: %s",
		      text);
		line = strchr(line, '\n') + 1;
		if (!strcmp(name, "free"))
			CHECK(!*line, "foreign=warn wrote more: %s", line);
	}
}

static void aborts(void)
{
	char text[4096];
	int status = run_again("one", "STITCH_CONF", "foreign=abort", text, sizeof(text));

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "foreign=abort: status %d: %s",
	      status, text);
	CHECK(!strncmp(text, "stitchmalloc: realloc(): foreign pointer 0x", 43) &&
	      strchr(text, '\n') == text + strlen(text) - 1, "foreign=abort wrote: %s", text);
}

int main(int argc, char **argv)
{
	(void)argv;
	find_libc();
	if (argc > 1) {
		free(realloc(libc_malloc(100), 200));
		return 0;
	}
	free(module_result());
	free(realloc(module_result(), 10000));
	forwards();
	nothing_piles_up();
	if (on_stitchmalloc()) {
		warns();
		aborts();
	}
	return 0;
}
