/* Programs that count their own threads, by what /proc says, and go by the number: the sandbox of
 * Chromium, which has to be alone; python3 (3.12), which warns of a fork; Rust's `time`, which does
 * not ask for the time zone. With the sampler, each would find one too many. So the sampler ends
 * before a program that has no other thread is told, and comes back when the program waits next:
 * until then, there is nothing to be seen. */
#ifndef LEAKSPY_THREAD_COUNT_H
#define LEAKSPY_THREAD_COUNT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a path may be one of /proc, or of a folder in it: all that is asked of most paths. NULL
 * is none. */
static inline bool thread_count_may_be_told(const char *path)
{
    if (path == NULL)
        return false;
    char first = path[0] == '/' ? path[1] : path[0];
    return first == 'p' ||
           (path[0] != '/' && (first == 's' || first == 't' || (first >= '0' && first <= '9')));
}

/* The rest is for paths that it may be told by.
 *
 * The program has asked for the state of a file (stat), and got it. True: the sampler was counted,
 * and has ended; the program is to ask again. `path` is counted from `folder`, as in fstatat(2).
 * Any thread, any context. */
bool thread_count_asked(int folder, const char *path);

/* The program has opened a file, and is about to read it. Any thread, any context. */
void thread_count_opened(int fd, const char *path);

/* Is it still to read what it opened, or is the sampler about to end? Asked by the thread that was
 * left unwatched. */
bool thread_count_goes_on(void);

#endif
