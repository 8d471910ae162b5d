/* Go code that is not in the program's own file: plugins, which the program's runtime runs, and
 * libraries for programs in C, which bring a runtime of their own. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN LEAKSPY_TARGETS "/go_plugin"
#define PLUGIN_HOST LEAKSPY_TARGETS "/go_plugin_host_"
#define LIBRARY_ONE LEAKSPY_TARGETS "/go_library_one"
#define LIBRARY_TWO LEAKSPY_TARGETS "/go_library_two"
#define LIBRARY_HOST LEAKSPY_TARGETS "/go_library_host"

static struct expected_group in_plugin(void)
{
    return (struct expected_group){
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan send",
        .count = 5,
        .wait_file = "go_plugin.go",
        .wait_line = line_of("tests/e2e/go_plugin.go", "// parks here"),
        .spawn_function = "main.main",
        .spawn_file = "go_plugin_host.go",
        .spawn_line = line_of("tests/e2e/go_plugin_host.go", "// spawned here"),
    };
}

static struct expected_group in_library(int count)
{
    return (struct expected_group){
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan send",
        .count = count,
        .wait_function = "main.inLibrary",
        .wait_file = "go_library.go",
        .wait_line = line_of("tests/e2e/go_library.go", "// parks here"),
        .spawn_function = "main.StartGoroutines",
        .spawn_file = "go_library.go",
        .spawn_line = line_of("tests/e2e/go_library.go", "// spawned here"),
    };
}

static struct target *start(bool preload, const char *const argv[])
{
    struct target *target = target_start(preload, argv, LIST("LEAKSPY_SAMPLE=20ms"));
    target_wait_line(target, "ready");
    return target;
}

/* `build`: how the host was built. Where it is recorded, it loads the plugin after the sampler has
 * found its runtime: of two looks after it had begun, the second one began after that, too. */
static struct target *start_plugin_host(bool preload, const char *build)
{
    char path[512];
    snprintf(path, sizeof path, PLUGIN_HOST "%s", build);
    struct target *target = target_start(preload, LIST(path, PLUGIN), NULL);
    target_wait_line(target, "begun");
    if (preload)
        target_wait_walks(target, 2, 0);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "ready");
    return target;
}

/* By the process until they are parked there, then by a core of it. */
static void assert_told(const struct target *target, const struct expected_group *expected)
{
    json_t *json = wait_for_group_in(target->pid_text, "0", NULL, expected);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_group(json, expected);
    json_decref(json);
}

/* *state: how the program was built. */
static void plugin__its_goroutines__are_told(void **state)
{
    const struct expected_group expected = in_plugin();
    struct target *target = start_plugin_host(false, *state);
    assert_told(target, &expected);
    target_end(target);
}

static void plugin__its_goroutines__are_recorded(void **state)
{
    const struct expected_group expected = in_plugin();
    struct target *target = start_plugin_host(true, *state);
    json_decref(wait_for_group(target, "60ms", NULL, &expected));
    target_kill(target, SIGKILL);
    json_t *json = report(target->recording, "0", NULL); /* ages are those of the last look now */
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

static void library_in_a_c_program__its_goroutines__are_told(void **state)
{
    const struct expected_group expected = in_library(7);
    struct target *target = start(false, LIST(LIBRARY_HOST, *state));
    assert_told(target, &expected);
    target_end(target);
}

static void two_libraries__whose_goroutines_are_told__is_said(void **state)
{
    const struct expected_group first = in_library(7), second = in_library(14);
    (void)state;
    struct target *target = start(false, LIST(LIBRARY_HOST, LIBRARY_ONE, LIBRARY_TWO));
    json_t *json = report(target->pid_text, "0", NULL);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; /* "ready" is said when they begin */
         !find_group(json, &first) && !find_group(json, &second) && now_ms() < deadline_ms;) {
        json_decref(json);
        sleep_ms(20);
        json = report(target->pid_text, "0", NULL);
    }
    assert_true(has_note(json, "there are several Go runtimes in the process"));
    assert_true((find_group(json, &first) != NULL) != (find_group(json, &second) != NULL));
    json_decref(json);
    assert_no_all_clear(target->pid_text);
    target_end(target);
}

/* While it runs, and after it was killed; by a library that was left its symbols, and by one that
 * was not. */
static void library_in_a_c_program__its_goroutines__are_recorded(void **state)
{
    const struct expected_group expected = in_library(7);
    struct target *target = start(true, LIST(LIBRARY_HOST, *state));
    json_t *json = wait_for_group(target, "60ms", NULL, &expected);
    assert_false(has_note(json, "Go"));
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_kill(target, SIGKILL);
    json = report(target->recording, "0", NULL);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

/* Where only a part of the waits is recorded, its runtime is found, too. */
static void library_in_a_c_program__some_classes__its_goroutines_are_recorded(void **state)
{
    const struct expected_group expected = in_library(7);
    struct target *target = target_start(true, LIST(LIBRARY_HOST, *state),
                                         LIST("LEAKSPY_SAMPLE=20ms", "LEAKSPY_OPS=chan,lock"));
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &expected));
    target_end(target);
}

static void two_libraries__whose_goroutines_are_not_recorded__is_said(void **state)
{
    const struct expected_group first = in_library(7), second = in_library(14);
    (void)state;
    struct target *target = start(true, LIST(LIBRARY_HOST, LIBRARY_ONE, LIBRARY_TWO));
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;; sleep_ms(20)) {
        json_t *json = report(target->recording, "0", NULL);
        bool one = find_group(json, &first) != NULL, two = find_group(json, &second) != NULL;
        bool said = has_note(json, "there are several Go runtimes in the process");
        json_decref(json);
        assert_false(one && two);
        if (said && (one || two))
            break;
        assert_true(now_ms() < deadline_ms);
    }
    assert_no_all_clear(target->pid_text);
    target_end(target);
}

/* A fork child has the memory of the library, and none of its threads: nothing of it will run. */
static void library_in_a_c_program__fork_child__has_no_goroutines(void **state)
{
    const struct expected_group expected = in_library(7);
    struct target *target = start(true, LIST(LIBRARY_HOST, "fork", *state));
    json_decref(wait_for_group(target, "60ms", NULL, &expected));
    const char *child = target_wait_line(target, "child ") + strlen("child ");
    const struct expected_group reads = {.verdict = "stuck", .op = "io wait", .call = "read"};
    json_t *json = wait_for_group_in(child, "400ms", LIST("--all"), &reads); /* some 20 looks */
    assert_string_equal(json_string_value(json_at(json, "source.kind")), "recording");
    assert_null(find_group(json, &expected));
    json_decref(json);
    target_end(target);
}

/* A thread that has called into Go is one on which goroutines run, one of which is locked to it:
 * what it locks in C is its own. */
static void library_in_a_c_program__threads_that_called_it_deadlock__is_proved(void **state)
{
    const struct expected_group cycle = {.verdict = "deadlocked",
                                         .kind = "thread",
                                         .op = "mutex lock",
                                         .count = 2,
                                         .wait_function = "lock_both"};
    struct target *target = start(true, LIST(LIBRARY_HOST, "deadlock", *state));
    json_decref(wait_for_group(target, "60ms", NULL, &cycle));
    target_end(target);
}

/* They sleep in futexes, by calls without libc, when they have no goroutine to run. *state: the
 * library. */
static void library_in_a_c_program__the_threads_of_its_runtime__are_not_told(void **state)
{
    const struct expected_group sleeps = {.op = "futex wait"};
    struct target *target = start(true, LIST(LIBRARY_HOST, *state));
    wait_for_recording(target->recording);
    target_wait_walks(target, 3, 100);
    json_t *json = report(target->recording, "0", LIST("--all"));
    assert_null(find_group(json, &sleeps));
    json_decref(json);
    target_end(target);
}

#define TEST(name, state)                                                                          \
    {                                                                                              \
#name ", " state, name, NULL, end_all_targets, (void *)(uintptr_t)(state)                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plugin__its_goroutines__are_told, "cgo"),
        TEST(plugin__its_goroutines__are_told, "stripped"),
        TEST(plugin__its_goroutines__are_recorded, "cgo"),
        TEST(plugin__its_goroutines__are_recorded, "stripped"),
        TEST(library_in_a_c_program__its_goroutines__are_told, LIBRARY_ONE),
        TEST(library_in_a_c_program__its_goroutines__are_told, LIBRARY_TWO),
        TEST(two_libraries__whose_goroutines_are_told__is_said, ""),
        TEST(library_in_a_c_program__its_goroutines__are_recorded, LIBRARY_ONE),
        TEST(library_in_a_c_program__its_goroutines__are_recorded, LIBRARY_TWO),
        TEST(library_in_a_c_program__some_classes__its_goroutines_are_recorded, LIBRARY_ONE),
        TEST(two_libraries__whose_goroutines_are_not_recorded__is_said, ""),
        TEST(library_in_a_c_program__fork_child__has_no_goroutines, LIBRARY_ONE),
        TEST(library_in_a_c_program__threads_that_called_it_deadlock__is_proved, LIBRARY_ONE),
        TEST(library_in_a_c_program__threads_that_called_it_deadlock__is_proved, LIBRARY_TWO),
        TEST(library_in_a_c_program__the_threads_of_its_runtime__are_not_told, LIBRARY_ONE),
        TEST(library_in_a_c_program__the_threads_of_its_runtime__are_not_told, LIBRARY_TWO),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
