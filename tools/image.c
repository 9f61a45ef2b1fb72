/* image.c - see image.h. */
#define _GNU_SOURCE
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

/* What is in another process may be anything: no walk goes on for ever. */
#define MAX_DYNAMIC 1024u
#define MAX_CHAIN 65536u

struct image {
	image_peek_fn *peek;
	void *context;
	uint64_t start, bias;
	uint64_t symbols, strings, hash; /* addresses */
};

static bool peek(const struct image *image, uint64_t address, void *to, size_t bytes)
{
	return image->peek(image->context, address, to, bytes);
}

/* The loader has made addresses of what the file has. */
static uint64_t address_of(const struct image *image, uint64_t value)
{
	return value < image->start ? value + image->bias : value;
}

static bool read_dynamic(struct image *image, uint64_t at)
{
	Elf64_Dyn entry;

	for (unsigned int n = 0; n < MAX_DYNAMIC && peek(image, at, &entry, sizeof(entry)) &&
				 entry.d_tag != DT_NULL;
	     n++, at += sizeof(entry)) {
		if (entry.d_tag == DT_SYMTAB)
			image->symbols = address_of(image, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_STRTAB)
			image->strings = address_of(image, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_GNU_HASH)
			image->hash = address_of(image, entry.d_un.d_ptr);
	}
	return image->symbols && image->strings && image->hash;
}

static bool read_image(struct image *image)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uint64_t dynamic = 0;

	if (!peek(image, image->start, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	image->bias = image->start;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (!peek(image, image->start + header.e_phoff + i * sizeof(segment), &segment,
			  sizeof(segment)))
			return false;
		if (segment.p_type == PT_LOAD && !segment.p_offset)
			image->bias = image->start - segment.p_vaddr;
		if (segment.p_type == PT_DYNAMIC)
			dynamic = segment.p_vaddr;
	}
	return dynamic && read_dynamic(image, image->bias + dynamic);
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* 0: it is not this one. */
static uint64_t value_if_named(const struct image *image, uint32_t index, const char *name)
{
	char text[64] = "";
	Elf64_Sym symbol;

	if (!peek(image, image->symbols + index * sizeof(symbol), &symbol, sizeof(symbol)) ||
	    !peek(image, image->strings + symbol.st_name, text, strlen(name) + 1) ||
	    strcmp(text, name) || symbol.st_shndx == SHN_UNDEF)
		return 0;
	return image->bias + symbol.st_value;
}

/* By DT_GNU_HASH: a chain of hashes begins at the bucket's symbol, and ends with an odd one. */
static uint64_t find_symbol(const struct image *image, const char *name)
{
	uint32_t header[4]; /* buckets, first symbol, words of the filter, shift */
	uint32_t wanted = hash_of(name), hash, index;
	uint64_t buckets, value;

	if (!peek(image, image->hash, header, sizeof(header)) || !header[0])
		return 0;
	buckets = image->hash + sizeof(header) + header[2] * sizeof(uint64_t);
	if (!peek(image, buckets + wanted % header[0] * 4, &index, 4) || index < header[1])
		return 0;
	for (unsigned int n = 0; n < MAX_CHAIN; n++, index++) {
		if (!peek(image, buckets + ((uint64_t)header[0] + index - header[1]) * 4, &hash, 4))
			return 0;
		value = (hash | 1) == (wanted | 1) ? value_if_named(image, index, name) : 0;
		if (value || hash & 1)
			return value;
	}
	return 0;
}

uint64_t image_find(pid_t pid, pid_t tid, const char *name, image_peek_fn *fn, void *context)
{
	char path[64], *line = NULL;
	size_t room = 0;
	uint64_t found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", pid, tid);
	maps = fopen(path, "re");
	while (maps && !found && getline(&line, &room, maps) > 0) {
		struct image image = { .peek = fn, .context = context };
		unsigned long offset;

		if (sscanf(line, "%lx-%*x %*s %lx", &image.start, &offset) == 2 && !offset &&
		    strchr(line, '/') && read_image(&image))
			found = find_symbol(&image, name);
	}
	free(line);
	if (maps)
		fclose(maps);
	return found;
}
