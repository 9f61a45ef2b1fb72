/* The lock that libraries/fork_locks.c takes around fork. */
void library_lock(void);
void library_unlock(void);
