#include "analyzer/recording/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"
#include "analyzer/recording/descriptors.h"

/* Tasks read at once: 256 KiB, which stays in the cache for three reads. */
#define CHUNK_ROWS 2048
#define TRIES 4 /* readings of one task that changes all the time */

/* Keeps the row in the file of the task that was just added. */
static bool note_row(struct recording_reader *reader, uint64_t row)
{
    size_t count = reader->snapshot->task_count;
    if (count > reader->row_room &&
        !large_grow((void **)&reader->rows, &reader->row_room, count - 1, 0, sizeof(*reader->rows)))
        return false;
    reader->rows[count - 1] = (uint32_t)row;
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Holders of locks that the file names by their rows. They were taken in the order of their rows.
 */
static void name_owners(const struct recording_reader *reader)
{
    struct snapshot *snapshot = reader->snapshot;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        if (!(task->detail_flags & REC_DETAIL_OWNER_ROW) || task->detail_a == 0)
            continue;
        const uint32_t *row = bsearch(&task->detail_a, reader->rows, snapshot->task_count,
                                      sizeof(*reader->rows), compare_rows);
        task->detail_a = row ? (uint32_t)(row - reader->rows) + 1 : 0;
    }
}

static bool has_any(const struct snapshot_extra *extra)
{
    return extra->os_tid || extra->arg || extra->labels || extra->case_first || extra->case_count ||
           extra->name[0] || extra->object_text;
}

/* What few tasks have, where this one has it. */
static bool take_extra(struct recording_reader *reader, const struct snapshot_extra *extra,
                       struct snapshot_task *task)
{
    if (!has_any(extra))
        return true;
    struct snapshot_extra *row = snapshot_extra_for(reader->snapshot, task);
    if (!row)
        return err_system(reader->err, reader->file.path, ENOMEM);
    *row = *extra;
    return true;
}

/* The cases of the task that was just added are read later: is it still in this wait by then? */
static bool note_select(struct recording_reader *reader, uint64_t row_number,
                        const struct rec_task *row)
{
    if (reader->select_count == reader->select_room &&
        !large_grow((void **)&reader->selects, &reader->select_room, reader->select_count, 0,
                    sizeof(*reader->selects)))
        return err_system(reader->err, reader->file.path, ENOMEM);
    reader->selects[reader->select_count++] = (struct recording_select){
        .id = row->id,
        .row = (uint32_t)row_number,
        .task = (uint32_t)reader->snapshot->task_count - 1,
        .gen = row->gen,
        .seq = row->seq,
    };
    return true;
}

/* Whether the words of a lock, where some are told, belong together. The flag is not set while they
 * change: so what was the same three times has not changed in between. */
static bool are_words_whole(const struct rec_task *first, const struct rec_task *middle,
                            const struct rec_task *last)
{
    return !(middle->detail_flags & REC_DETAIL_LOCK_WORDS) ||
           (last->detail_flags & REC_DETAIL_LOCK_WORDS && first->detail_a == middle->detail_a &&
            middle->detail_a == last->detail_a && first->detail_b == middle->detail_b &&
            middle->detail_b == last->detail_b);
}

/* `first` and `last` were read before and after `middle`: whether the middle one is of one moment.
 * What is told of a wait is complete when its stack, or that there is none, was told before. */
static bool is_consistent(const struct rec_task *first, const struct rec_task *middle,
                          const struct rec_task *last)
{
    return first->id == last->id && first->id == middle->id && first->state == last->state &&
           first->state == middle->state && first->gen == last->gen && first->seq == last->seq &&
           first->seen_gen == last->seen_gen && first->wait_site == middle->wait_site &&
           first->detail_flags == middle->detail_flags && are_words_whole(first, middle, last) &&
           (first->gen == 0 ||
            (first->gen == middle->gen &&
             (middle->gen == middle->seq || middle->wait_flags & REC_WAIT_RESTORED)));
}

/* A flag of the recording, and that of the snapshot which says the same. */
struct flag {
    uint16_t recorded, told;
};

static const struct flag of_waits[] = {
    {REC_WAIT_DEADLINE, SNAPSHOT_DEADLINE},
    {REC_WAIT_FDS, SNAPSHOT_FDS},
    {REC_WAIT_LOCKED, SNAPSHOT_LOCKED},
    {REC_WAIT_CASES, SNAPSHOT_CASES_KNOWN},
};

static const struct flag of_tasks[] = {
    {REC_TASK_MAIN, SNAPSHOT_MAIN},
    {REC_TASK_JOINABLE, SNAPSHOT_JOINABLE},
    {REC_TASK_SYSTEM, SNAPSHOT_SYSTEM},
    {REC_TASK_ABANDONED, SNAPSHOT_ABANDONED},
};

static uint16_t told_as(const struct flag *flags, size_t count, uint16_t recorded)
{
    uint16_t told = 0;
    for (size_t i = 0; i < count; i++) {
        if (recorded & flags[i].recorded)
            told |= flags[i].told;
    }
    return told;
}

/* What the descriptor is that the task in row `number` waits for: row of the texts; 0: not known.
 */
static uint32_t describe(struct recording_reader *reader, uint64_t number,
                         const struct rec_task *row)
{
    char text[RECORDING_DESCRIPTOR_TEXT];
    const struct rec_descriptor *descriptor =
        recording_descriptor_of(&reader->descriptors, number, row);
    if (!descriptor)
        return 0;
    if (!recording_descriptor_text(descriptor, row->detail_flags & REC_DETAIL_LISTENING, text)) {
        reader->snapshot->loss.rows++;
        return 0;
    }
    return builder_add_object_text(reader->texts, text);
}

/* How often the rwlock that a thread waits for is held for reading: row of the texts; 0: it is not,
 * or it waits for something else. Of calls, names are read later. */
static uint32_t describe_readers(struct recording_reader *reader, const struct rec_task *row)
{
    struct rec_call call;
    bool may_be = row->kind == REC_KIND_THREAD && row->gen != 0 && row->detail_b != 0 &&
                  !(row->detail_flags & REC_DETAIL_FDS);
    bool is_written = row->detail_flags & REC_DETAIL_OWNER && row->detail_a != 0;
    if (!may_be || is_written || row->call >= reader->file.tables[REC_TABLE_CALLS].capacity ||
        !rec_file_read(&reader->file, REC_TABLE_CALLS, row->call, 1, &call, sizeof(call), NULL) ||
        (call.op != REC_OP_RWLOCK_RDLOCK && call.op != REC_OP_RWLOCK_WRLOCK))
        return 0;
    return builder_add_readers_text(reader->texts, row->detail_b);
}

static void take_wait(struct recording_reader *reader, uint64_t number, const struct rec_task *row,
                      struct snapshot_task *task, struct snapshot_extra *extra)
{
    uint64_t period_ns = reader->file.header.sample_period_ns;

    task->flags |= SNAPSHOT_PARKED;
    task->flags |= told_as(of_waits, sizeof(of_waits) / sizeof(of_waits[0]), row->wait_flags);
    task->call = row->call;
    extra->arg = row->arg;
    task->object = row->object;
    if (row->wait_flags & REC_WAIT_ASIDE)
        task->object = extra->arg = 0;
    task->wait_number = rec_task_wait(row);
    task->parked_ns = reader->late ? SNAPSHOT_AGE_UNKNOWN : 0;
    if (!rec_task_is_seen(row))
        return; /* begun since the sampler's last walk: nothing more is known */

    task->parked_ns = recording_age(reader, row->since_ns);
    /* The kernel was asked, or the runtime looked into: the task itself does not say that it goes
     * on. Nor does any when the process ended long after the last look: it may have executed
     * another program. */
    bool old = reader->late && (!reader->live || row->flags & REC_TASK_SCANNED);
    if (row->gen == 0 || old) {
        task->parked_ns = recording_age_at(reader->last_walk_ns, row->since_ns);
        if (old || reader->late || !(row->detail_flags & REC_DETAIL_BEGAN))
            task->flags |= SNAPSHOT_AT_LEAST;
    }
    task->wait_site = row->wait_site;
    task->detail_a = row->detail_a;
    task->detail_b = row->detail_b;
    task->detail_flags = row->detail_flags;
    if (row->detail_flags & REC_DETAIL_OWNER && row->detail_a > REC_MAX_TID)
        task->detail_a = 0; /* the memory of the lock was overwritten, or its last owner died */
    if (row->detail_flags & REC_DETAIL_TIMES_OUT)
        task->flags |= SNAPSHOT_DEADLINE;
    if (row->wait_flags & REC_WAIT_ASIDE && row->detail_flags & REC_DETAIL_FDS) {
        task->object = (uint64_t)(int64_t)(int32_t)row->detail_a;
        extra->arg = row->detail_b;
    }
    extra->object_text = describe(reader, number, row);
    if (extra->object_text == 0)
        extra->object_text = describe_readers(reader, row);
    extra->case_first = row->case_count ? row->case_first : 0;
    extra->case_count = row->case_count;
    if (row->since_ns == 0 && row->flags & REC_TASK_SCANNED) {
        task->wait_number = SNAPSHOT_WAITS_UNCOUNTED;
        task->flags |= SNAPSHOT_SETTLED; /* what is told of it was read in one piece */
    }
    /* A walk may take longer than a period: its end does not say that there was a second look, but
     * what the second look tells last does. */
    bool described = row->wait_site != 0 || row->detail_flags & REC_DETAIL_NO_STACK;
    if (described && row->since_ns && reader->last_walk_ns > row->since_ns &&
        reader->last_walk_ns - row->since_ns >= period_ns / 2)
        task->flags |= SNAPSHOT_SETTLED;
}

/* Whether a row holds no task, or one that has ended and that nobody has to join. */
static bool is_left_out(const struct rec_task *row, bool ended)
{
    if (row->state == REC_TASK_FREE || row->id == 0)
        return true;
    if (row->state == REC_TASK_ENDING && ended && !(row->flags & REC_TASK_JOINABLE))
        return true;
    return ended && row->flags & REC_TASK_RELEASED; /* joined, but its slot is still held */
}

/* Adds the task of a row. `moving`: its wait changed while it was read, so it is not parked. */
static bool take_task(struct recording_reader *reader, uint64_t number, const struct rec_task *row,
                      bool moving)
{
    bool ended = row->state == REC_TASK_FINISHED ||
                 (row->state == REC_TASK_ENDING && rec_task_wait(row) == 0 && !moving);
    if (is_left_out(row, ended))
        return true;
    if (row->flags & REC_TASK_WORKER && !snapshot_add_worker(reader->snapshot, row->os_tid))
        return err_system(reader->err, reader->file.path, ENOMEM);
    if (row->flags & REC_TASK_WORKER && rec_task_wait(row) == 0 && !moving)
        return true; /* its runtime's tasks are told, and it does not wait itself */
    if (row->state > REC_TASK_ENDING || row->kind == REC_KIND_NONE ||
        row->kind > REC_KIND_GOROUTINE) {
        reader->snapshot->loss.unreadable++;
        return true;
    }

    struct snapshot_task *task = snapshot_add_task(reader->snapshot);
    if (!task || !note_row(reader, number))
        return err_system(reader->err, reader->file.path, ENOMEM);
    struct snapshot_extra extra = {.os_tid = row->os_tid};
    task->id = row->id;
    task->kind = row->kind;
    task->handle = row->handle;
    task->spawn_site = row->spawn_site;
    if (row->flags & REC_TASK_SCANNED && row->runtime_id) {
        reader->scanned = true;
        task->id = row->runtime_id;
        task->spawner = row->spawner;
        extra.labels = row->labels < UINT32_MAX ? (uint32_t)row->labels : UINT32_MAX;
    }
    memcpy(extra.name, row->name, sizeof(row->name));
    task->flags |= told_as(of_tasks, sizeof(of_tasks) / sizeof(of_tasks[0]), row->flags);
    if (ended) {
        task->flags |= SNAPSHOT_FINISHED;
        if (row->seen_gen == REC_SEEN_FINISHED) {
            task->parked_ns = recording_age(reader, row->since_ns);
        } else if (reader->live && !reader->late) {
            task->parked_ns = 0; /* the sampler has not seen it so yet, and looks soon */
            task->flags |= SNAPSHOT_AT_LEAST;
        }
    } else if (rec_task_wait(row) != 0 && !moving) {
        take_wait(reader, number, row, task, &extra);
    }
    if (reader->live && extra.case_count != 0 && !note_select(reader, number, row))
        return false;
    return take_extra(reader, &extra, task);
}

/* Three readings of rows right after each other. Of a process that has ended there is one, which is
 * each of them: it may have been killed while it published a wait. */
struct looks {
    struct rec_task *first, *middle, *last;
};

static bool is_moving(const struct looks *looks, size_t i)
{
    return !is_consistent(&looks->first[i], &looks->middle[i], &looks->last[i]);
}

static bool read_rows(struct recording_reader *reader, uint64_t first, size_t count,
                      const struct looks *looks, size_t i)
{
    struct rec_task *const readings[] = {looks->first + i, looks->middle + i, looks->last + i};
    for (size_t n = 0; n < (reader->live ? 3 : 1); n++) {
        if (!rec_file_read(&reader->file, REC_TABLE_TASKS, first, count, readings[n],
                           sizeof(**readings), reader->err))
            return false;
    }
    return true;
}

/* Those that changed between two readings are looked at again, a few times. */
static bool settle(struct recording_reader *reader, uint64_t first, size_t count,
                   const struct looks *looks)
{
    for (size_t i = 0; i < count; i++) {
        for (int tries = TRIES; tries > 0 && is_moving(looks, i); tries--) {
            if (!read_rows(reader, first + i, 1, looks, i))
                return false;
        }
    }
    return true;
}

/* A thread that is asleep in a call which it has not published, or a task that waits for a mutex in
 * its call for a condition: what it waits in takes the place of what it published last. */
static void fill_asleep(const struct recording_reader *reader, uint64_t number,
                        struct rec_task *task)
{
    if (!(task->detail_flags & REC_DETAIL_ASLEEP))
        return;
    const struct rec_asleep *row = slot_rows_at(&reader->asleep, number);
    uint32_t wait = rec_task_wait(task);
    if (wait == 0 || !row || row->wait != wait || row->task != task->id) {
        if (task->gen == 0)
            task->detail_flags &= (uint16_t)~REC_DETAIL_PASSING; /* it has gone on meanwhile */
        return;
    }
    task->call = row->call;
    task->wait_flags = row->wait_flags;
    task->object = row->object;
    task->arg = row->arg;
    if (task->gen == 0)
        task->detail_b = rec_asleep_key(task);
}

/* Descriptors, and what threads are asleep in, are written before waits are told with their stacks,
 * and so they are read last. */
static bool read_chunk(struct recording_reader *reader, uint64_t first, size_t count,
                       const struct looks *looks)
{
    bool ok = read_rows(reader, first, count, looks, 0) && settle(reader, first, count, looks) &&
              slot_rows_read(&reader->descriptors, first, count, reader->err) &&
              slot_rows_read(&reader->asleep, first, count, reader->err);
    for (size_t i = 0; ok && i < count; i++) {
        bool moving = is_moving(looks, i);
        fill_asleep(reader, first + i, &looks->middle[i]);
        ok = take_task(reader, first + i, &looks->middle[i], moving);
    }
    return ok;
}

static bool read_chunks(struct recording_reader *reader, const struct looks *looks)
{
    uint64_t rows = rec_file_rows(&reader->file, REC_TABLE_TASKS);
    if (rows > RECORDING_MAX_ROWS) {
        reader->snapshot->loss.unreadable += rows - RECORDING_MAX_ROWS;
        rows = RECORDING_MAX_ROWS;
    }

    bool ok = true;
    uint64_t row = rec_file_next_data(&reader->file, REC_TABLE_TASKS, 0);
    while (ok && row < rows) {
        size_t count = rows - row < CHUNK_ROWS ? (size_t)(rows - row) : CHUNK_ROWS;
        ok = read_chunk(reader, row, count, looks);
        row = rec_file_next_data(&reader->file, REC_TABLE_TASKS, row + count);
    }
    return ok;
}

bool recording_read_tasks(struct recording_reader *reader)
{
    const size_t apart = reader->live ? CHUNK_ROWS : 0;
    struct rec_task *room = malloc(3 * CHUNK_ROWS * sizeof(*room));
    reader->texts = builder_create(reader->snapshot);
    bool ok = slot_rows_init(&reader->descriptors, &reader->file, REC_TABLE_DESCRIPTORS,
                             sizeof(struct rec_descriptor), CHUNK_ROWS);
    ok = slot_rows_init(&reader->asleep, &reader->file, REC_TABLE_ASLEEP, sizeof(struct rec_asleep),
                        CHUNK_ROWS) &&
         ok && room && reader->texts;
    if (!ok)
        err_system(reader->err, reader->file.path, ENOMEM);
    ok = ok && read_chunks(reader, &(struct looks){room, room + apart, room + 2 * apart});
    if (ok && !builder_is_complete(reader->texts))
        ok = err_system(reader->err, reader->file.path, ENOMEM);
    if (ok)
        name_owners(reader);
    builder_destroy(reader->texts);
    reader->texts = NULL;
    slot_rows_deinit(&reader->descriptors);
    slot_rows_deinit(&reader->asleep);
    free(room);
    free(reader->rows);
    reader->rows = NULL;
    return ok;
}
