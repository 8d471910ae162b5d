/* What the scanner tells of goroutines in memory that is made by hand, as of Go 1.27. What programs
 * of Go make: test_goscan_program. */
#include "preload/goscan/scan.h"

#include <stdio.h>

#include "preload/recording.h"
#include "tests/unit/preload/arena.h"

#define ARENA_BYTES (8U << 20)
#define MINOR 27
#define AT_ONCE 8
#define STACK_BYTES 2048
#define G_ROOM 512
#define WAIT_SINCE 5000000
#define RUNS 0x42 /* as the runtime counts them, of a goroutine */

enum reason { NO_REASON, SEND, SELECT, COROUTINE, WAITGROUP, WRITER, READER, REASONS };

struct target {
    struct mem_reader reader;
    struct arena arena;
    struct goscan scan;
    struct go_totals totals;
    uint64_t gs; /* the list of all of them */
    uint64_t g_count;
    struct go_goroutine seen[AT_ONCE]; /* those that were told */
    size_t seen_count;
};

static void read_target(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        arena_read(&((struct target *)reader)->arena, &pieces[i]);
}

static int set_up(void **state)
{
    static const char *const texts[REASONS] = {"",
                                               "chan send",
                                               "select",
                                               "coroutine",
                                               "sync.WaitGroup.Wait",
                                               "sync.RWMutex.Lock",
                                               "sync.RWMutex.RLock"};
    struct target *target = calloc(1, sizeof(*target));
    assert_non_null(target);
    struct goscan *scan = &target->scan;
    target->reader.read = read_target;
    arena_init(&target->arena, ARENA_BYTES);
    scan->reader = &target->reader;
    scan->minor = MINOR;
    scan->scratch_bytes = goscan_scratch_bytes(AT_ONCE);
    scan->scratch = calloc(1, scan->scratch_bytes);
    assert_true(scan->scratch && scan_state_init(scan));
    assert_true(go_layout_of(MINOR, &scan->layout) && scan_state_take_layout(scan));
    for (scan->reason_count = 0; scan->reason_count < REASONS; scan->reason_count++) {
        struct go_reason *reason = &scan->reasons[scan->reason_count];
        snprintf(reason->text, sizeof(reason->text), "%s", texts[scan->reason_count]);
        go_reason_explain(reason);
    }
    scan->found.all_gs = arena_make(&target->arena, 24);
    target->gs = arena_make(&target->arena, AT_ONCE * 8);
    arena_put(&target->arena, scan->found.all_gs, target->gs);
    arena_put(&target->arena, scan->found.all_gs + 16, AT_ONCE);
    *state = target;
    return 0;
}

static int tear_down(void **state)
{
    struct target *target = *state;
    free(target->scan.scratch);
    arena_deinit(&target->arena);
    free(target);
    return 0;
}

/* A goroutine that waits. Returns the address of its g. */
static uint64_t park(struct target *target, enum reason reason)
{
    struct arena *arena = &target->arena;
    const struct go_layout *layout = &target->scan.layout;
    uint64_t stack = arena_make(arena, STACK_BYTES), g = arena_make(arena, G_ROOM);
    arena_put(arena, g + layout->g_stack_lo, stack);
    arena_put(arena, g + layout->g_stack_hi, stack + STACK_BYTES);
    arena_put(arena, g + layout->g_sched_sp, stack + STACK_BYTES - 256);
    arena_put(arena, g + layout->g_id, target->g_count + 1);
    arena_put(arena, g + layout->g_status, G_WAITING);
    arena_put(arena, g + layout->g_wait_since, WAIT_SINCE);
    arena_put_byte(arena, g + layout->g_wait_reason, reason);
    arena_put_byte(arena, g + layout->g_tracking, RUNS);
    arena_put(arena, target->gs + 8 * target->g_count++, g);
    arena_put(arena, target->scan.found.all_gs + 8, target->g_count);
    return g;
}

static bool remember(const struct go_goroutine *it, void *arg)
{
    struct target *target = arg;
    assert_in_range(target->seen_count, 0, AT_ONCE - 1);
    target->seen[target->seen_count++] = *it;
    return true;
}

static void look(struct target *target)
{
    target->seen_count = 0;
    assert_int_equal(goscan_run(&target->scan, remember, target, &target->totals), GO_OK);
    assert_int_equal(target->seen_count, target->g_count);
    for (size_t i = 0; i < target->seen_count; i++)
        assert_true(target->seen[i].parked && !target->seen[i].moved);
}

/* The runtime goes on with coroutines, and with who waits for one, without counting it. */
static void coroutine__has_no_number_and_no_beginning(void **state)
{
    struct target *target = *state;
    park(target, SEND);
    park(target, COROUTINE);
    look(target);
    assert_int_equal(target->seen[0].wait_number, 0x100 | RUNS);
    assert_int_equal(target->seen[0].waiting_since, WAIT_SINCE);
    assert_int_equal(target->seen[1].wait_number, 0);
    assert_int_equal(target->seen[1].waiting_since, 0);
}

/* The stack of a goroutine's creator, of which the runtime kept so many addresses. */
static void keep_ancestors(struct target *target, uint64_t g, uint64_t count)
{
    const struct go_layout *layout = &target->scan.layout;
    struct arena *arena = &target->arena;
    uint64_t slice = arena_make(arena, 24), info = arena_make(arena, 64);
    uint64_t pcs = arena_make(arena, count * 8);
    arena_put(arena, g + layout->g_ancestors, slice);
    arena_put(arena, slice, info);
    arena_put(arena, slice + 8, 1);
    arena_put(arena, info + layout->ancestor_pcs, pcs);
    arena_put(arena, info + layout->ancestor_pcs + 8, count);
    for (uint64_t i = 0; i < count; i++)
        arena_put(arena, pcs + 8 * i, 0x400000 + i);
    arena_put(arena, g + layout->g_created_pc, 0x400003);
}

static void creators_stack__of_which_no_more_was_kept__is_cut(void **state)
{
    static const struct {
        uint64_t kept;
        uint32_t told;
        bool cut;
    } rows[] = {{49, 46, false}, {50, 47, true}, {70, GO_MAX_ANCESTORS - 3, true}};
    struct target *target = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t g = park(target, SEND);
        target->g_count = 1; /* instead of the one before */
        arena_put(&target->arena, target->gs, g);
        arena_put(&target->arena, target->scan.found.all_gs + 8, 1);
        arena_put(&target->arena, g + target->scan.layout.g_id, 7);
        keep_ancestors(target, g, rows[i].kept);
        look(target);
        uint32_t count;
        bool cut;
        assert_non_null(goscan_spawn_pcs(&target->seen[0], &count, &cut));
        assert_int_equal(count, rows[i].told);
        assert_int_equal(cut, rows[i].cut);
    }
}

/* A select that receives from so many channels, the last of which has a timer; when: of the timer.
 */
static void put_select(struct target *target, uint64_t cases, uint64_t when)
{
    const struct go_layout *layout = &target->scan.layout;
    struct arena *arena = &target->arena;
    uint64_t g = park(target, SELECT), next = 0, timer = arena_make(arena, 64);
    arena_put(arena, timer + layout->timer_when, when);
    for (uint64_t i = 0; i < cases; i++) {
        uint64_t sudog = arena_make(arena, 128), channel = arena_make(arena, 128);
        arena_put(arena, sudog + layout->sudog_g, g);
        arena_put_byte(arena, sudog + layout->sudog_is_select, 1);
        arena_put(arena, sudog + layout->sudog_wait_link, next);
        arena_put(arena, sudog + layout->sudog_channel, channel);
        arena_put(arena, channel + layout->channel_receivers, sudog);
        arena_put(arena, channel + layout->channel_element, 8);
        if (i == 0)
            arena_put(arena, channel + layout->channel_timer, timer);
        next = sudog;
    }
    arena_put(arena, g + layout->g_waiting, next);
}

static void select__of_many_cases__has_the_deadline_of_any(void **state)
{
    struct target *target = *state;
    put_select(target, GO_MAX_CASES, 1);
    put_select(target, GO_MAX_CASES + 1, 1);
    put_select(target, GO_MAX_CASES + 1000, 1);
    put_select(target, GO_MAX_CASES + 1000, 0);
    look(target);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(target->seen[i].deadline, i < 3);
        assert_int_equal(target->seen[i].case_count, GO_MAX_CASES);
    }
    assert_false(target->totals.timers_unknown);
}

static void select__of_too_many_cases__may_have_a_deadline(void **state)
{
    struct target *target = *state;
    put_select(target, 20000, 1);
    look(target);
    assert_false(target->seen[0].deadline);
    assert_true(target->totals.timers_unknown);
}

/* A goroutine in the semaphore of a lock. Returns its sudog. */
static uint64_t park_in(struct target *target, enum reason reason, uint64_t semaphore)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t g = park(target, reason), sudog = arena_make(&target->arena, 128);
    arena_put(&target->arena, sudog + layout->sudog_g, g);
    arena_put(&target->arena, sudog + layout->sudog_elem, semaphore);
    arena_put(&target->arena, g + layout->g_waiting, sudog);
    return sudog;
}

#define IN_BUBBLE UINT64_C(0x80000000) /* of testing/synctest, beside the count of waiters */

static void waitgroup__its_counter__is_told(void **state)
{
    static const struct {
        uint64_t word;
        int32_t counter;
    } rows[] = {{UINT64_C(3) << 32 | 1, 3},
                {UINT64_C(2) << 32 | IN_BUBBLE | 1, 2},
                {0, 0},
                {UINT64_C(0xffffffff) << 32 | 1, -1}};
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t group = arena_make(&target->arena, 64);
        arena_put(&target->arena, group + layout->waitgroup_state, rows[i].word);
        park_in(target, WAITGROUP, group + layout->waitgroup_sema);
    }
    look(target);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(target->seen[i].words.known);
        assert_int_equal(target->seen[i].words.state, rows[i].counter);
    }
}

static uint64_t put_rwlock(struct target *target, int32_t count, int32_t leaving)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t lock = arena_make(&target->arena, 64);
    arena_put(&target->arena, lock + layout->rwlock_reader_count,
              (uint32_t)count | (uint64_t)(uint32_t)leaving << 32);
    return lock;
}

/* The last reader has made way: what the words say of others is over as soon as it runs. */
static void writer__that_is_about_to_be_woken__knows_nothing(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    uint64_t held = put_rwlock(target, -1073741822, 2), free = put_rwlock(target, -1073741824, 0);
    park_in(target, WRITER, held + layout->rwlock_writer_sema);
    park_in(target, WRITER, free + layout->rwlock_writer_sema);
    park_in(target, READER, free + layout->rwlock_reader_sema);
    look(target);
    assert_true(target->seen[0].words.known);
    assert_int_equal(target->seen[0].words.state, -1073741822);
    assert_int_equal(target->seen[0].words.leaving, 2);
    assert_false(target->seen[1].words.known);
    assert_int_equal(target->seen[1].object, free);
    assert_true(target->seen[2].words.known);
    assert_int_equal(target->seen[2].words.leaving, 0);
}

static void lock__whose_words_cannot_be_read__is_told_without(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    uint64_t past = ARENA + ARENA_BYTES;
    park_in(target, WAITGROUP, past);
    park_in(target, WAITGROUP, layout->waitgroup_sema); /* no address that a lock may have */
    look(target);
    assert_int_equal(target->seen[0].object, past - layout->waitgroup_sema);
    for (size_t i = 0; i < 2; i++)
        assert_false(target->seen[i].words.known);
}

/* By DWARF, which may say anything: of words that are too far away none is told, and of ones that
 * are not there. */
static void lock__whose_layout_is_another__is_told_without(void **state)
{
    struct target *target = *state;
    struct go_layout *layout = &target->scan.layout;
    const struct go_layout table = *layout;
    uint64_t lock = put_rwlock(target, -1073741822, 2);
    park_in(target, WRITER, lock + table.rwlock_writer_sema);
    static const uint16_t places[] = {GO_ABSENT, 60000, 500};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *layout = table;
        layout->rwlock_reader_wait = places[i];
        assert_true(scan_state_take_layout(&target->scan));
        look(target);
        assert_int_equal(target->seen[0].object, lock);
        assert_false(target->seen[0].words.known);
    }
    *layout = table;
    layout->rwlock_reader_count = table.rwlock_writer_sema; /* the word is the semaphore itself */
    assert_true(scan_state_take_layout(&target->scan));
    look(target);
}

static bool want_no_stack(const struct go_goroutine *it, void *target)
{
    (void)it, (void)target;
    return false;
}

static struct go_lock_place wanted[AT_ONCE]; /* by the numbers of goroutines; address 0: none */

static bool want_lock(const struct go_goroutine *it, struct go_lock_place *ret, void *target)
{
    (void)target;
    assert_in_range(it->id, 1, AT_ONCE);
    *ret = wanted[it->id - 1];
    return ret->address != 0;
}

static void words__that_are_wanted_without_the_stack__are_told(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    uint64_t lock = put_rwlock(target, -1073741822, 2), other = put_rwlock(target, -1, 1);
    uint64_t past = ARENA + ARENA_BYTES;
    const struct {
        enum reason reason;
        uint64_t semaphore; /* that it is in, as far as the g tells; 0: it does not */
        struct go_lock_place wanted;
        bool asked, known;
    } rows[] = {
        {READER, lock + layout->rwlock_reader_sema, {lock, GO_LOCK_RWLOCK_READ}, true, true},
        {WRITER, 0, {lock, GO_LOCK_RWLOCK_WRITE}, true, true},
        {READER, lock + layout->rwlock_reader_sema, {0, GO_LOCK_RWLOCK_READ}, false, false},
        /* It waits for another one by now. */
        {READER, other + layout->rwlock_reader_sema, {lock, GO_LOCK_RWLOCK_READ}, true, false},
        {READER, 0, {past, GO_LOCK_RWLOCK_READ}, true, false},
        {SEND, 0, {lock, GO_LOCK_RWLOCK_READ}, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wanted[i] = rows[i].wanted;
        if (rows[i].semaphore != 0)
            park_in(target, rows[i].reason, rows[i].semaphore);
        else
            park(target, rows[i].reason);
    }
    target->scan.wants_lock = want_lock;
    look(target); /* with the stacks: nobody is asked */
    assert_false(target->seen[1].words.known);
    target->scan.wants_stack = want_no_stack;
    look(target);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct go_lock_words *words = &target->seen[i].words;
        assert_null(target->seen[i].stack);
        assert_int_equal(words->asked, rows[i].asked);
        assert_int_equal(words->known, rows[i].known);
        assert_int_equal(words->state, rows[i].known ? -1073741822 : 0);
        assert_int_equal(words->leaving, rows[i].known ? 2 : 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(coroutine__has_no_number_and_no_beginning),
        TEST(creators_stack__of_which_no_more_was_kept__is_cut),
        TEST(select__of_many_cases__has_the_deadline_of_any),
        TEST(select__of_too_many_cases__may_have_a_deadline),
        TEST(waitgroup__its_counter__is_told),
        TEST(writer__that_is_about_to_be_woken__knows_nothing),
        TEST(lock__whose_words_cannot_be_read__is_told_without),
        TEST(lock__whose_layout_is_another__is_told_without),
        TEST(words__that_are_wanted_without_the_stack__are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
