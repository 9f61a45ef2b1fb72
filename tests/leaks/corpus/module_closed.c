// module
// The module whose global held the pointer was closed: so it was lost by unloaded code.
// expect: definite 130/1 indirect 0/0 possible 0/0 reachable >=0/0
// valgrind: same
#include "corpus.h"
#include <dlfcn.h>

#ifdef MODULE
void *kept;

void module_make(void)
{
	kept = malloc(130);
}
#else
int main(void)
{
	void *module = dlopen(MODULE_PATH, RTLD_NOW);

	((void (*)(void))dlsym(module, "module_make"))();
	dlclose(module);
	scrub_stack();
	return 0;
}
#endif
