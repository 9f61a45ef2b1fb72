// module
// The thread variable of a loaded module (general-dynamic: its place is a block of the loader's).
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=130/1
// valgrind: same
#include "corpus.h"
#include <dlfcn.h>

#ifdef MODULE
__thread struct {
	char large[5000];
	void *kept;
} variable;

void module_make(void)
{
	variable.kept = malloc(130);
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
