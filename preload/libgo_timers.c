/* Timers that send on channels (time.NewTimer, NewTicker, After, Tick): which one belongs to a
 * channel. The runtime keeps them in the heaps of its processors, where they are found by nobody
 * who does not hold its locks; so each is noted when it is started for the first time. Whether it
 * is set, it says itself.
 *
 * Compiled with sibling calls, as libgo_hooks.c.
 */
#include "preload/goscan/g.h"
#include "preload/goscan/hash.h"
#include "preload/hooks.h"
#include "preload/libgo.h"
#include "preload/memory.h"

#define BUCKETS (1U << 13)
#define WAYS 8
#define BUSY 1 /* no address */

/* KEY is the channel; 0: the row is free, BUSY: somebody writes it. */
static struct noted {
    uint64_t channel;
    uint64_t timer; /* time.runtimeTimer */
    int64_t when_ns;
} (*rows)[WAYS];

void libgo_timers_init(void)
{
    if (rows == NULL && libgo.layout_known)
        rows = memory_reserve(BUCKETS * sizeof(*rows));
}

static struct noted *bucket_of(uint64_t channel)
{
    return rows[(hash_word(channel >> 4) >> 32) & (BUCKETS - 1)];
}

/* The row to be written for a channel: its own, a free one, or that of the timer that is or was due
 * first. */
static struct noted *find_row(uint64_t channel, uint64_t *ret_key)
{
    struct noted *bucket = bucket_of(channel), *best = bucket;
    uint64_t best_key = BUSY;
    for (int i = 0; i < WAYS; i++) {
        uint64_t key = __atomic_load_n(&bucket[i].channel, __ATOMIC_RELAXED);
        bool own = key == channel || key == 0;
        if (own || (key != BUSY && (best_key == BUSY ||
                                    SHARED_GET(bucket[i].when_ns) < SHARED_GET(best->when_ns)))) {
            best = &bucket[i];
            best_key = key;
        }
        if (own)
            break;
    }
    *ret_key = best_key;
    return best;
}

/* The channel that a timer sends on; 0: it calls a function instead. The value of an interface that
 * holds a channel is the channel itself. */
static uint64_t channel_of(const char *timer)
{
    const char *type = *(const char *const *)(timer + LIBGO_TIMER_ARG);
    bool is_channel =
        type != NULL && (type[LIBGO_TYPE_KIND] & LIBGO_TYPE_KIND_MASK) == LIBGO_TYPE_CHANNEL;
    return is_channel ? *(const uint64_t *)(timer + LIBGO_TIMER_ARG + 8) : 0;
}

/* Any thread, on a goroutine's stack. Where two write the same row at once, one timer is not noted.
 */
static void note_timer(const char *timer)
{
    uint64_t channel = channel_of(timer), key;
    if (channel == 0)
        return;
    struct noted *row = find_row(channel, &key);
    if (key == BUSY || !__atomic_compare_exchange_n(&row->channel, &key, BUSY, false,
                                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return;
    SHARED_PUT(row->timer, (uint64_t)timer);
    SHARED_PUT(row->when_ns, *(const int64_t *)(timer + LIBGO_TIMER_WHEN));
    __atomic_store_n(&row->channel, channel, __ATOMIC_RELEASE);
}

void hook_libgo_start_timer(void *timer)
{
    if (rows != NULL)
        note_timer(timer);
    hooks_real.libgo_start_timer(timer);
}

bool libgo_has_timer(uint64_t channel)
{
    if (rows == NULL || channel <= BUSY)
        return false;
    const struct noted *bucket = bucket_of(channel);
    for (int i = 0; i < WAYS; i++) {
        struct {
            uint64_t channel;
            uint64_t more[(LIBGO_TIMER_STATUS - LIBGO_TIMER_ARG - 16) / 8];
            uint32_t status;
        } timer;
        _Static_assert(offsetof(__typeof__(timer), status) ==
                           LIBGO_TIMER_STATUS - LIBGO_TIMER_ARG - 8,
                       "they lie as in the timer");
        if (__atomic_load_n(&bucket[i].channel, __ATOMIC_ACQUIRE) != channel)
            continue;
        /* Its memory may be something else's by now, or the row another channel's. */
        uint64_t address = SHARED_GET(bucket[i].timer) + LIBGO_TIMER_ARG + 8;
        return memory_read(address, &timer, sizeof(timer)) && timer.channel == channel &&
               g_timer_is_set(timer.status);
    }
    return false;
}
