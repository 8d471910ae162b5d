/* The kernel tells of a parked thread where it is and where its stack is; that is enough for code
 * that keeps its frames by the stack pointer, as the C library's does. Where a frame needs another
 * register that no frame saved, the thread is stopped for a moment to have it.
 *
 * The inner ends of many stacks are read by one system call, and with them the outer ends, where
 * the C library keeps what it knows of a thread. */
#include "analyzer/inspect/thread_stacks.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/clock.h"
#include "analyzer/image/kept_stacks.h"
#include "preload/recording.h"

#define BATCH 64
#define STACK_BYTES 4096 /* that are read of every stack; more is read where a walk gets there */
#define TOP_BYTES 4096
#define STOPPED_BYTES 16384 /* that are copied while a thread stands */

struct ends {
    unsigned char stack[STACK_BYTES];
    unsigned char top[TOP_BYTES];
};

struct thread_stacks {
    struct image *image;
    struct debug_unwind *unwind;
    struct thread_layout layout;
    struct ends ends[BATCH];
    unsigned char stopped[STOPPED_BYTES];
};

void thread_look_deinit(struct thread_look *look)
{
    free(look->pcs);
    look->pcs = NULL;
    look->pc_count = 0;
}

struct thread_stacks *thread_stacks_create(struct image *image, struct debug_unwind *unwind,
                                           struct thread_layout layout)
{
    struct thread_stacks *stacks = calloc(1, sizeof(*stacks));
    if (!stacks)
        return NULL;
    stacks->image = image;
    stacks->layout = layout;
    stacks->unwind = unwind;
    return stacks;
}

void thread_stacks_destroy(struct thread_stacks *stacks)
{
    free(stacks);
}

static bool keep(struct thread_look *look, const uint64_t *pcs, size_t count, uint16_t flags)
{
    uint64_t *kept = malloc((count + 1) * sizeof(*kept));
    if (!kept)
        return false;
    memcpy(kept, pcs, count * sizeof(*kept));
    free(look->pcs);
    look->pcs = kept;
    look->pc_count = count;
    look->flags = flags;
    return true;
}

/* Whether a stopped thread is in the call that it was in before: the kernel keeps the arguments in
 * rdi, rsi, rdx, r10, r8, r9 (System V ABI, AMD64, section A.2.1). */
static bool is_in_call(const struct image_thread *thread, const struct image_registers *now)
{
    static const unsigned char arguments[6] = {5, 4, 1, 10, 8, 9};
    for (size_t i = 0; i < sizeof(arguments); i++) {
        if (now->value[arguments[i]] != thread->args[i])
            return false;
    }
    return now->value[IMAGE_REGISTER_SP] == thread->registers.value[IMAGE_REGISTER_SP] &&
           now->value[IMAGE_REGISTER_PC] == thread->registers.value[IMAGE_REGISTER_PC];
}

/* Takes what an earlier look stopped the thread for. False: there is nothing, or no memory. */
static bool remember(struct thread_stacks *stacks, struct thread_look *look)
{
    const struct kept_stack *kept =
        stacks->image->kept ? kept_stacks_find(stacks->image->kept, &look->thread) : NULL;
    if (!kept || !keep(look, kept->pcs, kept->pc_count, kept->flags))
        return false;
    uint64_t age_ns = clock_ns(CLOCK_MONOTONIC) - kept->since_ns;
    if (look->thread.parked_ns < (int64_t)age_ns)
        look->thread.parked_ns = (int64_t)age_ns;
    look->first_call = kept->call;
    look->first_switches = kept->switches;
    look->descriptor = kept->descriptor;
    look->thread.thread_pointer = kept->descriptor;
    look->remembered = true;
    return true;
}

/* Stops the thread for its registers, and walks again. */
static bool walk_stopped(struct thread_stacks *stacks, struct thread_look *look)
{
    struct image *image = stacks->image;
    struct image_stop stop = {.stack = stacks->stopped, .stack_room = sizeof(stacks->stopped)};
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    if (!image->functions->stop_thread ||
        !image->functions->stop_thread(image, &look->thread, &stop)) {
        look->refused = image->live;
        return true;
    }
    look->stopped = true;
    look->descriptor = stop.thread_pointer;
    if (!is_in_call(&look->thread, &stop.registers)) {
        look->moved = true;
        return true;
    }
    size_t count = debug_unwind_walk(stacks->unwind, &stop.registers, &stop, pcs, &flags);
    return keep(look, pcs, count, flags);
}

static bool walk(struct thread_stacks *stacks, struct thread_look *look,
                 const struct image_stop *copy)
{
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    size_t count = debug_unwind_walk(stacks->unwind, &look->thread.registers,
                                     copy->stack_bytes ? copy : NULL, pcs, &flags);
    if (!keep(look, pcs, count, flags))
        return false;
    look->first_call = -1;
    look->remembered = false;
    bool needs_more = (flags & REC_SITE_BROKEN) && debug_unwind_lacking(stacks->unwind) != 0;
    return !needs_more || look->thread.runtime || remember(stacks, look) ||
           walk_stopped(stacks, look);
}

static void find_descriptor(struct thread_stacks *stacks, struct thread_look *look,
                            const unsigned char *top, uint64_t top_address)
{
    if (look->thread.thread_pointer)
        look->descriptor = look->thread.thread_pointer;
    if (top && look->descriptor == 0)
        look->descriptor =
            thread_find_descriptor(&stacks->layout, top, top_address, TOP_BYTES, look->thread.tid);
    if (look->descriptor == 0 || stacks->layout.start_routine == 0 || look->thread.first)
        return;
    uint64_t at = look->descriptor + stacks->layout.start_routine;
    uint64_t start = 0;
    if (top && at >= top_address && at - top_address <= TOP_BYTES - sizeof(start))
        memcpy(&start, top + (at - top_address), sizeof(start));
    else if (!mem_read(stacks->image->memory, at, &start, sizeof(start)))
        start = 0;
    const struct image_mapping *mapping = image_mapping_at(stacks->image, start);
    if (mapping && mapping->executable)
        look->start_routine = start;
}

/* Where one look's ends are in memory. */
struct span {
    uint64_t stack, top;
    size_t stack_bytes;
    bool has_top;
};

static struct span span_of(const struct image *image, const struct thread_look *look)
{
    uint64_t sp = look->thread.registers.value[IMAGE_REGISTER_SP];
    const struct image_mapping *mapping = image_mapping_at(image, sp);
    struct span span = {.stack = sp & ~(uint64_t)7};
    if (!mapping)
        return span;
    uint64_t left = mapping->end - span.stack;
    span.stack_bytes = left < STACK_BYTES ? (size_t)left : STACK_BYTES;
    span.has_top = mapping->end - mapping->start >= TOP_BYTES;
    span.top = mapping->end - TOP_BYTES;
    return span;
}

static bool read_batch(struct thread_stacks *stacks, struct thread_look **looks, size_t count)
{
    struct span spans[BATCH];
    struct mem_piece pieces[2 * BATCH];
    for (size_t i = 0; i < count; i++) {
        spans[i] = span_of(stacks->image, looks[i]);
        pieces[2 * i] = (struct mem_piece){
            .address = spans[i].stack, .to = stacks->ends[i].stack, .bytes = spans[i].stack_bytes};
        pieces[2 * i + 1] = (struct mem_piece){.address = spans[i].top,
                                               .to = stacks->ends[i].top,
                                               .bytes = spans[i].has_top ? TOP_BYTES : 0};
    }
    stacks->image->memory->read(stacks->image->memory, pieces, 2 * count);
    for (size_t i = 0; i < count; i++) {
        struct image_stop copy = {
            .stack_address = spans[i].stack,
            .stack = stacks->ends[i].stack,
            .stack_bytes = pieces[2 * i].ok ? spans[i].stack_bytes : 0,
        };
        bool has_top = spans[i].has_top && pieces[2 * i + 1].ok;
        if (!walk(stacks, looks[i], &copy))
            return false;
        find_descriptor(stacks, looks[i], has_top ? stacks->ends[i].top : NULL, spans[i].top);
    }
    return true;
}

bool thread_stacks_read(struct thread_stacks *stacks, struct thread_look *looks, size_t count)
{
    const uint32_t needed = 1U << IMAGE_REGISTER_SP | 1U << IMAGE_REGISTER_PC;
    struct thread_look *batch[BATCH];
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        const struct image_thread *thread = &looks[i].thread;
        if (thread->parked && (thread->registers.known & needed) == needed)
            batch[filled++] = &looks[i];
        if (filled == BATCH || (filled && i + 1 == count)) {
            if (!read_batch(stacks, batch, filled))
                return false;
            filled = 0;
        }
    }
    return true;
}
