/*
 * fork with a library whose handlers, registered in its constructor, wait for threads that
 * allocate: before the fork for one that ends, afterwards for one that starts, in parent and child.
 */
#include <sys/wait.h>

#include "semantics/check.h"
#include "semantics/libraries/fork_workers.h"

#define NR_FORKS 50u

int main(void)
{
	for (unsigned int i = 0; i < NR_FORKS; i++) {
		int status;
		pid_t child;

		alarm(50); /* a deadlock ends here */
		child = fork();
		CHECK(child >= 0, "fork");
		if (!child) {
			alarm(40);
			worker_stop();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status %#x",
		      (unsigned int)status);
	}
	worker_stop();
	return 0;
}
