/* Recordings of programs of Go's own compiler: preloaded where they load libraries, else from
 * outside by `leakspy run`. What both tell, how they end, and that the program cannot tell. */
#include "tests/e2e/harness.h"

#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DYNAMIC LEAKSPY_TARGETS "/go_record_cgo"
#define STATIC LEAKSPY_TARGETS "/go_record_static_stripped"
#define PIE LEAKSPY_TARGETS "/go_record_pie_static"
#define RACE LEAKSPY_TARGETS "/go_record_race"
#define LIBRARY "LEAKSPY_LIBRARY=" LEAKSPY_PRELOAD
#define FAST "LEAKSPY_SAMPLE=20ms"

static const struct expected_group parked = {
    .verdict = "stuck",
    .kind = "goroutine",
    .op = "chan receive",
    .count = 3,
    .wait_function = "main.parkHere",
    .spawn_function = "main.spawnHere",
    .deadline = NO_DEADLINE,
};

/* The ways to be recorded. */
static const struct way {
    const char *name, *program;
    bool outside;
} ways[] = {
    {"preloaded", DYNAMIC, false},
    {"from outside", STATIC, true},
};

/* Starts a program, which then is recorded, with the words that come after its name. */
static struct target *start(const struct way *way, const char *program, const char *const words[],
                            const char *environment)
{
    static unsigned number;
    const char *argv[16] = {LEAKSPY_COMMAND, "run", "-o", NULL, "--", program};
    char recording[80];
    size_t count = 6;
    snprintf(recording, sizeof recording, "%s/%u.rec", scratch_folder(), ++number);
    argv[3] = recording;
    for (size_t i = 0; words[i] && count < LENGTH(argv) - 1; i++)
        argv[count++] = words[i];
    if (!way->outside)
        return target_start(true, argv + 5, environment ? LIST(environment) : NULL);
    struct target *target = target_start(false, argv, LIST(LIBRARY, FAST, environment));
    snprintf(target->recording, sizeof target->recording, "%s", recording);
    return target;
}

/* Until it does what it was told, and that was looked at. */
static void wait_ready(struct target *target)
{
    target_wait_line(target, "ready");
    target_wait_walks(target, 1, 0);
}

/* Also those of children, FILE.PID-N. */
static void remove_recordings(const char *file)
{
    char pattern[128];
    glob_t found;
    unlink(file);
    snprintf(pattern, sizeof pattern, "%s.*-*", file);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
}

static void end(const struct way *way, struct target *target)
{
    char recording[96];
    snprintf(recording, sizeof recording, "%s", target->recording);
    target_end(target);
    if (way->outside)
        remove_recordings(recording);
}

static void assert_string_at(const json_t *json, const char *path, const char *expected)
{
    const json_t *at = json_at(json, path);
    if (!expected)
        assert_true(json_is_null(at));
    else
        assert_string_equal(json_string_value(at), expected);
}

static void source__of_a_go_program__says_which_go(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    assert_true(go_minor(json) >= 18);
    assert_string_at(json, "source.kind", "recording");
    assert_string_at(json, "source.end", "running");
    assert_string_at(json, "source.exe", way->program);
    assert_string_equal(json_string_value(json_array_get(json_at(json, "source.cmdline"), 1)),
                        "park");
    /* What came and went between two looks was not counted. */
    assert_true(json_is_null(json_at(json, "totals.spawned")));
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    end(way, target);
}

/* It is known by the process's number, and in the list, whoever writes it. */
static void process__that_is_recorded__gives_its_recording(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)json_integer_value(json_at(json, "source.pid")));
    json_decref(json);
    json = report(pid, "60ms", NULL);
    assert_string_at(json, "source.kind", "recording");
    assert_string_at(json, "source.path", target->recording);
    assert_group(json, &parked);
    json_decref(json);

    struct outcome list = run_program(false, LIST(LEAKSPY_COMMAND, "list", "--format=json"), NULL);
    assert_int_equal(list.status, 0);
    json = json_loads(list.out, 0, NULL);
    const json_t *row, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(json, "recordings"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "path")), target->recording) == 0)
            found = row;
    }
    assert_non_null(found);
    assert_string_at(found, "state", "running");
    assert_int_equal(json_integer_value(json_object_get(found, "pid")), atoi(pid));
    json_decref(json);
    outcome_deinit(&list);
    end(way, target);
}

/* Threads on which goroutines run are not told beside them, unless they wait in C. */
static void threads__that_run_goroutines__are_not_told(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    target_wait_walks(target, 3, 0);
    json_decref(wait_for_group(target, "60ms", NULL, &parked));
    json_t *json = report(target->recording, "0", LIST("--all"));
    const struct expected_group threads = {.kind = "thread"};
    assert_null(find_group(json, &threads));
    assert_int_equal(json_integer_value(json_at(json, "totals.tasks")),
                     json_integer_value(json_at(json, "totals.parked")) +
                         json_integer_value(json_at(json, "totals.running")));
    json_decref(json);
    end(way, target);
}

static void thread__that_waits_in_c__is_told(void **state)
{
    const struct way *way = &ways[0];
    const struct expected_group lock = {
        .verdict = "stuck",
        .kind = "thread",
        .op = "mutex lock",
        .count = 1,
        .wait_function = "lock_in_c",
    };
    (void)state;
    struct target *target = start(way, way->program, LIST("mutex"), NULL);
    wait_ready(target);
    json_decref(wait_for_group(target, "60ms", NULL, &lock));
    target_wait_walks(target, 2, 0);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_group(json, &lock); /* not deadlocked, though the lock was taken on its own thread */
    json_decref(json);
    end(way, target);

    target = target_start(false, LIST(DYNAMIC, "mutex"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group_in(target->pid_text, "60ms", NULL, &lock));
    target_end(target);
}

static void deadlock__of_goroutines_that_keep_their_threads__is_told(void **state)
{
    const struct expected_group deadlocked = {
        .verdict = "deadlocked",
        .kind = "thread",
        .op = "mutex lock",
        .wait_function = "lock_in_c",
    };
    (void)state;
    for (int preload = 0; preload < 2; preload++) {
        struct target *target = target_start(preload, LIST(DYNAMIC, "mutex", "locked"), NULL);
        target_wait_line(target, "ready");
        json_decref(preload ? wait_for_group(target, "60ms", NULL, &deadlocked)
                            : wait_for_group_in(target->pid_text, "60ms", NULL, &deadlocked));
        target_end(target);
    }
}

static size_t count_labels(const json_t *json, const char *key, const char *value)
{
    const json_t *group = find_group(json, &(struct expected_group){.op = "chan receive"});
    size_t count = 0, i;
    const json_t *task;
    json_array_foreach(json_object_get(group, "tasks"), i, task)
    {
        const json_t *labels = json_object_get(task, "labels");
        const char *found = json_string_value(json_object_get(labels, key));
        count += key ? found && strcmp(found, value) == 0 : json_object_size(labels) == 0;
    }
    return count;
}

static void labels__of_goroutines__are_recorded(void **state)
{
    const struct way *way = *state;
    struct expected_group four = parked;
    four.count = 4;
    struct target *target = start(way, way->program, LIST("labels"), NULL);
    wait_ready(target);
    json_decref(wait_for_group(target, "60ms", NULL, &four));
    target_wait_walks(target, 2, 0);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_int_equal(count_labels(json, "request", "42"), 2);
    assert_int_equal(count_labels(json, "user", "somebody"), 2);
    assert_int_equal(count_labels(json, "empty", ""), 1);
    assert_int_equal(count_labels(json, NULL, NULL), 1);
    json_decref(json);
    end(way, target);
}

static void goroutines__that_the_collector_found__are_leaked(void **state)
{
    const struct way *way = *state;
    struct expected_group leaked = parked;
    leaked.verdict = "leaked";
    struct target *target = start(way, way->program, LIST("leak", "3"), NULL);
    wait_ready(target);
    json_t *json = report(target->recording, "60ms", NULL);
    bool finds_leaks = go_minor(json) >= 27;
    json_decref(json);
    if (finds_leaks)
        json_decref(wait_for_group(target, "60ms", NULL, &leaked));
    end(way, target);
    if (!finds_leaks)
        skip();
}

static void assert_timers(struct target *target, bool first, bool second)
{
    const struct expected_group groups[] = {
        {.op = "chan receive",
         .wait_function = "main.waitForFirst",
         .deadline = first ? WITH_DEADLINE : NO_DEADLINE},
        {.op = "chan receive",
         .wait_function = "main.waitForSecond",
         .deadline = second ? WITH_DEADLINE : NO_DEADLINE},
    };
    for (size_t i = 0; i < LENGTH(groups); i++)
        json_decref(wait_for_group(target, "60ms", LIST("--all"), &groups[i]));
}

/* Of waits that last. */
static void deadlines__set_and_stopped_meanwhile__are_recorded(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("timers"), NULL);
    target_wait_line(target, "parked");
    assert_timers(target, false, true);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "ready");
    assert_timers(target, true, false);
    end(way, target);
}

/* Until the lock that a function waits for is said to have a value. */
static void wait_for_value(struct target *target, const char *function, const char *key, int value)
{
    const struct expected_group waits = {.verdict = "stuck", .wait_function = function};
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;;) {
        json_t *json = wait_for_group(target, "60ms", NULL, &waits);
        const json_t *found =
            json_object_get(json_object_get(find_group(json, &waits), "object"), key);
        bool holds = json_is_integer(found) && json_integer_value(found) == value;
        json_decref(json);
        if (holds)
            return;
        if (now_ms() > deadline_ms)
            fail_msg("the lock in %s has no %s of %d", function, key, value);
    }
}

/* As long as goroutines wait for them, and of the next ones. */
static void locks__changed_meanwhile__are_told_as_they_are(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("locks"), NULL);
    target_wait_line(target, "parked");
    wait_for_value(target, "main.waitForDone", "counter", 2);
    wait_for_value(target, "main.takeToRead", "readers", 2);
    wait_for_value(target, "main.takeToWrite", "readers", 2);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "changed");
    wait_for_value(target, "main.waitForDone", "counter", 1);
    wait_for_value(target, "main.takeToRead", "readers", 1);
    wait_for_value(target, "main.takeToWrite", "readers", 1);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "ready");
    wait_for_value(target, "main.waitForDone", "counter", 5);
    wait_for_value(target, "main.takeToRead", "readers", 0);
    end(way, target);
}

/* With GODEBUG, the runtime keeps the stacks of those that created goroutines. */
static void ancestors__where_they_are_kept__are_the_spawn_stack(void **state)
{
    const struct way *way = *state;
    struct target *target =
        start(way, way->program, LIST("park", "3"), "GODEBUG=tracebackancestors=2");
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    const struct expected_group with_creator = {
        .op = "chan receive",
        .spawn_function = "main.park",
    };
    assert_group(json, &with_creator);
    json_decref(json);
    end(way, target);
}

/* Copies a program to where it can be removed. */
static const char *copy_program(const char *program)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/program", scratch_folder());
    struct outcome outcome = run_program(false, LIST("/bin/cp", program, path), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    return path;
}

/* As sstrip leaves it: no section says that it is Go's. */
static void program_without_sections__is_recorded(void **state)
{
    const struct way *way = &ways[0];
    const char *program = copy_program(way->program);
    Elf64_Ehdr header;
    (void)state;
    int fd = open(program, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
    assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header);
    close(fd);
    struct target *target = start(way, program, LIST("park", "3"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &parked));
    end(way, target);
    unlink(program);
}

static void program__that_is_gone__keeps_the_names_of_its_functions(void **state)
{
    const struct way *way = *state;
    const char *program = copy_program(way->program);
    struct target *target = start(way, program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_decref(wait_for_group(target, "60ms", NULL, &parked));
    target_wait_walks(target, 2, 0);
    assert_int_equal(unlink(program), 0);
    target_close_stdin(target);
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_group(json, &parked);
    json_decref(json);
    end(way, target);
}

/* A build-id would say so; but most programs of Go have none. */
static void program__that_is_built_anew__keeps_the_names_of_its_functions(void **state)
{
    const struct way *way = &ways[1];
    const char *program = copy_program(way->program);
    char command[512];
    (void)state;
    struct target *target = start(way, program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    assert_false(has_note(json, "has changed"));
    json_decref(json);
    target_wait_walks(target, 2, 0);
    snprintf(command, sizeof command, "cp %s %s.new && mv %s.new %s",
             LEAKSPY_TARGETS "/go_waits_static_stripped", program, program, program);
    assert_int_equal(system(command), 0);
    json = report(target->recording, "60ms", NULL);
    assert_group(json, &parked);
    assert_true(has_note(json, "the file has changed (its functions are others)"));
    json_decref(json);
    end(way, target);
    unlink(program);
}

/* The runtime leaves without libc's help: under `leakspy run`, the parent knows how it ended. */
static void exit_status__under_run__is_known(void **state)
{
    const struct way *way = *state;
    const struct way run = {.outside = true};
    struct target *target = start(&run, way->program, LIST("same"), NULL);
    struct outcome outcome = target_wait(target);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), 3);
    outcome_deinit(&outcome);
    json_t *json = report(target->recording, "0", NULL);
    assert_string_at(json, "source.end", "exited");
    assert_int_equal(json_integer_value(json_at(json, "source.exit_code")), 3);
    json_decref(json);
    end(&run, target);
}

static void killed_program__under_run__says_by_what(void **state)
{
    const struct way *way = *state;
    const struct way run = {.outside = true};
    struct target *target = start(&run, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    kill((pid_t)json_integer_value(json_at(json, "source.pid")), SIGKILL);
    json_decref(json);
    struct outcome outcome = target_wait(target);
    assert_int_equal(WEXITSTATUS(outcome.status), 128 + SIGKILL);
    outcome_deinit(&outcome);
    json = report(target->recording, "60ms", NULL);
    assert_group(json, &parked);
    assert_string_at(json, "source.end", "signalled");
    assert_int_equal(json_integer_value(json_at(json, "source.signal")), SIGKILL);
    json_decref(json);
    end(&run, target);
}

static void program__that_executes_another__is_followed(void **state)
{
    const struct way *way = &ways[1];
    (void)state;
    struct target *target = start(way, STATIC, LIST("exec", STATIC, "park", "3"), NULL);
    target_wait_line(target, "executing");
    target_wait_walks(target, 2, 0);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "ready");
    char first[96], second[128];
    snprintf(first, sizeof first, "%s", target->recording);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; now_ms() < deadline_ms; sleep_ms(20)) {
        json_t *json = report(first, "0", NULL);
        const char *end_of_first = json_string_value(json_at(json, "source.end"));
        int pid = (int)json_integer_value(json_at(json, "source.pid"));
        bool over = strcmp(end_of_first, "exec") == 0;
        json_decref(json);
        snprintf(second, sizeof second, "%s.%d-0", first, pid);
        if (over && access(second, R_OK) == 0)
            break;
    }
    snprintf(target->recording, sizeof target->recording, "%.90s", second);
    target_wait_walks(target, 1, 0);
    json_decref(wait_for_group(target, "60ms", NULL, &parked));
    end(way, target);
    unlink(first);
}

/* Without libc's help, which would have told the library. */
static void credentials__given_up_without_libc__are_given_up_by_the_sampler_too(void **state)
{
    const struct way *way = &ways[0];
    (void)state;
    if (geteuid() != 0)
        skip();
    struct target *target = start(way, PIE, LIST("drop", "3"), NULL);
    target_wait_line(target, "<nil> <nil> <nil>");
    target_wait_line(target, "dropped");
    wait_ready(target);
    /* And it goes on. */
    json_decref(wait_for_group(target, "60ms", NULL, &parked));
    target_wait_walks(target, 3, 0);
    end(way, target);
}

/* A static one behind a wrapper is nobody's to record: the wrapper's recording tells of whom a
 * report tells its goroutines. */
static void static_program_behind_a_wrapper__is_noted(void **state)
{
    static const char remedy[] = "(it is statically linked): 'leakspy report ";
    char pid[16] = "";
    size_t i;
    json_t *note;
    (void)state;
    struct target *target =
        target_start(true, LIST("/usr/bin/timeout", "60", STATIC, "park", "3"), NULL);
    target_wait_line(target, "ready");
    json_t *json = report(target->recording, "0", NULL);
    assert_true(has_note(json, "it started " STATIC " (pid "));
    json_array_foreach((json_t *)json_at(json, "notes"), i, note)
    {
        const char *text = json_string_value(json_object_get(note, "note"));
        const char *at = text ? strstr(text, remedy) : NULL;
        if (at)
            snprintf(pid, sizeof pid, "%d", atoi(at + sizeof remedy - 1));
    }
    json_decref(json);
    json_decref(wait_for_group_in(pid, "0", NULL, &parked));
    target_end(target);
}

/* Though it started nothing that could load the library. */
static void program_that_is_recorded_from_outside__is_not_noted(void **state)
{
    char recording[96];
    (void)state;
    snprintf(recording, sizeof recording, "%s/inner.rec", scratch_folder());
    struct target *target =
        target_start(true,
                     LIST("/bin/sh", "-c", "\"$0\" run -o \"$1\" -- \"$2\" park 3; exit $?",
                          LEAKSPY_COMMAND, recording, STATIC),
                     LIST(LIBRARY));
    target_wait_line(target, "ready");
    wait_for_recording(recording);
    json_t *json = report(target->recording, "0", NULL);
    assert_false(has_note(json, "not recorded"));
    json_decref(json);
    target_end(target);
    remove_recordings(recording);
}

/* Nothing is to be said beforehand of a program that can be recorded, whichever way. */
static void run__of_a_go_program__says_where_it_recorded(void **state)
{
    const struct way *way = *state;
    char recording[96], last[128];
    snprintf(recording, sizeof recording, "%s/line.rec", scratch_folder());
    struct outcome plain = run_program(false, LIST(way->program, "same"), NULL);
    struct outcome recorded = run_program(
        false, LIST(LEAKSPY_COMMAND, "run", "-o", recording, "--", way->program, "same"),
        LIST(LIBRARY, FAST));
    snprintf(last, sizeof last, "leakspy: recorded in %s\n", recording);
    assert_string_equal(recorded.out, plain.out);
    assert_int_equal(recorded.status, plain.status);
    assert_string_equal(plain.err, "on stderr\n");
    assert_memory_equal(recorded.err, plain.err, strlen(plain.err));
    char *rest = recorded.err + strlen(plain.err);
    /* On a busy machine it may have ended before anybody looked. */
    static const char early[] = "leakspy: the command: ended before its goroutines were found\n";
    if (way->outside && strncmp(rest, early, strlen(early)) == 0)
        rest += strlen(early);
    assert_string_equal(rest, last);
    outcome_deinit(&plain);
    outcome_deinit(&recorded);
    remove_recordings(recording);
}

static void preloaded_program__behaves_the_same(void **state)
{
    (void)state;
    assert_same_behaviour(LIST(DYNAMIC, "same"), LIST("LEAKSPY_SAMPLE=1ms"));
    if (access(RACE, X_OK) == 0)
        assert_same_behaviour(LIST(RACE, "same"), LIST("LEAKSPY_SAMPLE=1ms"));
}

#define EACH(function)                                                                             \
    {#function ", preloaded", function, NULL, end_all_targets, (void *)(uintptr_t)&ways[0]},       \
    {                                                                                              \
#function ", from outside", function, NULL, end_all_targets, (void *)(uintptr_t)&ways[1]   \
    }
#define ONCE(function)                                                                             \
    {                                                                                              \
#function, function, NULL, end_all_targets, NULL                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(source__of_a_go_program__says_which_go),
        EACH(process__that_is_recorded__gives_its_recording),
        EACH(threads__that_run_goroutines__are_not_told),
        ONCE(thread__that_waits_in_c__is_told),
        ONCE(deadlock__of_goroutines_that_keep_their_threads__is_told),
        EACH(labels__of_goroutines__are_recorded),
        EACH(goroutines__that_the_collector_found__are_leaked),
        EACH(deadlines__set_and_stopped_meanwhile__are_recorded),
        EACH(locks__changed_meanwhile__are_told_as_they_are),
        EACH(ancestors__where_they_are_kept__are_the_spawn_stack),
        ONCE(program_without_sections__is_recorded),
        EACH(program__that_is_gone__keeps_the_names_of_its_functions),
        ONCE(program__that_is_built_anew__keeps_the_names_of_its_functions),
        EACH(exit_status__under_run__is_known),
        EACH(killed_program__under_run__says_by_what),
        ONCE(program__that_executes_another__is_followed),
        ONCE(credentials__given_up_without_libc__are_given_up_by_the_sampler_too),
        ONCE(static_program_behind_a_wrapper__is_noted),
        ONCE(program_that_is_recorded_from_outside__is_not_noted),
        EACH(run__of_a_go_program__says_where_it_recorded),
        ONCE(preloaded_program__behaves_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
