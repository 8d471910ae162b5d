/* A thread that waits where no wrapper sees it: `asleep HOW`, inside of a function of libc which
 * calls the system by itself, or without libc. Says "ready" at once, and ends with stdin; "go"
 * there lets the thread go on. `asleep stdin`, or `replaced stdin`, or `bare stdin`, without libc:
 * main itself waits, for stdin. `asleep load LIBRARY`: it loads that. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/bare_read.h"
#include "tests/e2e/threads.h"

static int ends[2]; /* of a pipe */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool waits, may_go;

static void *in_fgets(void *unused)
{
    char line[16];
    FILE *file = fdopen(ends[0], "r");
    CHECK(file && fgets(line, sizeof line, file)); /* waits here: fgets */
    return unused;
}

static void *in_eventfd_read(void *unused)
{
    eventfd_t value;
    CHECK(eventfd_read(ends[0], &value) != 0); /* waits here: eventfd_read */
    return unused;
}

/* The child reads what this process gives to its own. */
static void *in_system(void *unused)
{
    char command[64];
    snprintf(command, sizeof command, "exec head -c 1 <&%d >/dev/null", ends[0]);
    CHECK(system(command) != -1); /* waits here: system */
    return unused;
}

static void *in_putc(void *unused)
{
    CHECK(fputc('x', stderr) == 'x'); /* waits here: putc */
    return unused;
}

static void *in_cond_destroy(void *unused)
{
    pthread_cond_destroy(&cond); /* waits here: cond_destroy */
    return unused;
}

static void *in_cond_wait(void *unused)
{
    pthread_mutex_lock(&lock);
    waits = true;
    while (!may_go)
        pthread_cond_wait(&cond, &lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void *in_bare_read(void *unused)
{
    char bytes[8];
    CHECK(bare_read(ends[0], bytes, sizeof bytes) > 0); /* waits here: bare_read */
    return unused;
}

static void *in_syscall(void *unused)
{
    char bytes[8];
    CHECK(syscall(SYS_read, ends[0], bytes, sizeof bytes) > 0); /* waits here: syscall */
    return unused;
}

static void hold_stream(void)
{
    flockfile(stderr);
}

static void wait_for_cond(void)
{
    bool is_there = false;
    start_thread(in_cond_wait, NULL);
    while (!is_there) {
        usleep(1000);
        pthread_mutex_lock(&lock);
        is_there = waits;
        pthread_mutex_unlock(&lock);
    }
}

static void write_line(void)
{
    CHECK(write(ends[1], "line\n", 5) == 5);
}

static void release_stream(void)
{
    funlockfile(stderr);
}

static void wake(void)
{
    pthread_mutex_lock(&lock);
    may_go = true;
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&cond);
}

static const struct {
    const char *name;
    void *(*wait)(void *);
    void (*begin)(void); /* what has to be done before it can wait; NULL: nothing */
    void (*end)(void);
} ways[] = {
    {"fgets", in_fgets, NULL, write_line},
    {"eventfd_read", in_eventfd_read, NULL, write_line},
    {"system", in_system, NULL, write_line},
    {"putc", in_putc, hold_stream, release_stream},
    {"cond_destroy", in_cond_destroy, wait_for_cond, wake},
    {"bare_read", in_bare_read, NULL, write_line},
    {"syscall", in_syscall, NULL, write_line},
};

static void *end_at_once(void *unused)
{
    return unused;
}

static int wait_for_stdin(bool bare)
{
    char byte;
    join_thread(start_thread(end_at_once, NULL)); /* from now on somebody looks */
    sample_ready();
    if (bare)
        return bare_read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
    return getchar() == EOF ? 0 : 1;
}

int main(int argc, char **argv)
{
    char order[8];
    size_t way = 0;
    CHECK(argc >= 2 && pipe(ends) == 0);
    if (strcmp(argv[1], "load") == 0) {
        sample_ready();
        return dlopen(argv[2], RTLD_NOW) ? 0 : 1;
    }
    if (strcmp(argv[1], "replaced stdin") == 0)
        CHECK(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    if (strstr(argv[1], "stdin"))
        return wait_for_stdin(strcmp(argv[1], "bare stdin") == 0);
    while (strcmp(argv[1], ways[way].name) != 0)
        CHECK(++way < sizeof ways / sizeof *ways);
    if (ways[way].begin)
        ways[way].begin();
    pthread_t thread = start_thread(ways[way].wait, NULL);
    sample_ready();
    if (read(STDIN_FILENO, order, sizeof order) > 0) {
        ways[way].end();
        join_thread(thread);
        puts("went on");
        fflush(stdout);
        sample_hold();
    }
    return 0;
}
