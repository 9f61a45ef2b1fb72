/*
 * fixture.cc - functions that know where they are: compiled into a program or a module, with
 * debug information of several kinds or without.
 */
#include "fixture.h"

#define EXPORTED __attribute__((noinline, visibility("default")))
#define LOCAL __attribute__((noinline))
#define INLINED inline __attribute__((always_inline))

/* The last byte of an instruction of this very line. */
#define HERE(mark) \
	do { \
		__asm__ volatile("lea 0(%%rip), %0" : "=r"((mark)->pc)); \
		(mark)->pc -= 1; \
	} while (0)

static void expect(struct mark *mark, const char *name, unsigned int line)
{
	mark->frames[mark->nr_frames].name = name;
	mark->frames[mark->nr_frames++].line = line;
}

/* --- in C's way, in .dynsym, with others inlined into it -------------------------------------- */

static INLINED void innermost(struct mark *mark)
{
	enum { LINE = __LINE__ + 1 };
	HERE(mark);
	expect(mark, "innermost", LINE);
}

static INLINED void middle(struct mark *mark)
{
	enum { LINE = __LINE__ + 1 };
	innermost(mark);
	expect(mark, "middle", LINE);
}

extern "C" EXPORTED void outermost(struct mark *mark);
extern "C" EXPORTED void outermost(struct mark *mark)
{
	enum { LINE = __LINE__ + 1 };
	middle(mark);
	expect(mark, "outermost", LINE);
	mark->is_exported = 1;
}

/* --- static: in .symtab only ------------------------------------------------------------------ */

static LOCAL void hidden(struct mark *mark)
{
	enum { LINE = __LINE__ + 1 };
	HERE(mark);
	expect(mark, "hidden", LINE);
}

/* --- C++ -------------------------------------------------------------------------------------- */

namespace shapes
{
template <class T, int N> struct grid {
	EXPORTED static void fill(struct mark *mark, const T &);
};

template <class T, int N> void grid<T, N>::fill(struct mark *mark, const T &)
{
	enum { LINE = __LINE__ + 1 };
	HERE(mark);
	expect(mark, "shapes::grid<int, 3>::fill(mark*, int const&)", LINE);
	mark->is_exported = 1;
}

template struct grid<int, 3>;
} // namespace shapes

/* A short name for the linker, a long one for people: 2^10 times `int`. */
template <class A, class B> struct pair_of {
};
template <int N> struct pile {
	typedef pair_of<typename pile<N - 1>::type, typename pile<N - 1>::type> type;
};
template <> struct pile<0> {
	typedef int type;
};

EXPORTED void bury(struct mark *mark, pile<10>::type *);
EXPORTED void bury(struct mark *mark, pile<10>::type *)
{
	enum { LINE = __LINE__ + 1 };
	HERE(mark);
	expect(mark, "bury(mark*, pair_of<pair_of<", LINE);
	mark->is_exported = 1;
	mark->is_cut = 1;
}

/* More than 1024 characters as the linker has it. */
template <class... T> struct list_of {
};
struct a_type_with_quite_a_long_name_of_50_characters_____ {
	template <int N> struct of {
	};
};
#define LONG(n) a_type_with_quite_a_long_name_of_50_characters_____::of<n>
#define TEN_OF(n) \
	LONG(n), LONG(n + 1), LONG(n + 2), LONG(n + 3), LONG(n + 4), LONG(n + 5), LONG(n + 6), \
		LONG(n + 7), LONG(n + 8), LONG(n + 9)

EXPORTED void crowd(struct mark *mark,
		    list_of<TEN_OF(0), TEN_OF(10), TEN_OF(20), TEN_OF(30), TEN_OF(40), TEN_OF(50),
			    TEN_OF(60), TEN_OF(70), TEN_OF(80), TEN_OF(90)> *);
EXPORTED void crowd(struct mark *mark,
		    list_of<TEN_OF(0), TEN_OF(10), TEN_OF(20), TEN_OF(30), TEN_OF(40), TEN_OF(50),
			    TEN_OF(60), TEN_OF(70), TEN_OF(80), TEN_OF(90)> *)
{
	enum { LINE = __LINE__ + 1 };
	HERE(mark);
	expect(mark, "crowd(mark*, list_of<a_type", LINE);
	mark->is_exported = 1;
	mark->is_cut = 1;
}

extern "C" EXPORTED unsigned int fixture_marks(struct mark *marks)
{
	outermost(&marks[0]);
	hidden(&marks[1]);
	shapes::grid<int, 3>::fill(&marks[2], 0);
	bury(&marks[3], 0);
	crowd(&marks[4], 0);
	return 5;
}
