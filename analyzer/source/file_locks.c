#include "analyzer/source/file_locks.h"

#include <stdlib.h>

#include "analyzer/process/locks.h"
#include "analyzer/process/threads.h"

#define MAX_ASKED 100 /* waits: each takes a look at the list of all locks */

/* The thread on which a task waits for a lock; NULL: it does not. */
static const struct image_thread *find_thread(const struct snapshot *snapshot,
                                              const struct snapshot_task *task,
                                              const struct image_thread *threads, size_t count)
{
    uint32_t tid = snapshot_extra(snapshot, task)->os_tid;
    int fd;
    for (size_t i = 0; tid && i < count; i++)
        if (threads[i].tid == tid)
            return process_waits_for_lock(&threads[i], &fd) && (uint64_t)(int64_t)fd == task->object
                       ? &threads[i]
                       : NULL;
    return NULL;
}

/* Whether it has been in its call since it was read: it has not run. */
static bool waits_still(pid_t pid, const struct image_thread *thread)
{
    struct image_thread now = *thread;
    return process_look_again(pid, &now) && image_thread_is_parked_alike(thread, &now) &&
           now.switches == thread->switches;
}

static bool is_wait(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_PARKED) &&
           snapshot->calls[task->call].number == REC_OP_FILE_LOCK;
}

void file_locks_find(struct snapshot *snapshot)
{
    struct image_thread *threads = NULL;
    size_t count = 0, asked = 0;
    bool denied;
    struct process_lock_search search = {0};
    if (!snapshot_is_live(snapshot))
        return;
    for (size_t i = 0; i < snapshot->task_count && asked < MAX_ASKED; i++) {
        if (!is_wait(snapshot, &snapshot->tasks[i]))
            continue;
        if (!threads && !process_read_threads((pid_t)snapshot->pid, &threads, &count, &denied))
            return;
        const struct image_thread *thread =
            find_thread(snapshot, &snapshot->tasks[i], threads, count);
        asked++;
        const char *text =
            thread ? process_lock_holder(&search, (pid_t)snapshot->pid, thread) : NULL;
        if (text && waits_still((pid_t)snapshot->pid, thread) &&
            !snapshot_add_holder(snapshot, i, text))
            break;
    }
    free(threads);
}
