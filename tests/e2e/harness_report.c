/* Of harness.h: reports, and what is asserted of them. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

json_t *report(const char *source, const char *threshold, const char *const options[])
{
    const char *argv[16] = {LEAKSPY_COMMAND, "report",      "--format",
                            "json",          "--threshold", threshold};
    size_t count = 6;
    while (options && *options && count < LENGTH(argv) - 2)
        argv[count++] = *options++;
    assert_true(!options || !*options);
    argv[count] = source;
    struct outcome outcome = run_program(false, argv, NULL);
    json_error_t error;
    json_t *json = json_loads(outcome.out, 0, &error);
    const char *schema = json_string_value(json_object_get(json, "schema"));
    if (outcome.status != 0 || !json || !schema || strcmp(schema, "leakspy-report/1") != 0)
        fprintf(stderr, "leakspy report %s: status 0x%x, %s\n%s\n%s\n", source, outcome.status,
                json ? "JSON" : error.text, outcome.out, outcome.err);
    assert_int_equal(outcome.status, 0);
    assert_non_null(json);
    assert_string_equal(schema, "leakspy-report/1");
    outcome_deinit(&outcome);
    return json;
}

bool has_note(const json_t *json, const char *part)
{
    size_t i;
    const json_t *note;
    json_array_foreach(json_object_get(json, "notes"), i, note)
    {
        const char *text = json_string_value(json_object_get(note, "note"));
        if (text && strstr(text, part))
            return true;
    }
    return false;
}

const json_t *json_at(const json_t *json, const char *path)
{
    char key[64];
    while (json && *path) {
        size_t bytes = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)bytes, path);
        json = json_object_get(json, key);
        path += bytes + (path[bytes] == '.');
    }
    return json;
}

static bool text_is(const json_t *json, const char *path, const char *expected)
{
    const char *text = json_string_value(json_at(json, path));
    return !expected || (text && strcmp(text, expected) == 0);
}

static bool object_is(const json_t *object, const char *kind)
{
    if (kind && strcmp(kind, "none") == 0)
        return json_is_null(object);
    return text_is(object, "kind", kind);
}

static bool ends_in(const char *path, const char *name)
{
    size_t path_bytes = path ? strlen(path) : 0, name_bytes = strlen(name);
    return path_bytes >= name_bytes && strcmp(path + path_bytes - name_bytes, name) == 0 &&
           (path_bytes == name_bytes || path[path_bytes - name_bytes - 1] == '/');
}

static bool has_frame(const json_t *stack, const char *function, const char *file, int line)
{
    size_t i;
    json_t *frame;
    if (!function)
        return true;
    json_array_foreach(stack, i, frame)
    {
        if (text_is(frame, "function", function) &&
            (!file || ends_in(json_string_value(json_object_get(frame, "file")), file)) &&
            (line == 0 || json_integer_value(json_object_get(frame, "line")) == line))
            return true;
    }
    return false;
}

static bool group_shows(const json_t *group, const struct expected_group *expected)
{
    const json_t *task = json_array_get(json_object_get(group, "tasks"), 0);
    bool deadline = json_is_true(json_object_get(task, "deadline"));
    return text_is(group, "verdict", expected->verdict) && text_is(group, "kind", expected->kind) &&
           text_is(group, "op", expected->op) && text_is(group, "call", expected->call) &&
           object_is(json_object_get(group, "object"), expected->object_kind) &&
           text_is(group, "object.address", expected->object_address) &&
           text_is(task, "name", expected->task_name) &&
           (expected->deadline == ANY_DEADLINE ||
            deadline == (expected->deadline == WITH_DEADLINE)) &&
           (expected->count == 0 ||
            json_integer_value(json_object_get(group, "count")) == expected->count) &&
           has_frame(json_object_get(group, "wait_stack"), expected->wait_function,
                     expected->wait_file, expected->wait_line) &&
           has_frame(json_object_get(group, "spawn_stack"), expected->spawn_function,
                     expected->spawn_file, expected->spawn_line);
}

static const json_t *next_group(const json_t *json, const struct expected_group *expected,
                                size_t *next)
{
    const json_t *groups = json_object_get(json, "groups");
    while (*next < json_array_size(groups)) {
        const json_t *group = json_array_get(groups, (*next)++);
        if (group_shows(group, expected))
            return group;
    }
    return NULL;
}

const json_t *find_group(const json_t *json, const struct expected_group *expected)
{
    size_t next = 0;
    return next_group(json, expected, &next);
}

static void print_report(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1));
    fprintf(stderr, "the report:\n%s\n", text); /* CMocka would cut it */
    free(text);
}

static void print_expected(const struct expected_group *e)
{
#define TEXT(field) (e->field ? e->field : "any")
    fprintf(stderr,
            "expected: verdict %s, kind %s, op %s, call %s, object %s %s, count %lld "
            "(0: any), "
            "deadline %s, name %s,\n  at %s %s:%d,\n  by %s %s:%d\n",
            TEXT(verdict), TEXT(kind), TEXT(op), TEXT(call), TEXT(object_kind),
            TEXT(object_address), (long long)e->count,
            e->deadline == ANY_DEADLINE    ? "any"
            : e->deadline == WITH_DEADLINE ? "yes"
                                           : "no",
            TEXT(task_name), TEXT(wait_function), TEXT(wait_file), e->wait_line,
            TEXT(spawn_function), TEXT(spawn_file), e->spawn_line);
#undef TEXT
}

void assert_group(const json_t *json, const struct expected_group *expected)
{
    size_t next = 0, found = 0;
    while (next_group(json, expected, &next))
        found++;
    if (found != 1) {
        print_expected(expected);
        print_report(json);
    }
    assert_int_equal(found, 1);
}

size_t count_findings(const json_t *json)
{
    size_t i, findings = 0;
    json_t *group;
    assert_true(json_is_array(json_object_get(json, "groups")));
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        findings += !text_is(group, "verdict", "waiting");
    }
    return findings;
}

void assert_no_findings(const json_t *json)
{
    if (count_findings(json) != 0)
        print_report(json);
    assert_int_equal(count_findings(json), 0);
}

void assert_no_all_clear(const char *source)
{
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--exit-code", "--threshold", "1h", source), NULL);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), 2);
    outcome_deinit(&outcome);
}

void assert_silent(struct target *target)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    target_wait_walks(target, 2, 200);
    for (;;) {
        json_t *json = report(target->recording, "100ms", NULL);
        bool silent = count_findings(json) == 0;
        if (!silent && now_ms() > deadline_ms)
            assert_no_findings(json);
        json_decref(json);
        if (silent)
            return;
        sleep_ms(50);
    }
}

json_t *wait_for_group_in(const char *source, const char *threshold, const char *const options[],
                          const struct expected_group *expected)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (;;) {
        json_t *json = report(source, threshold, options);
        if (find_group(json, expected))
            return json;
        if (now_ms() > deadline_ms) {
            print_expected(expected);
            print_report(json);
            json_decref(json);
            fail_msg("no such group in %d ms", PATIENCE_MS);
        }
        json_decref(json);
        sleep_ms(20);
    }
}

json_t *wait_for_group(struct target *target, const char *threshold, const char *const options[],
                       const struct expected_group *expected)
{
    wait_for_recording(target->recording);
    return wait_for_group_in(target->recording, threshold, options, expected);
}

int go_minor(const json_t *json)
{
    size_t i;
    int minor = 0;
    json_t *runtime;
    json_array_foreach(json_at(json, "source.runtimes"), i, runtime)
    {
        sscanf(json_string_value(runtime), "go1.%d", &minor);
    }
    return minor;
}

void assert_case(const json_t *cases, size_t index, const char *op, bool nil)
{
    const json_t *one = json_array_get(cases, index);
    assert_string_equal(json_string_value(json_object_get(one, "op")), op);
    assert_int_equal(json_is_null(json_object_get(one, "address")), nil);
    if (!nil)
        assert_int_equal(json_integer_value(json_object_get(one, "capacity")), 0);
}

int line_of(const char *path, const char *mark)
{
    char full[512];
    int line = 1, found = 0;
    snprintf(full, sizeof full, "%s/%s", LEAKSPY_SOURCE_DIR, path);
    char *text = read_file(full);
    assert_non_null(text);
    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n', line++) {
        const char *mark_at = strstr(at, mark);
        if (mark_at && mark_at < at + strcspn(at, "\n")) {
            if (found)
                fail_msg("%s: \"%s\" is on lines %d and %d", path, mark, found, line);
            found = line;
        }
    }
    free(text);
    if (!found)
        fail_msg("%s: no line with \"%s\"", path, mark);
    return found;
}
