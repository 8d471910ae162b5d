/* Recordings of tasks that were found by looking into their runtime: goroutines of Go's own. */
#include "analyzer/naming/stacks.h"
#include "analyzer/naming/waits.h"
#include "analyzer/verdict/verdict.h"
#include "tests/unit/analyzer/recording_read.h"

static struct rec_task *goroutine(struct builder *b, uint64_t number, uint64_t spawner)
{
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    task->flags |= REC_TASK_SCANNED;
    task->runtime_id = number;
    task->spawner = spawner;
    task->labels = 0;
    return task;
}

/* A Go program with a worker thread of the runtime, one of its own that waits in C, and goroutines
 * numbered like their threads. */
static struct builder *build_go(void)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->runtimes |= REC_RUNTIME_GO;
    header->go_version = builder_string(b, "go1.24.3");
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t wait = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    uint32_t spawn = builder_site(b, (uint64_t[]){0x10030}, 1);
    builder_frame(b, 0x10010, app, "main.sum");
    builder_frame(b, 0x10030, app, "main.sumConcurrent");

    builder_thread(b, "worker")->flags |= REC_TASK_WORKER;
    struct rec_task *in_c = builder_thread(b, "in C");
    in_c->flags |= REC_TASK_WORKER;
    builder_park(b, in_c, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 12 * SECOND, wait);

    struct rec_task *first = goroutine(b, 1002, 1); /* as the second thread's tid */
    builder_park(b, first, "chan send", REC_OP_CHAN_SEND, 0xc000, 12 * SECOND, wait);
    first->spawn_site = spawn;
    first->wait_flags |= REC_WAIT_LOCKED;
    struct rec_task *second = goroutine(b, 2000, 1002);
    builder_park(b, second, "read", REC_OP_IO_WAIT, 7, 12 * SECOND, wait);
    uint32_t count = builder_table(b, REC_TABLE_CALLS)->count;
    ((struct rec_call *)((char *)header + builder_table(b, REC_TABLE_CALLS)->offset))[count - 1]
        .flags = REC_CALL_SYSTEM;
    goroutine(b, 2001, 1002);

    /* The labels stand last: what follows is the NUL of an empty key. */
    first->labels = builder_string(b, "request");
    builder_string(b, "42");
    builder_string(b, "user");
    builder_string(b, "somebody");
    second->labels = first->labels;
    return b;
}

static const struct snapshot_task *find(const struct snapshot *s, uint64_t id)
{
    const struct snapshot_task *found = NULL;
    for (size_t i = 0; i < s->task_count; i++) {
        if (s->tasks[i].id != id)
            continue;
        assert_null(found); /* ids are unique */
        found = &s->tasks[i];
    }
    assert_non_null(found);
    return found;
}

/* Of a coroutine nobody knows when it ran last. */
static void wait__without_a_beginning__has_no_age(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = recording_builder_create();
    uint32_t wait = builder_site(b, (uint64_t[]){0x10010}, 1);
    struct rec_task *coroutine = goroutine(b, 7, 1);
    builder_park(b, coroutine, "coroutine", REC_OP_NONE, 0, SECOND, wait);
    coroutine->since_ns = 0;
    recording_read_built(b, &s);
    const struct snapshot_task *task = find(&s, 7);
    assert_int_equal(task->parked_ns, SNAPSHOT_AGE_UNKNOWN);
    assert_int_equal(task->wait_number, SNAPSHOT_WAITS_UNCOUNTED);
    assert_true(task->flags & SNAPSHOT_SETTLED);
    assert_int_not_equal(task->wait_site, 0);
    snapshot_deinit(&s);
}

static void goroutines__go_by_the_numbers_of_their_runtime(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_go();
    recording_read_built(b, &s);
    assert_string_equal(s.go_version, "go1.24.3");
    assert_int_equal(s.task_count, 4);
    const struct snapshot_task *first = find(&s, 1002);
    assert_int_equal(first->kind, REC_KIND_GOROUTINE);
    assert_int_equal(first->spawner, 1);
    assert_true(first->flags & SNAPSHOT_LOCKED);
    assert_int_equal(find(&s, 2001)->spawner, 1002);
    assert_false(find(&s, 2001)->flags & SNAPSHOT_PARKED);
    /* The thread whose number is taken got another one. */
    assert_int_equal(snapshot_extra(&s, find(&s, 2002))->os_tid, 1002);
    snapshot_deinit(&s);
}

/* The note of a recording whose goroutines were not read; NULL: there is none, nor a doubt. */
static void assert_doubt(uint32_t runtimes, const char *version, const char *part)
{
    struct snapshot s;
    struct builder *b = recording_builder_create();
    builder_header(b)->runtimes = runtimes;
    if (version)
        builder_header(b)->go_version = builder_string(b, version);
    builder_thread(b, "main");
    recording_read_built(b, &s);
    assert_int_equal(s.note_count, part ? 1 : 0);
    assert_int_equal(s.doubt != NULL, part != NULL);
    if (part) {
        assert_non_null(strstr(s.notes[0], part));
        assert_string_equal(s.doubt, s.notes[0]);
    }
    snapshot_deinit(&s);
}

static void goroutines__that_were_not_read__are_told_to_be_missing(void **state)
{
    (void)state;
    const uint32_t program = REC_RUNTIME_PTHREAD | REC_RUNTIME_GO_PROGRAM;
    assert_doubt(program, NULL, "its goroutines were not read");
    assert_doubt(program, "go1.17.5", "of versions before go1.18 cannot be told");
    assert_doubt(program, "go1.99", "which the library that recorded it does not know");
    assert_doubt(program, "devel +1234", "which the library that recorded it does not know");
    assert_doubt(program | REC_RUNTIME_GO, "go1.24.3", NULL);
    assert_doubt(REC_RUNTIME_PTHREAD | REC_RUNTIME_GO, "go1.24.3", NULL); /* of an older library */
    assert_doubt(REC_RUNTIME_PTHREAD, NULL, NULL);
}

static void thread__that_runs_goroutines__is_told_where_it_waits_itself(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_go();
    recording_read_built(b, &s);
    unsigned threads = 0;
    for (size_t i = 0; i < s.task_count; i++) {
        if (s.tasks[i].kind != REC_KIND_THREAD)
            continue;
        assert_string_equal(snapshot_extra(&s, &s.tasks[i])->name, "in C");
        threads++;
    }
    assert_int_equal(threads, 1);
    snapshot_deinit(&s);
}

static void spawns__that_were_not_all_seen__are_not_counted(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_go();
    builder_header(b)->unreadable_tasks = 3;
    recording_read_built(b, &s);
    assert_false(s.has_spawned);
    assert_int_equal(s.loss.unreadable, 3);
    snapshot_deinit(&s);
}

static void goroutine__in_a_system_call__is_said_to_be_in_one(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_go();
    recording_read_built(b, &s);
    const struct snapshot_call *call = &s.calls[find(&s, 2000)->call];
    assert_string_equal(call->op, "syscall");
    assert_string_equal(call->name, "read");
    assert_int_equal(call->number, REC_OP_IO_WAIT);
    snapshot_deinit(&s);
}

static void labels__shared_by_tasks__are_one_set(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_go();
    recording_read_built(b, &s);
    const struct snapshot_task *first = find(&s, 1002);
    assert_int_not_equal(snapshot_extra(&s, first)->labels, 0);
    assert_int_equal(snapshot_extra(&s, find(&s, 2000))->labels, snapshot_extra(&s, first)->labels);
    assert_int_equal(snapshot_extra(&s, find(&s, 2001))->labels, 0);
    const struct snapshot_label_set *set = &s.label_sets[snapshot_extra(&s, first)->labels];
    assert_int_equal(set->count, 2);
    assert_string_equal(s.labels[set->first].key, "request");
    assert_string_equal(s.labels[set->first].value, "42");
    assert_string_equal(s.labels[set->first + 1].key, "user");
    assert_string_equal(s.labels[set->first + 1].value, "somebody");
    snapshot_deinit(&s);
}

static void labels__that_are_not_there__are_lost(void **state)
{
    (void)state;
    struct snapshot s;
    struct builder *b = build_go();
    struct rec_header *header = builder_header(b);
    struct rec_task *tasks =
        (struct rec_task *)((char *)header + builder_table(b, REC_TABLE_TASKS)->offset);
    tasks[3].labels = 1 << 30;
    tasks[4].labels = UINT64_MAX;
    recording_read_built(b, &s);
    assert_int_equal(snapshot_extra(&s, find(&s, 1002))->labels, 0);
    assert_int_equal(snapshot_extra(&s, find(&s, 2000))->labels, 0);
    assert_in_range(s.loss.rows, 1, 2);
    recording_use(&s);
    snapshot_deinit(&s);
}

static void lock__what_it_says_of_itself__is_told(void **state)
{
    static const struct {
        const char *call;
        enum rec_op op;
        int32_t state, leaving;
        const char *said;
    } rows[] = {
        {"sync.WaitGroup.Wait", REC_OP_WAITGROUP_WAIT, 4, 0,
         "waitgroup 0x500: 1 task waiting; counter 4: Done is missing 4 times"},
        {"sync.RWMutex.RLock", REC_OP_RWLOCK_RDLOCK, -1073741822, 2,
         "rwlock 0x500: held for reading 2 times (by whom is not known), and a writer waits ahead; "
         "1 waiting for it"},
        {"sync.RWMutex.RLock", REC_OP_RWLOCK_RDLOCK, -1073741824, 0,
         "rwlock 0x500: held for writing (by whom is not known); 1 waiting for it"},
        {"sync.Mutex.Lock", REC_OP_MUTEX_LOCK, 0, 0,
         "mutex 0x500: unlocked, and it counts no waiter: it was overwritten; 1 waiting for it"},
    };
    static const struct verdict_options options = {SECOND, 10};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct snapshot s;
        struct waits waits;
        struct verdicts verdicts;
        struct builder *b = recording_builder_create();
        uint32_t wait = builder_site(b, (uint64_t[]){0x10010}, 1);
        struct rec_task *task = goroutine(b, 7, 1);
        builder_park(b, task, rows[i].call, rows[i].op, 0x500, 12 * SECOND, wait);
        task->detail_flags = REC_DETAIL_LOCK_WORDS;
        task->detail_a = (uint32_t)rows[i].state;
        task->detail_b = (uint32_t)rows[i].leaving;
        recording_read_built(b, &s);
        assert_true(waits_init(&waits, &s));
        struct stacks *stacks = stacks_create(&s);
        assert_true(waits_name(&waits, &s, stacks));
        assert_true(verdicts_init(&verdicts, &s, &waits, &options));
        assert_int_equal(verdicts.count, 1);
        assert_string_equal(verdicts.groups[0].evidence[0], rows[i].said);
        verdicts_deinit(&verdicts);
        stacks_destroy(stacks);
        waits_deinit(&waits);
        snapshot_deinit(&s);
    }
}

static void flipped_bits__never_crash(void **state)
{
    (void)state;
    struct builder *b = build_go();
    const char *path = builder_path("flipped.rec");
    const struct rec_table *table = builder_table(b, REC_TABLE_TASKS);
    char *rows = (char *)builder_header(b) + table->offset;
    size_t bytes = (size_t)table->count * table->stride;
    for (size_t bit = 0; bit < 8 * bytes; bit += 3) {
        struct snapshot s;
        struct err err;
        rows[bit / 8] ^= (char)(1 << bit % 8);
        builder_write(b, path);
        if (!recording_read(path, &s, &err))
            fail_msg("%s", err.why);
        recording_use(&s);
        snapshot_deinit(&s);
        rows[bit / 8] ^= (char)(1 << bit % 8);
    }
    recording_builder_destroy(b);
}

int main(int argc, char **argv)
{
    /* "test_scanned_tasks --write FILE" makes the file under tests/formats. */
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        struct builder *b = build_go();
        builder_header(b)->state = REC_STATE_EXITED;
        recording_builder_end(b, argv[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait__without_a_beginning__has_no_age),
        cmocka_unit_test(goroutines__go_by_the_numbers_of_their_runtime),
        cmocka_unit_test(goroutines__that_were_not_read__are_told_to_be_missing),
        cmocka_unit_test(thread__that_runs_goroutines__is_told_where_it_waits_itself),
        cmocka_unit_test(spawns__that_were_not_all_seen__are_not_counted),
        cmocka_unit_test(goroutine__in_a_system_call__is_said_to_be_in_one),
        cmocka_unit_test(labels__shared_by_tasks__are_one_set),
        cmocka_unit_test(labels__that_are_not_there__are_lost),
        cmocka_unit_test(lock__what_it_says_of_itself__is_told),
        cmocka_unit_test(flipped_bits__never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
