/*
 * shadow.c - from an address to the object that lies there, without locks: 8 bytes of shadow for
 * every 8 bytes of address space (some allocators align small blocks to 8). Leaves of 16 MiB
 * are mapped when an object is first seen in them; only touched pages cost memory.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/mman.h>

#include "record.h"

#define ADDRESS_BITS 47
#define LEAF_BITS 24 /* of address space; a leaf is as large as what it describes */
#define NR_LEAVES ((size_t)1 << (ADDRESS_BITS - LEAF_BITS))
#define NR_ENTRIES ((size_t)1 << (LEAF_BITS - 3))
#define ENTRIES_A_PAGE ((size_t)512)
#define NR_WORDS (NR_ENTRIES / ENTRIES_A_PAGE / 64)

struct leaf {
	_Atomic uint64_t entries[NR_ENTRIES];
	_Atomic uint64_t touched[NR_WORDS]; /* a bit for each page of entries */
	uintptr_t base;
	struct leaf *next; /* of all leaves */
};

static _Atomic(struct leaf *) *directory;
static _Atomic(struct leaf *) leaves;

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

bool shadow_init(void)
{
	directory = map(NR_LEAVES * sizeof(*directory));
	return directory != NULL;
}

static struct leaf *leaf_make(uintptr_t number)
{
	struct leaf *leaf = map(sizeof(*leaf)), *present = NULL;

	if (!leaf)
		return NULL;
	leaf->base = number << LEAF_BITS;
	if (!atomic_compare_exchange_strong(&directory[number], &present, leaf)) {
		munmap(leaf, sizeof(*leaf));
		return present;
	}
	leaf->next = atomic_load(&leaves);
	while (!atomic_compare_exchange_weak(&leaves, &leaf->next, leaf))
		;
	return leaf;
}

static struct leaf *leaf_of(uintptr_t address)
{
	if (address >> ADDRESS_BITS)
		return NULL;
	return atomic_load(&directory[address >> LEAF_BITS]);
}

static size_t entry_of(uintptr_t address)
{
	return (address >> 3) & (NR_ENTRIES - 1);
}

/* False when there is no memory for the shadow. */
bool shadow_set(const void *p, uint64_t object)
{
	uintptr_t address = (uintptr_t)p;
	size_t entry = entry_of(address), page = entry / ENTRIES_A_PAGE;
	struct leaf *leaf = leaf_of(address);
	_Atomic uint64_t *touched;

	if (address >> ADDRESS_BITS)
		return true;
	if (!leaf)
		leaf = leaf_make(address >> LEAF_BITS);
	if (!leaf)
		return false;
	touched = &leaf->touched[page / 64];
	if (!(atomic_load_explicit(touched, memory_order_relaxed) >> page % 64 & 1))
		atomic_fetch_or(touched, (uint64_t)1 << page % 64);
	atomic_store_explicit(&leaf->entries[entry], object, memory_order_release);
	return true;
}

uint64_t shadow_take(const void *p)
{
	uintptr_t address = (uintptr_t)p;
	struct leaf *leaf = leaf_of(address);
	size_t entry = entry_of(address);

	/* An untouched page stays untouched. */
	if (!leaf || !atomic_load_explicit(&leaf->entries[entry], memory_order_relaxed))
		return OBJECT_NONE;
	return atomic_exchange(&leaf->entries[entry], OBJECT_NONE);
}

static void rename_page(struct leaf *leaf, size_t page, uint64_t (*visit)(void *address))
{
	for (size_t i = page * ENTRIES_A_PAGE; i < (page + 1) * ENTRIES_A_PAGE; i++)
		if (leaf->entries[i])
			leaf->entries[i] = visit((void *)(leaf->base + i * 8));
}

void shadow_rename(uint64_t (*visit)(void *address))
{
	for (struct leaf *leaf = leaves; leaf; leaf = leaf->next)
		for (size_t page = 0; page < NR_ENTRIES / ENTRIES_A_PAGE; page++)
			if (leaf->touched[page / 64] >> page % 64 & 1)
				rename_page(leaf, page, visit);
}
