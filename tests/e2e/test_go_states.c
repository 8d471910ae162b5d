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
 * later: what counts is how often, which on a busy machine takes its time. Into some a program gets
 * at its beginning or never. So it is begun anew from time to time. */
enum { ROUNDS = 24, ROUND_MS = 5000, ROUND_LOOKS = 40 };

/* NULL: the program has ended, as one that panics may. */
static json_t *report_unless_ended(const struct target *target)
{
    struct outcome outcome = run_program(false,
                                         LIST(LEAKSPY_COMMAND, "report", "--format=json",
                                              "--threshold=0", "--all", target->pid_text),
                                         NULL);
    json_t *json = json_loads(outcome.out, 0, NULL);
    if (!json)
        fprintf(stderr, "%s", outcome.err);
    assert_true(json || strstr(outcome.err, "it ended while it was looked at") ||
                strstr(outcome.err, "no such process"));
    outcome_deinit(&outcome);
    return json;
}

/* Whether the program is seen in the state in one round. Skips the test where its Go has no such
 * state. */
static bool sees_state(const struct state_row *row, bool last_round)
{
    char godebug[64];
    struct expected_group expected = {
        .kind = "goroutine",
        .op = row->reason,
        .wait_function = row->function,
    };
    bool found = false, on = true;
    snprintf(godebug, sizeof godebug, "GODEBUG=%s", row->godebug);
    struct target *target =
        target_start(false, LIST(LEAKSPY_TARGETS "/go_states", row->what), LIST(godebug));
    target_wait_line(target, "ready");
    int64_t deadline_ms = now_ms() + ROUND_MS;
    for (int looks = 1; on; looks++) {
        json_t *json = report_unless_ended(target);
        if (!json)
            break;
        int minor = go_minor(json);
        if (minor && (minor < row->from || minor > row->to)) {
            json_decref(json);
            target_end(target);
            skip();
        }
        found = find_group(json, &expected) != NULL;
        on = !found && (looks < ROUND_LOOKS || now_ms() < deadline_ms);
        if (!found && !on && last_round)
            assert_group(json, &expected); /* prints what it was */
        json_decref(json);
        sleep_ms(5);
    }
    target_end(target);
    return found;
}

static void state__is_told(void **state)
{
    for (int round = 1; !sees_state(*state, round == ROUNDS); round++)
        assert_int_not_equal(round, ROUNDS);
}

int main(void)
{
    static struct CMUnitTest tests[LENGTH(rows)];
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){rows[i].reason, state__is_told, NULL, end_all_targets,
                                       (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("go_states", tests, LENGTH(rows), NULL, NULL);
}
