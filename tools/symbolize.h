/* symbolize.h - a report without names (symbolize=0) goes to standard output with them. */
#ifndef TOOLS_SYMBOLIZE_H
#define TOOLS_SYMBOLIZE_H

/* path: of the report; "-": standard input. The exit status. */
int symbolize(const char *path);

#endif
