/*
 * pressure.h - is memory short, for this process or around it?
 *
 * L2. By what the kernel measures: the time that tasks have waited for memory (PSI, of the
 * process's control group or else of the machine), and how full the group is. Read, not waited
 * for: so nobody needs a descriptor or a privilege. Where the kernel measures neither it never is.
 */
#ifndef CORE_PRESSURE_H
#define CORE_PRESSURE_H

#include "base/compiler.h"

/*
 * Since the last call, some time ago, tasks have waited for a tenth of the time; or the group is
 * nearly full. The first call only looks at the group. One thread at a time.
 */
bool pressure_is_high(uint64_t now_ms);

#endif
