// module
// A global of a loaded module holds the only pointer; another block was lost in the module.
// What the loader keeps may count as reachable.
// expect: definite 45/1 indirect 0/0 possible 0/0 reachable >=130/1
// top: module_make main
// valgrind: same
#include "corpus.h"
#include <dlfcn.h>

#ifdef MODULE
void *kept;

void module_make(void)
{
	use(malloc(45));
	kept = malloc(130);
}
#else
int main(void)
{
	void *module = dlopen(MODULE_PATH, RTLD_NOW);

	((void (*)(void))dlsym(module, "module_make"))();
	scrub_stack();
	return 0;
}
#endif
