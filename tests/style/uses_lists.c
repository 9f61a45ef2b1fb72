/*
 * Every macro of the lists, rings and hash tables, in what is C99 and C++17: test_headers.sh
 * compiles it as both, with all warnings, and runs it. What they do is tested in tests/model/.
 */
#include <stdlib.h>

#include <stitch/hashtable.h>
#include <stitch/kfifo.h>
#include <stitch/klist.h>
#include <stitch/list_sort.h>
#include <stitch/plist.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

/* Those of the library, which is not linked: there is no memory. */
void *stitch_kmalloc_array(size_t count, size_t bytes, stitch_gfp_t flags)
{
	CHECK(count == 4 && bytes == 2 && flags == STITCH_GFP_KERNEL);
	return NULL;
}

void stitch_kfree(const void *object)
{
	CHECK(!object);
}

struct item {
	int value;
	struct stitch_list_head link;
	struct stitch_hlist_node hashed;
	struct stitch_plist_node sorted;
	struct stitch_klist_node listed;
};

static STITCH_LIST_HEAD(list);
static STITCH_HLIST_HEAD(hlist);
static STITCH_DEFINE_HASHTABLE(table, 2);
static STITCH_PLIST_HEAD(plist);
static STITCH_DEFINE_KLIST(klist, NULL, NULL);
static STITCH_DEFINE_KFIFO(numbers, int, 4);
static STITCH_DEFINE_KFIFO(names, const char *, 2);
static STITCH_DEFINE_KFIFO(structures, struct item, 2);
static STITCH_DECLARE_KFIFO_PTR(shorts, short);
static struct item items[3];

/* What the walk comes to has values of this sum. */
#define SUM(expected, walk) \
	do { \
		int sum = 0; \
		walk \
			sum += item->value; \
		CHECK(sum == (expected)); \
	} while (0)

static void use_list(void)
{
	struct stitch_list_head *at, *tmp;
	struct item *item, *next;
	int nr = 0;

	CHECK(!stitch_list_first_entry_or_null(&list, struct item, link));
	CHECK(!stitch_list_last_entry_or_null(&list, struct item, link));
	for (int i = 0; i < 3; i++)
		stitch_list_add_tail(&items[i].link, &list);
	stitch_list_for_each(at, &list)
		nr++;
	stitch_list_for_each_prev(at, &list)
		nr++;
	stitch_list_for_each_safe(at, tmp, &list)
		nr++;
	stitch_list_for_each_prev_safe(at, tmp, &list)
		nr++;
	at = &list;
	stitch_list_for_each_continue(at, &list)
		nr++;
	CHECK(nr == 15);
	SUM(111, stitch_list_for_each_entry(item, &list, link));
	SUM(111, stitch_list_for_each_entry_reverse(item, &list, link));
	SUM(111, stitch_list_for_each_entry_safe(item, next, &list, link));
	SUM(111, stitch_list_for_each_entry_safe_reverse(item, next, &list, link));
	item = &items[1];
	SUM(110, stitch_list_for_each_entry_from(item, &list, link));
	item = &items[1];
	SUM(11, stitch_list_for_each_entry_from_reverse(item, &list, link));
	item = &items[1];
	SUM(110, stitch_list_for_each_entry_safe_from(item, next, &list, link));
	item = &items[1];
	SUM(100, stitch_list_for_each_entry_continue(item, &list, link));
	item = &items[1];
	SUM(1, stitch_list_for_each_entry_continue_reverse(item, &list, link));
	item = &items[0];
	SUM(110, stitch_list_for_each_entry_safe_continue(item, next, &list, link));
	item = NULL;
	item = stitch_list_prepare_entry(item, &list, link);
	SUM(111, stitch_list_for_each_entry_continue(item, &list, link));
	stitch_list_safe_reset_next(&items[0], next, link);
	CHECK(next == &items[1]);
	CHECK(stitch_list_next_entry_circular(&items[2], &list, link) == &items[0]);
	CHECK(stitch_list_prev_entry_circular(&items[0], &list, link) == &items[2]);
	CHECK(stitch_list_last_entry(&list, struct item, link) == &items[2]);
}

static int by_value(void *priv, const struct stitch_list_head *a, const struct stitch_list_head *b)
{
	(void)priv;
	return stitch_list_entry(b, struct item, link)->value -
	       stitch_list_entry(a, struct item, link)->value;
}

static void use_hashes(void)
{
	const struct stitch_list_head *first = &items[2].link;
	struct stitch_hlist_node *at, *tmp;
	struct item *item;
	unsigned int bucket;
	int nr = 0;

	stitch_list_sort(NULL, &list, by_value);
	CHECK(list.next == first && stitch_list_validate(&list));
	for (int i = 0; i < 3; i++)
		stitch_hlist_add_head(&items[i].hashed, &hlist);
	stitch_hlist_for_each(at, &hlist)
		nr++;
	stitch_hlist_for_each_safe(at, tmp, &hlist)
		nr++;
	CHECK(nr == 6);
	SUM(111, stitch_hlist_for_each_entry(item, &hlist, hashed));
	SUM(111, stitch_hlist_for_each_entry_safe(item, tmp, &hlist, hashed));
	item = &items[1];
	SUM(11, stitch_hlist_for_each_entry_from(item, hashed));
	item = &items[1];
	SUM(1, stitch_hlist_for_each_entry_continue(item, hashed));
	stitch_hash_init(table);
	for (int i = 0; i < 3; i++)
		stitch_hash_add(table, &items[i].hashed, (unsigned long)items[i].value);
	SUM(111, stitch_hash_for_each(table, bucket, item, hashed));
	SUM(111, stitch_hash_for_each_safe(table, bucket, tmp, item, hashed));
	nr = 0;
	stitch_hash_for_each_possible(table, item, hashed, 10ul)
		nr += item->value == 10;
	stitch_hash_for_each_possible_safe(table, item, tmp, hashed, (short)10)
		nr++;
	CHECK(nr >= 1 && !stitch_hash_empty(table) && stitch_hash_validate(table));
	CHECK(STITCH_HASH_SIZE(table) == 4 && STITCH_HASH_BITS(table) == 2);
}

static void use_plist_and_klist(void)
{
	struct stitch_plist_node local = STITCH_PLIST_NODE_INIT(local, 5), *node, *tmp;
	struct stitch_klist_iter iter;
	struct item *item, *next;
	int nr = 0;

	for (int i = 0; i < 3; i++) {
		stitch_plist_node_init(&items[i].sorted, -i);
		stitch_plist_add(&items[i].sorted, &plist);
		stitch_klist_add_tail(&items[i].listed, &klist);
	}
	SUM(111, stitch_plist_for_each_entry(item, &plist, sorted));
	SUM(111, stitch_plist_for_each_entry_safe(item, next, &plist, sorted));
	item = stitch_plist_first_entry(&plist, struct item, sorted);
	SUM(11, stitch_plist_for_each_entry_continue(item, &plist, sorted));
	CHECK(stitch_plist_last_entry(&plist, struct item, sorted) == &items[0]);
	stitch_plist_add(&local, &plist);
	stitch_plist_for_each(node, &plist)
		nr++;
	stitch_plist_for_each_safe(node, tmp, &plist)
		nr++;
	node = stitch_plist_next(stitch_plist_first(&plist));
	stitch_plist_for_each_continue(node, &plist)
		nr++;
	CHECK(nr == 10 && stitch_plist_prev(&local) == &items[0].sorted);
	stitch_klist_iter_init(&klist, &iter);
	while (stitch_klist_next(&iter))
		nr++;
	CHECK(nr == 13 && stitch_klist_validate(&klist));
}

static void use_kfifo(void)
{
	int array[4] = { 1, 2, 3, 4 }, number, *where;
	static short memory[5];
	const char *name;
	struct item item = items[2];
	unsigned int tail;

	CHECK(stitch_kfifo_put(&numbers, 7) && stitch_kfifo_in(&numbers, array, 4) == 3);
	CHECK(stitch_kfifo_peek(&numbers, &number) && number == 7);
	CHECK(stitch_kfifo_get(&numbers, &number));
	CHECK(stitch_kfifo_out_peek(&numbers, array, 2) == 2 && array[1] == 2);
	CHECK(stitch_kfifo_out_linear(&numbers, &tail, 9) == 3 && tail == 1);
	CHECK(stitch_kfifo_out_linear_ptr(&numbers, &where, 2) == 2 && *where == 1);
	stitch_kfifo_skip(&numbers);
	CHECK(stitch_kfifo_out(&numbers, array, 1) == 1 && array[0] == 2);
	stitch_kfifo_reset_out(&numbers);
	CHECK(stitch_kfifo_is_empty(&numbers) && !stitch_kfifo_is_full(&numbers));
	STITCH_INIT_KFIFO(numbers);
	CHECK(stitch_kfifo_put(&names, "first") && stitch_kfifo_get(&names, &name));
	CHECK(stitch_kfifo_put(&structures, item) && stitch_kfifo_get(&structures, &item));
	CHECK(item.value == 100 && stitch_kfifo_init(&numbers, array, sizeof(array)) == -EINVAL);
	STITCH_INIT_KFIFO(shorts);
	CHECK(!stitch_kfifo_initialized(&shorts) && !stitch_kfifo_put(&shorts, 1));
	CHECK(stitch_kfifo_init(&shorts, memory, sizeof(memory)) == 0);
	CHECK(stitch_kfifo_size(&shorts) == 4 && stitch_kfifo_avail(&shorts) == 4);
	CHECK(stitch_kfifo_esize(&shorts) == 2 && stitch_kfifo_validate(&shorts));
	stitch_kfifo_reset(&shorts);
	stitch_kfifo_skip_count(&shorts, 2);
	CHECK(stitch_kfifo_alloc(&shorts, 3, STITCH_GFP_KERNEL) == -ENOMEM);
	stitch_kfifo_free(&shorts);
}

int main(void)
{
	items[0].value = 1;
	items[1].value = 10;
	items[2].value = 100;
	use_list();
	use_hashes();
	use_plist_and_klist();
	use_kfifo();
	return 0;
}
