/* Contexts that end at a deadline (context.WithTimeout, WithDeadline and the like): a timer of
 * theirs calls a closure, {code, *timerCtx}, which closes the context's channel, and those of its
 * children: of the contexts that were made from it. Each of these begins with a context.cancelCtx:
 *
 *     Context; mu; done atomic.Value, of the channel, or nothing; children map[canceler]struct{}
 *
 * A canceler is two words, of which the second one points to a child. Until 1.23 a map is a
 * runtime.hmap (src/runtime/map.go), since 1.24 an internal/runtime/maps.Map (map.go, group.go
 * there). A child in a map that its program is changing may be missed, or told a moment too long.
 *
 * What is still to be read is a stack of pieces of work, of which many are read at once. Nothing is
 * believed, and need not be: what is found is only compared with channels that somebody waits on.
 */
#include "preload/goscan/scan.h"

#define AT_ONCE 128
#define PART_BYTES 256 /* of one piece, at most */
#define MAX_WORK 5500
#define MAX_IN_A_ROW (1U << 24)

#define BUCKET_ROWS 8 /* as of labels: top bytes of hashes, keys, next bucket */
#define BUCKET_NEXT (BUCKET_ROWS + BUCKET_ROWS * CANCELER_BYTES)
#define BUCKET_BYTES (BUCKET_NEXT + 8)
#define ROW_USED 5
#define MAX_BITS 24
#define SAME_SIZE 8 /* in hmap.flags: the old buckets are as many as the new ones */

#define GROUP_ROWS 8 /* bytes that say which are used, then rows with a key each */
#define ROW_FREE 0x80
#define MAX_GROUPS 4096
#define TABLES_AT_ONCE (PART_BYTES / 8)

#define CANCELER_BYTES 16
#define CANCELER_DATA 8

enum kind { CLOSURE, CONTEXT, MAP, BUCKETS, TABLES, TABLE, GROUPS };

struct work {
    uint64_t address;
    uint32_t count; /* that lie in a row */
    uint32_t kind;  /* enum kind */
};

struct walk {
    uint8_t parts[AT_ONCE][PART_BYTES];
    struct work now[AT_ONCE]; /* what is read into them */
    uint32_t oks[AT_ONCE];
    struct work stack[MAX_WORK];
    size_t count; /* of the stack */
};

_Static_assert(sizeof(struct walk) <= SCAN_CONTEXTS_BYTES, "it fits");
_Static_assert(SCAN_CLOSURES <= MAX_WORK, "all of them fit");

static void lack(struct goscan *scan)
{
    scan_state(scan)->scan_timers.complete = false;
}

static bool has_hmaps(const struct go_layout *layout)
{
    return layout->map_buckets != GO_ABSENT;
}

static size_t later(size_t one, size_t other)
{
    return one > other ? one : other;
}

/* Bytes to be read of one: all that is used of it. */
static size_t bytes_of(const struct go_layout *layout, enum kind kind)
{
    switch (kind) {
    case CLOSURE:
        return 16;
    case CONTEXT:
        return later(layout->context_done, layout->context_children) + 16;
    case MAP:
        return has_hmaps(layout)
                   ? later(later(layout->map_buckets, layout->map_old_buckets), layout->map_bits) +
                         8
                   : later(layout->swiss_directory, layout->swiss_directory_count) + 8;
    case BUCKETS:
        return BUCKET_BYTES;
    case TABLES:
        return 8;
    case TABLE:
        return later(layout->swiss_groups, layout->swiss_groups_mask) + 8;
    case GROUPS:
        return layout->context_group;
    }
    return 0;
}

static void push(struct goscan *scan, struct walk *walk, enum kind kind, uint64_t address,
                 uint64_t count)
{
    if (address == 0 || count == 0)
        return;
    if (address % 8 != 0 || count > MAX_IN_A_ROW || walk->count == MAX_WORK ||
        bytes_of(&scan->layout, kind) > PART_BYTES) {
        lack(scan);
        return;
    }
    walk->stack[walk->count++] =
        (struct work){.address = address, .count = (uint32_t)count, .kind = kind};
}

static void take_closure(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    if (scan_ends_context(scan, word_at(bytes, 0)))
        push(scan, walk, CONTEXT, word_at(bytes, 8), 1);
}

static void take_context(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    const struct go_layout *layout = &scan->layout;
    uint64_t type = word_at(bytes, layout->context_done);
    uint64_t channel = word_at(bytes, layout->context_done + 8U);
    /* One that was met before was so together with its children; where it has some, it has a
     * channel. */
    if (type != 0 && channel != 0 && !scan_timers_insert(&scan_state(scan)->scan_timers, channel))
        return;
    push(scan, walk, MAP, word_at(bytes, layout->context_children), 1);
}

static void take_hmap(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    const struct go_layout *layout = &scan->layout;
    unsigned bits = bytes[layout->map_bits];
    unsigned flags = layout->map_bits > 0 ? bytes[layout->map_bits - 1U] : 0U;
    if (bits > MAX_BITS) {
        lack(scan);
        return;
    }
    /* While it grows its rows are in both, see labels.c. */
    push(scan, walk, BUCKETS, word_at(bytes, layout->map_buckets), UINT64_C(1) << bits);
    push(scan, walk, BUCKETS, word_at(bytes, layout->map_old_buckets),
         (flags & SAME_SIZE) != 0 ? UINT64_C(1) << bits : (UINT64_C(1) << bits) / 2);
}

static void take_bucket(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    for (size_t i = 0; i < BUCKET_ROWS; i++) {
        if (bytes[i] >= ROW_USED)
            push(scan, walk, CONTEXT,
                 word_at(bytes, BUCKET_ROWS + i * CANCELER_BYTES + CANCELER_DATA), 1);
    }
    push(scan, walk, BUCKETS, word_at(bytes, BUCKET_NEXT), 1);
}

/* One that has never had more than 8 rows is one group; else tables have them, and some may be
 * listed more than once. */
static void take_swiss_map(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    uint64_t directory = word_at(bytes, scan->layout.swiss_directory);
    uint64_t count = word_at(bytes, scan->layout.swiss_directory_count);
    push(scan, walk, count == 0 ? GROUPS : TABLES, directory, count == 0 ? 1 : count);
}

static void take_tables(struct goscan *scan, struct walk *walk, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || word_at(bytes, i * 8) != word_at(bytes, (i - 1) * 8))
            push(scan, walk, TABLE, word_at(bytes, i * 8), 1);
    }
}

static void take_table(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    uint64_t mask = word_at(bytes, scan->layout.swiss_groups_mask);
    if (mask < MAX_GROUPS)
        push(scan, walk, GROUPS, word_at(bytes, scan->layout.swiss_groups), mask + 1);
    else
        lack(scan);
}

/* A row is a key and a byte, aligned; or, where keys lie together, a key. */
static void take_group(struct goscan *scan, struct walk *walk, const uint8_t *bytes)
{
    size_t stride = (scan->layout.context_group - GROUP_ROWS) / GROUP_ROWS & ~(size_t)7;
    for (size_t i = 0; stride >= CANCELER_BYTES && i < GROUP_ROWS; i++) {
        if ((bytes[i] & ROW_FREE) == 0)
            push(scan, walk, CONTEXT, word_at(bytes, GROUP_ROWS + i * stride + CANCELER_DATA), 1);
    }
}

static void take(struct goscan *scan, struct walk *walk, const struct work *work,
                 const uint8_t *bytes)
{
    switch ((enum kind)work->kind) {
    case CLOSURE:
        take_closure(scan, walk, bytes);
        break;
    case CONTEXT:
        take_context(scan, walk, bytes);
        break;
    case MAP:
        if (has_hmaps(&scan->layout))
            take_hmap(scan, walk, bytes);
        else
            take_swiss_map(scan, walk, bytes);
        break;
    case BUCKETS:
        take_bucket(scan, walk, bytes);
        break;
    case TABLES:
        take_tables(scan, walk, bytes, work->count);
        break;
    case TABLE:
        take_table(scan, walk, bytes);
        break;
    case GROUPS:
        take_group(scan, walk, bytes);
        break;
    }
}

/* What follows in a row that breaks off is nothing: then neither was what came before. */
static void drop_rest(const struct go_layout *layout, struct walk *walk, const struct work *last)
{
    const struct work *top = walk->count > 0 ? &walk->stack[walk->count - 1] : NULL;
    if (top && top->kind == last->kind &&
        top->address == last->address + last->count * bytes_of(layout, last->kind))
        walk->count--;
}

/* Takes what is read next from the stack. Returns how much that is. */
static size_t next(const struct go_layout *layout, struct walk *walk)
{
    size_t count = 0;
    while (count < AT_ONCE && walk->count > 0) {
        struct work *top = &walk->stack[walk->count - 1];
        struct work *now = &walk->now[count++];
        uint32_t most = top->kind == TABLES ? TABLES_AT_ONCE : 1;
        *now = *top;
        now->count = top->count < most ? top->count : most;
        top->count -= now->count;
        top->address += now->count * bytes_of(layout, top->kind);
        if (top->count == 0)
            walk->count--;
    }
    return count;
}

void scan_contexts_take(struct goscan *scan, const uint64_t *closures, size_t count,
                        uint8_t area[SCAN_CONTEXTS_BYTES])
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    struct walk *walk = (void *)area;
    walk->count = 0;
    for (size_t i = 0; i < count && i < SCAN_CLOSURES; i++)
        push(scan, walk, CLOSURE, closures[i], 1);
    while (walk->count > 0 && !timers->full) {
        size_t some = next(&scan->layout, walk);
        if (timers->left < some || !scan_goes_on(scan)) {
            lack(scan);
            return;
        }
        timers->left -= some;
        for (size_t i = 0; i < some; i++)
            scan_add(scan, walk->now[i].address, walk->parts[i],
                     walk->now[i].count * bytes_of(&scan->layout, walk->now[i].kind),
                     &walk->oks[i]);
        scan_flush(scan);
        if (!walk->oks[some - 1])
            drop_rest(&scan->layout, walk, &walk->now[some - 1]);
        for (size_t i = 0; i < some; i++) {
            if (walk->oks[i])
                take(scan, walk, &walk->now[i], walk->parts[i]);
            else
                lack(scan);
        }
    }
}
