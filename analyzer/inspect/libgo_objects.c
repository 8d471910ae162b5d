#include "analyzer/inspect/libgo_objects.h"

#include "preload/goscan/libgo_chan.h"

#define LOWEST_ADDRESS 4096U /* below it is nothing */
#define SEARCHED_WORDS 96    /* of a stack, for what a goroutine waits on: frames of the runtime */
#define QUEUE_STEPS 256      /* in a channel's queue, to its beginning */
#define SPECIAL_BYTES 256

void libgo_reading_init(struct libgo_reading *ret, const struct libgo_runtime *runtime,
                        struct mem_reader *memory)
{
    *ret =
        (struct libgo_reading){.runtime = runtime, .memory = memory, .reads_left = LIBGO_MAX_READS};
}

static bool read_one(struct libgo_reading *reading, uint64_t address, void *to, size_t bytes)
{
    if (reading->reads_left == 0)
        return false;
    reading->reads_left--;
    return mem_read(reading->memory, address, to, bytes);
}

static void read_channel(struct libgo_reading *reading, uint64_t address, unsigned char *bytes,
                         struct go_channel *ret)
{
    *ret = (struct go_channel){.address = address};
    if (address == 0 || !read_one(reading, address, bytes, LIBGO_CHAN_BYTES))
        return;
    struct libgo_chan chan = libgo_chan_of(bytes);
    ret->capacity = chan.capacity;
    ret->length = chan.length;
    ret->known = chan.known;
    ret->closed = chan.closed;
}

/* Whether a sudog stands in the queue of senders. Mostly only one of the queues has anybody in it;
 * else the first one of the sudog's own tells. */
static bool is_sender(struct libgo_reading *reading, uint64_t sudog, uint64_t before,
                      const unsigned char *channel)
{
    if (word_at(channel, LIBGO_CHAN_SENDERS) == 0 || word_at(channel, LIBGO_CHAN_RECEIVERS) == 0)
        return word_at(channel, LIBGO_CHAN_SENDERS) != 0;
    for (int i = 0; before && i < QUEUE_STEPS; i++) {
        sudog = before;
        if (!read_one(reading, sudog + LIBGO_SUDOG_PREV, &before, sizeof(before)))
            return false;
    }
    return sudog == word_at(channel, LIBGO_CHAN_SENDERS);
}

/* The channels that g.waiting names. False: it is no list of this goroutine's sudogs. Of a list
 * that is longer than all that are told it is said that there are more. */
static bool take_sudogs(struct libgo_reading *reading, const struct libgo_look *look,
                        struct go_case *cases, struct go_goroutine *it)
{
    unsigned char sudog[LIBGO_SUDOG_BYTES], channel[LIBGO_CHAN_BYTES];
    uint64_t address = look->key.waiting;
    for (it->cases_given = 0; address && it->case_count < GO_MAX_CASES; it->cases_given++) {
        if (!read_one(reading, address, sudog, sizeof(sudog)) ||
            word_at(sudog, LIBGO_SUDOG_G) != look->g)
            return false;
        struct go_case *row = &cases[it->case_count++];
        reading->has_found = true;
        read_channel(reading, word_at(sudog, LIBGO_SUDOG_CHAN), channel, &row->channel);
        row->send = row->channel.known &&
                    is_sender(reading, address, word_at(sudog, LIBGO_SUDOG_PREV), channel);
        address = word_at(sudog, LIBGO_SUDOG_WAITLINK);
        if (address == look->key.waiting)
            return false;
    }
    it->cases_given += address != 0;
    return true;
}

/* Searches the stack for a word that leads to what `fits`. */
static bool search(struct libgo_reading *reading, const struct libgo_look *look, size_t before,
                   size_t bytes, bool (*fits)(const unsigned char *at, uint64_t word, uint64_t g),
                   unsigned char *ret_bytes, uint64_t *ret_word)
{
    for (size_t i = 0; i < look->stack_bytes / 8 && i < SEARCHED_WORDS; i++) {
        uint64_t word = word_at(look->stack, 8 * i);
        if (word < LOWEST_ADDRESS || word % 8 || word >> 47 ||
            !read_one(reading, word - before, ret_bytes, bytes) || !fits(ret_bytes, word, look->g))
            continue;
        *ret_word = word;
        return true;
    }
    return false;
}

static bool is_semaphore_sudog(const unsigned char *at, uint64_t word, uint64_t g)
{
    (void)word;
    return word_at(at, LIBGO_SUDOG_G) == g && word_at(at, LIBGO_SUDOG_CHAN) == 0 &&
           word_at(at, LIBGO_SUDOG_ELEM) != 0 && at[LIBGO_SUDOG_IS_SELECT] == 0;
}

static bool is_cond(const unsigned char *at, uint64_t word, uint64_t g)
{
    (void)g;
    return word_at(at, LIBGO_COND_CHECKER) == word + LIBGO_COND_CHECKER;
}

/* A word of a pollDesc: its reader, or its writer behind it. */
static bool is_poll(const unsigned char *at, uint64_t word, uint64_t g)
{
    return (word_at(at, LIBGO_POLL_SELF) == word - LIBGO_POLL_WRITER &&
            word_at(at, LIBGO_POLL_WRITER) == g) ||
           (word_at(at + 8, LIBGO_POLL_SELF) == word - LIBGO_POLL_READER &&
            word_at(at + 8, LIBGO_POLL_READER) == g);
}

_Static_assert(LIBGO_POLL_WRITER == LIBGO_POLL_READER + 8, "one word apart");
_Static_assert(LIBGO_POLL_SELF + 16 <= SPECIAL_BYTES, "fits");

#define NO_WORD UINT32_MAX

/* What the lock says of itself; the goroutine is looked at again afterwards. */
static void take_words(struct libgo_reading *reading, enum go_lock lock, struct go_goroutine *it)
{
    static const struct {
        uint32_t state, leaving;
    } rows[GO_LOCK_COUNT] = {
        [GO_LOCK_UNKNOWN] = {NO_WORD, NO_WORD},
        [GO_LOCK_NONE] = {NO_WORD, NO_WORD},
        [GO_LOCK_MUTEX] = {LIBGO_MUTEX_STATE, NO_WORD},
        [GO_LOCK_RWLOCK_MUTEX] = {LIBGO_RWMUTEX_READER_COUNT, LIBGO_RWMUTEX_READER_WAIT},
        [GO_LOCK_RWLOCK_READ] = {LIBGO_RWMUTEX_READER_COUNT, LIBGO_RWMUTEX_READER_WAIT},
        [GO_LOCK_RWLOCK_WRITE] = {LIBGO_RWMUTEX_READER_COUNT, LIBGO_RWMUTEX_READER_WAIT},
        [GO_LOCK_WAITGROUP] = {LIBGO_WAITGROUP_COUNTER, NO_WORD},
    };
    int32_t state, leaving = 0;
    if (rows[lock].state == NO_WORD ||
        !read_one(reading, it->object + rows[lock].state, &state, sizeof(state)) ||
        (rows[lock].leaving != NO_WORD &&
         !read_one(reading, it->object + rows[lock].leaving, &leaving, sizeof(leaving))))
        return;
    it->words = goscan_lock_words(lock, state, leaving);
}

static void take_semaphore(struct libgo_reading *reading, const struct libgo_look *look,
                           struct go_goroutine *it)
{
    unsigned char bytes[SPECIAL_BYTES];
    uint64_t word;
    enum go_lock lock = libgo_lock_of(reading->runtime, it->stack->pcs, it->stack->count);
    it->op = go_lock_op(lock);
    if (!search(reading, look, 0, LIBGO_SUDOG_BYTES, is_semaphore_sudog, bytes, &word))
        return;
    it->object = word_at(bytes, LIBGO_SUDOG_ELEM) - libgo_semaphore_offset(lock);
    it->object_known = true;
    take_words(reading, lock, it);
}

static void take_cond(struct libgo_reading *reading, const struct libgo_look *look,
                      struct go_goroutine *it)
{
    unsigned char bytes[SPECIAL_BYTES];
    it->object_known =
        search(reading, look, 0, LIBGO_COND_CHECKER + 8, is_cond, bytes, &it->object);
}

static void take_poll(struct libgo_reading *reading, const struct libgo_look *look,
                      struct go_goroutine *it)
{
    unsigned char bytes[SPECIAL_BYTES];
    uint64_t word;
    if (!search(reading, look, LIBGO_POLL_WRITER, LIBGO_POLL_SELF + 16, is_poll, bytes, &word))
        return;
    bool writes = word_at(bytes, LIBGO_POLL_SELF) == word - LIBGO_POLL_WRITER;
    const unsigned char *poll = writes ? bytes : bytes + 8;
    it->object = word_at(poll, LIBGO_POLL_FD);
    it->object_known = true;
    it->deadline = word_at(poll, writes ? LIBGO_POLL_WRITE_UNTIL : LIBGO_POLL_READ_UNTIL) != 0;
}

bool libgo_object_read(struct libgo_reading *reading, const struct libgo_look *look,
                       struct go_case *cases, struct go_goroutine *it)
{
    const struct go_reason *reason = &reading->runtime->reasons[look->key.reason];
    switch ((enum go_object_rule)reason->object) {
    case GO_OBJECT_NONE:
        return true;
    case GO_OBJECT_CHANNEL:
    case GO_OBJECT_SELECT:
        if (!take_sudogs(reading, look, cases, it)) {
            if (reading->reads_left > 0)
                return false;
            it->case_count = 0;
            it->cases_given = 1; /* at least: nobody knows of what */
        }
        if (reason->object == GO_OBJECT_CHANNEL) {
            it->channel = it->case_count ? cases[0].channel : (struct go_channel){0};
            it->object = it->channel.address;
            it->case_count = it->cases_given = 0;
        }
        return true;
    case GO_OBJECT_SEMAPHORE:
        take_semaphore(reading, look, it);
        return true;
    case GO_OBJECT_COND:
        take_cond(reading, look, it);
        return true;
    case GO_OBJECT_POLL:
        take_poll(reading, look, it);
        return true;
    }
    return true;
}
