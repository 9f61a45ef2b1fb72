/* Code that was written for the kernel, of now and of 2004, with the kernel's own names. */
#include <stdio.h>
#include <string.h>

#include <stitch/kernel.h>

struct buffer {
	int users;
	char data[290];
};

static unsigned int nr_constructed;

static void buffer_ctor(void *object, kmem_cache_t *cache, unsigned long flags)
{
	(void)cache;
	if (flags & SLAB_CTOR_CONSTRUCTOR) {
		((struct buffer *)object)->users = 0;
		nr_constructed++;
	}
}

/* As in 2004. */
static int old_cache(void)
{
	kmem_cache_t *cache = kmem_cache_create("buffers", sizeof(struct buffer), 0,
						SLAB_HWCACHE_ALIGN, buffer_ctor, NULL);
	struct buffer *buffer = kmem_cache_alloc(cache, SLAB_KERNEL);
	int good = buffer && !buffer->users && nr_constructed;

	kmem_cache_free(cache, buffer);
	kmem_cache_destroy(cache);
	return good;
}

/* As today. */
static int new_cache(void)
{
	struct kmem_cache *cache = kmem_cache_create("buffers", sizeof(struct buffer), 0, 0, NULL);
	struct buffer *buffer = kmem_cache_zalloc(cache, GFP_KERNEL | __GFP_NOFAIL);
	int good = !buffer->users && kmem_cache_size(cache) == sizeof(struct buffer);

	kmem_cache_free(cache, buffer);
	kmem_cache_destroy(cache);
	return good;
}

static int pages(void)
{
	unsigned long address = __get_free_pages(__GFP_WAIT | __GFP_REPEAT | __GFP_COLD, 2);
	char *zero = (char *)get_zeroed_page(GFP_KERNEL), *large = vzalloc(10 * PAGE_SIZE);
	int good = address && !(address & ~PAGE_MASK) && get_order(3 * PAGE_SIZE) == 2 && zero &&
		   !zero[100] && page_address(virt_to_page(zero)) == zero && large && !large[7];

	free_pages(address, 2);
	free_page((unsigned long)zero);
	vfree(large);
	return good;
}

static int texts(void)
{
	mempool_t *pool = mempool_create_kmalloc_pool(2, 100);
	char *element = mempool_alloc(pool, GFP_NOIO), *copy = kstrdup("kernel", GFP_ATOMIC);
	char *more = krealloc(kstrndup("names", 4, GFP_NOFS), 100, GFP_USER);
	int good = element && copy && !strcmp(copy, "kernel") && !strcmp(more, "name") &&
		   ksize(more) >= 100;

	mempool_free(element, pool);
	mempool_destroy(pool);
	kfree(copy);
	kzfree(more);
	return good;
}

struct driver {
	struct device dev;
	int powered;
};

static void power_down(void *driver)
{
	((struct driver *)driver)->powered = 0;
}

static int probe(struct device *dev, int *powered)
{
	if (!devres_open_group(dev, NULL, GFP_KERNEL) || !devm_kzalloc(dev, 100, GFP_KERNEL) ||
	    !devm_kstrdup(dev, "driver", GFP_KERNEL))
		return -1;
	devres_close_group(dev, NULL);
	*powered = 1;
	return devm_add_action_or_reset(dev, power_down, dev);
}

static int devices(void)
{
	struct driver driver;

	device_initialize(&driver.dev);
	return !probe(&driver.dev, &driver.powered) && driver.powered &&
	       devres_release_all(&driver.dev) == 3 && !driver.powered;
}

int main(void)
{
	printf("cache of 2004: %d, cache: %d, pages: %d, texts: %d, devices: %d\n", old_cache(),
	       new_cache(), pages(), texts(), devices());
	return old_cache() && new_cache() && pages() && texts() && devices() ? 0 : 2;
}
