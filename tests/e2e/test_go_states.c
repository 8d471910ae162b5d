/* States of goroutines that the runtime itself is in the midst of (go_states.go): each is told as
 * the runtime calls it, with the stack of the program's or the runtime's function, while the world
 * stands still, or is being collected or traced, or goes down. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct state_row {
    const char *reason;
    int from, to; /* versions of Go */
    const char *what, *godebug, *function;
} rows[] = {
#define STATE(reason, from, to, what, godebug, function)                                           \
    {reason, from, to, what, godebug, function},
#include "tests/e2e/go_reasons.def"
};

/* A state through which the runtime passes again and again is there when somebody looks sooner or
 * later; into some a program gets at its beginning or never. So it is begun anew from time to
 * time. */
enum { BEGIN_ANEW_MS = 5000, SURELY_MS = 120000 };

/* Whether the program is seen in the state before `deadline_ms`. Skips the test where its Go has no
 * such state. */
static bool sees_state(const struct state_row *row, int64_t deadline_ms, bool last)
{
    char pid[16], godebug[64];
    struct expected_group expected = {
        .kind = "goroutine",
        .op = row->reason,
        .wait_function = row->function,
    };
    bool found = false;
    snprintf(godebug, sizeof godebug, "GODEBUG=%s", row->godebug);
    struct target *target =
        target_start(false, LIST(LEAKSPY_TARGETS "/go_states", row->what), LIST(godebug));
    target_wait_line(target, "ready");
    snprintf(pid, sizeof pid, "%d", target->pid);
    while (!found && now_ms() < deadline_ms) {
        json_t *json = report(pid, "0", LIST("--all"));
        int minor = go_minor(json);
        if (minor && (minor < row->from || minor > row->to)) {
            json_decref(json);
            target_end(target);
            skip();
        }
        found = find_group(json, &expected) != NULL;
        if (!found && last && now_ms() > deadline_ms)
            assert_group(json, &expected); /* prints what it was */
        json_decref(json);
        sleep_ms(5);
    }
    target_end(target);
    return found;
}

static void state__is_told(void **state)
{
    int64_t end_ms = now_ms() + SURELY_MS;
    for (bool last = false; !last;) {
        int64_t deadline_ms = now_ms() + BEGIN_ANEW_MS;
        last = deadline_ms > end_ms;
        if (sees_state(*state, deadline_ms, last))
            return;
    }
    fail();
}

int main(void)
{
    static struct CMUnitTest tests[LENGTH(rows)];
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){rows[i].reason, state__is_told, NULL, end_all_targets,
                                       (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("go_states", tests, LENGTH(rows), NULL, NULL);
}
