/* Threads that wait inside of calls of libc: `unrecorded HOW...`, one thread for each HOW. Says
 * "ready" at once, and ends with stdin. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "samples/sample.h"
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

static void *in_fgets(void *unused)
{
    char line[16];
    (void)unused;
    FILE *file = fdopen(empty[0], "r");
    CHECK(file && fgets(line, sizeof line, file) == NULL);
    return NULL;
}

static void *in_eventfd_read(void *unused)
{
    eventfd_t value;
    (void)unused;
    CHECK(eventfd_read(eventfd(0, EFD_CLOEXEC), &value) == 0);
    return NULL;
}

static const struct {
    const char *name;
    void *(*wait)(void *);
} ways[] = {{"read", in_read}, {"fgets", in_fgets}, {"eventfd_read", in_eventfd_read}};

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
