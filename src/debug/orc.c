/* orc.c - see orc.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "debug/orc.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#include "base/math.h"
#include "debug/private_map.h"
#include "os/os.h"
#include "os/os_proc.h"

#define MAX_ID_BYTES 32u
#define MAX_PROBES 16u
#define NR_FAR 1024u

enum module_state { MODULE_FREE, MODULE_NEW, MODULE_READY };

/*
 * A module in its place. The first fields are compared with what is there: they are the loader's
 * words about it, and bytes of its first page, that are mapped when the module is.
 */
struct module {
	uintptr_t start, end;
	const void *table;	   /* .eh_frame_hdr */
	const struct link_map *map;
	uint64_t entry, sections; /* of the ELF header */
	const unsigned char *id;
	size_t id_bytes; /* 0: what stays loaded needs none */
	unsigned char id_copy[MAX_ID_BYTES];
	struct eh_frame frame;
	_Atomic uint32_t state; /* fields are valid when it is MODULE_READY, and constant */
};

/* Numbers begin with 1. A module is put at the first free place from its hash on. */
static struct module *modules;
static _Atomic uint64_t staying[ORC_MODULES / 64];

/* Offsets that do not fit into a rule; 0: a place that is free. Frames of large arrays, few. */
static _Atomic int64_t *far;

uint64_t *orc_table;

bool orc_init(void)
{
	size_t table_bytes = (sizeof(*orc_table)) << ORC_INDEX_BITS;
	size_t module_bytes = ORC_MODULES * sizeof(*modules);
	char *memory = private_map(table_bytes + module_bytes + NR_FAR * sizeof(*far));

	if (!memory)
		return false;
	modules = (void *)(memory + table_bytes);
	far = (void *)(memory + table_bytes + module_bytes);
	orc_table = (void *)memory;
	return true;
}

void orc_begin(struct orc_walk *walk)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(walk->known); i++)
		walk->known[i] = atomic_load_explicit(&staying[i], memory_order_acquire);
}

/* --- what a module is ------------------------------------------------------------------------- */

/* The headers of a module whose first page has them; else NULL. */
static const ElfW(Ehdr) *headers_at(uintptr_t start)
{
	const ElfW(Ehdr) *header = (const void *)start;

	if (start % OS_PAGE_SIZE || !os_can_read(start) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff > OS_PAGE_SIZE ||
	    header->e_phoff + header->e_phnum * sizeof(ElfW(Phdr)) > OS_PAGE_SIZE)
		return NULL;
	return header;
}

/* A build-id among the notes, if they all lie in the module's first page. */
static void find_id(struct module *module, uintptr_t notes, size_t bytes)
{
	uintptr_t end = notes + bytes, text;

	if (notes < module->start || notes - module->start > OS_PAGE_SIZE ||
	    bytes > OS_PAGE_SIZE - (notes - module->start))
		return;
	for (; notes + sizeof(ElfW(Nhdr)) <= end; notes = text) {
		const ElfW(Nhdr) *header = (const void *)notes;
		uintptr_t name = notes + sizeof(*header), id;

		id = name + align_up((size_t)header->n_namesz, 4);
		text = id + align_up((size_t)header->n_descsz, 4);
		if (text > end)
			return;
		if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == sizeof("GNU") &&
		    !memcmp((const void *)name, "GNU", sizeof("GNU")) && header->n_descsz >= 8 &&
		    header->n_descsz <= MAX_ID_BYTES) {
			module->id = (const unsigned char *)id;
			module->id_bytes = header->n_descsz;
			memcpy(module->id_copy, module->id, module->id_bytes);
		}
	}
}

/* Where it was linked for + the result = where it is. */
static uintptr_t bias_of(const struct module *module, const ElfW(Phdr) *segments, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (segments[i].p_type == PT_GNU_EH_FRAME)
			return (uintptr_t)module->table - segments[i].p_vaddr;
	return 0;
}

/* False: it is none that can be known again, or read. */
static bool examine(struct module *module)
{
	const ElfW(Ehdr) *header = headers_at(module->start);
	const ElfW(Phdr) *segments;
	uintptr_t bias;

	if (!header)
		return false;
	segments = (const void *)(module->start + header->e_phoff);
	bias = bias_of(module, segments, header->e_phnum);
	module->entry = header->e_entry;
	module->sections = header->e_shoff;
	module->frame.table = (uintptr_t)module->table;
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		uintptr_t start = bias + segments[i].p_vaddr;

		if (segments[i].p_type == PT_NOTE)
			find_id(module, start, segments[i].p_memsz);
		if (segments[i].p_type == PT_LOAD && segments[i].p_flags & PF_R &&
		    module->frame.table - start < segments[i].p_filesz) {
			module->frame.start = start;
			module->frame.end = start + segments[i].p_filesz;
		}
	}
	return module->frame.start >= module->start && module->frame.end <= module->end;
}

/* --- the modules that were seen --------------------------------------------------------------- */

static struct module what_is_there(const struct dl_find_object *found)
{
	return (struct module){
		.start = (uintptr_t)found->dlfo_map_start,
		.end = (uintptr_t)found->dlfo_map_end,
		.table = found->dlfo_eh_frame,
		.map = found->dlfo_link_map,
	};
}

static bool is_staying(unsigned int number)
{
	return atomic_load_explicit(&staying[number / 64], memory_order_acquire) >> number % 64 & 1;
}

/* The loader has the same there: what it says, before any byte of it is looked at. */
static bool is_said_to_be(const struct module *module, const struct module *there)
{
	return module->start == there->start && module->end == there->end &&
	       module->table == there->table && module->map == there->map;
}

static bool is_still_there(const struct module *module, const struct module *there)
{
	const ElfW(Ehdr) *header = (const void *)module->start;

	return is_said_to_be(module, there) && header->e_entry == module->entry &&
	       header->e_shoff == module->sections &&
	       !memcmp(module->id, module->id_copy, module->id_bytes);
}

static unsigned int first_place(const struct module *there)
{
	return (unsigned int)((there->start >> 12) * 0x9e3779b97f4a7c15u >> 40) %
		       (ORC_MODULES - 1) + 1;
}

static unsigned int next_place(unsigned int place)
{
	return place % (ORC_MODULES - 1) + 1;
}

/* The number of what is there; 0: not seen yet, or nothing that is known by a number. */
static unsigned int find_module(const struct module *there)
{
	unsigned int place = first_place(there);

	for (unsigned int i = 0; i < MAX_PROBES; i++, place = next_place(place)) {
		struct module *module = &modules[place];
		uint32_t state = atomic_load_explicit(&module->state, memory_order_acquire);

		if (state == MODULE_FREE)
			return 0;
		if (state == MODULE_READY &&
		    (is_staying(place) ? is_said_to_be(module, there) :
					 is_still_there(module, there)))
			return place;
	}
	return 0;
}

/*
 * One that is being added when a signal comes, or by two threads at once, may get two numbers:
 * what was learned under either is right.
 */
static unsigned int add_module(const struct module *there)
{
	unsigned int place = first_place(there);

	for (unsigned int i = 0; i < MAX_PROBES; i++, place = next_place(place)) {
		struct module *module = &modules[place];
		uint32_t state = MODULE_FREE;

		if (!atomic_compare_exchange_strong(&module->state, &state, MODULE_NEW))
			continue;
		memcpy(module, there, offsetof(struct module, state));
		atomic_store_explicit(&module->state, MODULE_READY, memory_order_release);
		return place;
	}
	return 0;
}

static void know(uint64_t *known, unsigned int number)
{
	known[number / 64] |= UINT64_C(1) << number % 64;
}

/* --- from rules to words ---------------------------------------------------------------------- */

/* Its place among the far ones, or -1. */
static int far_place(int64_t offset)
{
	for (unsigned int i = 0; i < NR_FAR; i++) {
		int64_t there = 0;

		if (atomic_compare_exchange_strong(&far[i], &there, offset) || there == offset)
			return (int)i;
	}
	return -1;
}

int64_t orc_far(union orc rule)
{
	return far[rule.cfa];
}

static bool fits(int64_t bytes, int64_t min_words, int64_t max_words)
{
	return !(bytes % 8) && bytes / 8 >= min_words && bytes / 8 <= max_words;
}

static enum orc_kind put_register(union orc *rule, const struct frame_rule *from)
{
	int place;

	if (from->reg != DWARF_RSP && from->reg != DWARF_RBP) {
		rule->near = from->offset / 8;
		rule->part = from->reg;
		return fits(from->offset, -1024, 1023) ? ORC_REGISTER : ORC_COMPLEX;
	}
	rule->cfa = from->offset / 8;
	if (fits(from->offset, -16384, 16383))
		return from->reg == DWARF_RSP ? ORC_RSP : ORC_RBP;
	place = from->reg == DWARF_RSP && from->offset ? far_place(from->offset) : -1;
	rule->cfa = place;
	return place >= 0 ? ORC_RSP_FAR : ORC_COMPLEX;
}

static enum orc_kind put_loaded(union orc *rule, const struct frame_rule *from)
{
	rule->near = from->offset / 8;
	rule->part = (uint64_t)from->addend / 8;
	if (!fits(from->offset, -1024, 1023) || !fits(from->addend, 0, 15))
		return ORC_COMPLEX;
	if (from->reg == DWARF_RSP)
		return ORC_AT_RSP;
	return from->reg == DWARF_RBP ? ORC_AT_RBP : ORC_COMPLEX;
}

static enum orc_kind put_cfa(union orc *rule, const struct frame_rule *from)
{
	switch (from->kind) {
	case FRAME_REGISTER:
		return put_register(rule, from);
	case FRAME_LOADED:
		return put_loaded(rule, from);
	case FRAME_SIGNAL:
		return ORC_SIGNAL;
	case FRAME_OUTERMOST:
		return ORC_OUTERMOST;
	case FRAME_COMPLEX:
		return ORC_COMPLEX;
	case FRAME_UNKNOWN:
		break;
	}
	return ORC_UNKNOWN;
}

static union orc pack(const struct frame_rule *from)
{
	union orc rule = { .word = 0 };

	rule.kind = put_cfa(&rule, from);
	if (from->rbp == RBP_AT_RBP) {
		rule.rbp = ORC_RBP_AT_RBP;
	} else if (from->rbp == RBP_BELOW_CFA) {
		rule.rbp = (uint64_t)from->rbp_below / 8;
		if (!fits(from->rbp_below, 1, ORC_RBP_AT_RBP - 1))
			rule.kind = ORC_COMPLEX;
	}
	return rule;
}

/* What a handler returns to: mov $__NR_rt_sigreturn, %rax; syscall. */
static const unsigned char sigreturn[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

/* The return address is behind the pc. */
static bool is_sigreturn(uintptr_t pc)
{
	return os_can_read(pc + 1) && os_can_read(pc + 1 + sizeof(sigreturn) - 8) &&
	       !memcmp((const void *)(pc + 1), sigreturn, sizeof(sigreturn));
}

static union orc read_rule(const struct module *module, uintptr_t pc)
{
	struct frame_rule rule = eh_frame_rule(&module->frame, pc);

	if (rule.kind == FRAME_SIGNAL && !is_sigreturn(pc))
		rule.kind = FRAME_COMPLEX;
	return pack(&rule);
}

/* --- the table -------------------------------------------------------------------------------- */

/* The module is what is at the pc now. */
static union orc find_in(unsigned int number, const struct module *module, uintptr_t pc)
{
	union orc rule = { READ_ONCE(*orc_place(pc)) };

	if (number && rule.tag == orc_tag(pc) && rule.module == number)
		return rule;
	rule = read_rule(module, pc);
	rule.tag = orc_tag(pc);
	rule.module = number;
	if (number)
		WRITE_ONCE(*orc_place(pc), rule.word);
	return rule;
}

union orc orc_find_slow(struct orc_walk *walk, uintptr_t pc)
{
	union orc no_table = { .kind = ORC_NO_TABLE }, complex = { .kind = ORC_COMPLEX };
	struct dl_find_object found;
	struct module there;
	unsigned int number;

	if (pc >> ORC_PC_BITS || _dl_find_object((void *)pc, &found) || !found.dlfo_eh_frame)
		return no_table;
	there = what_is_there(&found);
	number = find_module(&there);
	if (!number) {
		if (!examine(&there))
			return complex;
		number = there.id_bytes ? add_module(&there) : 0;
	}
	if (!number)
		return find_in(0, &there, pc);
	know(walk->known, number);
	return find_in(number, &modules[number], pc);
}

/* --- what stays ------------------------------------------------------------------------------- */

static void stay(uintptr_t address)
{
	struct dl_find_object found;
	struct module there;
	unsigned int number;

	if (_dl_find_object((void *)address, &found) || !found.dlfo_eh_frame)
		return;
	there = what_is_there(&found);
	number = find_module(&there);
	if (!number && examine(&there))
		number = add_module(&there);
	if (number)
		atomic_fetch_or_explicit(&staying[number / 64], UINT64_C(1) << number % 64,
					 memory_order_release);
}

static int stay_all(struct dl_phdr_info *info, size_t bytes, void *unused)
{
	(void)bytes;
	(void)unused;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_LOAD) {
			stay(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
			break;
		}
	}
	return 0;
}

void orc_start(void)
{
	if (orc_table)
		dl_iterate_phdr(stay_all, NULL);
}
