/*
 * Nodes (numa_fake=): memory of the thread's own, of one that is asked for, of others when a node
 * has none left; threads on several processors, children, what is freed elsewhere.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "kernel_api.h"
#include "semantics/again.h"
#include "semantics/check.h"

#define PAGE ((size_t)STITCH_PAGE_SIZE)
#define NR_NODES 4
#define RUN_BYTES ((size_t)100 << 10)
#define AREA_BYTES ((size_t)5 << 20)
#define NR_SMALL 3000

static bool is_scarce;	 /* reserve= is small: other nodes help */
static bool is_uncached; /* hardened=, leaks=full */
static bool is_remapped; /* stitch=mremap: an area may be a mapping, which has no struct page */

static int nid_of(const void *address)
{
	return stitch_page_to_nid(stitch_virt_to_page(address));
}

static void expect(const void *address, int nid, const char *what)
{
	CHECK(address, "%s: no memory", what);
	CHECK(nid_of(address) == nid, "%s: %p is of node %d, not %d", what, address,
	      nid_of(address), nid);
}

static void expect_area(const void *address, int nid)
{
	CHECK(address, "no area");
	if (!is_remapped)
		expect(address, nid, "area");
}

static int pin(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CHECK(cpu >= 0, "getcpu");
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	return sched_getcpu() % NR_NODES;
}

/* --- a thread's own --------------------------------------------------------------------------- */

static void own_node(int nid)
{
	void *small[NR_SMALL], *run, *area;

	for (int i = 0; i < NR_SMALL; i++)
		expect(small[i] = malloc((size_t)i % 2000 + 1), nid, "small");
	for (int i = 0; i < NR_SMALL; i++)
		free(small[i]);
	expect(run = malloc(RUN_BYTES), nid, "run");
	expect_area(area = malloc(AREA_BYTES), nid);
	CHECK(run = realloc(run, 2 * RUN_BYTES), "realloc");
	CHECK(area = realloc(area, 2 * AREA_BYTES), "realloc");
	expect(run, nid, "a larger run");
	expect_area(area, nid);
	free(run);
	free(area);
}

static pthread_barrier_t in_use;
static int elsewhere; /* a processor where all of them go */

static void go_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!pthread_setaffinity_np(pthread_self(), sizeof(set), &set), "affinity");
	sched_yield();
}

static void *thread(void *argument)
{
	int cpu = (int)(size_t)argument, nid = cpu % NR_NODES;

	go_to(cpu);
	pthread_barrier_wait(&in_use); /* nobody has malloc'd before he was there */
	CHECK(stitch_numa_node_id() == nid, "node %d", stitch_numa_node_id());
	own_node(nid);
	if (!is_uncached) /* there nobody has a slot */
		go_to(elsewhere);
	own_node(nid); /* as long as it lives */
	return malloc(3000);
}

static int nth_cpu(const cpu_set_t *set, int n)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && !n--)
			return cpu;
	return -1;
}

/* What a thread leaves another one frees; it is the node's again. */
static void threads_have_their_own(const cpu_set_t *all)
{
	int nr = CPU_COUNT(all) < NR_NODES ? CPU_COUNT(all) : NR_NODES;
	pthread_t threads[NR_NODES];

	elsewhere = nth_cpu(all, 0);
	for (int round = 0; round < 3; round++) {
		CHECK(!pthread_barrier_init(&in_use, NULL, (unsigned int)nr), "barrier");
		for (int i = 0; i < nr; i++)
			CHECK(!pthread_create(&threads[i], NULL, thread,
					      (void *)(size_t)nth_cpu(all, i)), "thread");
		for (int i = 0; i < nr; i++) {
			void *left;

			CHECK(!pthread_join(threads[i], &left), "join");
			expect(left, nth_cpu(all, i) % NR_NODES, "what a thread has left");
			free(left);
		}
		pthread_barrier_destroy(&in_use);
	}
}

/* --- freed on another node ------------------------------------------------------------------- */

static void *strangers[NR_SMALL];

static void *allocate_some(void *cpu)
{
	go_to((int)(size_t)cpu);
	for (int i = 0; i < NR_SMALL; i++)
		expect(strangers[i] = malloc(100), (int)(size_t)cpu % NR_NODES, "a stranger");
	return NULL;
}

/* Their slabs stay the other node's: this thread does not get them. */
static void *free_some(void *cpu)
{
	go_to((int)(size_t)cpu);
	own_node((int)(size_t)cpu % NR_NODES);
	for (int i = 0; i < NR_SMALL; i++)
		free(strangers[i]);
	own_node((int)(size_t)cpu % NR_NODES);
	return NULL;
}

static void run_thread(void *(*run)(void *argument), int cpu)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, run, (void *)(size_t)cpu), "thread");
	CHECK(!pthread_join(thread, NULL), "join");
}

static void freed_elsewhere(const cpu_set_t *all)
{
	int first = nth_cpu(all, 0), second = nth_cpu(all, 1);

	if (second < 0)
		return;
	for (int round = 0; round < 3; round++) {
		run_thread(allocate_some, first);
		run_thread(free_some, second);
	}
}

/* --- one that is asked for -------------------------------------------------------------------- */

static const size_t sizes[] = { 1, 16, 96, 100, 1000, 4096, 8192, 20000, 300000, 5000000 };

static void check_object(unsigned char *object, size_t bytes, int nid)
{
	size_t natural = bytes & -bytes;

	expect(object, nid, "kmalloc_node");
	CHECK(!((size_t)object % (natural < PAGE ? natural : PAGE)), "alignment");
	for (size_t byte = 0; byte < bytes; byte++)
		CHECK(!object[byte], "not zero");
	memset(object, 0xff, bytes);
}

#define NR_ALIKE 5

static void objects_of(int nid, stitch_gfp_t flags)
{
	unsigned char *objects[NR_ALIKE];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int nr = sizes[i] < AREA_BYTES / 2 ? NR_ALIKE : 2; /* there is room for two */

		for (int n = 0; n < nr; n++) {
			objects[n] = stitch_kmalloc_node(sizes[i], flags | STITCH__GFP_ZERO, nid);
			check_object(objects[n], sizes[i], nid);
		}
		for (int n = 0; n < nr; n++)
			if (n % 2)
				free(objects[n]);
			else
				stitch_kfree(objects[n]);
	}
}

static void pages_of(int nid, stitch_gfp_t flags)
{
	for (unsigned int order = 0; order <= STITCH_MAX_PAGE_ORDER; order++) {
		struct stitch_page *page = stitch_alloc_pages_node(nid, flags, order);

		CHECK(page, "alloc_pages_node: no memory");
		CHECK(stitch_page_to_nid(page) == nid, "alloc_pages_node: node %d, not %d",
		      stitch_page_to_nid(page), nid);
		CHECK(!(stitch_page_to_pfn(page) & ((1ul << order) - 1)), "alignment");
		memset(stitch_page_address(page), 1, PAGE << order);
		stitch_free_pages_of(page, order);
	}
}

/* Also where objects of other nodes are free. */
static void cache_of(struct stitch_kmem_cache *cache, int nid, stitch_gfp_t flags)
{
	void *objects[NR_ALIKE];

	for (int n = 0; n < NR_ALIKE; n++) {
		objects[n] = stitch_kmem_cache_alloc_node(cache, flags, nid);
		expect(objects[n], nid, "kmem_cache_alloc_node");
		CHECK(*(unsigned char *)objects[n] == 7, "not constructed");
	}
	for (int n = 0; n < NR_ALIKE; n++)
		stitch_kmem_cache_free(cache, objects[n]);
}

static void construct(void *object)
{
	memset(object, 7, 300);
}

static void caches(void)
{
	struct stitch_kmem_cache *cache = stitch_kmem_cache_create("nodes", 300, 0, 0, construct);

	CHECK(cache, "no cache");
	for (int round = 0; round < 2; round++)
		for (int nid = 0; nid < NR_NODES; nid++) {
			cache_of(cache, nid, STITCH_GFP_KERNEL);
			cache_of(cache, nid, STITCH_GFP_KERNEL | STITCH__GFP_THISNODE);
		}
	errno = 0;
	CHECK(!stitch_kmem_cache_alloc_node(cache, STITCH_GFP_KERNEL, NR_NODES) &&
		      errno == EINVAL, "node 4");
	stitch_kmem_cache_destroy(cache);
}

static void asked_for(void)
{
	caches();
	for (int nid = 0; nid < NR_NODES; nid++) {
		objects_of(nid, STITCH_GFP_KERNEL);
		objects_of(nid, STITCH_GFP_KERNEL | STITCH__GFP_THISNODE);
		pages_of(nid, STITCH_GFP_KERNEL);
		pages_of(nid, STITCH_GFP_KERNEL | STITCH__GFP_THISNODE);
	}
}

/* From the reserve, which is of one node or another. */
static void in_haste(void)
{
	int nr = 0;

	stitch_reserve_fill((size_t)1 << 20);
	for (int nid = 0; nid < NR_NODES; nid++) {
		stitch_gfp_t flags = STITCH_GFP_ATOMIC | STITCH__GFP_THISNODE;
		struct stitch_page *page = stitch_alloc_pages_node(nid, flags, 0);
		void *object = stitch_kmalloc_node(100, flags, nid);

		nr += page != NULL;
		CHECK(!page == !object, "node %d: either", nid);
		if (!page)
			continue;
		CHECK(stitch_page_to_nid(page) == nid && nid_of(object) == nid, "node %d", nid);
		stitch_free_pages_of(page, 0);
		stitch_kfree(object);
	}
	CHECK(nr == 1, "the reserve is of %d nodes", nr);
}

static void refused(void)
{
	errno = 0;
	CHECK(!stitch_kmalloc_node(1, STITCH_GFP_KERNEL, NR_NODES) && errno == EINVAL, "node 4");
	errno = 0;
	CHECK(!stitch_alloc_pages_node(-2, STITCH_GFP_KERNEL, 0) && errno == EINVAL, "node -2");
	CHECK(!stitch_alloc_pages_node(1, STITCH_GFP_KERNEL, STITCH_MAX_PAGE_ORDER + 1), "order");
	CHECK(!stitch_kmalloc_node(~(size_t)0 >> 1, STITCH_GFP_KERNEL, 1) && errno == ENOMEM,
	      "too much");
	CHECK(stitch_kmalloc_node(0, STITCH_GFP_KERNEL, 1) == STITCH_ZERO_SIZE_PTR, "0 bytes");
	CHECK(!stitch_page_to_nid(NULL), "no page");
}

static void any_node(int nid)
{
	struct stitch_page *page = stitch_alloc_pages_node(STITCH_NUMA_NO_NODE, STITCH_GFP_KERNEL,
							   3);
	void *object = stitch_kmalloc_node(100, STITCH_GFP_KERNEL, STITCH_NUMA_NO_NODE);

	CHECK(page && stitch_page_to_nid(page) == nid, "no node");
	expect(object, nid, "no node");
	stitch_free_pages_of(page, 3);
	stitch_kfree(object);
}

/* --- when a node has none --------------------------------------------------------------------- */

#define MAX_HELD 4096
#define PIECE_ORDER 9

static void fill(int nid)
{
	static struct stitch_page *held[MAX_HELD];
	static void *small[NR_SMALL];
	stitch_gfp_t flags = STITCH_GFP_KERNEL | STITCH__GFP_NOWARN | STITCH__GFP_NORETRY;
	int nr = 0, other;
	void *object;

	while (nr < MAX_HELD &&
	       (held[nr] = stitch_alloc_pages_node(nid, flags | STITCH__GFP_THISNODE,
						   PIECE_ORDER)))
		nr++;
	CHECK(nr > 1 && nr < MAX_HELD, "%d pieces of node %d", nr, nid);
	for (int i = 0; i < nr; i++)
		CHECK(stitch_page_to_nid(held[i]) == nid, "THISNODE: node %d",
		      stitch_page_to_nid(held[i]));
	CHECK(!stitch_kmalloc_node(AREA_BYTES, flags | STITCH__GFP_THISNODE, nid), "full");
	for (int i = 0; i < NR_SMALL; i++) /* of others, when the slabs are full */
		CHECK(small[i] = stitch_kmalloc_node(2000, flags, nid), "small");
	for (int i = 0; i < NR_SMALL; i++) {
		object = stitch_kmalloc_node(2000, flags | STITCH__GFP_THISNODE, nid);
		CHECK(!object || nid_of(object) == nid, "THISNODE: of node %d", nid_of(object));
		stitch_kfree(object);
	}
	for (int i = 0; i < NR_SMALL; i++)
		stitch_kfree(small[i]);
	object = stitch_kmalloc_node(AREA_BYTES, flags, nid);
	other = object ? nid_of(object) : nid;
	CHECK(other == (nid + 1) % NR_NODES, "fallback to node %d", other);
	stitch_kfree(object);
	for (int i = 0; i < nr; i++)
		stitch_free_pages_of(held[i], PIECE_ORDER);
	malloc_trim(0);
	objects_of(nid, STITCH_GFP_KERNEL | STITCH__GFP_THISNODE);
}

/* malloc has all of the heap, whichever nodes it is of. */
static void all_of_it(void)
{
	void *held[MAX_HELD];
	int nr = 0, nr_of[NR_NODES] = { 0 };

	while (nr < MAX_HELD && (held[nr] = malloc(AREA_BYTES - PAGE))) {
		nr_of[nid_of(held[nr])]++;
		nr++;
	}
	for (int nid = 0; nid < NR_NODES; nid++)
		CHECK(nr_of[nid], "nothing of node %d, %d in all", nid, nr);
	for (int i = 0; i < nr; i++)
		free(held[i]);
}

/* --- children --------------------------------------------------------------------------------- */

static void children(int nid)
{
	void *block = malloc(RUN_BYTES);
	int status;
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (!child) {
		expect(block, nid, "the parent's");
		free(block);
		own_node(nid);
		asked_for();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "child: %d", status);
	free(block);
}

/* Of every node there is such a line, with its number in the middle, `width` wide. */
static void report_has(const char *name, const char *before, int width, const char *after)
{
	FILE *file = tmpfile();
	static char text[1 << 16];
	char line[64];
	size_t length;

	CHECK(file && !stitch_report(fileno(file), name), "%s", name);
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	for (int nid = 0; nid < NR_NODES; nid++) {
		snprintf(line, sizeof(line), "%s%*d%s", before, width, nid, after);
		CHECK(strstr(text, line), "%s: no node %d in %s", name, nid, text);
	}
	snprintf(line, sizeof(line), "%s%*d%s", before, width, NR_NODES, after);
	CHECK(!strstr(text, line), "%s: a node too many: %s", name, text);
}

static void reports(void)
{
	void *areas[NR_NODES];

	for (int nid = 0; nid < NR_NODES; nid++)
		CHECK(areas[nid] = stitch_kmalloc_node(AREA_BYTES, STITCH_GFP_KERNEL, nid), "area");
	report_has("buddyinfo", "Node ", 1, ", zone   Normal ");
	report_has("pagetypeinfo", "Node ", 4, ", zone   Normal, type      Movable ");
	report_has("pagetypeinfo", "\nNode ", 1, ", zone   Normal ");
	report_has("zoneinfo", "Node ", 1, ", zone   Normal\n  per-node stats\n");
	report_has("extfrag_index", "Node ", 1, ", zone   Normal ");
	report_has("unusable_index", "Node ", 1, ", zone   Normal ");
	report_has("resident_unusable_index", "Node ", 1, ", zone   Normal ");
	report_has("vmallocinfo", " N", 1, "=1280\n");
	for (int nid = 0; nid < NR_NODES; nid++)
		stitch_kfree(areas[nid]);
}

static void on_nodes(void)
{
	cpu_set_t all;

	CHECK(!sched_getaffinity(0, sizeof(all), &all), "affinity");
	threads_have_their_own(&all);
	freed_elsewhere(&all);
	pin();
	asked_for();
	refused();
	in_haste();
	reports();
	if (is_scarce) {
		for (int full = 0; full < NR_NODES; full++)
			fill(full);
		all_of_it();
	}
}

/* Its first malloc may be before main, on another processor: a thread's is not. */
static void *pinned_thread(void *unused)
{
	int nid = pin();

	(void)unused;
	own_node(nid);
	any_node(nid);
	asked_for();
	own_node(nid); /* what was asked for is over */
	children(nid);
	if (is_scarce) {
		fill(nid);
		all_of_it();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t pinned;

	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's functions");
	if (argc > 1) {
		is_remapped = strstr(argv[1], "stitch=mremap");
		is_scarce = strstr(argv[1], "reserve=");
		is_uncached = strstr(argv[1], "hardened=") || strstr(argv[1], "leaks=full");
		on_nodes();
		if (!strstr(argv[1], "hardened=1"))
			CHECK(!pthread_create(&pinned, NULL, pinned_thread, NULL) &&
				      !pthread_join(pinned, NULL), "pinned");
		return 0;
	}
	run_with_options("numa_fake=4");
	run_with_options("numa_fake=4,stitch=off");
	run_with_options("numa_fake=4,stitch=mremap");
	run_with_options("numa_fake=4,thp=always");
	run_with_options("numa_fake=4,hardened=1");
	run_with_options("numa_fake=4,leaks=full,leak_print=lost,leak_show=definite");
	run_with_options("numa_fake=4,reserve=256M");
	run_with_options("numa_fake=4,limit=1G");
	return 0;
}
