/* An inspection of this process's own memory, in which a test makes what it likes; read so that
 * nothing can fault. */
#ifndef LEAKSPY_TESTS_INSPECT_HERE_H
#define LEAKSPY_TESTS_INSPECT_HERE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/inspect/inspect.h"

struct own_memory {
    struct mem_reader reader;
    unsigned flip_one_in; /* of the pieces, one bit; 0: of none */
    unsigned seed;
    uint64_t pieces; /* that were asked for */
    void (*before_read)(uint64_t address, size_t bytes);
};

extern struct own_memory memory;
extern struct image image;
extern struct snapshot snapshot;
extern struct inspection inspection;

/* Around each inspection: fills and empties these. */
void inspection_begin(void);
void inspection_end(void);

/* A random number, after memory.seed. */
unsigned draw(void);

/* The task that was told by this number. Fails the test where there is none. */
const struct snapshot_task *task_of(uint64_t id);

/* What REC_DETAIL_OWNER_ROW calls it by. */
uint32_t owner_row(const struct snapshot_task *task);

const char *op_of(const struct snapshot_task *task);

#endif
