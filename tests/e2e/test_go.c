/* Programs of Go's own compiler: the leaking server, untouched, after 50 requests, whichever way it
 * was built and whichever way it is looked at; and the samples with their fixed twins. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SERVER_SOURCE "samples/server.go"

static struct expected_group server_leak(void)
{
    return (struct expected_group){
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan send",
        .count = 50,
        .wait_function = "main.sum",
        .wait_file = "server.go",
        .wait_line = line_of(SERVER_SOURCE, "// parks here"),
        .spawn_function = "main.sumConcurrent",
        .spawn_file = "server.go",
        .spawn_line = line_of(SERVER_SOURCE, "// spawned here"),
        .deadline = NO_DEADLINE,
    };
}

/* Sends the server 50 requests. It counts a goroutine when it is created; that parks later. */
static void load(struct target *target)
{
    char port[16];
    target_wait_port(target, port);
    load_server(port, 50);
}

/* *state: the mode that the server was built in. */
static const char *server_path(void **state, char path[512])
{
    snprintf(path, 512, "%s/server_gc_%s", LEAKSPY_SAMPLES, (const char *)*state);
    return path;
}

static void assert_server_leak(const char *source)
{
    struct expected_group leak = server_leak();
    json_t *json = report(source, "0", NULL);
    assert_group(json, &leak);
    assert_true(go_minor(json) >= 18);
    json_decref(json);
}

static void server_fifty_requests__by_pid(void **state)
{
    char path[512];
    struct expected_group leak = server_leak();
    struct target *target = target_start(false, LIST(server_path(state, path)), NULL);
    load(target);
    json_decref(wait_for_group_in(target->pid_text, "0", NULL, &leak));
    assert_server_leak(target->pid_text);
    target_end(target);
}

static void server_fifty_requests__by_core(void **state)
{
    char path[512];
    struct expected_group leak = server_leak();
    struct target *target = target_start(false, LIST(server_path(state, path)), NULL);
    load(target);
    json_decref(wait_for_group_in(target->pid_text, "0", NULL, &leak));
    const char *core = target_write_core(target, target->dir);
    target_kill(target, SIGKILL);
    assert_server_leak(core);
    target_end(target);
}

/* The file is gone when the core is read, as on another machine. */
static void server_core__without_its_file__by_exe(void **state)
{
    char path[512], copy[96];
    struct expected_group leak = server_leak();
    if (!have_gcore())
        skip();
    snprintf(copy, sizeof copy, "%s/server", scratch_folder());
    struct outcome outcome =
        run_program(false, LIST("/bin/cp", server_path(state, path), copy), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    struct target *target = target_start(false, LIST(copy), NULL);
    load(target);
    json_decref(wait_for_group_in(target->pid_text, "0", NULL, &leak));
    const char *core = target_write_core(target, target->dir);
    target_kill(target, SIGKILL);
    unlink(copy);
    json_t *json = report(core, "0", NULL);
    assert_true(has_note(json, "name it with --exe"));
    assert_true(has_note(json, "its list of goroutines was not found (the core lacks what stands "
                               "in that file, which is not here)"));
    json_decref(json);
    json = report(core, "0", LIST("--exe", path));
    assert_group(json, &leak);
    json_decref(json);
    target_end(target);
}

/* A recording says it while the program runs, and after it was killed. */
static void server_fifty_requests__by_preload(void **state)
{
    char path[512];
    struct expected_group leak = server_leak();
    struct target *target = target_start(true, LIST(server_path(state, path)), NULL);
    load(target);
    json_t *json = wait_for_group(target, "200ms", NULL, &leak);
    json_decref(json);
    target_wait_walks(target, 2, 0);
    target_kill(target, SIGKILL);
    json = report(target->recording, "200ms", NULL);
    assert_group(json, &leak);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_end(target);
}

static void server_fifty_requests__by_run(void **state)
{
    char path[512], recording[96];
    struct expected_group leak = server_leak();
    snprintf(recording, sizeof recording, "%s/server.rec", scratch_folder());
    struct target *target = target_start(
        false, LIST(LEAKSPY_COMMAND, "run", "-o", recording, "--", server_path(state, path)),
        LIST("LEAKSPY_SAMPLE=20ms"));
    snprintf(target->recording, sizeof target->recording, "%s", recording);
    load(target);
    target_wait_walks(target, 1, 0); /* leakspy begins beside the program, not before it */
    json_t *json = wait_for_group(target, "200ms", NULL, &leak);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "running");
    json_decref(json);
    kill(target->pid, SIGTERM); /* leakspy hands it on */
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
    json = report(recording, "200ms", NULL);
    assert_group(json, &leak);
    json_decref(json);
    unlink(recording);
    target_end(target);
}

/* Nothing is found but the leak: the runtime's goroutines and the server's own wait for work. */
static void server__has_no_other_finding(void **state)
{
    char path[512];
    struct target *target = target_start(false, LIST(server_path(state, path)), NULL);
    load(target);
    struct expected_group leak = server_leak();
    json_decref(wait_for_group_in(target->pid_text, "0", NULL, &leak));
    json_t *json = report(target->pid_text, "0", NULL);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; /* one that goes away was none */
         count_findings(json) != 1 && now_ms() < deadline_ms;) {
        json_decref(json);
        sleep_ms(5);
        json = report(target->pid_text, "0", NULL);
    }
    if (count_findings(json) != 1) {
        char *text = json_dumps(json, JSON_INDENT(1));
        fprintf(stderr, "%s\n", text);
        free(text);
    }
    assert_int_equal(count_findings(json), 1);
    json_decref(json);
    target_end(target);
}

/* Where the program has its runtime keep it, the whole stack that created a goroutine is told. */
static void ancestors__kept__the_whole_spawn_stack(void **state)
{
    (void)state;
    struct expected_group expected = {
        .kind = "goroutine",
        .op = "chan receive",
        .count = 1,
        .wait_function = "main.labelled.func1",
        .spawn_function = "main.main", /* it was created by main.startMore */
    };
    for (int kept = 0; kept < 2; kept++) {
        struct target *target =
            target_start(false, LIST(LEAKSPY_TARGETS "/go_waits_stripped"),
                         LIST(kept ? "GODEBUG=tracebackancestors=5" : "GODEBUG="));
        target_wait_line(target, "ready");
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        if (kept)
            assert_group(json, &expected);
        else
            assert_null(find_group(json, &expected));
        json_decref(json);
        target_end(target);
    }
}

/* ---- samples ---- */

static const struct sample {
    const char *name, *verdict, *old_op, *op, *function, *by;
    int count;
    int op_since; /* minor version of Go that has a word of its own for it; 0: all */
} samples[] = {
    {"chan_send_early_return", "stuck", "chan send", "chan send", "main.compute", "main.process", 1,
     0},
    {"mutex_deadlock", "stuck", "semacquire", "sync.Mutex.Lock", "main.transfer",
     "main.startTransfers", 2, 20},
    {"select_no_case", "leaked", "select (no cases)", "select (no cases)", "main.keepAlive",
     "main.start", 1, 0},
    {"timeout_leak", "stuck", "chan send", "chan send", "main.slowQuery", "main.queryWithTimeout",
     1, 0},
    {"waitgroup_never_done", "stuck", "semacquire", "sync.WaitGroup.Wait", "main.collect",
     "main.start", 1, 24},
};

static void sample__is_found_by_pid(void **state)
{
    const struct sample *sample = *state;
    char path[512], source[96], file[64];
    snprintf(path, sizeof path, "%s/%s_gc", LEAKSPY_SAMPLES, sample->name);
    snprintf(file, sizeof file, "%s.go", sample->name);
    snprintf(source, sizeof source, "samples/%s", file);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    struct expected_group leak = {
        .verdict = sample->verdict,
        .kind = "goroutine",
        .count = sample->count,
        .wait_function = sample->function,
        .wait_file = file,
        .wait_line = line_of(source, "// parks here"),
        .spawn_function = sample->by,
        .spawn_file = file,
        .spawn_line = line_of(source, "// spawned here"),
        .deadline = NO_DEADLINE,
    };
    /* "ready" is said when it is about to park. */
    json_decref(wait_for_group_in(target->pid_text, "0", NULL, &leak));
    json_t *json = report(target->pid_text, "0", NULL);
    leak.op = go_minor(json) < sample->op_since ? sample->old_op : sample->op;
    assert_group(json, &leak);
    json_decref(json);
    target_end(target);
}

static void sample__its_fixed_twin_is_silent(void **state)
{
    const struct sample *sample = *state;
    char path[512];
    snprintf(path, sizeof path, "%s/%s_gc_fixed", LEAKSPY_SAMPLES, sample->name);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    /* A finding that goes away was none: a worker may be about to end. */
    json_t *json = report(target->pid_text, "0", NULL);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;
         count_findings(json) > 0 && now_ms() < deadline_ms;) {
        json_decref(json);
        sleep_ms(5);
        json = report(target->pid_text, "0", NULL);
    }
    assert_no_findings(json);
    json_decref(json);
    target_end(target);
}

enum { MAX_TESTS = 64 };

static struct CMUnitTest tests[MAX_TESTS];
static size_t test_count;

static void add_test(const char *subject, const char *what, CMUnitTestFunction function,
                     const void *state)
{
    char *name = malloc(128);
    if (!name || test_count == MAX_TESTS)
        abort();
    snprintf(name, 128, "%s__%s", subject, what);
    tests[test_count++] =
        (struct CMUnitTest){name, function, NULL, end_all_targets, (void *)(uintptr_t)state};
}

int main(void)
{
    static const char *const modes[] = {"cgo", "stripped", "static", "static_stripped"};
    for (size_t i = 0; i < LENGTH(modes); i++) {
        add_test(modes[i], "server__by_pid", server_fifty_requests__by_pid, modes[i]);
        add_test(modes[i], "server__by_core", server_fifty_requests__by_core, modes[i]);
        add_test(modes[i], "server_core__without_its_file__by_exe",
                 server_core__without_its_file__by_exe, modes[i]);
        if (i < 2) /* a static program loads no library */
            add_test(modes[i], "server__by_preload", server_fifty_requests__by_preload, modes[i]);
        add_test(modes[i], "server__by_run", server_fifty_requests__by_run, modes[i]);
        add_test(modes[i], "server__has_no_other_finding", server__has_no_other_finding, modes[i]);
    }
    for (size_t i = 0; i < LENGTH(samples); i++) {
        add_test(samples[i].name, "is_found_by_pid", sample__is_found_by_pid, &samples[i]);
        add_test(samples[i].name, "its_fixed_twin_is_silent", sample__its_fixed_twin_is_silent,
                 &samples[i]);
    }
    add_test("ancestors", "kept__the_whole_spawn_stack", ancestors__kept__the_whole_spawn_stack,
             NULL);
    int failed = _cmocka_run_group_tests("go", tests, test_count, NULL, NULL);
    for (size_t i = 0; i < test_count; i++)
        free((char *)(uintptr_t)tests[i].name);
    return failed;
}
