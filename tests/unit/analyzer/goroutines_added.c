#include "tests/unit/analyzer/goroutines_added.h"

#include <stdlib.h>
#include <string.h>

#define WAITING 4 /* status of a g */

static const struct go_reason reasons[REASONS] = {
    [SEND] = {.text = "chan send", .op = REC_OP_CHAN_SEND, .object = GO_OBJECT_CHANNEL},
    [RECEIVE] = {.text = "chan receive", .op = REC_OP_CHAN_RECEIVE, .object = GO_OBJECT_CHANNEL},
    [NIL_SEND] = {.text = "chan send (nil chan)",
                  .op = REC_OP_CHAN_SEND,
                  .object = GO_OBJECT_CHANNEL},
    [SELECT] = {.text = "select", .op = REC_OP_SELECT, .object = GO_OBJECT_SELECT},
    [MUTEX] = {.text = "sync.Mutex.Lock", .op = REC_OP_MUTEX_LOCK, .object = GO_OBJECT_SEMAPHORE},
    [RLOCK] = {.text = "sync.RWMutex.RLock",
               .op = REC_OP_RWLOCK_RDLOCK,
               .object = GO_OBJECT_SEMAPHORE},
    [LOCK] = {.text = "sync.RWMutex.Lock",
              .op = REC_OP_RWLOCK_WRLOCK,
              .object = GO_OBJECT_SEMAPHORE},
    [WAITGROUP] = {.text = "sync.WaitGroup.Wait",
                   .op = REC_OP_WAITGROUP_WAIT,
                   .object = GO_OBJECT_SEMAPHORE},
    [SLEEPING] = {.text = "sleep", .op = REC_OP_SLEEP, .deadline = true},
    [IO] = {.text = "IO wait", .op = REC_OP_IO_WAIT, .object = GO_OBJECT_POLL},
    [GC_WORKER] = {.text = "GC worker (idle)", .op = REC_OP_IDLE, .idle = true},
    [COROUTINE] = {.text = "coroutine", .uncounted = true},
};

int added_set_up(void **state)
{
    struct added *f = calloc(1, sizeof(*f));
    snapshot_init(&f->snapshot);
    f->snapshot.source = SNAPSHOT_PROCESS;
    f->builder = builder_create(&f->snapshot);
    f->threads[0] = (struct image_thread){
        .tid = 70, .parked = true, .call = 0 /* read */, .args = {5}, .parked_ns = 5 * SECOND};
    f->threads[1] = (struct image_thread){.tid = 71};
    f->image = (struct image){.threads = f->threads, .thread_count = 2};
    f->stack = (struct go_stack){.pcs = {0x1001, 0x2001, 0x3001}, .count = 3};
    assert_true(go_tasks_init(&f->tasks, f->builder, &f->image, reasons, REASONS));
    *state = f;
    return 0;
}

int added_tear_down(void **state)
{
    struct added *f = *state;
    if (f->judged) {
        verdicts_deinit(&f->verdicts);
        waits_deinit(&f->waits);
    }
    go_tasks_deinit(&f->tasks);
    builder_destroy(f->builder);
    snapshot_deinit(&f->snapshot);
    free(f);
    return 0;
}

struct go_goroutine parked(struct added *f, uint64_t id, enum reason reason)
{
    return (struct go_goroutine){
        .g = 0xc000000000 + id * 0x1000,
        .id = id,
        .parent_id = 1,
        .created_pc = 0x4001,
        .status = WAITING,
        .reason = (uint16_t)reason,
        .parked = true,
        .op = reasons[reason].op,
        .stack = &f->stack,
    };
}

const struct snapshot_task *add(struct added *f, const struct go_goroutine *it)
{
    assert_true(go_tasks_add(it, &f->tasks));
    return &f->snapshot.tasks[f->snapshot.task_count - 1];
}

const struct group *judge(struct added *f, int64_t threshold_ns)
{
    const struct verdict_options options = {threshold_ns, 100};
    go_tasks_date(&f->tasks, 1000 * SECOND);
    assert_true(waits_init(&f->waits, &f->snapshot));
    assert_true(verdicts_init(&f->verdicts, &f->snapshot, &f->waits, &options));
    f->judged = true;
    assert_int_equal(f->verdicts.count, 1);
    return &f->verdicts.groups[0];
}

void assert_evidence(const struct group *group, const char *wanted)
{
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strcmp(group->evidence[i], wanted) == 0)
            return;
    }
    for (size_t i = 0; i < group->evidence_count; i++)
        print_error("it says: %s\n", group->evidence[i]);
    fail_msg("no evidence says: %s", wanted);
}
