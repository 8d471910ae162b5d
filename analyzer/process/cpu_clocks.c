#include "analyzer/process/cpu_clocks.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/clock.h"
#include "analyzer/process/file.h"

#define MAX_CPUS 4096
#define MAX_NAME_BYTES 15 /* bytes of a thread's name (prctl(2), PR_SET_NAME) */
#define NS_PER_S UINT64_C(1000000000)

/* How long a CPU may take to let us run, and how many may take longer before none is asked. */
#define PATIENCE_NS UINT64_C(100000000)
#define MAX_LATE_THREADS 4

struct cpu_clocks {
    int64_t now_ns[MAX_CPUS];                                  /* 0: not read; -1: it cannot be */
    unsigned long own[MAX_CPUS / (8 * sizeof(unsigned long))]; /* where this program may run */
    unsigned late;
};

struct cpu_clocks *cpu_clocks_create(void)
{
    struct cpu_clocks *clocks = calloc(1, sizeof(*clocks));
    if (clocks && sched_getaffinity(0, sizeof(clocks->own), (cpu_set_t *)clocks->own) != 0)
        clocks->late =
            MAX_LATE_THREADS; /* nobody could be called back from where it does not run */
    return clocks;
}

void cpu_clocks_destroy(struct cpu_clocks *clocks)
{
    free(clocks);
}

const char *cpu_clocks_lines(const char *text)
{
    return text + strnlen(text, MAX_NAME_BYTES);
}

int64_t cpu_clocks_last_ns(const char *text)
{
    /* "se.exec_start : 12345.678901" (ms) */
    const char *line = strstr(cpu_clocks_lines(text), "\nse.exec_start");
    const char *at = line ? strchr(line, ':') : NULL;
    if (!at)
        return 0;
    char *end;
    unsigned long long ms = strtoull(at + 1, &end, 10);
    unsigned long long ns = *end == '.' ? strtoull(end + 1, NULL, 10) : 0;
    return ms < UINT64_C(1) << 42 && ns < 1000000 ? (int64_t)(ms * 1000000 + ns) : 0;
}

/* A thread that runs on a CPU, where its own time is the present one. Its end is told by a
 * condition: a join with a limit of time is none to ThreadSanitizer (GCC 12's does not know
 * clockjoin). */
struct reader {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    pthread_t thread;
    int64_t now_ns;
    bool has_ended;
};

static void *read_own(void *argument)
{
    struct reader *reader = argument;
    char text[1024];
    sched_yield(); /* brings it up to date */
    process_file_start("/proc/thread-self/sched", text, sizeof(text));
    pthread_mutex_lock(&reader->lock);
    reader->now_ns = cpu_clocks_last_ns(text);
    reader->has_ended = true;
    pthread_cond_signal(&reader->ended);
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

/* All signals blocked: leakspy's handlers must not run on it. */
static bool start_on(int cpu, struct reader *reader)
{
    unsigned long set[MAX_CPUS / (8 * sizeof(unsigned long))] = {0};
    pthread_attr_t attributes;
    sigset_t all;
    CPU_SET_S((unsigned)cpu, sizeof(set), (cpu_set_t *)set);
    sigfillset(&all);
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool ok = pthread_attr_setaffinity_np(&attributes, sizeof(set), (cpu_set_t *)set) == 0 &&
              pthread_attr_setsigmask_np(&attributes, &all) == 0 &&
              pthread_create(&reader->thread, &attributes, read_own, reader) == 0;
    pthread_attr_destroy(&attributes);
    return ok;
}

/* Calls a reader back from a CPU to the others, if there are any. */
static void call_back(const struct cpu_clocks *clocks, int cpu, const struct reader *reader)
{
    unsigned long others[MAX_CPUS / (8 * sizeof(unsigned long))];
    memcpy(others, clocks->own, sizeof(others));
    CPU_CLR_S((unsigned)cpu, sizeof(others), (cpu_set_t *)others);
    pthread_setaffinity_np(reader->thread, sizeof(others), (const cpu_set_t *)others);
}

/* Whether it ended in time. Else it is called back to where it can run. */
static bool wait_for(const struct cpu_clocks *clocks, int cpu, struct reader *reader)
{
    uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                                   .tv_nsec = (long)(until_ns % NS_PER_S)};
    int late = 0;
    pthread_mutex_lock(&reader->lock);
    while (!reader->has_ended && late == 0)
        late = pthread_cond_clockwait(&reader->ended, &reader->lock, CLOCK_MONOTONIC, &until);
    bool in_time = reader->has_ended;
    pthread_mutex_unlock(&reader->lock);
    if (!in_time)
        call_back(clocks, cpu, reader);
    pthread_join(reader->thread, NULL);
    return in_time;
}

int64_t cpu_clocks_now_ns(struct cpu_clocks *clocks, int cpu)
{
    if (cpu < 0 || cpu >= MAX_CPUS)
        return -1;
    if (clocks->now_ns[cpu] != 0)
        return clocks->now_ns[cpu];
    clocks->now_ns[cpu] = -1;

    struct reader reader = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    if (clocks->late == MAX_LATE_THREADS || !start_on(cpu, &reader))
        return -1;
    if (!wait_for(clocks, cpu, &reader))
        clocks->late++;
    else if (reader.now_ns > 0)
        clocks->now_ns[cpu] = reader.now_ns;
    return clocks->now_ns[cpu];
}
