#include "analyzer/inspect/libgo_looks.h"

#include <stdlib.h>

#define PAGE_BYTES 4096U

bool libgo_looks_init(struct libgo_looks *ret, struct mem_reader *memory)
{
    *ret = (struct libgo_looks){.memory = memory};
    ret->stacks = malloc((size_t)LIBGO_LOOKS * LIBGO_LOOK_STACK_BYTES);
    ret->rows = calloc(LIBGO_LOOKS, sizeof(*ret->rows));
    ret->pieces = malloc(3 * (size_t)LIBGO_LOOKS * sizeof(*ret->pieces));
    bool ok = ret->stacks && ret->rows && ret->pieces;
    for (size_t i = 0; ok && i < LIBGO_LOOKS; i++)
        ret->rows[i].stack = ret->stacks + i * LIBGO_LOOK_STACK_BYTES;
    return ok;
}

void libgo_looks_deinit(struct libgo_looks *looks)
{
    free(looks->pieces);
    free(looks->rows);
    free(looks->stacks);
}

static struct libgo_key key_of(const unsigned char *head, const uint64_t *context)
{
    return (struct libgo_key){
        .id = word_at(head, LIBGO_G_GOID),
        .waiting = word_at(head, LIBGO_G_WAITING),
        .sp = context[LIBGO_CONTEXT_RSP],
        .pc = context[LIBGO_CONTEXT_RIP],
        .status = half_at(head, LIBGO_G_STATUS) & ~(uint32_t)LIBGO_STATUS_SCAN,
        .reason = head[LIBGO_G_WAITREASON],
        .turns = head[LIBGO_G_TRACKINGSEQ],
    };
}

static bool is_same(const struct libgo_key *a, const struct libgo_key *b)
{
    return a->id == b->id && a->waiting == b->waiting && a->sp == b->sp && a->pc == b->pc &&
           a->status == b->status && a->reason == b->reason && a->turns == b->turns;
}

static void read_gs(struct libgo_looks *looks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct libgo_look *look = &looks->rows[i];
        struct mem_piece *piece = &looks->pieces[3 * i];
        piece[0] = (struct mem_piece){
            .address = look->g, .to = look->head, .bytes = LIBGO_LOOK_HEAD_BYTES};
        piece[1] = (struct mem_piece){.address = look->g + LIBGO_G_CONTEXT,
                                      .to = look->context,
                                      .bytes = sizeof(look->context)};
        piece[2] =
            (struct mem_piece){.address = look->g + LIBGO_G_SYSTEM, .to = look->system, .bytes = 2};
    }
    looks->memory->read(looks->memory, looks->pieces, 3 * count);
    for (size_t i = 0; i < count; i++) {
        struct libgo_look *look = &looks->rows[i];
        const struct mem_piece *piece = &looks->pieces[3 * i];
        look->was_read = piece[0].ok && piece[1].ok && piece[2].ok;
        if (look->was_read)
            look->key = key_of(look->head, look->context);
    }
}

static bool is_parked(const struct libgo_look *look)
{
    return look->was_read && look->key.status == LIBGO_STATUS_WAITING;
}

/* The inner end of each stack: to the end of its page, and what follows if it is there. */
static void read_stacks(struct libgo_looks *looks, size_t count)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        struct libgo_look *look = &looks->rows[i];
        look->stack_bytes = 0;
        if (!is_parked(look) || look->key.sp % 8 ||
            look->key.sp > UINT64_MAX - LIBGO_LOOK_STACK_BYTES)
            continue;
        size_t first = PAGE_BYTES - look->key.sp % PAGE_BYTES;
        if (first > LIBGO_LOOK_STACK_BYTES)
            first = LIBGO_LOOK_STACK_BYTES;
        looks->pieces[pieces++] =
            (struct mem_piece){.address = look->key.sp, .to = look->stack, .bytes = first};
        looks->pieces[pieces++] = (struct mem_piece){.address = look->key.sp + first,
                                                     .to = look->stack + first,
                                                     .bytes = LIBGO_LOOK_STACK_BYTES - first};
    }
    looks->memory->read(looks->memory, looks->pieces, pieces);
    for (size_t i = 0, at = 0; i < count && at < pieces; i++) {
        struct libgo_look *look = &looks->rows[i];
        if (!is_parked(look) || looks->pieces[at].address != look->key.sp)
            continue;
        if (looks->pieces[at].ok)
            look->stack_bytes = looks->pieces[at].bytes +
                                (looks->pieces[at + 1].ok ? looks->pieces[at + 1].bytes : 0);
        at += 2;
    }
}

void libgo_looks_read(struct libgo_looks *looks, size_t count)
{
    read_gs(looks, count);
    read_stacks(looks, count);
}

bool libgo_look_is_there_still(const struct libgo_looks *looks, const struct libgo_look *look)
{
    unsigned char head[LIBGO_LOOK_HEAD_BYTES];
    uint64_t context[LIBGO_CONTEXT_WORDS];
    struct mem_piece pieces[] = {
        {.address = look->g, .to = head, .bytes = sizeof(head)},
        {.address = look->g + LIBGO_G_CONTEXT, .to = context, .bytes = sizeof(context)},
    };
    looks->memory->read(looks->memory, pieces, 2);
    if (!pieces[0].ok || !pieces[1].ok)
        return false;
    struct libgo_key now = key_of(head, context);
    return is_same(&look->key, &now);
}
