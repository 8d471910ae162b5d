#include "tests/unit/preload/sampler_here.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>

#include "preload/credentials.h"
#include "preload/outlived.h"
#include "preload/recorder.h"
#include "preload/sampler_thread.h"

static pthread_t thread;
static bool runs_freely;
static enum sampler_stop stopping;
static uint32_t walks;
static uint64_t last_pause_ns;
static sem_t may_walk, has_walked;

/* --- what sampler.c wants besides ----------------------------------------------------------------
 */

enum sampler_stop sampler_asked(void)
{
    return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

void sampler_has_left_files(void)
{
}

/* The sampler rests before each walk. */
enum sampler_stop sampler_rest(uint64_t pause_ns)
{
    if (runs_freely) {
        sched_yield();
    } else {
        last_pause_ns = pause_ns;
        sem_post(&has_walked);
        while (sem_wait(&may_walk) != 0)
            ;
    }
    __atomic_fetch_add(&walks, 1, __ATOMIC_RELEASE);
    return sampler_asked();
}

void credentials_begin(void)
{
}

bool credentials_follow(void)
{
    return true;
}

bool outlived_thread(uint32_t os_tid)
{
    (void)os_tid;
    return false;
}

bool outlived_all(int *ret_status)
{
    (void)ret_status;
    return false; /* the test's own threads are there */
}

static void describe_nothing(const struct rec_task *task, enum rec_op op,
                             struct wait_detail *detail)
{
    (void)task, (void)op, (void)detail;
}

struct adapter here_tasks;

static void describe_task(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    if (here_tasks.describe != NULL)
        here_tasks.describe(task, op, detail);
}

static bool is_task_parked(const struct rec_task *task)
{
    return here_tasks.is_parked == NULL || here_tasks.is_parked(task);
}

static bool is_task_awake(const struct rec_task *task)
{
    return here_tasks.is_awake != NULL && here_tasks.is_awake(task);
}

const struct adapter adapter_taskrt = {
    .kind = REC_KIND_TASK,
    .describe = describe_task,
    .is_parked = is_task_parked,
    .is_awake = is_task_awake,
};
const struct adapter adapter_libgo = {.kind = REC_KIND_GOROUTINE, .describe = describe_nothing};

/* --- the thread ----------------------------------------------------------------------------------
 */

static void *sample(void *unused)
{
    recorder_thread.sampler = true;
    recorder_thread.task = &recorder_thread.sink;
    sampler_run();
    return unused;
}

void here_sampler_start(bool freely)
{
    runs_freely = freely;
    walks = 0;
    stopping = SAMPLER_GO_ON;
    if (sem_init(&may_walk, 0, 0) != 0 || sem_init(&has_walked, 0, 0) != 0 ||
        pthread_create(&thread, NULL, sample, NULL) != 0)
        abort();
    if (!freely)
        while (sem_wait(&has_walked) != 0)
            ;
}

void here_sampler_walk(void)
{
    sem_post(&may_walk);
    while (sem_wait(&has_walked) != 0)
        ;
}

void here_sampler_break_off(void)
{
    __atomic_store_n(&stopping, SAMPLER_STOP_NOW, __ATOMIC_RELEASE);
}

uint64_t here_sampler_pause_ns(void)
{
    return last_pause_ns;
}

uint32_t here_sampler_walks(void)
{
    return __atomic_load_n(&walks, __ATOMIC_ACQUIRE);
}

void here_sampler_stop(bool last_walk)
{
    __atomic_store_n(&stopping, last_walk ? SAMPLER_STOP_AFTER_WALK : SAMPLER_STOP_NOW,
                     __ATOMIC_RELEASE);
    sem_post(&may_walk);
    pthread_join(thread, NULL);
    sem_destroy(&may_walk);
    sem_destroy(&has_walked);
}
