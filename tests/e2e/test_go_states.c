/* States of goroutines that the runtime itself is in the midst of (go_states.go): each is told as
 * the runtime calls it, with the stack of the program's own function, while the world stands still
 * or is being collected. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct state_row {
    const char *what, *op, *function;
    int from_minor; /* the version of Go that began to call it so */
} rows[] = {
    {"trace", "trace reader (blocked)", "runtime.ReadTrace", 0},
    {"heap-dump", "dumping heap", "main.dumpHeap", 20},
    {"stop-world", "stopping the world", "main.stopWorld", 20},
    {"collect", "wait for GC cycle", "main.collect", 0},
    {"collect", "GC assist wait", "main.allocate", 0},
};

static void state__is_told(void **state)
{
    const struct state_row *row = *state;
    char pid[16];
    struct expected_group expected = {
        .kind = "goroutine",
        .op = row->op,
        .wait_function = row->function,
    };
    struct target *target = target_start(false, LIST(LEAKSPY_TARGETS "/go_states", row->what),
                                         LIST("GODEBUG=asyncpreemptoff=1"));
    target_wait_line(target, "ready");
    snprintf(pid, sizeof pid, "%d", target->pid);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;;) {
        json_t *json = report(pid, "0", LIST("--all"));
        bool found = find_group(json, &expected) != NULL;
        int minor = go_minor(json);
        if (minor && minor < row->from_minor) {
            json_decref(json);
            target_end(target);
            skip();
        }
        if (!found && now_ms() > deadline_ms)
            assert_group(json, &expected);
        json_decref(json);
        if (found)
            break;
        sleep_ms(5);
    }
    target_end(target);
}

int main(void)
{
    static struct CMUnitTest tests[LENGTH(rows)];
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){rows[i].op, state__is_told, NULL, end_all_targets,
                                       (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("go_states", tests, LENGTH(rows), NULL, NULL);
}
