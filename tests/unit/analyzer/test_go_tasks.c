/* What becomes of goroutines, as the scanner tells of them, in a snapshot. */
#include <stdio.h>
#include <string.h>

#include "analyzer/inspect/go_runtime.h"
#include "tests/unit/analyzer/goroutines_added.h"

#define SYSCALL 3 /* status of a g */

/* What a task has beside the others stays its own, however the tables grow. */
static void extras__of_every_second_task__are_its_own(void **state)
{
    struct added *f = *state;
    for (uint32_t i = 1; i <= 1000; i++) {
        struct go_goroutine it = {.id = i, .os_tid = i % 2 ? 10000 + i : 0};
        add(f, &it);
    }
    assert_int_equal(f->snapshot.task_count, 1000);
    for (uint32_t i = 1; i <= 1000; i++) {
        const struct snapshot_task *task = &f->snapshot.tasks[i - 1];
        assert_int_equal(task->id, i);
        assert_int_equal(task->extra != 0, i % 2);
        assert_int_equal(snapshot_extra(&f->snapshot, task)->os_tid, i % 2 ? 10000 + i : 0);
    }
}

static void parked_sender__is_told_with_its_channel(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.channel = (struct go_channel){.address = 0xc000076120, .known = true};
    it.waiting_since = 980 * SECOND;
    it.locked = true;
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(task->id, 7);
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->spawner, 1);
    assert_int_equal(task->object, 0xc000076120);
    assert_int_equal(task->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED | SNAPSHOT_LOCKED |
                                      SNAPSHOT_AT_LEAST | SNAPSHOT_NOTED);
    assert_string_equal(f->snapshot.calls[task->call].op, "chan send");
    assert_int_equal(f->snapshot.sites[task->wait_site].pc_count, 3);
    assert_int_equal(f->snapshot.pcs[f->snapshot.sites[task->spawn_site].first_pc], 0x4001);

    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_STUCK);
    assert_int_equal(group->oldest_ns, 20 * SECOND);
    assert_evidence(group,
                    "channel 0xc000076120: unbuffered, 1 sender waiting, no receiver waiting");
}

static void quiet_process__says_how_long_at_least(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    add(f, &it);
    it.id = 8;
    it.waiting_since = 900 * SECOND;
    add(f, &it);
    it.id = 9;
    it.moved = true;
    add(f, &it);
    go_tasks_date(&f->tasks, 1000 * SECOND);
    go_tasks_were_quiet(&f->tasks, 30 * SECOND);
    assert_int_equal(f->snapshot.tasks[0].parked_ns, 30 * SECOND);
    assert_true(f->snapshot.tasks[0].flags & SNAPSHOT_AT_LEAST);
    assert_int_equal(f->snapshot.tasks[1].parked_ns, 100 * SECOND);
    assert_int_equal(f->snapshot.tasks[2].parked_ns, SNAPSHOT_AGE_UNKNOWN);
}

static void sleeper__has_a_deadline_by_its_reason(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SLEEPING);
    assert_true(add(f, &it)->flags & SNAPSHOT_DEADLINE);
}

static void moved_goroutine__runs(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.moved = true;
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    assert_int_equal(f->snapshot.tasks[0].wait_site, 0);
}

static void system_call__is_parked_as_its_thread_is(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.parked = false;
    it.status = SYSCALL;
    it.os_tid = 70;
    const struct snapshot_task *task = add(f, &it);
    assert_true(task->flags & SNAPSHOT_PARKED);
    assert_string_equal(f->snapshot.calls[task->call].op, "syscall");
    assert_string_equal(f->snapshot.calls[task->call].name, "read");
    assert_int_equal(f->snapshot.calls[task->call].number, REC_OP_IO_WAIT);
    assert_int_equal(task->object, 5);
    go_tasks_date(&f->tasks, 1000 * SECOND);
    assert_int_equal(task->parked_ns, 5 * SECOND);
    assert_true(task->flags & SNAPSHOT_AT_LEAST);
    it.id = 8;
    it.os_tid = 71; /* which runs */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    it.os_tid = 72; /* which is not there */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
}

/* The runtime's number may be that of the call before. */
static void system_call__goes_by_the_number_of_its_thread(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.parked = false;
    it.status = SYSCALL;
    it.os_tid = 70;
    it.wait_number = 0x142;
    assert_int_equal(add(f, &it)->wait_number, 0x142);
    f->threads[0].switches = 0x123;
    uint32_t number = add(f, &it)->wait_number;
    assert_int_not_equal(number >> 8, 1); /* not taken for one of 8 bits */
    f->threads[0].switches++;
    assert_int_equal(add(f, &it)->wait_number, number + 1);
}

static struct image_thread now; /* thread 70 */

static bool look(struct image *image, struct image_thread *thread)
{
    (void)image;
    *thread = now;
    return now.tid == 70;
}

/* The threads were read before the goroutines. */
static void system_call__of_a_thread_that_moved_on__is_not_told(void **state)
{
    struct added *f = *state;
    const struct image_functions functions = {.look = look};
    f->image.functions = &functions;
    f->threads[0].switches = 7;
    struct go_goroutine it = parked(f, 7, SEND);
    it.parked = false;
    it.status = SYSCALL;
    it.os_tid = 70;
    now = f->threads[0];
    assert_true(add(f, &it)->flags & SNAPSHOT_PARKED);
    now.switches = 8;
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    f->threads[0].switches = 0; /* not known, of one that was stopped */
    assert_true(add(f, &it)->flags & SNAPSHOT_PARKED);
    now.call = 202; /* futex */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    now = (struct image_thread){0}; /* it has ended */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
}

static bool describe_fd(struct image *image, uint32_t tid, int fd, char *to, size_t bytes,
                        bool *ret_listening)
{
    (void)image;
    (void)tid;
    snprintf(to, bytes, "pipe %d", fd);
    *ret_listening = fd == 3;
    return fd < 100;
}

static void descriptors__are_described(void **state)
{
    struct added *f = *state;
    const struct image_functions functions = {.describe_fd = describe_fd};
    f->image.functions = &functions;
    struct go_goroutine it = parked(f, 7, IO);
    it.object_known = true; /* descriptor 0 */
    const struct snapshot_task *task = add(f, &it);
    assert_string_equal(f->snapshot.object_texts[snapshot_extra(&f->snapshot, task)->object_text],
                        "pipe 0");
    assert_false(task->detail_flags & REC_DETAIL_LISTENING);
    it.object = 3;
    assert_true(add(f, &it)->detail_flags & REC_DETAIL_LISTENING);
    it.object = 100;
    assert_int_equal(snapshot_extra(&f->snapshot, add(f, &it))->object_text, 0);
    it.object = UINT64_MAX;
    assert_int_equal(snapshot_extra(&f->snapshot, add(f, &it))->object_text, 0);
    it.object = 0;
    it.object_known = false;
    assert_int_equal(snapshot_extra(&f->snapshot, add(f, &it))->object_text, 0);
}

static void descriptor_0__is_told(void **state)
{
    struct added *f = *state;
    const struct image_functions functions = {.describe_fd = describe_fd};
    f->image.functions = &functions;
    struct go_goroutine it = parked(f, 7, IO);
    it.object_known = true;
    add(f, &it);
    assert_evidence(judge(f, 0), "descriptor 0 (pipe 0), in IO wait");
}

static void ancestors__are_the_stack_of_the_spawn(void **state)
{
    struct added *f = *state;
    const uint64_t kept[] = {0x9001, 0x4001, 0x5001, 0x6001};
    struct go_goroutine it = parked(f, 7, SEND);
    it.ancestor_pcs = kept;
    it.ancestor_count = 4;
    const struct snapshot_task *task = add(f, &it);
    const struct snapshot_site *site = &f->snapshot.sites[task->spawn_site];
    assert_int_equal(site->pc_count, 3);
    assert_int_equal(f->snapshot.pcs[site->first_pc + 2], 0x6001);
    assert_int_equal(site->flags, 0);
}

static void stack_that_could_not_be_read__is_counted(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.stack = NULL;
    assert_int_equal(add(f, &it)->wait_site, 0);
    assert_int_equal(f->tasks.stacks_lost, 1);
}

static void unknown_reason_and_op__are_told_as_that(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.reason = REASONS + 5;
    it.op = 9999;
    const struct snapshot_task *task = add(f, &it);
    assert_string_equal(f->snapshot.calls[task->call].op, "unknown wait reason");
    assert_int_equal(judge(f, 0)->verdict, VERDICT_STUCK);
}

/* Memory from which labels are read: a text at each address. */
struct texts {
    struct mem_reader reader;
    char bytes[256];
    uint64_t labels[5]; /* of each g now, by the goroutine's id */
};

#define LABELS_OFFSET 0x158

static void read_texts(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct texts *texts = (struct texts *)reader;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = (pieces[i].address - LABELS_OFFSET - 0xc000000000) / 0x1000;
        bool of_g = pieces[i].address >= 0xc000000000 && id < 5;
        pieces[i].ok = of_g || pieces[i].address + pieces[i].bytes <= sizeof(texts->bytes);
        if (of_g)
            memcpy(pieces[i].to, &texts->labels[id], sizeof(texts->labels[id]));
        else if (pieces[i].ok)
            memcpy(pieces[i].to, texts->bytes + pieces[i].address, pieces[i].bytes);
    }
}

static size_t read_labels(void *arg, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    ++*(unsigned *)arg;
    if (labels == 0xbad)
        return 0;
    pairs[0] = (struct go_text){0, 3};
    pairs[1] = (struct go_text){3, 4};
    pairs[2] = (struct go_text){10000, 4}; /* is not there */
    pairs[3] = (struct go_text){3, 4};
    return 2;
}

static void labels__are_read_once_a_set(void **state)
{
    struct added *f = *state;
    struct texts texts = {{read_texts}, "keyshop", {0, 0x100, 0x200, 0x100, 0xbad}};
    unsigned calls = 0;
    for (uint64_t id = 1; id <= 4; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.labels = id == 4 ? 0xbad : 0x100;
        add(f, &it);
    }
    go_tasks_label(&f->tasks, read_labels, &calls, &texts.reader, LABELS_OFFSET);
    assert_int_equal(calls, 2);
    const struct snapshot_label_set *set =
        &f->snapshot.label_sets[snapshot_extra(&f->snapshot, &f->snapshot.tasks[0])->labels];
    assert_int_equal(set->count, 1);
    assert_string_equal(f->snapshot.labels[set->first].key, "key");
    assert_string_equal(f->snapshot.labels[set->first].value, "shop");
    assert_int_equal(snapshot_extra(&f->snapshot, &f->snapshot.tasks[2])->labels,
                     snapshot_extra(&f->snapshot, &f->snapshot.tasks[0])->labels);
    assert_int_equal(snapshot_extra(&f->snapshot, &f->snapshot.tasks[3])->labels, 0);
    /* The second one has others by now: what was read may have been anybody's. */
    assert_int_equal(snapshot_extra(&f->snapshot, &f->snapshot.tasks[1])->labels, 0);
}

/* As many as are told at 0x100; elsewhere more, and others. */
static size_t read_many_labels(void *arg, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    bool more = labels != 0x100;
    (void)arg;
    for (size_t i = 0; i < GO_MAX_LABELS; i++) {
        pairs[2 * i] = (struct go_text){0, more ? 3 : 0};
        pairs[2 * i + 1] = (struct go_text){3, 4};
    }
    return GO_MAX_LABELS + more;
}

static void labels__that_are_not_told_whole__are_lost_once_a_set(void **state)
{
    struct added *f = *state;
    struct texts texts = {{read_texts}, "keyshop", {0, 0x100, 0x100, 0x200, 0x300}};
    for (uint64_t id = 1; id <= 4; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.labels = texts.labels[id];
        add(f, &it);
    }
    go_tasks_label(&f->tasks, read_many_labels, NULL, &texts.reader, LABELS_OFFSET);
    assert_int_equal(f->snapshot.loss.rows, 1);
}

/* A program that is linked statically, with cgo: Go's code, C's, and no library. */
static void threads_in_c__of_a_static_program__are_no_workers(void **state)
{
    enum { IN_GO, IN_C, IN_VDSO, ANYWHERE, THREADS };
    static const uint64_t pcs[THREADS] = {[IN_GO] = 0x1500, [IN_C] = 0x2500, [IN_VDSO] = 0x9500};
    struct image_mapping mappings[] = {{.start = 0x1000, .end = 0x3000, .module = 1},
                                       {.start = 0x9000, .end = 0xa000, .module = 2}};
    struct image_module modules[] = {{0}, {.path = "/app"}, {.path = "[vdso]"}, {.path = "/lib"}};
    struct go_runtime runtime = {.module = 1, .scan.functions = {.text = 0x1000, .etext = 0x2000}};
    (void)state;
    for (size_t count = 3; count <= 4; count++) {
        struct image_thread threads[THREADS] = {0};
        struct image image = {.mappings = mappings,
                              .mapping_count = 2,
                              .modules = modules,
                              .module_count = count,
                              .threads = threads,
                              .thread_count = THREADS};
        for (int i = 0; i < THREADS; i++) {
            threads[i].registers.value[IMAGE_REGISTER_PC] = pcs[i];
            threads[i].registers.known = pcs[i] ? 1U << IMAGE_REGISTER_PC : 0;
        }
        go_runtime_mark_threads(&runtime, &image);
        bool alone = count == 3; /* there is no library */
        assert_true(threads[IN_GO].runtime);
        assert_false(threads[IN_C].runtime);
        assert_int_equal(threads[IN_VDSO].runtime, alone);
        assert_int_equal(threads[ANYWHERE].runtime, alone);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, added_set_up, added_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(extras__of_every_second_task__are_its_own),
        TEST(parked_sender__is_told_with_its_channel),
        TEST(quiet_process__says_how_long_at_least),
        TEST(sleeper__has_a_deadline_by_its_reason),
        TEST(moved_goroutine__runs),
        TEST(system_call__is_parked_as_its_thread_is),
        TEST(system_call__goes_by_the_number_of_its_thread),
        TEST(system_call__of_a_thread_that_moved_on__is_not_told),
        TEST(descriptors__are_described),
        TEST(descriptor_0__is_told),
        TEST(ancestors__are_the_stack_of_the_spawn),
        TEST(stack_that_could_not_be_read__is_counted),
        TEST(unknown_reason_and_op__are_told_as_that),
        TEST(labels__are_read_once_a_set),
        TEST(labels__that_are_not_told_whole__are_lost_once_a_set),
        TEST(threads_in_c__of_a_static_program__are_no_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
