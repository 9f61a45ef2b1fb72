/*
 * A ring buffer whose pages are mapped twice in a row: what lies over its end is contiguous, so
 * that a record is written and read at once, wherever it begins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stitch/highmem.h>
#include <stitch/vmalloc.h>

enum { NR_PAGES = 4 };
#define RING_BYTES (NR_PAGES * STITCH_PAGE_SIZE)

struct ring {
	struct stitch_page *pages[2 * NR_PAGES];
	char *bytes; /* byte i is also byte i + RING_BYTES */
	size_t head, tail;
};

static int ring_init(struct ring *ring)
{
	for (int i = 0; i < NR_PAGES; i++) {
		ring->pages[i] = stitch_alloc_pages(STITCH_GFP_HIGHUSER, 0);
		if (!ring->pages[i])
			return -1;
		ring->pages[NR_PAGES + i] = ring->pages[i];
	}
	ring->head = ring->tail = 0;
	ring->bytes = stitch_vmap(ring->pages, 2 * NR_PAGES, STITCH_VM_MAP, STITCH_PAGE_KERNEL);
	return ring->bytes ? 0 : -1;
}

static void ring_destroy(struct ring *ring)
{
	stitch_vunmap(ring->bytes);
	for (int i = 0; i < NR_PAGES; i++)
		stitch_free_pages_of(ring->pages[i], 0);
}

/* One copy, and no question whether the record wraps around. */
static void ring_write(struct ring *ring, const char *record, size_t length)
{
	memcpy(ring->bytes + ring->head % RING_BYTES, record, length);
	ring->head += length;
}

static const char *ring_read(struct ring *ring, size_t length)
{
	const char *record = ring->bytes + ring->tail % RING_BYTES;

	ring->tail += length;
	return record;
}

int main(void)
{
	char record[100];
	struct ring ring;

	if (ring_init(&ring)) {
		perror("no pages that can be mapped twice");
		return 1;
	}
	for (int i = 0; i < 100000; i++) {
		int length = snprintf(record, sizeof(record), "record %d of a hundred thousand", i);

		ring_write(&ring, record, (size_t)length + 1);
		if (strcmp(ring_read(&ring, (size_t)length + 1), record))
			return 2;
	}
	printf("%zu bytes went through a ring of %zu\n", ring.head, RING_BYTES);
	ring_destroy(&ring);
	return 0;
}
