/* Recordings as snapshots: which tasks there are, what they wait for and since when, how it ended.
 */
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/recording_read.h"

static void whole_recording__every_field_is_there(void **state)
{
    (void)state;
    struct builder *b = recording_full();

    struct snapshot s;
    recording_read_built(b, &s);
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
    recording_use(&s);
    snapshot_deinit(&s);
}

/* As by PID. What stands in the place of their number belongs to other waits otherwise. */
static void rwlock__that_is_read__says_how_often(void **state)
{
    static const struct {
        enum rec_op op;
        enum rec_kind kind;
        uint16_t flags;
        uint32_t owner, number;
        bool seen;
        const char *said;
    } rows[] = {
        {REC_OP_RWLOCK_WRLOCK, REC_KIND_THREAD, REC_DETAIL_OWNER, 0, 2, true,
         "held for reading 2 times"},
        {REC_OP_RWLOCK_RDLOCK, REC_KIND_THREAD, REC_DETAIL_OWNER, 0, 1, true,
         "held for reading once"},
        {REC_OP_RWLOCK_WRLOCK, REC_KIND_THREAD, 0, 0, 3, true, "held for reading 3 times"},
        {REC_OP_RWLOCK_WRLOCK, REC_KIND_THREAD, REC_DETAIL_OWNER, 0, 0, true, NULL},
        {REC_OP_RWLOCK_RDLOCK, REC_KIND_THREAD, REC_DETAIL_OWNER, 1000, 2, true, NULL},
        {REC_OP_RWLOCK_WRLOCK, REC_KIND_THREAD, REC_DETAIL_OWNER, 0, 2, false, NULL},
        {REC_OP_MUTEX_LOCK, REC_KIND_THREAD, REC_DETAIL_OWNER, 0, 2, true, NULL},
        {REC_OP_IO_WAIT, REC_KIND_THREAD, REC_DETAIL_FDS, 0, 2, true, NULL},
        {REC_OP_RWLOCK_RDLOCK, REC_KIND_GOROUTINE, REC_DETAIL_LOCK_WORDS, 0, 2, true, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = recording_builder_create();
        struct rec_task *task = rows[i].kind == REC_KIND_THREAD
                                    ? builder_thread(b, "waits")
                                    : builder_task(b, rows[i].kind, "waits");
        builder_park(b, task, "call", rows[i].op, 0x500, 12 * SECOND, 0);
        task->detail_flags = rows[i].flags;
        task->detail_a = rows[i].owner;
        task->detail_b = rows[i].number;
        task->seen_gen -= !rows[i].seen;

        struct snapshot s;
        recording_read_built(b, &s);
        uint32_t text = snapshot_extra(&s, &s.tasks[0])->object_text;
        assert_int_equal(text != 0, rows[i].said != NULL);
        if (rows[i].said)
            assert_string_equal(s.object_texts[text], rows[i].said);
        recording_use(&s);
        snapshot_deinit(&s);
    }
}

static void wait_not_seen_by_the_sampler__is_parked_since_now(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "fresh");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 50 * SECOND, 0);
    builder_owner(task, task);
    task->seen_gen = 6; /* what the sampler knows is of the wait before */

    struct snapshot s;
    recording_read_built(b, &s);
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

    struct snapshot s;
    recording_read_built(b, &s);
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

    struct snapshot s;
    recording_read_built(b, &s);
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

    struct snapshot s;
    recording_read_built(b, &s);
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

    struct snapshot s;
    recording_read_built(b, &s);
    for (int i = 0; i < 4; i += 2) {
        assert_true(s.tasks[i].flags & SNAPSHOT_PARKED);
        assert_int_equal(s.tasks[i].wait_number, 7);
        assert_int_equal(s.tasks[i].parked_ns, 50 * SECOND);
        assert_true(s.tasks[i].flags & SNAPSHOT_AT_LEAST);
        assert_false(s.tasks[i + 1].flags & SNAPSHOT_PARKED);
    }
    snapshot_deinit(&s);
}

/* The walk before found the thread elsewhere. Where nobody has looked for long, the age is that of
 * the last look. */
static void lock_that_was_free__is_waited_for_since_the_sampler_saw_it_begin(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_thread(b, "again");
        builder_park(b, task, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 50 * SECOND, 0);
        task->wait_flags = REC_WAIT_PASSING;
        task->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS | REC_DETAIL_BEGAN;
        task->detail_b = rec_passing_key(task);
        task->gen = 0;
        builder_header(b)->state = REC_STATE_EXITED;
        builder_header(b)->ended_ns = builder_header(b)->last_walk_ns + (late ? 10 : 0) * SECOND;

        struct snapshot s;
        recording_read_built(b, &s);
        assert_true(s.tasks[0].flags & SNAPSHOT_PARKED);
        assert_int_equal(s.tasks[0].parked_ns, 50 * SECOND);
        assert_int_equal((s.tasks[0].flags & SNAPSHOT_AT_LEAST) != 0, late);
        snapshot_deinit(&s);
    }
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

    struct snapshot s;
    recording_read_built(b, &s);
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

/* By a row of this wait alone: of the wait before, it is none of it. */
static void waiter_for_a_condition_that_was_woken__waits_for_its_mutex(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *tasks[2];
    for (int i = 0; i < 2; i++) {
        tasks[i] = builder_thread(b, "woken");
        builder_park(b, tasks[i], "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 50 * SECOND, 0);
        struct rec_asleep *row = builder_asleep(b, tasks[i]);
        builder_park(b, tasks[i], "pthread_cond_timedwait", REC_OP_COND_WAIT, 0x600, 20 * SECOND,
                     0);
        row->wait = tasks[i]->gen - (uint32_t)i;
        tasks[i]->wait_flags = REC_WAIT_DEADLINE;
        tasks[i]->detail_flags = REC_DETAIL_ASLEEP;
    }
    const char *path = recording_builder_end(b, builder_path("woken.rec"));

    struct snapshot s;
    struct err err;
    assert_true(recording_read(path, &s, &err));
    const struct snapshot_task *woken = &s.tasks[0], *waits = &s.tasks[1];
    assert_int_equal(s.calls[woken->call].number, REC_OP_MUTEX_LOCK);
    assert_int_equal(woken->object, 0x500);
    assert_int_equal(woken->parked_ns, 20 * SECOND);
    assert_false(woken->flags & SNAPSHOT_DEADLINE);
    assert_int_equal(s.calls[waits->call].number, REC_OP_COND_WAIT);
    assert_int_equal(waits->object, 0x600);
    assert_true(waits->flags & SNAPSHOT_DEADLINE);
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

    struct snapshot s;
    recording_read_built(b, &s);
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

    struct snapshot s;
    recording_read_built(b, &s);
    assert_int_equal(s.task_count, 0);
    snapshot_deinit(&s);
}

static enum snapshot_end end_of(struct builder *b, struct snapshot *s)
{
    const char *path = builder_path("end.rec");
    struct err err;
    builder_write(b, path);
    if (!recording_read(path, s, &err))
        fail_msg("%s", err.why);
    enum snapshot_end end = s->end;
    snapshot_deinit(s);
    return end;
}

static void end__follows_state_and_process(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = recording_full();
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
    assert_true(recording_read(path, &s, &err));
    assert_int_equal(s.end, SNAPSHOT_RUNNING);
    /* Whatever time of the day it was by the clock at its start. */
    assert_int_equal(s.looked_unix_ns, s.taken_unix_ns - s.look_age_ns);
    recording_use(&s);
    snapshot_deinit(&s);

    header->state = REC_STATE_EXITED;
    header->ended_ns = clock_ns(CLOCK_MONOTONIC) + 60 * (uint64_t)SECOND;
    assert_int_equal(end_of(b, &s), SNAPSHOT_EXITED); /* it is about to be gone */
    header->ended_ns = 1;
    builder_write(b, path);
    assert_true(recording_read(path, &s, &err));
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
        assert_true(recording_read(path, &s, &err));
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
        assert_true(recording_read(path, &s, &err));
        assert_int_equal(s.end, SNAPSHOT_RUNNING);
        assert_int_equal(s.tasks[0].parked_ns, looks ? 0 : SNAPSHOT_AGE_UNKNOWN);
        snapshot_deinit(&s);
    }
    recording_builder_destroy(b);
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
        struct builder *b = recording_full();
        builder_header(b)->op_classes = rows[i].classes;

        struct snapshot s;
        recording_read_built(b, &s);
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

    struct snapshot s;
    recording_read_built(b, &s);
    assert_int_equal(s.task_count, 2);
    assert_int_equal(s.tasks[0].object, 7);
    assert_int_equal(snapshot_extra(&s, &s.tasks[0])->arg, 2);
    assert_int_equal(s.tasks[1].object, 0);
    assert_int_equal(snapshot_extra(&s, &s.tasks[1])->arg, 0);
    assert_true(s.tasks[1].flags & SNAPSHOT_FDS);
    recording_use(&s);
    snapshot_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_recording__every_field_is_there),
        cmocka_unit_test(rwlock__that_is_read__says_how_often),
        cmocka_unit_test(wait_not_seen_by_the_sampler__is_parked_since_now),
        cmocka_unit_test(wait_without_what_the_second_look_tells__is_not_settled),
        cmocka_unit_test(wait_whose_number_is_not_the_last__is_believed_only_if_it_was_restored),
        cmocka_unit_test(cases__of_a_wait_that_is_no_select__are_not_told),
        cmocka_unit_test(lock_that_was_free__is_waited_for_as_the_sampler_says),
        cmocka_unit_test(lock_that_was_free__is_waited_for_since_the_sampler_saw_it_begin),
        cmocka_unit_test(thread_asleep__waits_as_long_as_it_publishes_nothing),
        cmocka_unit_test(waiter_for_a_condition_that_was_woken__waits_for_its_mutex),
        cmocka_unit_test(ended_task_that_needs_no_join__is_not_there),
        cmocka_unit_test(joined_thread_whose_slot_is_held__is_not_there),
        cmocka_unit_test(end__follows_state_and_process),
        cmocka_unit_test(thread_that_ended_since_the_last_look__is_not_of_unknown_age),
        cmocka_unit_test(recording_of_some_waits__says_of_which),
        cmocka_unit_test(polled_descriptors__are_those_that_the_sampler_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
