/* How long waits are said to last where a clock jumps, and where a program stands still: it is
 * stopped, its whole process group is, or its cgroup is frozen. The program goes on afterwards as
 * if nothing had been, and no wait is told longer than it was. */
#include "tests/e2e/harness.h"
#include "tests/e2e/limits_program.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAKETIME "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

static const struct expected_group parked = {.op = "sem wait", .count = 1, .wait_function = "park"};

/* How long the one thread that parks has been parked, in ms. Fails where it is longer than it has
 * been there: since `before_ms`. */
static json_int_t parked_ms(const json_t *json, int64_t before_ms)
{
    const json_t *group = find_group(json, &parked);
    const json_t *age = json_object_get(group, "oldest_ns");
    assert_true(json_is_integer(age));
    json_int_t ms = json_integer_value(age) / 1000000;
    if (ms > now_ms() - before_ms)
        fail_msg("parked for %lld ms, and here for %lld", (long long)ms,
                 (long long)(now_ms() - before_ms));
    return ms;
}

/* ---- clocks ---- */

/* Ages are measured by the kernel's clock, whatever clock the program is shown. */
static void clock_of_10_days_ago__ages_are_real(void **state)
{
    static const char *const where[] = {"before", "after"};
    (void)state;
    if (access(FAKETIME, R_OK) != 0)
        skip();
    for (size_t i = 0; i < LENGTH(where); i++) {
        int64_t before_ms = now_ms();
        struct target *target = target_start(true, LIST(PREPARED, where[i], FAKETIME, "stay"),
                                             LIST("LIMITS_PROGRAM=" LIMITS, "FAKETIME=-10d"));
        target_wait_line(target, "ready");
        json_t *json = wait_for_group(target, "0", NULL, &parked);
        parked_ms(json, before_ms);
        json_decref(json);
        target_end(target);
    }
}

/* ---- ways to stand still ---- */

/* The state letter of a thread (proc(5), /proc/PID/task/TID/stat). */
static char state_in(const char *path)
{
    char *text = read_file(path);
    const char *name_end = text ? strrchr(text, ')') : NULL;
    char state = name_end ? name_end[2] : '\0';
    free(text);
    return state;
}

/* Threads stop one by one: the sampler may still look when the first one stands. */
static bool is_stopped(pid_t pid)
{
    char pattern[64];
    glob_t found;
    snprintf(pattern, sizeof pattern, "/proc/%d/task/*/stat", (int)pid);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return false;
    size_t stopped = 0;
    while (stopped < found.gl_pathc && state_in(found.gl_pathv[stopped]) == 'T')
        stopped++;
    bool all = stopped == found.gl_pathc;
    globfree(&found);
    return all;
}

static void wait_stopped(const struct target *target)
{
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; !is_stopped(target->pid); sleep_ms(2))
        assert_true(now_ms() < deadline_ms);
}

static bool stop(const struct target *target)
{
    assert_int_equal(kill(target->pid, SIGSTOP), 0);
    wait_stopped(target);
    return true;
}

static void go_on(const struct target *target)
{
    assert_int_equal(kill(target->pid, SIGCONT), 0);
}

/* As a shell does with Ctrl-Z and fg. */
static bool stop_group(const struct target *target)
{
    assert_int_equal(kill(-target->pid, SIGSTOP), 0);
    wait_stopped(target);
    return true;
}

static void let_group_go_on(const struct target *target)
{
    assert_int_equal(kill(-target->pid, SIGCONT), 0);
}

static char cgroup[PATH_MAX]; /* ours, while it is there */

static bool write_cgroup(const char *file, const char *text)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", cgroup, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Makes a cgroup of version 2 (cgroups(7)) below our own. False: there is none, or it is not ours
 * to write in. */
static bool make_cgroup(void)
{
    char mounted[PATH_MAX / 2] = "";
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    for (struct mntent *entry; mounts && (entry = getmntent(mounts));)
        if (strcmp(entry->mnt_type, "cgroup2") == 0)
            snprintf(mounted, sizeof mounted, "%s", entry->mnt_dir);
    if (mounts)
        endmntent(mounts);
    char *list = read_file("/proc/self/cgroup");
    char *own = list ? strstr(list, "0::/") : NULL;
    if (own && mounted[0]) {
        own += strlen("0::");
        own[strcspn(own, "\n")] = '\0';
        snprintf(cgroup, sizeof cgroup, "%s%.1024s/leakspy-test-%d", mounted, own, (int)getpid());
        if (mkdir(cgroup, 0700) != 0)
            cgroup[0] = '\0';
    }
    free(list);
    return cgroup[0] != '\0';
}

static void wait_frozen(void)
{
    char path[PATH_MAX + 32];
    bool frozen = false;
    snprintf(path, sizeof path, "%s/cgroup.events", cgroup);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; !frozen; sleep_ms(2)) {
        char *text = read_file(path);
        frozen = text && strstr(text, "frozen 1");
        free(text);
        assert_true(now_ms() < deadline_ms);
    }
}

/* Each process of the group by itself: those that were there before stay where they are. */
static bool freeze(const struct target *target)
{
    char number[32];
    if (!make_cgroup())
        return false;
    glob_t found;
    assert_int_equal(glob("/proc/[0-9]*", GLOB_NOSORT, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        pid_t pid = (pid_t)atoi(found.gl_pathv[i] + strlen("/proc/"));
        snprintf(number, sizeof number, "%d", (int)pid);
        if (getpgid(pid) == target->pid && !write_cgroup("cgroup.procs", number)) {
            globfree(&found);
            return false;
        }
    }
    globfree(&found);
    if (!write_cgroup("cgroup.freeze", "1"))
        return false;
    wait_frozen();
    return true;
}

static void thaw(const struct target *target)
{
    (void)target;
    assert_true(write_cgroup("cgroup.freeze", "0"));
}

/* A cgroup is gone only after the last process in it. */
static int end_cgroup(void **state)
{
    if (cgroup[0])
        write_cgroup("cgroup.freeze", "0");
    end_all_targets(state);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; cgroup[0] && rmdir(cgroup) != 0; sleep_ms(5))
        if (now_ms() > deadline_ms)
            return -1;
    cgroup[0] = '\0';
    return 0;
}

/* `still`: false: it cannot be tried here. */
static const struct way {
    const char *name;
    bool (*still)(const struct target *target);
    void (*again)(const struct target *target);
} ways[] = {
    {"stopped_process", stop, go_on},
    {"stopped_process_group", stop_group, let_group_go_on},
    {"frozen_cgroup", freeze, thaw},
};

enum { STILL_MS = 600 };

/* A program with a child, both with a thread that is parked, that stands still. */
static struct target *start_and_stand_still(const struct way *way)
{
    struct target *target = target_start(true, LIST(LIMITS, "family"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "0", NULL, &parked));
    if (!way->still(target)) {
        fprintf(stderr, "%s: not to be tried here\n", way->name);
        skip();
    }
    return target;
}

/* The child's recording is beside its parent's. */
static json_t *report_of_child(const struct target *target)
{
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s.*", target->recording);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    json_t *json = report(found.gl_pathv[0], "0", NULL);
    globfree(&found);
    return json;
}

/* The same, once it has ended: nobody here waits for it, and its threads end one by one. */
static json_t *report_of_ended_child(const struct target *target)
{
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;; sleep_ms(5)) {
        json_t *json = report_of_child(target);
        if (strcmp(json_string_value(json_at(json, "source.end")), "running") != 0)
            return json;
        json_decref(json);
        assert_true(now_ms() < deadline_ms);
    }
}

/* CLOCK_MONOTONIC goes on while a process stands still, and so does a wait. When the process goes
 * on, its threads run for a moment, and a wait whose thread was seen to run begins anew. */
static void way__goes_on_as_if_nothing_had_been(void **state)
{
    const struct way *way = *state;
    int64_t before_ms = now_ms();
    struct target *target = start_and_stand_still(way);
    sleep_ms(STILL_MS);
    json_t *json = report(target->recording, "0", NULL);
    assert_true(parked_ms(json, before_ms) >= STILL_MS);
    json_decref(json);
    way->again(target);
    target_wait_walks(target, 2, 0);
    json = wait_for_group(target, "0", NULL, &parked);
    parked_ms(json, before_ms);
    json_decref(json);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "ready\ndone\nstatus 3\n");
    assert_string_equal(outcome.err, "");
    outcome_deinit(&outcome);
    json = report_of_child(target);
    assert_int_equal(json_integer_value(json_at(json, "source.exit_code")), 3);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_end(target);
}

/* What was last seen is what is told; what came after it, nobody knows. */
static void way__that_is_killed_leaves_what_was_seen(void **state)
{
    const struct way *way = *state;
    int64_t before_ms = now_ms();
    struct target *target = start_and_stand_still(way);
    int64_t still_ms = now_ms();
    sleep_ms(100);
    assert_int_equal(kill(-target->pid, SIGKILL), 0);
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
    json_t *json = report(target->recording, "0", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "vanished");
    assert_true(parked_ms(json, before_ms) <= still_ms - before_ms);
    json_decref(json);
    json = report_of_ended_child(target);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "vanished");
    json_decref(json);
    target_end(target);
}

int main(void)
{
    static struct CMUnitTest tests[1 + 2 * LENGTH(ways)];
    size_t count = 0;
    tests[count++] = (struct CMUnitTest)cmocka_unit_test_teardown(
        clock_of_10_days_ago__ages_are_real, end_all_targets);
    for (size_t i = 0; i < LENGTH(ways); i++) {
        static char names[2 * LENGTH(ways)][64];
        void *way = (void *)(uintptr_t)&ways[i];
        snprintf(names[2 * i], sizeof names[0], "%s__goes_on", ways[i].name);
        snprintf(names[2 * i + 1], sizeof names[0], "%s__killed", ways[i].name);
        tests[count++] = (struct CMUnitTest){names[2 * i], way__goes_on_as_if_nothing_had_been,
                                             NULL, end_cgroup, way};
        tests[count++] = (struct CMUnitTest){
            names[2 * i + 1], way__that_is_killed_leaves_what_was_seen, NULL, end_cgroup, way};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
