/* Goroutines of a libgo while they are read: their g, their saved registers and the inner ends of
 * their stacks, of many of them in a few system calls.
 *
 * The process runs meanwhile: a goroutine is parked when its state, its number of turns and its
 * registers were the same before and after all that was read of it. */
#ifndef LEAKSPY_ANALYZER_INSPECT_LIBGO_LOOKS_H
#define LEAKSPY_ANALYZER_INSPECT_LIBGO_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/libgo_layout.h"
#include "preload/goscan/reader.h"

#define LIBGO_LOOKS 256                              /* at once */
#define LIBGO_LOOK_HEAD_BYTES (LIBGO_G_WAITING + 16) /* of a g that are read: waiting, labels */
#define LIBGO_LOOK_STACK_BYTES 2048

/* runtime._Grunnable and so on. */
enum libgo_status {
    LIBGO_STATUS_RUNNABLE = 1,
    LIBGO_STATUS_RUNNING,
    LIBGO_STATUS_SYSCALL,
    LIBGO_STATUS_WAITING,
    LIBGO_STATUS_DEAD = 6,
    LIBGO_STATUS_LAST = 9,
    LIBGO_STATUS_SCAN = 0x1000, /* added while the collector looks at it */
};

/* What of a g tells whether it moved. */
struct libgo_key {
    uint64_t id, waiting, sp, pc;
    uint32_t status;
    uint8_t reason, turns;
};

struct libgo_look {
    uint64_t g;
    unsigned char head[LIBGO_LOOK_HEAD_BYTES];
    uint64_t context[LIBGO_CONTEXT_WORDS];
    unsigned char system[2]; /* it is the runtime's; it calls finalizers, which are not */
    unsigned char *stack;    /* LIBGO_LOOK_STACK_BYTES */
    size_t stack_bytes;
    struct libgo_key key;
    bool was_read;
};

struct libgo_looks {
    struct mem_reader *memory;
    struct libgo_look *rows;  /* LIBGO_LOOKS */
    struct mem_piece *pieces; /* three a look */
    unsigned char *stacks;    /* LIBGO_LOOK_STACK_BYTES a look */
};

/* False: no memory; deinitialize it all the same. */
bool libgo_looks_init(struct libgo_looks *ret, struct mem_reader *memory);
void libgo_looks_deinit(struct libgo_looks *looks);

/* Reads the first `count` goroutines, whose `g` is set, and the stacks of those that are parked. */
void libgo_looks_read(struct libgo_looks *looks, size_t count);

/* Whether it is in the same wait as when it was read first. */
bool libgo_look_is_there_still(const struct libgo_looks *looks, const struct libgo_look *look);

#endif
