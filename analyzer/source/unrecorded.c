#include "analyzer/source/unrecorded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/process/process.h"
#include "analyzer/process/threads.h"
#include "analyzer/recording/file.h"
#include "preload/goscan/system_calls.h"

#define MAX_NAMED 3
#define PAUSE_NS 20000000

/* The kernel's ids of the threads that the recording tells of: sorted. */
struct told {
    uint32_t *tids;
    size_t count;
};

static int compare_ids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static bool told_init(struct told *told, const struct snapshot *snapshot)
{
    *told = (struct told){
        malloc((snapshot->task_count + snapshot->worker_count + 1) * sizeof(*told->tids)), 0};
    if (!told->tids)
        return false;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind == REC_KIND_THREAD && task->flags & SNAPSHOT_PARKED)
            told->tids[told->count++] = snapshot_extra(snapshot, task)->os_tid;
    }
    for (size_t i = 0; i < snapshot->worker_count; i++)
        told->tids[told->count++] = snapshot->workers[i];
    qsort(told->tids, told->count, sizeof(*told->tids), compare_ids);
    return true;
}

static bool is_told(const struct told *told, uint32_t tid)
{
    return bsearch(&tid, told->tids, told->count, sizeof(tid), compare_ids) != NULL;
}

static void read_nothing(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = false;
}

static struct thread_call call_of(const struct image_thread *thread)
{
    struct mem_reader none = {read_nothing};
    struct thread_call call;
    thread_call_read(thread->call, thread->args, &none, &call);
    return call;
}

/* Whether it is asleep in a call that the recording would tell of, were this thread one of those
 * that it is of. Other calls are short, end at a deadline, or are where the library's own thread
 * sleeps. */
static bool is_asleep(const struct image_thread *thread)
{
    if (!thread->parked || thread->ended || thread->switches == 0)
        return false;
    switch (call_of(thread).op) {
    case REC_OP_IO_WAIT:
    case REC_OP_FILE_OPEN:
    case REC_OP_FILE_LOCK:
    case REC_OP_MESSAGE_WAIT:
    case REC_OP_SEMOP_WAIT:
    case REC_OP_PROCESS_WAIT:
        return true;
    default:
        return false;
    }
}

static bool sleeps_still(pid_t pid, const struct image_thread *thread)
{
    struct image_thread now = *thread;
    return process_look_again(pid, &now) && now.parked && now.call == thread->call &&
           now.switches == thread->switches;
}

/* Moves those to the front that have slept for so long, and of which the recording does not tell.
 * How many. */
static size_t keep_untold(struct image_thread *threads, size_t count, const struct told *told,
                          int64_t least_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (threads[i].parked_ns >= least_ns && is_asleep(&threads[i]) &&
            !is_told(told, threads[i].tid))
            threads[kept++] = threads[i];
    return kept;
}

static size_t keep_sleeping(pid_t pid, struct image_thread *threads, size_t count)
{
    size_t kept = 0;
    if (count > 0)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    for (size_t i = 0; i < count; i++)
        if (sleeps_still(pid, &threads[i]))
            threads[kept++] = threads[i];
    return kept;
}

/* "4711 in read for 12s or longer, 4712 in wait4 for 20s or longer, 2 more". */
static void list(const struct image_thread *threads, size_t count, char *to, size_t room)
{
    char age[32];
    size_t bytes = 0;
    for (size_t i = 0; i < count && i < MAX_NAMED && bytes < room; i++) {
        bytes += (size_t)snprintf(to + bytes, room - bytes, "%s%" PRIu32 " in %s for %s or longer",
                                  i ? ", " : "", threads[i].tid, call_of(&threads[i]).name,
                                  text_duration(threads[i].parked_ns, age));
    }
    if (count > MAX_NAMED && bytes < room)
        snprintf(to + bytes, room - bytes, ", %zu more", count - MAX_NAMED);
}

/* The number of the process whose threads the snapshot tells of; 0: it has ended, or there are
 * threads of which nothing was recorded at all. */
static pid_t process_of(const struct snapshot *snapshot)
{
    struct rec_file file;
    if (snapshot->source != SNAPSHOT_RECORDING || snapshot->end != SNAPSHOT_RUNNING ||
        !(snapshot->runtimes & REC_RUNTIME_PTHREAD) ||
        snapshot->runtimes & REC_RUNTIME_GO_PROGRAM || snapshot->loss.tasks != 0 ||
        snapshot->loss.unreadable != 0 || !rec_file_open(&file, snapshot->path, NULL))
        return 0;
    const struct rec_header *header = &file.header;
    pid_t pid = process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id);
    rec_file_close(&file);
    return pid == (pid_t)snapshot->pid ? pid : 0;
}

void unrecorded_note(struct snapshot *snapshot, uint64_t since_ns, int64_t threshold_ns)
{
    struct told told;
    struct image_thread *threads = NULL;
    size_t count = 0;
    bool denied;
    pid_t pid = process_of(snapshot);
    if (pid == 0 || !told_init(&told, snapshot))
        return;
    if (process_read_threads(pid, &threads, &count, &denied)) {
        /* One that has gone to sleep since the recording was read may be in a call that is. */
        int64_t read_ns = (int64_t)(clock_ns(CLOCK_MONOTONIC) - since_ns);
        count = keep_untold(threads, count, &told, read_ns > threshold_ns ? read_ns : threshold_ns);
        count = keep_sleeping(pid, threads, count);
    }
    if (threads && count > 0) {
        char text[256];
        list(threads, count, text, sizeof(text));
        (void)snapshot_note(snapshot,
                            "%zu thread%s not told, asleep in %s not recorded (%s): 'leakspy "
                            "report --no-recording %d' tells of %s",
                            count, count == 1 ? " is" : "s are",
                            count == 1 ? "a call that is" : "calls that are", text, (int)pid,
                            count == 1 ? "it" : "them");
    }
    free(threads);
    free(told.tids);
}
