/* Programs in other languages and on other libraries, which park in ways of their own: the op is
 * what the program does, not what its library does for it, in a recording as by PID. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The stacks that are shown begin with the program's own code. */
static void assert_shown(const struct target *target, const struct expected_group *expected)
{
    char at[128], by[128];
    snprintf(at, sizeof at, "\n       at  %s ", expected->wait_function);
    snprintf(by, sizeof by, "\n       by  %s ", expected->spawn_function);
    struct outcome text = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--threshold", "0", target->recording), NULL);
    if (!strstr(text.out, at) || !strstr(text.out, by))
        fail_msg("not at %s, by %s:\n%s", expected->wait_function, expected->spawn_function,
                 text.out);
    outcome_deinit(&text);
}

/* From outside, nobody knows where it was spawned; all else is told as by its recording. */
static void assert_found_by_pid(const char *path, const struct expected_group *recorded)
{
    struct expected_group expected = *recorded;
    expected.spawn_function = expected.spawn_file = NULL;
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "100ms", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

static void assert_found(const char *program, const struct expected_group *expected)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", LEAKSPY_TARGETS, program);
    if (access(path, X_OK) != 0) {
        fprintf(stderr, "%s was not built: its compiler or library is not here\n", program);
        skip();
    }
    struct target *target = target_start(true, LIST(path), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "100ms", NULL, expected);
    assert_group(json, expected);
    assert_int_equal(count_findings(json), 1);
    json_decref(json);
    assert_shown(target, expected);
    target_end(target);
    assert_found_by_pid(path, expected);
    assert_same_behaviour(LIST(path), NULL);
}

static void rust_receiver__is_in_chan_receive(void **state)
{
    (void)state;
    assert_found("foreign_rust", &(struct expected_group){
                                     .verdict = "stuck",
                                     .kind = "thread",
                                     .op = "chan receive",
                                     .count = 1,
                                     .wait_function = "foreign_rust::wait_for_message",
                                     .wait_file = "foreign_rust.rs",
                                     .wait_line = line_of("tests/e2e/foreign_rust.rs", ".recv()"),
                                     .spawn_function = "foreign_rust::start_receiver",
                                     .spawn_file = "foreign_rust.rs",
                                     .task_name = "receiver",
                                     .deadline = NO_DEADLINE,
                                 });
}

static void glib_queue__is_in_chan_receive(void **state)
{
    (void)state;
    assert_found("foreign_glib", &(struct expected_group){
                                     .verdict = "stuck",
                                     .kind = "thread",
                                     .op = "chan receive",
                                     .count = 1,
                                     .wait_function = "serve_queue",
                                     .wait_file = "foreign_glib.c",
                                     .wait_line = line_of("tests/e2e/foreign_glib.c", "queue_pop"),
                                     .spawn_function = "start_server",
                                     .spawn_file = "foreign_glib.c",
                                     .deadline = NO_DEADLINE,
                                 });
}

static void cxx_condition_variable__is_in_cond_wait(void **state)
{
    (void)state;
    assert_found("foreign_cxx",
                 &(struct expected_group){
                     .verdict = "stuck",
                     .kind = "thread",
                     .op = "cond wait",
                     .object_kind = "cond",
                     .count = 1,
                     .wait_function = "core::Worker::wait_for_work",
                     .wait_file = "foreign_cxx.cc",
                     .wait_line = line_of("tests/e2e/foreign_cxx.cc", "changed.wait(lock)"),
                     .spawn_function = "core::Worker::start",
                     .spawn_file = "foreign_cxx.cc",
                     .deadline = NO_DEADLINE,
                 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rust_receiver__is_in_chan_receive, end_all_targets),
        cmocka_unit_test_teardown(glib_queue__is_in_chan_receive, end_all_targets),
        cmocka_unit_test_teardown(cxx_condition_variable__is_in_cond_wait, end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
