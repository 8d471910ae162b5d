#include "tests/unit/preload/made_target.h"

#define MINOR 27

static void read_target(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct made_target *target = (struct made_target *)reader;
    for (size_t i = 0; i < count; i++) {
        target->pieces++;
        if (target->change && target->changes_left > 0) {
            target->changes_left--;
            target->change(target);
        }
        arena_read(&target->arena, &pieces[i]);
    }
}

int made_set_up(void **state)
{
    static const char *const texts[REASON_COUNT] = {
        "", "chan receive", "chan send", "select", "sync.Mutex.Lock", "sync.Cond.Wait", "IO wait"};
    struct made_target *target = calloc(1, sizeof(*target));
    size_t bytes = goscan_scratch_bytes(MADE_AT_ONCE);
    *state = target;
    target->reader.read = read_target;
    arena_init(&target->arena, MADE_BYTES);
    target->scratch = calloc(1, bytes);
    struct goscan *scan = &target->scan;
    scan->reader = &target->reader;
    scan->scratch = target->scratch;
    scan->scratch_bytes = bytes;
    scan->minor = MINOR;
    if (!scan_state_init(scan) || !go_layout_of(MINOR, &scan->layout) ||
        !scan_state_take_layout(scan))
        return -1;
    scan->functions =
        (struct pclntab){.reader = scan->reader, .text = MADE_TEXT, .etext = MADE_TEXT_END};
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

int made_tear_down(void **state)
{
    struct made_target *target = *state;
    free(target->scratch);
    arena_deinit(&target->arena);
    free(target);
    return 0;
}

void made_list_g(struct made_target *target, uint64_t g)
{
    arena_put(&target->arena, target->list + target->list_count++ * 8, g);
    arena_put(&target->arena, target->slice, target->list);
    arena_put(&target->arena, target->slice + 8, target->list_count);
    arena_put(&target->arena, target->slice + 16, 1024);
}

uint64_t made_g(struct made_target *target, uint64_t id, enum made_reason reason)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t g = arena_make(&target->arena, MADE_G_BYTES), stack = arena_make(&target->arena, 2048);
    arena_put(&target->arena, g + layout->g_stack_lo, stack);
    arena_put(&target->arena, g + layout->g_stack_hi, stack + 2048);
    arena_put(&target->arena, g + layout->g_sched_sp, stack + 1024);
    arena_put(&target->arena, g + layout->g_sched_pc, MADE_TEXT + 100);
    arena_put(&target->arena, g + layout->g_start_pc, MADE_TEXT + 200);
    arena_put(&target->arena, g + layout->g_id, id);
    arena_put_byte(&target->arena, g + layout->g_status, G_WAITING);
    arena_put_byte(&target->arena, g + layout->g_wait_reason, (uint8_t)reason);
    made_list_g(target, g);
    return g;
}

uint64_t made_sudog(struct made_target *target, uint64_t g, uint64_t after, uint64_t channel)
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

uint64_t made_channel(struct made_target *target, uint64_t capacity)
{
    uint64_t channel = arena_make(&target->arena, 112);
    arena_put(&target->arena, channel + target->scan.layout.channel_capacity, capacity);
    return channel;
}

bool made_note(const struct go_goroutine *it, void *arg)
{
    struct made_visits *visits = arg;
    visits->last = *it;
    visits->count++;
    visits->ids += it->id;
    if (it->case_count > 0)
        memcpy(visits->cases, it->cases, it->case_count * sizeof(*it->cases));
    return true;
}

struct go_totals made_scan(struct made_target *target, struct made_visits *visits)
{
    struct go_totals totals;
    memset(visits, 0, sizeof(*visits));
    assert_int_equal(goscan_run(&target->scan, made_note, visits, &totals), GO_OK);
    assert_int_equal(totals.seen, visits->count);
    return totals;
}
