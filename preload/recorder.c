#include "preload/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
#include "preload/text.h"
#include "preload/unwind.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct recorder recorder;
struct recorder_options recorder_options;
bool recorder_quiet;
__thread struct recorder_thread recorder_thread __attribute__((tls_model("initial-exec")));

/* The tables, in the order of their ids. Memory for rows is made ready a page at first, then as
 * much again as there is, up to a chunk (256 KiB or less) at a time. */
static const struct {
    uint32_t stride;
    uint32_t capacity;
    uint32_t chunk;
} table_plan[REC_TABLE_COUNT] = {
    [REC_TABLE_TASKS - 1] = {sizeof(struct rec_task), 0, 2048}, /* capacity: LEAKSPY_MAX_TASKS */
    [REC_TABLE_SITES - 1] = {sizeof(struct rec_site), 1 << 18, 1 << 10},
    [REC_TABLE_PCS - 1] = {sizeof(uint64_t), 1 << 22, 1 << 12},
    [REC_TABLE_FRAMES - 1] = {sizeof(struct rec_frame), 1 << 18, 1 << 10},
    [REC_TABLE_STRINGS - 1] = {1, 1 << 24, 1 << 15},
    [REC_TABLE_MODULES - 1] = {sizeof(struct rec_module), 1 << 14, 1 << 8},
    [REC_TABLE_CALLS - 1] = {sizeof(struct rec_call), 1 << 10, 1 << 10},
    [REC_TABLE_CASES - 1] = {sizeof(struct rec_case), 1 << 20, 1 << 10},
};

static uint32_t ready_rows[REC_TABLE_COUNT]; /* rows with memory behind them */
static struct {
    void *base;
    uint64_t bytes;
} mapping;
static bool child_pending; /* a fork child that has no recording of its own yet */
static uint32_t opening;   /* 1 while a thread of a fork child opens its recording */

/* Memory for rows, so that touching them cannot fault: a full file system is an error here, and
 * would be a SIGBUS there. */
static bool make_ready(void *address, uint64_t bytes)
{
    if (recorder_quiet && !recorder_thread.sampler)
        return false;
    uint64_t start = (uint64_t)address & ~UINT64_C(4095);
    uint64_t end = ((uint64_t)address + bytes + 4095) & ~UINT64_C(4095);
    return sys_call(SYS_madvise, start, end - start, MADV_POPULATE_WRITE) == 0;
}

uint32_t recorder_take(enum rec_table_id id, uint32_t rows)
{
    struct rec_header *header = recorder.header;
    if (header == NULL)
        return 0;
    struct rec_table *table = &header->tables[id - 1];
    uint32_t row = __atomic_load_n(&table->count, __ATOMIC_RELAXED);
    do {
        if (rows > table->capacity - row) {
            __atomic_fetch_add(&table->lost, rows, __ATOMIC_RELAXED);
            return 0;
        }
        uint32_t ready = __atomic_load_n(&ready_rows[id - 1], __ATOMIC_ACQUIRE);
        if (row + rows > ready) {
            uint32_t chunk = table_plan[id - 1].chunk;
            uint32_t more = ready < chunk ? ready : chunk;
            if (more < 4096 / table->stride)
                more = 4096 / table->stride;
            uint32_t want = row + rows < ready + more ? ready + more : row + rows;
            if (want > table->capacity)
                want = table->capacity;
            if (!make_ready((char *)header + table->offset + (uint64_t)ready * table->stride,
                            (uint64_t)(want - ready) * table->stride)) {
                __atomic_fetch_add(&table->lost, rows, __ATOMIC_RELAXED);
                return 0;
            }
            while (ready < want &&
                   !__atomic_compare_exchange_n(&ready_rows[id - 1], &ready, want, false,
                                                __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
                ;
        }
    } while (!__atomic_compare_exchange_n(&table->count, &row, row + rows, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return row;
}

uint32_t recorder_add_string(const char *text, size_t bytes)
{
    if (bytes == 0)
        return 0;
    uint32_t offset = recorder_take(REC_TABLE_STRINGS, (uint32_t)bytes + 1);
    if (offset != 0)
        memcpy(recorder.strings + offset, text, bytes); /* what follows is zero already */
    return offset;
}

uint32_t recorder_add_call(const char *name, enum rec_op op, uint16_t flags)
{
    uint32_t row = recorder_take(REC_TABLE_CALLS, 1);
    if (row == 0)
        return 0;
    struct rec_call *call = &recorder.calls[row];
    call->op = (uint16_t)op;
    call->flags = flags;
    __atomic_store_n(&call->name, recorder_add_string(name, strlen(name)), __ATOMIC_RELEASE);
    return row;
}

/* --- the file --------------------------------------------------------------------------------- */

/* Sets offsets and capacities for `max_tasks`; the other tables are smaller where tasks are few.
 * Returns the bytes of the file. */
static uint64_t lay_out(struct rec_table *tables, uint32_t max_tasks)
{
    uint32_t shift = 0;
    while (shift < 5 && (1U << 20 >> (shift + 1)) >= max_tasks)
        shift++;
    uint64_t at = REC_HEADER_BYTES;
    for (uint32_t i = 0; i < REC_TABLE_COUNT; i++) {
        uint32_t capacity = i == REC_TABLE_TASKS - 1   ? max_tasks + 1
                            : i == REC_TABLE_CALLS - 1 ? table_plan[i].capacity
                                                       : table_plan[i].capacity >> shift;
        tables[i] = (struct rec_table){
            .id = i + 1,
            .version = 1,
            .offset = at,
            .stride = table_plan[i].stride,
            .capacity = capacity,
            .count = 1,
        };
        at += ((uint64_t)capacity * table_plan[i].stride + 4095) & ~UINT64_C(4095);
    }
    return at;
}

static uint64_t size_limit(int resource)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    sys_call(SYS_prlimit64, 0, resource, 0, &limit);
    return limit.rlim_cur;
}

static void *map_file(long fd, struct rec_table *tables, uint64_t *ret_bytes)
{
    /* Less where the process may not have as much: growing past the limit would raise SIGXFSZ. */
    uint64_t limit = size_limit(RLIMIT_FSIZE);
    for (uint32_t tasks = recorder_options.max_tasks; tasks >= 64; tasks /= 8) {
        uint64_t bytes = lay_out(tables, tasks);
        if (bytes > limit || sys_call(SYS_ftruncate, fd, bytes) != 0)
            continue;
        long base = sys_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base < 0 && base > -4096)
            continue;
        *ret_bytes = bytes;
        return (void *)base;
    }
    return NULL;
}

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
    struct rec_header *header = map_file(fd, tables, &bytes);
    sys_call(SYS_close, fd);
    if (header == NULL || !make_ready(header, REC_HEADER_BYTES)) {
        recorder_say("no recording: no room for it", path, 0);
        if (header != NULL)
            sys_call(SYS_munmap, header, bytes);
        sys_call(SYS_unlinkat, AT_FDCWD, path, 0);
        return false;
    }
    mapping.base = header;
    mapping.bytes = bytes;
    memset(ready_rows, 0, sizeof(ready_rows));
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

/* --- slots -------------------------------------------------------------------------------------
 */

static uint32_t pop_free(struct rec_header *header)
{
    uint64_t head = __atomic_load_n(&header->free_list, __ATOMIC_ACQUIRE);
    uint64_t next;
    do {
        uint32_t row = (uint32_t)head;
        if (row == 0)
            return 0;
        next = ((head >> 32) + 1) << 32 |
               __atomic_load_n(&recorder.tasks[row].next_free, __ATOMIC_RELAXED);
    } while (!__atomic_compare_exchange_n(&header->free_list, &head, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return (uint32_t)head;
}

static void push_free(struct rec_header *header, struct rec_task *task)
{
    uint32_t row = (uint32_t)(task - recorder.tasks);
    uint64_t head = __atomic_load_n(&header->free_list, __ATOMIC_RELAXED);
    uint64_t next;
    do {
        __atomic_store_n(&task->next_free, (uint32_t)head, __ATOMIC_RELAXED);
        next = ((head >> 32) + 1) << 32 | row;
    } while (!__atomic_compare_exchange_n(&header->free_list, &head, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

struct rec_task *recorder_spawn(enum rec_kind kind, uint16_t flags, uint32_t spawn_site,
                                uint64_t handle, const char *name)
{
    struct rec_header *header = recorder.header;
    if (header == NULL)
        return NULL;
    recorder_count(&header->spawned);
    uint32_t row = pop_free(header);
    if (row == 0)
        row = recorder_take(REC_TABLE_TASKS, 1);
    if (row == 0) {
        recorder_count(&header->lost_tasks);
        return NULL;
    }
    struct rec_task *task = &recorder.tasks[row];
    task->kind = (uint8_t)kind;
    task->flags = flags;
    task->os_tid = 0;
    task->spawn_site = spawn_site;
    task->handle = handle;
    recorder_rename(task, name != NULL ? name : "");
    task->id = __atomic_add_fetch(&header->last_id, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&task->state, REC_TASK_LIVE, __ATOMIC_RELEASE);
    return task;
}

/* Is this a slot of the recording that is open now? A task may outlive a fork, a sink is no slot.
 */
static bool owns(const struct rec_task *task)
{
    return recorder.header != NULL && task >= recorder.tasks &&
           task < recorder.tasks + recorder.header->tables[REC_TABLE_TASKS - 1].capacity;
}

void recorder_end(struct rec_task *task)
{
    uint8_t live = REC_TASK_LIVE;
    if (owns(task) && __atomic_compare_exchange_n(&task->state, &live, REC_TASK_ENDING, false,
                                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        recorder_count(&recorder.header->finished);
}

void recorder_release(struct rec_task *task)
{
    recorder_end(task);
    if (!owns(task))
        return;
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    if (__atomic_exchange_n(&task->state, REC_TASK_FREE, __ATOMIC_ACQ_REL) != REC_TASK_FREE)
        push_free(recorder.header, task);
}

bool recorder_keep(struct rec_task *task)
{
    if (!owns(task))
        return false;
    const struct rec_table *table = &recorder.header->tables[REC_TABLE_TASKS - 1];
    if (table->count > table->capacity / 2) {
        recorder_release(task);
        return false;
    }
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&task->state, REC_TASK_FREE, __ATOMIC_RELEASE);
    recorder_count(&recorder.header->finished);
    return true;
}

void recorder_spawn_again(struct rec_task *task, uint16_t flags, uint32_t spawn_site,
                          const char name[static 16])
{
    struct rec_header *header = recorder.header;
    recorder_count(&header->spawned);
    task->flags = flags;
    task->spawn_site = spawn_site;
    memcpy(task->name, name, sizeof(task->name));
    task->id = __atomic_add_fetch(&header->last_id, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&task->state, REC_TASK_LIVE, __ATOMIC_RELEASE);
}

void recorder_rename(struct rec_task *task, const char *name)
{
    size_t i = 0;
    for (; i < sizeof(task->name) - 1 && name[i] != '\0'; i++)
        task->name[i] = name[i];
    for (; i < sizeof(task->name); i++)
        task->name[i] = '\0';
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
    if (task != NULL)
        task->os_tid = (uint32_t)tid;
    else
        task = &self->sink;
    self->task = task;
    sampler_ensure();
    return task;
}

/* --- waits inside waits -------------------------------------------------------------------------
 */

void wait_begin_nested(struct wait *wait)
{
    struct rec_task *task = wait->task;
    memcpy(&wait->outer_call, &task->call, sizeof(wait->outer_call));
    wait->outer_arg = task->arg;
    wait->outer_object = task->object;
    wait->outer_cfa = task->cfa;
    wait->outer_fp = task->fp;
    /* A handler that left by longjmp never restored: then the wait that we found is over. */
    if (!unwind_own_stack_has(wait->outer_cfa))
        wait->outer_gen = 0;
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
}

void wait_end_nested(struct wait *wait)
{
    struct rec_task *task = wait->task;
    for (;;) {
        uint32_t seq = task->seq;
        __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        memcpy(&task->call, &wait->outer_call, sizeof(wait->outer_call));
        task->arg = wait->outer_arg;
        task->object = wait->outer_object;
        task->cfa = wait->outer_cfa;
        task->fp = wait->outer_fp;
        __atomic_store_n(&task->gen, wait->outer_gen, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        if (*(volatile uint32_t *)&task->seq == seq)
            return;
    }
}
