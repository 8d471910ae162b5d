#include "preload/recorder.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "preload/clock.h"
#include "preload/hooks.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/names.h"
#include "preload/place.h"
#include "preload/sampler.h"
#include "preload/sites.h"
#include "preload/sys.h"
#include "preload/tables.h"
#include "preload/text.h"
#include "preload/unwind.h"

struct recorder recorder;
struct recorder_options recorder_options;
bool recorder_quiet;
uint64_t recorder_lost_threads;
__thread struct recorder_thread recorder_thread __attribute__((tls_model("initial-exec")));

static struct {
    void *base;
    uint64_t bytes;
} mapping;
static bool child_pending; /* a fork child that has no recording of its own yet */
static uint32_t opening;   /* 1 while a thread of a fork child opens its recording */

void recorder_say(const char *what, const char *path, long error)
{
    char line[PLACE_ROOM + 128];
    struct text text = {.at = line, .room = sizeof(line)};
    if (!recorder_options.verbose)
        return;
    text_string(&text, "leakspy: ");
    text_string(&text, path);
    text_string(&text, ": ");
    text_string(&text, what);
    if (error != 0) {
        text_string(&text, ": error ");
        text_number(&text, (uint64_t)-error);
    }
    text_char(&text, '\n');
    sys_call(SYS_write, 2, line, (size_t)(text.at - line));
}

static void fill_header(struct rec_header *header, const struct rec_table *tables, uint64_t bytes,
                        uint64_t ticks)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    header->magic = REC_MAGIC;
    header->major = REC_MAJOR;
    header->minor = REC_MINOR;
    header->header_bytes = REC_HEADER_BYTES;
    header->byte_order = REC_BYTE_ORDER;
    header->file_bytes = bytes;
    header->table_count = REC_TABLE_COUNT;
    header->pid = (uint32_t)sys_call(SYS_getpid, 0);
    header->parent_pid = (uint32_t)sys_call(SYS_getppid, 0);
    header->uid = (uint32_t)sys_call(SYS_geteuid, 0);
    header->process_start_ticks = ticks;
    header->started_unix_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    header->started_ns = clock_now_ns();
    header->sample_period_ns = recorder_options.sample_period_ns;
    header->op_classes = recorder_options.classes;
    header->runtimes = REC_RUNTIME_PTHREAD;
    header->epoch = 1;
    place_boot_id(header->boot_id);
    memcpy(header->tables, tables, sizeof(header->tables));
}

static void fill_names(struct rec_header *header)
{
    char buffer[PLACE_ROOM];
    long bytes = sys_call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buffer, sizeof(buffer));
    if (bytes > 0)
        header->exe = recorder_add_string(buffer, (size_t)bytes);
    bytes = (long)place_read_file("/proc/self/cmdline", buffer, sizeof(buffer));
    header->cmdline = recorder_add_string(buffer, (size_t)bytes);
    header->cmdline_bytes = header->cmdline != 0 ? (uint32_t)bytes : 0;
}

bool recorder_open(bool fork_child)
{
    static char path[PLACE_ROOM];
    struct rec_table tables[REC_TABLE_COUNT];
    uint64_t bytes = 0;
    memory_init();
    uint64_t ticks = place_start_ticks((uint32_t)sys_call(SYS_getpid, 0));
    long fd = place_create(fork_child, ticks, path);
    if (fd < 0) {
        recorder_say("no recording: the file cannot be made", path, fd);
        return false;
    }
    struct rec_header *header = tables_map(fd, tables, &bytes);
    sys_call(SYS_close, fd);
    if (header == NULL) {
        recorder_say("no recording: no room for it", path, 0);
        sys_call(SYS_unlinkat, AT_FDCWD, path, 0);
        return false;
    }
    mapping.base = header;
    mapping.bytes = bytes;
    fill_header(header, tables, bytes, ticks);
    char *base = (char *)header;
    recorder = (struct recorder){
        .classes = recorder_options.classes,
        .header = header,
        .tasks = (void *)(base + tables[REC_TABLE_TASKS - 1].offset),
        .sites = (void *)(base + tables[REC_TABLE_SITES - 1].offset),
        .pcs = (void *)(base + tables[REC_TABLE_PCS - 1].offset),
        .frames = (void *)(base + tables[REC_TABLE_FRAMES - 1].offset),
        .strings = base + tables[REC_TABLE_STRINGS - 1].offset,
        .modules = (void *)(base + tables[REC_TABLE_MODULES - 1].offset),
        .calls = (void *)(base + tables[REC_TABLE_CALLS - 1].offset),
        .cases = (void *)(base + tables[REC_TABLE_CASES - 1].offset),
    };
    module_reset();
    site_reset();
    unwind_flush();
    names_reset();
    fill_names(header);
    hooks_add_calls();
    __atomic_store_n(&header->state, REC_STATE_RUNNING, __ATOMIC_RELEASE);
    recorder_say("recording", path, 0);
    return true;
}

void recorder_forget(void)
{
    /* A handler that forked inside a parked call will restore what it published before: nothing of
     * that may reach the parent's file. */
    if (mapping.base != NULL && !recorder_quiet)
        sys_call(SYS_mmap, mapping.base, mapping.bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    mapping.base = NULL;
    child_pending = recorder.header != NULL && recorder_options.children && !recorder_quiet;
    recorder = (struct recorder){.classes = child_pending ? recorder_options.classes : 0};
    recorder_thread.task = NULL;
    recorder_thread.spare = NULL;
    recorder_lost_threads = 0;
    opening = 0;
    sampler_forget();
}

void recorder_close(enum rec_state state, int exit_code)
{
    struct rec_header *header = recorder.header;
    uint32_t running = REC_STATE_RUNNING;
    if (header == NULL || header->state != REC_STATE_RUNNING)
        return;
    if (!recorder_quiet && (uint32_t)sys_call(SYS_getpid, 0) != header->pid)
        return; /* a vfork child shares our memory, and is not the one who ends */
    header->exit_code = exit_code;
    header->ended_ns = clock_now_ns();
    __atomic_compare_exchange_n(&header->state, &running, (uint32_t)state, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
}

static bool take_lost_thread(void)
{
    uint64_t lost = __atomic_load_n(&recorder_lost_threads, __ATOMIC_RELAXED);
    while (lost > 0 && !__atomic_compare_exchange_n(&recorder_lost_threads, &lost, lost - 1, false,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return lost > 0;
}

struct rec_task *recorder_adopt(void)
{
    struct recorder_thread *self = &recorder_thread;
    if (recorder_quiet)
        return &self->sink;
    if (recorder.header == NULL) {
        if (!child_pending || __atomic_exchange_n(&opening, 1, __ATOMIC_ACQUIRE) != 0)
            return &self->sink;
        child_pending = false;
        if (!recorder_open(true)) {
            recorder.classes = 0;
            return &self->sink;
        }
    }
    long tid = sys_call(SYS_gettid, 0);
    if ((uint32_t)sys_call(SYS_getpid, 0) != recorder.header->pid)
        return &self->sink; /* a vfork child on its parent's memory */
    char name[16] = "";
    sys_call(SYS_prctl, PR_GET_NAME, name);
    uint16_t flags =
        (uint32_t)tid == recorder.header->pid ? REC_TASK_MAIN | REC_TASK_ADOPTED : REC_TASK_ADOPTED;
    struct rec_task *task =
        recorder_spawn(REC_KIND_THREAD, flags, 0, (uint64_t)pthread_self(), name);
    if (take_lost_thread()) { /* it was counted as both already */
        __atomic_fetch_sub(&recorder.header->spawned, 1, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&recorder.header->lost_tasks, 1, __ATOMIC_RELAXED);
    }
    if (task != NULL)
        task->os_tid = (uint32_t)tid;
    else
        task = &self->sink;
    self->task = task;
    sampler_ensure();
    return task;
}
