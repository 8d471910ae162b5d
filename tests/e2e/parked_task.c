/* `parked` on libtaskrt: parks one named task in one function of it. */
#include "tests/e2e/parked.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/taskrt.h"
#include "samples/sample_task.h"

bool passing;
static const struct row *row;
static atomic_bool returned, stdin_ended;

static int64_t an_hour_from_now(void)
{
    return taskrt_now_ns() + 3600 * TASKRT_S;
}

#define ADDRESS(name, object)                                                                      \
    static uint64_t name(void)                                                                     \
    {                                                                                              \
        return (uint64_t)(uintptr_t)(object);                                                      \
    }

/* ---- channels ---- */

static struct taskrt_chan *chan;
static int value = 5;
ADDRESS(chan_address, chan)

static void make_full_chan(void)
{
    chan = taskrt_chan_create(sizeof value, 1);
    CHECK(chan && taskrt_send(chan, &value) == 0);
}

static void make_empty_chan(void)
{
    chan = taskrt_chan_create(sizeof value, 1);
    CHECK(chan);
}

static void put(void)
{
    CHECK(taskrt_try_send(chan, &value) == 0);
}

static void take(void)
{
    CHECK(taskrt_try_receive(chan, NULL) == 0);
}

#define SEND_ROW .prepare = make_full_chan, .release = take, .object = chan_address
#define RECEIVE_ROW .prepare = make_empty_chan, .release = put, .object = chan_address

PARK(send, SEND_ROW)
{
    CHECK(taskrt_send(chan, &value) == 0);
}

PARK(send_until, SEND_ROW)
{
    CHECK(taskrt_send_until(chan, &value, an_hour_from_now()) == 0);
}

PARK(receive, RECEIVE_ROW)
{
    int got;
    CHECK(taskrt_receive(chan, &got) == 0 && got == 5);
}

PARK(receive_until, RECEIVE_ROW)
{
    int got;
    CHECK(taskrt_receive_until(chan, &got, an_hour_from_now()) == 0 && got == 5);
}

static void select_two(int64_t deadline_ns)
{
    int got;
    struct taskrt_case cases[] = {
        {.direction = TASKRT_RECEIVE, .chan = NULL},
        {.direction = TASKRT_RECEIVE, .chan = chan, .element = &got},
    };
    CHECK(taskrt_select(cases, 2, deadline_ns) == 1 && got == 5);
}

PARK(select, .prepare = make_empty_chan, .release = put)
{
    select_two(TASKRT_NEVER);
}

PARK(select_until, .prepare = make_empty_chan, .release = put)
{
    select_two(an_hour_from_now());
}

/* ---- mutex, condition, wait group ---- */

static struct taskrt_mutex mutex;
static struct taskrt_cond cond;
static struct taskrt_waitgroup group;
ADDRESS(mutex_address, &mutex)
ADDRESS(cond_address, &cond)
ADDRESS(group_address, &group)

static void hold_mutex(void)
{
    CHECK(taskrt_mutex_lock(&mutex) == 0);
}

static void free_mutex(void)
{
    CHECK(taskrt_mutex_unlock(&mutex) == 0);
}

#define MUTEX_ROW .prepare = hold_mutex, .release = free_mutex, .object = mutex_address

PARK(mutex_lock, MUTEX_ROW)
{
    CHECK(taskrt_mutex_lock(&mutex) == 0);
    free_mutex();
}

PARK(mutex_lock_until, MUTEX_ROW)
{
    CHECK(taskrt_mutex_lock_until(&mutex, an_hour_from_now()) == 0);
    free_mutex();
}

static void wake_cond(void)
{
    taskrt_cond_broadcast(&cond);
}

PARK(cond_wait, .nudge = wake_cond, .object = cond_address)
{
    hold_mutex();
    CHECK(taskrt_cond_wait(&cond, &mutex) == 0);
    free_mutex();
}

PARK(cond_wait_until, .nudge = wake_cond, .object = cond_address)
{
    hold_mutex();
    CHECK(taskrt_cond_wait_until(&cond, &mutex, an_hour_from_now()) == 0);
    free_mutex();
}

static void add_work(void)
{
    CHECK(taskrt_waitgroup_add(&group, 1) == 0);
}

static void finish_work(void)
{
    CHECK(taskrt_waitgroup_done(&group) == 0);
}

#define GROUP_ROW .prepare = add_work, .release = finish_work, .object = group_address

PARK(waitgroup_wait, GROUP_ROW)
{
    CHECK(taskrt_waitgroup_wait(&group) == 0);
}

PARK(waitgroup_wait_until, GROUP_ROW)
{
    CHECK(taskrt_waitgroup_wait_until(&group, an_hour_from_now()) == 0);
}

/* ---- join, sleep, descriptors ---- */

static struct taskrt_task *helper;
static atomic_bool helper_stops;
ADDRESS(helper_address, helper)

static void help(void *arg)
{
    (void)arg;
    while (!atomic_load(&helper_stops))
        taskrt_sleep(5 * TASKRT_MS);
}

static void start_helper(void)
{
    helper = sample_spawn("helper", help, NULL);
}

static void stop_helper(void)
{
    atomic_store(&helper_stops, true);
}

#define JOIN_ROW .prepare = start_helper, .release = stop_helper, .object = helper_address

PARK(join, JOIN_ROW)
{
    CHECK(taskrt_join(helper, TASKRT_NEVER) == 0);
}

PARK(join_until, JOIN_ROW)
{
    CHECK(taskrt_join(helper, an_hour_from_now()) == 0);
}

PARK(sleep)
{
    CHECK(taskrt_sleep(passing ? TASKRT_MS : 3600 * TASKRT_S) == 0);
}

static int pipe_fds[2];

static uint64_t read_end(void)
{
    return (uint64_t)pipe_fds[0];
}

static void make_pipe(void)
{
    CHECK(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0);
}

static void put_byte(void)
{
    CHECK(write(pipe_fds[1], "x", 1) == 1);
}

#define FD_ROW .prepare = make_pipe, .release = put_byte, .object = read_end

PARK(wait_fd, FD_ROW)
{
    CHECK(taskrt_wait_fd(pipe_fds[0], POLLIN, TASKRT_NEVER) == POLLIN);
}

PARK(wait_fd_until, FD_ROW)
{
    CHECK(taskrt_wait_fd(pipe_fds[0], POLLIN, an_hour_from_now()) == POLLIN);
}

/* ---- the program ---- */

#define ROW(group, name, call, op, object, deadline) ROW_##group(name)
#define ROW_task(name) &row_##name,
#define ROW_go(name)
#define ROW_lock(name)
#define ROW_io(name)
#define ROW_other(name)

static const struct row *const rows[] = {
#include "tests/e2e/parked.def"
};

/* Neither is recorded: that others run, nor a sleep that is no call of libc's. */
static void run_until_stdin_ends(void)
{
    const struct timespec short_time = {.tv_nsec = 1000000};
    while (!atomic_load(&stdin_ended)) {
        syscall(SYS_nanosleep, &short_time, NULL);
        taskrt_yield();
    }
}

static void run_task(void *arg)
{
    (void)arg;
    row->park();
    atomic_store(&returned, true);
    if (passing)
        run_until_stdin_ends();
}

__attribute__((noinline)) static struct taskrt_task *spawn_parked(void)
{
    return sample_spawn("parked", run_task, NULL);
}

static void run(void *arg)
{
    (void)arg;
    if (row->prepare)
        row->prepare();
    if (passing && row->release)
        row->release();
    struct taskrt_task *task = spawn_parked();
    while (passing && !atomic_load(&returned)) {
        if (row->nudge)
            row->nudge();
        taskrt_sleep(TASKRT_MS);
    }
    if (row->object)
        printf("object 0x%llx\n", (unsigned long long)row->object());
    else
        printf("object none\n");
    sample_ready();
    sample_hold_task();
    atomic_store(&stdin_ended, true);
    if (passing)
        sample_join(task);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i]->name, argv[1]) == 0)
            row = rows[i];
    if (!row || (strcmp(argv[2], "park") != 0 && strcmp(argv[2], "pass") != 0)) {
        fprintf(stderr, "usage: parked_task NAME park|pass\n");
        return 64;
    }
    passing = strcmp(argv[2], "pass") == 0;
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
