#include "analyzer/inspect/taskrt_objects.h"

#include <string.h>

#define MAX_CASES 64
#define SEND 1 /* enum taskrt_direction of struct taskrt_case: see runtime/taskrt.h */

/* The words of a channel that are read, from the first of them on. */
static uint64_t chan_start(const struct taskrt_inspect *table, size_t *ret_bytes)
{
    uint64_t first = table->chan_capacity, end = table->chan_capacity + 8;
    if (table->chan_length < first)
        first = table->chan_length;
    if (table->chan_closed < first)
        first = table->chan_closed;
    if (table->chan_length + 8 > end)
        end = table->chan_length + 8;
    if (table->chan_closed + 4 > end)
        end = table->chan_closed + 4;
    *ret_bytes = (size_t)(end - first);
    return first;
}

static void take_channel(const struct taskrt_inspect *table, const unsigned char *bytes,
                         struct snapshot_case *ret)
{
    size_t chan_bytes;
    uint64_t start = chan_start(table, &chan_bytes);
    uint64_t capacity, length;
    uint32_t closed;
    memcpy(&capacity, bytes + (table->chan_capacity - start), sizeof(capacity));
    memcpy(&length, bytes + (table->chan_length - start), sizeof(length));
    memcpy(&closed, bytes + (table->chan_closed - start), sizeof(closed));
    if (length > capacity || closed > 1)
        return;
    ret->capacity = rec_saturate(capacity);
    ret->length = rec_saturate(length);
    ret->detail_flags = (uint16_t)(REC_DETAIL_CHANNEL | (closed ? REC_DETAIL_CLOSED : 0));
}

/* What is read of the object that a task waits on (look->channel.object). False: nothing. */
static bool piece_of(const struct taskrt_inspect *table, const struct taskrt_look *look,
                     struct mem_piece *ret)
{
    uint64_t object = look->channel.object;
    if (object == 0)
        return false;
    size_t chan_bytes;
    uint64_t start = chan_start(table, &chan_bytes);
    uint32_t reason = half_at(look->task, table->reason);
    if (taskrt_waits_on_channel(reason) && chan_bytes <= TASKRT_MAX_CHAN_BYTES)
        *ret = (struct mem_piece){.address = object + start, .bytes = chan_bytes};
    else if (reason == TASKRT_REASON_MUTEX)
        *ret = (struct mem_piece){.address = object + table->mutex_owner, .bytes = 8};
    else
        return false;
    return true;
}

static bool is_same_piece(const struct mem_piece *a, const struct mem_piece *b)
{
    return a->address == b->address && a->bytes == b->bytes;
}

static void take_object(const struct taskrt_inspect *table, const unsigned char *bytes,
                        struct taskrt_look *look)
{
    look->has_owner = half_at(look->task, table->reason) == TASKRT_REASON_MUTEX;
    if (look->has_owner)
        look->owner = word_at(bytes, 0);
    else
        take_channel(table, bytes, &look->channel);
}

void taskrt_objects_read(struct taskrt_looks *looks, size_t count)
{
    const struct taskrt_inspect *table = looks->table;
    struct mem_piece piece;
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        struct taskrt_look *look = &looks->rows[i];
        bool parked = taskrt_look_is_parked(look);
        look->channel =
            (struct snapshot_case){.object = parked ? word_at(look->task, table->object) : 0};
        look->has_owner = false;
        if (!piece_of(table, look, &piece) ||
            (pieces && is_same_piece(&looks->pieces[pieces - 1], &piece)))
            continue;
        piece.to = looks->objects + pieces * TASKRT_MAX_CHAN_BYTES;
        looks->pieces[pieces++] = piece;
    }
    looks->memory->read(looks->memory, looks->pieces, pieces);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct taskrt_look *look = &looks->rows[i];
        if (!piece_of(table, look, &piece))
            continue;
        at += !is_same_piece(&looks->pieces[at], &piece);
        if (looks->pieces[at].ok)
            take_object(table, looks->pieces[at].to, look);
    }
}

/* struct taskrt_case begins with the direction, an int, and the channel. */
void taskrt_objects_read_cases(struct taskrt_looks *looks, struct taskrt_look *look,
                               struct snapshot_builder *builder)
{
    struct snapshot_case cases[MAX_CASES];
    unsigned char rows[MAX_CASES * TASKRT_MAX_CASE_BYTES], channel[TASKRT_MAX_CHAN_BYTES];
    size_t chan_bytes, filled = 0;
    uint64_t start = chan_start(looks->table, &chan_bytes);
    uint64_t object = look->channel.object;
    uint32_t count = half_at(look->task, looks->table->object_count);
    look->case_count = 0;
    if (count > MAX_CASES)
        count = MAX_CASES;
    if (count == 0 || object == 0 ||
        !mem_read(looks->memory, object, rows, (size_t)count * looks->table->case_bytes))
        return;
    for (; filled < count; filled++) {
        const unsigned char *row = rows + filled * looks->table->case_bytes;
        uint32_t direction;
        cases[filled] = (struct snapshot_case){0};
        memcpy(&direction, row, sizeof(direction));
        memcpy(&cases[filled].object, row + sizeof(uint64_t), sizeof(uint64_t));
        cases[filled].op = direction == SEND ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE;
        if (cases[filled].object && chan_bytes <= sizeof(channel) &&
            mem_read(looks->memory, cases[filled].object + start, channel, chan_bytes))
            take_channel(looks->table, channel, &cases[filled]);
    }
    look->case_first = builder_add_cases(builder, cases, filled);
    look->case_count = (uint16_t)(look->case_first ? filled : 0);
}
