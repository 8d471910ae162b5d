/* Threads of programs without a recording: what they are parked in, on what and behind whom, by the
 * process and by a core of it. Most were never preloaded.
 *
 * Usage: test_threads GROUP     (lock, io, other: of parked.def; samples; cores)
 */
#include "tests/e2e/harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/parked_rows.h"

/* ---- every call that parks ---- */

/* The name that a function of the C library is told by: of several for one place, the plainest. */
static const char *told_name(const char *call)
{
    static const struct {
        const char *name, *told;
    } names[] = {{"lockf64", "lockf"},
                 {"fcntl64", "fcntl"},
                 {"__read_chk", "read"},
                 {"__recv_chk", "recv"},
                 {"__recvfrom_chk", "recvfrom"},
                 {"__poll_chk", "poll"},
                 {"__ppoll_chk", "ppoll"},
                 {"sendfile64", "sendfile"},
                 {"open64", "open"},
                 {"openat64", "openat"},
                 {"fopen64", "fopen"}};
    for (size_t i = 0; i < LENGTH(names); i++)
        if (strcmp(names[i].name, call) == 0)
            return names[i].told;
    return call + strspn(call, "_");
}

/* The thread that the row's call is made in began in one of these, with the C11 ones in another. */
static const char *start_function(const char *call)
{
    static const char *const c11[] = {"mtx_lock",  "mtx_timedlock", "cnd_wait",  "cnd_timedwait",
                                      "call_once", "thrd_join",     "thrd_sleep"};
    for (size_t i = 0; i < LENGTH(c11); i++)
        if (strcmp(c11[i], call) == 0)
            return "run_c11_thread";
    return "run_thread";
}

/* Starts `parked` with a row, and says what is to be seen of it. */
static struct target *park(bool preload, const struct row *row, struct expected_group *ret)
{
    static char wait_function[96], address[64];
    char path[512];
    snprintf(wait_function, sizeof wait_function, "park_in_%s", row->name);
    *ret = (struct expected_group){
        .kind = "thread",
        .op = row->op,
        .call = strncmp(row->name, "raw_", 4) == 0 ? "syscall" : told_name(row->call),
        .count = 1,
        .wait_function = wait_function,
        .spawn_function = start_function(row->call),
        .spawn_file = "parked.c",
        .task_name = "parked",
        .deadline = row->deadline ? WITH_DEADLINE : NO_DEADLINE,
    };
    if (strcmp(row->object, "any") != 0)
        ret->object_kind = row->object;
    if (row->deadline)
        ret->verdict = "waiting";
    snprintf(path, sizeof path, "%s/parked", LEAKSPY_TARGETS);
    struct target *target = target_start(preload, LIST(path, row->name, "park"), NULL);
    snprintf(address, sizeof address, "%s",
             target_wait_line(target, "object ") + strlen("object "));
    /* From outside, the one that an old condition points to is seen. */
    if (strcmp(address, "none") != 0 && strncmp(row->name, "old_cond_", 9) != 0)
        ret->object_address = address;
    target_wait_line(target, "ready");
    return target;
}

static void parked__is_told_with_op_object_and_stack(void **state)
{
    struct expected_group expected;
    struct target *target = park(false, *state, &expected);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

/* ---- samples ---- */

struct sample {
    const char *name;
    struct expected_group group; /* spawn_function: what the thread began in */
};

#define LEAK(name, verdict_, op_, count_, wait, start)                                             \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            .verdict = verdict_, .kind = "thread", .op = op_, .count = count_,                     \
            .wait_function = wait, .spawn_function = start, .deadline = NO_DEADLINE                \
        }                                                                                          \
    }

static const struct sample samples[] = {
    LEAK("dead_peer_read", "stuck", "io wait", 1, "client", "client"),
    LEAK("lock_order_deadlock", "deadlocked", "mutex lock", 2, "transfer", "transfer"),
    LEAK("lost_condition_signal", "stuck", "cond wait", 1, "use_data", "use_data"),
    LEAK("join_parked_thread", "stuck", "sem wait", 1, "do_work", "do_work"),
    LEAK("join_parked_thread", "stuck", "thread join", 1, "supervise", "supervise"),
    LEAK("barrier_one_short", "stuck", "barrier wait", 2, "phase", "phase"),
    LEAK("rwlock_reader_keeps", "stuck", "rwlock wrlock", 1, "update", "update"),
    LEAK("c11_mutex_never_unlocked", "stuck", "mutex lock", 1, "come_next", "come_next"),
    LEAK("c11_condition_never_signalled", "stuck", "cond wait", 1, "consume", "consume"),
    LEAK("c11_join_parked_thread", "stuck", "thread join", 1, "shut_down", "shut_down"),
    LEAK("futex_missed_wake", "stuck", "futex wait", 1, "park", "park"),
};

static struct target *start_sample(const struct sample *sample, bool fixed)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", LEAKSPY_SAMPLES, sample->name, fixed ? "_fixed" : "");
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    return target;
}

static struct expected_group expected_of(const struct sample *sample)
{
    static char file[128], path[256];
    struct expected_group group = sample->group;
    const char *mark =
        strcmp(group.op, "thread join") == 0 && strcmp(sample->name, "join_parked_thread") == 0
            ? "/* joins here"
            : "/* parks here";
    snprintf(file, sizeof file, "%s.c", sample->name);
    snprintf(path, sizeof path, "samples/%s", file);
    group.wait_file = group.spawn_file = file;
    group.wait_line = line_of(path, mark);
    return group;
}

/* What is said of another thread's age is a lower bound, too; a core knows none. */
static void assert_age_of_the_other(const json_t *group, bool live)
{
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(group, "evidence"), i, sentence)
    {
        const char *other = strstr(json_string_value(sentence), ", which is in ");
        if (other) {
            assert_int_equal(strstr(other, " or longer") != NULL, live);
            assert_int_equal(strstr(other, " for ") != NULL, live);
        }
    }
}

static void sample__is_found_in_the_process_and_in_its_core(void **state)
{
    struct expected_group expected = expected_of(*state);
    struct target *target = start_sample(*state, false);
    json_t *json = wait_for_group_in(target->pid_text, "100ms", NULL, &expected);
    assert_group(json, &expected);
    const json_t *group = find_group(json, &expected);
    assert_true(json_is_true(json_object_get(group, "spawn_is_start")));
    assert_age_of_the_other(group, true);
    json_decref(json);

    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_group(json, &expected);
    assert_age_of_the_other(find_group(json, &expected), false);
    json_decref(json);
    target_end(target);
}

static void fixed_sample__is_silent(void **state)
{
    struct target *target = start_sample(*state, true);
    for (int i = 0; i < 5; i++) {
        json_t *json = report(target->pid_text, "0", NULL);
        assert_no_findings(json);
        json_decref(json);
    }
    target_end(target);
}

/* Threads that ended are on the C library's list until they are joined. */
static void unjoined_threads__are_found_on_the_list(void **state)
{
    const struct sample sample = {.name = "unjoined_threads"};
    struct expected_group expected = {.verdict = "unjoined",
                                      .kind = "thread",
                                      .count = 5,
                                      .spawn_function = "work",
                                      .spawn_file = "unjoined_threads.c"};
    (void)state;
    struct target *target = start_sample(&sample, false);
    json_t *json = wait_for_group_in(target->pid_text, "0", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);
    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_group(json, &expected);
    json_decref(json);
    /* Nobody knows since when: that is no finding while they may be joined yet. */
    json = report(target->pid_text, "10s", NULL);
    assert_no_findings(json);
    json_decref(json);
    target_end(target);

    target = start_sample(&sample, true);
    json = report(target->pid_text, "0", NULL);
    assert_no_findings(json);
    json_decref(json);
    target_end(target);
}

/* ---- cores ---- */

static void parked__is_told_by_a_core(void **state)
{
    struct expected_group expected;
    struct target *target = park(false, *state, &expected);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    json_decref(json);
    /* In a core, a thread's name is the program's. */
    expected.task_name = NULL;
    json = report(target_write_core(target, target->dir), "0", LIST("--all"));
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

/* ---- preloaded, and the recording is gone ---- */

/* All threads but the preload library's own, which the kernel counts, too (proc(5)). */
static void assert_one_less_than_the_kernel_has(const json_t *json, const struct target *target)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%s/task", target->pid_text);
    assert_int_equal(stat(path, &status), 0);
    json_int_t threads = (json_int_t)status.st_nlink - 2; /* "." and ".." */
    assert_int_equal(json_integer_value(json_at(json, "totals.tasks")), threads - 1);
}

static void preloaded__is_told_like_a_bare_one(void **state)
{
    struct expected_group expected;
    struct target *target = park(true, *state, &expected);
    wait_for_recording(target->recording);
    assert_int_equal(unlink(target->recording), 0);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    assert_one_less_than_the_kernel_has(json, target);
    json_decref(json);
    expected.task_name = NULL;
    json = report(target_write_core(target, target->dir), "0", LIST("--all"));
    assert_group(json, &expected);
    assert_one_less_than_the_kernel_has(json, target);
    assert_false(has_note(json, "early"));
    json_decref(json);
    target_end(target);
}

/* ---- the list ---- */

static struct CMUnitTest tests[4 * LENGTH(rows)];
static char names[4 * LENGTH(rows)][96];
static size_t test_count;

static void add(const char *name, const char *what, CMUnitTestFunction function, const void *state)
{
    snprintf(names[test_count], sizeof *names, "%s__%s", name, what);
    tests[test_count] = (struct CMUnitTest){names[test_count], function, NULL, end_all_targets,
                                            (void *)(uintptr_t)state};
    test_count++;
}

int main(int argc, char **argv)
{
    const char *group = argc == 2 ? argv[1] : "";
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (strcmp(rows[i].group, group) == 0)
            add(rows[i].name, "is_told", parked__is_told_with_op_object_and_stack, &rows[i]);
        /* Each op in a core; not each function, which would take long. */
        bool is_new = i == 0 || strcmp(rows[i].op, rows[i - 1].op) != 0;
        if (strcmp(group, "cores") == 0 && is_new && strcmp(rows[i].group, "task") != 0 &&
            strcmp(rows[i].group, "go") != 0)
            add(rows[i].name, "is_told_by_a_core", parked__is_told_by_a_core, &rows[i]);
        /* Of each way to start a thread one, which may be stopped in its call for its stack. */
        if (strcmp(group, "cores") == 0 &&
            (strcmp(rows[i].name, "sem_wait") == 0 || strcmp(rows[i].name, "mtx_lock") == 0))
            add(rows[i].name, "preloaded_is_told_like_a_bare_one",
                preloaded__is_told_like_a_bare_one, &rows[i]);
    }
    for (size_t i = 0; strcmp(group, "samples") == 0 && i < LENGTH(samples); i++) {
        add(samples[i].name, "is_found", sample__is_found_in_the_process_and_in_its_core,
            &samples[i]);
        if (i == 0 || strcmp(samples[i - 1].name, samples[i].name) != 0)
            add(samples[i].name, "fixed_is_silent", fixed_sample__is_silent, &samples[i]);
    }
    if (strcmp(group, "samples") == 0)
        add("unjoined_threads", "are_found_on_the_list", unjoined_threads__are_found_on_the_list,
            NULL);
    if (test_count == 0) {
        fprintf(stderr, "usage: test_threads GROUP\n");
        return 64;
    }
    return _cmocka_run_group_tests(group, tests, test_count, NULL, NULL);
}
