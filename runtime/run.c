/* taskrt_run: the workers begin, and have ended when it returns. */
#include "runtime/internal.h"
#include "runtime/sched.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 1024U
#define WORKER_STACK_BYTES (256UL << 10)

static _Atomic bool running;

static unsigned long wished_count(void)
{
    const char *wish = secure_getenv("TASKRT_THREADS");
    bool whole = wish && wish[strspn(wish, "0123456789")] == '\0';
    return whole ? strtoul(wish, NULL, 10) : 0;
}

/* Those that the process may run on. Where that is not told, as when the kernel knows more than the
 * set has room for, all that there are. */
static unsigned long processor_count(void)
{
    cpu_set_t cpus[8]; /* for 8192, the most that kernels are built for */
    long count = sched_getaffinity(0, sizeof cpus, cpus) == 0 ? CPU_COUNT_S(sizeof cpus, cpus)
                                                              : sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned long)count : 1;
}

static unsigned int thread_count(void)
{
    unsigned long count = wished_count();
    if (count == 0)
        count = processor_count();
    return count > MAX_THREADS ? MAX_THREADS : (unsigned int)count;
}

/* For tools, see taskrt_inspect.h. */
static void show_workers(const struct rt_runtime *rt)
{
    taskrt_inspect_workers.count = rt->count;
    atomic_store_explicit((_Atomic uint64_t *)&taskrt_inspect_workers.first, (uintptr_t)rt->workers,
                          memory_order_release);
}

static void hide_workers(void)
{
    atomic_store_explicit((_Atomic uint64_t *)&taskrt_inspect_workers.first, 0,
                          memory_order_release);
}

/* glibc takes the thread-locals of the program from the stack, and refuses one that they do not fit
 * (EINVAL): such a program gets threads with stacks of the default size. */
static bool start_worker(struct rt_worker *worker, const pthread_attr_t *attributes)
{
    int error = pthread_create(&worker->thread, attributes, rt_run_worker, worker);
    if (error == EINVAL && attributes)
        error = pthread_create(&worker->thread, NULL, rt_run_worker, worker);
    return error == 0;
}

static void start_workers(struct rt_runtime *rt, unsigned int wanted)
{
    pthread_attr_t attributes;
    bool small = pthread_attr_init(&attributes) == 0;
    if (small && !RT_ASAN && !RT_TSAN)
        pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
    /* A thread that cannot be started is done without. `count` is what workers go by, so it must
     * not change while they run: they begin when idle_lock is released. */
    rt_lock(&rt->idle_lock);
    rt->count = 1;
    while (rt->count < wanted) {
        struct rt_worker *worker = &rt->workers[rt->count];
        if (!start_worker(worker, small ? &attributes : NULL))
            break;
        char name[16];
        snprintf(name, sizeof name, "taskrt-%u", rt->count);
        pthread_setname_np(worker->thread, name);
        rt->count++;
    }
    show_workers(rt); /* before any of them runs a task */
    rt_unlock(&rt->idle_lock);
    if (small)
        pthread_attr_destroy(&attributes);
}

static int run(taskrt_fn *fn, void *arg)
{
    struct rt_runtime *rt = &rt_runtime;
    unsigned int wanted = thread_count();
    memset(rt, 0, sizeof *rt);
    atomic_store(&rt->poller_until_ns, INT64_MIN);
    rt->workers = aligned_alloc(RT_CACHE_LINE, wanted * sizeof *rt->workers);
    if (!rt->workers)
        return -ENOMEM;
    memset(rt->workers, 0, wanted * sizeof *rt->workers);
    for (unsigned int i = 0; i < wanted; i++) {
        rt->workers[i].number = i;
        rt->workers[i].random = 2463534242U + i * 7919U;
    }
    rt->count = 1;
    int result = rt_netpoll_init();
    if (result == 0) {
        result = rt_spawn(NULL, NULL, fn, arg, &rt->first_task);
        if (result == 0) {
            start_workers(rt, wanted);
            rt_run_worker(&rt->workers[0]);
            hide_workers();
            for (unsigned int i = 1; i < rt->count; i++)
                pthread_join(rt->workers[i].thread, NULL);
            result = rt->result;
            atomic_fetch_add(&rt_run_number, 1);
            rt_tasks_reset();
            rt_timer_reset();
        }
        rt_netpoll_deinit();
    }
    free(rt->workers);
    rt->workers = NULL;
    return result;
}

int taskrt_run(taskrt_fn *fn, void *arg)
{
    if (!fn)
        return -EINVAL;
    bool before = false;
    if (!atomic_compare_exchange_strong(&running, &before, true))
        return -EBUSY;
    int result = run(fn, arg);
    atomic_store(&running, false);
    return result;
}
