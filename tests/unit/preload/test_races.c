/* The recorder and the real sampler, at its highest rate, under threads that do all there is to do
 * with slots at once: their tasks begin, wait, are kept, held, renamed and end, handlers wait
 * inside waits, locks that were free are not when they are taken, the table is full at times,
 * threads come and go, processes fork. Each thread knows what it did; afterwards the recording must
 * say the same. Meant for the preset tsan, without suppressions, and run in all. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/clock.h"
#include "preload/memory.h"
#include "preload/own_stack.h"
#include "preload/sites.h"
#include "preload/unwind.h"
#include "preload/waits.h"
#include "tests/unit/preload/parts.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

enum {
    WORKERS = 6,
    GENERATIONS = 4, /* of threads, one after the other in each place */
    TURNS = 2500,    /* of a thread */
    MAX_TASKS = 190, /* that a thread has at one time: together more than the table holds */
    FORK_EVERY = 1200,
    PLACES = 4,
    SHARED = 64,
    LIMIT_S = 60,
};

/* --- what threads know ----------------------------------------------------------------------- */

static uint64_t spawned, lost, stacks_seen, handler_waits, interrupted, holds, forks, locked;
static uint32_t over;

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* --- waits ----------------------------------------------------------------------------------- */

static __thread bool interrupt;

/* The sampler has the lowest priority: on a busy machine it comes to nothing where others spin. */
static void let_it_look(void)
{
    usleep(50);
}

struct parked {
    struct rec_task *task;
    uint64_t own;
    bool patiently;
};

/* The slot may be the thread's own, which the sampler frees when the kernel has forgotten the
 * thread: an order that ThreadSanitizer knows nothing of. So it is read as the library does. */
static void look_while_parked(void *arg)
{
    const struct parked *parked = arg;
    struct rec_task *task = parked->task;
    uint32_t gen = SHARED_GET(task->gen);
    if (interrupt) { /* a handler waits inside this wait */
        interrupt = false;
        count(&interrupted);
        pthread_kill(pthread_self(), SIGUSR1);
    }
    uint32_t until = here_sampler_walks() + 8;
    while (parked->patiently && (int32_t)(here_sampler_walks() - until) < 0) {
        bool seen = __atomic_load_n(&task->seen_gen, __ATOMIC_ACQUIRE) == gen;
        uint32_t site = __atomic_load_n(&task->wait_site, __ATOMIC_ACQUIRE);
        if (seen && site != 0) { /* park's frame, and its caller's */
            WANT(recorder.pcs[recorder.sites[site].first_pc + 1] == parked->own);
            count(&stacks_seen);
            break;
        }
        let_it_look();
    }
    WANT(SHARED_GET(task->gen) == gen && SHARED_GET(task->object) == parked->own);
}

/* Waits in a slot, now and then until the sampler has told the stack, which must be ours. */
__attribute__((noinline)) static void park(struct rec_task *task, bool patiently)
{
    struct parked parked = {task, (uint64_t)__builtin_return_address(0), patiently};
    const struct parts_wait what = {.call = 1, .object = parked.own};
    parts_park(task, &what, look_while_parked, &parked);
    __asm__ volatile(""); /* a call that is not the last thing is a frame */
}

/* Callers of park, each at another address. */
#define PLACE(number)                                                                              \
    __attribute__((noinline)) static void place_##number(struct rec_task *task, bool patiently)    \
    {                                                                                              \
        park(task, patiently);                                                                     \
        __asm__ volatile("" : : "i"(number)); /* the same code, but not the same function */       \
    }
PLACE(0)
PLACE(1)
PLACE(2)
PLACE(3)
static void (*const places[PLACES])(struct rec_task *, bool) = {place_0, place_1, place_2, place_3};

static void on_signal(int number)
{
    (void)number;
    place_3(recorder_self(), false);
    count(&handler_waits);
}

/* As the hook of pthread_mutex_lock where the lock is free, which it need not be any more. */
__attribute__((noinline)) static void lock_one(bool keep)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct rec_task *task = recorder_self();
    struct passing passing = wait_passing(1, (uint64_t)&lock, (uint64_t)__builtin_dwarf_cfa(),
                                          *(const uint64_t *)__builtin_frame_address(0));
    if (!wait_is_published(task, passing))
        wait_publish_passing(task, passing);
    pthread_mutex_lock(&lock);
    uint32_t until = here_sampler_walks() + 2;
    while (keep && (int32_t)(here_sampler_walks() - until) < 0)
        let_it_look();
    pthread_mutex_unlock(&lock);
    count(&locked);
}

/* --- slots that others may hold -------------------------------------------------------------- */

static struct {
    struct rec_task *task;
    uint64_t id;
} shared[SHARED];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static void offer(struct rec_task *task, uint32_t at)
{
    pthread_mutex_lock(&shared_lock);
    shared[at % SHARED].task = task;
    shared[at % SHARED].id = __atomic_load_n(&task->id, __ATOMIC_ACQUIRE);
    pthread_mutex_unlock(&shared_lock);
}

/* Somebody's thread, which may be gone long since. */
static void hold_one(uint32_t at)
{
    pthread_mutex_lock(&shared_lock);
    struct rec_task *task = shared[at % SHARED].task;
    uint64_t id = shared[at % SHARED].id;
    pthread_mutex_unlock(&shared_lock);
    if (task == NULL || !recorder_hold(task, id))
        return;
    for (int i = 0; i < 3; i++) {
        WANT(__atomic_load_n(&task->id, __ATOMIC_ACQUIRE) == id);
        sched_yield();
    }
    WANT(__atomic_load_n(&task->state, __ATOMIC_ACQUIRE) != REC_TASK_FREE);
    recorder_let_go(task);
    count(&holds);
}

/* --- what a thread does ---------------------------------------------------------------------- */

struct worker {
    struct rec_task *tasks[MAX_TASKS];
    uint64_t own; /* handle of all its tasks */
    unsigned seed;
    uint32_t count;
    uint32_t most; /* comes and goes, so that the table does */
};

/* The stack of its caller, as hooks_spawn_site tells it. */
__attribute__((noinline)) static uint32_t own_site(void)
{
    uint64_t pc = (uint64_t)__builtin_return_address(0);
    uint64_t sp = (uint64_t)__builtin_dwarf_cfa();
    uint64_t fp = *(const uint64_t *)__builtin_frame_address(0);
    struct unwind_stack *stack = &recorder_thread.stack;
    unwind_own(pc, sp, fp, sp, own_stack_end(sp), &recorder_thread.trace, stack);
    uint32_t site = site_store(stack->pcs, stack->count, stack->flags);
    WANT(site != 0 && recorder.pcs[recorder.sites[site].first_pc] == pc);
    return site;
}

static void spawn_one(struct worker *worker, enum rec_kind kind)
{
    uint16_t flags = kind == REC_KIND_THREAD ? REC_TASK_HOLD | REC_TASK_JOINABLE : 0;
    struct rec_task *task = recorder_spawn(kind, flags, own_site(), worker->own, "worker");
    count(&spawned);
    if (task == NULL) {
        count(&lost);
        return;
    }
    if (kind == REC_KIND_THREAD) {
        offer(task, (uint32_t)rand_r(&worker->seed));
        if (rand_r(&worker->seed) % 4 == 0) { /* it came to nothing */
            recorder_take_back(task);
            recorder_let_go(task);
            __atomic_fetch_sub(&spawned, 1, __ATOMIC_RELAXED);
            return;
        }
        recorder_let_go(task);
    }
    worker->tasks[worker->count++] = task;
}

static void end_one(struct worker *worker)
{
    uint32_t i = (uint32_t)rand_r(&worker->seed) % worker->count;
    struct rec_task *task = worker->tasks[i];
    WANT(task->handle == worker->own);
    if (task->kind == REC_KIND_THREAD)
        recorder_end(task);
    recorder_release(task);
    worker->tasks[i] = worker->tasks[--worker->count];
}

static void keep_one(struct worker *worker)
{
    static const char name[16] = "again";
    uint32_t i = (uint32_t)rand_r(&worker->seed) % worker->count;
    struct rec_task *task = worker->tasks[i];
    if (task->kind != REC_KIND_GOROUTINE)
        return;
    uint64_t id = task->id;
    if (!recorder_keep(task)) {
        worker->tasks[i] = worker->tasks[--worker->count];
        return;
    }
    recorder_spawn_again(task, 0, 0, name);
    count(&spawned);
    WANT(task->id > id && task->handle == worker->own);
}

static void in_child(void)
{
    memory_init();
    recorder_forget();
    unwind_after_fork(true);
    CHECK_INT(recorder.header == NULL, 1);
    struct rec_task *task = recorder_self();
    CHECK_INT(recorder.header != NULL, 1);
    CHECK_INT(task == &recorder.tasks[1], 1);
    place_0(task, false);
    CHECK_INT(recorder.header->spawned, 1);
    CHECK_INT(recorder.header->finished, 0);
    unlink(recorder_options.out);
}

static void fork_one(void)
{
    int status = 0;
    unwind_before_fork(); /* as lifecycle.c; several may fork at once */
    pid_t pid = fork();
    if (pid != 0)
        unwind_after_fork(false);
    if (pid == 0) {
        char path[300];
        snprintf(path, sizeof(path), "%s.%d", here_path("child"), (int)getpid());
        recorder_options.out = path;
        in_child();
        _exit(HERE_CHILD_FINE);
    }
    WANT(pid > 0 && waitpid(pid, &status, 0) == pid);
    WANT(WIFEXITED(status) && WEXITSTATUS(status) == HERE_CHILD_FINE);
    count(&forks);
}

static void take_turn(struct worker *worker, uint32_t turn)
{
    static const enum rec_kind kinds[] = {REC_KIND_TASK, REC_KIND_THREAD, REC_KIND_GOROUTINE};
    int what = rand_r(&worker->seed) % 17;
    if (turn % 400 == 0)
        worker->most = worker->most == MAX_TASKS ? 10 : MAX_TASKS;
    if (worker->count < worker->most && what < 10)
        spawn_one(worker, kinds[rand_r(&worker->seed) % 3]);
    else if (worker->count > 0 && (worker->count > worker->most || what < 10))
        end_one(worker);
    if (worker->count == 0)
        return;
    struct rec_task *task = worker->tasks[(uint32_t)rand_r(&worker->seed) % worker->count];
    void (*place)(struct rec_task *, bool) = places[(uint32_t)rand_r(&worker->seed) % 3];
    if (what == 10 || what == 11)
        place(task, turn % 16 == 0 && task->kind != REC_KIND_THREAD);
    else if (what == 12) {
        interrupt = turn % 2 == 0;
        place(recorder_self(), false);
    } else if (what == 13)
        hold_one((uint32_t)rand_r(&worker->seed));
    else if (what == 14)
        keep_one(worker);
    else if (what == 15)
        lock_one(turn % 64 == 0);
    else
        recorder_rename(task, turn % 2 ? "odd" : "even");
}

static void *work(void *arg)
{
    uint64_t number = (uint64_t)(uintptr_t)arg;
    struct worker *worker = calloc(1, sizeof(*worker));
    WANT(worker != NULL);
    worker->own = number;
    worker->seed = (unsigned)number;
    /* Adopted at its first wait, as a thread that nobody saw begin. */
    count(&spawned);
    if (recorder_self() == &recorder_thread.sink)
        count(&lost);
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        take_turn(worker, turn);
        if (turn % FORK_EVERY == 0)
            fork_one();
    }
    while (worker->count > 0)
        end_one(worker);
    recorder_thread_ends();
    free(worker);
    return NULL;
}

/* Takes all slots there are, and more, and gives them back. */
static void fill_table(void)
{
    struct rec_task *tasks[HERE_TASKS + 1];
    for (int i = 0; i <= HERE_TASKS; i++) {
        tasks[i] = recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL);
        count(&spawned);
        if (tasks[i] == NULL)
            count(&lost);
    }
    for (int i = 0; i <= HERE_TASKS; i++)
        recorder_release(tasks[i]);
}

static void *watch(void *unused)
{
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint64_t ended = __atomic_load_n(&recorder.header->finished, __ATOMIC_ACQUIRE);
        uint64_t begun = __atomic_load_n(&recorder.header->spawned, __ATOMIC_ACQUIRE);
        WANT(ended <= begun);
        sched_yield();
    }
    return unused;
}

/* --- afterwards ------------------------------------------------------------------------------ */

/* Rows that are in no task's hands: each is in the list once. */
static uint32_t count_free_list(void)
{
    static uint8_t listed[HERE_TASKS + 2];
    uint32_t length = 0;
    memset(listed, 0, sizeof(listed));
    for (uint32_t row = (uint32_t)recorder.header->free_list; row != 0;
         row = recorder.tasks[row].next_free) {
        assert_in_range(row, 1, HERE_TASKS);
        assert_int_equal(listed[row], 0);
        assert_int_equal(recorder.tasks[row].state, REC_TASK_FREE);
        listed[row] = 1;
        length++;
    }
    return length;
}

static uint32_t count_live(void)
{
    uint32_t live = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        live += __atomic_load_n(&recorder.tasks[row].state, __ATOMIC_ACQUIRE) != REC_TASK_FREE;
    return live;
}

/* The slots of threads that are gone are freed by the sampler. */
static void wait_for_sampler(void)
{
    uint64_t until_ns = clock_now_ns() + LIMIT_S * NS_PER_S;
    while (count_live() > 0 && clock_now_ns() < until_ns)
        usleep(1000);
}

static void everything_at_once__leaves_the_recording_as_the_threads_know_it(void **state)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    pthread_t watcher, workers[WORKERS];
    (void)state;
    recorder_options.children = true;
    recorder.header->sample_period_ns = 1;
    recorder_thread.task = &recorder_thread.sink; /* the test itself is no part of it */
    sigaction(SIGUSR1, &action, NULL);
    here_sampler_start(true);
    assert_int_equal(pthread_create(&watcher, NULL, watch, NULL), 0);
    for (uintptr_t i = 0; i < WORKERS * GENERATIONS; i++) {
        if (i >= WORKERS)
            pthread_join(workers[i % WORKERS], NULL);
        assert_int_equal(pthread_create(&workers[i % WORKERS], NULL, work, (void *)(i + 1)), 0);
    }
    fill_table();
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    wait_for_sampler();
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(watcher, NULL);
    uint32_t walks = here_sampler_walks();
    here_sampler_stop(false);
    const struct rec_header *header = recorder.header;
    print_message("%lu tasks, %lu without room, %lu stacks compared, %lu waits of handlers, "
                  "%lu holds, %lu locks, %lu forks, %u walks\n",
                  (unsigned long)spawned, (unsigned long)lost, (unsigned long)stacks_seen,
                  (unsigned long)handler_waits, (unsigned long)holds, (unsigned long)locked,
                  (unsigned long)forks, walks);
    assert_int_equal(count_live(), 0);
    assert_int_equal(count_free_list(), header->tables[REC_TABLE_TASKS - 1].count - 1);
    assert_int_equal(header->spawned, spawned);
    assert_int_equal(header->lost_tasks, lost);
    assert_int_equal(header->finished, spawned - lost);
    for (uint32_t row = 1; row < header->tables[REC_TABLE_TASKS - 1].count; row++)
        assert_int_equal(recorder.tasks[row].flags, 0);
    assert_in_range(lost, 1, spawned / 2);
    assert_in_range(stacks_seen, 10, UINT64_MAX);
    assert_in_range(holds, 1, UINT64_MAX);
    assert_in_range(locked, 1, UINT64_MAX);
    assert_int_equal(handler_waits, interrupted);
    assert_in_range(interrupted, 1, UINT64_MAX);
    assert_int_equal(forks, WORKERS * GENERATIONS * (TURNS / FORK_EVERY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            everything_at_once__leaves_the_recording_as_the_threads_know_it, here_open, here_close),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
