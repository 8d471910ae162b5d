/* The recording of a process that runs, wherever it lies. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/process/process.h"
#include "analyzer/recording/file.h"
#include "analyzer/recording/recordings.h"

#define EXIT_NS UINT64_C(1000000000) /* more than a process takes to end, where nothing blocks */

/* Whether the process said so long ago that it exits that libc hangs in its last work, if it lives.
 */
static bool should_be_gone(const struct rec_header *header)
{
    return header->state == REC_STATE_EXITED &&
           clock_ns(CLOCK_MONOTONIC) > header->ended_ns + EXIT_NS;
}

/* Which recording is looked for. */
struct wanted {
    pid_t pid;
    uint64_t start_ticks; /* 0: any */
    uint64_t started_ns;  /* of the recording; 0: any */
    pid_t mapper;         /* a thread that lives, whose files are looked at; 0: they are named as we
                             know them */
    bool exit_may_hang;   /* it may be of a process that should be gone */
    char *path;
};

static bool is_recording_at(const char *path, struct wanted *wanted)
{
    struct rec_file file;
    if (!rec_file_open_found(&file, path))
        return false;
    if (file.header.pid == (uint32_t)wanted->pid &&
        (!wanted->start_ticks || file.header.process_start_ticks == wanted->start_ticks) &&
        (!wanted->started_ns || file.header.started_ns == wanted->started_ns) &&
        (wanted->exit_may_hang || !should_be_gone(&file.header)))
        wanted->path = strdup(path);
    rec_file_close(&file);
    return wanted->path != NULL;
}

static bool is_recording_of(const char *path, void *arg)
{
    struct wanted *wanted = arg;
    char *there;
    if (is_recording_at(path, wanted))
        return true;
    /* In a container, the file is where that has it. */
    if (!wanted->mapper || asprintf(&there, "/proc/%d/root%s", (int)wanted->mapper, path) < 0)
        return false;
    bool found = is_recording_at(there, wanted);
    free(there);
    return found;
}

/* The same, and any file that is not there: it has been deleted, or is out of our sight. But none
 * that never was: memory that has the form of a file. */
static bool may_be_recording_of(const char *path, void *arg)
{
    static const char *const memory[] = {"/dev/zero", "/memfd:", "/SYSV", "/anon_hugepage"};
    const struct wanted *wanted = arg;
    char there[PATH_MAX];
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
        if (strncmp(path, memory[i], strlen(memory[i])) == 0)
            return false;
    snprintf(there, sizeof(there), "/proc/%d/root%s", (int)wanted->mapper, path);
    return (access(path, F_OK) != 0 && access(there, F_OK) != 0) || is_recording_of(path, arg);
}

/* The recording of this header, in what a process, which has the number `here`, has mapped. */
static struct wanted wanted_of(pid_t here, const struct rec_header *header)
{
    return (struct wanted){.pid = (pid_t)header->pid,
                           .start_ticks = header->process_start_ticks,
                           .started_ns = header->started_ns,
                           .mapper = process_live_thread(here),
                           .exit_may_hang = true};
}

bool recordings_is_written_by(pid_t here, const struct rec_header *header)
{
    /* What is recorded from outside, the process itself has not mapped. */
    if (!(header->runtimes & REC_RUNTIME_PTHREAD))
        return true;
    struct wanted wanted = wanted_of(here, header);
    bool denied = false;
    bool written = process_shared_files(here, may_be_recording_of, &wanted, &denied);
    free(wanted.path);
    /* NULL: nothing of it may be seen, or its memory was about to go. */
    char *exe = written || denied ? NULL : process_exe(wanted.mapper);
    free(exe);
    return exe == NULL;
}

bool recordings_exit_hangs(const struct rec_header *header)
{
    if (!should_be_gone(header) || header->process_start_ticks == 0)
        return false;
    pid_t here = process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id);
    if (here == 0)
        return false;
    /* Until its memory goes, which may take a while, too, but is its end. */
    struct wanted wanted = wanted_of(here, header);
    bool denied;
    bool mapped = process_shared_files(here, is_recording_of, &wanted, &denied);
    free(wanted.path);
    return mapped;
}

/* The recording that a process of another PID namespace has mapped: it knows itself by another
 * number. */
static char *find_nested(pid_t pid, uint64_t start_ticks)
{
    struct process_status status;
    bool denied;
    if (start_ticks == 0 || !process_read_status(pid, &status) || !status.nested)
        return NULL;
    struct wanted wanted = {
        .pid = status.own_id, .start_ticks = start_ticks, .mapper = process_live_thread(pid)};
    process_shared_files(pid, is_recording_of, &wanted, &denied);
    return wanted.path;
}

/* Whether the process of the recording, which lives, is another program by now, or hangs where
 * nothing is recorded. */
static bool was_left(pid_t here, const struct rec_header *header)
{
    return header->state == REC_STATE_EXEC ||
           (header->state == REC_STATE_RUNNING && !recordings_is_written_by(here, header)) ||
           recordings_exit_hangs(header);
}

/* The newest recording of `pid` in a user's folder that the process with these start ticks made,
 * and did not leave behind (was_left); 0: of any process that had the pid. */
static char *find_in_folder(uid_t uid, pid_t pid, uint64_t start_ticks)
{
    char folder[64];
    struct recording_list list;
    char *found = NULL;
    if (!recordings_list_of(recordings_folder(uid, folder), uid, pid, &list, NULL))
        return NULL;
    for (size_t i = 0; !found && i < list.count; i++) {
        struct rec_file file;
        if (list.rows[i].pid != (uint32_t)pid || !rec_file_open_found(&file, list.rows[i].path))
            continue;
        if (start_ticks == 0 ||
            (file.header.process_start_ticks == start_ticks && !was_left(pid, &file.header)))
            found = strdup(list.rows[i].path);
        rec_file_close(&file);
    }
    recordings_list_deinit(&list);
    return found;
}

/* The recording that the process's parent makes of it (`leakspy run` of what loads no library). */
static char *find_from_outside(pid_t pid, uint64_t start_ticks)
{
    struct process_status status;
    struct wanted wanted = {.pid = pid, .start_ticks = start_ticks};
    bool denied;
    if (process_read_status(pid, &status) && status.parent > 0)
        process_shared_files(status.parent, is_recording_of, &wanted, &denied);
    return wanted.path;
}

char *recordings_of_pid(pid_t pid, struct err *err)
{
    char what[32];
    snprintf(what, sizeof(what), "process %d", (int)pid);

    uint64_t start_ticks;
    uid_t owner;
    if (process_look(pid, &start_ticks) == PROCESS_GONE || !process_owner(pid, &owner)) {
        char *path = find_in_folder(getuid(), pid, 0);
        if (!path)
            err_set(err, ERR_NO_SUCH_PROCESS, what,
                    "no such process, and no recording of one that had this number");
        return path;
    }

    struct wanted wanted = {.pid = pid};
    bool denied;
    process_shared_files(pid, is_recording_of, &wanted, &denied);
    if (!wanted.path)
        wanted.path = find_nested(pid, start_ticks);
    if (!wanted.path)
        wanted.path = find_in_folder(owner, pid, start_ticks);
    if (!wanted.path)
        wanted.path = find_from_outside(pid, start_ticks);
    if (wanted.path)
        return wanted.path;
    if (denied)
        err_set(err, ERR_NOT_PERMITTED, what, "not permitted: what it has mapped may not be read");
    else
        err_set(err, ERR_NOT_RECORDED, what,
                "was not recorded: start it with 'leakspy run', or with libleakspy.so in "
                "LD_PRELOAD");
    return NULL;
}
