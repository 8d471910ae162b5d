#include "preload/adapter_go.h"

#include <string.h>

#include "preload/clock.h"
#include "preload/go_names.h"
#include "preload/go_program.h"
#include "preload/go_record.h"
#include "preload/memory.h"
#include "preload/names.h"
#include "preload/process_reader.h"
#include "preload/recorder.h"
#include "preload/sys.h"

#define AT_ONCE 64            /* goroutines that are read with one system call */
#define MAX_PAUSE_NS NS_PER_S /* between two attempts to find a runtime that is starting */
#define TLS_WORDS 64          /* of a thread's storage that may hold its g */

static enum { NOT_GO, SEARCHING, FOUND, LOST } state;
static struct go_program program;
static struct process_reader memory;
static void (*read_memory)(struct mem_reader *reader, struct mem_piece *pieces, size_t count);
static bool (*search_on)(void); /* during a search: whether to go on */
static struct goscan scan;
static void *scratch;
static uint64_t next_ns, pause_ns; /* of the search */

static void name(struct frames_new *frames, uint32_t count)
{
    if (state == FOUND)
        go_names_fill(&scan.functions, frames, count);
}

bool adapter_go_init(void)
{
    if (!go_program_find(&program))
        return false;
    state = SEARCHING;
    names_runtime = name;
    return true;
}

/* A search asks for memory all the time, and ends when it gets none. */
static void read_while_wanted(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    if (search_on == NULL || search_on()) {
        read_memory(reader, pieces, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = false;
}

void adapter_go_reset(void)
{
    if (state == NOT_GO)
        return;
    next_ns = pause_ns = 0;
    state = go_record_reset() ? SEARCHING : LOST;
    process_reader_init(&memory, sys_call(SYS_getpid, 0));
    read_memory = memory.reader.read;
    memory.reader.read = read_while_wanted;
    __atomic_fetch_or(&recorder.header->runtimes, REC_RUNTIME_GO_PROGRAM, __ATOMIC_RELAXED);
}

/* Its goroutines are not recorded, and the report says why. */
static void give_up(enum go_result result)
{
    static const char *const why[] = {
        [GO_NOT_GO] = "its goroutines cannot be recorded: it has no table of functions",
        [GO_TOO_OLD] = "its goroutines cannot be recorded: Go before 1.18",
        [GO_UNKNOWN_VERSION] =
            "its goroutines cannot be recorded: a version of Go that is not known",
        [GO_UNREADABLE] = "its goroutines cannot be recorded: its memory cannot be read",
    };
    recorder_say(why[result], scan.version, 0);
    if (scan.version[0] != '\0')
        recorder.header->go_version = recorder_add_string(scan.version, strlen(scan.version));
    state = LOST;
}

/* An attempt may be costly: the time between two grows. */
static void search_later(void)
{
    state = SEARCHING;
    pause_ns = pause_ns == 0 ? NS_PER_S / 100 : 2 * pause_ns;
    if (pause_ns > MAX_PAUSE_NS)
        pause_ns = MAX_PAUSE_NS;
    next_ns = clock_now_ns() + pause_ns;
}

/* The runtime makes its lists when it starts, which may not have happened yet. */
static void search(bool (*go_on)(void))
{
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    uint64_t now_ns = clock_now_ns();
    if (now_ns < next_ns)
        return;
    if (scratch == NULL)
        scratch = memory_reserve(bytes);
    if (scratch == NULL) {
        state = LOST;
        return;
    }
    search_on = go_on;
    enum go_result result = goscan_open(&scan, &memory.reader, program.ranges, program.range_count,
                                        &program.hints, scratch, bytes);
    search_on = NULL;
    if (result == GO_OK) {
        go_record_start(&scan);
        state = FOUND;
        return;
    }
    if (!go_on())
        return; /* it was broken off: the next one begins anew */
    if (result != GO_NOT_FOUND) {
        give_up(result);
        return;
    }
    search_later();
}

bool adapter_go_is_program(void)
{
    return state != NOT_GO;
}

bool adapter_go_is_there(void)
{
    return state == SEARCHING || state == FOUND;
}

void adapter_go_scan(bool (*go_on)(void))
{
    if (state == SEARCHING)
        search(go_on);
    if (state == FOUND && go_record_scan(&scan, go_on) == GO_NOT_FOUND)
        search_later();
}

/* A worker keeps the address of its g in thread-local storage of the executable; from there it
 * leads to its m, which holds the kernel's id of the very thread. The handle of a thread is its
 * thread pointer, under which that storage lies. */
void adapter_go_look_at_thread(struct rec_task *task)
{
    uint64_t words[TLS_WORDS];
    size_t count = program.tls_bytes / sizeof(words[0]);
    if (state != FOUND || task->os_tid == 0 || task->handle == 0)
        return;
    if (count > TLS_WORDS)
        count = TLS_WORDS;
    if (count == 0 || !mem_read(&memory.reader, task->handle - count * sizeof(words[0]), words,
                                count * sizeof(words[0])))
        return;
    for (size_t i = count; i-- > 0;) {
        uint64_t m, tid;
        if (words[i] == 0 || words[i] % 8 != 0 ||
            !mem_read(&memory.reader, words[i] + scan.layout.g_m, &m, sizeof(m)) || m == 0 ||
            !mem_read(&memory.reader, m + scan.layout.m_thread_id, &tid, sizeof(tid)) ||
            tid != task->os_tid)
            continue;
        __atomic_fetch_or(&task->flags, REC_TASK_WORKER, __ATOMIC_RELAXED);
        return;
    }
}
