/* strings.c - strings as scripts and servers treat them: joined, kept under names, sorted. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define NR_PIECES 100u
#define NR_BUCKETS 4096u
#define NR_NAMES 16384u
#define NR_SORTED 1000u
#define LONGEST 120u

static char *copy_of(const char *text)
{
	return bench_check(strdup(text));
}

/* 8 to LONGEST letters. */
static void draw_text(struct bench_run *run, char text[LONGEST + 1])
{
	size_t length = 8 + bench_random(run) % (LONGEST - 7);
	uint64_t letters = bench_random(run);

	for (size_t i = 0; i < length; i++)
		text[i] = (char)('a' + (letters >> i % 56) % 26);
	text[length] = '\0';
}

/* --- joined ---------------------------------------------------------------------------------- */

static char *append(char *text, size_t *length, const char *piece)
{
	size_t added = strlen(piece);

	text = bench_check(realloc(text, *length + added + 1));
	memcpy(text + *length, piece, added + 1);
	*length += added;
	return text;
}

/* Every piece is a string of its own before it is joined to the others. */
static void join(struct bench_run *run, uint64_t count)
{
	(void)run;
	while (count--) {
		char *text = copy_of("");
		size_t length = 0;

		for (unsigned int i = 0; i < NR_PIECES; i++) {
			char *piece = copy_of(i % 3 ? "name=value; " : "a piece that is longer, ");

			text = append(text, &length, piece);
			free(piece);
		}
		free(bench_keep(text));
	}
}

/* --- a table of names and values -------------------------------------------------------------- */

struct entry {
	struct entry *next;
	char *name, *value;
};

struct table {
	struct entry *buckets[NR_BUCKETS];
};

static struct entry **bucket_of(struct table *table, const char *name)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211u;
	return &table->buckets[hash >> 32 & (NR_BUCKETS - 1)];
}

static void set_value(struct table *table, const char *name, const char *value)
{
	struct entry **bucket = bucket_of(table, name), *entry = *bucket;

	while (entry && strcmp(entry->name, name) != 0)
		entry = entry->next;
	if (!entry) {
		entry = bench_malloc(sizeof(*entry));
		*entry = (struct entry){ *bucket, copy_of(name), NULL };
		*bucket = entry;
	}
	free(entry->value);
	entry->value = copy_of(value);
}

static void remove_first(struct entry **link)
{
	struct entry *entry = *link;

	if (!entry)
		return;
	*link = entry->next;
	free(entry->name);
	free(entry->value);
	free(entry);
}

static void set_some_value(struct bench_run *run, struct table *table, uint64_t number)
{
	char name[32], value[LONGEST + 1];

	snprintf(name, sizeof(name), "name-%u", (unsigned int)(number % NR_NAMES));
	draw_text(run, value);
	set_value(table, name, value);
}

static void *fill_table(struct bench_run *run)
{
	struct table *table = bench_map(sizeof(*table));

	for (uint64_t i = 0; i < NR_NAMES; i++)
		set_some_value(run, table, i);
	return table;
}

/* One name in eight goes away, for others to come. */
static void set_values(struct bench_run *run, uint64_t count)
{
	struct table *table = run->data;

	while (count--) {
		uint64_t random = bench_random(run);

		set_some_value(run, table, random >> 32);
		if (random % 8 == 0)
			remove_first(&table->buckets[random >> 3 & (NR_BUCKETS - 1)]);
	}
}

static void empty_table(struct bench_run *run)
{
	struct table *table = run->data;

	for (size_t i = 0; i < NR_BUCKETS; i++)
		while (table->buckets[i])
			remove_first(&table->buckets[i]);
	bench_unmap(table, sizeof(*table));
}

/* --- sorted ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A vector that grows, is sorted (qsort allocates as well) and goes away in that order. */
static void sort(struct bench_run *run, uint64_t count)
{
	char **strings = NULL, text[LONGEST + 1];
	size_t room = 0;

	for (size_t i = 0; i < count; i++) {
		if (i == room) {
			room = room ? 2 * room : 4;
			strings = bench_check(realloc(strings, room * sizeof(*strings)));
		}
		draw_text(run, text);
		strings[i] = copy_of(text);
	}
	qsort(strings, count, sizeof(*strings), compare);
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

BENCH(join_strings, "a string is built by appending to it",
      .run = join)
BENCH(string_table, "values of a hash table of strings are replaced",
      .run = set_values, .batch = 100, .set_up = fill_table, .tear_down = empty_table)
BENCH(sort_strings, "an array of strings is built, sorted and freed",
      .run = sort, .batch = NR_SORTED)
