/*
 * Ids for requests that are under way: answers come back in any order and name the request by a
 * small number. None is used again at once: a late answer meets nobody else's request.
 */
#include <stdio.h>

#include <stitch/idr.h>

struct request {
	int id;
	const char *text;
};

static struct stitch_kmem_cache *requests;

static int request_send(struct stitch_idr *under_way, const char *text)
{
	struct request *request = stitch_kmem_cache_zalloc(requests, STITCH_GFP_KERNEL);
	int id;

	if (!request)
		return -ENOMEM;
	request->text = text;
	id = stitch_idr_alloc_cyclic(under_way, request, 1, 0x10000, STITCH_GFP_KERNEL);
	request->id = id;
	if (id < 0)
		stitch_kmem_cache_free(requests, request);
	return id;
}

/* False: nobody waits for this answer. */
static bool request_answered(struct stitch_idr *under_way, int id)
{
	struct request *request = stitch_idr_remove(under_way, (unsigned long)id);

	stitch_kmem_cache_free(requests, request);
	return request != NULL;
}

int main(void)
{
	STITCH_DEFINE_IDR(under_way);
	struct request *request;
	int first, id, nr = 0;

	requests = STITCH_KMEM_CACHE(request, 0);
	if (!requests || (first = request_send(&under_way, "open")) < 0)
		return 1;
	for (int i = 0; i < 100; i++)
		if (request_send(&under_way, "read") < 0)
			return 1;
	if (!request_answered(&under_way, first) || request_answered(&under_way, first) ||
	    request_send(&under_way, "close") != first + 101)
		return 2;
	stitch_idr_for_each_entry(&under_way, request, id)
		nr += request_answered(&under_way, request->id); /* waited too long */
	printf("%d requests have timed out\n", nr);
	stitch_kmem_cache_destroy(requests);
	return nr == 101 && stitch_idr_is_empty(&under_way) ? 0 : 2;
}
