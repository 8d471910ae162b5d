/* Goroutines of libgo from memory that holds them, that moves while it is read, and that was made
 * to mislead. */
#include "analyzer/inspect/go_tasks.h"
#include "analyzer/inspect/libgo.h"
#include "preload/goscan/libgo_layout.h"
#include "preload/goscan/reasons.h"
#include "tests/unit/analyzer/inspect_here.h"

#define GOROUTINES 8

static unsigned char gs[GOROUTINES][LIBGO_G_BYTES] __attribute__((aligned(8)));
static unsigned char sudogs[4][LIBGO_SUDOG_BYTES] __attribute__((aligned(8)));
static unsigned char hchans[2][LIBGO_CHAN_BYTES] __attribute__((aligned(8)));
static uint64_t all_gs[GOROUTINES];
static uint64_t all_g_pointer, all_g_count;
static struct libgo_runtime runtime;

static void put(unsigned char *to, size_t offset, uint64_t word)
{
    memcpy(to + offset, &word, sizeof(word));
}

static uint8_t reason_of(const char *text)
{
    for (uint32_t i = 0; i < runtime.reason_count; i++) {
        if (strcmp(runtime.reasons[i].text, text) == 0)
            return (uint8_t)i;
    }
    fail_msg("no reason %s", text);
    return 0;
}

static void add_reason(const char *text)
{
    const struct go_reason_rule *rule = go_reason_rule(text);
    struct go_reason *reason = &runtime.reasons[runtime.reason_count++];
    snprintf(reason->text, sizeof(reason->text), "%s", text);
    reason->op = rule->op;
    reason->object = rule->object;
    reason->lock = rule->lock;
    reason->idle = rule->idle;
    reason->deadline = rule->deadline;
}

static void make_goroutines(void)
{
    memset(gs, 0, sizeof(gs));
    memset(sudogs, 0, sizeof(sudogs));
    memset(hchans, 0, sizeof(hchans));
    runtime = (struct libgo_runtime){.module = 1,
                                     .all_g_pointer = (uintptr_t)&all_g_pointer,
                                     .all_g_count = (uintptr_t)&all_g_count};
    add_reason("chan send");
    add_reason("select");
    add_reason("sleep");
    add_reason("force gc (idle)");
    all_g_pointer = (uintptr_t)all_gs;
    all_g_count = GOROUTINES;
    for (uint64_t i = 0; i < GOROUTINES; i++) {
        all_gs[i] = (uintptr_t)gs[i];
        put(gs[i], LIBGO_G_STATUS, 4);
        put(gs[i], LIBGO_G_GOID, i + 1);
        put(gs[i], LIBGO_G_GOPC, 0x5000);
        gs[i][LIBGO_G_WAITREASON] = reason_of("sleep");
        gs[i][LIBGO_G_TRACKINGSEQ] = (unsigned char)(i + 7);
    }
    put(hchans[0], LIBGO_CHAN_CAPACITY, 3);
    put(hchans[0], LIBGO_CHAN_LENGTH, 2);
}

static void wait_in(int sudog, int g, int channel, bool send)
{
    put(sudogs[sudog], LIBGO_SUDOG_G, (uintptr_t)gs[g]);
    put(sudogs[sudog], LIBGO_SUDOG_CHAN, (uintptr_t)hchans[channel]);
    put(hchans[channel], send ? LIBGO_CHAN_SENDERS : LIBGO_CHAN_RECEIVERS,
        (uintptr_t)sudogs[sudog]);
}

static void waits_of_goroutines__are_told(void **state)
{
    (void)state;
    make_goroutines();
    gs[0][LIBGO_G_WAITREASON] = reason_of("chan send");
    put(gs[0], LIBGO_G_WAITING, (uintptr_t)sudogs[0]);
    wait_in(0, 0, 0, true);
    gs[1][LIBGO_G_WAITREASON] = reason_of("select");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 1, 0, false);
    put(sudogs[1], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[2]);
    wait_in(2, 1, 1, true);
    gs[2][LIBGO_G_WAITREASON] = reason_of("force gc (idle)");
    gs[2][LIBGO_G_SYSTEM] = 1;
    put(gs[3], LIBGO_G_STATUS, 2);
    put(gs[4], LIBGO_G_STATUS, 0x1004); /* the collector looks at it */
    put(gs[5], LIBGO_G_STATUS, 6);
    put(gs[6], LIBGO_G_STATUS, 1);
    inspection_begin();
    image.taken_monotonic_ns = 9000;
    put(gs[4], LIBGO_G_WAITSINCE, 2000);
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES - 1); /* one is dead */
    assert_int_equal(snapshot.loss.unreadable, 0);

    const struct snapshot_task *task = task_of(1);
    assert_string_equal(op_of(task), "chan send");
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->object, (uintptr_t)hchans[0]);
    assert_int_equal(task->detail_a, 3);
    assert_int_equal(task->detail_b, 2);
    assert_int_equal(task->wait_number, 0x107);
    task = task_of(2);
    assert_int_equal(snapshot_extra(&snapshot, task)->case_count, 2);
    assert_int_equal(snapshot.cases[snapshot_extra(&snapshot, task)->case_first].op,
                     REC_OP_CHAN_RECEIVE);
    assert_int_equal(snapshot.cases[snapshot_extra(&snapshot, task)->case_first + 1].op,
                     REC_OP_CHAN_SEND);
    assert_true(task_of(3)->flags & SNAPSHOT_SYSTEM);
    assert_false(task_of(4)->flags & SNAPSHOT_PARKED);
    task = task_of(5);
    assert_true(task->flags & SNAPSHOT_PARKED);
    assert_true(task->flags & SNAPSHOT_DEADLINE);
    assert_int_equal(task->parked_ns, 7000);
    assert_false(task_of(7)->flags & SNAPSHOT_PARKED);
    inspection_end();
}

static void move_first(uint64_t address, size_t bytes)
{
    if (address <= (uintptr_t)gs[0] && (uintptr_t)gs[0] < address + bytes)
        gs[0][LIBGO_G_TRACKINGSEQ]++;
}

static void goroutine_that_moves__runs(void **state)
{
    (void)state;
    make_goroutines();
    inspection_begin();
    memory.before_read = move_first;
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES);
    assert_false(task_of(1)->flags & SNAPSHOT_PARKED);
    assert_true(task_of(2)->flags & SNAPSHOT_PARKED);
    inspection_end();
}

static void sudogs_that_go_round__end(void **state)
{
    (void)state;
    make_goroutines();
    gs[1][LIBGO_G_WAITREASON] = reason_of("select");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 1, 0, false);
    put(sudogs[1], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[1]);
    put(sudogs[1], LIBGO_SUDOG_PREV, (uintptr_t)sudogs[1]);
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES);
    assert_false(task_of(2)->flags & SNAPSHOT_PARKED);
    inspection_end();
}

/* Behind the first one, so that only the number of them tells. */
static void sudogs_without_end__are_told_as_more_than_are_kept(void **state)
{
    (void)state;
    make_goroutines();
    gs[1][LIBGO_G_WAITREASON] = reason_of("select");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 1, 0, false);
    wait_in(2, 1, 1, false);
    put(sudogs[1], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[2]);
    put(sudogs[2], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[2]);
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot_extra(&snapshot, task_of(2))->case_count, GO_MAX_CASES);
    assert_int_equal(snapshot_extra(&snapshot, task_of(2))->arg, GO_MAX_CASES + 1);
    assert_in_range(memory.pieces, 1, 1000);
    inspection_end();
}

/* Nothing at g.waiting may also mean that it is kept elsewhere. */
static void select_without_cases__is_believed_where_another_has_some(void **state)
{
    (void)state;
    for (int found = 0; found <= 1; found++) {
        make_goroutines();
        gs[1][LIBGO_G_WAITREASON] = reason_of("select");
        gs[2][LIBGO_G_WAITREASON] = reason_of("chan send");
        if (found) {
            put(gs[2], LIBGO_G_WAITING, (uintptr_t)sudogs[0]);
            wait_in(0, 2, 0, true);
        }
        inspection_begin();
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_true(task_of(2)->flags & SNAPSHOT_PARKED);
        assert_int_equal(snapshot_extra(&snapshot, task_of(2))->arg, 0);
        assert_int_equal((task_of(2)->flags & SNAPSHOT_CASES_KNOWN) != 0, found);
        inspection_end();
    }
}

/* ---- Timers of libgo: one of the only processor, on the first channel ---- */

static unsigned char processor[LIBGO_P_TIMERS + 16] __attribute__((aligned(8)));
static unsigned char timer[LIBGO_TIMER_BYTES] __attribute__((aligned(8)));
static uint64_t all_p[2], processors[1], timers[1], send_time;

static void make_timer(void)
{
    make_goroutines();
    add_reason("chan receive");
    gs[1][LIBGO_G_WAITREASON] = reason_of("chan receive");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[0]);
    wait_in(0, 1, 0, false);
    gs[2][LIBGO_G_WAITREASON] = reason_of("chan receive");
    put(gs[2], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 2, 1, false);
    send_time = 0x7000;
    put(timer, LIBGO_TIMER_FUNCTION, (uintptr_t)&send_time);
    put(timer, LIBGO_TIMER_ARG + 8, (uintptr_t)hchans[0]);
    put(timer, LIBGO_TIMER_STATUS, 1);
    timers[0] = (uintptr_t)timer;
    put(processor, LIBGO_P_TIMERS, (uintptr_t)timers);
    put(processor, LIBGO_P_TIMERS + 8, 1);
    processors[0] = (uintptr_t)processor;
    all_p[0] = (uintptr_t)processors;
    all_p[1] = 1;
    runtime.all_p = (uintptr_t)all_p;
    runtime.send_time = 0x7000;
}

static void timer_that_is_set__is_the_deadline_of_who_receives(void **state)
{
    (void)state;
    for (uint64_t status = 0; status <= 1; status++) {
        make_timer();
        put(timer, LIBGO_TIMER_STATUS, status);
        inspection_begin();
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_int_equal((task_of(2)->flags & SNAPSHOT_DEADLINE) != 0, status);
        assert_false(task_of(3)->flags & SNAPSHOT_DEADLINE);
        assert_int_equal(snapshot.note_count, 0);
        inspection_end();
    }
}

static void timers_that_cannot_be_read__are_said(void **state)
{
    (void)state;
    for (int what = 0; what < 5; what++) {
        make_timer();
        if (what == 0)
            runtime.send_time = 0; /* its symbol was taken out */
        else if (what == 1)
            all_p[1] = UINT64_MAX;
        else if (what == 2)
            processors[0] = 8;
        else if (what == 3)
            put(processor, LIBGO_P_TIMERS + 8, UINT64_C(1) << 40);
        else
            timers[0] = 8;
        inspection_begin();
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_false(task_of(2)->flags & SNAPSHOT_DEADLINE);
        assert_int_equal(snapshot.note_count, 1);
        assert_string_equal(snapshot.notes[0], go_tasks_timers_unknown);
        assert_in_range(memory.pieces, 1, 1000);
        inspection_end();
    }
}

static void timers__of_which_nobody_receives__are_not_missed(void **state)
{
    (void)state;
    make_goroutines();
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.note_count, 0);
    inspection_end();
}

/* ---- Lists of goroutines ---- */

#define LONG_LIST (UINT64_C(1) << 19)

static void long_list_of_nothing__is_given_up(void **state)
{
    (void)state;
    uint64_t *list = malloc(LONG_LIST * sizeof(*list));
    assert_non_null(list);
    for (uint64_t i = 0; i < LONG_LIST; i++)
        list[i] = 8;
    make_goroutines();
    list[0] = (uintptr_t)gs[0];
    all_g_pointer = (uintptr_t)list;
    all_g_count = LONG_LIST;
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 1);
    assert_int_equal(snapshot.loss.unreadable, LONG_LIST - 1);
    assert_in_range(memory.pieces, 1, LONG_LIST);
    inspection_end();
    free(list);
}

static void list__that_the_memory_cannot_hold__is_none(void **state)
{
    struct image_mapping mapping = {.start = 0x10000, .end = 0x11000};
    (void)state;
    make_goroutines();
    inspection_begin();
    image.mappings = &mapping;
    image.mapping_count = 1;
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_non_null(snapshot.doubt);
    inspection_end();

    make_goroutines();
    inspection_begin();
    mapping.end = mapping.start + GOROUTINES * (uint64_t)LIBGO_G_BYTES;
    image.mappings = &mapping;
    image.mapping_count = 1;
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES);
    inspection_end();
}

static void lists_of_goroutines_that_are_none__are_said(void **state)
{
    (void)state;
    make_goroutines();
    all_g_count = UINT64_MAX;
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_non_null(snapshot.doubt);
    inspection_end();

    make_goroutines();
    all_g_pointer = 8;
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_non_null(snapshot.doubt);
    inspection_end();

    make_goroutines(); /* another libgo: nothing is where it should be */
    for (int i = 0; i < GOROUTINES; i++)
        put(gs[i], LIBGO_G_STATUS, 0x77);
    inspection_begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_int_equal(snapshot.loss.unreadable, GOROUTINES);
    assert_non_null(snapshot.doubt);
    inspection_end();
}

static void bits_that_flip_in_goroutines__harm_nobody(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        make_goroutines();
        for (int i = 0; i < 4; i++) {
            gs[i][LIBGO_G_WAITREASON] = reason_of(i % 2 ? "chan send" : "select");
            put(gs[i], LIBGO_G_WAITING, (uintptr_t)sudogs[i]);
            put(gs[i], LIBGO_G_CONTEXT + 8 * LIBGO_CONTEXT_RSP, (uintptr_t)gs);
            wait_in(i, i, i % 2, i < 2);
        }
        inspection_begin();
        memory.seed = seed;
        memory.flip_one_in = 1 + seed % 20;
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_true(builder_is_complete(inspection.builder));
        inspection_end();
    }
}

/* RWMutex.Lock takes the Mutex in the RWMutex first. */
static void writer_behind_another_one__waits_for_the_rwmutex(void **state)
{
    enum { SLOW = 0x1100, READ = 0x2100, WRITE = 0x3100, MUTEX_LOCK = 0x4100, OTHER = 0x5100 };
    static const struct libgo_runtime locking = {.lockers = {
                                                     {0x1000, 0x1200, GO_LOCK_MUTEX},
                                                     {0x2000, 0x2200, GO_LOCK_RWLOCK_READ},
                                                     {0x3000, 0x3200, GO_LOCK_RWLOCK_WRITE},
                                                 }};
    static const struct {
        uint64_t pcs[5];
        enum go_lock lock;
    } rows[] = {
        {{OTHER, SLOW, MUTEX_LOCK, WRITE, OTHER}, GO_LOCK_RWLOCK_MUTEX},
        {{OTHER, SLOW, WRITE, OTHER, OTHER}, GO_LOCK_RWLOCK_MUTEX},
        {{OTHER, SLOW, MUTEX_LOCK, OTHER, WRITE}, GO_LOCK_MUTEX},
        {{OTHER, SLOW, MUTEX_LOCK, READ, OTHER}, GO_LOCK_MUTEX},
        {{OTHER, OTHER, OTHER, OTHER, SLOW}, GO_LOCK_MUTEX},
        {{OTHER, WRITE, OTHER, OTHER, OTHER}, GO_LOCK_RWLOCK_WRITE},
        {{OTHER, OTHER, OTHER, OTHER, OTHER}, GO_LOCK_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(libgo_lock_of(&locking, rows[i].pcs, 5), rows[i].lock);
    assert_int_equal(libgo_semaphore_offset(GO_LOCK_RWLOCK_MUTEX), LIBGO_MUTEX_SEMA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_of_goroutines__are_told),
        cmocka_unit_test(goroutine_that_moves__runs),
        cmocka_unit_test(sudogs_that_go_round__end),
        cmocka_unit_test(sudogs_without_end__are_told_as_more_than_are_kept),
        cmocka_unit_test(select_without_cases__is_believed_where_another_has_some),
        cmocka_unit_test(timer_that_is_set__is_the_deadline_of_who_receives),
        cmocka_unit_test(timers_that_cannot_be_read__are_said),
        cmocka_unit_test(timers__of_which_nobody_receives__are_not_missed),
        cmocka_unit_test(long_list_of_nothing__is_given_up),
        cmocka_unit_test(list__that_the_memory_cannot_hold__is_none),
        cmocka_unit_test(lists_of_goroutines_that_are_none__are_said),
        cmocka_unit_test(bits_that_flip_in_goroutines__harm_nobody),
        cmocka_unit_test(writer_behind_another_one__waits_for_the_rwmutex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
