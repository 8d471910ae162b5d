/* What a goroutine is parked on where nothing leads there but its stack: the compiler keeps there
 * what a function needs after the call that parks. Each kind of thing can be told from anything
 * else when it is read. */
#include "preload/goscan/scan.h"

#define MAX_SEARCHED_WORDS                                                                         \
    96                    /* of a stack, from its top: some frames of the runtime and of sync      \
                           */
#define MAX_SEARCHES 4096 /* in one run */
#define USER_SPACE_END UINT64_C(0x800000000000)

enum scan_special scan_special_of(const struct goscan *scan, const struct scan_item *item)
{
    static const uint8_t by_rule[] = {
        [GO_OBJECT_NONE] = SPECIAL_NONE,   [GO_OBJECT_CHANNEL] = SPECIAL_NONE,
        [GO_OBJECT_SELECT] = SPECIAL_NONE, [GO_OBJECT_SEMAPHORE] = SPECIAL_SUDOG,
        [GO_OBJECT_COND] = SPECIAL_COND,   [GO_OBJECT_POLL] = SPECIAL_POLL,
    };
    if (item->key.waiting != 0)
        return SPECIAL_NONE;
    return by_rule[scan->reasons[scan_reason_of(scan, item)].object];
}

/* What is to be read of what a word points to. */
struct extent {
    uint64_t before; /* bytes before the address */
    uint64_t bytes;
};

static struct extent extent_of(const struct goscan *scan, enum scan_special special)
{
    const struct go_layout *layout = &scan->layout;
    switch (special) {
    case SPECIAL_SUDOG:
        return (struct extent){0, scan_state(scan)->sudog_bytes};
    case SPECIAL_COND:
        return (struct extent){0, layout->cond_checker + 8U};
    case SPECIAL_POLL:
        /* The word may be that of the reader or of the writer, which comes later. */
        return (struct extent){layout->poll_writer, (uint64_t)layout->poll_writer -
                                                        layout->poll_reader +
                                                        scan_state(scan)->poll_bytes};
    default:
        return (struct extent){0, 0};
    }
}

static bool is_known(const struct go_layout *layout, enum scan_special special)
{
    return (special == SPECIAL_SUDOG) ||
           (special == SPECIAL_COND && layout->cond_checker != GO_ABSENT) ||
           (special == SPECIAL_POLL && layout->poll_self != GO_ABSENT &&
            layout->poll_fd != GO_ABSENT && layout->poll_writer != GO_ABSENT &&
            layout->poll_reader < layout->poll_writer);
}

/* Whether the pollDesc at `bytes` is one, and this goroutine is the one that it knows of. */
static bool is_poll(const struct go_layout *layout, const uint8_t *bytes, uint64_t address,
                    uint16_t slot, uint64_t g)
{
    return word_at(bytes, layout->poll_self) == address && word_at(bytes, slot) == g;
}

/* Whether the bytes are what is looked for. Sets what follows from it. */
static bool fits(const struct goscan *scan, struct scan_item *item, uint64_t word,
                 const uint8_t *bytes)
{
    const struct go_layout *layout = &scan->layout;
    item->writes = false;
    switch (item->special) {
    case SPECIAL_SUDOG:
        return word_at(bytes, layout->sudog_g) == item->g &&
               word_at(bytes, layout->sudog_channel) == 0 &&
               word_at(bytes, layout->sudog_elem) != 0 && bytes[layout->sudog_is_select] == 0;
    case SPECIAL_COND:
        return word_at(bytes, layout->cond_checker) == word + layout->cond_checker;
    case SPECIAL_POLL:
        if (is_poll(layout, bytes, word - layout->poll_writer, layout->poll_writer, item->g)) {
            item->writes = true;
            return true;
        }
        return is_poll(layout, bytes + layout->poll_writer - layout->poll_reader,
                       word - layout->poll_reader, layout->poll_reader, item->g);
    default:
        return false;
    }
}

static bool may_be_pointer(uint64_t word)
{
    return word >= 4096 && word < USER_SPACE_END && word % 8 == 0;
}

void scan_special_ask(struct goscan *scan, struct scan_item *item)
{
    struct scan_state *state = scan_state(scan);
    int32_t at = state->special_at[item->special] - 1;
    struct extent extent = extent_of(scan, item->special);
    item->special_ok = false;
    if (!is_known(&scan->layout, item->special) || extent.bytes > SCAN_SPECIAL_BYTES) {
        item->special = SPECIAL_NONE;
        return;
    }
    if (!*item->stack.ok || at < 0 || (uint32_t)at + 8 > item->stack_bytes)
        return;
    uint64_t word = word_at(item->stack.bytes, (size_t)at);
    if (!may_be_pointer(word))
        return;
    item->special_word = word;
    scan_add(scan, word - extent.before, item->special_bytes, extent.bytes, &item->special_ok);
}

void scan_special_check(struct goscan *scan, struct scan_item *item)
{
    struct scan_state *state = scan_state(scan);
    if (item->special_ok && fits(scan, item, item->special_word, item->special_bytes))
        return;
    item->special_ok = false;
    if (!*item->stack.ok || state->searches == MAX_SEARCHES)
        return;
    state->searches++;
    struct extent extent = extent_of(scan, item->special);
    size_t words = item->stack_bytes / 8;
    if (words > MAX_SEARCHED_WORDS)
        words = MAX_SEARCHED_WORDS;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = word_at(item->stack.bytes, i * 8);
        if (!may_be_pointer(word) ||
            !mem_read(scan->reader, word - extent.before, item->special_bytes, extent.bytes) ||
            !fits(scan, item, word, item->special_bytes))
            continue;
        item->special_word = word;
        item->special_ok = true;
        state->special_at[item->special] = (int32_t)(i * 8) + 1;
        return;
    }
}
