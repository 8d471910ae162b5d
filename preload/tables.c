#include "preload/tables.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload/recorder.h"
#include "preload/sys.h"

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
    [REC_TABLE_MODULES - 1] = {sizeof(struct rec_module), TABLES_MAX_MODULES, 1 << 8},
    [REC_TABLE_CALLS - 1] = {sizeof(struct rec_call), 1 << 10, 1 << 10},
    [REC_TABLE_CASES - 1] = {sizeof(struct rec_case), 1 << 20, 1 << 10},
    [REC_TABLE_DESCRIPTORS - 1] = {sizeof(struct rec_descriptor), 1 << 16, 1},
    [REC_TABLE_ASLEEP - 1] = {sizeof(struct rec_asleep), 1 << 16, 1},
};

#define ADDRESS_SHARE 16 /* where addresses are limited, the program wants them itself */

static uint32_t ready_rows[REC_TABLE_COUNT]; /* rows with memory behind them */

/* Memory for rows, so that touching them cannot fault: a full file system is an error here, and
 * would be a SIGBUS there. 0, or a negative errno. */
static long make_ready(void *address, uint64_t bytes)
{
    if (recorder_quiet && !recorder_thread.sampler)
        return -EPERM;
    uint64_t start = (uint64_t)address & ~UINT64_C(4095);
    uint64_t end = ((uint64_t)address + bytes + 4095) & ~UINT64_C(4095);
    return sys_call(SYS_madvise, start, end - start, MADV_POPULATE_WRITE);
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
            if (make_ready((char *)header + table->offset + (uint64_t)ready * table->stride,
                           (uint64_t)(want - ready) * table->stride) != 0) {
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

void recorder_put_cases(struct rec_task *task, const struct rec_case *cases, uint16_t count)
{
    uint32_t room = task->case_first != 0 ? recorder.cases[task->case_first].room : 0;
    if (count > room) {
        uint32_t first = recorder_take(REC_TABLE_CASES, count);
        task->case_count = 0;
        if (first == 0)
            return;
        task->case_first = first;
        room = count;
    }
    if (count > 0) {
        memcpy(&recorder.cases[task->case_first], cases, count * sizeof(*cases));
        recorder.cases[task->case_first].room = room;
    }
    task->case_count = count;
}

/* Tables that have a row for each of the first slots. A row is invalid while it is rewritten: its
 * `wait` is 0, and then that of what is told. */

static uint32_t slot_of(const struct rec_task *task)
{
    return (uint32_t)(task - recorder.tasks);
}

/* False: the slot has no row, or there is no memory for it (counted). */
static bool begin_slot_row(enum rec_table_id id, uint32_t slot, void *row, uint32_t *wait)
{
    struct rec_table *table = &recorder.header->tables[id - 1];
    if (slot >= table->capacity)
        return false;
    if (make_ready(row, table->stride) != 0) {
        table->lost++;
        return false;
    }
    __atomic_store_n(wait, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return true;
}

static void end_slot_row(enum rec_table_id id, uint32_t slot, uint32_t *wait, uint32_t told)
{
    struct rec_table *table = &recorder.header->tables[id - 1];
    __atomic_store_n(wait, told, __ATOMIC_RELEASE);
    if (slot >= table->count)
        __atomic_store_n(&table->count, slot + 1, __ATOMIC_RELEASE);
}

void recorder_put_descriptor(const struct rec_task *task, const struct rec_descriptor *found)
{
    uint32_t slot = slot_of(task);
    struct rec_descriptor *to = &recorder.descriptors[slot];
    if (!begin_slot_row(REC_TABLE_DESCRIPTORS, slot, to, &to->wait))
        return;
    to->task = found->task;
    to->protocol = found->protocol;
    to->local_bytes = found->local_bytes;
    to->peer_bytes = found->peer_bytes;
    memcpy(to->name, found->name, sizeof(to->name));
    end_slot_row(REC_TABLE_DESCRIPTORS, slot, &to->wait, found->wait);
}

bool recorder_put_asleep(const struct rec_task *task, const struct rec_asleep *found)
{
    uint32_t slot = slot_of(task);
    struct rec_asleep *to = &recorder.asleep[slot];
    if (!begin_slot_row(REC_TABLE_ASLEEP, slot, to, &to->wait))
        return false;
    to->task = found->task;
    to->call = found->call;
    to->wait_flags = found->wait_flags;
    to->object = found->object;
    to->arg = found->arg;
    end_slot_row(REC_TABLE_ASLEEP, slot, &to->wait, found->wait);
    return true;
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

/* How many rows a table has for `max_tasks`. Most are smaller where tasks are few. */
static uint32_t capacity_of(enum rec_table_id id, uint32_t max_tasks)
{
    uint32_t most = table_plan[id - 1].capacity, shift = 0;
    while (shift < 5 && (1U << 20 >> (shift + 1)) >= max_tasks)
        shift++;
    switch (id) {
    case REC_TABLE_TASKS:
        return max_tasks + 1;
    case REC_TABLE_DESCRIPTORS: /* a row for each of the first ones */
    case REC_TABLE_ASLEEP:
        return max_tasks + 1 < most ? max_tasks + 1 : most;
    case REC_TABLE_CALLS:
        return most;
    default:
        return most >> shift;
    }
}

/* Sets offsets and capacities. Returns the bytes of the file. */
static uint64_t lay_out(struct rec_table *tables, uint32_t max_tasks)
{
    uint64_t at = REC_HEADER_BYTES;
    for (uint32_t i = 0; i < REC_TABLE_COUNT; i++) {
        uint32_t capacity = capacity_of(i + 1, max_tasks);
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

uint64_t tables_limit(int resource)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    sys_call(SYS_prlimit64, 0, resource, 0, &limit);
    return limit.rlim_cur;
}

long tables_map(long fd, struct rec_table tables[REC_TABLE_COUNT], struct rec_header **ret,
                uint64_t *ret_bytes)
{
    /* Less where the process may not have as much: growing past the limit would raise SIGXFSZ. */
    uint64_t limit = tables_limit(RLIMIT_FSIZE);
    uint64_t addresses = tables_limit(RLIMIT_AS);
    long error = -EFBIG;
    if (addresses != RLIM_INFINITY && limit > addresses / ADDRESS_SHARE) {
        limit = addresses / ADDRESS_SHARE;
        error = -ENOMEM;
    }
    for (uint32_t tasks = recorder_options.max_tasks; tasks >= 64; tasks /= 8) {
        uint64_t bytes = lay_out(tables, tasks);
        if (bytes > limit)
            continue;
        error = sys_call(SYS_ftruncate, fd, bytes);
        if (error != 0)
            continue;
        long base = sys_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base < 0 && base > -4096) {
            error = base;
            continue;
        }
        error = make_ready((void *)base, REC_HEADER_BYTES);
        if (error != 0) {
            sys_call(SYS_munmap, base, bytes);
            return error;
        }
        memset(ready_rows, 0, sizeof(ready_rows));
        *ret = (struct rec_header *)base;
        *ret_bytes = bytes;
        return 0;
    }
    return error;
}

struct rec_header *tables_map_header(long fd)
{
    long base = sys_call(SYS_mmap, 0, REC_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base < 0 && base > -4096)
        return NULL;
    if (make_ready((void *)base, REC_HEADER_BYTES) == 0)
        return (struct rec_header *)base;
    sys_call(SYS_munmap, base, REC_HEADER_BYTES);
    return NULL;
}
