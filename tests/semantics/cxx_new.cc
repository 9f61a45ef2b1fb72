/*
 * operator new and delete in all their forms: alignment, new-handler, std::bad_alloc, NULL from
 * the forms that do not throw, and delete forms that match.
 */
#include <cstddef>
#include <new>

#include "semantics/check.h"

static unsigned int nr_handler_calls;
static void *volatile sink;

struct alignas(256) aligned_object {
	char bytes[700];
};

struct handler_gave_up {};

static void handler_gives_up(void)
{
	if (++nr_handler_calls == 3)
		throw handler_gave_up();
}

static void handler_throws_bad_alloc(void)
{
	nr_handler_calls++;
	throw std::bad_alloc();
}

static void handler_resigns(void)
{
	nr_handler_calls++;
	std::set_new_handler(nullptr);
}

/* What a call of new ended with, when it could not succeed. */
enum outcome { GOT_MEMORY, GOT_NULL, BAD_ALLOC, GAVE_UP };

template <typename call> static enum outcome outcome_of(call allocate)
{
	try {
		void *object = allocate();

		return object ? GOT_MEMORY : GOT_NULL;
	} catch (const std::bad_alloc &) {
		return BAD_ALLOC;
	} catch (const handler_gave_up &) {
		return GAVE_UP;
	}
}

static const size_t too_much = (size_t)1 << 62;
static const std::align_val_t align_64{64};

/* The same of all four throwing and all four other forms. */
static void every_form(enum outcome throwing, enum outcome nothrow, std::new_handler handler,
		       unsigned int nr_calls)
{
	enum outcome got;
	size_t bytes = opaque(too_much);
	unsigned int form = 0;

#define EXPECT(wanted, expression) \
	do { \
		nr_handler_calls = 0; \
		std::set_new_handler(handler); \
		got = outcome_of([=] { return expression; }); \
		CHECK(got == (wanted), "form %u: outcome %d", form, got); \
		CHECK(nr_handler_calls == nr_calls, "form %u: %u calls of the handler", form, \
		      nr_handler_calls); \
		form++; \
	} while (0)

	EXPECT(throwing, ::operator new(bytes));
	EXPECT(throwing, ::operator new[](bytes));
	EXPECT(throwing, ::operator new(bytes, align_64));
	EXPECT(throwing, ::operator new[](bytes, align_64));
	EXPECT(nothrow, ::operator new(bytes, std::nothrow));
	EXPECT(nothrow, ::operator new[](bytes, std::nothrow));
	EXPECT(nothrow, ::operator new(bytes, align_64, std::nothrow));
	EXPECT(nothrow, ::operator new[](bytes, align_64, std::nothrow));
#undef EXPECT
	std::set_new_handler(nullptr);
}

static void failing(void)
{
	every_form(BAD_ALLOC, GOT_NULL, nullptr, 0);
	every_form(BAD_ALLOC, GOT_NULL, handler_resigns, 1);
	every_form(BAD_ALLOC, GOT_NULL, handler_throws_bad_alloc, 1);
	every_form(GAVE_UP, GOT_NULL, handler_gives_up, 3);
}

static void *use(void *object, size_t align, size_t bytes)
{
	CHECK(object, "new of %zu bytes gave NULL", bytes);
	CHECK((uintptr_t)object % align == 0, "new gave %p, not %zu-aligned", object, align);
	memset(object, 0x42, bytes);
	sink = object;
	return object;
}

static void plain_forms(size_t bytes)
{
	::operator delete(use(::operator new(bytes), 16, bytes));
	::operator delete(use(::operator new(bytes), 16, bytes), bytes);
	::operator delete(use(::operator new(bytes, std::nothrow), 16, bytes), std::nothrow);
	::operator delete[](use(::operator new[](bytes), 16, bytes));
	::operator delete[](use(::operator new[](bytes), 16, bytes), bytes);
	::operator delete[](use(::operator new[](bytes, std::nothrow), 16, bytes), std::nothrow);
}

static void aligned_forms(size_t bytes, size_t align)
{
	std::align_val_t al{align};

	::operator delete(use(::operator new(bytes, al), align, bytes), al);
	::operator delete(use(::operator new(bytes, al), align, bytes), bytes, al);
	::operator delete(use(::operator new(bytes, al, std::nothrow), align, bytes), al,
			  std::nothrow);
	::operator delete[](use(::operator new[](bytes, al), align, bytes), al);
	::operator delete[](use(::operator new[](bytes, al), align, bytes), bytes, al);
	::operator delete[](use(::operator new[](bytes, al, std::nothrow), align, bytes), al,
			    std::nothrow);
}

static void succeeding(void)
{
	void *first = ::operator new(0), *second = ::operator new(0);

	CHECK(first && second && first != second, "new of 0 bytes gave %p and %p", first, second);
	::operator delete(first);
	::operator delete(second);
	::operator delete(nullptr);
	for (size_t bytes = 0, step = 1; step; step = size_after(bytes), bytes = step) {
		plain_forms(bytes);
		for (size_t align = 16; align <= 8192; align *= 8)
			aligned_forms(bytes, align);
	}
	delete static_cast<aligned_object *>(use(new aligned_object, 256, sizeof(aligned_object)));
	delete[] static_cast<aligned_object *>(use(new aligned_object[5], 256, 5 * 256));
}

/* malloc and new share one heap, as every Linux program assumes. */
static void mixed_with_malloc(void)
{
	free(use(::operator new(100), 16, 100));
	::operator delete(use(malloc(100), 16, 100));
}

int main(void)
{
	succeeding();
	failing();
	succeeding();
	mixed_with_malloc();
	return 0;
}
