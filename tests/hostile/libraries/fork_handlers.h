/*
 * fork_handlers.h - how often the fork handlers of this copy of libraries/fork_handlers.c have run,
 * in this process.
 */
struct handler_counts {
	unsigned long nr_prepared, nr_in_parent, nr_in_child;
};

const struct handler_counts *handlers_counts(void);
