/* Where the text of the command goes, what is not written over for it, and its colours. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/analyzer/command.h"

static void output__to_a_file_or_stdout(void **state)
{
    (void)state;
    const char *path = write_recording(12 * SECOND, 0);
    const char *output = builder_path("report.txt");
    char text[4096];
    leakspy("report", "-o", output, path, NULL);
    assert_did(0, "", "");
    read_all(output, text, sizeof(text));
    assert_non_null(strstr(text, "1 stuck:"));
    assert_null(strchr(text, '\033'));
    leakspy("report", "-o", "-", path, NULL);
    assert_did(0, "1 stuck:", "");
    leakspy("report", "-o", "/nowhere/report.txt", path, NULL);
    assert_did(2, "", "leakspy: /nowhere/report.txt: No such file or directory");
    leakspy("report", "-o", "/dev/full", path, NULL);
    assert_did(2, "", "leakspy: /dev/full: No space left on device");
    leakspy("run", "/bin/sh", "-c", LEAKSPY_PROGRAM " version >/dev/full", NULL);
    assert_did(2, "", "leakspy: standard output: No space left on device\n");
    leakspy("report", "--color=always", path, NULL);
    assert_did(0, "\033[1;33mSTUCK\033[0m", "");
}

/* What a report on `path` writes on a terminal. no_color NULL: that is not set. */
static void report_on_terminal(const char *path, const char *term, const char *no_color)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int slave = open(ptsname(terminal), O_RDONLY | O_NOCTTY | O_CLOEXEC);
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        setenv("TERM", term, 1);
        unsetenv("NO_COLOR");
        if (no_color)
            setenv("NO_COLOR", no_color, 1);
        if (!freopen(ptsname(terminal), "w", stdout))
            _exit(99);
        execl(LEAKSPY_PROGRAM, "leakspy", "report", path, (char *)NULL);
        _exit(98);
    }
    size_t bytes = 0;
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* As long as it is open, what was written is there, and then nothing. */
    assert_int_equal(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
    for (ssize_t got; (got = read(terminal, did.out + bytes, sizeof(did.out) - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    did.out[bytes] = '\0';
    close(slave);
    close(terminal);
}

static void colour__on_a_terminal__unless_no_color_is_set(void **state)
{
    (void)state;
    static const struct {
        const char *term, *no_color;
        bool coloured;
    } rows[] = {{"xterm", NULL, true},
                {"dumb", NULL, false},
                {"xterm", "1", false},
                {"xterm", "0", false},
                {"xterm", "", false}};
    const char *path = write_recording(12 * SECOND, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        report_on_terminal(path, rows[i].term, rows[i].no_color);
        assert_non_null(strstr(did.out, "STUCK"));
        assert_int_equal(strchr(did.out, '\033') != NULL, rows[i].coloured);
    }
}

/* As who takes -o for the option that names the source. */
static void output__that_is_a_recording__is_left_as_it_is(void **state)
{
    (void)state;
    static const char *const commands[] = {"report", "dump"};
    const char *path = write_recording(12 * SECOND, 0);
    const char *other = builder_path("other.rec");
    const char *link = builder_path("link-to-other.rec");
    struct builder *b = recording_builder_create();
    recording_builder_end(b, other);
    assert_int_equal(symlink(other, link), 0);
    const char *const outputs[] = {path, other, link};
    for (size_t i = 0; i < 2 * sizeof(outputs) / sizeof(outputs[0]); i++) {
        char line[256];
        const char *output = outputs[i / 2];
        snprintf(line, sizeof(line), "leakspy: %s: is a recording, which is not written over\n",
                 output);
        leakspy(commands[i % 2], "-o", output, path, NULL);
        assert_did(64, "", line);
        leakspy("report", output, NULL);
        assert_did(0, "task", "");
    }
}

/* Nor is anything done before that is said. */
static void output__that_is_a_core_or_a_program__is_left_as_it_is(void **state)
{
    (void)state;
    static const char begins[] = "\177ELF and more";
    const char *path = write_recording(12 * SECOND, 0);
    const char *core = builder_path("core");
    FILE *file = fopen(core, "we");
    assert_true(file && fputs(begins, file) >= 0 && fclose(file) == 0);
    leakspy("report", "-o", core, "--watch=1h", path, NULL);
    assert_did(64, "", "is a core or a program, which is not written over\n");
    leakspy("dump", "-o", core, path, NULL);
    assert_did(64, "", "is a core or a program, which is not written over\n");
    char kept[sizeof(begins)] = "";
    file = fopen(core, "re");
    assert_true(file && fread(kept, 1, sizeof(kept), file) == strlen(begins) && fclose(file) == 0);
    assert_string_equal(kept, begins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output__to_a_file_or_stdout),
        cmocka_unit_test(colour__on_a_terminal__unless_no_color_is_set),
        cmocka_unit_test(output__that_is_a_recording__is_left_as_it_is),
        cmocka_unit_test(output__that_is_a_core_or_a_program__is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
