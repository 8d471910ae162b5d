/* Recordings, whole, damaged and foreign, as snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/process/process.h"
#include "analyzer/report/report.h"
#include "analyzer/source/recording.h"
#include "tests/unit/analyzer/recording_builder.h"

/* A recording with something in every table. */
static struct builder *build_full(void)
{
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t wait = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    uint32_t spawn = builder_site(b, (uint64_t[]){0x10030}, 1);
    builder_frame(b, 0x10010, app, "take_lock");
    builder_frame(b, 0x10030, app, "start_workers");

    struct rec_task *main_thread = builder_thread(b, "main");
    main_thread->flags |= REC_TASK_MAIN;
    struct rec_task *worker = builder_thread(b, "worker");
    worker->spawn_site = spawn;
    builder_park(b, worker, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 12 * SECOND, wait);
    builder_owner(worker, main_thread);
    struct rec_task *chooser = builder_task(b, REC_KIND_TASK, "chooser");
    builder_park(b, chooser, "taskrt_select", REC_OP_SELECT, 0, 3 * SECOND, wait);
    uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0x600);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0x700);
    builder_select(chooser, first, 2);
    builder_finish(builder_thread(b, "early"), 20 * SECOND);
    struct rec_task *reader = builder_thread(b, "reader");
    builder_park(b, reader, "read", REC_OP_IO_WAIT, 7, 12 * SECOND, wait);
    snprintf(builder_descriptor(b, reader)->name, sizeof("pipe:[123]"), "pipe:[123]");
    return b;
}

static bool read_path(const char *path, struct snapshot *snapshot, struct err *err)
{
    memset(err, 0, sizeof(*err));
    snapshot_init(snapshot);
    return source_recording_read(path, snapshot, err);
}

/* Everything that a report does, so that no damage goes unnoticed. */
static void use(const struct snapshot *snapshot)
{
    static const struct verdict_options options = {SECOND, 10};
    static const struct report_options report_options = {.threshold_ns = SECOND, .all = true};
    struct waits waits;
    struct verdicts verdicts;
    assert_true(waits_init(&waits, snapshot));
    struct stacks *stacks = stacks_create(snapshot);
    assert_non_null(stacks);
    assert_true(waits_name(&waits, snapshot, stacks));
    assert_true(verdicts_init(&verdicts, snapshot, &waits, &options));
    static FILE *null;
    if (!null)
        null = fopen("/dev/null", "w");
    struct report report = {snapshot, &verdicts, stacks, &report_options};
    assert_true(report_write_text(&report, null));
    assert_true(report_write_json(&report, null));
    verdicts_deinit(&verdicts);
    stacks_destroy(stacks);
    waits_deinit(&waits);
}

static void assert_refused(const char *path, enum err_kind kind, const char *part_of_why)
{
    struct snapshot snapshot;
    struct err err;
    bool ok = read_path(path, &snapshot, &err);
    snapshot_deinit(&snapshot);
    if (ok)
        fail_msg("%s was read, instead of: %s", path, part_of_why);
    if (!strstr(err.why, part_of_why))
        fail_msg("the error is '%s', without '%s'", err.why, part_of_why);
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.what, path);
}

static void assert_bytes_refused(const void *bytes, size_t count, enum err_kind kind,
                                 const char *part_of_why)
{
    const char *path = builder_path("refused.rec");
    builder_write_bytes(path, bytes, count);
    assert_refused(path, kind, part_of_why);
}

static void whole_recording__every_field_is_there(void **state)
{
    (void)state;
    struct builder *b = build_full();
    const char *path = builder_path("whole.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    if (!read_path(path, &s, &err))
        fail_msg("%s", err.why);
    assert_string_equal(s.exe, "/opt/app/server");
    assert_string_equal(s.cmdline[0], "./server");
    assert_string_equal(s.cmdline[1], "--port=1");
    assert_null(s.cmdline[2]);
    assert_int_equal(s.end, SNAPSHOT_VANISHED);
    assert_false(s.has_exit_code);
    assert_int_equal(s.started_unix_ns, BUILDER_STARTED_UNIX_NS);
    assert_int_equal(s.taken_unix_ns, BUILDER_STARTED_UNIX_NS + 100 * SECOND);
    assert_int_equal(s.spawned, 5);
    assert_int_equal(snapshot_lost(&s), 0);

    assert_int_equal(s.task_count, 5);
    assert_int_equal(s.tasks[0].flags, SNAPSHOT_MAIN | SNAPSHOT_JOINABLE);
    assert_int_equal(s.tasks[0].parked_ns, SNAPSHOT_AGE_UNKNOWN);
    assert_string_equal(snapshot_extra(&s, &s.tasks[1])->name, "worker");
    assert_int_equal(s.tasks[1].flags, SNAPSHOT_PARKED | SNAPSHOT_JOINABLE | SNAPSHOT_SETTLED);
    assert_int_equal(s.tasks[1].parked_ns, 12 * SECOND);
    assert_int_equal(s.tasks[1].object, 0x500);
    assert_int_equal(s.tasks[1].detail_a, snapshot_extra(&s, &s.tasks[0])->os_tid);
    assert_string_equal(s.calls[s.tasks[1].call].name, "pthread_mutex_lock");
    assert_string_equal(s.calls[s.tasks[1].call].op, "mutex lock");
    assert_int_equal(snapshot_extra(&s, &s.tasks[2])->case_count, 2);
    assert_int_equal(s.cases[snapshot_extra(&s, &s.tasks[2])->case_first + 1].object, 0x700);
    assert_int_equal(s.tasks[3].flags, SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE);
    assert_int_equal(s.tasks[3].parked_ns, 20 * SECOND);
    assert_string_equal(s.object_texts[snapshot_extra(&s, &s.tasks[4])->object_text], "pipe");

    const struct snapshot_module *module = snapshot_module_of(&s, 0x10010, 1);
    assert_non_null(module);
    assert_string_equal(module->path, "/nowhere/app");
    assert_string_equal(snapshot_function_of(&s, 0x10010, module), "take_lock");
    assert_null(snapshot_function_of(&s, 0x10020, module));
    use(&s);
    snapshot_deinit(&s);
}

static void wait_not_seen_by_the_sampler__is_parked_since_now(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "fresh");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 50 * SECOND, 0);
    builder_owner(task, task);
    task->seen_gen = 6; /* what the sampler knows is of the wait before */
    const char *path = builder_path("fresh.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.tasks[0].flags, SNAPSHOT_PARKED | SNAPSHOT_JOINABLE);
    assert_int_equal(s.tasks[0].parked_ns, 0);
    assert_int_equal(s.tasks[0].detail_flags, 0);
    snapshot_deinit(&s);
}

/* The end of a long walk, some time after a look of it, says nothing of a second look. */
static void wait_without_what_the_second_look_tells__is_not_settled(void **state)
{
    static const struct {
        int64_t parked_ns;
        bool unwound;
        uint16_t detail_flags;
        bool settled;
    } rows[] = {
        {12 * SECOND, true, 0, true},
        {12 * SECOND, false, REC_DETAIL_NO_STACK, true},
        {12 * SECOND, false, 0, false},
        {10 * MILLISECOND, true, 0, false},
    };
    (void)state;
    struct builder *b = recording_builder_create();
    uint32_t wait = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rec_task *task = builder_thread(b, "waits");
        builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, rows[i].parked_ns,
                     rows[i].unwound ? wait : 0);
        task->detail_flags = rows[i].detail_flags;
    }
    const char *path = builder_path("settled.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(s.tasks[i].flags & SNAPSHOT_PARKED);
        assert_int_equal(s.tasks[i].parked_ns, rows[i].parked_ns);
        assert_int_equal(!!(s.tasks[i].flags & SNAPSHOT_SETTLED), rows[i].settled);
    }
    snapshot_deinit(&s);
}

/* A signal handler waited while it was published, and the process was killed before it could be
 * published again: its fields may be the handler's. */
static void wait_whose_number_is_not_the_last__is_believed_only_if_it_was_restored(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (int i = 0; i < 2; i++) {
        struct rec_task *task = builder_thread(b, i ? "restored" : "torn");
        builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND, 0);
        task->seq++;
        task->wait_flags = i ? REC_WAIT_RESTORED : 0;
    }
    const char *path = builder_path("torn.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.tasks[0].flags, SNAPSHOT_JOINABLE);
    assert_int_equal(s.tasks[0].call, 0);
    assert_true(s.tasks[1].flags & SNAPSHOT_PARKED);
    assert_int_equal(s.tasks[1].parked_ns, 12 * SECOND);
    assert_int_equal(s.loss.unreadable, 0);
    snapshot_deinit(&s);
}

/* Recorders left them where the task waited for something else later. */
static void cases__of_a_wait_that_is_no_select__are_not_told(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_TASK, "sender");
    builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500, 3 * SECOND, 0);
    uint32_t first = builder_case(b, REC_OP_CHAN_RECEIVE, 0x600);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0x700);
    builder_select(task, first, 2);
    const char *path = builder_path("cases.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(snapshot_extra(&s, &s.tasks[0])->case_count, 0);
    assert_int_equal(s.loss.unreadable, 0);
    snapshot_deinit(&s);
}

/* A lock that was free when it was asked for: the sampler says whether the task waits for it. */
static void lock_that_was_free__is_waited_for_as_the_sampler_says(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = builder_thread(b, i % 2 == 0 ? "late" : "quick");
        builder_park(b, tasks[i], "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 50 * SECOND, 0);
        tasks[i]->wait_flags = i < 2 ? REC_WAIT_PASSING_COUNTED : REC_WAIT_PASSING;
        tasks[i]->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
        tasks[i]->detail_b = rec_passing_key(tasks[i]);
        tasks[i]->gen = 0;
    }
    tasks[1]->seq++;
    tasks[3]->object++;
    /* Of these, nobody knows whether they go on after the last look. */
    builder_header(b)->ended_ns = builder_header(b)->last_walk_ns + 10 * SECOND;
    const char *path = builder_path("passing.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    for (int i = 0; i < 4; i += 2) {
        assert_true(s.tasks[i].flags & SNAPSHOT_PARKED);
        assert_int_equal(s.tasks[i].wait_number, 7);
        assert_int_equal(s.tasks[i].parked_ns, 50 * SECOND);
        assert_true(s.tasks[i].flags & SNAPSHOT_AT_LEAST);
        assert_false(s.tasks[i + 1].flags & SNAPSHOT_PARKED);
    }
    snapshot_deinit(&s);
}

/* Who has gone on since the sampler looked: by a wait of its own, by a lock that was free; the slot
 * of another thread; a row of another sleep, or of another thread. */
static void thread_asleep__waits_as_long_as_it_publishes_nothing(void **state)
{
    (void)state;
    enum { ASLEEP, PARKED, PASSED, REPLACED, OLD_ROW, OTHERS_ROW, NO_ROW, THREADS };
    struct builder *b = recording_builder_create();
    struct rec_task *tasks[THREADS];
    struct rec_asleep *rows[THREADS];
    for (int i = 0; i < THREADS; i++) {
        tasks[i] = builder_thread(b, "asleep");
        builder_park(b, tasks[i], "read", REC_OP_IO_WAIT, 5, 50 * SECOND, 0);
        rows[i] = builder_asleep(b, tasks[i]);
        /* A lock that it took long ago. */
        tasks[i]->wait_flags = REC_WAIT_PASSING;
        tasks[i]->object = 0x500;
        tasks[i]->detail_b = rec_asleep_key(tasks[i]);
    }
    tasks[PARKED]->gen = ++tasks[PARKED]->seq;
    tasks[PARKED]->call = rows[PARKED]->call;
    tasks[PASSED]->seq++;
    tasks[REPLACED]->id += 100;
    rows[OLD_ROW]->wait--;
    rows[OTHERS_ROW]->task++;
    memset(rows[NO_ROW], 0, sizeof(*rows[NO_ROW]));
    const char *path = builder_path("asleep.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    const struct snapshot_task *asleep = &s.tasks[ASLEEP];
    assert_true(asleep->flags & SNAPSHOT_PARKED);
    assert_true(asleep->flags & SNAPSHOT_AT_LEAST); /* until the last look */
    assert_string_equal(s.calls[asleep->call].name, "read");
    assert_int_equal(asleep->object, 5);
    assert_int_equal(asleep->parked_ns, 50 * SECOND);
    assert_true(s.tasks[PARKED].flags & SNAPSHOT_PARKED);
    assert_int_equal(s.tasks[PARKED].parked_ns, 0); /* a new wait */
    for (int i = PASSED; i < THREADS; i++)
        assert_false(s.tasks[i].flags & SNAPSHOT_PARKED);
    assert_int_equal(s.loss.unreadable, 0);
    snapshot_deinit(&s);
}

static void ended_task_that_needs_no_join__is_not_there(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_thread(b, "detached")->flags = 0;
    builder_thread(b, "joinable");
    for (int i = 0; i < 2; i++) {
        struct rec_task *task = (struct rec_task *)((char *)builder_header(b) + 4096) + 1 + i;
        task->state = REC_TASK_ENDING;
    }
    const char *path = builder_path("ending.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.task_count, 1);
    assert_string_equal(snapshot_extra(&s, &s.tasks[0])->name, "joinable");
    assert_true(s.tasks[0].flags & SNAPSHOT_FINISHED);
    snapshot_deinit(&s);
}

/* While the sampler, which has the lowest priority, holds the slot. */
static void joined_thread_whose_slot_is_held__is_not_there(void **state)
{
    static const uint8_t states[] = {REC_TASK_ENDING, REC_TASK_FINISHED};
    (void)state;
    struct builder *b = recording_builder_create();
    for (size_t i = 0; i < sizeof(states); i++) {
        struct rec_task *task = builder_thread(b, "joined");
        task->state = states[i];
        task->flags = REC_TASK_JOINABLE | REC_TASK_RELEASED | REC_TASK_HOLD;
    }
    const char *path = builder_path("released.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.task_count, 0);
    snapshot_deinit(&s);
}

static enum snapshot_end end_of(struct builder *b, struct snapshot *s)
{
    const char *path = builder_path("end.rec");
    struct err err;
    builder_write(b, path);
    if (!read_path(path, s, &err))
        fail_msg("%s", err.why);
    enum snapshot_end end = s->end;
    snapshot_deinit(s);
    return end;
}

static void end__follows_state_and_process(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_full();
    struct rec_header *header = builder_header(b);
    assert_int_equal(end_of(b, &s), SNAPSHOT_VANISHED);

    /* The process of this test stands for the recorded one. */
    header->pid = (uint32_t)getpid();
    assert_int_equal(end_of(b, &s), SNAPSHOT_VANISHED); /* its start ticks are others */
    assert_int_equal(process_look(getpid(), &header->process_start_ticks), PROCESS_ALIVE);
    const char *path = builder_path("end.rec");
    assert_int_equal(end_of(b, &s), SNAPSHOT_EXEC); /* the process has it not mapped any more */
    uint32_t runtimes = header->runtimes;
    header->runtimes = REC_RUNTIME_GO;
    assert_int_equal(end_of(b, &s), SNAPSHOT_RUNNING); /* somebody else writes it */
    header->runtimes = runtimes;
    builder_write(b, path);
    builder_map(path);
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.end, SNAPSHOT_RUNNING);
    /* Whatever time of the day it was by the clock at its start. */
    assert_int_equal(s.looked_unix_ns, s.taken_unix_ns - s.look_age_ns);
    use(&s);
    snapshot_deinit(&s);

    header->state = REC_STATE_EXITED;
    header->ended_ns = clock_ns(CLOCK_MONOTONIC) + 60 * (uint64_t)SECOND;
    assert_int_equal(end_of(b, &s), SNAPSHOT_EXITED); /* it is about to be gone */
    header->ended_ns = 1;
    builder_write(b, path);
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.end, SNAPSHOT_RUNNING); /* libc's last work takes too long */
    assert_false(s.has_exit_code);
    assert_non_null(s.doubt);
    snapshot_deinit(&s);
    header->state = REC_STATE_RUNNING;
    memset(header->boot_id, 7, sizeof(header->boot_id));
    assert_int_equal(end_of(b, &s), SNAPSHOT_VANISHED); /* of another boot */

    static const struct {
        enum rec_state state;
        enum snapshot_end end;
    } rows[] = {{REC_STATE_EXITED, SNAPSHOT_EXITED},
                {REC_STATE_SIGNALLED, SNAPSHOT_SIGNALLED},
                {REC_STATE_EXEC, SNAPSHOT_EXEC}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        header->state = rows[i].state;
        header->exit_code = 9;
        builder_write(b, path);
        assert_true(read_path(path, &s, &err));
        assert_int_equal(s.end, rows[i].end);
        assert_int_equal(s.has_exit_code, rows[i].end == SNAPSHOT_EXITED);
        assert_int_equal(s.exit_code, rows[i].end == SNAPSHOT_EXITED ? 9 : 0);
        assert_int_equal(s.signal, rows[i].end == SNAPSHOT_SIGNALLED ? 9 : 0);
        snapshot_deinit(&s);
    }
    recording_builder_destroy(b);
}

/* What the sampler has not seen yet was not long ago, unless it does not look any more. */
static void thread_that_ended_since_the_last_look__is_not_of_unknown_age(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    builder_thread(b, "early")->state = REC_TASK_FINISHED;
    header->pid = (uint32_t)getpid();
    assert_int_equal(process_look(getpid(), &header->process_start_ticks), PROCESS_ALIVE);
    const char *path = builder_path("early.rec");
    for (int looks = 0; looks < 2; looks++) {
        struct snapshot s;
        struct err err;
        header->started_ns = header->last_walk_ns = 1; /* when the machine was started */
        if (looks)
            header->last_walk_ns = clock_ns(CLOCK_MONOTONIC);
        builder_write(b, path);
        builder_map(path);
        assert_true(read_path(path, &s, &err));
        assert_int_equal(s.end, SNAPSHOT_RUNNING);
        assert_int_equal(s.tasks[0].parked_ns, looks ? 0 : SNAPSHOT_AGE_UNKNOWN);
        snapshot_deinit(&s);
    }
    recording_builder_destroy(b);
}

static void foreign_file__is_refused(void **state)
{
    (void)state;
    char zeroes[8192] = {0};
    assert_bytes_refused("", 0, ERR_NOT_A_RECORDING, "is empty");
    assert_bytes_refused("hello", 5, ERR_NOT_A_RECORDING, "is not a recording");
    assert_bytes_refused("hello, hello, hello", 19, ERR_NOT_A_RECORDING, "is not a recording");
    assert_bytes_refused(zeroes, sizeof(zeroes), ERR_NOT_A_RECORDING, "not begun yet");
    assert_refused("/proc/self/exe", ERR_NOT_A_RECORDING, "is not a recording");
    assert_refused("/dev/null", ERR_NOT_A_RECORDING, "is not a regular file");
    assert_refused("/", ERR_NOT_A_RECORDING, "is not a regular file");
    assert_refused("/nowhere/at/all.rec", ERR_NOT_FOUND, "No such file");
    const char *fifo = builder_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_refused(fifo, ERR_NOT_A_RECORDING, "is not a regular file");
}

static void other_version__is_refused_with_both_numbers(void **state)
{
    (void)state;
    struct builder *b = build_full();
    struct rec_header *header = builder_header(b);
    size_t count;
    const char *bytes = builder_bytes(b, &count);

    header->major = 2;
    header->minor = REC_MINOR + 1;
    assert_bytes_refused(bytes, count, ERR_NEWER_VERSION, "version 2.9, a newer version than 1.8");
    header->major = 0;
    assert_bytes_refused(bytes, count, ERR_CORRUPT, "version 0");
    header->major = 1;
    header->minor = REC_MINOR + 1;
    builder_table(b, REC_TABLE_TASKS)->version = 3;
    assert_bytes_refused(bytes, count, ERR_NEWER_VERSION, "tasks of version 3");
    builder_table(b, REC_TABLE_TASKS)->version = 1;
    header->magic = __builtin_bswap64(header->magic);
    assert_bytes_refused(bytes, count, ERR_NOT_A_RECORDING, "other byte order");
    recording_builder_destroy(b);
}

static void newer_minor_version__is_read(void **state)
{
    (void)state;
    struct builder *b = build_full();
    builder_header(b)->minor = REC_MINOR + 1;
    builder_header(b)->tables[7].id = 99; /* a table that nobody knows yet, instead of the cases */
    const char *path = builder_path("minor.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    struct snapshot s;
    struct err err;
    if (!read_path(path, &s, &err))
        fail_msg("%s", err.why);
    assert_int_equal(s.task_count, 5);
    use(&s);
    snapshot_deinit(&s);
}

static void longer_rows__are_read(void **state)
{
    (void)state;
    struct builder *b = build_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    size_t longer = count + 65536;
    char *file = calloc(1, longer);
    memcpy(file, bytes, count);

    /* The tasks again, behind everything, in rows of 192 bytes. */
    struct rec_header *header = (struct rec_header *)file;
    struct rec_table *table = &header->tables[REC_TABLE_TASKS - 1];
    for (uint32_t i = 0; i < table->count; i++)
        memcpy(file + count + i * 192, bytes + table->offset + i * 128, 128);
    table->offset = count;
    table->stride = 192;
    header->file_bytes = longer;
    const char *path = builder_path("longer.rec");
    builder_write_bytes(path, file, longer);
    free(file);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    if (!read_path(path, &s, &err))
        fail_msg("%s", err.why);
    assert_int_equal(s.task_count, 5);
    assert_string_equal(snapshot_extra(&s, &s.tasks[1])->name, "worker");
    snapshot_deinit(&s);
}

static void impossible_tables__are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t offset; /* of the field in the first table (tasks) */
        uint64_t value;
        size_t bytes;
    } rows[] = {
        {"its table of tasks is impossible", offsetof(struct rec_table, stride), 64, 4},
        {"its table of tasks is impossible", offsetof(struct rec_table, stride), 1 << 20, 4},
        {"its table of tasks is impossible", offsetof(struct rec_table, offset), 17, 8},
        {"its table of tasks is impossible", offsetof(struct rec_table, offset), 0, 8},
        {"its table of tasks is impossible", offsetof(struct rec_table, version), 0, 4},
        {"ends past the end", offsetof(struct rec_table, offset), UINT64_MAX - 4095, 8},
        {"ends past the end", offsetof(struct rec_table, capacity), UINT32_MAX, 4},
        {"no table of tasks", offsetof(struct rec_table, id), 77, 4},
        {"two tables of sites", offsetof(struct rec_table, id), REC_TABLE_SITES, 4},
    };
    struct builder *b = build_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    char *copy = malloc(count);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(copy, bytes, count);
        memcpy(copy + offsetof(struct rec_header, tables) + rows[i].offset, &rows[i].value,
               rows[i].bytes);
        assert_bytes_refused(copy, count, ERR_CORRUPT, rows[i].what);
    }
    memcpy(copy, bytes, count);
    ((struct rec_header *)copy)->table_count = UINT32_MAX;
    assert_bytes_refused(copy, count, ERR_CORRUPT, "tables");
    memcpy(copy, bytes, count);
    ((struct rec_header *)copy)->state = REC_STATE_STARTING;
    assert_bytes_refused(copy, count, ERR_NOT_A_RECORDING, "only just begun");
    free(copy);
    recording_builder_destroy(b);
}

/* A table that says it has 4,000,000,000 rows in a file that is one hole. */
static void huge_sparse_file__is_read_at_once(void **state)
{
    (void)state;
    struct builder *b = build_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    const char *path = builder_path("sparse.rec");
    struct rec_header *header = builder_header(b);
    struct rec_table *tasks = builder_table(b, REC_TABLE_TASKS);
    struct rec_table *strings = builder_table(b, REC_TABLE_STRINGS);
    struct rec_table *sites = builder_table(b, REC_TABLE_SITES);
    uint64_t tasks_at = 1 << 20;
    *tasks = (struct rec_table){REC_TABLE_TASKS, 1, tasks_at, 128, 4000000000U, 4000000000U, 0};
    *sites = (struct rec_table){REC_TABLE_SITES, 1, tasks_at, 24, 4000000000U, 4000000000U, 0};
    (void)strings;
    header->file_bytes = tasks_at + UINT64_C(4000000000) * 128;
    builder_write_bytes(path, bytes, count);
    if (truncate(path, (off_t)header->file_bytes) != 0)
        skip(); /* the file system does not take such files */
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    bool ok = read_path(path, &s, &err);
    if (!ok)
        assert_int_equal(err.kind, ERR_MEMORY);
    else
        assert_int_equal(s.task_count, 0);
    if (ok)
        assert_true(s.loss.unreadable > 0); /* rows beyond what is looked at, and it says so */
    snapshot_deinit(&s);
}

static void truncated__at_every_length__is_refused(void **state)
{
    (void)state;
    struct builder *b = build_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    const char *path = builder_path("short.rec");
    builder_write_bytes(path, bytes, count);
    for (size_t left = count; left-- > 0;) {
        struct snapshot s;
        struct err err;
        assert_int_equal(truncate(path, (off_t)left), 0);
        bool ok = read_path(path, &s, &err);
        snapshot_deinit(&s);
        if (ok)
            fail_msg("%zu of %zu bytes were read as a recording", left, count);
        if (err.kind != ERR_TRUNCATED && err.kind != ERR_NOT_A_RECORDING)
            fail_msg("%zu of %zu bytes: kind %d, %s", left, count, err.kind, err.why);
    }
    recording_builder_destroy(b);
}

/* Flips every bit of a range: what comes out is an error in words or a snapshot that can be used.
 */
static void flip_range(struct builder *b, uint64_t from, uint64_t to, unsigned *read,
                       unsigned *refused)
{
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    const char *path = builder_path("flipped.rec");
    builder_write_bytes(path, bytes, count);
    int fd = open(path, O_WRONLY);
    for (uint64_t at = from; at < to; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char flipped = (char)(bytes[at] ^ (1 << bit));
            struct snapshot s;
            struct err err;
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
            if (read_path(path, &s, &err)) {
                use(&s);
                ++*read;
            } else {
                assert_int_not_equal(err.kind, ERR_NONE);
                assert_string_not_equal(err.why, "");
                ++*refused;
            }
            snapshot_deinit(&s);
        }
        assert_int_equal(pwrite(fd, &bytes[at], 1, (off_t)at), 1);
    }
    close(fd);
}

static void flipped_bits_of_the_header__never_crash(void **state)
{
    (void)state;
    struct builder *b = build_full();
    unsigned read = 0, refused = 0;
    flip_range(b, 0, sizeof(struct rec_header), &read, &refused);
    assert_int_equal(read + refused, 8 * sizeof(struct rec_header));
    assert_in_range(refused, 8 * 20, 8 * sizeof(struct rec_header)); /* magic, tables … */
    recording_builder_destroy(b);
}

static void flipped_bits_of_the_tables__never_crash(void **state)
{
    (void)state;
    struct builder *b = build_full();
    unsigned read = 0, refused = 0, bits = 0;
    for (unsigned id = 1; id <= REC_TABLE_COUNT; id++) {
        const struct rec_table *table = builder_table(b, id);
        uint64_t bytes = (uint64_t)table->count * table->stride;
        flip_range(b, table->offset, table->offset + bytes, &read, &refused);
        bits += (unsigned)(8 * bytes);
    }
    assert_int_equal(refused, 0); /* rows that make no sense are left out, the others are read */
    assert_int_equal(read, bits);
    recording_builder_destroy(b);
}

static void damaged_rows__are_left_out_and_counted(void **state)
{
    (void)state;
    struct builder *b = build_full();
    struct rec_task *tasks =
        (struct rec_task *)((char *)builder_header(b) + builder_table(b, REC_TABLE_TASKS)->offset);
    tasks[1].kind = 200;
    tasks[2].call = 5000;
    tasks[3].case_count = 9999;
    tasks[4].spawn_site = 77777;
    const char *path = builder_path("damaged.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.task_count, 4);
    assert_int_equal(s.loss.unreadable, 4);
    assert_false(s.tasks[0].flags & SNAPSHOT_PARKED);
    assert_int_equal(snapshot_extra(&s, &s.tasks[1])->case_count, 0);
    assert_int_equal(s.tasks[2].spawn_site, 0);
    use(&s);
    snapshot_deinit(&s);
}

static void losses__are_added_up(void **state)
{
    (void)state;
    struct builder *b = build_full();
    builder_header(b)->lost_tasks = 5;
    builder_header(b)->lost_sites = 3;
    builder_header(b)->lost_stacks = 2;
    builder_table(b, REC_TABLE_TASKS)->lost = 9; /* some of them asked twice */
    builder_table(b, REC_TABLE_PCS)->lost = 7;
    builder_table(b, REC_TABLE_STRINGS)->lost = 1;
    const char *path = builder_path("lossy.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.loss.tasks, 5);
    assert_int_equal(s.loss.sites, 3);
    assert_int_equal(s.loss.stacks, 2);
    assert_int_equal(s.loss.rows, 1);
    assert_int_equal(snapshot_lost_tasks(&s), 5);
    assert_int_equal(snapshot_lost(&s), 11);
    snapshot_deinit(&s);
}

/* Who asked for a part has to see that it is one: all else looks as if it ran. */
static void recording_of_some_waits__says_of_which(void **state)
{
    (void)state;
    static const struct {
        uint32_t classes;
        const char *list;
    } rows[] = {
        {REC_CLASS_ALL, NULL},
        {REC_CLASS_CHAN, "(LEAKSPY_OPS=chan)"},
        {REC_CLASS_LOCK | REC_CLASS_IO, "(LEAKSPY_OPS=lock,io)"},
        {REC_CLASS_ALL & ~REC_CLASS_CHAN, "(LEAKSPY_OPS=lock,join,io,sleep)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = build_full();
        builder_header(b)->op_classes = rows[i].classes;
        const char *path = builder_path("part.rec");
        builder_write(b, path);
        recording_builder_destroy(b);
        struct snapshot s;
        struct err err;
        assert_true(read_path(path, &s, &err));
        assert_int_equal(s.note_count, rows[i].list != NULL);
        if (rows[i].list)
            assert_non_null(strstr(s.notes[0], rows[i].list));
        snapshot_deinit(&s);
    }
}

/* A thread in poll, of which the sampler has told the descriptors, and one of which it has not. */
static struct builder *build_polled(void)
{
    struct builder *b = recording_builder_create();
    uint32_t wait = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    for (int told = 1; told >= 0; told--) {
        struct rec_task *task = builder_thread(b, told ? "told" : "not told");
        builder_park(b, task, "poll", REC_OP_IO_WAIT, 0x7ffc00001000, 12 * SECOND, wait);
        task->wait_flags |= REC_WAIT_FDS | REC_WAIT_ASIDE;
        task->detail_flags = told ? REC_DETAIL_FDS : 0;
        task->detail_a = 7;
        task->detail_b = 2;
    }
    return b;
}

static void polled_descriptors__are_those_that_the_sampler_told(void **state)
{
    (void)state;
    struct builder *b = build_polled();
    const char *path = builder_path("polled.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    struct snapshot s;
    struct err err;
    assert_true(read_path(path, &s, &err));
    assert_int_equal(s.task_count, 2);
    assert_int_equal(s.tasks[0].object, 7);
    assert_int_equal(snapshot_extra(&s, &s.tasks[0])->arg, 2);
    assert_int_equal(s.tasks[1].object, 0);
    assert_int_equal(snapshot_extra(&s, &s.tasks[1])->arg, 0);
    assert_true(s.tasks[1].flags & SNAPSHOT_FDS);
    use(&s);
    snapshot_deinit(&s);
}

/* Every version that ever shipped has a file under tests/formats. */
static void shipped_formats__stay_readable(void **state)
{
    (void)state;
    DIR *dir = opendir(FORMATS_FOLDER);
    assert_non_null(dir);
    unsigned files = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".rec") != 0)
            continue;
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", FORMATS_FOLDER, entry->d_name);
        struct snapshot s;
        struct err err;
        if (!read_path(path, &s, &err))
            fail_msg("%s: %s", path, err.why);
        assert_in_range(s.task_count, 1, 1000000);
        assert_string_not_equal(s.exe, "");
        assert_int_equal(snapshot_lost(&s), 0);
        assert_int_equal(s.note_count, 0);
        use(&s);
        snapshot_deinit(&s);
        files++;
    }
    closedir(dir);
    assert_in_range(files, 1, 1000);
}

int main(int argc, char **argv)
{
    /* "test_source_recording --write FILE" makes the file under tests/formats. */
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        struct builder *b = build_full();
        struct rec_task *late = builder_thread(b, "late");
        builder_park(b, late, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 5 * SECOND, 0);
        late->wait_flags = REC_WAIT_PASSING;
        late->detail_flags |= REC_DETAIL_PASSING | REC_DETAIL_WAITS;
        late->detail_b = rec_passing_key(late);
        late->gen = 0;
        struct rec_task *asleep = builder_thread(b, "asleep");
        builder_park(b, asleep, "read", REC_OP_IO_WAIT, 5, 5 * SECOND, 0);
        builder_asleep(b, asleep);
        builder_header(b)->state = REC_STATE_EXITED;
        builder_write(b, argv[2]);
        recording_builder_destroy(b);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_recording__every_field_is_there),
        cmocka_unit_test(wait_not_seen_by_the_sampler__is_parked_since_now),
        cmocka_unit_test(wait_without_what_the_second_look_tells__is_not_settled),
        cmocka_unit_test(wait_whose_number_is_not_the_last__is_believed_only_if_it_was_restored),
        cmocka_unit_test(cases__of_a_wait_that_is_no_select__are_not_told),
        cmocka_unit_test(lock_that_was_free__is_waited_for_as_the_sampler_says),
        cmocka_unit_test(thread_asleep__waits_as_long_as_it_publishes_nothing),
        cmocka_unit_test(ended_task_that_needs_no_join__is_not_there),
        cmocka_unit_test(joined_thread_whose_slot_is_held__is_not_there),
        cmocka_unit_test(end__follows_state_and_process),
        cmocka_unit_test(thread_that_ended_since_the_last_look__is_not_of_unknown_age),
        cmocka_unit_test(foreign_file__is_refused),
        cmocka_unit_test(other_version__is_refused_with_both_numbers),
        cmocka_unit_test(newer_minor_version__is_read),
        cmocka_unit_test(longer_rows__are_read),
        cmocka_unit_test(impossible_tables__are_refused),
        cmocka_unit_test(huge_sparse_file__is_read_at_once),
        cmocka_unit_test(truncated__at_every_length__is_refused),
        cmocka_unit_test(flipped_bits_of_the_header__never_crash),
        cmocka_unit_test(flipped_bits_of_the_tables__never_crash),
        cmocka_unit_test(damaged_rows__are_left_out_and_counted),
        cmocka_unit_test(losses__are_added_up),
        cmocka_unit_test(recording_of_some_waits__says_of_which),
        cmocka_unit_test(polled_descriptors__are_those_that_the_sampler_told),
        cmocka_unit_test(shipped_formats__stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
