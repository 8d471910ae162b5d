#include "analyzer/inspect/taskrt_looks.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/inspect/taskrt_objects.h"

#define MAX_STACK_BYTES (UINT64_C(1) << 40)

bool taskrt_looks_init(struct taskrt_looks *ret, struct mem_reader *memory,
                       const struct taskrt_inspect *table)
{
    *ret = (struct taskrt_looks){.memory = memory, .table = table};
    ret->stacks = malloc((size_t)TASKRT_LOOKS * TASKRT_LOOK_STACK_BYTES);
    ret->objects = malloc((size_t)TASKRT_LOOKS * TASKRT_MAX_CHAN_BYTES);
    ret->rows = calloc(TASKRT_LOOKS, sizeof(*ret->rows));
    ret->pieces = malloc((size_t)TASKRT_LOOKS * sizeof(*ret->pieces));
    bool ok = taskrt_pages_init(&ret->pages, TASKRT_LOOKS, table->task_bytes);
    for (int i = 0; i < 2; i++)
        ret->copies[i] = malloc(taskrt_pages_room(&ret->pages));
    ok = ok && ret->stacks && ret->objects && ret->rows && ret->pieces && ret->copies[0] &&
         ret->copies[1];
    for (size_t i = 0; ok && i < TASKRT_LOOKS; i++)
        ret->rows[i].stack = ret->stacks + i * TASKRT_LOOK_STACK_BYTES;
    return ok;
}

void taskrt_looks_deinit(struct taskrt_looks *looks)
{
    free(looks->pieces);
    free(looks->rows);
    free(looks->objects);
    free(looks->stacks);
    free(looks->copies[0]);
    free(looks->copies[1]);
    taskrt_pages_deinit(&looks->pages);
}

/* A page that is not there is all ones: no state, no count. */
void taskrt_looks_read_last(struct taskrt_looks *looks, size_t count)
{
    taskrt_pages_read(&looks->pages, looks->memory, looks->copies[1]);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *task = looks->copies[1] + looks->pages.offsets[i];
        memcpy(&looks->rows[i].last_wait_count, task + looks->table->wait_count, sizeof(uint64_t));
        memcpy(&looks->rows[i].last_state, task + looks->table->state, sizeof(uint32_t));
    }
}

/* Says which tasks the next copies are of. */
static void place(struct taskrt_looks *looks, size_t count)
{
    uint64_t addresses[TASKRT_LOOKS];
    for (size_t i = 0; i < count; i++)
        addresses[i] = looks->rows[i].entry.address;
    taskrt_pages_place(&looks->pages, addresses, count);
}

/* The state of each, and after it all of its words. */
static void read_words(struct taskrt_looks *looks, size_t count)
{
    place(looks, count);
    taskrt_looks_read_last(looks, count);
    taskrt_pages_read(&looks->pages, looks->memory, looks->copies[0]);
    for (size_t i = 0; i < count; i++) {
        looks->rows[i].state = looks->rows[i].last_state;
        looks->rows[i].task = looks->copies[0] + looks->pages.offsets[i];
    }
}

/* The inner end of the stack of each parked task. */
static void read_stacks(struct taskrt_looks *looks, size_t count)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        struct taskrt_look *look = &looks->rows[i];
        look->has_stack = false;
        look->no_stack = true;
        look->site = 0;
        if (!taskrt_look_is_parked(look))
            continue;
        uint64_t low = word_at(look->task, looks->table->stack_low);
        uint64_t high = word_at(look->task, looks->table->stack_high);
        look->sp = word_at(look->task, looks->table->context_sp);
        if (look->sp < low || look->sp > high || high - low > MAX_STACK_BYTES ||
            high - look->sp < looks->table->context_bytes || look->sp % sizeof(uint64_t))
            continue;
        look->stack_bytes =
            high - look->sp < TASKRT_LOOK_STACK_BYTES ? high - look->sp : TASKRT_LOOK_STACK_BYTES;
        look->has_stack = true;
        looks->pieces[pieces++] =
            (struct mem_piece){.address = look->sp, .to = look->stack, .bytes = look->stack_bytes};
    }
    looks->memory->read(looks->memory, looks->pieces, pieces);
    pieces = 0;
    for (size_t i = 0; i < count; i++) {
        if (looks->rows[i].has_stack)
            looks->rows[i].has_stack = looks->pieces[pieces++].ok;
    }
}

void taskrt_looks_read(struct taskrt_looks *looks, size_t count)
{
    read_words(looks, count);
    read_stacks(looks, count);
}

void taskrt_looks_read_only_last(struct taskrt_looks *looks, size_t count)
{
    place(looks, count);
    taskrt_looks_read_last(looks, count);
}
