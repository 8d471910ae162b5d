/* `leakspy run` as a script uses it: its exit status, and what it says of the recording. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/analyzer/command.h"

/* What `leakspy run -o FILE` finds when a wrapper has executed the program proper. The command
 * stands for both: it copies recordings that were made beforehand, with its own pid. */
static void run__after_an_exec__names_the_last_recording(void **state)
{
    (void)state;
    const char *output = builder_path("run.rec");
    const char *first = builder_path("run.first");
    const char *second = builder_path("run.second");
    const uint64_t future = UINT64_C(4000000000000000000); /* begun after the command */
    for (unsigned i = 0; i < 2; i++) {
        struct builder *b = recording_builder_create();
        builder_header(b)->state = i ? REC_STATE_EXITED : REC_STATE_EXEC;
        builder_header(b)->started_ns = future + i;
        recording_builder_end(b, i ? second : first);
    }
    char script[1024];
    snprintf(script, sizeof(script),
             "pid=$(printf '\\\\%%03o\\\\%%03o\\\\%%03o\\\\%%03o' $(($$ & 255)) $(($$ >> 8 & 255)) "
             "$(($$ >> 16 & 255)) 0)\n"
             "put() { cp \"$1\" \"$2\" && printf \"$pid\" | dd of=\"$2\" bs=1 seek=%zu "
             "conv=notrunc 2>/dev/null; }\n"
             "put '%s' '%s'; put '%s' '%s'.$$-0",
             offsetof(struct rec_header, pid), first, output, second, output);
    setenv("LEAKSPY_LIBRARY", "/nowhere/libleakspy.so", 1);
    leakspy("run", "-o", output, "/bin/sh", "-c", script, NULL);
    unsetenv("LEAKSPY_LIBRARY");
    assert_did(0, "", "leakspy: recorded in ");
    const char *line = strstr(did.err, "recorded in ") + strlen("recorded in ");
    assert_memory_equal(line, output, strlen(output));
    const char *number = strrchr(line, '-');
    if (line[strlen(output)] != '.' || !number || strcmp(number, "-0\n") != 0)
        fail_msg("not the last recording: %s", did.err);
}

static void run__output_is_something_else__said_beforehand(void **state)
{
    (void)state;
    const char *notes = builder_path("notes.txt");
    const char *folder = builder_path("folder");
    const char *link = builder_path("link.rec");
    const char *library = builder_path("libleakspy.so");
    builder_write_bytes(library, "", 0);
    builder_write_bytes(notes, "some notes", 10);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(symlink("/nowhere/at/all", link), 0);
    const char *const taken[] = {notes, folder, link};
    setenv("LEAKSPY_LIBRARY", library, 1);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line),
                 "leakspy: %s: exists and is not a recording of yours: nothing is recorded\n",
                 taken[i]);
        leakspy("run", "-o", taken[i], "/bin/sh", "-c", "echo started >&2; exit 3", NULL);
        assert_did(3, "", line);
        assert_true(strstr(did.err, "started") > strstr(did.err, line));
        assert_null(strstr(did.err, "left no recording"));
    }
    /* An empty file is left alone, and recorded beside. */
    const char *empty = builder_path("empty");
    builder_write_bytes(empty, "", 0);
    leakspy("run", "-o", empty, "/bin/true", NULL);
    assert_did(0, "", "left no recording");
    assert_null(strstr(did.err, "exists and is not"));
    /* An older recording of one's own is replaced. */
    leakspy("run", "-o", write_recording(SECOND, 0), "/bin/true", NULL);
    assert_did(0, "", "left no recording");
    assert_null(strstr(did.err, "exists and is not"));
    unsetenv("LEAKSPY_LIBRARY");
}

static void run__exits_as_its_command(void **state)
{
    (void)state;
    setenv("LEAKSPY_LIBRARY", "/nowhere/libleakspy.so",
           1); /* whether it records is not tested here */
    leakspy("run", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 7", NULL);
    assert_did(7, "out\n", "err\n");
    assert_non_null(strstr(did.err, "leakspy: libleakspy.so: is not found"));
    leakspy("run", "/bin/sh", "-c", "kill -KILL $$", NULL);
    assert_did(128 + SIGKILL, "", "leakspy:");
    leakspy("run", "/bin/sh", "-c", "kill -TERM $PPID; sleep 10", NULL);
    assert_did(128 + SIGTERM, "", "leakspy:");
    leakspy("run", "no-such-command-at-all", NULL);
    assert_did(127, "", "leakspy: no-such-command-at-all: No such file or directory");
    leakspy("run", "", NULL);
    assert_did(127, "", "leakspy: '': No such file or directory\n");
    leakspy("run", "/etc/passwd", NULL);
    assert_did(126, "", "leakspy: /etc/passwd: Permission denied");
    unsetenv("LEAKSPY_LIBRARY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__after_an_exec__names_the_last_recording),
        cmocka_unit_test(run__output_is_something_else__said_beforehand),
        cmocka_unit_test(run__exits_as_its_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
