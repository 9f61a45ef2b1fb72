/* frames.h - call bottom() from so many frames down; see frames.c. */
#ifndef BENCH_UNWIND_FRAMES_H
#define BENCH_UNWIND_FRAMES_H

int call_deep(unsigned int depth, void (*bottom)(void));
int call_deep_with_frame_pointers(unsigned int depth, void (*bottom)(void));

#endif
