/* The threads of a process whose memory misleads: the list that the C library keeps of them, and
 * whether they wait for each other, while they are looked at again and again. */
#include <stdlib.h>

#include "analyzer/inspect/thread_cycles.h"
#include "analyzer/inspect/thread_list.h"
#include "analyzer/snapshot/builder.h"
#include "analyzer/snapshot/waitgraph.h"
#include "tests/fuzz/fuzz.h"

#define MAX_THREADS 24

static struct {
    const uint8_t *data;
    size_t bytes, at;
} moves; /* what each look sees */

static uint8_t next_byte(void)
{
    return moves.bytes ? moves.data[moves.at++ % moves.bytes] : 0;
}

static bool look(struct image *image, struct image_thread *thread)
{
    (void)image;
    uint8_t move = next_byte();
    thread->parked = move & 1 || !(move & 2);
    thread->switches += move >> 6 == 3;
    thread->registers.value[IMAGE_REGISTER_SP] += move >> 6 == 2;
    return (move & 0x3f) != 0x3f;
}

static void read_list(struct mem_reader *memory)
{
    struct thread_list_layout layout = {
        .heads = {FUZZ_ADDRESS, FUZZ_ADDRESS + 16},
        .list = next_byte() * 8U,
        .tid = next_byte() * 4U,
        .cancelhandling = next_byte() * 4U,
        .start_routine = next_byte() * 8U,
    };
    struct listed_thread *threads;
    size_t count = thread_list_read(&layout, memory, &threads);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(threads[i].descriptor >= FUZZ_ADDRESS - layout.list);
    free(threads);
}

/* Thread `number`, numbered from 1, waits for what the bytes say, or for nothing. */
static void add_thread(struct snapshot_builder *builder, struct thread_wait *wait, uint32_t number,
                       struct mem_reader *memory)
{
    static const enum rec_op ops[] = {REC_OP_MUTEX_LOCK, REC_OP_RWLOCK_RDLOCK, REC_OP_RWLOCK_WRLOCK,
                                      REC_OP_THREAD_JOIN};
    uint8_t what = next_byte(), which = next_byte();
    enum rec_op op = ops[what >> 6];
    uint64_t object = op == REC_OP_THREAD_JOIN ? which : FUZZ_ADDRESS + which * 8U;
    *wait = (struct thread_wait){
        .look = {.thread = {.tid = number, .parked = what & 1, .switches = 1}},
        .lock = {.op = op, .object = object},
        .is_lock = what & 2,
        .settled = what & 4,
    };
    wait->look.thread.ended = number == 1 && (what & 8);
    wait->has_owner = thread_lock_owner(op, object, memory, &wait->owner);
    struct snapshot_task *task = builder_add_task(builder);
    FUZZ_CHECK(task);
    task->id = builder_extra(builder, task)->os_tid = number;
    task->kind = REC_KIND_THREAD;
    task->flags = (uint16_t)((what & 1 ? SNAPSHOT_PARKED : 0) | (what & 4 ? SNAPSHOT_SETTLED : 0));
    task->handle = number;
    task->object = object;
    if (wait->has_owner && wait->owner) {
        task->detail_a = wait->owner;
        task->detail_flags = REC_DETAIL_OWNER;
    }
    task->call = builder_add_call(builder, "wait", op, false);
}

static void prove_cycles(struct mem_reader *memory)
{
    static const struct image_functions functions = {.look = look};
    struct image image = {.live = true, .memory = memory, .functions = &functions};
    struct thread_wait rows[MAX_THREADS];
    struct thread_waits waits = {.image = &image, .rows = rows};
    struct snapshot snapshot;
    struct waitgraph graph;
    snapshot_init(&snapshot);
    struct snapshot_builder *builder = builder_create(&snapshot);
    FUZZ_CHECK(builder);
    uint32_t count = next_byte() % MAX_THREADS;
    for (uint32_t i = 0; i < count; i++) {
        add_thread(builder, &rows[i], i + 1, memory);
        waits.count = i + 1;
    }
    size_t first = count > 0 && rows[0].look.thread.ended ? 1 : 0;
    FUZZ_CHECK(thread_cycles_prove(&waits, &snapshot, first));
    FUZZ_CHECK(waitgraph_init(&graph, &snapshot));
    for (uint32_t i = 0; i < count; i++)
        FUZZ_CHECK(waitgraph_cycle(&graph, i) == WAITGRAPH_NONE ||
                   snapshot.tasks[i].flags & SNAPSHOT_SETTLED);
    waitgraph_deinit(&graph);
    builder_destroy(builder);
    snapshot_deinit(&snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct mem_reader *memory = fuzz_memory(data, bytes);
    moves.data = data;
    moves.bytes = bytes;
    moves.at = bytes / 2; /* the second half says what is done with the first */
    read_list(memory);
    prove_cycles(memory);
    return 0;
}
