/* Tasks in a select whose cases lie on their stacks, of a runtime that takes its time to stop: the
 * stacks have been given back already, and read as zeroes. A line on stdin has as many tasks park
 * in a send and ends the first task, which stops the runtime; a second one lets it go on. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/taskrt.h"
#include "runtime/taskrt_inspect.h"

#define TASKS 20

static bool stopping;

/* In the place of libc's: stands still behind what the stopping runtime gives back first. */
int madvise(void *address, size_t bytes, int advice)
{
    int result = (int)syscall(SYS_madvise, address, bytes, advice);
    if (advice == MADV_DONTNEED && stopping) {
        stopping = false;
        puts("given back");
        fflush(stdout);
        getchar();
    }
    return result;
}

static void select_two(void *arg)
{
    struct taskrt_chan **channels = arg;
    char got;
    struct taskrt_case cases[2] = {
        {.direction = TASKRT_RECEIVE, .chan = channels[0], .element = &got},
        {.direction = TASKRT_RECEIVE, .chan = channels[1], .element = &got}};
    taskrt_select(cases, 2, TASKRT_NEVER);
}

static void send_late(void *arg)
{
    struct taskrt_chan **channels = arg;
    taskrt_send(channels[0], "x");
}

/* How many tasks are parked for this reason. */
static int count_parked(uint32_t reason)
{
    const struct taskrt_inspect *at = &taskrt_inspect;
    uint64_t task = __atomic_load_n(&at->head, __ATOMIC_ACQUIRE);
    int count = 0;
#define FIELD(type, name)                                                                          \
    __atomic_load_n((const type *)(uintptr_t)(task + at->name), __ATOMIC_ACQUIRE)
    for (; task; task = FIELD(uint64_t, next_all))
        count += FIELD(uint32_t, state) == TASKRT_STATE_PARKED && FIELD(uint32_t, reason) == reason;
#undef FIELD
    return count;
}

static void wait_until_all_are_parked(uint32_t reason)
{
    while (count_parked(reason) != TASKS)
        taskrt_sleep(TASKRT_MS);
}

static void first(void *arg)
{
    for (int i = 0; i < TASKS; i++)
        taskrt_spawn(NULL, select_two, arg, NULL);
    wait_until_all_are_parked(TASKRT_REASON_SELECT);
    puts("ready");
    fflush(stdout);
    getchar();
    for (int i = 0; i < TASKS; i++)
        taskrt_spawn(NULL, send_late, (struct taskrt_chan **)arg + 2, NULL);
    wait_until_all_are_parked(TASKRT_REASON_SEND);
    stopping = true;
}

int main(void)
{
    struct taskrt_chan *channels[3];
    for (int i = 0; i < 3; i++)
        channels[i] = taskrt_chan_create(1, 0);
    return -taskrt_run(first, channels);
}
