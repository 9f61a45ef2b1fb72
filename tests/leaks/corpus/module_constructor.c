// module
// A module's constructor and destructor lose a block each; it is still open at the end.
// expect: definite 77/2 indirect 0/0 possible 0/0 reachable >=0/0
// top: on_load main
// top: on_unload
// valgrind: same
#include "corpus.h"
#include <dlfcn.h>

#ifdef MODULE
static __attribute__((constructor)) void on_load(void)
{
	use(malloc(44));
}

static __attribute__((destructor)) void on_unload(void)
{
	use(malloc(33));
}
#else
int main(void)
{
	use(dlopen(MODULE_PATH, RTLD_NOW));
	scrub_stack();
	return 0;
}
#endif
