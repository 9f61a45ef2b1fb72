/*
 * Memory control groups (stitch/memcontrol.h): what is charged to whom, limits, threads that come
 * and go, groups that go before what they own, children.
 */
#include <malloc.h>
#include <pthread.h>

#include "kernel_api.h"
#include "semantics/again.h"
#include "semantics/check.h"

#define PAGE ((size_t)STITCH_PAGE_SIZE)
#define SMALL_BYTES 100
#define NR_SMALL 10000
#define RUN_BYTES ((size_t)100 << 10)
#define AREA_BYTES ((size_t)5 << 20)
#define NO_LIMIT STITCH_MEMCG_MAX

static struct stitch_mem_cgroup *create(const char *name, struct stitch_mem_cgroup *parent,
					size_t max)
{
	struct stitch_mem_cgroup *group = stitch_mem_cgroup_create(name, parent, max);

	CHECK(group, "%s: errno %d", name, errno);
	return group;
}

static void destroy(struct stitch_mem_cgroup *group)
{
	CHECK(!stitch_mem_cgroup_destroy(group), "destroy: errno %d", errno);
}

static struct stitch_mem_cgroup_stat stat_of(const struct stitch_mem_cgroup *group)
{
	struct stitch_mem_cgroup_stat stat;

	CHECK(!stitch_mem_cgroup_read(group, &stat), "stat: errno %d", errno);
	return stat;
}

static size_t current(const struct stitch_mem_cgroup *group)
{
	return stat_of(group).current;
}

/* Nothing is left but what is kept for reuse. */
static void is_empty(const struct stitch_mem_cgroup *group)
{
	malloc_trim(0);
	CHECK(!current(group), "%zu bytes are left", current(group));
}

/* --- what is charged -------------------------------------------------------------------------- */

static void *small[NR_SMALL];

static void take_small(void)
{
	for (int i = 0; i < NR_SMALL; i++) {
		small[i] = malloc(SMALL_BYTES);
		CHECK(small[i], "small");
	}
}

static void give_small(void)
{
	for (int i = 0; i < NR_SMALL; i++)
		free(small[i]);
}

static void charged_by_kind(void)
{
	struct stitch_mem_cgroup *group = create("kinds", NULL, NO_LIMIT);
	struct stitch_mem_cgroup_stat stat;
	void *run, *area, *outside;

	CHECK(!stitch_set_active_memcg(group) && stitch_get_active_memcg() == group, "enter");
	take_small();
	run = malloc(RUN_BYTES);
	area = malloc(AREA_BYTES);
	CHECK(stitch_set_active_memcg(NULL) == group && !stitch_get_active_memcg(), "leave");
	outside = malloc(SMALL_BYTES);
	stat = stat_of(group);
	CHECK(stat.slab >= NR_SMALL * SMALL_BYTES && stat.slab < NR_SMALL * SMALL_BYTES * 5 / 4,
	      "slab %zu", stat.slab);
	CHECK(stat.pages == RUN_BYTES, "pages %zu", stat.pages);
	CHECK(stat.vmalloc == AREA_BYTES, "vmalloc %zu", stat.vmalloc);
	CHECK(stat.current == stat.slab + stat.pages + stat.vmalloc, "current %zu", stat.current);
	CHECK(stat.max == NO_LIMIT && !stat.failcnt && !stat.nr_threads, "the rest");
	CHECK(stitch_mem_cgroup_from_obj(small[7]) == group, "of a small object");
	CHECK(stitch_mem_cgroup_from_obj(run) == group, "of a run");
	CHECK(stitch_mem_cgroup_from_obj(area) == group, "of an area");
	CHECK(!stitch_mem_cgroup_from_obj(outside) && !stitch_mem_cgroup_from_obj(&stat) &&
		      !stitch_mem_cgroup_from_obj(NULL), "of others");
	/* By a thread that is not in it. */
	give_small();
	free(run);
	free(area);
	free(outside);
	is_empty(group);
	CHECK(stat_of(group).peak >= stat.current, "peak");
	destroy(group);
}

static void kernel_functions_are_charged(void)
{
	struct stitch_mem_cgroup *group = create("kernel", NULL, NO_LIMIT);
	struct stitch_page *page;
	char *object, *large;

	stitch_set_active_memcg(group);
	object = stitch_kmalloc(SMALL_BYTES, STITCH_GFP_KERNEL);
	page = stitch_alloc_pages(STITCH_GFP_KERNEL, 3);
	large = stitch_vmalloc(AREA_BYTES);
	stitch_set_active_memcg(NULL);
	CHECK(stitch_mem_cgroup_from_obj(object) == group, "kmalloc");
	CHECK(stitch_mem_cgroup_from_obj(stitch_page_address(page)) == group, "pages");
	CHECK(stitch_mem_cgroup_from_obj(large) == group, "vmalloc");
	CHECK(stat_of(group).vmalloc == AREA_BYTES, "vmalloc");
	stitch_kfree(object);
	stitch_free_pages_of(page, 3);
	stitch_vfree(large);
	is_empty(group);
	destroy(group);
}

/* What a block has more of is its group's, whoever asks. */
static void resized(void)
{
	struct stitch_mem_cgroup *group = create("resized", NULL, NO_LIMIT);
	char *block;

	stitch_set_active_memcg(group);
	block = malloc(RUN_BYTES);
	memset(block, 7, RUN_BYTES);
	for (size_t bytes = RUN_BYTES; bytes <= 64 * AREA_BYTES; bytes *= 2) {
		block = realloc(block, bytes);
		CHECK(block && block[RUN_BYTES - 1] == 7, "realloc to %zu", bytes);
		CHECK(current(group) >= bytes && stitch_mem_cgroup_from_obj(block) == group,
		      "%zu of %zu bytes", current(group), bytes);
	}
	block = realloc(block, RUN_BYTES);
	CHECK(block[RUN_BYTES - 1] == 7 && current(group) < 4 * RUN_BYTES, "%zu after shrinking",
	      current(group));
	stitch_set_active_memcg(NULL);
	free(block);
	is_empty(group);
	destroy(group);
}

/* What is kept for reuse outside the heap is no group's. */
static void not_from_outside(void)
{
	struct stitch_mem_cgroup *group = create("outside", NULL, NO_LIMIT);
	char *block = malloc(AREA_BYTES);

	for (size_t bytes = AREA_BYTES; bytes <= 16 * AREA_BYTES; bytes += AREA_BYTES) {
		block = realloc(block, bytes);
		CHECK(block, "realloc");
		memset(block + bytes - AREA_BYTES, 1, AREA_BYTES);
	}
	free(block);
	stitch_set_active_memcg(group);
	block = malloc(15 * AREA_BYTES);
	CHECK(block && current(group) == 15 * AREA_BYTES, "%zu bytes", current(group));
	stitch_set_active_memcg(NULL);
	free(block);
	is_empty(group);
	destroy(group);
}

static void nested(void)
{
	struct stitch_mem_cgroup *outer = create("outer", NULL, NO_LIMIT);
	struct stitch_mem_cgroup *inner = create("inner", outer, NO_LIMIT);
	void *a, *b;

	stitch_set_active_memcg(inner);
	a = malloc(AREA_BYTES);
	CHECK(stitch_set_active_memcg(outer) == inner, "from one to another");
	b = malloc(2 * AREA_BYTES);
	CHECK(stitch_set_active_memcg(NULL) == outer, "leave");
	CHECK(current(inner) == AREA_BYTES, "inner %zu", current(inner));
	CHECK(current(outer) == 3 * AREA_BYTES, "outer %zu", current(outer));
	CHECK(stat_of(outer).vmalloc == 2 * AREA_BYTES, "outer's own");
	CHECK(stitch_mem_cgroup_destroy(outer) && errno == EBUSY, "a group with a group in it");
	free(a);
	free(b);
	is_empty(outer);
	destroy(inner);
	destroy(outer);
}

/* --- limits ----------------------------------------------------------------------------------- */

static size_t take_until_refused(size_t bytes, void **head)
{
	size_t total = 0;
	void **block;

	errno = 0;
	while ((block = malloc(bytes))) {
		*block = *head;
		*head = block;
		total += bytes;
		CHECK(total < 100 * AREA_BYTES, "no limit at blocks of %zu", bytes);
	}
	CHECK(errno == ENOMEM, "errno %d", errno);
	return total;
}

static void give_all(void *head)
{
	while (head) {
		void *next = *(void **)head;

		free(head);
		head = next;
	}
}

static void limited(void)
{
	static const size_t sizes[] = { 16, 100, 5000, RUN_BYTES, AREA_BYTES };
	size_t limit = 2 * AREA_BYTES;
	struct stitch_mem_cgroup *outer = create("outer", NULL, limit);
	struct stitch_mem_cgroup *inner = create("inner", outer, 10 * limit);
	void *other, *moved;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *head = NULL;
		size_t total;

		stitch_set_active_memcg(inner);
		total = take_until_refused(sizes[i], &head);
		CHECK(current(outer) <= limit, "%zu bytes of %zu", current(outer), limit);
		CHECK(total <= limit && total >= limit - limit / 8 - sizes[i],
		      "%zu in blocks of %zu", total, sizes[i]);
		stitch_set_active_memcg(NULL);
		other = malloc(AREA_BYTES);
		CHECK(other, "another group has no limit");
		free(other);
		give_all(head);
		is_empty(outer);
	}
	CHECK(stat_of(outer).failcnt && !stat_of(inner).failcnt, "whose limit it was");
	CHECK(stat_of(outer).peak <= limit && stat_of(outer).peak > limit / 2, "peak");
	stitch_set_active_memcg(inner);
	CHECK(!malloc(limit + 1) && errno == ENOMEM, "too much");
	CHECK(!stitch_mem_cgroup_set_max(outer, 2 * limit), "set_max");
	other = malloc(limit + 1);
	CHECK(other, "not too much any more");
	CHECK(!stitch_mem_cgroup_set_max(outer, limit) && !malloc(1 << 20), "less than it has");
	CHECK(!realloc(other, 2 * limit) && errno == ENOMEM, "growth");
	stitch_set_active_memcg(NULL);
	moved = realloc(other, 100 * limit);
	CHECK(!moved || !stitch_mem_cgroup_from_obj(moved), "growth from outside");
	free(moved ? moved : other);
	is_empty(outer);
	destroy(inner);
	destroy(outer);
}

/* A group may use all of its limit for one block: what it keeps for others goes. */
static void what_is_kept_gives_way(void)
{
	struct stitch_mem_cgroup *group = create("kept", NULL, 2 * AREA_BYTES);
	void *runs[16], *block;

	stitch_set_active_memcg(group);
	take_small();
	for (int i = 0; i < 16; i++)
		runs[i] = malloc((size_t)(i + 1) * 2 * PAGE);
	for (int i = 0; i < 16; i++)
		free(runs[i]);
	give_small();
	block = malloc(2 * AREA_BYTES);
	CHECK(block, "%zu bytes are kept", current(group));
	stitch_set_active_memcg(NULL);
	free(block);
	destroy(group);
}

/* By the kernel's functions, too; and not by way of zones whose memory nobody is charged for. */
static void limited_by_all_functions(void)
{
	struct stitch_mem_cgroup *group = create("functions", NULL, AREA_BYTES);
	void *low = stitch_kmalloc(SMALL_BYTES, STITCH_GFP_KERNEL | STITCH__GFP_DMA32), *block;
	void *head = NULL;
	size_t total = 0;

	stitch_set_active_memcg(group);
	while ((block = stitch_kmalloc(RUN_BYTES, STITCH_GFP_KERNEL | STITCH__GFP_NOWARN))) {
		*(void **)block = head;
		head = block;
		total += RUN_BYTES;
		CHECK(total <= AREA_BYTES, "kmalloc knows no limit");
	}
	CHECK(!stitch_alloc_pages(STITCH_GFP_KERNEL | STITCH__GFP_NOWARN, 6), "alloc_pages");
	CHECK(!stitch_vmalloc(AREA_BYTES), "vmalloc");
	block = stitch_kmalloc(SMALL_BYTES, STITCH_GFP_KERNEL | STITCH__GFP_DMA32);
	CHECK(!low || block, "of a zone that is not charged");
	stitch_set_active_memcg(NULL);
	stitch_kfree(block);
	stitch_kfree(low);
	give_all(head);
	is_empty(group);
	destroy(group);
}

/* --- threads ---------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void *stay_in(void *group)
{
	stitch_set_active_memcg(group);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void *allocate_in(void *group)
{
	stitch_set_active_memcg(group);
	take_small();
	return NULL; /* in the group, with a slot */
}

static void *fill_and_stay(void *group)
{
	stitch_set_active_memcg(group);
	take_small();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* What one thread has allocated and another freed, both of the group, the group may use. */
static void freed_by_another_thread(void)
{
	struct stitch_mem_cgroup *group = create("two", NULL, NO_LIMIT);
	pthread_t thread;
	void *block;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, fill_and_stay, group), "thread");
	pthread_barrier_wait(&barrier);
	stitch_set_active_memcg(group);
	CHECK(!stitch_mem_cgroup_set_max(group, current(group) + 2 * PAGE), "set_max");
	give_small();
	block = malloc(NR_SMALL * SMALL_BYTES / 2);
	CHECK(block, "%zu bytes of %zu are kept", current(group), stat_of(group).max);
	free(block);
	stitch_set_active_memcg(NULL);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	is_empty(group);
	destroy(group);
}

/* Slabs of a thread that has ended, half of whose objects are freed, serve its group only. */
static void not_adopted(void)
{
	static void *own[NR_SMALL];

	for (int i = 0; i < NR_SMALL; i += 2) {
		free(small[i]);
		small[i] = NULL;
	}
	for (int i = 0; i < NR_SMALL; i++) {
		own[i] = malloc(SMALL_BYTES);
		CHECK(own[i] && !stitch_mem_cgroup_from_obj(own[i]), "in another group's slab");
	}
	for (int i = 0; i < NR_SMALL; i++)
		free(own[i]);
}

/* The group is left at the thread's end, whether it has allocated or not. */
static void threads_leave(void)
{
	struct stitch_mem_cgroup *group = create("threads", NULL, NO_LIMIT);
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, stay_in, group), "thread");
	pthread_barrier_wait(&barrier);
	CHECK(stat_of(group).nr_threads == 1, "%u threads", stat_of(group).nr_threads);
	CHECK(stitch_mem_cgroup_destroy(group) && errno == EBUSY, "a thread is in it");
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	CHECK(!stat_of(group).nr_threads, "it has ended");
	CHECK(!pthread_create(&thread, NULL, allocate_in, group), "thread");
	pthread_join(thread, NULL);
	CHECK(!stat_of(group).nr_threads && current(group) >= NR_SMALL * SMALL_BYTES, "%zu bytes",
	      current(group));
	not_adopted();
	give_small();
	CHECK(current(group) < NR_SMALL * SMALL_BYTES / 2, "%zu bytes stay with nobody's slot",
	      current(group));
	is_empty(group);
	destroy(group);
}

/* --- the end of groups ------------------------------------------------------------------------ */

static void report(char *text, size_t bytes)
{
	FILE *file = tmpfile();

	CHECK(file && !stitch_report(fileno(file), "memcg"), "report");
	rewind(file);
	text[fread(text, 1, bytes - 1, file)] = '\0';
	fclose(file);
}

static void outlived(void)
{
	struct stitch_mem_cgroup *group = create("outlived", NULL, NO_LIMIT), *other;
	char text[8192];

	stitch_set_active_memcg(group);
	take_small();
	stitch_set_active_memcg(NULL);
	destroy(group);
	CHECK(stitch_mem_cgroup_destroy(group) && errno == EINVAL, "twice");
	CHECK(!stitch_set_active_memcg(group) && errno == EINVAL && !stitch_get_active_memcg(),
	      "enter what is no more");
	report(text, sizeof(text));
	CHECK(strstr(text, "/outlived(destroyed) "), "%s", text);
	other = create("other", NULL, NO_LIMIT);
	CHECK(!current(other) && other != group, "the number of one that has memory");
	give_small();
	malloc_trim(0);
	destroy(other);
	report(text, sizeof(text));
	CHECK(!strstr(text, "outlived"), "%s", text);
}

/* What its threads keep for reuse is no memory of the group. */
static void nothing_is_left(void)
{
	struct stitch_mem_cgroup *group = create("nothing", NULL, NO_LIMIT);
	char text[8192];

	stitch_set_active_memcg(group);
	take_small();
	give_small();
	stitch_set_active_memcg(NULL);
	CHECK(current(group), "nothing is kept: what is this test about?");
	destroy(group);
	report(text, sizeof(text));
	CHECK(!strstr(text, "nothing"), "%s", text);
}

/* All numbers are taken by groups that were destroyed before their memory was freed. */
static void freed_after_all(void)
{
	struct stitch_mem_cgroup *group;
	void *blocks[100];
	int nr = 0;

	while (nr < 100 && (group = stitch_mem_cgroup_create("many", NULL, NO_LIMIT))) {
		stitch_set_active_memcg(group);
		blocks[nr++] = malloc(SMALL_BYTES);
		stitch_set_active_memcg(NULL);
		destroy(group);
	}
	CHECK(nr > 50 && nr < 64, "%d groups", nr);
	while (nr)
		free(blocks[--nr]);
	destroy(create("after", NULL, NO_LIMIT));
}

/* Far more than there may be at a time, each of which leaves something behind for a while. */
static void numbers_are_used_again(void)
{
	void *last = NULL;

	for (int i = 0; i < 500; i++) {
		struct stitch_mem_cgroup *group = create("again", NULL, NO_LIMIT);
		void *block;

		stitch_set_active_memcg(group);
		block = malloc(SMALL_BYTES);
		stitch_set_active_memcg(NULL);
		CHECK(block, "malloc");
		destroy(group);
		free(last);
		last = block;
	}
	free(last);
}

static void too_many(void)
{
	struct stitch_mem_cgroup *groups[100];
	int nr = 0;

	while (nr < 100 && (groups[nr] = stitch_mem_cgroup_create("many", NULL, NO_LIMIT)))
		nr++;
	CHECK(nr >= 60 && nr < 64 && errno == ENOMEM, "%d groups, errno %d", nr, errno);
	while (nr)
		destroy(groups[--nr]);
}

/* --- children --------------------------------------------------------------------------------- */

static void in_child(struct stitch_mem_cgroup *mine, struct stitch_mem_cgroup *others)
{
	size_t before = current(mine);
	void *block = malloc(AREA_BYTES);

	CHECK(stitch_get_active_memcg() == mine && block, "the thread's group");
	CHECK(current(mine) == before + AREA_BYTES, "%zu bytes", current(mine));
	CHECK(stat_of(mine).nr_threads == 1 && !stat_of(others).nr_threads, "threads");
	destroy(others);
	stitch_set_active_memcg(NULL);
	give_small();
	free(block);
	is_empty(mine);
	destroy(mine);
}

static void children(void)
{
	struct stitch_mem_cgroup *mine = create("mine", NULL, NO_LIMIT);
	struct stitch_mem_cgroup *others = create("others", NULL, NO_LIMIT);
	pthread_t thread;
	size_t before;
	int status;
	pid_t child;

	CHECK(!pthread_create(&thread, NULL, stay_in, others), "thread");
	pthread_barrier_wait(&barrier);
	stitch_set_active_memcg(mine);
	take_small();
	before = current(mine);
	child = fork();
	CHECK(child >= 0, "fork");
	if (!child) {
		in_child(mine, others);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status %d", status);
	CHECK(current(mine) == before && stat_of(others).nr_threads == 1, "the parent's");
	stitch_set_active_memcg(NULL);
	give_small();
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	destroy(mine);
	destroy(others);
}

static void refused(void)
{
	struct stitch_mem_cgroup *wrong = (struct stitch_mem_cgroup *)&wrong;
	struct stitch_mem_cgroup_stat stat;
	void *block = malloc(AREA_BYTES);

	errno = 0;
	CHECK(!stitch_mem_cgroup_create(NULL, NULL, 0) && errno == EINVAL, "no name");
	errno = 0;
	CHECK(!stitch_mem_cgroup_create("x", wrong, 0) && errno == EINVAL, "parent");
	errno = 0;
	CHECK(stitch_mem_cgroup_destroy(NULL) && errno == EINVAL, "destroy none");
	CHECK(stitch_mem_cgroup_destroy(wrong) && errno == EINVAL, "destroy");
	CHECK(stitch_mem_cgroup_set_max(NULL, 1) && errno == EINVAL, "set_max");
	CHECK(stitch_mem_cgroup_read(wrong, &stat) && errno == EINVAL, "stat");
	CHECK(!stitch_mem_cgroup_read(NULL, &stat) && stat.current >= AREA_BYTES, "of none");
	free(block);
}

int main(int argc, char **argv)
{
	(void)argv;
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's functions");
	refused();
	charged_by_kind();
	kernel_functions_are_charged();
	resized();
	not_from_outside();
	nested();
	limited();
	what_is_kept_gives_way();
	limited_by_all_functions();
	freed_by_another_thread();
	threads_leave();
	outlived();
	nothing_is_left();
	freed_after_all();
	numbers_are_used_again();
	too_many();
	children();
	if (argc > 1)
		return 0;
	run_with_options("hardened=1");
	run_with_options("stitch=off");
	run_with_options("stitch=mremap");
	run_with_options("thp=always");
	run_with_options("limit=4G");
	run_with_options("leaks=1,leak_print=lost,leak_show=definite");
	return 0;
}
