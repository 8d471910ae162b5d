/* What the locks of package sync say of themselves: who waits for one is in a semaphore inside it.
 *
 * Which lock it is may be known only when the stack was walked, so what surrounds the semaphore is
 * read in any case: while nothing has changed of the goroutine, before its g is read again. */
#include "preload/goscan/scan.h"

#define COUNTER_OFFSET 4 /* of a WaitGroup's state: the counter is the high half */

_Static_assert(SCAN_SUDOG_BYTES + SCAN_LOCK_BYTES <= SCAN_SPECIAL_BYTES, "side by side");

/* Where the words are. */
struct words {
    uint16_t semaphore, state, leaving;
    bool two; /* `leaving`, too */
};

static struct words words_of(const struct go_layout *layout, enum go_lock lock)
{
    const uint16_t count = layout->rwlock_reader_count, leaving = layout->rwlock_reader_wait;
    const uint16_t counter = layout->waitgroup_state == GO_ABSENT
                                 ? GO_ABSENT
                                 : (uint16_t)(layout->waitgroup_state + COUNTER_OFFSET);
    const struct words rows[GO_LOCK_COUNT] = {
        [GO_LOCK_UNKNOWN] = {0, GO_ABSENT, GO_ABSENT, false}, /* the semaphore is all */
        [GO_LOCK_NONE] = {0, GO_ABSENT, GO_ABSENT, false},
        [GO_LOCK_MUTEX] = {layout->mutex_sema, layout->mutex_state, GO_ABSENT, false},
        /* The Mutex is the first thing in the RWMutex. */
        [GO_LOCK_RWLOCK_MUTEX] = {layout->mutex_sema, count, leaving, true},
        [GO_LOCK_RWLOCK_READ] = {layout->rwlock_reader_sema, count, leaving, true},
        [GO_LOCK_RWLOCK_WRITE] = {layout->rwlock_writer_sema, count, leaving, true},
        [GO_LOCK_WAITGROUP] = {layout->waitgroup_sema, counter, GO_ABSENT, false},
    };
    return rows[lock];
}

uint16_t scan_semaphore_offset(const struct go_layout *layout, enum go_lock lock)
{
    return words_of(layout, lock).semaphore;
}

void scan_locks_take_layout(struct goscan *scan)
{
    struct scan_state *state = scan_state(scan);
    uint32_t before = 0, after = 0;
    for (unsigned lock = 0; lock < GO_LOCK_COUNT; lock++) {
        struct words words = words_of(&scan->layout, (enum go_lock)lock);
        const uint16_t fields[] = {words.state, words.leaving};
        for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
            if (words.semaphore == GO_ABSENT || fields[i] == GO_ABSENT)
                continue;
            if (fields[i] < words.semaphore && before < (uint32_t)words.semaphore - fields[i])
                before = (uint32_t)words.semaphore - fields[i];
            if (fields[i] > words.semaphore &&
                after < (uint32_t)fields[i] - words.semaphore + sizeof(uint32_t))
                after = (uint32_t)(fields[i] - words.semaphore + sizeof(uint32_t));
        }
    }
    state->lock_before = before;
    state->lock_bytes = before + after <= SCAN_LOCK_BYTES ? before + after : 0;
}

const uint8_t *scan_own_sudog(const struct goscan *scan, const struct scan_item *item)
{
    if (item->special == SPECIAL_SUDOG && item->special_ok)
        return item->special_bytes;
    if (item->first_sudog == 0 || !*scan_state(scan)->sudogs[item->first_sudog - 1].copy.ok)
        return NULL;
    return scan_state(scan)->sudogs[item->first_sudog - 1].copy.bytes;
}

uint64_t scan_semaphore_of(const struct goscan *scan, const struct scan_item *item)
{
    const uint8_t *sudog = scan_own_sudog(scan, item);
    return sudog ? word_at(sudog, scan->layout.sudog_elem) : 0;
}

/* Behind the sudog that was found on the stack. */
static uint8_t *bytes_of(const struct scan_item *item)
{
    return item->special_bytes + SCAN_SUDOG_BYTES;
}

/* That of the lock whose words are wanted, or by which the lock will be known. 0: none. */
static uint64_t semaphore_to_read(const struct goscan *scan, const struct scan_item *item)
{
    const struct go_lock_place *wanted = &item->wanted_lock;
    uint64_t its_own = scan_semaphore_of(scan, item);
    if (wanted->address == 0)
        return its_own;
    uint16_t offset = scan_semaphore_offset(&scan->layout, wanted->lock);
    if (offset == GO_ABSENT || (its_own != 0 && its_own != wanted->address + offset))
        return 0; /* or it waits for another lock by now */
    return wanted->address + offset;
}

void scan_lock_ask(struct goscan *scan, struct scan_item *item)
{
    const struct scan_state *state = scan_state(scan);
    item->lock_ok = false;
    if ((item->stack_bytes == 0 && item->wanted_lock.address == 0) || state->lock_bytes == 0 ||
        scan->reasons[scan_reason_of(scan, item)].object != GO_OBJECT_SEMAPHORE)
        return;
    uint64_t semaphore = semaphore_to_read(scan, item);
    if (semaphore > state->lock_before)
        scan_add(scan, semaphore - state->lock_before, bytes_of(item), state->lock_bytes,
                 &item->lock_ok);
}

/* A word of the lock. False: it was not read. */
static bool take_word(const struct scan_state *state, const struct scan_item *item,
                      uint16_t semaphore, uint16_t field, int32_t *ret)
{
    uint32_t at = state->lock_before + field - semaphore;
    if (field == GO_ABSENT || at + sizeof(*ret) > state->lock_bytes)
        return false;
    memcpy(ret, bytes_of(item) + at, sizeof(*ret));
    return true;
}

struct go_lock_words scan_lock_words(const struct goscan *scan, const struct scan_item *item,
                                     enum go_lock lock)
{
    const struct scan_state *state = scan_state(scan);
    struct words words = words_of(&scan->layout, lock);
    int32_t value, leaving = 0;
    if (!item->lock_ok || words.semaphore == GO_ABSENT ||
        !take_word(state, item, words.semaphore, words.state, &value) ||
        (words.two && !take_word(state, item, words.semaphore, words.leaving, &leaving)))
        return (struct go_lock_words){.asked = true};
    return goscan_lock_words(lock, value, leaving);
}

struct go_lock_words goscan_lock_words(enum go_lock lock, int32_t state, int32_t leaving)
{
    /* The writer for whom the last reader made way is about to be woken: nobody has it. */
    bool passing = lock == GO_LOCK_RWLOCK_WRITE && leaving <= 0;
    return (struct go_lock_words){
        .known = !passing, .state = state, .leaving = leaving, .asked = true};
}
