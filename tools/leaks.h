/* leaks.h - `stitchmalloc leaks`: the leak report of a running process. */
#ifndef TOOLS_LEAKS_H
#define TOOLS_LEAKS_H

/* Returns the exit status; says on stderr what is wrong. */
int leaks(const char *pid);

#endif
