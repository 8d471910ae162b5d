/* Threads that wait in calls of their own, without libc, or with it: `unrecorded HOW...`, one
 * thread for each HOW. Says "ready" at once, and ends with stdin. */
#include <string.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/bare_read.h"
#include "tests/e2e/threads.h"

static int empty[2]; /* a pipe */

/* The library sees it. */
static void *in_read(void *unused)
{
    char byte;
    (void)unused;
    CHECK(read(empty[0], &byte, 1) < 0);
    return NULL;
}

static void *in_bare_read(void *unused)
{
    char byte;
    CHECK(bare_read(empty[0], &byte, 1) == 1);
    return unused;
}

static const struct {
    const char *name;
    void *(*wait)(void *);
} ways[] = {{"read", in_read}, {"bare_read", in_bare_read}};

int main(int argc, char **argv)
{
    CHECK(pipe(empty) == 0);
    for (int i = 1; i < argc; i++)
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
            if (strcmp(argv[i], ways[way].name) == 0)
                start_thread(ways[way].wait, NULL);
    sample_ready();
    sample_hold();
    return 0;
}
