/* C++: objects of new are blocks like others, whatever form made and deleted them. */
#include <new>

#include "valgrind/fault.h"

static NOINLINE void use_deleted()
{
	char *object = new char[SMALL];

	delete[] object;
	write_to(object);
}

static NOINLINE void overrun_aligned()
{
	char *object = static_cast<char *>(operator new(SMALL, std::align_val_t(64)));

	write_to(object + SMALL);
	operator delete(object, SMALL, std::align_val_t(64));
}

static NOINLINE void delete_twice()
{
	int *object = new (std::nothrow) int(1);

	delete object;
	delete static_cast<int *>(launder(object));
}

static NOINLINE void lose()
{
	*static_cast<char *>(launder(operator new(77))) = 1;
}

int main()
{
	use_deleted();
	overrun_aligned();
	delete_twice();
	lose();
	forget_stack();
	return 0;
}
