#include "analyzer/process/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/rows.h"
#include "analyzer/process/cpu_clocks.h"
#include "analyzer/process/process.h"

#define MAX_THREADS (1u << 22) /* the kernel's own limit of ids (PID_MAX_LIMIT) */
#define NS_PER_S INT64_C(1000000000)
/* include/linux/sched.h. Each alone meant something else before Linux 6.4. */
#define PF_IO_WORKER 0x10
#define PF_USER_WORKER 0x4000

struct looker {
    int tasks; /* /proc/PID/task */
    int64_t boot_ns;
    struct cpu_clocks *clocks;
    pid_t pid;
    bool nested; /* the process knows its threads by other ids than we do */
    bool denied;
};

/* Reads "NAME" of a folder; the text, or NULL with errno. */
static char *read_text(int folder, const char *name, char *to, size_t bytes)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t got = read(fd, to, bytes - 1);
    int error = got < 0 ? errno : ESRCH; /* nothing stands there of one that has ended */
    close(fd);
    errno = error;
    if (got <= 0)
        return NULL;
    to[got] = '\0';
    return to;
}

/* The number of a line "nr_switches : 1234", never 0; 0: there is none. */
static uint64_t parse_switches(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    const char *at = line ? strchr(line, ':') : NULL;
    return at ? strtoull(at + 1, NULL, 10) + 1 : 0;
}

/* When it was last on its CPU, in ns; 0: not known. ret_switches: how often it came to a CPU and
 * left it. */
static int64_t read_exec_start(int folder, const char *name, uint64_t *ret_switches)
{
    char text[1024]; /* they stand in the third and in the seventh line */
    if (!read_text(folder, name, text, sizeof(text)))
        return 0;
    *ret_switches = parse_switches(cpu_clocks_lines(text), "\nnr_switches");
    return cpu_clocks_last_ns(text);
}

/* How often it went to sleep, by a file that every kernel has, and that takes longer. */
static uint64_t read_voluntary(int folder, const char *name)
{
    char text[32768]; /* it stands behind the groups: some 3,000 of them leave room for it */
    return read_text(folder, name, text, sizeof(text))
               ? parse_switches(text, "\nvoluntary_ctxt_switches")
               : 0;
}

/* Of /proc/TID/stat. */
struct stat_fields {
    unsigned long flags; /* PF_… */
    int64_t started_ns;
    int cpu;
};

/* "123 (name) S 1 …": the fields that are wanted. */
static bool parse_stat(const char *text, struct image_thread *thread, struct stat_fields *ret)
{
    const char *name = strchr(text, '(');
    const char *at = strrchr(text, ')');
    if (!name || !at || at < name || at[1] != ' ' || !at[2])
        return false;
    size_t bytes = (size_t)(at - name - 1);
    if (bytes >= sizeof(thread->name))
        bytes = sizeof(thread->name) - 1;
    memcpy(thread->name, name + 1, bytes);
    thread->state = at[2];
    thread->ended = thread->state == 'Z' || thread->state == 'X';

    *ret = (struct stat_fields){.cpu = -1};
    at += 2;
    for (int field = 3; *at; field++) {
        if (field == 9)
            ret->flags = strtoul(at, NULL, 10);
        if (field == 22)
            ret->started_ns =
                (int64_t)(strtoull(at, NULL, 10) * (uint64_t)(NS_PER_S / sysconf(_SC_CLK_TCK)));
        if (field == 39)
            ret->cpu = (int)strtol(at, NULL, 10);
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return true;
}

/* "202 0x… (6 arguments) 0x(sp) 0x(pc)", "-1 0x(sp) 0x(pc)" (not in a call), "running". */
static void parse_syscall(const char *text, struct image_thread *thread)
{
    char *at;
    thread->call = -1;
    long long number = strtoll(text, &at, 10);
    if (at == text)
        return;
    uint64_t words[8];
    unsigned count = 0;
    while (*at == ' ' && count < 8)
        words[count++] = strtoull(at + 1, &at, 16);
    if (number >= 0 && count != 8)
        return;
    if (number >= 0) {
        thread->call = number;
        memcpy(thread->args, words, sizeof(thread->args));
    }
    if (count >= 2) {
        struct image_registers *registers = &thread->registers;
        registers->value[IMAGE_REGISTER_SP] = words[count - 2];
        registers->value[IMAGE_REGISTER_PC] = words[count - 1];
        registers->known = 1u << IMAGE_REGISTER_SP | 1u << IMAGE_REGISTER_PC;
    }
    thread->parked = number >= 0 && !thread->ended && thread->state != 'R';
}

/* Whether it is the kernel's own, which does a program's work for io_uring, vhost or KVM and stands
 * among its threads. It has no registers of a program: Linux makes it with all of them zero
 * (arch/x86/kernel/process.c, copy_thread), and a call cannot have been made at address 0. */
static bool is_kernel_worker(const struct image_thread *thread, unsigned long flags)
{
    const uint32_t needed = 1u << IMAGE_REGISTER_SP | 1u << IMAGE_REGISTER_PC;
    const struct image_registers *registers = &thread->registers;
    bool has_none = registers->known == needed && registers->value[IMAGE_REGISTER_SP] == 0 &&
                    registers->value[IMAGE_REGISTER_PC] == 0;
    bool is_flagged = (flags & PF_IO_WORKER) && (flags & PF_USER_WORKER);
    return has_none || is_flagged;
}

/* False: the thread has ended meanwhile, or is none of the program's. */
static bool read_thread(struct looker *looker, const char *tid, struct image_thread *ret)
{
    char name[32], text[2048];
    struct stat_fields stat;
    memset(ret, 0, sizeof(*ret));
    ret->tid = ret->host_tid = (uint32_t)strtoul(tid, NULL, 10);
    ret->first = ret->host_tid == (uint32_t)looker->pid;
    ret->call = -1;
    ret->parked_ns = -1;

    snprintf(name, sizeof(name), "%.15s/stat", tid);
    if (!read_text(looker->tasks, name, text, sizeof(text)) || !parse_stat(text, ret, &stat) ||
        is_kernel_worker(ret, stat.flags))
        return false;
    struct process_status status;
    if (looker->nested && process_read_status((pid_t)ret->host_tid, &status))
        ret->tid = (uint32_t)status.own_id;
    if (ret->state == 'R' || ret->ended)
        return true;
    snprintf(name, sizeof(name), "%.15s/syscall", tid);
    if (read_text(looker->tasks, name, text, sizeof(text)))
        parse_syscall(text, ret);
    else
        looker->denied = looker->denied || errno == EPERM || errno == EACCES;
    if (is_kernel_worker(ret, stat.flags))
        return false;
    if (!looker->clocks || (ret->state != 'S' && ret->state != 'D'))
        return true;

    /* The other clock is read after it, so that neither can make it older than it is. */
    snprintf(name, sizeof(name), "%.15s/sched", tid);
    int64_t ran_ns = read_exec_start(looker->tasks, name, &ret->switches);
    if (ret->switches == 0) {
        snprintf(name, sizeof(name), "%.15s/status", tid);
        ret->switches = read_voluntary(looker->tasks, name);
    }
    int64_t now_ns = ran_ns > 0 ? cpu_clocks_now_ns(looker->clocks, stat.cpu) : -1;
    if (now_ns > 0) {
        int64_t age_ns = now_ns > ran_ns ? now_ns - ran_ns : 0;
        int64_t life_ns = looker->boot_ns > stat.started_ns ? looker->boot_ns - stat.started_ns : 0;
        ret->parked_ns = age_ns < life_ns ? age_ns : life_ns;
    }
    return true;
}

bool process_read_threads(pid_t pid, struct image_thread **ret, size_t *ret_count, bool *ret_denied)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    struct process_status status;
    struct looker looker = {
        .tasks = dirfd(folder),
        .pid = pid,
        .nested = process_read_status(pid, &status) && status.nested,
        .boot_ns = (int64_t)clock_ns(CLOCK_BOOTTIME),
        .clocks = cpu_clocks_create(),
    };
    struct image_thread *threads = NULL;
    size_t count = 0;
    bool ok = looker.clocks != NULL;
    struct dirent *entry;
    while (ok && count < MAX_THREADS && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        ok = rows_grow(&threads, count, sizeof(*threads));
        if (ok && read_thread(&looker, entry->d_name, &threads[count]))
            count++;
    }
    cpu_clocks_destroy(looker.clocks);
    closedir(folder);
    *ret_denied = looker.denied;
    if (ok && count > 0) {
        *ret = threads;
        *ret_count = count;
        return true;
    }
    free(threads);
    errno = ok ? ESRCH : ENOMEM;
    return false;
}

bool process_read_call(pid_t pid, pid_t tid, struct image_thread *ret)
{
    char path[64], name[16];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    snprintf(name, sizeof(name), "%d", (int)tid);
    struct looker looker = {.tasks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    bool ok = looker.tasks >= 0 && read_thread(&looker, name, ret);
    if (looker.tasks >= 0)
        close(looker.tasks);
    return ok;
}

bool process_look_again(pid_t pid, struct image_thread *thread)
{
    char name[64], text[512];
    snprintf(name, sizeof(name), "/proc/%d/task/%u/syscall", (int)pid, thread->host_tid);
    bool told = read_text(AT_FDCWD, name, text, sizeof(text)) != NULL;
    if (!told && (errno == ENOENT || errno == ESRCH))
        return false;
    thread->parked = false;
    thread->switches = 0;
    thread->registers.known = 0;
    thread->state = 'S'; /* of one that runs, the file says so */
    if (told)
        parse_syscall(text, thread);
    if (!thread->parked)
        return true;
    snprintf(name, sizeof(name), "/proc/%d/task/%u/sched", (int)pid, thread->host_tid);
    read_exec_start(AT_FDCWD, name, &thread->switches);
    if (thread->switches == 0) {
        snprintf(name, sizeof(name), "/proc/%d/task/%u/status", (int)pid, thread->host_tid);
        thread->switches = read_voluntary(AT_FDCWD, name);
    }
    return true;
}
