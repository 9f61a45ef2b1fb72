/*
 * A cache with a constructor: what every inode begins with is made once for each object of a slab,
 * and left so by whoever frees one.
 */
#include <pthread.h>
#include <stdio.h>

#include <stitch/slab.h>

struct inode {
	pthread_mutex_t lock; /* unlocked while the inode is free */
	unsigned long number;
	unsigned int nr_links; /* 0 while it is free */
	char name[200];
};

static unsigned long nr_constructed;

static void inode_init_once(void *object)
{
	struct inode *inode = object;

	pthread_mutex_init(&inode->lock, NULL);
	inode->nr_links = 0;
	nr_constructed++;
}

int main(void)
{
	struct stitch_kmem_cache *inodes = stitch_kmem_cache_create(
		"inode_cache", sizeof(struct inode), 0, STITCH_SLAB_HWCACHE_ALIGN, inode_init_once);
	struct inode *inode;

	if (!inodes)
		return 1;
	for (unsigned long number = 1; number <= 100000; number++) {
		inode = stitch_kmem_cache_alloc(inodes, STITCH_GFP_KERNEL);
		if (!inode || inode->nr_links)
			return 1;
		pthread_mutex_lock(&inode->lock); /* nobody had to initialise it */
		inode->number = number;
		inode->nr_links = 1;
		pthread_mutex_unlock(&inode->lock);
		inode->nr_links = 0; /* as the constructor left it */
		stitch_kmem_cache_free(inodes, inode);
	}
	printf("%lu constructed for 100000 inodes\n", nr_constructed);
	stitch_kmem_cache_destroy(inodes);
	return nr_constructed < 1000 ? 0 : 2;
}
