/* A program of libtaskrt in which some tasks are parked, and that asks for what is refused: a run
 * beside the one that there is, and tasks without a function. */
#include <stdio.h>
#include <unistd.h>

#include "runtime/taskrt.h"
#include "tests/e2e/check.h"

enum { PARKED = 3 };

static void park(void *chan)
{
    taskrt_receive(chan, NULL);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void first(void *arg)
{
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    char byte;
    (void)arg;
    for (int i = 0; i < PARKED; i++)
        CHECK(taskrt_spawn(NULL, park, chan, NULL) == 0);
    printf("%d %d %d\n", taskrt_run(nothing, NULL), taskrt_run(NULL, NULL),
           taskrt_spawn(NULL, NULL, NULL, NULL));
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
}

int main(void)
{
    printf("%d\n", taskrt_run(NULL, NULL));
    printf("%d\n", taskrt_run(first, NULL));
    return 0;
}
