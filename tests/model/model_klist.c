/*
 * model_klist.c - stitch/klist.h, with several iterators open, against an array of nodes with
 * their counts. One thread; stress/stress_klist.c has more.
 */
#include "kunit.h"
#include "stitch/klist.h"

#define NR_NODES 10u
#define NR_ITERS 3u
#define NONE NR_NODES

/* The twin of a node. */
struct twin {
	bool on_list, dead;
	unsigned int nr_iters; /* that are at it */
	unsigned int nr_gets, nr_puts;
};

static struct stitch_klist list;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct stitch_klist_node nodes[NR_NODES];
static struct stitch_klist_iter iters[NR_ITERS];
static bool with_get, with_put;
static uint64_t dice;

static struct twin twins[NR_NODES];
static unsigned int order[NR_NODES]; /* of those on the list */
static size_t nr;
static unsigned int at[NR_ITERS]; /* node, or NONE */
static unsigned int real_gets[NR_NODES], real_puts[NR_NODES];

static unsigned int below(unsigned int n)
{
	return (unsigned int)kunit_below(&dice, n);
}

static void expect_unlocked(void)
{
	EXPECT(!list.k_locked && !pthread_mutex_trylock(&mutex));
	pthread_mutex_unlock(&mutex);
}

static void get(struct stitch_klist_node *node)
{
	real_gets[node - nodes]++;
	expect_unlocked();
}

/* Nobody looks at the node afterwards. */
static void put(struct stitch_klist_node *node)
{
	EXPECT(!stitch_klist_node_attached(node));
	memset(node, 0xa5, sizeof(*node));
	real_puts[node - nodes]++;
	expect_unlocked();
}

static size_t place_of(unsigned int number)
{
	size_t place = 0;

	while (place < nr && order[place] != number)
		place++;
	return place;
}

static void twin_add(unsigned int number, size_t place)
{
	memmove(&order[place + 1], &order[place], (nr - place) * sizeof(order[0]));
	order[place] = number;
	nr++;
	twins[number].on_list = true;
	twins[number].nr_gets++;
}

/* It goes if nobody is at it. */
static void twin_settle(unsigned int number)
{
	size_t place = place_of(number);

	if (!twins[number].dead || twins[number].nr_iters)
		return;
	twins[number].on_list = twins[number].dead = false;
	twins[number].nr_puts++;
	nr--;
	memmove(&order[place], &order[place + 1], (nr - place) * sizeof(order[0]));
}

static void twin_leave(unsigned int iter)
{
	unsigned int number = at[iter];

	if (number == NONE)
		return;
	at[iter] = NONE;
	twins[number].nr_iters--;
	twin_settle(number);
}

static void check_all(void)
{
	struct stitch_klist_node *node;
	size_t i = 0;

	ASSERT(stitch_klist_validate(&list));
	ASSERT(stitch_list_empty(&list.k_waiters));
	stitch_list_for_each_entry(node, &list.k_list, n_node) {
		const struct twin *twin = &twins[node - nodes];

		ASSERT(i < nr);
		ASSERT_EQ(node - nodes, order[i++]);
		ASSERT(stitch_klist_node_attached(node));
		ASSERT_EQ(node->n_dead, twin->dead);
		ASSERT_EQ(node->n_ref, twin->nr_iters + !twin->dead);
	}
	ASSERT_EQ(i, nr);
	for (i = 0; i < NR_NODES; i++) {
		ASSERT_EQ(real_gets[i], with_get ? twins[i].nr_gets : 0);
		ASSERT_EQ(real_puts[i], with_put ? twins[i].nr_puts : 0);
	}
	for (i = 0; i < NR_ITERS; i++)
		ASSERT_EQ(iters[i].i_cur, at[i] == NONE ? NULL : &nodes[at[i]]);
}

static void add(unsigned int number)
{
	size_t place = nr ? below((unsigned int)nr) : 0;
	unsigned int where = below(nr ? 4 : 2);

	if (twins[number].on_list)
		return;
	if (where == 0)
		stitch_klist_add_tail(&nodes[number], &list);
	else if (where == 1)
		stitch_klist_add_head(&nodes[number], &list);
	else if (where == 2)
		stitch_klist_add_behind(&nodes[number], &nodes[order[place]]);
	else
		stitch_klist_add_before(&nodes[number], &nodes[order[place]]);
	twin_add(number, where == 0 ? nr : where == 1 ? 0 : where == 2 ? place + 1 : place);
}

static void del(unsigned int number)
{
	if (!twins[number].on_list)
		return;
	if (!twins[number].nr_iters && below(2))
		stitch_klist_remove(&nodes[number]);
	else
		stitch_klist_del(&nodes[number]); /* again: nothing */
	twins[number].dead = true;
	twin_settle(number);
}

static void walk(unsigned int iter)
{
	bool forwards = below(4);
	unsigned int last = at[iter], found = NONE;
	size_t place = last == NONE ? (forwards ? 0 : nr) : place_of(last) + forwards;
	struct stitch_klist_node *node;

	node = forwards ? stitch_klist_next(&iters[iter]) : stitch_klist_prev(&iters[iter]);
	while (found == NONE && place < nr + !forwards && place + forwards > 0) {
		found = order[forwards ? place++ : --place];
		if (twins[found].dead)
			found = NONE;
	}
	if (found != NONE)
		twins[found].nr_iters++;
	twin_leave(iter);
	at[iter] = found;
	ASSERT_EQ(node, found == NONE ? NULL : &nodes[found]);
}

static void begin(unsigned int iter)
{
	unsigned int number = below(NR_NODES);

	stitch_klist_iter_exit(&iters[iter]);
	twin_leave(iter);
	stitch_klist_iter_exit(&iters[iter]); /* again: nothing */
	if (!twins[number].on_list) {
		memset(&nodes[number], 0, sizeof(nodes[number]));
		if (below(2)) {
			stitch_klist_iter_init(&list, &iters[iter]);
			return;
		}
	}
	stitch_klist_iter_init_node(&list, &iters[iter], &nodes[number]);
	if (twins[number].on_list) {
		at[iter] = number;
		twins[number].nr_iters++;
	}
}

/* The list has the functions, and calls them. */
static void run_model(uint64_t nr_ops, bool get_is_there, bool put_is_there)
{
	with_get = get_is_there;
	with_put = put_is_there;
	nr = 0;
	memset(twins, 0, sizeof(twins));
	memset(real_gets, 0, sizeof(real_gets));
	memset(real_puts, 0, sizeof(real_puts));
	for (unsigned int i = 0; i < NR_ITERS; i++) {
		stitch_klist_iter_init(&list, &iters[i]);
		at[i] = NONE;
	}
	for (uint64_t op = 0; op < nr_ops; op++) {
		unsigned int dart = below(16);

		if (dart < 5)
			add(below(NR_NODES));
		else if (dart < 8)
			del(below(NR_NODES));
		else if (dart < 15)
			walk(below(NR_ITERS));
		else
			begin(below(NR_ITERS));
		check_all();
	}
}

TEST(model_of_a_klist)
{
	dice = kunit_seed();
	stitch_klist_init(&list, get, put);
	run_model(kunit_ops(500000), true, true);
}

TEST(model_of_a_klist_with_a_mutex)
{
	dice = kunit_seed();
	stitch_klist_init_mutex(&list, &mutex, get, NULL);
	run_model(kunit_ops(500000), true, false);
	stitch_klist_init_mutex(&list, &mutex, NULL, put);
	run_model(kunit_ops(500000), false, true);
}

TEST(the_mutex_is_used)
{
	struct stitch_klist_node node;
	STITCH_DEFINE_KLIST(own, NULL, NULL);

	stitch_klist_init_mutex(&list, &mutex, NULL, NULL);
	stitch_klist_lock(&list);
	EXPECT(pthread_mutex_trylock(&mutex) && !list.k_locked);
	stitch_klist_unlock(&list);
	expect_unlocked();
	stitch_klist_lock(&own);
	EXPECT(own.k_locked);
	stitch_klist_unlock(&own);
	EXPECT(!own.k_locked);
	stitch_klist_add_tail(&node, &own);
	EXPECT(stitch_klist_validate(&own));
	node.n_ref = 0;
	EXPECT(!stitch_klist_validate(&own));
	node.n_ref = 1;
	node.n_klist = &list;
	EXPECT(!stitch_klist_validate(&own));
}

RUN_TESTS
