/* Collecting what is to be read, so that it costs few calls and few pieces. */
#include "preload/goscan/scan.h"

static void close_pieces(struct scan_state *state)
{
    state->near_stacks.open_count = state->near_sudogs.open_count =
        state->near_channels.open_count = 0;
}

void scan_flush(struct goscan *scan)
{
    struct scan_state *state = scan_state(scan);
    struct scan_reading *reading = &state->reading;
    if (reading->count == 0)
        return;
    for (size_t i = 0; i < reading->count; i++) {
        struct scan_near *near = reading->nears[i];
        if (!near)
            continue;
        reading->pieces[i].to = near->area + near->placed;
        near->placed += (reading->pieces[i].bytes + 7) & ~(size_t)7;
    }
    for (size_t i = 0; i < reading->part_count; i++) {
        const struct scan_part *part = &reading->parts[i];
        part->copy->bytes = (uint8_t *)reading->pieces[part->piece].to + part->offset;
    }
    scan->reader->read(scan->reader, reading->pieces, reading->count);
    for (size_t i = 0; i < reading->count; i++)
        *reading->oks[i] = reading->pieces[i].ok;
    reading->count = reading->part_count = 0;
    close_pieces(state);
}

static size_t add_piece(struct goscan *scan, uint64_t address, void *to, size_t bytes,
                        struct scan_near *near, uint32_t *ok)
{
    struct scan_reading *reading = &scan_state(scan)->reading;
    size_t at = reading->count++;
    reading->pieces[at] = (struct mem_piece){.address = address, .to = to, .bytes = bytes};
    reading->nears[at] = near;
    reading->oks[at] = ok;
    *ok = false;
    return at;
}

void scan_add(struct goscan *scan, uint64_t address, void *to, size_t bytes, uint32_t *ok)
{
    if (scan_state(scan)->reading.count == SCAN_PIECES)
        scan_flush(scan);
    add_piece(scan, address, to, bytes, NULL, ok);
}

bool scan_has_room(const struct scan_near *near, size_t bytes)
{
    return near->area_bytes - near->used >= bytes + near->max_gap + 8;
}

void scan_add_near(struct goscan *scan, struct scan_near *near, uint64_t address, size_t bytes,
                   struct scan_copy *copy)
{
    struct scan_reading *reading = &scan_state(scan)->reading;
    if (reading->count == SCAN_PIECES || reading->part_count == SCAN_PARTS)
        scan_flush(scan);
    struct scan_part *part = &reading->parts[reading->part_count++];
    part->copy = copy;
    for (uint32_t i = 0; i < near->open_count; i++) {
        struct mem_piece *piece = &reading->pieces[near->open[i].piece];
        uint64_t gap = address - near->open[i].end;
        if (address < near->open[i].end || gap > near->max_gap)
            continue;
        part->piece = (uint32_t)near->open[i].piece;
        part->offset = (uint32_t)(address - piece->address);
        copy->ok = reading->oks[part->piece];
        near->open[i].end = address + bytes;
        near->used += gap + bytes;
        piece->bytes += gap + bytes;
        return;
    }
    part->piece = (uint32_t)add_piece(scan, address, NULL, bytes, near, &copy->own_ok);
    part->offset = 0;
    copy->ok = &copy->own_ok;
    near->used += bytes + 7; /* its end is aligned */
    uint32_t open = near->open_count < SCAN_OPEN_PIECES ? near->open_count++
                                                        : near->open_next++ % SCAN_OPEN_PIECES;
    near->open[open].end = address + bytes;
    near->open[open].piece = part->piece;
}
