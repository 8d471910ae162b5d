#include "preload/adapter_go.h"

#include <string.h>

#include "preload/clock.h"
#include "preload/go_module.h"
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
#define TLS_PIECE 512         /* bytes of a thread's storage that are read at once */
#define MAX_TLS 8192          /* bytes of it, below the thread pointer, that may hold its g */

static enum { NOT_GO, SEARCHING, FOUND, LOST } state;
static bool is_program; /* else it is a library's, if there is one */
static struct go_program program;
static struct process_reader memory;
static void (*read_memory)(struct mem_reader *reader, struct mem_piece *pieces, size_t count);
static bool (*search_on)(void); /* during a search: whether to go on */
static struct goscan scan;
static void *scratch;
static uint64_t next_ns, pause_ns; /* of the search */
static uint64_t g_below; /* the thread pointer, where workers have their g; 0: not known yet */

static void name(struct frames_new *frames, uint32_t count)
{
    if (state == FOUND)
        go_names_fill(&scan.functions, frames, count);
}

bool adapter_go_init(void)
{
    is_program = go_program_find(&program);
    names_runtime = name;
    return is_program;
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

static void begin_search(void)
{
    next_ns = pause_ns = 0;
    g_below = 0;
    state = go_record_reset() ? SEARCHING : LOST;
    process_reader_init(&memory, sys_call(SYS_getpid, 0));
    read_memory = memory.reader.read;
    memory.reader.read = read_while_wanted;
}

void adapter_go_reset(void)
{
    go_module_reset();
    state = NOT_GO;
    if (!is_program)
        return;
    begin_search();
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
    return is_program;
}

bool adapter_go_is_there(void)
{
    if (state == NOT_GO && !is_program && go_module_first(&program))
        begin_search();
    return state == SEARCHING || state == FOUND;
}

void adapter_go_scan(bool (*go_on)(void))
{
    /* By its own number: the process's leads to no memory once the first thread has ended. */
    memory.pid = sys_call(SYS_gettid, 0);
    if (state == SEARCHING)
        search(go_on);
    if (state == FOUND && go_record_scan(&scan, go_on) == GO_NOT_FOUND)
        search_later();
}

/* --- threads --------------------------------------------------------------------------------- */

/* A g leads to its m, which holds the kernel's id of the very thread. */
static bool is_g_of(uint64_t g, uint32_t os_tid)
{
    uint64_t m, tid;
    return g != 0 && g % 8 == 0 && memory_read(g + scan.layout.g_m, &m, sizeof(m)) && m != 0 &&
           memory_read(m + scan.layout.m_thread_id, &tid, sizeof(tid)) && tid == os_tid;
}

/* How far below its thread pointer a worker has its g; 0: it is none, as one that waits in a call
 * of libc's, of which there may be many. */
static uint64_t find_g(const struct rec_task *task)
{
    uint64_t words[TLS_PIECE / sizeof(uint64_t)];
    bool may_be_less = is_program && program.tls_bytes < MAX_TLS;
    uint64_t bytes = may_be_less ? program.tls_bytes : MAX_TLS;
    if (SHARED_GET(task->gen) != 0)
        return 0;
    for (uint64_t below = 0; below < bytes; below += sizeof(words)) {
        uint64_t piece = bytes - below < sizeof(words) ? bytes - below : sizeof(words);
        if (!memory_read(task->handle - below - piece, words, piece))
            return 0;
        for (size_t i = piece / sizeof(words[0]); i-- > 0;)
            if (is_g_of(words[i], task->os_tid))
                return below + piece - i * sizeof(words[0]);
    }
    return 0;
}

/* A worker keeps the address of its g in thread-local storage, at the same distance from every
 * thread's pointer, which is the handle of the thread. */
void adapter_go_look_at_thread(struct rec_task *task)
{
    uint64_t g;
    if (state != FOUND || task->os_tid == 0 || task->handle == 0)
        return;
    if (g_below == 0)
        g_below = find_g(task);
    if (g_below == 0 || !memory_read(task->handle - g_below, &g, sizeof(g)) ||
        !is_g_of(g, task->os_tid))
        return;
    __atomic_fetch_or(&task->flags, REC_TASK_WORKER, __ATOMIC_RELAXED);
}
