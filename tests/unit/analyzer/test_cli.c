/* The command as a person or a script uses it: its options, its sources, and what it dumps. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/analyzer/command.h"

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
    const char *path = recording_builder_end(b, builder_path("kept.rec"));

    leakspy("dump", path, NULL);
    assert_did(0, "\n  rest_ns 700, boot_id 000102030405060708090a0b0c0d0e0f\n", "");
    assert_did(0, "\n  free_list 1, tag 3\n", "");
    assert_did(0, " name \"gone\" next_free 17", "");
    assert_did(0, " loaded_ns 5555\n", "");
    assert_did(0, " room 4\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_version__on_stdout),
        cmocka_unit_test(wrong_usage__64),
        cmocka_unit_test(watching_what_has_ended__64),
        cmocka_unit_test(unreadable_source__2),
        cmocka_unit_test(process_that_was_not_recorded__is_looked_at),
        cmocka_unit_test(dump__every_table),
        cmocka_unit_test(dump__what_no_report_reads__is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
