/*
 * secure_work.c LIBRARY - opens the library by its path, which a set-user-ID program may, and uses
 * it. Ends with 10 when the kernel says that the process is privileged (AT_SECURE), else with 20.
 */
#include <sys/auxv.h>

#include "semantics/check.h"

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *(*allocate)(size_t);

	CHECK(library, "dlopen: %s", dlerror());
	allocate = (__typeof__(allocate))dlsym(library, "malloc");
	CHECK(allocate && allocate(1000), "malloc");
	return getauxval(AT_SECURE) ? 10 : 20;
}
