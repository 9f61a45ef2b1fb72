// module
// The same of a thread that is there at the end. The thread's vector of such places is a block of
// the loader's, to which only an interior pointer leads: what such a block holds is no leak,
// whether it counts as reachable or as suppressed.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=0/0
// valgrind: differs: the loader's block is possibly lost to it, and so is what it holds
// valgrind-says: definite 0/0 indirect 0/0 possible 130/1 reachable >=0/0
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
void (*make)(void);

NOINLINE void *hold(void *unused)
{
	make();
	scrub_stack();
	park();
	return unused;
}

int main(void)
{
	make = (void (*)(void))dlsym(dlopen(MODULE_PATH, RTLD_NOW), "module_make");
	start_parked(hold);
	return 0;
}
#endif
