/* Threads that wait, with libc and without it: `unrecorded HOW...`, one thread for each HOW. Says
 * "ready" at once, and ends with stdin. */
#include <sched.h>
#include <stdlib.h>
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

static int in_bare_thread(void *unused)
{
    char byte;
    (void)unused;
    return bare_read(empty[0], &byte, 1) != 1;
}

/* A thread that neither libc nor the library knows: libc would take it for the one that starts it.
 */
static void start_bare_thread(void)
{
    enum { STACK_BYTES = 65536 };
    char *stack = malloc(STACK_BYTES);
    CHECK(stack &&
          clone(in_bare_thread, stack + STACK_BYTES,
                CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
                NULL) > 0);
}

static void start_reader(void)
{
    start_thread(in_read, NULL);
}

static void start_bare_reader(void)
{
    start_thread(in_bare_read, NULL);
}

static const struct {
    const char *name;
    void (*start)(void);
} ways[] = {
    {"read", start_reader}, {"bare_read", start_bare_reader}, {"bare_thread", start_bare_thread}};

int main(int argc, char **argv)
{
    CHECK(pipe(empty) == 0);
    for (int i = 1; i < argc; i++)
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
            if (strcmp(argv[i], ways[way].name) == 0)
                ways[way].start();
    sample_ready();
    sample_hold();
    return 0;
}
