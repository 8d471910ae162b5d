/* What the descriptors are that threads wait for is told by PID and in recordings alike, and what
 * that says of the waits, also when the process is gone. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM LEAKSPY_TARGETS "/descriptors"

enum { MAX_TOLD = 32 };

/* "verdict, op: what the descriptor is", sorted, with N for each number of two digits and more:
 * ports differ from run to run. */
struct told {
    char lines[MAX_TOLD][LONG_TEXT];
    size_t count;
};

static void take_without_numbers(const char *from, char *to)
{
    while (*from) {
        size_t digits = strspn(from, "0123456789");
        if (digits > 1)
            *to++ = 'N';
        else
            *to++ = *from;
        from += digits > 1 ? digits : 1;
    }
    *to = '\0';
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void add_line(struct told *told, const json_t *group, const char *text, const char *folder)
{
    const char *verdict = json_string_value(json_at(group, "verdict"));
    const char *op = json_string_value(json_at(group, "op"));
    char line[LONG_TEXT];
    const char *path = text ? strstr(text, folder) : NULL;
    if (text == NULL || told->count == MAX_TOLD)
        return;
    snprintf(line, sizeof line, "%s, %s: %.*s%s", verdict, op,
             (int)(path ? path - text : (long)strlen(text)), text,
             path ? path + strlen(folder) : "");
    take_without_numbers(line, told->lines[told->count++]);
}

/* Tasks that wait alike for several are one group. */
static void tell(const json_t *json, const char *folder, struct told *ret)
{
    size_t at, of_group;
    const json_t *group, *task;
    ret->count = 0;
    json_array_foreach(json_at(json, "groups"), at, group)
    {
        add_line(ret, group, json_string_value(json_at(group, "object.description")), folder);
        json_array_foreach(json_at(group, "tasks"), of_group, task)
            add_line(ret, group, json_string_value(json_at(task, "object.description")), folder);
    }
    qsort(ret->lines, ret->count, sizeof *ret->lines, compare);
}

static void assert_told(const struct told *told, const char *line)
{
    for (size_t i = 0; i < told->count; i++)
        if (strcmp(told->lines[i], line) == 0)
            return;
    for (size_t i = 0; i < told->count; i++)
        print_message("told: %s\n", told->lines[i]);
    fail_msg("not told: %s", line);
}

static bool is_in_its_wait(const json_t *group)
{
    size_t at;
    const json_t *frame;
    json_array_foreach(json_at(group, "wait_stack"), at, frame)
    {
        const char *function = json_string_value(json_at(frame, "function"));
        if (function && strncmp(function, "wait_in_", strlen("wait_in_")) == 0)
            return true;
    }
    return false;
}

/* How many of its threads are told to wait where they are to. */
static json_int_t count_waits(const json_t *json)
{
    json_int_t count = 0;
    size_t at;
    const json_t *group;
    json_array_foreach(json_at(json, "groups"), at, group)
    {
        if (is_in_its_wait(group))
            count += json_integer_value(json_at(group, "count"));
    }
    return count;
}

/* All of them wait, in calls that say so. In recordings, who has a stack was described before. */
static json_t *wait_for_all(struct target *target, const char *source)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    json_int_t all = atoi(target_wait_line(target, "ready ") + strlen("ready "));
    for (;; sleep_ms(20)) {
        json_t *json = report(source, "0", LIST("--all"));
        json_int_t count = count_waits(json);
        if (count == all)
            return json;
        json_decref(json);
        if (now_ms() > deadline_ms)
            fail_msg("%d of %d threads are told to wait", (int)count, (int)all);
    }
}

static void descriptor__is_told_by_pid_and_in_recordings_alike(void **state)
{
    static struct told by_pid, recorded;
    char folder[] = "/tmp/leakspy-test-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    struct target *bare = target_start(false, LIST(PROGRAM, folder), NULL);
    json_t *json = wait_for_all(bare, bare->pid_text);
    tell(json, folder, &by_pid);
    json_decref(json);
    target_end(bare);

    char command[128];
    snprintf(command, sizeof command, "rm -r %s/*", folder);
    assert_int_equal(system(command), 0);
    struct target *preloaded = target_start(true, LIST(PROGRAM, folder), NULL);
    json_decref(wait_for_all(preloaded, preloaded->recording));
    target_wait_walks(preloaded, 2, 20);
    target_kill(preloaded, SIGKILL);
    json = report(preloaded->recording, "0", LIST("--all"));
    tell(json, folder, &recorded);
    json_decref(json);
    target_end(preloaded);

    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    assert_in_range(by_pid.count, 10, MAX_TOLD - 1);
    for (size_t i = 0; i < by_pid.count && i < recorded.count; i++)
        assert_string_equal(recorded.lines[i], by_pid.lines[i]);
    assert_int_equal(recorded.count, by_pid.count);
    static const char *const lines[] = {
        "stuck, io wait: unix socket polled",
        "waiting, io wait: unix socket polled listening",
        "waiting, io wait: unix socket datagrams",
        "stuck, io wait: unix socket left",
        "waiting, io wait: signalfd",
        "waiting, io wait: inotify",
        "waiting, io wait: pipe",
        "stuck, io wait: pipe",
        "stuck, io wait: eventfd",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_told(&by_pid, lines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(descriptor__is_told_by_pid_and_in_recordings_alike,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
