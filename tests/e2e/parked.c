#include "tests/e2e/parked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/bare_read.h"

bool passing;
const struct timespec one_hour = {.tv_sec = 3600};

const struct timespec *in_an_hour(clockid_t clock)
{
    static struct timespec deadline;
    clock_gettime(clock, &deadline);
    deadline.tv_sec += 3600;
    return &deadline;
}

const struct timespec *sleep_time(void)
{
    static const struct timespec short_time = {.tv_nsec = 1000000};
    return passing ? &short_time : &one_hour;
}

#define ROW(group, name, call, op, object, deadline) ROW_##group(name)
#define ROW_task(name)
#define ROW_go(name)
#define ROW_lock(name) extern const struct row row_##name;
#define ROW_io ROW_lock
#define ROW_other ROW_lock
#include "tests/e2e/parked.def"
#undef ROW_lock
#define ROW_lock(name) &row_##name,

static const struct row *const rows[] = {
#include "tests/e2e/parked.def"
};

static atomic_bool returned, over;

static void *run_thread(void *arg)
{
    const struct row *row = arg;
    row->park();
    atomic_store(&returned, true);
    /* In nothing that is recorded. */
    while (passing && !atomic_load(&over))
        bare_nap();
    return NULL;
}

static int run_c11_thread(void *arg)
{
    run_thread(arg);
    return 0;
}

pthread_t parked_thread;

__attribute__((noinline)) static void spawn_parked(const struct row *row)
{
    thrd_t c11;
    void *arg = (void *)(uintptr_t)row;
    if (row->c11) {
        CHECK(thrd_create(&c11, run_c11_thread, arg) == thrd_success);
        parked_thread = c11;
    } else {
        CHECK(pthread_create(&parked_thread, NULL, run_thread, arg) == 0);
    }
}

static void await_return(const struct row *row)
{
    while (!atomic_load(&returned)) {
        if (row->nudge)
            row->nudge();
        usleep(1000);
    }
}

static void join_parked(const struct row *row)
{
    if (row->c11)
        CHECK(thrd_join(parked_thread, NULL) == thrd_success);
    else
        CHECK(pthread_join(parked_thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    const struct row *row = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i]->name, argv[1]) == 0)
            row = rows[i];
    if (!row || (strcmp(argv[2], "park") != 0 && strcmp(argv[2], "pass") != 0)) {
        fprintf(stderr, "usage: parked NAME park|pass\n");
        return 64;
    }
    passing = strcmp(argv[2], "pass") == 0;
    if (row->prepare)
        row->prepare();
    if (passing && row->release)
        row->release();
    spawn_parked(row);
    if (passing)
        await_return(row);
    else
        CHECK(pthread_setname_np(parked_thread, "parked") == 0);
    if (row->object)
        printf("object 0x%llx\n", (unsigned long long)row->object());
    else
        printf("object none\n");
    sample_ready();
    sample_hold();
    atomic_store(&over, true);
    if (passing)
        join_parked(row);
    if (row->clean)
        row->clean();
    return 0;
}
