/* relock WAY: one waits for a condition and is woken, but the one that woke it keeps the mutex.
 * With `deadlock`, that one then asks for a mutex that the first one holds. Says "woken" then, and
 * lets go when a byte comes on stdin. */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <threads.h>
#include <time.h>

#include "runtime/taskrt.h"
#include "samples/sample.h"
#include "tests/e2e/check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static mtx_t c11_mutex;
static cnd_t c11_cond;
static struct taskrt_mutex task_mutex;
static struct taskrt_cond task_cond;
static volatile int waiting;

/* --- who waits ------------------------------------------------------------------------------- */

static void in_cond_wait(void)
{
    pthread_mutex_lock(&mutex);
    waiting = 1;
    pthread_cond_wait(&cond, &mutex); /* waits here: cond_wait */
    pthread_mutex_unlock(&mutex);
}

static void in_cond_timedwait(void)
{
    const struct timespec until = {.tv_sec = time(NULL) + 1000};
    pthread_mutex_lock(&mutex);
    waiting = 1;
    pthread_cond_timedwait(&cond, &mutex, &until); /* waits here: cond_timedwait */
    pthread_mutex_unlock(&mutex);
}

static void in_cond_wait_with_another(void)
{
    pthread_mutex_lock(&outer);
    in_cond_wait();
    pthread_mutex_unlock(&outer);
}

static void in_cnd_wait(void)
{
    mtx_lock(&c11_mutex);
    waiting = 1;
    cnd_wait(&c11_cond, &c11_mutex); /* waits here: cnd_wait */
    mtx_unlock(&c11_mutex);
}

static void in_task_cond_wait(void)
{
    taskrt_mutex_lock(&task_mutex);
    waiting = 1;
    taskrt_cond_wait(&task_cond, &task_mutex); /* waits here: taskrt_cond_wait */
    taskrt_mutex_unlock(&task_mutex);
}

/* --- who wakes it ---------------------------------------------------------------------------- */

static void woken(void)
{
    puts("woken");
    fflush(stdout);
}

static void wait_for_byte(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    poll(&input, 1, -1);
}

static void wake(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&cond);
    woken();
    wait_for_byte();
    pthread_mutex_unlock(&mutex);
}

static void wake_and_lock(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&cond);
    woken();
    pthread_mutex_lock(&outer);
}

static void wake_c11(void)
{
    mtx_lock(&c11_mutex);
    cnd_signal(&c11_cond);
    woken();
    wait_for_byte();
    mtx_unlock(&c11_mutex);
}

static void wake_task(void)
{
    taskrt_mutex_lock(&task_mutex);
    taskrt_cond_signal(&task_cond);
    woken();
    taskrt_wait_fd(0, POLLIN, TASKRT_NEVER);
    taskrt_mutex_unlock(&task_mutex);
}

static const struct way {
    const char *name;
    void (*wait)(void);
    void (*wake)(void);
    bool tasks;
    int protocol; /* of the mutex */
} ways[] = {
    {"cond_wait", in_cond_wait, wake, false, PTHREAD_PRIO_NONE},
    {"cond_timedwait", in_cond_timedwait, wake, false, PTHREAD_PRIO_NONE},
    {"priorities", in_cond_wait, wake, false, PTHREAD_PRIO_INHERIT},
    {"cnd_wait", in_cnd_wait, wake_c11, false, PTHREAD_PRIO_NONE},
    {"taskrt_cond_wait", in_task_cond_wait, wake_task, true, PTHREAD_PRIO_NONE},
    {"deadlock", in_cond_wait_with_another, wake_and_lock, false, PTHREAD_PRIO_NONE},
};

static void *run_thread(void *way)
{
    ((const struct way *)way)->wait();
    return NULL;
}

static void run_task(void *way)
{
    ((const struct way *)way)->wait();
}

/* Who waits has the mutex until it does, so that it is woken whenever that is to be had again. */
static void run_tasks(void *arg)
{
    const struct way *way = arg;
    struct taskrt_task *task;
    CHECK(taskrt_spawn(NULL, run_task, arg, &task) == 0);
    while (!waiting)
        taskrt_yield();
    way->wake();
    CHECK(taskrt_join(task, TASKRT_NEVER) == 0);
}

static void run_threads(const struct way *way)
{
    pthread_t thread;
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_setprotocol(&attributes, way->protocol) == 0);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
    CHECK(mtx_init(&c11_mutex, mtx_plain) == thrd_success && cnd_init(&c11_cond) == thrd_success);
    CHECK(pthread_create(&thread, NULL, run_thread, (void *)(uintptr_t)way) == 0);
    while (!waiting)
        usleep(1000);
    way->wake();
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], ways[i].name) != 0)
            continue;
        if (ways[i].tasks)
            CHECK(taskrt_run(run_tasks, (void *)(uintptr_t)&ways[i]) == 0);
        else
            run_threads(&ways[i]);
        puts("over");
        fflush(stdout);
        sample_hold();
        return 0;
    }
    return 70;
}
