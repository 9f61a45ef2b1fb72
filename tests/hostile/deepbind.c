/*
 * A plug-in opened with RTLD_DEEPBIND and the program free and resize each other's blocks, as far
 * as any preload can make that work: the plug-in's malloc, free and realloc are libc's, and a
 * block of ours that it frees itself is lost on libc. Under foreign=warn each block that
 * crosses the border is one line, under foreign=abort the first is the last.
 */
#include "semantics/again.h"

#include <pthread.h>

#include "hostile/libraries/plugin.h"

#define LONG_LINE 50000

static const struct plugin *its;

static void open_plugin(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 100);
	void *module;

	CHECK(length > 0, "readlink");
	path[length] = '\0';
	strcpy(strrchr(path, '/'), "/libhostile_libraries_plugin.so");
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	CHECK(module, "dlopen: %s", dlerror());
	its = dlsym(module, "plugin");
	CHECK(its, "dlsym: %s", dlerror());
}

/* Its blocks are libc's, or this is no border at all. */
static bool is_foreign(const void *block)
{
	uintptr_t ours = (uintptr_t)malloc(20), distance = (uintptr_t)block - ours;

	free((void *)ours);
	return distance + ((uintptr_t)1 << 30) > (uintptr_t)1 << 31;
}

static FILE *long_lines(void)
{
	FILE *file = tmpfile();

	CHECK(file, "tmpfile");
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int at = 0; at < LONG_LINE; at++)
			putc('x', file);
		putc('\n', file);
	}
	rewind(file);
	return file;
}

static void lines_cross(void)
{
	FILE *file = long_lines();
	char *line = its->read_line(file);

	CHECK(line && strlen(line) == LONG_LINE + 1, "its line");
	its->release(line); /* libc's from first to last: our realloc handed it on */
	line = its->read_new_line(file);
	CHECK(line && strlen(line) == LONG_LINE + 1, "our line");
	free(line);
	fclose(file);
}

static void blocks_cross(void)
{
	for (size_t bytes = 1; bytes < 3000000; bytes = bytes * 3 / 2 + 1) {
		char *block = its->allocate(bytes);

		CHECK(block && malloc_usable_size(block) >= bytes, "usable size of its block");
		memset(block, 7, bytes);
		block = realloc(block, 2 * bytes);
		CHECK(block && all_bytes_are(block, 7, bytes), "realloc of its block");
		block = its->resize(block, bytes);
		CHECK(block && all_bytes_are(block, 7, bytes), "its realloc of its block");
		if (bytes % 2)
			free(block);
		else
			its->release(block);
	}
}

static void texts_cross(void)
{
	char *text = its->copy_text("text");

	CHECK(text && !strcmp(text, "text"), "its strdup");
	free(realloc(text, 100));
	text = its->print(4711);
	CHECK(text && !strcmp(text, "number 4711"), "its asprintf");
	free(text);
}

static void *everything(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 50; i++) {
		blocks_cross();
		texts_cross();
		lines_cross();
	}
	return NULL;
}

static void run_through(void)
{
	pthread_t threads[4];

	for (unsigned int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, everything, NULL), "pthread_create");
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void few_cross(void)
{
	void *block = its->allocate(100);

	CHECK(!on_stitchmalloc() || is_foreign(block), "the plug-in's block is ours");
	free(realloc(block, 200));
	texts_cross();
}

static unsigned int count_lines(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static void run_with(const char *option)
{
	char text[4096];
	int status = run_again("few", "STITCH_CONF", option, text, sizeof(text));
	bool aborts = strstr(option, "abort");

	if (aborts)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: status %#x: %s",
		      option, (unsigned int)status, text);
	else
		CHECK(!status, "%s: status %#x: %s", option, (unsigned int)status, text);
	CHECK(count_lines(text) == (aborts ? 1 : 2), "%s: %s", option, text);
	CHECK(!strncmp(text, "stitchmalloc: realloc(): foreign pointer 0x", 43), "%s: %s", option,
	      text);
}

int main(int argc, char **argv)
{
	(void)argv;
	open_plugin();
	if (argc > 1) {
		few_cross();
		return 0;
	}
	run_through();
	if (on_stitchmalloc()) {
		run_with("foreign=warn");
		run_with("foreign=warn,hardened=1");
		run_with("foreign=abort");
	}
	return 0;
}
