/*
 * A camera wants a buffer of 4 MiB in one piece now and then, and must get it. The memory is
 * reserved when the program starts; until it is wanted a cache of tiles has it. The tiles are found
 * through a table, so that they can be moved: to a page of the heap when the camera needs theirs.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <stitch/cma.h>

enum { AREA_BYTES = 8 << 20, FRAME_PAGES = 1024, NR_TILES = 3000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* By tile; a page's first number is that of its tile. */
static struct stitch_page *tiles[NR_TILES];
static unsigned char is_isolated[NR_TILES];
static int nr_moved;

static int *numbers_in(struct stitch_page *page)
{
	return (int *)stitch_page_address(page);
}

/* --- how tiles are moved ---------------------------------------------------------------------- */

/* The page may be nobody's by now: the table knows. */
static int isolate(struct stitch_page *page, int mode)
{
	int isolated = 0;

	(void)mode;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < NR_TILES && !isolated; i++)
		isolated = is_isolated[i] = tiles[i] == page;
	pthread_mutex_unlock(&lock);
	return isolated;
}

static int migrate(struct stitch_page *to, struct stitch_page *from, int mode)
{
	int tile = numbers_in(from)[0];

	(void)mode;
	memcpy(numbers_in(to), numbers_in(from), STITCH_PAGE_SIZE);
	pthread_mutex_lock(&lock);
	tiles[tile] = to;
	is_isolated[tile] = 0;
	nr_moved++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static void putback(struct stitch_page *page)
{
	pthread_mutex_lock(&lock);
	is_isolated[numbers_in(page)[0]] = 0;
	pthread_mutex_unlock(&lock);
}

static const struct stitch_movable_operations tile_operations = { isolate, migrate, putback };

/* --- the program ------------------------------------------------------------------------------ */

static int fill_cache(void)
{
	for (int i = 0; i < NR_TILES; i++) {
		struct stitch_page *page =
			stitch_alloc_movable_page(&tile_operations, STITCH_GFP_KERNEL);

		if (!page)
			return -1;
		numbers_in(page)[0] = i;
		numbers_in(page)[100] = i * 3;
		tiles[i] = page;
	}
	return 0;
}

static int all_tiles_are_whole(void)
{
	int nr = 0;

	for (int i = 0; i < NR_TILES; i++)
		nr += numbers_in(tiles[i])[0] == i && numbers_in(tiles[i])[100] == i * 3;
	return nr == NR_TILES;
}

int main(void)
{
	struct stitch_cma *area = stitch_cma_declare("camera", AREA_BYTES);
	struct stitch_page *frame;

	if (!area || fill_cache())
		return 1;
	/* At a multiple of 2 MiB, so that it may be two huge pages. */
	frame = stitch_cma_alloc(area, FRAME_PAGES, 9, 0);
	if (!frame)
		return 1;
	memset(stitch_page_address(frame), 255, FRAME_PAGES * STITCH_PAGE_SIZE);
	printf("a frame of %d pages, %d tiles moved, all whole: %s\n", FRAME_PAGES, nr_moved,
	       all_tiles_are_whole() ? "yes" : "no");
	stitch_cma_release(area, frame, FRAME_PAGES);
	for (int i = 0; i < NR_TILES; i++)
		stitch_free_movable_page(tiles[i]);
	return 0;
}
