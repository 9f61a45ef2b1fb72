/*
 * A program that replaces only `operator new(size_t)` and `operator delete(void *)`, as programs
 * before C++14 did. The other forms are the library's, and must end in the program's two, since
 * the compiler calls sized and array forms of its own accord.
 */
#include <cstddef>
#include <new>
#include <vector>

#include "semantics/check.h"

/* The program's own new puts this before every block; a delete that goes past ours would see it. */
static const size_t header_bytes = 64;
static unsigned int nr_new, nr_delete;
static bool refuse;

void *operator new(size_t bytes)
{
	char *block = refuse ? nullptr : static_cast<char *>(malloc(header_bytes + bytes));

	if (!block)
		throw std::bad_alloc();
	nr_new++;
	memset(block, 0x7e, header_bytes);
	return block + header_bytes;
}

/* Without its sized twin: that is the point. */
#pragma GCC diagnostic ignored "-Wsized-deallocation"
void operator delete(void *object) noexcept
{
	char *block = static_cast<char *>(object) - header_bytes;

	if (!object)
		return;
	CHECK(all_bytes_are(block, 0x7e, header_bytes), "delete of %p, which is not from new",
	      object);
	nr_delete++;
	free(block);
}

static void both_called(const char *form)
{
	CHECK(nr_new == 1 && nr_delete == 1, "%s: %u calls of new, %u of delete", form, nr_new,
	      nr_delete);
	nr_new = nr_delete = 0;
}

static void *volatile sink;

static void *seen(void *object)
{
	CHECK(object, "new gave NULL");
	return sink = object;
}

int main(void)
{
	::operator delete(seen(::operator new(100)), 100);
	both_called("new, sized delete");
	::operator delete[](seen(::operator new[](100)));
	both_called("new[], delete[]");
	::operator delete[](seen(::operator new[](100)), 100);
	both_called("new[], sized delete[]");
	::operator delete(seen(::operator new(100, std::nothrow)), std::nothrow);
	both_called("nothrow new and delete");
	::operator delete[](seen(::operator new[](100, std::nothrow)), std::nothrow);
	both_called("nothrow new[] and delete[]");
	{
		std::vector<int> numbers(10);

		seen(numbers.data());
	}
	both_called("std::vector");

	refuse = true;
	CHECK(!::operator new(opaque(100), std::nothrow), "nothrow new when new throws");
	CHECK(!::operator new[](opaque(100), std::nothrow), "nothrow new[] when new throws");
	return 0;
}
