/* The scanner over memory that lies, breaks off and changes while it is read: each run ends, inside
 * its bounds, and tells of what can be told. */
#include "preload/goscan/scan.h"

#include <stdio.h>

#include "preload/recording.h"
#include "tests/unit/goroutines.h"
#include "tests/unit/preload/arena.h"

#define ARENA_BYTES (1U << 20)
#define TEXT UINT64_C(0x400000)
#define TEXT_END UINT64_C(0x500000)
#define MINOR 27
#define AT_ONCE 8
#define G_BYTES 448 /* of a g that is made */
#ifndef MUTATION_ROUNDS
#define MUTATION_ROUNDS 400 /* more may be given, to look for more */
#endif

enum reason {
    REASON_NONE,
    REASON_RECEIVE,
    REASON_SEND,
    REASON_SELECT,
    REASON_MUTEX,
    REASON_COND,
    REASON_POLL,
    REASON_COUNT
};

/* A target that is made by hand, and what is to happen while it is read. */
struct target {
    struct mem_reader reader;
    struct arena arena;
    struct goscan scan;
    void *scratch;
    uint64_t list, list_count; /* of addresses of g's */
    uint64_t slice;            /* runtime.allgs */
    uint64_t pieces;
    void (*change)(struct target *target); /* before each piece */
    uint64_t changes_left, changing;       /* what it changes: an address */
    uint64_t becomes;                      /* what it changes that into: another one */
};

static void read_target(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct target *target = (struct target *)reader;
    for (size_t i = 0; i < count; i++) {
        target->pieces++;
        if (target->change && target->changes_left > 0) {
            target->changes_left--;
            target->change(target);
        }
        arena_read(&target->arena, &pieces[i]);
    }
}

static int set_up(void **state)
{
    static const char *const texts[REASON_COUNT] = {
        "", "chan receive", "chan send", "select", "sync.Mutex.Lock", "sync.Cond.Wait", "IO wait"};
    struct target *target = calloc(1, sizeof(*target));
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    *state = target;
    target->reader.read = read_target;
    arena_init(&target->arena, ARENA_BYTES);
    target->scratch = calloc(1, bytes);
    struct goscan *scan = &target->scan;
    scan->reader = &target->reader;
    scan->scratch = target->scratch;
    scan->scratch_bytes = bytes;
    scan->minor = MINOR;
    if (!scan_state_init(scan) || !go_layout_of(MINOR, &scan->layout) ||
        !scan_state_take_layout(scan))
        return -1;
    scan->functions = (struct pclntab){.reader = scan->reader, .text = TEXT, .etext = TEXT_END};
    scan->unwinder.table = &scan->functions;
    scan->reason_count = REASON_COUNT;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        strcpy(scan->reasons[i].text, texts[i]);
        go_reason_explain(&scan->reasons[i]);
    }
    target->slice = arena_make(&target->arena, 24);
    target->list = arena_make(&target->arena, 1024 * 8);
    scan->found.all_gs = target->slice;
    return 0;
}

static int tear_down(void **state)
{
    struct target *target = *state;
    free(target->scratch);
    arena_deinit(&target->arena);
    free(target);
    return 0;
}

static void list_g(struct target *target, uint64_t g)
{
    arena_put(&target->arena, target->list + target->list_count++ * 8, g);
    arena_put(&target->arena, target->slice, target->list);
    arena_put(&target->arena, target->slice + 8, target->list_count);
    arena_put(&target->arena, target->slice + 16, 1024);
}

/* A parked goroutine, listed. */
static uint64_t make_g(struct target *target, uint64_t id, enum reason reason)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t g = arena_make(&target->arena, G_BYTES), stack = arena_make(&target->arena, 2048);
    arena_put(&target->arena, g + layout->g_stack_lo, stack);
    arena_put(&target->arena, g + layout->g_stack_hi, stack + 2048);
    arena_put(&target->arena, g + layout->g_sched_sp, stack + 1024);
    arena_put(&target->arena, g + layout->g_sched_pc, TEXT + 100);
    arena_put(&target->arena, g + layout->g_start_pc, TEXT + 200);
    arena_put(&target->arena, g + layout->g_id, id);
    arena_put_byte(&target->arena, g + layout->g_status, G_WAITING);
    arena_put_byte(&target->arena, g + layout->g_wait_reason, (uint8_t)reason);
    list_g(target, g);
    return g;
}

/* A sudog of a select's, after another one (or first, after 0). */
static uint64_t make_sudog(struct target *target, uint64_t g, uint64_t after, uint64_t channel)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t sudog = arena_make(&target->arena, 112);
    arena_put(&target->arena, sudog + layout->sudog_g, g);
    arena_put(&target->arena, sudog + layout->sudog_channel, channel);
    arena_put_byte(&target->arena, sudog + layout->sudog_is_select, 1);
    arena_put(&target->arena, after ? after + layout->sudog_wait_link : g + layout->g_waiting,
              sudog);
    return sudog;
}

/* With a waiting sudog of each, or 0. */
static uint64_t make_channel(struct target *target, uint64_t capacity)
{
    uint64_t channel = arena_make(&target->arena, 112);
    arena_put(&target->arena, channel + target->scan.layout.channel_capacity, capacity);
    return channel;
}

struct visits {
    struct go_goroutine last;
    struct go_case cases[GO_MAX_CASES];
    uint64_t count, ids;
};

static bool note(const struct go_goroutine *it, void *arg)
{
    struct visits *visits = arg;
    visits->last = *it;
    visits->count++;
    visits->ids += it->id;
    if (it->case_count > 0)
        memcpy(visits->cases, it->cases, it->case_count * sizeof(*it->cases));
    return true;
}

static struct go_totals run(struct target *target, struct visits *visits)
{
    struct go_totals totals;
    memset(visits, 0, sizeof(*visits));
    assert_int_equal(goscan_run(&target->scan, note, visits, &totals), GO_OK);
    assert_int_equal(totals.seen, visits->count);
    return totals;
}

/* ---- Lies ---- */

static void sudogs__in_a_circle__end(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_SELECT), channel = make_channel(target, 1);
    uint64_t first = make_sudog(target, g, 0, channel);
    uint64_t second = make_sudog(target, g, first, channel);
    arena_put(&target->arena, second + target->scan.layout.sudog_wait_link, first);
    run(target, &visits);
    assert_int_equal(visits.count, 1);
    assert_int_equal(visits.last.case_count, GO_MAX_CASES);
    assert_in_range(visits.last.cases_given, GO_MAX_CASES + 1, UINT32_MAX);
}

static void queues_of_a_channel__in_a_circle__end(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_SELECT), channel = make_channel(target, 0);
    uint64_t receiver = make_sudog(target, g, 0, channel);
    uint64_t sender = make_sudog(target, g, receiver, channel);
    uint64_t other = make_sudog(target, g, sender, channel);
    arena_put(&target->arena, channel + layout->channel_senders, sender);
    arena_put(&target->arena, channel + layout->channel_receivers, receiver);
    arena_put(&target->arena, sender + layout->sudog_next, other);
    arena_put(&target->arena, other + layout->sudog_next, sender);
    run(target, &visits);
    assert_int_equal(visits.last.case_count, 3);
    assert_false(visits.cases[0].send);
    assert_true(visits.cases[1].send);
    assert_true(visits.cases[2].send);
}

static void sudogs_of_others__behind_that_of_a_lock__are_not_its_own(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_MUTEX), other = make_g(target, 2, REASON_MUTEX);
    uint64_t first = make_sudog(target, g, 0, 0), second = make_sudog(target, other, 0, 0);
    arena_put_byte(&target->arena, first + layout->sudog_is_select, 0);
    arena_put_byte(&target->arena, second + layout->sudog_is_select, 0);
    arena_put(&target->arena, first + layout->sudog_wait_link, second);
    arena_put(&target->arena, first + layout->sudog_elem, 0x1234);
    arena_put(&target->arena, second + layout->sudog_elem, 0x5678);
    run(target, &visits);
    assert_int_equal(visits.count, 2);
    assert_int_equal(visits.last.op, REC_OP_MUTEX_LOCK);
    assert_int_equal(visits.last.object, 0x5678 - 4);
}

static void garbage__in_the_list__is_counted(void **state)
{
    struct target *target = *state;
    struct visits visits;
    make_g(target, 5, REASON_NONE);
    list_g(target, 0);
    list_g(target, 3);
    list_g(target, UINT64_MAX - 7);
    list_g(target, ARENA + ARENA_BYTES - 8); /* it ends before the g does */
    list_g(target, target->list);            /* no g, but readable: addresses */
    make_g(target, 6, REASON_NONE);
    struct go_totals totals = run(target, &visits);
    assert_int_equal(visits.count, 2);
    assert_int_equal(visits.ids, 11);
    assert_int_equal(totals.unreadable, 5);
}

static void list__that_says_too_much__is_unreadable(void **state)
{
    static const uint64_t counts[][2] = {
        {UINT64_MAX, UINT64_MAX}, {1 << 27, 1 << 27}, {5, 4}, {UINT64_C(1) << 60, 8}};
    struct target *target = *state;
    struct visits visits = {.count = 0};
    struct go_totals totals;
    make_g(target, 1, REASON_NONE);
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        arena_put(&target->arena, target->slice + 8, counts[i][0]);
        arena_put(&target->arena, target->slice + 16, counts[i][1]);
        target->pieces = 0;
        enum go_result result = goscan_run(&target->scan, note, &visits, &totals);
        assert_int_equal(result, GO_UNREADABLE);
        assert_in_range(target->pieces, 1, 3 * ARENA_BYTES); /* it stops where the memory does */
    }
}

static void list__longer_than_there_can_be__is_unreadable(void **state)
{
    struct target *target = *state;
    struct visits visits;
    struct go_totals totals;
    for (uint64_t id = 1; id <= 5; id++)
        make_g(target, id, REASON_NONE);
    target->scan.most_goroutines = 4;
    assert_int_equal(goscan_run(&target->scan, note, &visits, &totals), GO_UNREADABLE);
    target->scan.most_goroutines = 5;
    run(target, &visits);
    assert_int_equal(visits.count, 5);
}

static void long_list_of_nothing__is_given_up(void **state)
{
    const uint64_t rows = 100000, tolerated = 1 << 16;
    struct target *target = *state;
    struct visits visits;
    uint64_t list = arena_make(&target->arena, rows * 8);
    arena_put(&target->arena, list, make_g(target, 5, REASON_NONE));
    arena_put(&target->arena, target->slice, list);
    arena_put(&target->arena, target->slice + 8, rows);
    arena_put(&target->arena, target->slice + 16, rows);
    target->pieces = 0;
    struct go_totals totals = run(target, &visits);
    assert_int_equal(visits.count, 1);
    assert_int_equal(totals.unreadable, rows - 1);
    assert_in_range(target->pieces, tolerated, 5 * tolerated);
}

/* Every processor has the same long list of timers that are none. */
static void timers__of_many_processors__share_one_budget(void **state)
{
    const uint64_t processors = 4096, timers = 50000, most = 1 << 24;
    struct target *target = *state;
    struct goscan *scan = &target->scan;
    struct scan_state *own = scan_state(scan);
    bool unknown = false;
    assert_true(go_layout_of(22, &scan->layout));
    assert_true(scan_state_take_layout(scan));
    uint64_t all = arena_make(&target->arena, 24),
             list = arena_make(&target->arena, processors * 8);
    uint64_t processor = arena_make(&target->arena, scan->layout.p_timers + 24U);
    uint64_t heap = arena_make(&target->arena, timers * 8);
    for (uint64_t i = 0; i < timers; i++)
        arena_put(&target->arena, heap + i * 8, 8);
    arena_put(&target->arena, processor + scan->layout.p_timers, heap);
    arena_put(&target->arena, processor + scan->layout.p_timers + 8, timers);
    arena_put(&target->arena, processor + scan->layout.p_timers + 16, timers);
    for (uint64_t i = 0; i < processors; i++)
        arena_put(&target->arena, list + i * 8, processor);
    arena_put(&target->arena, all, list);
    arena_put(&target->arena, all + 8, processors);
    scan->found.all_ps = all;
    own->scan_timers.unknown = &unknown;
    own->scan_timers.read = false;
    assert_false(scan_timer_wakes(scan, 0x1000));
    assert_true(unknown);
    assert_in_range(target->pieces, most / 2, most + most / 8);
}

/* Which channels may be a context's; of the others nobody looks for a timer. */
static void timers__are_read_for_channels_that_hold_nothing(void **state)
{
    static const struct {
        uint64_t capacity;
        uint8_t element;
        bool asks;
    } rows[] = {{0, 8, false}, {1, 0, false}, {4, 16, false}, {1, 24, false}, {0, 0, true}};
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    target->scan.found.all_ps = ARENA - 4096; /* that they cannot be read is told */
    uint64_t g = make_g(target, 1, REASON_SELECT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t channel = make_channel(target, rows[i].capacity);
        arena_put_byte(&target->arena, channel + layout->channel_element, rows[i].element);
        make_sudog(target, g, 0, channel);
        assert_int_equal(run(target, &visits).timers_unknown, rows[i].asks);
        assert_int_equal(visits.count, 1);
        assert_false(visits.last.deadline);
    }
}

static void list__at_a_bad_address__is_unreadable(void **state)
{
    struct target *target = *state;
    struct visits visits = {.count = 0};
    struct go_totals totals;
    make_g(target, 1, REASON_NONE);
    arena_put(&target->arena, target->slice, 0xdead0000);
    assert_int_equal(goscan_run(&target->scan, note, &visits, &totals), GO_UNREADABLE);
    target->scan.found.all_gs = 0x10;
    assert_int_equal(goscan_run(&target->scan, note, &visits, &totals), GO_UNREADABLE);
    assert_int_equal(visits.count, 0);
}

static void goroutine__whose_stack_pointer_lies__is_not_believed(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_NONE);
    arena_put(&target->arena, g + target->scan.layout.g_sched_sp, 0x7fffffff0000);
    struct go_totals totals = run(target, &visits);
    assert_int_equal(visits.count, 0);
    assert_int_equal(totals.unreadable, 1);
}

/* ---- Holes ---- */

static void stack__that_cannot_be_read__is_left_out(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_SEND), channel = make_channel(target, 3);
    arena_put_byte(&target->arena, make_sudog(target, g, 0, channel) + layout->sudog_is_select, 0);
    arena_put(&target->arena, g + layout->g_stack_lo, 0x70000000);
    arena_put(&target->arena, g + layout->g_stack_hi, 0x70010000);
    arena_put(&target->arena, g + layout->g_sched_sp, 0x70008000);
    make_g(target, 2, REASON_NONE);
    run(target, &visits);
    assert_int_equal(visits.count, 2);
    target->list_count = 0;
    list_g(target, g);
    run(target, &visits);
    assert_true(visits.last.parked);
    assert_null(visits.last.stack);
    assert_true(visits.last.channel.known);
    assert_int_equal(visits.last.object, channel);
}

static void channel__that_cannot_be_read__is_told_by_its_address(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_RECEIVE);
    make_sudog(target, g, 0, 0x66660);
    run(target, &visits);
    assert_int_equal(visits.last.object, 0x66660);
    assert_false(visits.last.channel.known);
    assert_false(visits.last.deadline);
}

static void sudog__that_cannot_be_read__leaves_the_object_unknown(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_RECEIVE);
    arena_put(&target->arena, g + target->scan.layout.g_waiting, 0x66660);
    run(target, &visits);
    assert_true(visits.last.parked);
    assert_int_equal(visits.last.op, REC_OP_CHAN_RECEIVE);
    assert_int_equal(visits.last.object, 0);
    assert_false(visits.last.object_known);
}

static void neighbours__of_which_one_lies_in_a_hole__are_told(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t last = 0;
    /* Sudogs one after the other: read in one piece, but for the last one's address. */
    for (uint64_t id = 1; id <= 5; id++) {
        uint64_t g = make_g(target, id, REASON_RECEIVE);
        arena_put_byte(&target->arena, g + layout->g_tracking, (uint8_t)id);
        last = g;
    }
    uint64_t channel = make_channel(target, 2);
    for (uint64_t i = 0; i < 4; i++)
        make_sudog(target, word_at(arena_at(&target->arena, target->list + i * 8), 0), 0, channel);
    arena_put(&target->arena, last + layout->g_waiting, ARENA + ARENA_BYTES - 16);
    struct go_totals totals = run(target, &visits);
    assert_int_equal(visits.count, 5);
    assert_int_equal(totals.parked, 5);
    assert_int_equal(totals.unreadable, 0);
}

static void goroutine__that_was_preempted__has_not_the_reason_of_its_last_wait(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 1, REASON_MUTEX);
    arena_put_byte(&target->arena, g + target->scan.layout.g_status, G_PREEMPTED);
    run(target, &visits);
    assert_int_equal(visits.last.reason, 0);
    assert_int_equal(visits.last.op, REC_OP_NONE);
}

/* ---- Changes ---- */

static void count_up(struct target *target)
{
    ++*(uint8_t *)arena_at(&target->arena, target->changing);
}

static void goroutine__that_never_stands_still__is_moved(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_tracking;
    target->change = count_up;
    target->changes_left = UINT64_MAX;
    struct go_totals totals = run(target, &visits);
    assert_int_equal(totals.moved, 1);
    assert_int_equal(totals.parked, 0);
    assert_true(visits.last.moved);
    assert_false(visits.last.parked);
    assert_null(visits.last.stack);
    assert_int_equal(visits.last.id, 7);
}

static void goroutine__between_two_stacks__is_moved_or_dead(void **state)
{
    static const struct {
        uint32_t status;
        uint64_t low, high; /* of the stack */
        uint64_t moved, unreadable;
    } rows[] = {
        {G_COPYSTACK, 0xc000b70000, 0xc00016e000, 1, 0},
        {G_RUNNING, 0xc000b70000, 0xc00016e000, 1, 0}, /* it makes its own smaller */
        {G_RUNNING, 0, 0xc00016e000, 0, 1},
        {G_RUNNING, 0xc000b70010, 0xc00016e000, 0, 1}, /* no stack begins there */
        {G_WAITING | G_SCAN, 0xc000b70000, 0xc00016e000, 1, 0},
        {G_RUNNABLE | G_SCAN, 0xc000b70000, 0xc00016e000, 1, 0},
        {G_WAITING | G_SCAN, 0xc00016e000, 0xc000b70000, 1, 0}, /* sp is still in the old one */
        {G_DEAD, 0xc00016e000, 0, 0, 0},
        {G_DEAD, 0, 0xc00016e000, 0, 0},
        {G_DEAD, 0, 0, 0, 0},
        {G_DEAD, 0xc000b70000, 0xc00016e000, 0, 1},
        {G_WAITING, 0xc000b70000, 0xc00016e000, 0, 1},
        {G_RUNNABLE, 0, 0xc00016e000, 0, 1},
    };
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        memcpy(arena_at(&target->arena, g + layout->g_status), &rows[i].status,
               sizeof(rows[i].status));
        arena_put(&target->arena, g + layout->g_stack_lo, rows[i].low);
        arena_put(&target->arena, g + layout->g_stack_hi, rows[i].high);
        struct go_totals totals = run(target, &visits);
        assert_int_equal(totals.moved, rows[i].moved);
        assert_int_equal(totals.seen, rows[i].moved);
        assert_int_equal(totals.unreadable, rows[i].unreadable);
    }
}

/* One that collects is so for a moment. */
static void goroutine__that_waits_before_it_leaves_its_stack__is_moved(void **state)
{
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND);
    arena_put(&target->arena, g + layout->g_sched_sp, 0);
    struct go_totals totals = run(target, &visits);
    assert_int_equal(totals.moved, 1);
    assert_int_equal(totals.unreadable, 0);
    arena_put(&target->arena, g + layout->g_stack_lo, 0);
    totals = run(target, &visits);
    assert_int_equal(totals.moved, 0);
    assert_int_equal(totals.unreadable, 1);
}

static void goroutine__that_moves_once__is_read_again(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_tracking;
    target->change = count_up;
    /* So many pieces as it takes to read it once, and some. */
    for (uint64_t left = 1; left < 16; left++) {
        target->changes_left = left;
        struct go_totals totals = run(target, &visits);
        assert_int_equal(visits.count, 1);
        assert_int_equal(totals.moved + totals.parked, 1);
        if (left < 8)
            assert_true(visits.last.parked);
    }
}

static void end_it(struct target *target)
{
    if (target->changes_left == 0)
        arena_put_byte(&target->arena, target->changing, G_DEAD);
}

static void goroutine__that_ends_meanwhile__is_not_told(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_status;
    target->change = end_it;
    target->changes_left = 5; /* its stack is being read */
    struct go_totals totals = run(target, &visits);
    assert_int_equal(visits.count, 0);
    assert_int_equal(totals.seen, 0);
}

static void replace_it(struct target *target)
{
    if (target->changes_left == 0)
        memcpy(arena_at(&target->arena, target->changing),
               arena_at(&target->arena, target->becomes), G_BYTES);
}

static void set_spawn(struct target *target, uint64_t g, uint64_t id)
{
    const struct go_layout *layout = &target->scan.layout;
    arena_put(&target->arena, g + layout->g_parent_id, 100 + id);
    arena_put(&target->arena, g + layout->g_created_pc, TEXT + 0x100 * id);
    arena_put(&target->arena, g + layout->g_start_pc, TEXT + 0x100 * id + 8);
}

/* What becomes of number 7, which runs, when its g has been read once. */
static void
goroutine__whose_place_is_taken_meanwhile__is_not_told_with_what_another_has(void **state)
{
    static const struct {
        uint64_t id, spawn_of; /* then */
        uint8_t status;
        uint64_t told; /* id; 0: none */
    } rows[] = {
        {7, 7, G_RUNNING, 7},  {7, 7, G_RUNNABLE, 7}, {7, 7, G_WAITING, 7},
        {7, 8, G_DEAD, 0}, /* the next one that it becomes was not given its number yet */
        {8, 8, G_RUNNABLE, 8}, {8, 8, G_WAITING, 8},
    };
    struct target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND), before = arena_make(&target->arena, G_BYTES);
    set_spawn(target, g, 7);
    arena_put_byte(&target->arena, g + layout->g_status, G_RUNNING);
    memcpy(arena_at(&target->arena, before), arena_at(&target->arena, g), G_BYTES);
    target->changing = g;
    target->becomes = arena_make(&target->arena, G_BYTES);
    target->change = replace_it;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t then = target->becomes;
        memcpy(arena_at(&target->arena, g), arena_at(&target->arena, before), G_BYTES);
        memcpy(arena_at(&target->arena, then), arena_at(&target->arena, before), G_BYTES);
        set_spawn(target, then, rows[i].spawn_of);
        arena_put(&target->arena, then + layout->g_id, rows[i].id);
        arena_put_byte(&target->arena, then + layout->g_status, rows[i].status);
        target->changes_left = 5; /* the list is three pieces, its g one */
        struct go_totals totals = run(target, &visits);
        assert_int_equal(totals.moved, 0);
        assert_int_equal(visits.count, rows[i].told != 0);
        if (!rows[i].told)
            continue;
        assert_int_equal(visits.last.id, rows[i].told);
        assert_int_equal(visits.last.parent_id, 100 + rows[i].told);
        assert_int_equal(visits.last.created_pc, TEXT + 0x100 * rows[i].told);
        assert_int_equal(visits.last.start_pc, TEXT + 0x100 * rows[i].told + 8);
    }
}

static void run_or_not(struct target *target)
{
    *(uint8_t *)arena_at(&target->arena, target->changing) ^= G_RUNNABLE ^ G_RUNNING;
}

static void goroutine__that_runs_now_and_then__is_not_read_again(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t g = make_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_status;
    arena_put_byte(&target->arena, target->changing, G_RUNNING);
    run(target, &visits);
    uint64_t pieces = target->pieces;
    target->change = run_or_not;
    target->changes_left = UINT64_MAX;
    target->pieces = 0;
    struct go_totals totals = run(target, &visits);
    assert_int_equal(target->pieces, pieces);
    assert_int_equal(totals.moved, 0);
    assert_int_equal(visits.last.id, 7);
}

static void break_off(struct target *target)
{
    if (target->changes_left == 0)
        target->arena.size = target->changing - ARENA;
}

static void goroutine__that_cannot_be_read_twice__is_unreadable(void **state)
{
    struct target *target = *state;
    struct visits visits;
    target->changing = make_g(target, 7, REASON_SEND);
    arena_put_byte(&target->arena, target->changing + target->scan.layout.g_status, G_RUNNING);
    target->change = break_off;
    target->changes_left = 5;
    struct go_totals totals = run(target, &visits);
    assert_int_equal(visits.count, 0);
    assert_int_equal(totals.unreadable, 1);
}

static void move_list(struct target *target)
{
    if (target->changes_left != 0)
        return;
    memcpy(arena_at(&target->arena, target->changing), arena_at(&target->arena, target->list),
           target->list_count * 8);
    memset(arena_at(&target->arena, target->list), 0xee, target->list_count * 8);
    arena_put(&target->arena, target->slice, target->changing);
}

static void list__that_is_moved_meanwhile__is_followed(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t sum = 0;
    for (uint64_t id = 1; id <= 50; id++) {
        make_g(target, id, REASON_NONE);
        sum += id;
    }
    uint64_t old = target->list;
    uint64_t places[2] = {arena_make(&target->arena, 1024 * 8),
                          arena_make(&target->arena, 1024 * 8)};
    target->change = move_list;
    for (uint64_t left = 1; left <= 40; left++) {
        target->changing = places[left % 2];
        target->changes_left = left;
        struct go_totals totals = run(target, &visits);
        assert_int_equal(visits.count, 50);
        assert_int_equal(visits.ids, sum);
        assert_int_equal(totals.unreadable, 0);
        target->list = word_at(arena_at(&target->arena, target->slice), 0);
        assert_int_not_equal(target->list, old);
    }
}

/* ---- Many ---- */

static void selects__more_than_there_is_room_for__are_all_told(void **state)
{
    struct target *target = *state;
    struct visits visits;
    uint64_t channel = make_channel(target, 1), cases = 0, sum = 0;
    for (uint64_t id = 1; id <= 100; id++) {
        uint64_t g = make_g(target, id, REASON_SELECT), sudog = 0;
        for (uint64_t i = 0; i < id % 37; i++)
            sudog = make_sudog(target, g, sudog, i % 2 ? channel : make_channel(target, i));
        cases += id % 37;
        sum += id;
    }
    for (uint64_t first = 0; first < 3; first++) {
        target->scan.wants_stack = NULL;
        struct go_totals totals = run(target, &visits);
        assert_int_equal(visits.count, 100);
        assert_int_equal(visits.ids, sum);
        assert_int_equal(totals.parked, 100);
        assert_int_equal(visits.last.cases_given, 100 % 37);
    }
    assert_int_not_equal(cases, 0);
}

static void labels__of_endless_lists__end(void **state)
{
    struct target *target = *state;
    struct go_text pairs[2 * GO_MAX_LABELS];
    uint64_t list = arena_make(&target->arena, 24);
    arena_put(&target->arena, list, ARENA);
    arena_put(&target->arena, list + 8, UINT64_MAX);
    assert_int_equal(goscan_labels(&target->scan, list, pairs), GO_MAX_LABELS + 1);
    arena_put(&target->arena, list + 8, GO_MAX_LABELS);
    assert_int_equal(goscan_labels(&target->scan, list, pairs), GO_MAX_LABELS);
    arena_put(&target->arena, list, 0x6660);
    assert_int_equal(goscan_labels(&target->scan, list, pairs), 0);
    assert_int_equal(goscan_labels(&target->scan, 1, pairs), 0);
    /* A map's bucket that overflows into itself. */
    assert_true(go_layout_of(19, &target->scan.layout));
    target->scan.minor = 19;
    uint64_t map = arena_make(&target->arena, 48), bucket = arena_make(&target->arena, 272),
             to_map = arena_make(&target->arena, 8);
    arena_put(&target->arena, to_map, map);
    arena_put_byte(&target->arena, map + target->scan.layout.map_bits, 3);
    arena_put(&target->arena, map + target->scan.layout.map_buckets, bucket);
    arena_put(&target->arena, bucket + 264, bucket);
    target->pieces = 0;
    assert_int_equal(goscan_labels(&target->scan, to_map, pairs), 0);
    assert_in_range(target->pieces, 1, 4096);
    /* The same with rows in it. */
    for (uint64_t i = 0; i < 8; i++)
        arena_put_byte(&target->arena, bucket + i, 5);
    assert_int_equal(goscan_labels(&target->scan, to_map, pairs), GO_MAX_LABELS + 1);
}

/* ---- Layouts that a file tells, which may say anything ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint16_t *field_of(struct target *target, size_t index)
{
    return (uint16_t *)(void *)((char *)&target->scan.layout + go_layout_fields[index].offset);
}

static bool is_of(size_t index, const char *type)
{
    return strcmp(go_layout_fields[index].type, type) == 0;
}

/* Nothing else of these three is read as far as its farthest field. */
static bool is_read(size_t index)
{
    return is_of(index, "runtime.g") || is_of(index, "runtime.sudog") ||
           is_of(index, "runtime.hchan");
}

static void layout__with_a_field_far_away_or_nowhere__is_refused(void **state)
{
    struct target *target = *state;
    for (size_t i = 0; i < go_layout_field_count; i++) {
        uint16_t *field = field_of(target, i), before = *field;
        *field = GO_ABSENT - 1;
        assert_int_equal(scan_state_take_layout(&target->scan), !is_read(i));
        *field = GO_ABSENT;
        assert_int_equal(scan_state_take_layout(&target->scan), go_layout_fields[i].optional);
        *field = before;
    }
    assert_true(scan_state_take_layout(&target->scan));
}

/* A parked goroutine on whose stack is the address of a pollDesc. Returns that. */
static uint64_t make_polled(struct target *target)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t poll = arena_make(&target->arena, 448), g = make_g(target, 3, REASON_POLL);
    arena_put(&target->arena, poll + layout->poll_fd, 17);
    arena_put(&target->arena, poll + layout->poll_reader, g);
    arena_put(&target->arena, poll + layout->poll_self, poll);
    arena_put(&target->arena, word_at(arena_at(&target->arena, g + layout->g_sched_sp), 0) + 32,
              poll + layout->poll_reader);
    return poll;
}

static void poll_descriptor__whose_fields_are_far_away__is_not_looked_for(void **state)
{
    struct target *target = *state;
    struct visits visits;
    make_polled(target);
    run(target, &visits);
    assert_true(visits.last.object_known);
    assert_int_equal(visits.last.object, 17);
    for (size_t i = 0; i < go_layout_field_count; i++) {
        uint16_t *field = field_of(target, i), before = *field;
        if (!is_of(i, "runtime.pollDesc"))
            continue;
        *field = 400;
        assert_true(scan_state_take_layout(&target->scan));
        run(target, &visits);
        assert_false(visits.last.object_known);
        *field = before;
    }
    target->scan.layout.poll_fd = GO_ABSENT;
    assert_true(scan_state_take_layout(&target->scan));
    run(target, &visits);
    assert_false(visits.last.object_known);
}

static void layout__of_any_numbers__is_refused_or_survived(void **state)
{
    static const uint16_t ends[] = {0,   1,    8,    375,           376,      503,
                                    504, 1016, 1023, GO_ABSENT - 1, GO_ABSENT};
    struct target *target = *state;
    struct go_layout before = target->scan.layout;
    struct visits visits;
    uint64_t seed = 0x1a7, taken = 0;
    make_polled(target);
    for (uint64_t id = 4; id < 40; id++) {
        uint64_t g = make_g(target, id, (enum reason)(id % REASON_COUNT));
        make_sudog(target, g, make_sudog(target, g, 0, make_channel(target, 1)), 0);
    }
    for (unsigned round = 0; round < 20 * MUTATION_ROUNDS; round++) {
        target->scan.layout = before;
        for (uint64_t changes = 1 + next_random(&seed) % 4; changes > 0; changes--) {
            uint64_t random = next_random(&seed);
            *field_of(target, random % go_layout_field_count) =
                random >> 32 & 1 ? ends[(random >> 16) % (sizeof(ends) / sizeof(*ends))]
                                 : (uint16_t)((random >> 16) % 512);
        }
        if (!scan_state_take_layout(&target->scan))
            continue;
        taken++;
        run(target, &visits);
    }
    assert_in_range(taken, MUTATION_ROUNDS, 20 * MUTATION_ROUNDS - 1);
}

/* ---- Mutations of a real program's memory ---- */

struct mutation {
    uint8_t *at;
    uint64_t before;
};

static uint64_t mutated(uint64_t word, uint64_t *seed)
{
    static const uint64_t values[] = {0,
                                      1,
                                      UINT64_MAX,
                                      8,
                                      4096,
                                      0xc000000000,
                                      INT64_MAX,
                                      UINT32_MAX,
                                      16,
                                      0x7fffffff,
                                      UINT64_C(1) << 40,
                                      UINT64_MAX - 7};
    uint64_t random = next_random(seed);
    if (random % 3 == 0)
        return values[(random >> 8) % (sizeof(values) / sizeof(*values))];
    if (random % 3 == 1)
        return word + (random >> 8) % 64 - 32;
    return word ^ UINT64_C(1) << (random >> 8) % 64;
}

static bool look_closely(const struct go_goroutine *it, void *arg)
{
    struct goscan *scan = arg;
    struct go_text pairs[2 * GO_MAX_LABELS];
    assert_in_range(it->case_count, 0, GO_MAX_CASES);
    assert_in_range(it->reason, 0, scan->reason_count - 1);
    if (it->stack)
        assert_in_range(it->stack->count, 0, GO_STACK_DEPTH);
    assert_in_range(goscan_labels(scan, it->labels, pairs), 0, GO_MAX_LABELS + 1);
    return true;
}

/* Opens and runs; the more of it is broken, the earlier it ends. */
static enum go_result try(struct page_reader *pages, const struct goroutines *program,
                          void *scratch, size_t bytes)
{
    struct goscan scan;
    struct go_totals totals;
    memset(scratch, 0, bytes);
    pages->pieces = 0;
    enum go_result result = goscan_open(&scan, &pages->reader, program->ranges,
                                        program->range_count, NULL, scratch, bytes);
    if (result == GO_OK)
        result = goscan_run(&scan, look_closely, &scan, &totals);
    return result;
}

/* Changes a word that a run reads. */
static void mutate(struct page_reader *pages, const struct mem_piece *read, size_t count,
                   struct mutation *ret, uint64_t *seed)
{
    const struct mem_piece *piece = &read[next_random(seed) % count];
    uint64_t address = piece->address + next_random(seed) % piece->bytes;
    ret->at = page_reader_at(pages, address & ~UINT64_C(7));
    assert_non_null(ret->at);
    memcpy(&ret->before, ret->at, 8);
    uint64_t word = mutated(ret->before, seed);
    memcpy(ret->at, &word, 8);
}

static void memory__with_any_words_changed__is_survived(void **state)
{
    enum { ROUNDS = MUTATION_ROUNDS, MOST = 32, ROOM = 1 << 15 };
    struct goroutines program;
    struct page_reader pages;
    struct mutation mutations[MOST];
    uint64_t seed = 0x5eed, results[GO_UNREADABLE + 1] = {0};
    (void)state;
    if (!goroutines_is_there("static_stripped"))
        skip();
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    void *scratch = calloc(1, bytes);
    goroutines_start(&program, "static_stripped", "tracebackancestors=3");
    page_reader_init(&pages, program.pid);
    struct mem_piece *read = calloc(ROOM, sizeof(*read));
    pages.asked = read;
    pages.asked_room = ROOM;
    assert_int_equal(try(&pages, &program, scratch, bytes), GO_OK);
    uint64_t pieces = pages.pieces;
    size_t read_count = pages.asked_count;
    pages.asked = NULL;
    goroutines_end(&program);
    pages.pid = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = 1 + next_random(&seed) % MOST;
        for (size_t i = 0; i < count; i++)
            mutate(&pages, read, read_count, &mutations[i], &seed);
        results[try(&pages, &program, scratch, bytes)]++;
        assert_in_range(pages.pieces, 0, pieces * 1000);
        while (count-- > 0)
            memcpy(mutations[count].at, &mutations[count].before, 8);
    }
    /* Some of what was changed is needed to find anything, and some is not. */
    assert_in_range(results[GO_OK], 1, ROUNDS - 1);
    page_reader_deinit(&pages);
    free(read);
    free(scratch);
}

#define HAND(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HAND(sudogs__in_a_circle__end),
        HAND(queues_of_a_channel__in_a_circle__end),
        HAND(sudogs_of_others__behind_that_of_a_lock__are_not_its_own),
        HAND(garbage__in_the_list__is_counted),
        HAND(list__that_says_too_much__is_unreadable),
        HAND(list__longer_than_there_can_be__is_unreadable),
        HAND(long_list_of_nothing__is_given_up),
        HAND(timers__of_many_processors__share_one_budget),
        HAND(timers__are_read_for_channels_that_hold_nothing),
        HAND(list__at_a_bad_address__is_unreadable),
        HAND(goroutine__whose_stack_pointer_lies__is_not_believed),
        HAND(stack__that_cannot_be_read__is_left_out),
        HAND(channel__that_cannot_be_read__is_told_by_its_address),
        HAND(sudog__that_cannot_be_read__leaves_the_object_unknown),
        HAND(neighbours__of_which_one_lies_in_a_hole__are_told),
        HAND(goroutine__that_was_preempted__has_not_the_reason_of_its_last_wait),
        HAND(goroutine__that_never_stands_still__is_moved),
        HAND(goroutine__between_two_stacks__is_moved_or_dead),
        HAND(goroutine__that_waits_before_it_leaves_its_stack__is_moved),
        HAND(goroutine__that_moves_once__is_read_again),
        HAND(goroutine__that_ends_meanwhile__is_not_told),
        HAND(goroutine__whose_place_is_taken_meanwhile__is_not_told_with_what_another_has),
        HAND(goroutine__that_runs_now_and_then__is_not_read_again),
        HAND(goroutine__that_cannot_be_read_twice__is_unreadable),
        HAND(list__that_is_moved_meanwhile__is_followed),
        HAND(selects__more_than_there_is_room_for__are_all_told),
        HAND(labels__of_endless_lists__end),
        HAND(layout__with_a_field_far_away_or_nowhere__is_refused),
        HAND(poll_descriptor__whose_fields_are_far_away__is_not_looked_for),
        HAND(layout__of_any_numbers__is_refused_or_survived),
        cmocka_unit_test(memory__with_any_words_changed__is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
