/* Recordings of programs of Go's own compiler: of programs whose file is not as it was, or not as
 * the compiler left it; how they end; and that the program cannot tell. */
#include "tests/e2e/harness.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/go_recorded.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
