// What the name service keeps is libc's own.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=0/0
// valgrind: same
#include "corpus.h"
#include <pwd.h>

int main(void)
{
	use(getpwnam("root"));
	scrub_stack();
	return 0;
}
