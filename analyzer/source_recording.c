#include "analyzer/source_recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/clock.h"
#include "analyzer/process.h"
#include "analyzer/recordings.h"
#include "analyzer/scanned_tasks.h"

/* More than any program has; what a damaged count may cost is bounded by them. */
#define ROWS_MOST (UINT64_C(1) << 26)
#define BYTES_MOST (UINT64_C(1) << 31)

#define CHUNK_ROWS                                                                                 \
    2048        /* tasks read at once: 256 KiB, which stays in the cache for three reads           \
                 */
#define TRIES 4 /* readings of one task that changes all the time */

struct reader {
    struct rec_file file;
    struct snapshot *snapshot;
    bool live;             /* the file is being written */
    bool scanned;          /* there are tasks that were found by looking into their runtime */
    uint64_t now_ns;       /* CLOCK_MONOTONIC that ages refer to */
    uint64_t last_walk_ns; /* of the sampler, when the reading began */
    struct err *err;
};

enum snapshot_end source_recording_end(const struct rec_header *header)
{
    switch (header->state) {
    case REC_STATE_EXITED:
        return SNAPSHOT_EXITED;
    case REC_STATE_SIGNALLED:
        return SNAPSHOT_SIGNALLED;
    case REC_STATE_EXEC:
        return SNAPSHOT_EXEC;
    case REC_STATE_RUNNING:
        if (process_is_same((pid_t)header->pid, header->process_start_ticks, header->boot_id))
            return SNAPSHOT_RUNNING;
        return SNAPSHOT_VANISHED;
    default:
        return SNAPSHOT_VANISHED;
    }
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Reads all rows of a table, with `spare_bytes` zeroes behind them. */
static bool read_table(struct reader *reader, enum rec_table_id id, size_t row_bytes,
                       size_t spare_bytes, void *ret_rows, size_t *ret_count)
{
    uint64_t rows = rec_file_rows(&reader->file, id);
    uint64_t limit = BYTES_MOST / row_bytes < ROWS_MOST ? BYTES_MOST / row_bytes : ROWS_MOST;
    if (row_bytes == 1)
        limit = BYTES_MOST;
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

/* `first` and `last` were read before and after `middle`: whether the middle one is of one moment.
 */
static bool is_consistent(const struct rec_task *first, const struct rec_task *middle,
                          const struct rec_task *last)
{
    return first->id == last->id && first->id == middle->id && first->state == last->state &&
           first->state == middle->state && first->gen == last->gen && first->seq == last->seq &&
           (first->gen == 0 ||
            (first->gen == middle->gen &&
             (middle->gen == middle->seq || middle->wait_flags & REC_WAIT_RESTORED)));
}

/* The age of something that began at `since_ns`. */
static int64_t age(const struct reader *reader, uint64_t since_ns)
{
    if (since_ns == 0)
        return SNAPSHOT_AGE_UNKNOWN;
    uint64_t age_ns = reader->now_ns > since_ns ? reader->now_ns - since_ns : 0;
    return age_ns < INT64_MAX ? (int64_t)age_ns : INT64_MAX;
}

static void take_wait(const struct reader *reader, const struct rec_task *row,
                      struct snapshot_task *task)
{
    uint64_t period_ns = reader->file.header.sample_period_ns;

    task->flags |= SNAPSHOT_PARKED;
    if (row->wait_flags & REC_WAIT_DEADLINE)
        task->flags |= SNAPSHOT_DEADLINE;
    if (row->wait_flags & REC_WAIT_FDS)
        task->flags |= SNAPSHOT_FDS;
    if (row->wait_flags & REC_WAIT_LOCKED)
        task->flags |= SNAPSHOT_LOCKED;
    task->call = row->call;
    task->arg = row->arg;
    task->object = row->object;
    task->wait_number = row->gen;
    task->parked_ns = 0;
    if (row->seen_gen != row->gen)
        return; /* begun since the sampler's last walk: nothing more is known */

    task->parked_ns = age(reader, row->since_ns);
    task->wait_site = row->wait_site;
    task->detail_a = row->detail_a;
    task->detail_b = row->detail_b;
    task->detail_flags = row->detail_flags;
    task->case_first = row->case_first;
    task->case_count = row->case_count;
    if (row->since_ns && reader->last_walk_ns > row->since_ns &&
        reader->last_walk_ns - row->since_ns >= period_ns / 2)
        task->flags |= SNAPSHOT_SETTLED;
}

/* Adds the task of a row. `moving`: its wait changed while it was read, so it is not parked. */
static bool take_task(struct reader *reader, uint64_t number, const struct rec_task *row,
                      bool moving)
{
    if (row->state == REC_TASK_FREE || row->id == 0)
        return true;
    bool ended = row->state == REC_TASK_FINISHED ||
                 (row->state == REC_TASK_ENDING && row->gen == 0 && !moving);
    if (row->state == REC_TASK_ENDING && ended && !(row->flags & REC_TASK_JOINABLE))
        return true;
    if (row->flags & REC_TASK_WORKER && row->gen == 0 && !moving)
        return true; /* its runtime's tasks are told, and it does not wait itself */
    if (row->state > REC_TASK_ENDING || row->kind == REC_KIND_NONE ||
        row->kind > REC_KIND_GOROUTINE) {
        reader->snapshot->loss.unreadable++;
        return true;
    }

    struct snapshot_task *task = snapshot_add_task(reader->snapshot);
    if (!task)
        return err_system(reader->err, reader->file.path, ENOMEM);
    task->id = row->id;
    task->row = (uint32_t)number;
    task->kind = row->kind;
    task->handle = row->handle;
    task->os_tid = row->os_tid;
    task->spawn_site = row->spawn_site;
    if (row->flags & REC_TASK_SCANNED && row->runtime_id) {
        reader->scanned = true;
        task->id = row->runtime_id;
        task->spawner = row->spawner;
        task->labels = row->labels < UINT32_MAX ? (uint32_t)row->labels : UINT32_MAX;
    }
    memcpy(task->name, row->name, sizeof(row->name));
    if (row->flags & REC_TASK_MAIN)
        task->flags |= SNAPSHOT_MAIN;
    if (row->flags & REC_TASK_JOINABLE)
        task->flags |= SNAPSHOT_JOINABLE;
    if (row->flags & REC_TASK_SYSTEM)
        task->flags |= SNAPSHOT_SYSTEM;
    if (row->flags & REC_TASK_ABANDONED)
        task->flags |= SNAPSHOT_ABANDONED;
    if (ended) {
        task->flags |= SNAPSHOT_FINISHED;
        if (row->seen_gen == REC_SEEN_FINISHED)
            task->parked_ns = age(reader, row->since_ns);
    } else if (row->gen != 0 && !moving) {
        take_wait(reader, row, task);
    }
    return true;
}

static bool read_row(struct reader *reader, uint64_t row, struct rec_task *ret)
{
    return rec_file_read(&reader->file, REC_TABLE_TASKS, row, 1, ret, sizeof(*ret), reader->err);
}

/* A row that changed between two readings: looked at again, a few times. */
static bool retry_task(struct reader *reader, uint64_t row)
{
    struct rec_task looks[3];
    for (int i = 0; i < TRIES; i++) {
        if (!read_row(reader, row, &looks[0]) || !read_row(reader, row, &looks[1]) ||
            !read_row(reader, row, &looks[2]))
            return false;
        if (is_consistent(&looks[0], &looks[1], &looks[2]))
            return take_task(reader, row, &looks[1], false);
    }
    return take_task(reader, row, &looks[1], true);
}

static bool read_tasks(struct reader *reader)
{
    struct rec_task *looks = malloc(3 * CHUNK_ROWS * sizeof(*looks));
    if (!looks)
        return err_system(reader->err, reader->file.path, ENOMEM);
    struct rec_task *middle = looks + CHUNK_ROWS;
    struct rec_task *last = looks + 2 * CHUNK_ROWS;

    uint64_t rows = rec_file_rows(&reader->file, REC_TABLE_TASKS);
    if (rows > ROWS_MOST) {
        reader->snapshot->loss.unreadable += rows - ROWS_MOST;
        rows = ROWS_MOST;
    }

    bool ok = true;
    uint64_t row = rec_file_next_data(&reader->file, REC_TABLE_TASKS, 0);
    while (ok && row < rows) {
        size_t count = rows - row < CHUNK_ROWS ? (size_t)(rows - row) : CHUNK_ROWS;
        struct rec_task *chunks[3] = {looks, middle, last};
        for (int i = 0; ok && i < (reader->live ? 3 : 1); i++)
            ok = rec_file_read(&reader->file, REC_TABLE_TASKS, row, count, chunks[i],
                               sizeof(*looks), reader->err);
        for (size_t i = 0; ok && i < count; i++) {
            if (!reader->live)
                ok = take_task(reader, row + i, &looks[i], false);
            else if (is_consistent(&looks[i], &middle[i], &last[i]))
                ok = take_task(reader, row + i, &middle[i], false);
            else
                ok = retry_task(reader, row + i);
        }
        row = rec_file_next_data(&reader->file, REC_TABLE_TASKS, row + count);
    }
    free(looks);
    return ok;
}

/* A string of the table; one that is not there is lost, and empty. */
static const char *string_at(struct reader *reader, uint32_t offset)
{
    struct snapshot *snapshot = reader->snapshot;
    if (offset < snapshot->string_bytes)
        return snapshot->strings + offset;
    if (offset)
        snapshot->loss.rows++;
    return "";
}

static bool read_strings(struct reader *reader)
{
    return read_table(reader, REC_TABLE_STRINGS, 1, 1, &reader->snapshot->strings,
                      &reader->snapshot->string_bytes);
}

static bool read_sites(struct reader *reader)
{
    struct snapshot *snapshot = reader->snapshot;
    struct rec_site *rows;
    size_t count;

    if (!read_table(reader, REC_TABLE_SITES, sizeof(*rows), 0, &rows, &count))
        return false;
    /* A site is written after its addresses: read before them, it finds them there. */
    bool ok =
        read_table(reader, REC_TABLE_PCS, sizeof(uint64_t), 0, &snapshot->pcs, &snapshot->pc_count);
    snapshot->sites = ok ? calloc(count + 1, sizeof(*snapshot->sites)) : NULL;
    if (snapshot->sites) {
        snapshot->site_count = count;
        for (size_t i = 1; i < count; i++) {
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

static bool take_frames(struct reader *reader, const struct rec_frame *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->frames = calloc(count + 1, sizeof(*snapshot->frames));
    if (!snapshot->frames)
        return err_system(reader->err, reader->file.path, ENOMEM);
    for (size_t i = 1; i < count; i++) {
        if (rows[i].pc == 0 || rows[i].function == 0)
            continue;
        snapshot->frames[snapshot->frame_count++] = (struct snapshot_frame){
            rows[i].pc, rows[i].module, string_at(reader, rows[i].function)};
    }
    qsort(snapshot->frames, snapshot->frame_count, sizeof(*snapshot->frames), compare_frames);
    return true;
}

static bool take_modules(struct reader *reader, const struct rec_module *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->modules = calloc(count + 1, sizeof(*snapshot->modules));
    if (!snapshot->modules)
        return err_system(reader->err, reader->file.path, ENOMEM);
    snapshot->module_count = count;
    for (size_t i = 1; i < count; i++) {
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
        module->path = string_at(reader, row->path);
        module->loaded_epoch = row->loaded_epoch;
        module->unloaded_epoch = row->unloaded_epoch;
        module->build_id_bytes = row->build_id_bytes;
        memcpy(module->build_id, row->build_id, sizeof(module->build_id));
    }
    return true;
}

static bool take_calls(struct reader *reader, const struct rec_call *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->calls = calloc(count + 1, sizeof(*snapshot->calls));
    if (!snapshot->calls)
        return err_system(reader->err, reader->file.path, ENOMEM);
    snapshot->call_count = count;
    for (size_t i = 1; i < count; i++) {
        struct snapshot_call *call = &snapshot->calls[i];
        if (rows[i].name == 0)
            continue;
        call->name = string_at(reader, rows[i].name);
        call->number = rows[i].op < REC_OP_COUNT ? rows[i].op : REC_OP_NONE;
        bool reason = (rows[i].flags & REC_CALL_REASON) || call->number == REC_OP_NONE;
        call->op = reason && call->name[0] ? call->name : snapshot_op_name(call->number);
        if (rows[i].flags & REC_CALL_SYSTEM)
            call->op = "syscall";
    }
    return true;
}

static bool take_cases(struct reader *reader, const struct rec_case *rows, size_t count)
{
    struct snapshot *snapshot = reader->snapshot;
    snapshot->cases = calloc(count + 1, sizeof(*snapshot->cases));
    if (!snapshot->cases)
        return err_system(reader->err, reader->file.path, ENOMEM);
    snapshot->case_count = count;
    for (size_t i = 1; i < count; i++)
        snapshot->cases[i] = (struct snapshot_case){
            .object = rows[i].object,
            .capacity = rows[i].capacity,
            .length = rows[i].length,
            .op = rows[i].op,
            .detail_flags = rows[i].detail_flags,
        };
    return true;
}

/* Reads the tables that tasks refer to. The order is that of the references, so that what a row
 * names is there when its table is read; strings come before the rows that are turned into
 * pointers to them, but are read after them. */
static bool read_tables(struct reader *reader)
{
    struct rec_call *calls = NULL;
    struct rec_case *cases = NULL;
    struct rec_frame *frames = NULL;
    struct rec_module *modules = NULL;
    size_t call_count, case_count, frame_count, module_count;

    bool ok = read_table(reader, REC_TABLE_CASES, sizeof(*cases), 0, &cases, &case_count) &&
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

/* Drops references of tasks to rows that are not there. */
static void check_references(struct reader *reader)
{
    struct snapshot *snapshot = reader->snapshot;
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
        if (task->case_first > snapshot->case_count ||
            task->case_count > snapshot->case_count - task->case_first ||
            (task->case_count && task->case_first == 0)) {
            damaged = task->case_count != 0;
            task->case_first = 0;
            task->case_count = 0;
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

static bool read_cmdline(struct reader *reader)
{
    struct snapshot *snapshot = reader->snapshot;
    const struct rec_header *header = &reader->file.header;
    size_t from = header->cmdline;
    size_t bytes = header->cmdline_bytes;
    if (from >= snapshot->string_bytes)
        bytes = 0;
    else if (bytes > snapshot->string_bytes - from)
        bytes = snapshot->string_bytes - from;

    const char *text = snapshot->strings + (bytes ? from : 0);
    size_t words = 0;
    for (size_t i = 0; i < bytes; i++)
        words += i == 0 || text[i - 1] == '\0';
    snapshot->cmdline = calloc(words + 1, sizeof(char *));
    if (!snapshot->cmdline)
        return err_system(reader->err, reader->file.path, ENOMEM);
    for (size_t word = 0, i = 0; word < words; word++) {
        size_t length = strnlen(text + i, bytes - i);
        snapshot->cmdline[word] = strndup(text + i, length);
        if (!snapshot->cmdline[word])
            return err_system(reader->err, reader->file.path, ENOMEM);
        i += length + 1;
    }
    return true;
}

/* What the header says of the process, when everything else was read. */
static bool take_header(struct reader *reader, enum snapshot_end end)
{
    struct snapshot *snapshot = reader->snapshot;
    const struct rec_header *header = &reader->file.header;
    const struct rec_table *tables = reader->file.tables;
    struct snapshot_loss *loss = &snapshot->loss;

    snapshot->path = strdup(reader->file.path);
    snapshot->exe = strdup(string_at(reader, header->exe));
    if (!snapshot->path || !snapshot->exe)
        return err_system(reader->err, reader->file.path, ENOMEM);
    if (end == SNAPSHOT_EXEC)
        snapshot->continued_in =
            recordings_beside(reader->file.path, header->pid, header->process_start_ticks,
                              header->started_unix_ns + 1);
    snapshot->pid = header->pid;
    snapshot->runtimes = header->runtimes;
    snapshot->end = end;
    snapshot->has_exit_code = end == SNAPSHOT_EXITED;
    snapshot->exit_code = snapshot->has_exit_code ? header->exit_code : 0;
    snapshot->signal = end == SNAPSHOT_SIGNALLED ? header->exit_code : 0;
    snapshot->started_unix_ns = (int64_t)header->started_unix_ns;
    snapshot->taken_unix_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    if (end != SNAPSHOT_RUNNING) {
        uint64_t lasted_ns =
            reader->now_ns > header->started_ns ? reader->now_ns - header->started_ns : 0;
        snapshot->taken_unix_ns = (int64_t)((header->started_unix_ns + lasted_ns) & INT64_MAX);
    }
    snapshot->look_period_ns =
        (int64_t)(most(header->sample_period_ns, header->rest_ns) & INT64_MAX);
    snapshot->look_age_ns = age(reader, reader->last_walk_ns);
    if (reader->last_walk_ns)
        snapshot->looked_unix_ns =
            (int64_t)((header->started_unix_ns + reader->last_walk_ns - header->started_ns) &
                      INT64_MAX);
    snprintf(snapshot->go_version, sizeof(snapshot->go_version), "%s",
             string_at(reader, header->go_version));
    /* Of tasks that are looked for, those that came and went between two looks were not seen. */
    snapshot->has_spawned = !(header->runtimes & REC_RUNTIME_GO);
    snapshot->spawned = header->spawned;
    snapshot->finished = header->finished;
    loss->unreadable += header->unreadable_tasks;
    loss->tasks += most(header->lost_tasks, tables[REC_TABLE_TASKS].lost);
    loss->sites +=
        most(header->lost_sites, most(tables[REC_TABLE_SITES].lost, tables[REC_TABLE_PCS].lost));
    loss->stacks += header->lost_stacks;
    static const enum rec_table_id others[] = {REC_TABLE_FRAMES, REC_TABLE_STRINGS,
                                               REC_TABLE_MODULES, REC_TABLE_CALLS, REC_TABLE_CASES};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        loss->rows += tables[others[i]].lost;
    return read_cmdline(reader);
}

bool source_recording_read(const char *path, struct snapshot *ret, struct err *err)
{
    struct reader reader = {.snapshot = ret, .err = err};
    if (!rec_file_open(&reader.file, path, err))
        return false;

    const struct rec_header *header = &reader.file.header;
    enum snapshot_end end = source_recording_end(header);
    reader.live = end == SNAPSHOT_RUNNING;
    reader.last_walk_ns = header->last_walk_ns;
    reader.now_ns =
        reader.live ? clock_ns(CLOCK_MONOTONIC) : most(header->last_walk_ns, header->ended_ns);

    /* The tables are read after the tasks, and so is how long they are by then. */
    bool ok = read_tasks(&reader);
    if (ok && reader.live) {
        struct rec_file again;
        ok = rec_file_open(&again, path, err);
        if (ok && again.header.pid == header->pid &&
            again.header.started_ns == header->started_ns) {
            memcpy(reader.file.tables, again.tables, sizeof(again.tables));
            reader.file.header = again.header;
        }
        if (ok)
            rec_file_close(&again);
    }
    ok = ok && read_tables(&reader);
    if (ok && reader.scanned && !(scanned_tasks_number(ret) && scanned_tasks_label(ret)))
        ok = err_system(err, path, ENOMEM);
    if (ok) {
        check_references(&reader);
        ok = take_header(&reader, end);
    }
    rec_file_close(&reader.file);
    return ok;
}
