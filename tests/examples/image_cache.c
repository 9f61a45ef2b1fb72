/*
 * A cache that is as large as memory allows: decoded images are kept for the next time they are
 * wanted, and the oldest go when the program would have no memory otherwise. The limit is that of
 * the program (limit= among its options); without one it would be the machine's.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stitch/list.h>
#include <stitch/shrinker.h>

const char *stitch_conf = "limit=48M"; /* as STITCH_CONF in the environment has it */

enum { NR_IMAGES = 100, IMAGE_BYTES = 1 << 20 };

struct image {
	struct stitch_list_head recent;
	int number;
	unsigned char pixels[IMAGE_BYTES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static STITCH_LIST_HEAD(images); /* the one that was wanted last is first */
static struct image *by_number[NR_IMAGES];
static unsigned long nr_images, nr_decoded, nr_dropped;

/* Whoever wants memory may hold any lock, ours too: it is tried only. */
static unsigned long count(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	(void)shrinker;
	(void)control;
	return __atomic_load_n(&nr_images, __ATOMIC_RELAXED);
}

static unsigned long scan(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	unsigned long nr = 0;

	(void)shrinker;
	if (pthread_mutex_trylock(&lock))
		return STITCH_SHRINK_STOP;
	for (; nr < control->nr_to_scan && !stitch_list_empty(&images); nr++) {
		struct image *oldest = stitch_list_last_entry(&images, struct image, recent);

		stitch_list_del(&oldest->recent);
		by_number[oldest->number] = NULL;
		free(oldest);
		nr_images--;
		nr_dropped++;
	}
	pthread_mutex_unlock(&lock);
	return nr;
}

static struct stitch_shrinker shrinker = { .count_objects = count, .scan_objects = scan,
					   .batch = 4, .seeks = STITCH_DEFAULT_SEEKS };

/* Without the lock: where memory is short the cache itself must give some. */
static struct image *decode(int number)
{
	struct image *image = malloc(sizeof(*image));

	if (!image)
		return NULL;
	memset(image->pixels, number, sizeof(image->pixels));
	image->number = number;
	nr_decoded++;
	return image;
}

static void keep(struct image *image)
{
	pthread_mutex_lock(&lock);
	stitch_list_add(&image->recent, &images);
	by_number[image->number] = image;
	nr_images++;
	pthread_mutex_unlock(&lock);
}

/* What its first pixel is; -1: no memory. */
static int show(int number)
{
	struct image *image;
	int pixel;

	pthread_mutex_lock(&lock);
	image = by_number[number];
	if (image)
		stitch_list_move(&image->recent, &images);
	pixel = image ? image->pixels[0] : -1;
	pthread_mutex_unlock(&lock);
	if (image)
		return pixel;
	image = decode(number);
	if (!image)
		return -1;
	pixel = image->pixels[0];
	keep(image);
	return pixel;
}

int main(void)
{
	if (stitch_register_shrinker(&shrinker)) {
		perror("stitch_register_shrinker");
		return 1;
	}
	for (int i = 0; i < 1000; i++) {
		int number = i % 2 ? i % 10 : i % NR_IMAGES; /* some are wanted often */

		if (show(number) != number) {
			fprintf(stderr, "image %d cannot be shown\n", number);
			return 1;
		}
	}
	printf("1000 images shown, %lu decoded, %lu dropped, %lu kept\n", nr_decoded, nr_dropped,
	       nr_images);
	stitch_unregister_shrinker(&shrinker);
	return nr_dropped && nr_images < 48 && nr_decoded < 900 ? 0 : 1;
}
