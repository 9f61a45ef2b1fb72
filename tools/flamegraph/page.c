/*
 * page.c - see flamegraph.h. One file of HTML without references to others.
 *
 * Frames are boxes in parts of the width, the outermost on top, with their text in the title
 * attribute: the page is whole without scripts, which only add zoom and search (page.js). It
 * is XML, too.
 */
#define _GNU_SOURCE
#include "flamegraph.h"

#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define ROW_PIXELS 20u
/* Stacks that are spelled out below the graph. */
#define MAX_STACKS 500u
/* Frames of a stack that its headline names. */
#define HEADLINE_FRAMES 4u

/* The files beside this one, as they are. */
#define EMBED(name, file) \
	__asm__(".section .rodata\n" #name ":\n.incbin \"" FLAMEGRAPH_FOLDER "/" file "\"\n" \
		".byte 0\n.previous\n"); \
	extern const char name[]
EMBED(page_css, "page.css");
EMBED(page_js, "page.js");

/* --- text ------------------------------------------------------------------------------------- */

static void put_special(FILE *file, char c)
{
	switch (c) {
	case '&':
		fputs("&amp;", file);
		break;
	case '<':
		fputs("&lt;", file);
		break;
	case '>':
		fputs("&gt;", file);
		break;
	case '"':
		fputs("&quot;", file);
		break;
	default:
		putc((unsigned char)c < ' ' || c == 127 ? '?' : c, file);
	}
}

/* What XML has no way to hold, control characters and bytes that are not UTF-8, is '?'. */
static void put_escaped(FILE *file, const char *text)
{
	const char *end = text + strlen(text);

	while (text < end) {
		mbstate_t state = { 0 };
		size_t length = mbrlen(text, (size_t)(end - text), &state);

		if (length > MB_LEN_MAX) { /* it is no character */
			putc('?', file);
			length = 1;
		} else if (length == 1) {
			put_special(file, *text);
		} else {
			fwrite(text, 1, length, file);
		}
		text += length;
	}
}

/* 1,234,567 */
static void put_number(FILE *file, uint64_t number)
{
	if (number >= 1000) {
		put_number(file, number / 1000);
		fprintf(file, ",%03u", (unsigned int)(number % 1000));
	} else {
		fprintf(file, "%u", (unsigned int)number);
	}
}

static void put_counted(FILE *file, uint64_t number, const char *unit)
{
	put_number(file, number);
	fprintf(file, " %s%s", unit, number == 1 ? "" : "s");
}

static double part_of(uint64_t bytes, const struct flame_node *root)
{
	return root->all.bytes ? (double)bytes / (double)root->all.bytes : 0;
}

/* "144 bytes (3.10 %) in 3 blocks"; of the root without the part. */
static void put_amount(FILE *file, struct flame_amount amount, const struct flame_node *root)
{
	put_counted(file, amount.bytes, "byte");
	if (amount.bytes < root->all.bytes)
		fprintf(file, " (%.2f %%)", 100 * part_of(amount.bytes, root));
	if (!amount.nr_blocks)
		return;
	fputs(" in ", file);
	put_counted(file, amount.nr_blocks, "block");
}

static const char *name_of(const struct flame_node *node)
{
	return node->name ? node->name : "all";
}

/* --- the graph -------------------------------------------------------------------------------- */

/* What is known of a frame, in lines. */
static void put_title(FILE *file, const struct flame_node *node, const struct flame_node *root)
{
	fputs(" title=\"", file);
	put_escaped(file, name_of(node));
	if (node->file) {
		fputs("&#10;", file);
		put_escaped(file, node->file);
		if (node->line)
			fprintf(file, ":%u", node->line);
	}
	if (node->module) {
		fputs("&#10;", file);
		put_escaped(file, node->module);
	}
	fputs("&#10;", file);
	put_amount(file, node->all, root);
	fputs("\"", file);
}

static unsigned int hash_of(const char *text)
{
	unsigned int hash = 2166136261u; /* FNV-1a */

	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash ^ hash >> 15;
}

/* A module has a hue, from red to green; its functions differ in lightness. */
static void put_colour(FILE *file, const struct flame_node *node)
{
	const char *module = node->module ? node->module : node->name;

	if (!node->parent)
		fputs("background:hsl(0 0% 82%)", file);
	else
		fprintf(file, "background:hsl(%u 75%% %u%%)", hash_of(module) % 110 + 10,
			62 + hash_of(node->name) % 14);
}

struct place {
	double left;	    /* 0 to 1 */
	unsigned int depth; /* 0: the root */
};

static void put_box(FILE *file, const struct flame_node *node, const struct flame_node *root,
		    struct place place)
{
	double width = node == root ? 1 : part_of(node->all.bytes, root);

	fprintf(file, "<div class=\"f\" style=\"left:%.6f%%;width:%.6f%%;top:%upx;",
		100 * place.left, 100 * width, place.depth * ROW_PIXELS);
	put_colour(file, node);
	fprintf(file, "\" data-depth=\"%u\" data-bytes=\"%" PRIu64 "\"", place.depth,
		node->all.bytes);
	put_title(file, node, root);
	fputs(">", file);
	put_escaped(file, name_of(node));
	fputs("</div>\n", file);
}

/* As deep as stacks are: some thousand frames at most. */
static void put_boxes(FILE *file, const struct flame_node *node, const struct flame_node *root,
		      struct place place)
{
	struct place below = { place.left, place.depth + 1 };

	put_box(file, node, root, place);
	for (const struct flame_node *child = node->children; child; child = child->next) {
		put_boxes(file, child, root, below);
		below.left += part_of(child->all.bytes, root);
	}
}

static void put_graph(FILE *file, struct flame_node *root)
{
	fprintf(file, "<div id=\"graph\" style=\"height:%zupx\">\n",
		flame_depth(root) * ROW_PIXELS);
	put_boxes(file, root, root, (struct place){ 0, 0 });
	fputs("</div>\n", file);
}

/* --- the stacks ------------------------------------------------------------------------------- */

static int most_bytes_first(const void *a, const void *b)
{
	const struct flame_node *x = *(void *const *)a, *y = *(void *const *)b;

	return (x->self.bytes < y->self.bytes) - (x->self.bytes > y->self.bytes);
}

/* Those that stacks end at. NULL: no memory. */
static struct flame_node **find_leaves(struct flame_node *root, size_t *nr)
{
	struct flame_node **leaves = calloc(flame_count(root), sizeof(*leaves));

	*nr = 0;
	for (struct flame_node *node = root; leaves && node; node = flame_next(node))
		if (node->parent && (node->self.bytes || node->self.nr_blocks))
			leaves[(*nr)++] = node;
	if (leaves)
		qsort(leaves, *nr, sizeof(struct flame_node *), most_bytes_first);
	return leaves;
}

static void put_frame(FILE *file, const struct flame_node *node)
{
	fputs("<li>", file);
	put_escaped(file, name_of(node));
	if (node->file) {
		fputs(" <i>", file);
		put_escaped(file, node->file);
		if (node->line)
			fprintf(file, ":%u", node->line);
		fputs("</i>", file);
	} else if (node->module) {
		fputs(" <i>", file);
		put_escaped(file, node->module);
		fputs("</i>", file);
	}
	fputs("</li>\n", file);
}

static void put_headline(FILE *file, const struct flame_node *leaf, const struct flame_node *root)
{
	const struct flame_node *node = leaf;

	fputs("<summary><b>", file);
	put_counted(file, leaf->self.bytes, "byte");
	fprintf(file, "</b> <i>%.2f %%", 100 * part_of(leaf->self.bytes, root));
	if (leaf->self.nr_blocks) {
		fputs(", ", file);
		put_counted(file, leaf->self.nr_blocks, "block");
	}
	fputs(":</i> ", file);
	for (unsigned int i = 0; node->parent && i < HEADLINE_FRAMES; i++) {
		fputs(i ? " \u2190 " : "", file);
		put_escaped(file, name_of(node));
		node = node->parent;
	}
	fputs(node->parent ? " \u2190 \u2026</summary>\n" : "</summary>\n", file);
}

static void put_stack(FILE *file, const struct flame_node *leaf, const struct flame_node *root)
{
	fputs("<details>", file);
	put_headline(file, leaf, root);
	fputs("<ol start=\"0\">\n", file);
	for (const struct flame_node *node = leaf; node->parent; node = node->parent)
		put_frame(file, node);
	fputs("</ol></details>\n", file);
}

static void put_stacks(FILE *file, struct flame_node *root)
{
	size_t nr;
	struct flame_node **leaves = find_leaves(root, &nr);

	if (!leaves || !nr) {
		free(leaves);
		return;
	}
	fputs("<h2>Stacks, most bytes first</h2>\n", file);
	for (size_t i = 0; i < nr && i < MAX_STACKS; i++)
		put_stack(file, leaves[i], root);
	if (nr > MAX_STACKS)
		fprintf(file, "<p>... and %zu more</p>\n", nr - MAX_STACKS);
	free(leaves);
}

/* --- the page --------------------------------------------------------------------------------- */

static void put_head(FILE *file, const struct flame_report *report)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>", file);
	put_escaped(file, report->title);
	fprintf(file, "</title>\n<style>/*<![CDATA[*/\n%s/*]]>*/</style>\n</head>\n<body>\n<h1>",
		page_css);
	put_escaped(file, report->title);
	fputs("</h1>\n<p>", file);
	put_amount(file, report->root.all, &report->root);
	fputs("; callers above what they call</p>\n", file);
}

void flame_write_page(FILE *file, struct flame_report *report)
{
	setlocale(LC_CTYPE, "C.UTF-8"); /* for mbrlen */
	flame_sort(&report->root);
	put_head(file, report);
	fputs("<div class=\"bar\" hidden=\"hidden\"><input id=\"search\" type=\"search\" "
	      "placeholder=\"function, file or module\" aria-label=\"search\"/>"
	      "<button id=\"reset\" hidden=\"hidden\">Show all</button></div>\n"
	      "<p id=\"about\">Click a frame to see what it has called; Escape shows all.</p>\n",
	      file);
	put_graph(file, &report->root);
	put_stacks(file, &report->root);
	fprintf(file, "<script>/*<![CDATA[*/\n%s/*]]>*/</script>\n</body>\n</html>\n", page_js);
}
