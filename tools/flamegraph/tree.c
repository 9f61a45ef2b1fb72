/* tree.c - see flamegraph.h. */
#define _GNU_SOURCE
#include "flamegraph.h"

#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (!memory) {
		fputs("stitchmalloc: flamegraph: out of memory\n", stderr);
		exit(125);
	}
	return memory;
}

static char *copy(const char *text)
{
	return text ? checked(strdup(text)) : NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static struct flame_node *add_child(struct flame_node *parent, const struct flame_frame *frame)
{
	struct flame_node *node = checked(calloc(1, sizeof(*node)));

	node->name = copy(frame->name);
	node->file = copy(frame->file);
	node->module = copy(frame->module);
	node->line = frame->line;
	node->parent = parent;
	node->next = parent->children;
	parent->children = node;
	return node;
}

/* Functions of one name in two files are two. */
static struct flame_node *child_of(struct flame_node *parent, const struct flame_frame *frame)
{
	for (struct flame_node *node = parent->children; node; node = node->next) {
		if (!is_same_text(node->name, frame->name) ||
		    !is_same_text(node->file, frame->file) ||
		    !is_same_text(node->module, frame->module))
			continue;
		if (node->line != frame->line)
			node->line = 0;
		return node;
	}
	return add_child(parent, frame);
}

static void add_amount(struct flame_amount *sum, struct flame_amount amount)
{
	sum->bytes += amount.bytes;
	sum->nr_blocks += amount.nr_blocks;
}

void flame_add(struct flame_node *root, const struct flame_frame *frames, size_t nr_frames,
	       struct flame_amount amount)
{
	struct flame_node *node = root;

	add_amount(&node->all, amount);
	for (size_t i = 0; i < nr_frames; i++) {
		node = child_of(node, &frames[i]);
		add_amount(&node->all, amount);
	}
	add_amount(&node->self, amount);
}

/* --- order ------------------------------------------------------------------------------------ */

static struct flame_node *merge(struct flame_node *a, struct flame_node *b)
{
	struct flame_node *merged = NULL, **end = &merged;

	while (a && b) {
		struct flame_node **from = a->all.bytes >= b->all.bytes ? &a : &b;

		*end = *from;
		*from = (*from)->next;
		end = &(*end)->next;
	}
	*end = a ? a : b;
	return merged;
}

static struct flame_node *sorted(struct flame_node *list)
{
	struct flame_node *half = list, *rest;

	if (!list || !list->next)
		return list;
	for (struct flame_node *end = list->next; end && end->next; end = end->next->next)
		half = half->next;
	rest = half->next;
	half->next = NULL;
	return merge(sorted(list), sorted(rest));
}

void flame_sort(struct flame_node *root)
{
	for (struct flame_node *node = root; node; node = flame_next(node))
		node->children = sorted(node->children);
}

/* --- walks ------------------------------------------------------------------------------------ */

struct flame_node *flame_next(struct flame_node *node)
{
	if (node->children)
		return node->children;
	while (node->parent && !node->next)
		node = node->parent;
	return node->parent ? node->next : NULL;
}

size_t flame_count(struct flame_node *root)
{
	size_t nr = 0;

	for (struct flame_node *node = root; node; node = flame_next(node))
		nr++;
	return nr;
}

size_t flame_depth(struct flame_node *root)
{
	size_t deepest = 0;

	for (struct flame_node *node = root; node; node = flame_next(node)) {
		size_t depth = 1;

		for (const struct flame_node *up = node; up->parent; up = up->parent)
			depth++;
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}

void flame_free(struct flame_node *root)
{
	struct flame_node *node = root;

	/* Each list is freed from its head on, the deepest first. */
	while (node != root || root->children) {
		struct flame_node *done = node, *parent;

		if (node->children) {
			node = node->children;
			continue;
		}
		parent = done->parent;
		parent->children = done->next;
		free(done->name);
		free(done->file);
		free(done->module);
		free(done);
		node = parent;
	}
}
