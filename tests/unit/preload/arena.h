/* The memory of a target that is made by hand, word by word. */
#ifndef LEAKSPY_TESTS_ARENA_H
#define LEAKSPY_TESTS_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "preload/goscan/reader.h"

#define ARENA UINT64_C(0x100000) /* its first address */

/* Its first `used` bytes have been made something of; the others are zero. */
struct arena {
    uint8_t *bytes;
    uint64_t size, used;
};

/* Takes `bytes` bytes, aligned to 16, and returns their address. */
static inline uint64_t arena_make(struct arena *arena, uint64_t bytes)
{
    uint64_t address = ARENA + arena->used;
    arena->used += (bytes + 15) & ~UINT64_C(15);
    assert_in_range(arena->used, 0, arena->size);
    return address;
}

static inline void arena_init(struct arena *arena, uint64_t size)
{
    *arena = (struct arena){.bytes = calloc(1, size), .size = size};
    assert_non_null(arena->bytes);
    arena_make(arena, 16); /* so that nothing is at the first address */
}

static inline void arena_deinit(struct arena *arena)
{
    free(arena->bytes);
}

static inline void *arena_at(struct arena *arena, uint64_t address)
{
    assert_in_range(address, ARENA, ARENA + arena->size - 1);
    return arena->bytes + (address - ARENA);
}

static inline void arena_put(struct arena *arena, uint64_t address, uint64_t word)
{
    memcpy(arena_at(arena, address), &word, sizeof(word));
}

static inline void arena_put_byte(struct arena *arena, uint64_t address, unsigned byte)
{
    *(uint8_t *)arena_at(arena, address) = (uint8_t)byte;
}

/* Reads one piece, which cannot be read where a part of it lies elsewhere. */
static inline void arena_read(const struct arena *arena, struct mem_piece *piece)
{
    uint64_t from = piece->address - ARENA;
    piece->ok =
        piece->address >= ARENA && from <= arena->size && piece->bytes <= arena->size - from;
    if (piece->ok)
        memcpy(piece->to, arena->bytes + from, piece->bytes);
}

#endif
