#include "tests/unit/analyzer/watched.h"

#include <string.h>

static struct watch *watch;
struct snapshot last_look;
struct snapshot_builder *look_rows;
enum snapshot_source looked_at = SNAPSHOT_PROCESS;

static void begin_look(void)
{
    snapshot_init(&last_look);
    last_look.source = looked_at;
    last_look.end = SNAPSHOT_RUNNING;
    last_look.exe = strdup("app");
    look_rows = builder_create(&last_look);
    assert_non_null(look_rows);
}

/* Ends a look that took 1 ms, `at_ns` after the start. */
static void end_look(int64_t at_ns)
{
    uint64_t begin_ns = START_NS + (uint64_t)at_ns;
    assert_true(builder_is_complete(look_rows));
    builder_destroy(look_rows);
    assert_true(watch_look(watch, &last_look, begin_ns, begin_ns + 1000000));
}

static void forget_look(void)
{
    snapshot_deinit(&last_look);
}

struct snapshot_task *park(uint64_t id, const char *call, uint64_t object, uint64_t place,
                           int64_t parked_ns)
{
    uint32_t row = builder_add_call(look_rows, call, REC_OP_CHAN_SEND, false);
    uint32_t site = place ? builder_add_site(look_rows, (uint64_t[]){place, 2}, 2, 0) : 0;
    struct snapshot_task *task = builder_add_task(look_rows);
    assert_non_null(task);
    task->id = id;
    task->kind = REC_KIND_GOROUTINE;
    task->flags = SNAPSHOT_PARKED;
    task->call = row;
    task->object = object;
    task->wait_site = site;
    task->parked_ns = parked_ns;
    return task;
}

const struct snapshot_task *task_of(uint64_t id)
{
    for (size_t i = 0; i < last_look.task_count; i++) {
        if (last_look.tasks[i].id == id)
            return &last_look.tasks[i];
    }
    fail_msg("no task %d", (int)id);
    return NULL;
}

void look_each_second(int last, void (*see)(int second))
{
    watch = watch_create();
    assert_non_null(watch);
    for (int second = 0; second <= last; second++) {
        begin_look();
        see(second);
        end_look(second * SECOND);
        if (second < last)
            forget_look();
    }
    assert_true(watch_tell(watch, &last_look));
}

void done(void)
{
    forget_look();
    watch_destroy(watch);
}
