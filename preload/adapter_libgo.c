/* Goroutines of gccgo's libgo: what is to be known of the channels that they wait on. */
#include "preload/adapter.h"

#include "preload/goscan/libgo_chan.h"
#include "preload/libgo.h"
#include "preload/memory.h"

static uint16_t describe_channel(uint64_t chan, uint32_t *ret_capacity, uint32_t *ret_length)
{
    unsigned char head[LIBGO_CHAN_HEAD_BYTES];
    if (chan == 0 || !memory_read(chan, head, sizeof(head)))
        return 0;
    struct libgo_chan it = libgo_chan_of(head);
    if (!it.known)
        return 0;
    *ret_capacity = rec_saturate(it.capacity);
    *ret_length = rec_saturate(it.length);
    return REC_DETAIL_CHANNEL | (it.closed ? REC_DETAIL_CLOSED : 0);
}

/* Until one goroutine was found whose sudog names the channel that its lock's address gave us, the
 * layouts are not to be trusted. */
static bool layout_holds(const struct rec_task *task)
{
    static bool seen;
    uint64_t sudog, chan;
    if (!seen)
        seen = memory_read(task->handle + LIBGO_G_WAITING, &sudog, sizeof(sudog)) && sudog != 0 &&
               memory_read(sudog + LIBGO_SUDOG_CHAN, &chan, sizeof(chan)) && chan == task->object;
    return seen;
}

/* What ends a receive by itself. */
static uint16_t describe_timer(uint64_t chan)
{
    return libgo_has_timer(chan) ? REC_DETAIL_TIMES_OUT : 0;
}

/* The object of a select is its array of cases, sends first; how many of each is in arg. */
static void describe_select(const struct rec_task *task, struct wait_detail *detail)
{
    uint32_t sends = task->arg >> 16, count = sends + (task->arg & 0xffff);
    if (count > ADAPTER_MAX_CASES)
        count = ADAPTER_MAX_CASES;
    for (uint32_t i = 0; i < count; i++) {
        struct rec_case *to = &detail->cases[i];
        uint64_t chan;
        if (!memory_read(task->object + i * LIBGO_CASE_BYTES, &chan, sizeof(chan)))
            return;
        *to = (struct rec_case){
            .object = chan,
            .op = i < sends ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE,
        };
        to->detail_flags = describe_channel(chan, &to->capacity, &to->length);
        if (to->op == REC_OP_CHAN_RECEIVE)
            detail->flags |= describe_timer(chan);
        detail->case_count = (uint16_t)(i + 1);
    }
}

static void describe(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    if (!libgo.layout_known)
        return;
    switch (op) {
    case REC_OP_CHAN_SEND:
    case REC_OP_CHAN_RECEIVE:
        if (layout_holds(task))
            detail->flags = describe_channel(task->object, &detail->a, &detail->b);
        if (op == REC_OP_CHAN_RECEIVE)
            detail->flags |= describe_timer(task->object);
        break;
    case REC_OP_SELECT:
        describe_select(task, detail);
        break;
    default:
        break;
    }
}

const struct adapter adapter_libgo = {.kind = REC_KIND_GOROUTINE, .describe = describe};
