/* Threads that are hard to tell of, of programs that were never preloaded: those that move, those
 * that have to be stopped for their stacks, and those in odd places. */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- threads that move ---- */

/* However fast threads park and go on, no stack is a mixture of two: every one that is told begins
 * in a wait and ends where threads begin. */
static void moving_threads__are_never_told_torn(void **state)
{
    char path[512];
    size_t told = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/moving_threads", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    int64_t deadline_ms = now_ms() + PATIENCE_MS; /* on a busy machine, a look takes seconds */
    for (int i = 0; i < 50 && (told == 0 || now_ms() < deadline_ms); i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        size_t number;
        json_t *group;
        json_array_foreach(json_object_get(json, "groups"), number, group)
        {
            const json_t *stack = json_object_get(group, "wait_stack");
            const json_t *tasks = json_object_get(group, "tasks");
            const char *name = json_string_value(json_object_get(json_array_get(tasks, 0), "name"));
            if (!name || strcmp(name, "mover") != 0)
                continue;
            bool has_start = false, has_loop = false;
            size_t at;
            json_t *frame;
            json_array_foreach(stack, at, frame)
            {
                const char *function = json_string_value(json_object_get(frame, "function"));
                has_start = has_start || (function && strcmp(function, "move") == 0);
                has_loop = has_loop || (function && strncmp(function, "loop_", 5) == 0);
            }
            if (!has_start || !has_loop) {
                char *text = json_dumps(group, JSON_INDENT(1));
                fprintf(stderr, "a torn stack: %s\n", text);
                free(text);
            }
            assert_true(has_start && has_loop);
            assert_string_not_equal(json_string_value(json_object_get(group, "verdict")),
                                    "deadlocked");
            told++;
        }
        json_decref(json);
    }
    assert_true(told > 0);
    target_end(target);
}

/* A frame that needs a register which only the thread itself has: it is stopped for it, its stack
 * is whole, it is said, and the call that it is in goes on. */
static void thread_with_frame_pointers__is_stopped_and_goes_on(void **state)
{
    const struct expected_group expected = {.kind = "thread",
                                            .op = "mutex lock",
                                            .count = 1,
                                            .wait_function = "with_frames",
                                            .spawn_function = "with_frames"};
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/frame_pointers", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    assert_true(has_note(json, "stopped for a moment"));
    json_decref(json);
    target_close_stdin(target);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.out, "locked, errno untouched"));
    outcome_deinit(&outcome);
    target_end(target);
}

/* How often threads were stopped, by the note. */
static long long stops_told(const json_t *json)
{
    size_t number;
    json_t *note;
    json_array_foreach(json_object_get(json, "notes"), number, note)
    {
        const char *text = json_string_value(json_object_get(note, "note"));
        if (text && strstr(text, "stopped for a moment"))
            return strtoll(text, NULL, 10);
    }
    return 0;
}

/* Whether every thread of the process is in this state, by the kernel: 'S' asleep, 'T' stopped; but
 * for one of this name (NULL: none). */
static bool all_are(char state, const char *pid, const char *but)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    bool are = true;
    for (const struct dirent *entry; are && (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%s/task/%.16s/stat", pid, entry->d_name);
        FILE *file = fopen(path, "re");
        char *begin = file && fgets(text, sizeof text, file) ? strchr(text, '(') : NULL;
        char *end = begin ? strrchr(begin, ')') : NULL;
        if (file)
            fclose(file);
        if (end)
            *end = '\0';
        are = end && (end[2] == state || (but && strcmp(begin + 1, but) == 0));
    }
    closedir(tasks);
    return are;
}

/* Waits until all threads, but for one of this name (NULL: none), have slept for a while: who was
 * on a CPU just now is not stopped, and on a busy machine a thread that was stopped waits for one.
 */
static void await_sleep(const char *pid, const char *but)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (int times = 0; times < 10 && now_ms() < deadline_ms; sleep_ms(5))
        times = all_are('S', pid, but) ? times + 1 : 0;
}

/* Started with `option` (NULL: none), and parked for so long that one look has to tell of it. */
static struct target *start_with_frames(const char *option)
{
    char path[512];
    snprintf(path, sizeof path, "%s/frame_pointers", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path, option), NULL);
    target_wait_line(target, "ready");
    await_sleep(target->pid_text, NULL);
    return target;
}

/* Whoever seems to have been on a CPU lately is not stopped: then its stack is not whole. */
static const struct expected_group in_mutex_lock = {
    .kind = "thread", .op = "mutex lock", .count = 1};

/* A stop sends the thread out of its call for a moment: that is not seen as running. */
static void stopped_thread__is_told_parked_by_every_look(void **state)
{
    bool stopped = false;
    (void)state;
    struct target *target = start_with_frames(NULL);
    for (int i = 0; i < 8; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        stopped = stopped || has_note(json, "stopped for a moment");
        assert_group(json, &in_mutex_lock);
        assert_int_equal(json_integer_value(json_at(json, "totals.running")), 0);
        json_decref(json);
        await_sleep(target->pid_text, NULL);
    }
    assert_true(stopped);
    target_end(target);
}

/* A stop sets the clock back by which the kernel knows how long it is parked, and the next report
 * does not know what it was before. */
static void stopped_thread__may_be_parked_for_longer(void **state)
{
    (void)state;
    struct target *target = start_with_frames(NULL);
    for (int i = 0; i < 2; i++) {
        json_t *json = report(target->pid_text, "1h", LIST("--all"));
        const json_t *group = find_group(json, &in_mutex_lock);
        assert_non_null(group);
        assert_true(has_note(json, "nobody knows since when"));
        assert_true(json_integer_value(json_at(json, "totals.undecided")) >= 1);
        json_decref(json);
        await_sleep(target->pid_text, NULL);
    }
    target_end(target);
}

static void watched_thread__is_not_stopped_again_and_stays(void **state)
{
    enum { TRIES = 40 };
    bool spared = false;
    (void)state;
    struct target *target = start_with_frames(NULL);
    /* It, and the main thread: once each. On a busy machine a thread may find no processor to go on
     * before the next look, which stops it again: then another watch has to show it. */
    for (int i = 0; i < TRIES && !spared; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all", "--watch", "600ms"));
        const json_t *group = find_group(json, &in_mutex_lock);
        assert_non_null(group);
        assert_int_equal(json_integer_value(json_at(group, "watch.first_count")), 1);
        assert_int_equal(json_integer_value(json_at(group, "watch.stayed")), 1);
        long long stops = stops_told(json);
        assert_true(stops >= 1);
        spared = stops <= json_integer_value(json_at(json, "source.looks"));
        json_decref(json);
    }
    assert_true(spared);
    target_end(target);
}

/* Once it was stopped, the kernel does not say any more which call it is in. */
static void interrupted_sleep__has_a_timeout(void **state)
{
    const struct expected_group before = {.verdict = "waiting",
                                          .op = "sleep",
                                          .wait_function = "with_frames",
                                          .deadline = WITH_DEADLINE};
    const struct expected_group after = {.verdict = "waiting",
                                         .call = "restart_syscall",
                                         .wait_function = "with_frames",
                                         .deadline = WITH_DEADLINE};
    (void)state;
    struct target *target = start_with_frames("sleep");
    for (int i = 0; i < 3; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        assert_group(json, i == 0 ? &before : &after);
        const json_t *group = find_group(json, i == 0 ? &before : &after);
        const char *evidence =
            json_string_value(json_array_get(json_object_get(group, "evidence"), 0));
        assert_non_null(evidence);
        assert_non_null(
            strstr(evidence, i == 0 ? "it has a deadline" : "an interrupted call with a timeout"));
        json_decref(json);
        await_sleep(target->pid_text, NULL);
    }
    target_end(target);
}

/* ---- threads in odd places, by the process and by a core of it ---- */

static const struct {
    const char *thread, *verdict, *op, *object, *function;
    json_int_t count;
} odd_threads[] = {
    {"robust", "stuck", "mutex lock", "mutex", "in_robust", 1},
    {"inheriting", "stuck", "mutex lock", "mutex", "in_inheriting", 1},
    {"given up", "stuck", "mutex lock", "mutex", "in_given_up", 1},
    {"handler", "stuck", "sem wait", "semaphore", "in_handler", 1},
    {"first rwlock", "deadlocked", "mutex lock", "mutex", "lock_for_writing_first", 1},
    {"first mutex", "deadlocked", "rwlock rdlock", "rwlock", "lock_mutex_first", 1},
    {"writer", "stuck", "rwlock wrlock", "rwlock", "behind_readers", 1},
    {"reader", "stuck", "rwlock rdlock", "rwlock", "behind_a_writer", 1},
    {"joiner", "deadlocked", "thread join", NULL, "join_the_other", 2},
    {"twice", "deadlocked", "mutex lock", "mutex", "lock_twice", 1},
    {"namesake", "stuck", "mutex lock", "mutex", "in_shared", 1},
    {"bare", "stuck", "futex wait", "futex", "in_bare_call", 1},
    {"asleep", "waiting", "sleep", "none", "asleep", 1},
    {"jump", "stuck", "sem wait", "semaphore", "behind_a_jump", 1},
};

/* In a static program, inner functions of the C library cannot be told from the program's. */
static bool is_told(size_t row, const char *build)
{
    return strcmp(odd_threads[row].thread, "jump") != 0 || strstr(build, "static") == NULL;
}

/* A rwlock that is held for reading says how often, and not by whom. */
static void assert_readers_are_counted(const json_t *json)
{
    static const char *const ops[] = {"rwlock wrlock", "rwlock rdlock"};
    for (size_t i = 0; i < LENGTH(ops); i++) {
        const struct expected_group expected = {.verdict = "stuck", .op = ops[i], .count = 1};
        const json_t *group = find_group(json, &expected);
        assert_non_null(group);
        const char *evidence =
            json_string_value(json_array_get(json_object_get(group, "evidence"), 0));
        assert_non_null(
            strstr(evidence, ": held for reading 3 times (by whom is not known); 2 waiting"));
        assert_string_equal(json_string_value(json_at(group, "object.description")),
                            "held for reading 3 times");
        assert_true(json_is_null(json_at(group, "object.owner_task")));
    }
}

static void assert_odd_threads(const json_t *json, const char *build)
{
    bool has_names = strstr(build, "stripped") == NULL;
    for (size_t i = 0; i < LENGTH(odd_threads); i++) {
        if (!is_told(i, build))
            continue;
        struct expected_group expected = {
            .verdict = odd_threads[i].verdict,
            .kind = "thread",
            .op = odd_threads[i].op,
            .count = odd_threads[i].count,
            .object_kind = odd_threads[i].object,
            .task_name = odd_threads[i].thread,
        };
        if (has_names)
            expected.wait_function = expected.spawn_function = odd_threads[i].function;
        assert_group(json, &expected);
    }
    assert_readers_are_counted(json);
}

/* As the sampler found them. */
static void readers_of_a_rwlock__are_counted_in_a_recording(void **state)
{
    const struct expected_group writer = {
        .verdict = "stuck", .op = "rwlock wrlock", .count = 1, .task_name = "writer"};
    const struct expected_group reader = {
        .verdict = "stuck", .op = "rwlock rdlock", .count = 1, .task_name = "reader"};
    (void)state;
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/odd_threads"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "0", NULL, &writer));
    json_t *json = wait_for_group(target, "0", NULL, &reader);
    assert_readers_are_counted(json);
    json_decref(json);
    target_end(target);
}

/* What a context runs is not the function that its thread began in. */
static void assert_context(const json_t *json, const char *build)
{
    struct expected_group expected = {.verdict = "stuck",
                                      .kind = "thread",
                                      .op = "sem wait",
                                      .count = 1,
                                      .object_kind = "semaphore",
                                      .task_name = "context"};
    if (strstr(build, "stripped") == NULL)
        expected.wait_function = "in_context";
    assert_group(json, &expected);
    const json_t *group = find_group(json, &expected);
    assert_int_equal(json_array_size(json_object_get(group, "spawn_stack")), 0);
}

/* state: of which build. */
static void odd_threads__are_told_right(void **state)
{
    const char *name = *state;
    bool has_names = strstr(name, "stripped") == NULL;
    const struct expected_group last = {
        .verdict = "deadlocked", .op = "thread join", .count = 2, .task_name = "joiner"};
    const struct expected_group asleep = {.op = "sleep", .task_name = "asleep"};
    char path[512];
    snprintf(path, sizeof path, "%s/%s", LEAKSPY_TARGETS, name);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    await_sleep(target->pid_text, "running");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &last);
    assert_odd_threads(json, name);
    assert_context(json, name);
    json_decref(json);

    /* What a stop interrupts is taken up again by another call. */
    kill(target->pid, SIGSTOP);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;
         !all_are('T', target->pid_text, NULL) && now_ms() < deadline_ms;)
        sleep_ms(5);
    kill(target->pid, SIGCONT);
    await_sleep(target->pid_text, "running");
    json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &asleep);
    assert_odd_threads(json, name);
    json_decref(json);

    json = report(target_write_core(target, target->dir), "0", LIST("--all"));
    for (size_t i = 0; has_names && i < LENGTH(odd_threads); i++) {
        if (!is_told(i, name))
            continue;
        struct expected_group expected = {
            .verdict = odd_threads[i].verdict,
            .op = odd_threads[i].op,
            .count = odd_threads[i].count,
            .object_kind = odd_threads[i].object,
            .wait_function = odd_threads[i].function,
        };
        assert_group(json, &expected);
    }
    assert_readers_are_counted(json);
    json_decref(json);
    target_end(target);
}

/* Of a build of that program. */
static struct CMUnitTest odd(const char *build)
{
    return (struct CMUnitTest){build, odd_threads__are_told_right, NULL, end_all_targets,
                               (void *)(uintptr_t)build};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(moving_threads__are_never_told_torn, end_all_targets),
        cmocka_unit_test_teardown(thread_with_frame_pointers__is_stopped_and_goes_on,
                                  end_all_targets),
        cmocka_unit_test_teardown(stopped_thread__is_told_parked_by_every_look, end_all_targets),
        cmocka_unit_test_teardown(stopped_thread__may_be_parked_for_longer, end_all_targets),
        cmocka_unit_test_teardown(watched_thread__is_not_stopped_again_and_stays, end_all_targets),
        cmocka_unit_test_teardown(interrupted_sleep__has_a_timeout, end_all_targets),
        odd("odd_threads"),
        odd("odd_threads_static"),
        odd("odd_threads_stripped"),
        cmocka_unit_test_teardown(readers_of_a_rwlock__are_counted_in_a_recording, end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
