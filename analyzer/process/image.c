#include "analyzer/process/image.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/image/modules.h"
#include "analyzer/process/fd.h"
#include "analyzer/process/maps.h"
#include "analyzer/process/memory.h"
#include "analyzer/process/process.h"
#include "analyzer/process/stop.h"
#include "analyzer/process/threads.h"

#define MAX_TRIES 3 /* to find a thread that lives: each may end at once */

struct own {
    pid_t task; /* whose folder of /proc tells of memory and files; see process_open_memory */
    struct process_memory memory;
    struct process_fds fds;
    struct process_stops stops;
    uint64_t start_ticks; /* of the process */
    uint64_t random;      /* where the kernel put 16 random bytes: differs with every exec */
};

static bool fail(const struct image *image, int error, struct err *err)
{
    char what[32];
    snprintf(what, sizeof(what), "process %d", (int)image->pid);
    if (error == ENOENT || error == ESRCH)
        return err_set(err, ERR_PROCESS_ENDED, what, "it has ended just now");
    return err_system(err, what, error);
}

static bool take_threads(struct image *image, struct err *err)
{
    struct image_thread *threads;
    size_t count;
    bool denied;
    if (!process_read_threads(image->pid, &threads, &count, &denied))
        return fail(image, errno, err);
    free(image->threads);
    image->threads = threads;
    image->thread_count = count;
    if (denied)
        image_note(image, "the system calls of some threads may not be read");
    image->taken_unix_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    image->taken_monotonic_ns = process_monotonic_ns(image->pid);
    return true;
}

/* The thread that told of memory and files may have ended, while others of the process go on: has
 * one of those tell. False: the process has ended. */
static bool find_task(struct image *image)
{
    struct own *own = image->own;
    uint64_t ticks;
    pid_t task = process_live_thread(image->pid);
    if (task != own->task) {
        own->task = own->memory.pid = own->fds.pid = task;
        own->memory.by_file = false; /* of this thread, it may not be needed */
    }
    return process_look(image->pid, &ticks) == PROCESS_ALIVE && ticks == own->start_ticks;
}

static bool refresh(struct image *image, struct err *err)
{
    if (!find_task(image))
        return fail(image, ESRCH, err);
    return take_threads(image, err);
}

static bool look(struct image *image, struct image_thread *thread)
{
    return process_look_again(image->pid, thread);
}

static bool check(struct image *image, struct err *err)
{
    const struct own *own = image->own;
    char what[32];
    uint64_t random = 0;
    bool alive = true;
    snprintf(what, sizeof(what), "process %d", (int)image->pid);
    /* It loses its memory before it is gone, and then there is no such vector; nor is there for a
     * thread that has ended since it was found. */
    for (int tries = 0; alive && !random && tries < MAX_TRIES; tries++) {
        alive = find_task(image);
        random = process_auxv(own->task, AT_RANDOM);
    }
    if (random && random != own->random)
        return err_set(err, ERR_IO, what, "it executed another program while it was looked at");
    if (!random || !alive || own->memory.gone)
        return err_set(err, ERR_PROCESS_ENDED, what, "it ended while it was looked at");
    return true;
}

static bool stop_thread(struct image *image, struct image_thread *thread, struct image_stop *ret)
{
    struct own *own = image->own;
    bool stopped = process_stop_thread(&own->stops, image, thread, ret);
    image->pauses += ret->pause_ns > 0;
    if (ret->pause_ns > image->longest_pause_ns)
        image->longest_pause_ns = ret->pause_ns;
    return stopped;
}

static bool describe_fd(struct image *image, uint32_t tid, int fd, char *to, size_t bytes,
                        bool *ret_listening)
{
    struct own *own = image->own;
    return process_describe_fd(&own->fds, (pid_t)tid, fd, to, bytes, ret_listening);
}

static bool fd_times_out(struct image *image, uint32_t tid, int fd, int timeout)
{
    const struct own *own = image->own;
    return process_fd_times_out(image->pid, tid ? (pid_t)tid : own->task, fd, timeout);
}

static bool fd_is_connected(struct image *image, uint32_t tid, int fd)
{
    const struct own *own = image->own;
    return process_fd_is_connected(image->pid, tid ? (pid_t)tid : own->task, fd);
}

static pid_t pidfd_process(struct image *image, uint32_t tid, int fd)
{
    const struct own *own = image->own;
    return process_of_pidfd(&own->fds, (pid_t)tid, fd);
}

static void close_process(struct image *image)
{
    struct own *own = image->own;
    process_fds_deinit(&own->fds);
    if (own->memory.fd >= 0)
        close(own->memory.fd);
    free(own);
}

static const struct image_functions process_functions = {
    .stop_thread = stop_thread,
    .describe_fd = describe_fd,
    .fd_times_out = fd_times_out,
    .fd_is_connected = fd_is_connected,
    .process_of_pidfd = pidfd_process,
    .refresh = refresh,
    .look = look,
    .check = check,
    .close = close_process,
};

static bool take_all(struct image *image, struct err *err)
{
    struct own *own = image->own;
    image->exe = process_exe(own->task);
    if (!image->exe)
        image->exe = strdup("");
    image->cmdline = process_cmdline(own->task);
    image->started_unix_ns = process_started_unix_ns(image->pid);
    process_look(image->pid, &own->start_ticks);
    own->random = process_auxv(own->task, AT_RANDOM);
    if (!image->exe || !image->cmdline)
        return fail(image, ENOMEM, err);
    errno = ENOMEM;
    if (!process_read_maps(image, own->task))
        return fail(image, errno, err);
    if (!image_find_modules(image, process_auxv(own->task, AT_PHDR)) ||
        !process_find_files(image, own->task))
        return fail(image, ENOMEM, err);
    return take_threads(image, err);
}

/* The reason why it hangs, more often than any wait. */
static void note_stopped(struct image *image)
{
    struct process_status status;
    if (!process_read_status(((struct own *)image->own)->task, &status))
        return;
    if (status.state == 'T')
        image_note(image, "the process is stopped by a signal (SIGSTOP, SIGTSTP …): nothing in it "
                          "runs until SIGCONT");
    else if (status.state == 't')
        image_note(image, "the process is stopped by the one who traces it, process %d",
                   (int)status.tracer);
}

bool image_open_process(struct image *ret, pid_t pid, struct err *err)
{
    struct process_status status;
    pid_t task;
    int memory;
    memset(ret, 0, sizeof(*ret));
    if (process_read_status(pid, &status))
        pid = status.process;
    if (!process_open_memory(pid, &task, &memory, err))
        return false;

    struct own *own = calloc(1, sizeof(*own));
    if (!own) {
        close(memory);
        return err_system(err, "process", ENOMEM);
    }
    own->task = task;
    process_memory_init(&own->memory, task, memory);
    process_fds_init(&own->fds, task);
    process_stops_init(&own->stops, pid);
    *ret = (struct image){
        .pid = pid,
        .live = true,
        .memory = &own->memory.reader,
        .own = own,
        .functions = &process_functions,
    };
    if (take_all(ret, err)) {
        note_stopped(ret);
        return true;
    }
    image_close(ret);
    return false;
}
