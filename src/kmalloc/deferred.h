/*
 * deferred.h - frees of those whom the gate has refused, until somebody is inside again.
 *
 * L6. A lock-free list through the dead objects themselves. An object is checked before it is
 * written to: what is no object of ours is reported at once. Double frees are found when the list
 * is worked off.
 */
#ifndef KMALLOC_DEFERRED_H
#define KMALLOC_DEFERRED_H

/* `object`: what kfree_slow takes, but foreign and emergency objects. */
void deferred_free(void *object);

/* Free all that waits. Inside the gate. */
void deferred_free_all(void);

#endif
