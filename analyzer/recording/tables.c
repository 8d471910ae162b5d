#include "analyzer/recording/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any program has; what a damaged count may cost is bounded by it. */
#define MAX_BYTES (UINT64_C(1) << 31)
#define ROWS_A_HOLE 8192 /* that are asked about together: are they in a hole of the file? */

/* Reads all rows of a table, with `spare_bytes` zeroes behind them. */
static bool read_table(struct recording_reader *reader, enum rec_table_id id, size_t row_bytes,
                       size_t spare_bytes, void *ret_rows, size_t *ret_count)
{
    uint64_t rows = rec_file_rows(&reader->file, id);
    uint64_t limit =
        MAX_BYTES / row_bytes < RECORDING_MAX_ROWS ? MAX_BYTES / row_bytes : RECORDING_MAX_ROWS;
    if (row_bytes == 1)
        limit = MAX_BYTES;
    if (rows > limit) {
        reader->snapshot->loss.rows += rows - limit;
        rows = limit;
    }

    /* Zeroed by the system page by page: holes of the file stay holes here. */
    char *to = calloc(1, rows * row_bytes + spare_bytes + 1);
    if (!to)
        return err_system(reader->err, reader->file.path, ENOMEM);
    for (uint64_t row = rec_file_next_data(&reader->file, id, 0); row < rows;) {
        size_t count = (size_t)(rows - row);
        if (count * row_bytes > 1 << 20)
            count = (1 << 20) / row_bytes;
        if (!rec_file_read(&reader->file, id, row, count, to + row * row_bytes, row_bytes,
                           reader->err)) {
            free(to);
            return false;
        }
        row = rec_file_next_data(&reader->file, id, row + count);
    }
    *(void **)ret_rows = to;
    *ret_count = (size_t)rows;
    return true;
}

/* The row itself, or where that is in a hole of the file, which may be large, the first one behind
 * it; `count`: there is none. To ask is a system call, so that few rows are asked about. */
static size_t past_hole(const struct recording_reader *reader, enum rec_table_id id, size_t row,
                        size_t count)
{
    if (row % ROWS_A_HOLE != 0 || row >= count)
        return row;
    uint64_t next = rec_file_next_data(&reader->file, id, row);
    return next >= row && next < count ? (size_t)next : count; /* never back */
}

const char *recording_string(struct snapshot *snapshot, uint32_t offset)
{
    if (offset < snapshot->string_bytes)
        return snapshot->strings + offset;
    if (offset)
        snapshot->loss.rows++;
    return "";
}

/* How long the tables are by now, where the file is being written. */
static bool measure_tables(struct recording_reader *reader)
{
    return !reader->live || rec_file_read_header(&reader->file, reader->err);
}

/* A row may be taken before its strings are: they may lie past what the table was when rows were
 * counted. The others stay as they were read. */
static bool read_strings(struct recording_reader *reader)
{
    struct rec_file before = reader->file;
    if (!measure_tables(reader))
        return false;
    bool ok = read_table(reader, REC_TABLE_STRINGS, 1, 1, &reader->snapshot->strings,
                         &reader->snapshot->string_bytes);
    reader->file = before;
    return ok;
}

static bool read_sites(struct recording_reader *reader)
{
    struct snapshot *snapshot = reader->snapshot;
    struct rec_site *rows = NULL;
    size_t count = 0;

    if (!read_table(reader, REC_TABLE_SITES, sizeof(*rows), 0, &rows, &count))
        return false;
    /* A site is written after its addresses: read before them, it finds them there. */
    bool ok =
        read_table(reader, REC_TABLE_PCS, sizeof(uint64_t), 0, &snapshot->pcs, &snapshot->pc_count);
    snapshot->sites = ok ? calloc(count + 1, sizeof(*snapshot->sites)) : NULL;
    if (snapshot->sites) {
        snapshot->site_count = count;
        for (size_t i = 1; (i = past_hole(reader, REC_TABLE_SITES, i, count)) < count; i++) {
            const struct rec_site *row = &rows[i];
            if (row->hash == 0)
                continue;
            if (row->first_pc > snapshot->pc_count ||
                row->pc_count > snapshot->pc_count - row->first_pc) {
                snapshot->loss.rows++;
                continue;
            }
            snapshot->sites[i] =
                (struct snapshot_site){row->first_pc, row->pc_count, row->epoch, row->flags};
        }
    } else if (ok) {
        ok = err_system(reader->err, reader->file.path, ENOMEM);
    }
    free(rows);
    return ok;
}

static int compare_frames(const void *a, const void *b)
{
    const struct snapshot_frame *left = a;
    const struct snapshot_frame *right = b;
    return (left->pc > right->pc) - (left->pc < right->pc);
}

static bool take_frames(struct recording_reader *reader, const struct rec_frame *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->frames = calloc(count + 1, sizeof(*snapshot->frames));
    if (!snapshot->frames)
        return err_system(reader->err, reader->file.path, ENOMEM);
    for (size_t i = 1; (i = past_hole(reader, REC_TABLE_FRAMES, i, count)) < count; i++) {
        if (rows[i].pc == 0 || rows[i].function == 0)
            continue;
        snapshot->frames[snapshot->frame_count++] = (struct snapshot_frame){
            rows[i].pc, rows[i].module, recording_string(reader->snapshot, rows[i].function)};
    }
    qsort(snapshot->frames, snapshot->frame_count, sizeof(*snapshot->frames), compare_frames);
    return true;
}

static bool take_modules(struct recording_reader *reader, const struct rec_module *rows,
                         size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->modules = calloc(count + 1, sizeof(*snapshot->modules));
    if (!snapshot->modules)
        return err_system(reader->err, reader->file.path, ENOMEM);
    snapshot->module_count = count;
    for (size_t i = 1; (i = past_hole(reader, REC_TABLE_MODULES, i, count)) < count; i++) {
        const struct rec_module *row = &rows[i];
        struct snapshot_module *module = &snapshot->modules[i];
        if (row->start == 0)
            continue;
        if (row->end <= row->start || row->build_id_bytes > sizeof(row->build_id)) {
            snapshot->loss.rows++;
            continue;
        }
        module->start = row->start;
        module->end = row->end;
        module->bias = row->bias;
        module->path = recording_string(reader->snapshot, row->path);
        module->loaded_epoch = row->loaded_epoch;
        module->unloaded_epoch = row->unloaded_epoch;
        module->build_id_bytes = row->build_id_bytes;
        memcpy(module->build_id, row->build_id, sizeof(module->build_id));
    }
    return true;
}

static bool take_calls(struct recording_reader *reader, const struct rec_call *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->calls = calloc(count + 1, sizeof(*snapshot->calls));
    if (!snapshot->calls)
        return err_system(reader->err, reader->file.path, ENOMEM);
    snapshot->call_count = count;
    for (size_t i = 1; (i = past_hole(reader, REC_TABLE_CALLS, i, count)) < count; i++) {
        struct snapshot_call *call = &snapshot->calls[i];
        if (rows[i].name == 0)
            continue;
        call->name = recording_string(reader->snapshot, rows[i].name);
        call->number = rows[i].op < REC_OP_COUNT ? rows[i].op : REC_OP_NONE;
        bool reason = (rows[i].flags & REC_CALL_REASON) || call->number == REC_OP_NONE;
        call->op = reason && call->name[0] ? call->name : snapshot_op_name(call->number);
        if (rows[i].flags & REC_CALL_SYSTEM)
            call->op = "syscall";
    }
    return true;
}

static void forget_cases(struct snapshot_extra *extra)
{
    extra->case_first = 0;
    extra->case_count = 0;
}

static bool is_same_select(const struct recording_select *select, const struct snapshot_extra *told,
                           const struct rec_task *now)
{
    return now->id == select->id && now->gen == select->gen && now->seq == select->seq &&
           rec_task_is_seen(now) && now->case_first == told->case_first &&
           now->case_count == told->case_count;
}

/* The next select of a task has its cases in the same rows: those that were just read belong to the
 * wait that was read before only where the task is still in it. */
static bool check_selects(struct recording_reader *reader)
{
    struct rec_task rows[256];
    const uint64_t most = sizeof(rows) / sizeof(rows[0]);
    uint64_t first = 0, end = 0;
    for (size_t i = 0; i < reader->select_count; i++) {
        const struct recording_select *select = &reader->selects[i];
        if (select->row >= end) {
            first = select->row;
            end = first + most;
            if (!rec_file_read(&reader->file, REC_TABLE_TASKS, first, most, rows, sizeof(*rows),
                               reader->err))
                return false;
        }
        struct snapshot *snapshot = reader->snapshot;
        struct snapshot_extra *extra = &snapshot->extras[snapshot->tasks[select->task].extra];
        if (!is_same_select(select, extra, &rows[select->row - first]))
            forget_cases(extra);
    }
    return true;
}

static bool take_cases(struct recording_reader *reader, const struct rec_case *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->cases = calloc(count + 1, sizeof(*snapshot->cases));
    if (!snapshot->cases)
        return err_system(reader->err, reader->file.path, ENOMEM);
    snapshot->case_count = count;
    for (size_t i = 1; (i = past_hole(reader, REC_TABLE_CASES, i, count)) < count; i++)
        snapshot->cases[i] = (struct snapshot_case){
            .object = rows[i].object,
            .capacity = rows[i].capacity,
            .length = rows[i].length,
            .op = rows[i].op,
            .detail_flags = rows[i].detail_flags,
        };
    return true;
}

/* Tables are read in the order of their references, strings last: what a row names was written
 * before the row, and is there when its table is read. Rows that hold offsets of strings are kept
 * as they are until then, and turned into pointers at the end. */
bool recording_read_tables(struct recording_reader *reader)
{
    struct rec_call *calls = NULL;
    struct rec_case *cases = NULL;
    struct rec_frame *frames = NULL;
    struct rec_module *modules = NULL;
    size_t call_count = 0, case_count = 0, frame_count = 0, module_count = 0;

    bool ok = measure_tables(reader) &&
              read_table(reader, REC_TABLE_CASES, sizeof(*cases), 0, &cases, &case_count) &&
              check_selects(reader) &&
              read_table(reader, REC_TABLE_CALLS, sizeof(*calls), 0, &calls, &call_count) &&
              read_sites(reader) &&
              read_table(reader, REC_TABLE_FRAMES, sizeof(*frames), 0, &frames, &frame_count) &&
              read_table(reader, REC_TABLE_MODULES, sizeof(*modules), 0, &modules, &module_count) &&
              read_strings(reader) && take_cases(reader, cases, case_count) &&
              take_calls(reader, calls, call_count) &&
              take_modules(reader, modules, module_count) &&
              take_frames(reader, frames, frame_count);
    free(calls);
    free(cases);
    free(frames);
    free(modules);
    return ok;
}

/* Whether its cases are there. */
static bool has_cases(const struct snapshot *snapshot, const struct snapshot_extra *extra)
{
    return extra->case_first <= snapshot->case_count &&
           extra->case_count <= snapshot->case_count - extra->case_first &&
           (extra->case_count == 0 || extra->case_first != 0);
}

/* Recorders up to 1.4 left the cases of a select with the task's later waits. */
static bool is_in_select(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_PARKED) && task->call < snapshot->call_count &&
           snapshot->calls[task->call].number == REC_OP_SELECT;
}

void recording_check_references(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        bool damaged = false;
        if (task->spawn_site >= snapshot->site_count && task->spawn_site) {
            task->spawn_site = 0;
            damaged = true;
        }
        if (task->wait_site >= snapshot->site_count && task->wait_site) {
            task->wait_site = 0;
            damaged = true;
        }
        if (task->extra && !is_in_select(snapshot, task))
            forget_cases(&snapshot->extras[task->extra]);
        if (task->extra && !has_cases(snapshot, &snapshot->extras[task->extra])) {
            struct snapshot_extra *extra = &snapshot->extras[task->extra];
            damaged = damaged || extra->case_count != 0;
            forget_cases(extra);
        }
        if ((task->flags & SNAPSHOT_PARKED) &&
            (task->call == 0 || task->call >= snapshot->call_count ||
             !snapshot->calls[task->call].name)) {
            /* What it does cannot be said; that it is there can. */
            task->flags &= (uint16_t) ~(SNAPSHOT_PARKED | SNAPSHOT_DEADLINE);
            task->parked_ns = SNAPSHOT_AGE_UNKNOWN;
            task->call = 0;
            damaged = true;
        }
        if (damaged)
            snapshot->loss.unreadable++;
    }
}
