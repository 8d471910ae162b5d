#include "analyzer/source/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/debug/go_symbols.h"
#include "analyzer/process/process.h"
#include "analyzer/recording/workers.h"
#include "analyzer/recording/file.h"
#include "analyzer/recording/reader.h"
#include "analyzer/recording/recordings.h"
#include "analyzer/recording/scanned_tasks.h"
#include "analyzer/recording/tables.h"
#include "analyzer/recording/tasks.h"
#include "preload/goscan/layout.h"

/* How the process of a recording stands: by the header's state, and whether it is still there. */
static enum snapshot_end end_of(const struct rec_header *header)
{
    pid_t here;
    switch (header->state) {
    case REC_STATE_EXITED:
        return recordings_exit_hangs(header) ? SNAPSHOT_RUNNING : SNAPSHOT_EXITED;
    case REC_STATE_SIGNALLED:
        return SNAPSHOT_SIGNALLED;
    case REC_STATE_EXEC:
        return SNAPSHOT_EXEC;
    case REC_STATE_RUNNING:
        here = process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id);
        if (here != 0 && recordings_is_written_by(here, header))
            return SNAPSHOT_RUNNING;
        here = process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id);
        return here != 0 ? SNAPSHOT_EXEC : SNAPSHOT_VANISHED;
    default:
        return SNAPSHOT_VANISHED;
    }
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool read_cmdline(struct recording_reader *reader)
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

/* Says which waits were recorded, where not all were. */
static bool tell_classes(struct snapshot *snapshot, uint32_t classes)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } rows[] = {
#define X(name, bit, text) {bit, text},
        REC_CLASSES(X)
#undef X
    };
    char list[64] = "";
    if ((classes & REC_CLASS_ALL) == REC_CLASS_ALL)
        return true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (classes & rows[i].bit)
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? "," : "",
                     rows[i].name);
    return snapshot_note(
        snapshot,
        "only a part of the waits was recorded (LEAKSPY_OPS=%s): tasks that wait otherwise "
        "count as running",
        list);
}

/* Why there are no goroutines of the Go runtime in `path`, which is `what`. */
static bool tell_unread_goroutines(struct snapshot *snapshot, const char *path, const char *what)
{
    unsigned minor;
    const char *version = snapshot->go_version;
    if (!version[0])
        return snapshot_doubt(
            snapshot,
            "%s is %s of Go's own compiler, and its goroutines were not read (it may only have "
            "been starting): only threads are told",
            path, what);
    if (sscanf(version, "go1.%u", &minor) == 1 && minor < GO_MINOR_OLDEST)
        return snapshot_doubt(
            snapshot,
            "%s was built with %s: the goroutines of versions before go1.%d cannot be "
            "told, only threads are",
            path, version, GO_MINOR_OLDEST);
    return snapshot_doubt(
        snapshot,
        "%s was built with %s, which the library that recorded it does not know: its "
        "goroutines were not read, only threads are told",
        path, version);
}

static bool tell_hanging_exit(struct snapshot *snapshot, int32_t exit_code)
{
    return snapshot_doubt(
        snapshot,
        "the process has said that it exits with status %d, and runs still: what libc does last, "
        "as to write out its streams, is not recorded; report on its PID",
        (int)exit_code);
}

static bool is_go_library(const struct snapshot *snapshot, const struct snapshot_module *module)
{
    const char *path = module->path; /* NULL: of a row that was never filled */
    struct go_symbols symbols;
    if (!path || path[0] != '/' || strcmp(path, snapshot->exe) == 0)
        return false;
    go_symbols_read(path, 0, &symbols);
    return symbols.is_go;
}

/* Each Go library in a program that is none of Go has a runtime of its own, and one is looked at.
 */
static bool tell_go_libraries(struct snapshot *snapshot, bool goroutines)
{
    const char *one = NULL;
    for (size_t i = 1; i < snapshot->module_count; i++) {
        const char *path = snapshot->modules[i].path;
        if (!is_go_library(snapshot, &snapshot->modules[i]) || (one && strcmp(path, one) == 0))
            continue;
        if (one)
            return snapshot_doubt(
                snapshot,
                "there are several Go runtimes in the process: the goroutines of one of them are "
                "recorded, and not those of the others (%s, %s)",
                text_basename(one), text_basename(path));
        one = path;
    }
    return !one || goroutines || tell_unread_goroutines(snapshot, one, "a library");
}

static int64_t look_period_ns(const struct rec_header *header)
{
    return (int64_t)(most(header->sample_period_ns, header->rest_ns) & INT64_MAX);
}

/* Which process it was, and how it stands. False: no memory. */
static bool take_process(struct recording_reader *reader, enum snapshot_end end)
{
    struct snapshot *snapshot = reader->snapshot;
    const struct rec_header *header = &reader->file.header;
    snapshot->source = SNAPSHOT_RECORDING;
    snapshot->path = strdup(reader->file.path);
    snapshot->exe = strdup(recording_string(snapshot, header->exe));
    if (!snapshot->path || !snapshot->exe)
        return false;
    snapshot->pid = header->pid;
    if (end == SNAPSHOT_RUNNING) {
        pid_t here = process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id);
        snapshot->pid = here != 0 ? (uint32_t)here : header->pid;
    }
    if (end == SNAPSHOT_EXEC)
        snapshot->continued_in =
            recordings_beside(reader->file.path, header->pid, header->process_start_ticks,
                              header->started_ns + 1, RECORDINGS_OLDEST);
    snapshot->end = end;
    snapshot->has_exit_code = end == SNAPSHOT_EXITED;
    snapshot->exit_code = snapshot->has_exit_code ? header->exit_code : 0;
    snapshot->signal = end == SNAPSHOT_SIGNALLED ? header->exit_code : 0;
    snapshot->runtimes = header->runtimes;
    snprintf(snapshot->go_version, sizeof(snapshot->go_version), "%s",
             recording_string(snapshot, header->go_version));
    /* Of tasks that are looked for, those that came and went between two looks were not seen. */
    snapshot->has_spawned = !(header->runtimes & REC_RUNTIME_GO);
    snapshot->spawned = header->spawned;
    /* The header may have been read while tasks came and went, word by word. */
    snapshot->finished = header->finished < header->spawned ? header->finished : header->spawned;
    return true;
}

static void take_moments(struct recording_reader *reader)
{
    struct snapshot *snapshot = reader->snapshot;
    const struct rec_header *header = &reader->file.header;
    snapshot->started_unix_ns = (int64_t)header->started_unix_ns;
    if (snapshot->end == SNAPSHOT_RUNNING) {
        /* The moment that the ages refer to: to read it all took a while since. */
        snapshot->taken_unix_ns =
            (int64_t)(clock_ns(CLOCK_REALTIME) - (clock_ns(CLOCK_MONOTONIC) - reader->now_ns));
    } else {
        uint64_t lasted_ns =
            reader->now_ns > header->started_ns ? reader->now_ns - header->started_ns : 0;
        snapshot->taken_unix_ns = (int64_t)((header->started_unix_ns + lasted_ns) & INT64_MAX);
    }
    snapshot->look_period_ns = look_period_ns(header);
    snapshot->look_age_ns = recording_age(reader, reader->last_walk_ns);
    /* From now on back, where there is a now: the machine may have slept since the start, or its
     * clock been set. */
    if (reader->last_walk_ns && snapshot->end == SNAPSHOT_RUNNING)
        snapshot->looked_unix_ns = snapshot->taken_unix_ns - snapshot->look_age_ns;
    else if (reader->last_walk_ns)
        snapshot->looked_unix_ns =
            (int64_t)((header->started_unix_ns + reader->last_walk_ns - header->started_ns) &
                      INT64_MAX);
}

static void take_losses(struct recording_reader *reader)
{
    static const enum rec_table_id others[] = {
        REC_TABLE_FRAMES, REC_TABLE_STRINGS,     REC_TABLE_MODULES, REC_TABLE_CALLS,
        REC_TABLE_CASES,  REC_TABLE_DESCRIPTORS, REC_TABLE_ASLEEP};
    const struct rec_header *header = &reader->file.header;
    const struct rec_table *tables = reader->file.tables;
    struct snapshot_loss *loss = &reader->snapshot->loss;
    loss->unreadable += header->unreadable_tasks;
    /* Not what the table of tasks lost: a thread may have asked for a slot twice. */
    loss->tasks += header->lost_tasks;
    /* Not what the table of addresses lost: those are many a stack, each of which is counted here.
     */
    loss->sites += most(header->lost_sites, tables[REC_TABLE_SITES].lost);
    loss->stacks += header->lost_stacks;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        loss->rows += tables[others[i]].lost;
}

/* What the recording leaves out, other than by loss. False: no memory. */
static bool tell_gaps(struct snapshot *snapshot, const struct rec_header *header)
{
    bool is_go = header->runtimes & REC_RUNTIME_GO_PROGRAM;
    bool exit_hangs = snapshot->end == SNAPSHOT_RUNNING && recordings_exit_hangs(header);
    if (exit_hangs && !tell_hanging_exit(snapshot, header->exit_code))
        return false;
    bool goroutines = header->runtimes & REC_RUNTIME_GO;
    if (is_go && !goroutines && !tell_unread_goroutines(snapshot, snapshot->exe, "a program"))
        return false;
    if (!is_go && !tell_go_libraries(snapshot, goroutines))
        return false;
    return tell_classes(snapshot, header->op_classes);
}

/* What the header says, when everything else was read. */
static bool take_header(struct recording_reader *reader, enum snapshot_end end)
{
    if (!take_process(reader, end))
        return err_system(reader->err, reader->file.path, ENOMEM);
    take_moments(reader);
    take_losses(reader);
    if (!tell_gaps(reader->snapshot, &reader->file.header))
        return err_system(reader->err, reader->file.path, ENOMEM);
    return read_cmdline(reader);
}

bool source_recording_await_looks(const char *path, int looks)
{
    const uint64_t second_ns = UINT64_C(1000000000);
    uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + 10 * second_ns, seen_ns = 0;
    struct rec_file file;
    for (bool first = true; rec_file_open(&file, path, NULL); first = false) {
        const struct rec_header header = file.header;
        rec_file_close(&file);
        uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        if (!first && header.last_walk_ns != seen_ns && --looks == 0)
            return true;
        seen_ns = header.last_walk_ns;
        if (now_ns > until_ns || most(seen_ns, header.started_ns) + 2 * second_ns < now_ns ||
            most(header.sample_period_ns, header.rest_ns) > second_ns ||
            end_of(&header) != SNAPSHOT_RUNNING)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

bool source_recording_read(const char *path, struct snapshot *ret, struct err *err)
{
    struct recording_reader reader = {.snapshot = ret, .err = err};
    if (!rec_file_open(&reader.file, path, err))
        return false;

    const struct rec_header *header = &reader.file.header;
    enum snapshot_end end = end_of(header);
    bool ok = true;
    if (header->state == REC_STATE_RUNNING && end != SNAPSHOT_RUNNING) {
        /* It may have said how it ends since the header was read. */
        ok = rec_file_read_header(&reader.file, err);
        end = ok ? end_of(header) : end;
    }
    reader.live = end == SNAPSHOT_RUNNING;
    reader.last_walk_ns = header->last_walk_ns;
    reader.now_ns =
        reader.live ? clock_ns(CLOCK_MONOTONIC) : most(header->last_walk_ns, header->ended_ns);
    reader.late = recording_age(&reader, most(header->last_walk_ns, header->started_ns)) >
                  snapshot_look_is_late_after(look_period_ns(header));

    ok = ok && recording_read_tasks(&reader) && recording_read_tables(&reader);
    if (ok && reader.scanned && !(scanned_tasks_number(ret) && scanned_tasks_label(ret)))
        ok = err_system(err, path, ENOMEM);
    if (ok) {
        recording_check_references(ret);
        ok = take_header(&reader, end);
    }
    if (ok && !workers_find(ret))
        ok = err_system(err, path, ENOMEM);
    free(reader.selects);
    rec_file_close(&reader.file);
    return ok;
}
