/* A hostile recording, executable, debug file or core makes the command run nothing, write nowhere,
 * ask nobody, and use no more time and memory than it may: reports are made under a filter that
 * kills for the first three (confined.c), of files that are as they should be, and of such that
 * were damaged in many ways.
 *
 * Usage: test_confined [ROUNDS [SEED [PATTERN]]]      (so many damaged files of each kind; 20; only
 * what has a name like it) */
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

#include "preload/recording.h"

#define CONFINED LEAKSPY_TARGETS "/confined"
#define SAMPLE LEAKSPY_SAMPLES "/receive_without_sender"
#define PYTHON "/usr/bin/python3"
#define INFLATING LEAKSPY_SOURCE_DIR "/tests/e2e/inflating.py"
/* Where nobody answers: to ask there takes a socket. */
#define ENVIRONMENT LIST("DEBUGINFOD_URLS=http://127.0.0.1:9/")

enum { ROUNDS_USUALLY = 20, MAX_FLIPS = 6, MAX_SECTIONS = 64 };

static int rounds;
static unsigned long seed;
static char dir[64];
static char exe[128], debug[128], rec[128], core[128]; /* good ones; `exe` names `debug` */

static unsigned below(unsigned most)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(seed >> 33) % most;
}

static void in_scratch(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", dir, name);
}

static void shell(const char *script, const char *a, const char *b, const char *c)
{
    struct outcome outcome =
        run_program(false, LIST("/bin/sh", "-ec", script, "sh", a, b, c), NULL);
    if (outcome.status != 0)
        fprintf(stderr, "%s: status 0x%x\n%s\n", script, outcome.status, outcome.err);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
}

/* Makes a program whose debug information is compressed and in a file of its own, a recording of
 * it, and a core. */
static int make_files(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/leakspy-confined.XXXXXX");
    assert_non_null(mkdtemp(dir));
    in_scratch(exe, "program");
    in_scratch(debug, "program.debug");
    in_scratch(rec, "rec");
    in_scratch(core, "core");
    shell("objcopy --only-keep-debug --compress-debug-sections=zlib \"$1\" \"$3\"; cd \"${2%/*}\"; "
          "objcopy --strip-debug --add-gnu-debuglink=program.debug \"$1\" \"$2\"",
          SAMPLE, exe, debug);
    /* gdb 13 does not copy memory with guards of the kind that libtaskrt sets where it can: whether
     * that were the stacks was for the addresses to decide. */
    struct target *target = target_start(true, LIST(exe), LIST("TASKRT_GUARD=mprotect"));
    target_wait_line(target, "ready");
    /* Its stack is recorded at a look after the one that sees that it waits. */
    json_decref(wait_for_group(
        target, "60ms", NULL,
        &(struct expected_group){.op = "chan receive", .wait_function = "await_result"}));
    if (have_gcore())
        shell("gcore -o \"$2\" \"$1\"; mv \"$2.$1\" \"$2\"", target->pid_text, core, "");
    shell("cp --sparse=always \"$1\" \"$2\"", target->recording, rec, "");
    target_end(target);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    shell("rm -rf \"$1\"", dir, "", "");
    return 0;
}

static struct outcome run_confined(const char *a, const char *b, const char *c, const char *d)
{
    return run_program(false, LIST(CONFINED, LEAKSPY_COMMAND, a, b, c, d), ENVIRONMENT);
}

/* It ended by itself, and neither time nor memory came to an end. */
static bool is_orderly(const struct outcome *outcome)
{
    bool good = outcome->status == 0, refused = WIFEXITED(outcome->status) &&
                                                WEXITSTATUS(outcome->status) == 2 &&
                                                strncmp(outcome->err, "leakspy: ", 9) == 0;
    return (good || refused) && strstr(outcome->err, "too much") == NULL &&
           strstr(outcome->err, "allocate memory") == NULL;
}

/* ---- what is as it should be ---- */

/* Else the other tests would show nothing. */
static void filter__kills_who_runs_or_writes_something(void **state)
{
    static const char *const scripts[] = {
        "echo >new", "echo >>program", "exec /bin/true", "/bin/true; :", "exec 3<>program",
    };
    static const char *const programs[][3] = {
        {"/bin/mkdir", "new"},         {"/bin/rm", "program"},
        {"/bin/ln", "program", "new"}, {"/bin/ln", "-s", "program"},
        {"/bin/mv", "rec", "new"},     {"/bin/chmod", "777", "rec"},
        {"/bin/touch", "new"},         {"/usr/bin/getent", "hosts", "localhost"},
    };
    char pwd[128];
    (void)state;
    assert_non_null(getcwd(pwd, sizeof pwd));
    assert_int_equal(chdir(dir), 0);
    for (size_t i = 0; i < LENGTH(scripts) + LENGTH(programs); i++) {
        const char *const *program = i < LENGTH(scripts)
                                         ? (const char *const[]){"/bin/sh", "-c", scripts[i]}
                                         : programs[i - LENGTH(scripts)];
        struct outcome outcome =
            run_program(false, LIST(CONFINED, program[0], program[1], program[2]), NULL);
        if (!WIFSIGNALED(outcome.status) || WTERMSIG(outcome.status) != SIGSYS)
            fail_msg("%s %s: status 0x%x: %s", program[0], program[1], outcome.status, outcome.err);
        outcome_deinit(&outcome);
    }
    assert_int_equal(chdir(pwd), 0);
    char new[128];
    in_scratch(new, "new");
    struct outcome outcome = run_confined("report", "-o", new, rec);
    assert_int_equal(outcome.status & 0x7f, SIGSYS);
    assert_int_equal(access(new, F_OK), -1);
    outcome_deinit(&outcome);
}

static void good_files__are_read_without_any_of_that(void **state)
{
    const char *const commands[][4] = {
        {"report", "--all", "--threshold=0", rec},
        {"report", "--format=json", "--threshold=0", rec},
        {"dump", rec, NULL, NULL},
        {"list", NULL, NULL, NULL},
        {"report", "--all", "--threshold=0", core},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(commands); i++) {
        if (commands[i][3] == core && access(core, R_OK) != 0)
            continue;
        struct outcome outcome =
            run_confined(commands[i][0], commands[i][1], commands[i][2], commands[i][3]);
        if (outcome.status != 0)
            fail_msg("row %zu: status 0x%x: %s", i, outcome.status, outcome.err);
        if (i == 0 || commands[i][3] == core) /* from the debug file */
            assert_non_null(strstr(outcome.out, "receive_without_sender.c:"));
        outcome_deinit(&outcome);
    }
}

/* ---- what is damaged ---- */

struct range {
    uint64_t at, bytes;
};

/* What of a file is worth to be damaged. */
struct ranges {
    struct range range[MAX_SECTIONS];
    unsigned count;
};

static void add_range(struct ranges *ranges, uint64_t at, uint64_t bytes)
{
    if (bytes > 0 && ranges->count < MAX_SECTIONS)
        ranges->range[ranges->count++] = (struct range){at, bytes};
}

static void find_ranges_of_recording(int fd, struct ranges *ranges)
{
    struct rec_header header;
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    add_range(ranges, 0, sizeof header);
    for (size_t i = 0; i < REC_TABLE_COUNT; i++)
        add_range(ranges, header.tables[i].offset,
                  (uint64_t)header.tables[i].stride * header.tables[i].count);
}

/* Its headers, notes, and sections. Not the build-id: files of another build are not looked at. */
static void find_ranges_of_elf(int fd, struct ranges *ranges)
{
    Elf64_Ehdr header;
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    add_range(ranges, EI_NIDENT, sizeof header - EI_NIDENT);
    add_range(ranges, header.e_phoff, (uint64_t)header.e_phnum * header.e_phentsize);
    add_range(ranges, header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize);
    for (unsigned i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section;
        assert_int_equal(
            pread(fd, &section, sizeof section, (off_t)(header.e_shoff + i * sizeof section)),
            sizeof section);
        if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NOTE)
            add_range(ranges, section.sh_offset, section.sh_size < 65536 ? section.sh_size : 65536);
        if (section.sh_flags & SHF_COMPRESSED)
            add_range(ranges, section.sh_offset, sizeof(Elf64_Chdr));
    }
    for (unsigned i = 0; header.e_type == ET_CORE && i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        assert_int_equal(
            pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + i * sizeof segment)),
            sizeof segment);
        add_range(ranges, segment.p_offset, segment.p_filesz < 8192 ? segment.p_filesz : 8192);
    }
}

/* Bytes become others, or numbers become large ones. */
static void damage(int fd, const struct range *range)
{
    static const uint64_t numbers[] = {0,         1,          INT32_MAX,        UINT32_MAX,
                                       INT64_MAX, UINT64_MAX, UINT64_C(1) << 40};
    uint64_t number = numbers[below(LENGTH(numbers))];
    size_t bytes = (size_t)1 << below(4);
    uint64_t at =
        range->at + (range->bytes > bytes ? below((unsigned)(range->bytes - bytes + 1)) : 0);
    if (below(2)) {
        at -= at % bytes;
    } else {
        assert_true(pread(fd, &number, sizeof number, (off_t)at) >= 0);
        number ^= UINT64_C(1) << below((unsigned)bytes * 8);
    }
    assert_int_equal(pwrite(fd, &number, bytes, (off_t)at), bytes);
}

/* Reports on `source` with copies of `path` in its place that are damaged or cut. */
static void try_damaged(char path[128], const char *source,
                        void (*find_ranges)(int fd, struct ranges *ranges))
{
    struct ranges ranges = {0};
    char good[140];
    snprintf(good, sizeof good, "%s.good", path);
    assert_int_equal(rename(path, good), 0);
    for (int round = 0; round < rounds; round++) {
        unsigned long begun = seed;
        shell("cp --sparse=always --preserve=mode \"$1\" \"$2\"", good, path, "");
        int fd = open(path, O_RDWR | O_CLOEXEC);
        struct stat status;
        assert_true(fd >= 0 && fstat(fd, &status) == 0);
        if (round == 0)
            find_ranges(fd, &ranges);
        for (unsigned flips = 1 + below(MAX_FLIPS); flips > 0; flips--)
            damage(fd, &ranges.range[below(ranges.count)]);
        if (below(8) == 0)
            assert_int_equal(ftruncate(fd, below((unsigned)status.st_size)), 0);
        close(fd);
        const char *form = below(2) ? "--format=json" : "--format=text";
        struct outcome outcome = run_confined("report", form, "--threshold=0", source);
        if (!is_orderly(&outcome))
            fail_msg("%s: round %d, seed %lu: status 0x%x: %s", path, round, begun, outcome.status,
                     outcome.err);
        outcome_deinit(&outcome);
    }
    assert_int_equal(rename(good, path), 0);
}

static void damaged_recording__runs_and_writes_nothing(void **state)
{
    (void)state;
    try_damaged(rec, rec, find_ranges_of_recording);
}

static void damaged_executable__runs_and_writes_nothing(void **state)
{
    (void)state;
    try_damaged(exe, rec, find_ranges_of_elf);
}

static void damaged_debug_file__runs_and_writes_nothing(void **state)
{
    (void)state;
    try_damaged(debug, rec, find_ranges_of_elf);
}

static void damaged_core__runs_and_writes_nothing(void **state)
{
    (void)state;
    if (access(core, R_OK) != 0)
        skip();
    try_damaged(core, core, find_ranges_of_elf);
}

/* ---- what grows when it is read ---- */

/* Debug information that is a thousand times what the file has: what may be had is not enough for
 * the larger one, and is for the other. */
static void debug_file_that_inflates__costs_what_it_may(void **state)
{
    static const char *const sections[] = {".debug_info", ".debug_abbrev", ".debug_line",
                                           ".debug_str"};
    static const char *const sizes[] = {"268435456", "8589934592"};
    (void)state;
    if (access(PYTHON, X_OK) != 0)
        skip();
    for (size_t i = 0; i < LENGTH(sections) * LENGTH(sizes); i++) {
        const char *section = sections[i / LENGTH(sizes)], *size = sizes[i % LENGTH(sizes)];
        shell("cp \"$1\" \"$1.good\"; " PYTHON " " INFLATING " \"$1\" \"$2\" \"$3\"", debug,
              section, size);
        struct outcome outcome = run_confined("report", "--all", "--threshold=0", rec);
        shell("mv \"$1.good\" \"$1\"", debug, "", "");
        if (!is_orderly(&outcome))
            fail_msg("%s of %s bytes: status 0x%x: %s", section, size, outcome.status, outcome.err);
        if (outcome.status == 0)
            assert_non_null(strstr(outcome.out, "chan receive"));
        outcome_deinit(&outcome);
    }
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(filter__kills_who_runs_or_writes_something, end_all_targets),
        cmocka_unit_test_teardown(good_files__are_read_without_any_of_that, end_all_targets),
        cmocka_unit_test_teardown(damaged_recording__runs_and_writes_nothing, end_all_targets),
        cmocka_unit_test_teardown(damaged_executable__runs_and_writes_nothing, end_all_targets),
        cmocka_unit_test_teardown(damaged_debug_file__runs_and_writes_nothing, end_all_targets),
        cmocka_unit_test_teardown(damaged_core__runs_and_writes_nothing, end_all_targets),
        cmocka_unit_test_teardown(debug_file_that_inflates__costs_what_it_may, end_all_targets),
    };
    rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_USUALLY;
    seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (argc > 3)
        cmocka_set_test_filter(argv[3]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
