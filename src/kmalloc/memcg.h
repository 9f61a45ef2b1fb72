/*
 * memcg.h - mm/memcontrol.h for the program: enters the gate, and sees to the slots of groups.
 *
 * L6. Groups by number; 0 is none. Not in signal handlers.
 */
#ifndef KMALLOC_MEMCG_H
#define KMALLOC_MEMCG_H

#include "mm/memcontrol.h"

enum memcg_answer {
	MEMCG_DONE,
	MEMCG_BUSY,    /* threads or groups are in it; no number is left, or no memory */
	MEMCG_NONE,    /* it has been given up */
	MEMCG_NOT_NOW, /* another thread has been forking for a second */
};

enum memcg_answer memcg_create(const char *name, unsigned int parent, size_t max_pages,
			       unsigned int *id);

/* Memory that is charged to it stays so until it is freed. */
enum memcg_answer memcg_destroy(unsigned int id);

enum memcg_answer memcg_limit(unsigned int id, size_t max_pages);
/* Of 0 usage, peak and limit are the heap's. */
enum memcg_answer memcg_read(unsigned int id, struct mem_cgroup *copy);

/* Of an object that is in use; 0: of none, or it is not the heap's. */
unsigned int memcg_of(const void *object);

#endif
