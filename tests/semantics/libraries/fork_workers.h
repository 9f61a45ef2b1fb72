/* The worker thread of libraries/fork_workers.c. It runs from the library's constructor on. */
void worker_start(void);
void worker_stop(void);
