/*
 * A program that is linked with the library and has the C++ runtime inside it (-static-libstdc++),
 * which can then not be asked for the forms of operator new that do not throw: the program has
 * replaced the one that does, and has a new-handler.
 */
#include <new>

#include "semantics/check.h"

static unsigned int nr_new, nr_handled;

void *operator new(size_t bytes)
{
	nr_new++;
	return malloc(bytes);
}

void operator delete(void *object) noexcept
{
	free(object);
}

static void give_up()
{
	nr_handled++;
	std::set_new_handler(nullptr);
}

int main()
{
	std::align_val_t align_64{64};
	void *object = ::operator new(opaque(100), std::nothrow);

	CHECK(object && nr_new == 1, "nothrow: %p, %u calls", object, nr_new);
	::operator delete(object);
	object = ::operator new[](opaque(100), std::nothrow);
	CHECK(object && nr_new == 2, "nothrow[]: %p, %u calls", object, nr_new);
	::operator delete(object);
	std::set_new_handler(give_up);
	CHECK(!::operator new(opaque((size_t)1 << 60), align_64, std::nothrow), "too much");
	CHECK(nr_handled == 1, "%u calls of the new-handler", nr_handled);
	return 0;
}
