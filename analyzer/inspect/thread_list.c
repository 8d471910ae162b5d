#include "analyzer/inspect/thread_list.h"

#include <stdbool.h>
#include <stdlib.h>

#include "analyzer/base/rows.h"

#define MAX_THREADS (1U << 18)
/* struct pthread begins with its own address, and has it again in the third word. */
#define SELF_WORDS 3
/* EXITING_BITMASK of nptl/descr.h: the thread will not run the program's code again. */
#define EXITING 0x10

/* Reads what stands in one descriptor. False: it is none, or cannot be read. */
static bool read_one(const struct thread_list_layout *layout, struct mem_reader *memory,
                     uint64_t entry, struct listed_thread *ret, uint64_t *ret_next, int *ret_state)
{
    uint64_t descriptor = entry - layout->list;
    uint64_t self[SELF_WORDS];
    struct mem_piece pieces[] = {
        {.address = descriptor, .to = self, .bytes = sizeof(self)},
        {.address = entry, .to = ret_next, .bytes = sizeof(*ret_next)},
        {.address = descriptor + layout->tid, .to = &ret->tid, .bytes = sizeof(ret->tid)},
        {.address = descriptor + layout->cancelhandling,
         .to = ret_state,
         .bytes = sizeof(*ret_state)},
        {.address = descriptor + layout->start_routine,
         .to = &ret->start_routine,
         .bytes = sizeof(ret->start_routine)},
    };
    memory->read(memory, pieces, sizeof(pieces) / sizeof(pieces[0]));
    ret->descriptor = descriptor;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (!pieces[i].ok)
            return false;
    }
    return self[0] == descriptor && self[SELF_WORDS - 1] == descriptor;
}

size_t thread_list_read(const struct thread_list_layout *layout, struct mem_reader *memory,
                        struct listed_thread **ret)
{
    struct listed_thread *threads = NULL;
    size_t count = 0;
    *ret = NULL;
    for (size_t i = 0; i < sizeof(layout->heads) / sizeof(layout->heads[0]); i++) {
        uint64_t entry, next;
        if (layout->heads[i] == 0 || !mem_read(memory, layout->heads[i], &entry, sizeof(entry)))
            break;
        for (size_t steps = 0; entry != layout->heads[i]; entry = next) {
            struct listed_thread thread;
            int state;
            if (++steps > MAX_THREADS || !rows_grow(&threads, count, sizeof(*threads)) ||
                !read_one(layout, memory, entry, &thread, &next, &state))
                goto failed;
            /* Without a number and not on its way out, it has not begun. */
            if (thread.tid != 0 || (state & EXITING))
                threads[count++] = thread;
        }
    }
    *ret = threads;
    return count;
failed:
    free(threads);
    return 0;
}
