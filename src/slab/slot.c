/* slot.c - see slot.h. */
#include "slab/slot.h"

#include "core/lock.h"
#include "core/memblock.h"
#include "core/params.h"
#include "mm/memcontrol.h"
#include "mm/node.h"
#include "slab/remote.h"

/* Slots are found by id through a table of tables, which grows without moving. */
#define SLOTS_PER_TABLE 256u
#define MAX_TABLES 256u

/* A sheaf that is empty for malloc and full for free. Never written. */
static void *const empty_sheaf[2] = { NULL, SHEAF_END };

#define EMPTY_TOPS \
	{ \
		[0 ... NR_SIZE_CLASSES] = (void **)(uintptr_t)&empty_sheaf[1] \
	}

struct slot slots_of_nobody[2] = {
	{ .top = EMPTY_TOPS },
	{ .top = EMPTY_TOPS },
};

_Thread_local struct slot *current_slot __tls_initial_exec = &slot_none;

size_t slot_unseen_from = sizeof(slots_of_nobody);

/* Frees of a thread that has had no slot yet, and how many make it worth one. */
static _Thread_local uint8_t nr_visits __tls_initial_exec;
#define VISITS_BEFORE_SLOT 64u

/* LOCK_SLOTS; the tables and nr_slots are read without it by slot_by_id. */
static struct {
	struct slot **tables[MAX_TABLES];
	uint32_t nr_slots; /* ids 1..nr_slots are in the tables */
	uint32_t nr_of_node[MAX_NODES];
	struct slot *visited; /* by slot_visit_held, at this moment; no lock */
	uint8_t mark_before;  /* active_node of who has the shared slot; LOCK_SHARED_SLOT */
	struct {
		struct slot *free; /* of which the warmest is inherited first */
		struct slot *shared;
	} of[MAX_MEM_CGROUPS][MAX_NODES];
} slots;

/* id: 1..nr_slots. */
static struct slot *slot_in_table(uint32_t id)
{
	return slots.tables[id / SLOTS_PER_TABLE][id % SLOTS_PER_TABLE];
}

struct slot *slot_by_id(uint32_t id)
{
	if (id == 0 || id > __atomic_load_n(&slots.nr_slots, __ATOMIC_ACQUIRE))
		return NULL;
	return slot_in_table(id);
}

uint32_t slot_count(void)
{
	return READ_ONCE(slots.nr_slots);
}

uint32_t slot_count_held(void)
{
	uint32_t count = 0;

	for (uint32_t id = 1; id <= slot_count(); id++)
		count += slot_by_id(id)->state == SLOT_HELD;
	return count;
}

/* Each node has a part of them, which its slots take by turns. */
static uint16_t next_cache_sheaf_locked(unsigned int nid)
{
	unsigned int nr = NR_CACHE_SHEAVES / zone.nr_nodes;

	return (uint16_t)(nid * nr + slots.nr_of_node[nid]++ % nr);
}

static void slot_init(struct slot *slot, uint32_t id, unsigned int memcg, unsigned int nid)
{
	slot->id = id;
	slot->memcg = (uint16_t)memcg;
	slot->nid = (uint16_t)nid;
	slot->cache_sheaf = next_cache_sheaf_locked(nid);
	slot->tag = PAGEMAP_SLOT(id);
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		slot->top[class] = slot_none.top[class];
		INIT_LIST_HEAD(&slot->class[class].partial);
	}
	slot->top[NR_SIZE_CLASSES] = slot_none.top[NR_SIZE_CLASSES];
	pcp_init(&slot->pcp, memcg, nid);
}

/* A new slot, published in the tables. NULL: no memory, or more threads than tables. */
static struct slot *slot_make_locked(unsigned int memcg, unsigned int nid)
{
	uint32_t id = slots.nr_slots + 1;
	struct slot ***table = &slots.tables[id / SLOTS_PER_TABLE];
	struct slot *slot;

	if (id >= MAX_TABLES * SLOTS_PER_TABLE)
		return NULL;
	if (!*table)
		*table = memblock_alloc(SLOTS_PER_TABLE * sizeof(**table));
	slot = *table ? memblock_alloc(sizeof(*slot)) : NULL;
	if (!slot)
		return NULL;
	slot_init(slot, id, memcg, nid);
	(*table)[id % SLOTS_PER_TABLE] = slot;
	__atomic_store_n(&slots.nr_slots, id, __ATOMIC_RELEASE);
	return slot;
}

static struct slot *make_shared_locked(unsigned int memcg, unsigned int nid)
{
	struct slot *slot = slot_make_locked(memcg, nid);

	if (slot)
		slot->state = SLOT_SHARED;
	return slot;
}

bool slots_ready(unsigned int memcg)
{
	bool done = true;

	/* Of several nodes the first one's sheaf would serve threads of any. */
	if (!memcg && zone.nr_nodes > 1)
		slot_none.cache_sheaf = slot_gone.cache_sheaf = NO_CACHE_SHEAF;
	lock_acquire(LOCK_SHARED_SLOT);
	lock_acquire(LOCK_SLOTS);
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++) {
		struct slot **shared = &slots.of[memcg][nid].shared;

		if (!*shared)
			*shared = make_shared_locked(memcg, nid);
		done = done && *shared;
	}
	lock_release(LOCK_SLOTS);
	lock_release(LOCK_SHARED_SLOT);
	return done;
}

/*
 * The thread has the slot before the slot is held: a child would free what is held by nobody. And
 * it is inside the slot then, by a visitor's pass, until gate_leave.
 */
static struct slot *slot_take(void)
{
	unsigned int nid = node_current();
	struct slot **free = &slots.of[active_memcg][nid].free, *slot;

	lock_acquire(LOCK_SLOTS);
	slot = *free;
	if (slot)
		*free = slot->next_free;
	else
		slot = slot_make_locked(active_memcg, nid);
	if (slot) {
		for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
			slot->class[class].nr_misses = 0; /* those of another thread */
		active_node = node_mark(nid);
		current_slot = slot;
		slot->inside = 1;
		slot->state = SLOT_HELD;
	}
	lock_release(LOCK_SLOTS);
	return slot;
}

void slot_see_all_frees(void)
{
	slot_unseen_from = SIZE_MAX;
}

struct slot *slot_enter_node(unsigned int nid)
{
	if (slot_is_held() && current_slot->nid == nid)
		return current_slot;
	lock_acquire(LOCK_SHARED_SLOT);
	slots.mark_before = active_node;
	active_node = node_mark(nid);
	return slots.of[active_memcg][nid].shared;
}

static struct slot *slot_borrow(void)
{
	return slot_enter_node(node_wanted());
}

struct slot *slot_enter(void)
{
	struct slot *slot;

	if (likely(slot_is_held()))
		return current_slot;
	slot = current_slot == &slot_none && !params_joint.no_caches ? slot_take() : NULL;
	return slot ? slot : slot_borrow();
}

struct slot *slot_enter_to_free(void)
{
	if (current_slot == &slot_none && nr_visits < VISITS_BEFORE_SLOT) {
		nr_visits++;
		return slot_borrow();
	}
	return slot_enter();
}

void slot_leave(struct slot *slot)
{
	if (likely(slot->state != SLOT_SHARED))
		return;
	remote_flush(slot); /* nobody may come by again for long */
	active_node = slots.mark_before;
	lock_release(LOCK_SHARED_SLOT);
}

static void slot_free_locked(struct slot *slot)
{
	slot->inside = 0;
	slot->state = SLOT_FREE;
	slot->next_free = slots.of[slot->memcg][slot->nid].free;
	slots.of[slot->memcg][slot->nid].free = slot;
}

void slot_release(void)
{
	struct slot *slot = current_slot;

	if (!slot_is_held())
		return;
	remote_flush(slot);
	pcp_drain_runs(&slot->pcp); /* the next thread may never want them */
	current_slot = &slot_gone;
	lock_acquire(LOCK_SLOTS);
	slot_free_locked(slot);
	lock_release(LOCK_SLOTS);
}

void slot_abandon(void)
{
	struct slot *slot = current_slot;
	uint32_t held = SLOT_HELD;

	if (!slot_is_held())
		return;
	current_slot = &slot_gone;
	/* Not held: a signal handler has just forked, and the slot is the child's to give. */
	atomic_compare_exchange_strong(&slot->state, &held, SLOT_LEFT);
}

void slots_collect_left(void)
{
	lock_acquire(LOCK_SLOTS);
	for (uint32_t id = 1; id <= slots.nr_slots; id++)
		if (slot_in_table(id)->state == SLOT_LEFT) {
			pcp_drain_runs(&slot_in_table(id)->pcp);
			slot_free_locked(slot_in_table(id));
		}
	lock_release(LOCK_SLOTS);
}

static void visit_list(struct slot *slot, void (*fn)(struct slot *))
{
	for (; slot; slot = slot->next_free)
		fn(slot);
}

static void visit_free_of(void (*fn)(struct slot *), unsigned int memcg)
{
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		visit_list(slots.of[memcg][nid].free, fn);
}

static void visit_shared_of(void (*fn)(struct slot *), unsigned int memcg)
{
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		if (slots.of[memcg][nid].shared)
			fn(slots.of[memcg][nid].shared);
}

void slots_visit_free(void (*fn)(struct slot *), unsigned int memcg)
{
	lock_acquire(LOCK_SHARED_SLOT);
	for (unsigned int id = 0; id < MAX_MEM_CGROUPS; id++)
		if (mem_cgroup_is_within(id, memcg))
			visit_shared_of(fn, id);
	lock_release(LOCK_SHARED_SLOT);
	lock_acquire(LOCK_SLOTS);
	for (unsigned int id = 0; id < MAX_MEM_CGROUPS; id++)
		if (mem_cgroup_is_within(id, memcg))
			visit_free_of(fn, id);
	lock_release(LOCK_SLOTS);
}

struct slot *slot_next_held(const struct slot *after, unsigned int memcg)
{
	for (uint32_t id = after ? after->id + 1 : 1; id <= slot_count(); id++) {
		struct slot *slot = slot_by_id(id);

		if (slot->state == SLOT_HELD && slot != current_slot &&
		    mem_cgroup_is_within(slot->memcg, memcg))
			return slot;
	}
	return NULL;
}

bool slot_visit_held(struct slot *slot, bool (*fn)(struct slot *slot))
{
	bool result;

	if (slot->state != SLOT_HELD || slot == current_slot)
		return false;
	WRITE_ONCE(slots.visited, slot);
	barrier();
	result = fn(slot);
	barrier();
	WRITE_ONCE(slots.visited, NULL);
	return result;
}

/*
 * The lists of the slot that another thread was visiting are half done, also if its own thread is
 * the one that goes on, or has left it meanwhile. `visited` is cleared last: amid this a signal
 * handler may do it all itself.
 */
static void lose_visited(void)
{
	struct slot *slot = slots.visited;

	if (!slot)
		return;
	slot->state = SLOT_LOST;
	if (slot == current_slot)
		WRITE_ONCE(current_slot, &slot_none);
	barrier();
	WRITE_ONCE(slots.visited, NULL);
}

void slots_after_fork(bool nobody_was_inside)
{
	if (!nobody_was_inside)
		lose_visited();
	for (uint32_t id = 1; id <= slots.nr_slots; id++) {
		struct slot *slot = slot_in_table(id);
		bool is_whole;

		if (slot->state != SLOT_HELD || slot == current_slot)
			continue;
		is_whole = nobody_was_inside || !slot->inside;
		slot->state = is_whole ? SLOT_LEFT : SLOT_LOST;
		slot->inside = 0;
	}
}
