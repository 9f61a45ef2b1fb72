/*
 * The weak symbol stitch_conf: options that a program brings along. The environment comes later
 * and wins. (The program must show the symbol to the library: -rdynamic.)
 */
#include "semantics/again.h"

const char *stitch_conf = "foreign=abort,nonsense=1";

static void *libc_block(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	return ((void *(*)(size_t))dlsym(libc, "malloc"))(100);
}

int main(int argc, char **argv)
{
	char text[4096];
	int status;

	(void)argv;
	if (argc > 1) {
		free(libc_block());
		return 0;
	}
	CHECK(dlsym(RTLD_DEFAULT, "stitch_conf") == &stitch_conf, "link this test with -rdynamic");
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's options");
	status = run_again("free", "STITCH_CONF", NULL, text, sizeof(text));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	      "foreign=abort was not read: %d, %s", status, text);
	CHECK(strstr(text, "nonsense"), "the unknown key is not named: %s", text);
	status = run_again("free", "STITCH_CONF", "foreign=forward", text, sizeof(text));
	CHECK(!status, "the environment does not win: status %d, %s", status, text);
	return 0;
}
