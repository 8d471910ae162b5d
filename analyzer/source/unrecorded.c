#include "analyzer/source/unrecorded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzer/base/text.h"
#include "analyzer/process/threads.h"
#include "preload/goscan/system_calls.h"

#define NAMED_MOST 3
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
        malloc((snapshot->task_count + snapshot->carrier_count + 1) * sizeof(*told->tids)), 0};
    if (!told->tids)
        return false;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind == REC_KIND_THREAD && task->flags & SNAPSHOT_PARKED)
            told->tids[told->count++] = snapshot_extra(snapshot, task)->os_tid;
    }
    for (size_t i = 0; i < snapshot->carrier_count; i++)
        told->tids[told->count++] = snapshot->carriers[i];
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

/* Whether it is asleep in a call that the recording would tell of, had a wrapper seen it. In
 * others, a thread is for moments, until a time, or as the library's own. */
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

/* Moves those to the front that sleep, and of which the recording does not tell. How many. */
static size_t keep_untold(struct image_thread *threads, size_t count, const struct told *told,
                          int64_t threshold_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_long = threads[i].parked_ns < 0 || threads[i].parked_ns >= threshold_ns;
        if (is_long && is_asleep(&threads[i]) && !is_told(told, threads[i].tid))
            threads[kept++] = threads[i];
    }
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

/* "4711 in read for 12s or longer, 4712 in wait4, 2 more". */
static void list(const struct image_thread *threads, size_t count, char *to, size_t room)
{
    char age[32];
    size_t bytes = 0;
    for (size_t i = 0; i < count && i < NAMED_MOST && bytes < room; i++) {
        bool known = threads[i].parked_ns >= 0;
        bytes += (size_t)snprintf(
            to + bytes, room - bytes, "%s%" PRIu32 " in %s%s%s%s", i ? ", " : "", threads[i].tid,
            call_of(&threads[i]).name, known ? " for " : "",
            known ? text_duration(threads[i].parked_ns, age) : "", known ? " or longer" : "");
    }
    if (count > NAMED_MOST && bytes < room)
        snprintf(to + bytes, room - bytes, ", %zu more", count - NAMED_MOST);
}

static bool is_of_threads(const struct snapshot *snapshot)
{
    const unsigned go = REC_RUNTIME_GO | REC_RUNTIME_GO_PROGRAM; /* whose goroutines are told */
    return snapshot->source == SNAPSHOT_RECORDING && snapshot->end == SNAPSHOT_RUNNING &&
           snapshot->runtimes & REC_RUNTIME_PTHREAD && !(snapshot->runtimes & go);
}

void unrecorded_note(struct snapshot *snapshot, int64_t threshold_ns)
{
    struct told told;
    struct image_thread *threads = NULL;
    size_t count = 0;
    bool denied;
    pid_t pid = (pid_t)snapshot->pid;
    if (!is_of_threads(snapshot) || !told_init(&told, snapshot))
        return;
    if (process_read_threads(pid, &threads, &count, &denied)) {
        count = keep_untold(threads, count, &told, threshold_ns);
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
