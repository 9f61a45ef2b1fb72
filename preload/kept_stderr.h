/*
 * kept_stderr.h - standard error as it was at the start, for what is printed at the end.
 *
 * L10. Many programs close stderr before they are through; a copy of it is kept. Some close every
 * descriptor: then its number is somebody else's connection by now. Some close all from 3 on.
 */
#ifndef PRELOAD_KEPT_STDERR_H
#define PRELOAD_KEPT_STDERR_H

#include "base/compiler.h"

/* At the start of the process. */
void keep_stderr(void);
/*
 * -1: there is none any more. Not to be closed. Where it was not known that a report is wanted
 * it is what the program has now.
 */
int kept_stderr(void);

/* As pr_err, but not into a file that the program has opened in stderr's place. */
void complain(const char *format, ...) __printf_like(1, 2);
/* What an errno is called. */
const char *reason_of(int error);

#endif
