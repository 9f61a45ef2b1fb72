/* private_map.c - see private_map.h. */
#include "debug/private_map.h"

#include "base/math.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_map.h"

#define MAX_RANGES 32u

static struct range {
	uintptr_t start;
	size_t bytes; /* 0: an entry that is not used */
} ranges[MAX_RANGES];

static struct range *find_entry(uintptr_t start)
{
	for (struct range *range = ranges; range < ranges + MAX_RANGES; range++)
		if (range->start == start)
			return range;
	return NULL;
}

void private_add(void *address, size_t bytes)
{
	struct range *range = find_entry((uintptr_t)address);

	if (!range)
		range = find_entry(0);
	if (range)
		*range = (struct range){ (uintptr_t)address, bytes };
}

typedef int map_fn(size_t bytes, void **address);

static void *map_by(map_fn *map, size_t bytes)
{
	void *address;

	bytes = align_up(max_size(bytes, 1), OS_PAGE_SIZE);
	if (!find_entry(0) || map(bytes, &address))
		return NULL;
	private_add(address, bytes);
	return address;
}

void *private_map(size_t bytes)
{
	return map_by(os_map, bytes);
}

void *private_map_shared(size_t bytes)
{
	return map_by(os_map_shared, bytes);
}

void private_unmap(void *address)
{
	struct range *range = address ? find_entry((uintptr_t)address) : NULL;

	if (!range)
		return;
	os_unreserve(address, range->bytes);
	*range = (struct range){ 0 };
}

bool private_find(uintptr_t start, uintptr_t end, uintptr_t *first, uintptr_t *last)
{
	*first = end;
	for (const struct range *range = ranges; range < ranges + MAX_RANGES; range++) {
		uintptr_t from = max_size(start, range->start);
		uintptr_t to = min_size(end, range->start + range->bytes);

		if (from < to && from < *first) {
			*first = from;
			*last = to;
		}
	}
	return *first < end;
}
