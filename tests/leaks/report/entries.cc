// entries.cc - loses memory of every function that allocates, 101 bytes of the first, and so on.
#include <cstdlib>
#include <malloc.h>
#include <new>

static void *volatile lost;

static __attribute__((noinline)) void lose_all(std::size_t bytes)
{
	const std::align_val_t align{64};
	void *object = nullptr;

	lost = malloc(bytes + 1);
	lost = calloc(1, bytes + 2);
	lost = realloc(malloc(1), bytes + 3);
	lost = memalign(64, bytes + 4);
	if (!posix_memalign(&object, 64, bytes + 5))
		lost = object;
	lost = operator new(bytes + 6);
	lost = operator new[](bytes + 7);
	lost = operator new(bytes + 8, std::nothrow);
	lost = operator new(bytes + 9, align);
	lost = operator new[](bytes + 10, align);
	lost = operator new(bytes + 11, align, std::nothrow);
	lost = nullptr;
}

int main()
{
	lose_all(100);
	return 0;
}
