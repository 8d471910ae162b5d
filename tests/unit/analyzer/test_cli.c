/* The command as a person or a script uses it: options, exit statuses, where text goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/analyzer/recording_builder.h"

/* What a command did. */
static struct {
    int status; /* exit status; 1000 + signal */
    char out[65536], err[65536];
} did;

static void read_all(const char *path, char *to, size_t bytes)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t got = fread(to, 1, bytes - 1, file);
    to[got] = '\0';
    fclose(file);
}

/* Runs leakspy with the words up to NULL. */
static void leakspy(const char *first, ...)
{
    const char *argv[16] = {"leakspy", first};
    va_list words;
    va_start(words, first);
    for (size_t i = 2; first && i < 15 && (argv[i] = va_arg(words, const char *)) != NULL; i++)
        continue;
    va_end(words);

    const char *out = builder_path("stdout");
    const char *err = builder_path("stderr");
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        if (!freopen("/dev/null", "r", stdin) || !freopen(out, "w", stdout) ||
            !freopen(err, "w", stderr))
            _exit(99);
        execv(LEAKSPY_PROGRAM, (char **)argv);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    did.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    read_all(out, did.out, sizeof(did.out));
    read_all(err, did.err, sizeof(did.err));
}

static void assert_did(int status, const char *out, const char *err)
{
    if (did.status != status || !strstr(did.out, out) || !strstr(did.err, err))
        fail_msg("status %d, not %d\nstdout: %s\nstderr: %s", did.status, status, did.out, did.err);
    if (!out[0])
        assert_string_equal(did.out, "");
    if (!err[0])
        assert_string_equal(did.err, "");
}

/* A recording with one semaphore waited for; `lost` tasks are missing. */
static const char *write_recording(int64_t parked_ns, uint64_t lost)
{
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, parked_ns, 0);
    builder_header(b)->lost_tasks = lost;
    const char *path = builder_path("cli.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    return path;
}

static void help_and_version__on_stdout(void **state)
{
    (void)state;
    static const char *const commands[] = {"run", "report", "list", "dump", "help", "version"};
    leakspy("help", NULL);
    assert_did(0, "usage: leakspy COMMAND", "");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char line[32];
        snprintf(line, sizeof(line), "\n  %s ", commands[i]);
        leakspy("--help", NULL);
        assert_did(0, line, "");
        snprintf(line, sizeof(line), "usage: leakspy %s", commands[i]);
        leakspy("help", commands[i], NULL);
        assert_did(0, line, "");
        leakspy(commands[i], "--help", NULL);
        assert_did(0, "usage: leakspy ", "");
        leakspy(commands[i], "--version", NULL);
        assert_did(0, "leakspy " LEAKSPY_VERSION " (recordings ", "");
    }
    leakspy("version", NULL);
    assert_did(0, "leakspy " LEAKSPY_VERSION, "");
    leakspy("--version", NULL);
    assert_did(0, "leakspy " LEAKSPY_VERSION, "");
}

static void wrong_usage__64(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *err;
    } rows[] = {
        {{NULL}, "leakspy: command: is missing; 'leakspy help' lists them\n"},
        {{"frobnicate"}, "leakspy: frobnicate: no such command"},
        {{"--frobnicate"}, "leakspy: --frobnicate: no such command"},
        {{"help", "frobnicate"}, "leakspy: frobnicate: no such command"},
        {{"report", "--frobnicate"}, "leakspy: --frobnicate: no such option"},
        {{"report", "-x"}, "leakspy: -x: no such option"},
        {{"report", "-o"}, "leakspy: -o: needs a value"},
        {{"report", "--threshold"}, "needs a value"},
        {{"report", "--threshold", "soon"}, "leakspy: --threshold: 'soon' is not a duration"},
        {{"report", "--threshold=-1s"}, "leakspy: --threshold: '-1s' is not a duration"},
        {{"report", "--watch", "long"}, "leakspy: --watch: 'long' is not a duration"},
        {{"report", "--watch", "0"}, "leakspy: --watch: has to be above 0"},
        {{"report", "--format=xml"}, "leakspy: --format: no such format: xml"},
        {{"report", "--max-memory", "much"}, "leakspy: --max-memory: 'much' is not a size"},
        {{"report", "--max-memory=1M"}, "leakspy: --max-memory: has to be 16M or more"},
        {{"report", "--min-count=many"}, "leakspy: --min-count: 'many' is not a count"},
        {{"report", "--color=red"}, "leakspy: --color: 'red' is none of"},
        {{"report", "a", "b"}, "leakspy: b: is one source too many"},
        {{"dump"}, "leakspy: dump: needs one recording"},
        {{"dump", "a", "b"}, "leakspy: dump: needs one recording"},
        {{"dump", "--table=chairs", "a"}, "leakspy: --table: no such table: chairs"},
        {{"list", "extra"}, "leakspy: extra: is one word too many"},
        {{"list", "--format=xml"}, "leakspy: --format: no such format: xml"},
        {{"version", "extra"}, "leakspy: extra: is one word too many"},
        {{"run"}, "leakspy: run: a command is missing"},
        {{"run", "-o"}, "leakspy: -o: needs a value"},
        {{"run", "--output"}, "leakspy: --output: needs a value"},
        {{"dump", "--output"}, "leakspy: --output: needs a value"},
        {{"dump", "--table"}, "leakspy: --table: needs a value"},
        {{"list", "--format"}, "leakspy: --format: needs a value"},
        {{"list", "--help=more"}, "leakspy: --help=more: no such option"},
        {{"run", "--help=more"}, "leakspy: --help=more: no such option"},
        {{"report", "--version=2"}, "leakspy: --version=2: no such option"},
        {{"report", "--all", "-xo"}, "leakspy: -x: no such option"},
        {{""}, "leakspy: '': no such command"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const *w = rows[i].words;
        leakspy(w[0], w[1], w[2], w[3], NULL);
        assert_did(64, "", rows[i].err);
    }
}

/* Of what does not run any more, nothing is to be seen by looking again. */
static void watching_what_has_ended__64(void **state)
{
    (void)state;
    leakspy("report", "--watch", "1s", write_recording(12 * SECOND, 0), NULL);
    assert_did(64, "", "its process does not run");
}

static void unreadable_source__2(void **state)
{
    (void)state;
    leakspy("report", "/nowhere/at/all.rec", NULL);
    assert_did(2, "", "leakspy: /nowhere/at/all.rec: No such file or directory\n");
    leakspy("report", "", NULL);
    assert_did(2, "", "leakspy: '': No such file or directory\n");
    leakspy("report", "/etc/passwd", NULL);
    assert_did(2, "", "leakspy: /etc/passwd: is not a recording\n");
    leakspy("report", "2147483000", NULL);
    assert_did(2, "", "leakspy: process 2147483000: no such process");
    leakspy("report", "99999999999999999999", NULL);
    assert_did(2, "", "is no process");
    leakspy("dump", "/etc/passwd", NULL);
    assert_did(2, "", "leakspy: /etc/passwd: is not a recording\n");
    leakspy("report", "--exit-code", "/etc/passwd", NULL);
    assert_did(2, "", "is not a recording");
}

static void process_that_was_not_recorded__is_looked_at(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    leakspy("report", "--format=json", pid, NULL);
    assert_did(0, "\"kind\":\"process\"", "");
}

static void exit_code__says_what_was_found(void **state)
{
    (void)state;
    const char *path = write_recording(12 * SECOND, 0);
    leakspy("report", path, NULL);
    assert_did(0, "1 stuck:", "");
    leakspy("report", "--exit-code", "--max-memory=256M", path, NULL);
    assert_did(1, "1 stuck:", "");
    leakspy("report", path, "--exit-code", "--threshold", "1m", NULL);
    assert_did(0, "nothing found:", "");
    leakspy("report", "--exit-code", "--min-count=2", "--", path, NULL);
    assert_did(0, "not shown: 1 task in 1 group of fewer than 2 (--min-count)", "");
    leakspy("report", "--exit-code", "--all", "--threshold=1m", path, NULL);
    assert_did(0, "WAITING  1 thread in sem wait", "");
    leakspy("report", "--exit-code", "--threshold=0", "--format=json", path, NULL);
    assert_did(1, "\"verdict\":\"stuck\"", "");
}

static void exit_code__tasks_lost__could_not_say(void **state)
{
    (void)state;
    const char *path = write_recording(12 * SECOND, 3);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(1, ", 3 LOST", "");
    leakspy("report", "--exit-code", "--threshold=1m", path, NULL);
    char line[256];
    snprintf(line, sizeof(line),
             "leakspy: %s: nothing found, but tasks were lost to the recording\n", path);
    assert_did(2, ", 3 LOST", line);
    leakspy("report", "--threshold=1m", path, NULL);
    assert_did(0, ", 3 LOST", "");
}

static void exit_code__doubt_names_a_program__without_its_escapes(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->runtimes = REC_RUNTIME_PTHREAD | REC_RUNTIME_GO_PROGRAM;
    header->exe = builder_string(b, "/opt/\033]0;x\a\n1 stuck");
    const char *path = builder_path("escapes.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(2, "nothing found among",
               "nothing found, but /opt/\\x1b]0;x\\x07\\x0a1 stuck is a program of Go's");
    assert_null(strchr(did.err, '\033'));
}

static void exit_code__nobody_looked__could_not_say(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 0, 0);
    task->seen_gen = 0;
    builder_header(b)->last_walk_ns = 0;
    const char *path = builder_path("unwatched.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(2, "note: it ended before anybody looked at its tasks",
               "unwatched.rec: nothing found, but nobody has looked at its tasks lately\n");
    leakspy("report", path, NULL);
    assert_did(0, "nothing found among what could be read:", "");
    leakspy("report", "--exit-code", "--threshold=0", path, NULL);
    assert_did(1, "1 stuck:", "");
}

/* The recording of a process that began so late, with a semaphore waited for; before an exec, or
 * after it. */
static const char *write_program(const char *name, int64_t started_after_ns, bool executed)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->started_ns += (uint64_t)started_after_ns;
    header->state = executed ? REC_STATE_EXEC : REC_STATE_RUNNING;
    if (!executed)
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND, 0);
    const char *path = builder_path(name);
    builder_write(b, path);
    recording_builder_destroy(b);
    return path;
}

static void exec__report_names_what_followed(void **state)
{
    (void)state;
    const char *path = write_program("gate.rec", 0, true);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(2, "which executed another program",
               "nothing found, but it went on as another program, of which no recording was found");
    assert_null(strstr(did.out, "note:"));

    const char *next = write_program("gate.rec.2147483632-0", SECOND, true);
    const char *last = write_program("gate.rec.2147483632-1", 2 * SECOND, false);
    char note[256];
    snprintf(note, sizeof(note), "the program that it executed is recorded in %s\n", next);
    leakspy("report", path, NULL);
    assert_did(0, note, "");
    snprintf(note, sizeof(note), "the program that it executed is recorded in %s\"", next);
    leakspy("report", "--format=json", path, NULL);
    assert_did(0, note, "");
    snprintf(note, sizeof(note), "the program that it executed is recorded in %s\n", last);
    leakspy("report", "--exit-code", next, NULL);
    assert_did(2, note, "gate.rec.2147483632-0: nothing found, but it went on as another program");
    leakspy("report", "--exit-code", last, NULL);
    assert_did(1, "1 stuck:", "");
    assert_null(strstr(did.out, "note:"));
}

/* The recording of a child, in which a semaphore is waited for. */
static const char *write_child(const char *name, uint32_t pid, int64_t parked_ns, uint64_t lost)
{
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, parked_ns, 0);
    builder_header(b)->pid = pid;
    builder_header(b)->lost_tasks = lost;
    const char *path = builder_path(name);
    builder_write(b, path);
    recording_builder_destroy(b);
    return path;
}

static void exit_code__of_what_was_started__findings_before_doubt(void **state)
{
    (void)state;
    char line[512];
    struct builder *b = recording_builder_create();
    const char *path = builder_path("family.rec");
    builder_write(b, path);
    recording_builder_destroy(b);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(0, "nothing found:", "");
    assert_null(strstr(did.out, "note:"));

    write_child("family.rec.77-0", 77, SECOND, 0);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(0, "note: a program that it started was recorded, too: ", "");
    const char *lossy = write_child("family.rec.78-0", 78, SECOND, 3);
    leakspy("report", "--exit-code", path, NULL);
    snprintf(line, sizeof(line),
             "leakspy: %s: nothing found, but %s, of a program that it started, leaves doubt: "
             "tasks were lost to the recording\n",
             path, lossy);
    assert_did(2, "note: 2 programs that it started were recorded, too: ", line);
    const char *stuck = write_child("family.rec.79-0", 79, 12 * SECOND, 0);
    leakspy("report", "--exit-code", "--format=json", path, NULL);
    snprintf(line, sizeof(line),
             "leakspy: %s: nothing found, but %s, of a program that it started, has findings\n",
             path, stuck);
    assert_did(2, "3 programs that it started were recorded, too: ", line);
    leakspy("report", "--exit-code", "--threshold=1m", path, NULL);
    assert_did(2, "nothing found:", "leaves doubt");
    leakspy("report", path, NULL);
    assert_did(0, "nothing found:", "");
}

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
        builder_write(b, i ? second : first);
        recording_builder_destroy(b);
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
    builder_write(b, other);
    recording_builder_destroy(b);
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

static void dump__every_table(void **state)
{
    (void)state;
    const char *path = write_recording(12 * SECOND, 0);
    leakspy("dump", path, NULL);
    static const char *const tables[] = {"header\n", "modules\n", "calls\n", "sites\n",
                                         "frames\n", "tasks\n",   "cases\n"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        assert_did(0, tables[i], "");
    assert_did(0, "exe \"/opt/app/server\"", "");
    assert_did(0, "id 1 thread live", "");
    leakspy("dump", "--table=calls", path, NULL);
    assert_did(0, "sem wait \"sem_wait\"", "");
    assert_null(strstr(did.out, "tasks"));
}

/* What the writers keep for themselves stands in the file too. */
static void dump__what_no_report_reads__is_shown(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->rest_ns = 700;
    header->free_list = UINT64_C(3) << 32 | 1;
    for (size_t i = 0; i < sizeof(header->boot_id); i++)
        header->boot_id[i] = (uint8_t)i;
    struct rec_task *freed = builder_thread(b, "gone");
    freed->state = REC_TASK_FREE;
    freed->next_free = 17;
    struct rec_module *modules =
        (void *)((char *)header + builder_table(b, REC_TABLE_MODULES)->offset);
    modules[builder_module(b, "/opt/app/server", 0x1000, 0x2000)].loaded_ns = 5555;
    struct rec_case *cases = (void *)((char *)header + builder_table(b, REC_TABLE_CASES)->offset);
    cases[builder_case(b, REC_OP_CHAN_SEND, 0x500)].room = 4;
    const char *path = builder_path("kept.rec");
    builder_write(b, path);
    recording_builder_destroy(b);

    leakspy("dump", path, NULL);
    assert_did(0, "\n  rest_ns 700, boot_id 000102030405060708090a0b0c0d0e0f\n", "");
    assert_did(0, "\n  free_list 1, tag 3\n", "");
    assert_did(0, " name \"gone\" next_free 17", "");
    assert_did(0, " loaded_ns 5555\n", "");
    assert_did(0, " room 4\n", "");
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
        cmocka_unit_test(help_and_version__on_stdout),
        cmocka_unit_test(wrong_usage__64),
        cmocka_unit_test(watching_what_has_ended__64),
        cmocka_unit_test(unreadable_source__2),
        cmocka_unit_test(process_that_was_not_recorded__is_looked_at),
        cmocka_unit_test(exit_code__says_what_was_found),
        cmocka_unit_test(exit_code__tasks_lost__could_not_say),
        cmocka_unit_test(exit_code__doubt_names_a_program__without_its_escapes),
        cmocka_unit_test(exit_code__nobody_looked__could_not_say),
        cmocka_unit_test(exec__report_names_what_followed),
        cmocka_unit_test(exit_code__of_what_was_started__findings_before_doubt),
        cmocka_unit_test(run__after_an_exec__names_the_last_recording),
        cmocka_unit_test(run__output_is_something_else__said_beforehand),
        cmocka_unit_test(output__to_a_file_or_stdout),
        cmocka_unit_test(colour__on_a_terminal__unless_no_color_is_set),
        cmocka_unit_test(output__that_is_a_recording__is_left_as_it_is),
        cmocka_unit_test(output__that_is_a_core_or_a_program__is_left_as_it_is),
        cmocka_unit_test(dump__every_table),
        cmocka_unit_test(dump__what_no_report_reads__is_shown),
        cmocka_unit_test(run__exits_as_its_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
