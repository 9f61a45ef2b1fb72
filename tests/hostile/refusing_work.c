/*
 * refusing_work.c - ERROR CALL[,CALL]... PROGRAM [ARGUMENT]...: run a program to which these
 * system calls are refused from its very first instruction on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hostile/refusal.h"

static unsigned int parse_calls(char *names)
{
	unsigned int calls = 0;

	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		int call = refusal_find(refusable_calls, NR_REFUSABLE, name);

		if (call < 0) {
			fprintf(stderr, "no refusable call %s\n", name);
			exit(2);
		}
		calls |= 1u << call;
	}
	return calls;
}

int main(int argc, char **argv)
{
	int error = argc > 3 ? refusal_find(refusal_errors, NR_REFUSAL_ERRORS, argv[1]) : -1;
	const char *library = getenv("REFUSED_PRELOAD");

	if (error < 0) {
		fprintf(stderr, "usage: %s ERROR CALL[,CALL]... PROGRAM [ARGUMENT]...\n", argv[0]);
		return 2;
	}
	/* This program itself must start. */
	if (library)
		setenv("LD_PRELOAD", library, 1);
	if (!refuse_calls(parse_calls(argv[2]), (int)refusal_errors[error].value)) {
		perror("seccomp");
		return 2;
	}
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
