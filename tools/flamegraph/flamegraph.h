/*
 * flamegraph.h - `stitchmalloc flamegraph`: a report as a page for browsers that shows which calls
 * have led to how many bytes.
 *
 * read.c makes a tree of a report (tree.c), page.c a page of the tree. Each level of the tree
 * is a function that those above have called; a node has what all stacks through it have together.
 */
#ifndef TOOLS_FLAMEGRAPH_H
#define TOOLS_FLAMEGRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* args: of the command line, behind the command. The exit status. */
int flamegraph(char **args);

/* --- tree.c ----------------------------------------------------------------------------------- */

/* What is not known is NULL, or 0. */
struct flame_frame {
	const char *name, *file, *module;
	unsigned int line;
};

struct flame_amount {
	uint64_t bytes, nr_blocks; /* nr_blocks: 0 where reports do not tell */
};

/* bytes == those of all children + those of self. */
struct flame_node {
	char *name, *file, *module;
	unsigned int line; /* 0: calls on several lines, or not known */
	struct flame_amount all, self; /* self: stacks that end here */
	struct flame_node *parent, *children, *next; /* next: of the same parent */
};

/* A stack, outermost frame first. Exits when out of memory. */
void flame_add(struct flame_node *root, const struct flame_frame *frames, size_t nr_frames,
	       struct flame_amount amount);
/* Children with most bytes first, all the way down. */
void flame_sort(struct flame_node *root);
/* Of the subtree, the root included. */
size_t flame_count(struct flame_node *root);
size_t flame_depth(struct flame_node *root);
/* The node behind this one when each comes before its children; NULL: it is the last. */
struct flame_node *flame_next(struct flame_node *node);
void flame_free(struct flame_node *root);

/* --- read.c ----------------------------------------------------------------------------------- */

struct flame_report {
	struct flame_node root; /* its name is NULL */
	char *title;		/* of which program or programs */
};

/* JSON of leak_format=json or collapsed stacks. False: after a message. */
bool flame_read(FILE *file, const char *path, struct flame_report *report);

/* --- page.c ----------------------------------------------------------------------------------- */

void flame_write_page(FILE *file, struct flame_report *report);

#endif
