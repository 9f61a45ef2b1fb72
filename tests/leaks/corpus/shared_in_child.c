// A child finds its parent's blocks by shared memory, which it has not touched itself.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 400/10
// child: definite 0/0 indirect 0/0 possible 0/0 reachable 400/10
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>
#include <sys/wait.h>

int main(void)
{
	void **pointers = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	for (int i = 0; i < 10; i++)
		pointers[600 + i] = malloc(40);
	if (!fork())
		return 0;
	wait(&status);
	return status;
}
