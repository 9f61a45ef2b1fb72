/* leak_news.c - see leak_news.h. */
#include "debug/leak_news.h"

#include "debug/private_map.h"

/* Eight million objects; pages that are not touched cost nothing. */
#define LIST_BYTES MIB(64)
#define MAX_ENTRIES ((LIST_BYTES - sizeof(struct list)) / sizeof(uintptr_t))

/* How sure it is, in the lowest bits of an entry, which an object's address has free. */
enum level { NOT_LOST, PERHAPS_LOST, SURELY_LOST };
#define LEVEL_MASK ((uintptr_t)3)

struct list {
	size_t nr; /* more than MAX_ENTRIES: not all are here */
	uintptr_t entries[]; /* ascending */
};

static struct list *last, *present; /* NULL: not mapped */
static bool is_asked_for, is_compared;

static enum level level_of(enum leak_kind kind)
{
	if (kind == LEAK_DEFINITE || kind == LEAK_INDIRECT)
		return SURELY_LOST;
	return kind == LEAK_POSSIBLE ? PERHAPS_LOST : NOT_LOST;
}

void leak_news_begin(bool only_new)
{
	if (!last)
		last = private_map_shared(LIST_BYTES);
	private_unmap(present);
	present = private_map_shared(LIST_BYTES);
	is_asked_for = only_new;
}

static void add_entry(void *unused, const struct leak *leak)
{
	enum level level = level_of(leak->kind);

	(void)unused;
	if (level == NOT_LOST)
		return;
	if (present->nr < MAX_ENTRIES)
		present->entries[present->nr] = leak->object.start | level;
	present->nr++;
}

void leak_news_collect(void)
{
	if (present)
		kmemleak_visit(add_entry, NULL);
	is_compared = is_asked_for && last;
}

static enum level last_level_of(uintptr_t object)
{
	size_t low = 0, high = last->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uintptr_t entry = last->entries[middle];

		if ((entry & ~LEVEL_MASK) == object)
			return entry & LEVEL_MASK;
		if (entry < object)
			low = middle + 1;
		else
			high = middle;
	}
	return NOT_LOST;
}

/* What can still be reached is no news. */
bool leak_is_new(const struct leak *leak)
{
	return !is_compared || level_of(leak->kind) > last_level_of(leak->object.start);
}

bool leak_news_end(bool done)
{
	struct list *kept = present;

	is_compared = false;
	present = NULL;
	if (!done || !kept || kept->nr > MAX_ENTRIES) {
		private_unmap(kept);
		return false;
	}
	private_unmap(last);
	last = kept;
	return true;
}

void leak_news_forget(void)
{
	private_unmap(last);
	private_unmap(present);
	last = present = NULL;
	is_compared = false;
}
