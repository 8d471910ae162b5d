#include "analyzer/base/limits.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "analyzer/base/output.h"

#define MEMORY_LEAST (UINT64_C(1) << 30)

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0 /* sanitizers map terabytes */
#endif

static const struct {
    int signal;
    const char *text;
} ends[] = {
    {SIGXCPU, "leakspy: given up: what was to be read took too much processor time\n"},
    {SIGBUS, "leakspy: given up: a file was cut short, or could not be read, while it was read\n"},
};

static void end(int signal)
{
    output_remove();
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (ends[i].signal == signal &&
            write(STDERR_FILENO, ends[i].text, strlen(ends[i].text)) < 0)
            break;
    }
    _exit(2);
}

static void set_soft(int resource, rlim_t to)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return;
    limit.rlim_cur = to < limit.rlim_max ? to : limit.rlim_max;
    setrlimit(resource, &limit);
}

static uint64_t memory_wanted; /* bytes; 0: it is not said */

void limits_set_memory(uint64_t bytes)
{
    memory_wanted = bytes;
}

static void limit_memory(void)
{
    struct rlimit limit;
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4 * 3;
    if (bytes < MEMORY_LEAST)
        bytes = MEMORY_LEAST;
    if (memory_wanted)
        bytes = memory_wanted;
    if (!SANITIZED && getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur > bytes)
        set_soft(RLIMIT_DATA, bytes);
}

void limits_begin(void)
{
    static struct rlimit own; /* of processor time, when the command was started */
    static bool begun;
    struct rusage used;
    if (!begun) {
        begun = true;
        limit_memory();
        if (getrlimit(RLIMIT_CPU, &own) != 0)
            own.rlim_cur = RLIM_INFINITY;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
            sigaction(ends[i].signal, &(struct sigaction){.sa_handler = end}, NULL);
    }
    if (getrusage(RUSAGE_SELF, &used) != 0)
        return;
    rlim_t most = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + LIMITS_LOOK_S;
    set_soft(RLIMIT_CPU, own.rlim_cur < most ? own.rlim_cur : most);
}
