#include "preload/go_table.h"

#include <stddef.h>

#include "preload/goscan/hash.h"
#include "preload/memory.h"
#include "preload/recorder.h"

#define MAX_PROBES 1024
#define ROWS_LEAST (UINT64_C(1) << 12)

static struct go_row *rows; /* open addressing */
static uint64_t mask;
static uint32_t *list; /* indexes of the rows that are taken, in the order of their beginning */
static uint32_t list_count;
static uint64_t overflow, overflow_most;

static uint64_t bytes_of(uint64_t count)
{
    return count * sizeof(*rows) + count / 2 * sizeof(*list);
}

bool go_table_reset(void)
{
    list_count = 0;
    overflow = overflow_most = 0;
    if (rows != NULL) {
        memory_clear(rows, bytes_of(mask + 1));
        return true;
    }
    /* Twice as many as there are slots, so that ways are short. */
    uint64_t count = ROWS_LEAST;
    while (count < 2 * (uint64_t)recorder.header->tables[REC_TABLE_TASKS - 1].capacity)
        count *= 2;
    while ((rows = memory_reserve(bytes_of(count))) == NULL && count > ROWS_LEAST)
        count /= 2;
    list = (uint32_t *)(rows + count);
    mask = count - 1;
    return rows != NULL;
}

void go_table_begin(void)
{
    overflow = 0;
}

struct go_row *go_table_row(uint64_t g)
{
    /* The runtime's allocator puts some 18 of them in one span of 8 KiB: near each other there,
     * near each other here, so that few pages are touched. */
    uint64_t at = (hash_word(g >> 13) >> 20 << 5) + (g >> 8 & 31);
    for (uint64_t probe = 0; probe < MAX_PROBES && rows != NULL && g != 0; probe++) {
        struct go_row *row = &rows[(at + probe) & mask];
        if (row->g == g)
            return row;
        if (row->g != 0)
            continue;
        if (list_count > mask / 2)
            break;
        list[list_count++] = (uint32_t)(row - rows);
        row->g = g;
        return row;
    }
    return NULL;
}

void go_table_count_lost(void)
{
    overflow++;
}

uint32_t go_table_count(void)
{
    return list_count;
}

struct go_row *go_table_at(uint32_t number)
{
    return &rows[list[number]];
}

void go_table_each(void (*function)(struct go_row *row, void *arg), void *arg)
{
    for (uint32_t i = 0; i < list_count; i++)
        function(&rows[list[i]], arg);
}

uint64_t go_table_newly_lost(void)
{
    uint64_t more = overflow > overflow_most ? overflow - overflow_most : 0;
    overflow_most += more;
    return more;
}
