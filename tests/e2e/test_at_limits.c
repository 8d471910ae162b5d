/* Programs that come to a limit, or run where something is missing: each does the same with and
 * without the preload, and its recording says what it could not hold; or there is none, for a
 * reason that is said to who asks. With LIMITS_FULL in the environment, also what takes minutes.
 *
 * Usage: test_at_limits [PATTERN]      (only what has a name like it: "threads_*", "modules_1*") */
#include "tests/e2e/harness.h"
#include "tests/e2e/limits_program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE LEAKSPY_TARGETS "/liblimits_module.so"
#define OWN_DLSYM LEAKSPY_TARGETS "/libown_dlsym.so"
#define EARLY_THREADS LEAKSPY_TARGETS "/libearly_threads.so"
#define JEMALLOC "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
#define LIBASAN "/usr/lib/x86_64-linux-gnu/libasan.so.8"
#define FAKETIME "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

enum { SKIPPED = 77, MAX_ARGUMENTS = 8, MAX_FACTS = 4 };

struct row {
    const char *name;
    const char *arguments[MAX_ARGUMENTS]; /* of `limits` */
    const char *environment[3];
    const char *program; /* another build of it, where there is one */
    const char *said;    /* with LEAKSPY_VERBOSE */
    bool full;           /* only with LIMITS_FULL in the environment: takes long */
    bool not_recorded;   /* there is no recording */
    const char *report;  /* part of the text of the report; NULL: anything */
    struct fact {
        const char *path; /* in the report as JSON */
        json_int_t least, most;
    } facts[MAX_FACTS];
};

/* What every recording of `threads` says. */
#define ONE_THREAD                                                                                 \
    {                                                                                              \
        {"totals.spawned", 1, 1},                                                                  \
        {                                                                                          \
            "source.exit_code", 0, 0                                                               \
        }                                                                                          \
    }
#define TWO_THREADS                                                                                \
    {                                                                                              \
        {"totals.spawned", 2, 2}, {"totals.lost", 0, 0},                                           \
        {                                                                                          \
            "source.exit_code", 0, 0                                                               \
        }                                                                                          \
    }

/* What is said at the start where a filter was set for this program. */
#define WAITS "nothing is recorded before it starts a thread"

/* A filter of one system call, from before the program was started, that kills for it: as many
 * container runtimes and service managers can be told to. */
#define KILLS(call)                                                                                \
    {                                                                                              \
        .name = "filter_that_kills_for_" #call,                                                    \
        .arguments = {"kill", TEXT_OF(SYS_##call), "threads"},                                     \
        .said = "system call " TEXT_OF(SYS_##call) ": no recording: a filter kills for it",        \
        .not_recorded = true,                                                                      \
    }
#define KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(call)                                                     \
    {                                                                                              \
        .name = "filter_that_kills_for_" #call,                                                    \
        .arguments = {"kill", TEXT_OF(SYS_##call), "threads"}, .said = ": recording",              \
        .facts = TWO_THREADS,                                                                      \
    }
/* One that refuses it, as those of container runtimes do. */
#define REFUSES(call, error)                                                                       \
    {                                                                                              \
        .name = "filter_that_refuses_" #call,                                                      \
        .arguments = {"errno", TEXT_OF(SYS_##call), TEXT_OF(error), "threads"},                    \
        .said = ": recording", .facts = TWO_THREADS,                                               \
    }

static const struct row rows[] = {
    {.name = "nothing_special", .arguments = {"threads"}, .facts = TWO_THREADS},
    KILLS(clock_gettime),
    KILLS(clone),
    KILLS(close_range),
    KILLS(fcntl),
    KILLS(ftruncate),
    KILLS(getcwd),
    KILLS(getdents64),
    KILLS(geteuid),
    KILLS(getpid),
    KILLS(getppid),
    KILLS(gettid),
    KILLS(flock),
    KILLS(lseek),
    KILLS(mincore),
    KILLS(mkdirat),
    KILLS(msync),
    KILLS(pipe2),
    KILLS(prctl),
    KILLS(process_vm_readv),
    KILLS(readlinkat),
    KILLS(tgkill),
    KILLS(unlinkat),
    /* libc's malloc makes it at first, and this program allocates nothing. */
    {.name = "filter_that_kills_for_getrandom",
     .arguments = {"kill", TEXT_OF(SYS_getrandom), "none"},
     .said = WAITS,
     .not_recorded = true},
    {.name = "filter_of_a_container_that_kills_for_getrandom",
     .arguments = {"kill", TEXT_OF(SYS_getrandom), "container", "none"},
     .said = "system call " TEXT_OF(SYS_getrandom) ": no recording: a filter kills for it",
     .not_recorded = true},
    /* By which the child is made that tries the others. */
    {.name = "filter_that_kills_for_clone3_of_a_program_without_threads",
     .arguments = {"kill", TEXT_OF(SYS_clone3), "alone"},
     .said = WAITS,
     .not_recorded = true},
    {.name = "filter_that_kills_for_clone3_of_a_program_with_threads",
     .arguments = {"kill", TEXT_OF(SYS_clone3), "threads"},
     .said = WAITS,
     .not_recorded = true},
    /* As lists of allowed calls do that are older than it. */
    {.name = "filter_of_a_container_that_kills_for_clone3",
     .arguments = {"kill", TEXT_OF(SYS_clone3), "container", "alone"},
     .said = "system call " TEXT_OF(SYS_clone3) ": no recording: a filter kills for it",
     .not_recorded = true},
    /* Which no start of a program makes. */
    {.name = "filter_that_kills_for_madvise_of_a_program_without_threads",
     .arguments = {"kill", TEXT_OF(SYS_madvise), "alone"},
     .said = WAITS,
     .not_recorded = true},
    /* Without it, nobody may say anything, nor make an end of the child that died of it. */
    {.name = "filter_that_kills_for_wait4",
     .arguments = {"kill", TEXT_OF(SYS_wait4), "threads"},
     .not_recorded = true},
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(fchmod),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(fchmodat),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(setpriority),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(getresuid),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(capget),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(pidfd_open),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(pidfd_getfd),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(getpeername),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(getsockname),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(ppoll),
    KILLS_FOR_WHAT_WE_CAN_DO_WITHOUT(getsockopt),
    REFUSES(clone3, ENOSYS),
    REFUSES(clone, EPERM),
    REFUSES(close_range, EPERM),
    REFUSES(getppid, EPERM),
    REFUSES(gettid, EPERM),
    REFUSES(pidfd_getfd, EPERM),
    REFUSES(prctl, EPERM),
    REFUSES(process_vm_readv, EPERM),
    REFUSES(setpriority, EPERM),
    REFUSES(wait4, EPERM),
    /* One that forbids nothing. */
    {.name = "filter_of_a_program_with_threads",
     .arguments = {"kill", NO_CALL, "threads"},
     .said = WAITS,
     .facts = TWO_THREADS},
    {.name = "filter_of_a_program_without_threads",
     .arguments = {"kill", NO_CALL, "alone"},
     .said = WAITS,
     .not_recorded = true},
    {.name = "filter_of_a_container_with_threads",
     .arguments = {"kill", NO_CALL, "container", "threads"},
     .said = ": recording",
     .facts = TWO_THREADS},
    {.name = "filter_of_a_container_without_threads",
     .arguments = {"kill", NO_CALL, "container", "alone"},
     .said = ": recording",
     .facts = ONE_THREAD},
    {.name = "filter_of_one_program_in_a_container_with_threads",
     .arguments = {"container", "kill", NO_CALL, "threads"},
     .said = WAITS,
     .facts = TWO_THREADS},
    {.name = "filter_of_one_program_in_a_container_without_threads",
     .arguments = {"container", "kill", NO_CALL, "alone"},
     .said = WAITS,
     .not_recorded = true},
    {.name = "filter_that_another_one_follows",
     .arguments = {"kill", NO_CALL, "own", TEXT_OF(SYS_ftruncate)},
     .said = WAITS,
     .not_recorded = true},
    {.name = "filter_of_a_program_that_forgets_where_it_was",
     .arguments = {"kill", NO_CALL, "forget"},
     .facts = TWO_THREADS},
    /* Who fills the folder may have put something else in libunwind's place. */
    {.name = "filter_of_a_program_that_changes_its_root",
     .arguments = {"over", "/mnt", "", "kill", NO_CALL, "chroot", "/mnt"},
     .environment = {"LEAKSPY_OUT=/limits.rec"},
     .said = "libunwind: cannot be loaded",
     .not_recorded = true},
    /* It may start threads of its own, with its locks taken. */
    {.name = "filter_of_a_program_with_another_allocator",
     .arguments = {"before", JEMALLOC, "kill", NO_CALL, "threads"},
     .said = "libunwind: cannot be loaded",
     .facts = TWO_THREADS},
    {.name = "filter_of_a_program_that_handles_its_traps",
     .arguments = {"trap", TEXT_OF(SYS_ftruncate), "handle"},
     .said = "system call " TEXT_OF(SYS_ftruncate) ": no recording: a filter kills for it",
     .not_recorded = true},
    {.name = "filter_that_refuses_ftruncate",
     .arguments = {"errno", TEXT_OF(SYS_ftruncate), TEXT_OF(EPERM), "threads"},
     .said = "no recording: no room for it",
     .not_recorded = true},
    {.name = "fork_under_a_filter_of_its_own",
     .arguments = {"clone3", TEXT_OF(SYS_process_vm_readv)},
     .facts = {{"source.exit_code", 0, 0}, {"totals.spawned", 1, 1}}},
    /* Its own recording would begin with its first wait. */
    {.name = "fork_child_that_sets_a_filter_first",
     .arguments = {"child", TEXT_OF(SYS_ftruncate)},
     .facts = {{"source.exit_code", 0, 0}, {"totals.spawned", 1, 1}}},

    /* Something is missing, or there is little of it. */
    {.name = "no_proc", .arguments = {"over", "/proc", "", "threads"}, .facts = TWO_THREADS},
    /* There may be a filter, and of its own. */
    {.name = "no_proc_of_a_program_without_threads",
     .arguments = {"over", "/proc", "", "alone"},
     .said = WAITS,
     .not_recorded = true},
    {.name = "no_dev_shm",
     .arguments = {"over", "/dev", "", "threads"},
     .environment = {"LEAKSPY_OUT=/dev/shm/limits.rec"},
     .said = "no recording: the file cannot be made",
     .not_recorded = true},
    {.name = "full_dev_shm",
     .arguments = {"over", "/dev/shm", "nr_inodes=1", "threads"},
     .environment = {"LEAKSPY_OUT=/dev/shm/limits.rec"},
     .said = "no recording: the file cannot be made: error 28",
     .not_recorded = true},
    {.name = "files_of_2_KiB_at_most",
     .arguments = {"file-size", "2048", "threads"},
     .said = "no recording: no room for it",
     .not_recorded = true},
    {.name = "files_of_16_MiB_at_most",
     .arguments = {"file-size", "16777216", "threads"},
     .facts = TWO_THREADS},
    {.name = "forks_with_little_data",
     .arguments = {"data-size", "120000000", "heirs"},
     .facts = {{"source.exit_code", 0, 0}}},
    {.name = "no_right_to_trace", .arguments = {"no-ptrace", "threads"}, .facts = TWO_THREADS},
    {.name = "another_root", .arguments = {"chroot", "/mnt"}, .facts = TWO_THREADS},

    /* Other libraries that are preloaded. */
    {.name = "jemalloc_before", .arguments = {"before", JEMALLOC, "threads"}, .facts = TWO_THREADS},
    {.name = "jemalloc_after", .arguments = {"after", JEMALLOC, "threads"}, .facts = TWO_THREADS},
    {.name = "jemalloc_before_a_storm",
     .arguments = {"before", JEMALLOC, "churn", "1000"},
     .facts = {{"totals.spawned", 1005, 1005}, {"totals.lost", 0, 0}}},
    {.name = "faketime_before",
     .arguments = {"before", FAKETIME, "threads"},
     .environment = {"FAKETIME=-10d"},
     .facts = TWO_THREADS},
    {.name = "faketime_after",
     .arguments = {"after", FAKETIME, "threads"},
     .environment = {"FAKETIME=-10d"},
     .facts = TWO_THREADS},

    /* Its constructor comes before ours. */
    {.name = "threads_that_start_before_us",
     .arguments = {"after", EARLY_THREADS, "threads"},
     .facts = {{"totals.spawned", 5, 5}, {"totals.lost", 0, 0}}},
    /* The one that waits again is found then. */
    {.name = "threads_that_start_before_us__of_unknown_handles",
     .arguments = {"after", EARLY_THREADS, "threads"},
     .environment = {"EARLY_HANDLES=heap"},
     .facts = {{"totals.spawned", 5, 5}, {"totals.lost", 2, 2}}},

    /* Others look functions up for themselves, and for us. */
    {.name = "dlsym_before",
     .arguments = {"before", OWN_DLSYM, "meet", "8"},
     .facts = {{"totals.spawned", 13, 13}, {"totals.lost", 0, 0}}},
    {.name = "dlsym_after",
     .arguments = {"after", OWN_DLSYM, "meet", "8"},
     .facts = {{"totals.spawned", 13, 13}, {"totals.lost", 0, 0}}},
    {.name = "dlsym_of_the_program",
     .program = LIMITS "_own_dlsym",
     .arguments = {"meet", "8"},
     .facts = {{"totals.spawned", 13, 13}, {"totals.lost", 0, 0}}},

    /* Programs with a sanitizer. */
    {.name = "address_sanitizer",
     .program = LIMITS "_address",
     .arguments = {"churn", "100"},
     .facts = {{"totals.spawned", 105, 105}, {"totals.lost", 0, 0}}},
    {.name = "address_sanitizer_that_is_preloaded",
     .program = LIMITS "_address_shared",
     .arguments = {"before", LIBASAN, "churn", "100"},
     .facts = {{"totals.spawned", 105, 105}, {"totals.lost", 0, 0}}},
    {.name = "undefined_behaviour_sanitizer",
     .program = LIMITS "_undefined",
     .arguments = {"churn", "100"},
     .facts = {{"totals.spawned", 105, 105}, {"totals.lost", 0, 0}}},

    {.name = "thread_sanitizer",
     .program = LIMITS "_thread",
     .arguments = {"churn", "400"},
     .facts = {{"totals.spawned", 405, 405}, {"totals.lost", 0, 0}}},
    {.name = "thread_sanitizer_and_many_that_wait",
     .program = LIMITS "_thread",
     .arguments = {"meet", "160"},
     .environment = {"LEAKSPY_SAMPLE=2ms"},
     .facts = {{"totals.spawned", 165, 165}, {"totals.lost", 0, 0}}},

    {.name = "address_sanitizer_of_clang",
     .program = LIMITS "_clang_address",
     .arguments = {"churn", "100"},
     .facts = {{"totals.spawned", 105, 105}, {"totals.lost", 0, 0}}},
    {.name = "memory_sanitizer_of_clang",
     .program = LIMITS "_clang_memory",
     .arguments = {"meet", "160"},
     .environment = {"LEAKSPY_SAMPLE=2ms"},
     .facts = {{"totals.spawned", 165, 165}, {"totals.lost", 0, 0}}},
    {.name = "thread_sanitizer_of_clang",
     .program = LIMITS "_clang_thread",
     .arguments = {"meet", "160"},
     .environment = {"LEAKSPY_SAMPLE=2ms"},
     .facts = {{"totals.spawned", 165, 166}, {"totals.lost", 0, 0}}}, /* its runtime has one more */

    /* More than there is room for. */
    {.name = "threads_come_and_go_10000_times",
     .arguments = {"churn", "10000"},
     .facts = {{"totals.spawned", 10005, 10005},
               {"totals.finished", 10004, 10005},
               {"totals.lost", 0, 0},
               {"totals.unjoined", 0, 0}}},
    {.name = "threads_come_and_go_100000_times",
     .full = true,
     .arguments = {"churn", "100000"},
     .facts = {{"totals.spawned", 100005, 100005},
               {"totals.finished", 100004, 100005},
               {"totals.lost", 0, 0},
               {"totals.unjoined", 0, 0}}},
    {.name = "more_threads_than_room",
     .arguments = {"meet", "160"},
     .environment = {"LEAKSPY_MAX_TASKS=64"},
     .report = "tasks had no room in the recording",
     .facts = {{"totals.spawned", 165, 165},
               {"totals.finished", 63, 64},
               {"totals.lost_by_kind.tasks", 101, 101}}},
    {.name = "more_stacks_than_room",
     .arguments = {"stacks", "9000"},
     .environment = {"LEAKSPY_MAX_TASKS=64"},
     .report = "stacks had no room in the recording",
     .facts = {{"totals.spawned", 9001, 9001},
               {"totals.lost_by_kind.tasks", 0, 0},
               {"totals.lost_by_kind.sites", 100, 9000}}},
    {.name = "modules_300",
     .program = LIMITS "_modules",
     .arguments = {MODULE, "300"},
     .facts = {{"totals.spawned", 301, 301}, {"totals.lost_by_kind.rows", 0, 0}}},
    {.name = "modules_10000",
     .full = true,
     .program = LIMITS "_modules",
     .arguments = {MODULE, "10000"},
     .facts = {{"totals.spawned", 10001, 10001}, {"totals.lost_by_kind.rows", 0, 0}}},
    {.name = "more_modules_than_room",
     .program = LIMITS "_modules",
     .arguments = {MODULE, "600"},
     .environment = {"LEAKSPY_MAX_TASKS=64"},
     .report = "names, labels, modules or select cases are missing",
     .facts = {{"totals.spawned", 601, 601}, {"totals.lost_by_kind.rows", 80, 10000}}},
    {.name = "modules_come_and_go_1000_times",
     .program = LIMITS "_modules",
     .arguments = {MODULE, "1000", "storm"},
     .environment = {"LEAKSPY_SAMPLE=1ms"},
     .facts = {{"totals.spawned", 1005, 1005}, {"totals.lost", 0, 0}}},
    {.name = "stack_of_4000_frames",
     .arguments = {"deep", "4000"},
     .facts = {{"totals.spawned", 2, 2}, {"totals.lost_by_kind.stacks", 0, 0}}},
};

/* ---- the test of a row ---- */

static const char *const preparations[] = {"kill",  "trap", "errno",     "container", "before",
                                           "after", "over", "file-size", "no-ptrace", "data-size"};

/* Does the row begin with a preparation? */
static bool is_prepared(const struct row *row)
{
    for (size_t i = 0; i < LENGTH(preparations); i++)
        if (strcmp(row->arguments[0], preparations[i]) == 0)
            return true;
    return false;
}

static void check_facts(const struct row *row, const char *recording)
{
    json_t *json = report(recording, "0", LIST("--all"));
    for (size_t i = 0; i < MAX_FACTS && row->facts[i].path; i++) {
        const struct fact *fact = &row->facts[i];
        const json_t *value = json_at(json, fact->path);
        json_int_t number = json_integer_value(value);
        if (!json_is_integer(value) || number < fact->least || number > fact->most) {
            char *text = json_dumps(json, JSON_INDENT(1));
            fprintf(stderr, "%s: %s is not %lld to %lld\n%s\n", row->name, fact->path,
                    (long long)fact->least, (long long)fact->most, text);
            free(text);
            fail();
        }
    }
    json_decref(json);
}

static void check_text(const struct row *row, const char *recording)
{
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "report", "--threshold", "0", recording), NULL);
    if (!strstr(outcome.out, row->report)) {
        fprintf(stderr, "%s: the report does not say \"%s\":\n%s\n", row->name, row->report,
                outcome.out);
        fail();
    }
    outcome_deinit(&outcome);
}

static void row__does_the_same_and_is_told(void **state)
{
    const struct row *row = *state;
    if (row->full && !getenv("LIMITS_FULL"))
        skip();
    if (row->program && access(row->program, X_OK) != 0)
        skip();
    const char *argv[MAX_ARGUMENTS + 2] = {is_prepared(row) ? PREPARED
                                           : row->program   ? row->program
                                                            : LIMITS};
    char program[512];
    const char *env[8] = {"LEAKSPY_VERBOSE=1", program};
    snprintf(program, sizeof program, "LIMITS_PROGRAM=%s", row->program ? row->program : LIMITS);
    memcpy(argv + 1, row->arguments, sizeof row->arguments);
    memcpy(env + (is_prepared(row) ? 2 : 1), row->environment, sizeof row->environment);
    struct outcome bare = run_program(false, argv, env + 1);
    if (WIFEXITED(bare.status) && WEXITSTATUS(bare.status) == SKIPPED) {
        fprintf(stderr, "%s: %s", row->name, bare.err);
        outcome_deinit(&bare);
        skip();
    }
    outcome_deinit(&bare);
    assert_same_behaviour(argv, env + 1);

    struct target *target = target_start(true, argv, env);
    struct outcome outcome = target_wait(target);
    if (row->said && !strstr(outcome.err, row->said)) {
        fprintf(stderr, "%s: not said: \"%s\", but\n%s\n", row->name, row->said, outcome.err);
        fail();
    }
    outcome_deinit(&outcome);
    assert_int_equal(access(target->recording, F_OK) == 0, !row->not_recorded);
    if (!row->not_recorded)
        check_facts(row, target->recording);
    if (row->report)
        check_text(row, target->recording);
    target_end(target);
}

/* ---- priority ---- */

/* The nice value of the library's thread (proc(5), /proc/PID/task/TID/stat). -1: there is none that
 * has begun. */
static int sampler_nice(const struct target *target)
{
    char folder[64], path[128], text[512];
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)target->pid);
    DIR *tasks = opendir(folder);
    int found = -1;
    assert_non_null(tasks);
    for (struct dirent *entry; found < 0 && (entry = readdir(tasks));) {
        snprintf(path, sizeof path, "%s/%.20s/stat", folder, entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        const char *read = fgets(text, sizeof text, file);
        fclose(file);
        if (read && strstr(text, "(leakspy)"))
            sscanf(strchr(text, ')'),
                   ") %*c %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d "
                   "%*d %*d %d",
                   &found);
    }
    closedir(tasks);
    return found;
}

static void wait_sampler_nice(const char *mode, const char *sample, int nice)
{
    struct target *target = target_start(true, LIST(LIMITS, mode), LIST(sample));
    int seen = -1;
    target_wait_line(target, "ready");
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;
         (seen = sampler_nice(target)) != nice && now_ms() < deadline_ms;)
        sleep_ms(5);
    assert_int_equal(seen, nice);
    target_end(target);
}

/* Or the end of every process would wait for a thread that gets no processor where all are busy. */
static void sampler_that_has_cost_nothing__has_the_priority_of_the_program(void **state)
{
    (void)state;
    wait_sampler_nice("stay", "LEAKSPY_SAMPLE=1h", getpriority(PRIO_PROCESS, 0));
}

static void sampler_that_costs__has_the_lowest_priority(void **state)
{
    (void)state;
    wait_sampler_nice("stay", "LEAKSPY_SAMPLE=1ms", 19);
}

static void program_that_asks_for_filters_and_sets_none__keeps_its_sampler(void **state)
{
    (void)state;
    wait_sampler_nice("ask", "LEAKSPY_SAMPLE=1h", getpriority(PRIO_PROCESS, 0));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    static struct CMUnitTest tests[LENGTH(rows)];
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){rows[i].name, row__does_the_same_and_is_told, NULL,
                                       end_all_targets, (void *)(uintptr_t)&rows[i]};
    const struct CMUnitTest running[] = {
        cmocka_unit_test_teardown(sampler_that_has_cost_nothing__has_the_priority_of_the_program,
                                  end_all_targets),
        cmocka_unit_test_teardown(sampler_that_costs__has_the_lowest_priority, end_all_targets),
        cmocka_unit_test_teardown(program_that_asks_for_filters_and_sets_none__keeps_its_sampler,
                                  end_all_targets),
    };
    int failed = _cmocka_run_group_tests("limits", tests, LENGTH(tests), NULL, NULL);
    return failed + cmocka_run_group_tests(running, NULL, NULL);
}
