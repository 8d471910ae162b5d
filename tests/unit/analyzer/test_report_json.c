/* Reports as JSON, against their contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "analyzer/report/report.h"
#include "tests/unit/analyzer/recording_builder.h"
#include "tests/unit/analyzer/reported.h"

/* The contract: each key of an object, and the types it may have (i int, s string, n null, b bool,
 * a array, o object). */
struct key {
    const char *name, *types;
};

static char type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return 'o';
    case JSON_ARRAY:
        return 'a';
    case JSON_STRING:
        return 's';
    case JSON_INTEGER:
        return 'i';
    case JSON_TRUE:
    case JSON_FALSE:
        return 'b';
    case JSON_NULL:
        return 'n';
    default:
        return '?';
    }
}

static void assert_keys(const json_t *object, const char *what, const struct key *keys)
{
    for (; keys->name; keys++) {
        const json_t *value = json_object_get(object, keys->name);
        if (!value)
            fail_msg("%s has no %s", what, keys->name);
        if (!strchr(keys->types, type_of(value)))
            fail_msg("%s.%s has type %c, not one of %s", what, keys->name, type_of(value),
                     keys->types);
    }
}

static const struct key top_keys[] = {{"schema", "s"}, {"source", "o"}, {"threshold_ns", "i"},
                                      {"totals", "o"}, {"groups", "a"}, {NULL, NULL}};
static const struct key source_keys[] = {
    {"kind", "s"},    {"path", "sn"},      {"pid", "i"},        {"exe", "s"},
    {"cmdline", "a"}, {"runtimes", "a"},   {"started", "sn"},   {"taken", "s"},
    {"end", "s"},     {"exit_code", "in"}, {"last_walk", "sn"}, {NULL, NULL}};
static const struct key totals_keys[] = {
    {"tasks", "i"},    {"running", "i"},   {"parked", "i"}, {"past_threshold", "i"},
    {"spawned", "in"}, {"finished", "in"}, {"lost", "i"},   {NULL, NULL}};
static const struct key group_keys[] = {
    {"verdict", "s"},    {"evidence", "a"},    {"kind", "s"},       {"op", "s"},
    {"count", "i"},      {"oldest_ns", "in"},  {"newest_ns", "in"}, {"object", "on"},
    {"wait_stack", "a"}, {"spawn_stack", "a"}, {"tasks", "a"},      {"tasks_omitted", "i"},
    {NULL, NULL}};
static const struct key object_keys[] = {
    {"kind", "s"},         {"address", "s"},     {"capacity", "in"}, {"length", "in"},
    {"closed", "bn"},      {"owner_task", "in"}, {"senders", "in"},  {"receivers", "in"},
    {"joined_task", "in"}, {"counter", "in"},    {"locked", "bn"},   {"readers", "in"},
    {NULL, NULL}};
static const struct key task_keys[] = {{"id", "i"},         {"os_tid", "in"},  {"name", "sn"},
                                       {"parked_ns", "in"}, {"deadline", "b"}, {"labels", "o"},
                                       {NULL, NULL}};
static const struct key frame_keys[] = {{"pc", "s"},        {"function", "sn"}, {"file", "sn"},
                                        {"line", "in"},     {"inlined", "b"},   {"module", "sn"},
                                        {"build_id", "sn"}, {"offset", "s"},    {NULL, NULL}};

static void assert_contract(const json_t *json)
{
    assert_keys(json, "report", top_keys);
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "leakspy-report/1");
    assert_keys(json_object_get(json, "source"), "source", source_keys);
    assert_keys(json_object_get(json, "totals"), "totals", totals_keys);
    size_t i, k;
    json_t *group, *task, *frame;
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        assert_keys(group, "group", group_keys);
        const json_t *object = json_object_get(group, "object");
        if (json_is_object(object))
            assert_keys(object, "object", object_keys);
        const json_t *tasks = json_object_get(group, "tasks");
        json_array_foreach(tasks, k, task)
        {
            const json_t *own = json_object_get(task, "object");
            assert_keys(task, "task", task_keys);
            assert_int_equal(own != NULL, json_is_null(object));
            if (json_is_object(own))
                assert_keys(own, "object of a task", object_keys);
        }
        assert_int_equal(json_array_size(tasks) +
                             json_integer_value(json_object_get(group, "tasks_omitted")),
                         json_integer_value(json_object_get(group, "count")));
        json_array_foreach(json_object_get(group, "wait_stack"), k, frame)
        {
            assert_keys(frame, "frame", frame_keys);
        }
    }
}

static const char *string_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_string(value))
        fail_msg("%s is no string", key);
    return json_string_value(value);
}

static json_int_t integer_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value))
        fail_msg("%s is no integer", key);
    return json_integer_value(value);
}

static void json__keeps_the_contract(void **state)
{
    (void)state;
    struct report_options options = usual;
    options.all = true;
    json_t *json = write_json(build_leak(), &options, 3);
    assert_contract(json);

    const json_t *source = json_object_get(json, "source");
    assert_string_equal(string_at(source, "kind"), "recording");
    assert_string_equal(string_at(source, "end"), "vanished");
    assert_string_equal(string_at(source, "started"), "2026-11-18T11:06:40.000Z");
    assert_string_equal(string_at(source, "taken"), "2026-11-18T11:08:20.000Z");
    assert_int_equal(json_array_size(json_object_get(source, "cmdline")), 2);
    assert_true(json_is_null(json_object_get(source, "exit_code")));

    const json_t *totals = json_object_get(json, "totals");
    assert_int_equal(integer_at(totals, "tasks"), 8);
    assert_int_equal(integer_at(totals, "running"), 1);
    assert_int_equal(integer_at(totals, "parked"), 7);
    assert_int_equal(integer_at(totals, "past_threshold"), 6);
    assert_int_equal(integer_at(totals, "lost"), 0);

    const json_t *groups = json_object_get(json, "groups");
    assert_int_equal(json_array_size(groups), 3);
    const json_t *group = json_array_get(groups, 0);
    assert_string_equal(string_at(group, "verdict"), "stuck");
    assert_string_equal(string_at(group, "kind"), "task");
    assert_string_equal(string_at(group, "op"), "chan send");
    assert_string_equal(string_at(group, "call"), "taskrt_send");
    assert_int_equal(integer_at(group, "count"), 5);
    assert_int_equal(integer_at(group, "oldest_ns"), 92 * SECOND);
    assert_int_equal(integer_at(group, "newest_ns"), 12 * SECOND);
    assert_int_equal(integer_at(group, "tasks_omitted"), 2);
    const json_t *object = json_object_get(group, "object");
    assert_string_equal(string_at(object, "kind"), "channel");
    assert_string_equal(string_at(object, "address"), "0x500");
    assert_int_equal(integer_at(object, "capacity"), 0);
    assert_int_equal(integer_at(object, "length"), 0);
    assert_true(json_is_false(json_object_get(object, "closed")));
    assert_true(json_is_null(json_object_get(object, "owner_task")));
    assert_int_equal(integer_at(object, "senders"), 5);
    assert_int_equal(integer_at(object, "receivers"), 0);

    const json_t *frame = json_array_get(json_object_get(group, "wait_stack"), 1);
    assert_string_equal(string_at(frame, "pc"), "0x10020");
    assert_string_equal(string_at(frame, "function"), "sum");
    assert_string_equal(string_at(frame, "module"), "/nowhere/app");
    assert_string_equal(string_at(frame, "build_id"), "deadbeef");
    assert_string_equal(string_at(frame, "offset"), "0x20");
    const json_t *task = json_array_get(json_object_get(group, "tasks"), 0);
    assert_int_equal(integer_at(task, "id"), 5);
    assert_true(json_is_null(json_object_get(task, "os_tid")));
    assert_string_equal(string_at(task, "name"), "sum");

    group = json_array_get(groups, 1);
    assert_int_equal(integer_at(json_object_get(group, "object"), "owner_task"), 6);
    assert_true(json_is_null(json_object_get(json_object_get(group, "object"), "capacity")));
    group = json_array_get(groups, 2);
    assert_string_equal(string_at(group, "verdict"), "waiting");
    assert_true(json_is_null(json_object_get(group, "object")));
    json_decref(json);
}

/* What the report says of a thread that joins the one with this handle; 0: the first thread. */
static json_t *write_join(uint64_t handle)
{
    struct builder *b = recording_builder_create();
    const struct rec_task *worker = builder_thread(b, "worker");
    builder_park(b, builder_thread(b, "main"), "pthread_join", REC_OP_THREAD_JOIN,
                 handle ? handle : worker->handle, 30 * SECOND, 0);
    struct report_options options = usual;
    options.all = true; /* who joins one that runs waits as expected */
    return write_json(b, &options, 100);
}

static void json__join__says_which_task_is_joined(void **state)
{
    (void)state;
    for (uint64_t handle = 0; handle < 2; handle++) {
        json_t *json = write_join(handle);
        assert_contract(json);
        const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
        const json_t *object = json_object_get(group, "object");
        assert_string_equal(string_at(object, "kind"), "thread");
        assert_true(json_is_null(json_object_get(object, "owner_task")));
        if (handle)
            assert_true(json_is_null(json_object_get(object, "joined_task")));
        else
            assert_int_equal(integer_at(object, "joined_task"), 1);
        json_decref(json);
    }
}

static void json__different_objects__stand_with_the_tasks(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (unsigned i = 0; i < 2; i++)
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500 + i, 30 * SECOND,
                     0);
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_true(json_is_null(json_object_get(group, "object")));
    size_t i;
    json_t *task;
    json_array_foreach(json_object_get(group, "tasks"), i, task)
    {
        const json_t *object = json_object_get(task, "object");
        assert_keys(object, "object", object_keys);
        assert_string_equal(string_at(object, "kind"), "semaphore");
        assert_string_equal(string_at(object, "address"), i ? "0x501" : "0x500");
    }
    json_decref(json);
}

static void json__select__has_its_cases(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_TASK, "c");
    builder_park(b, task, "taskrt_select", REC_OP_SELECT, 0, 30 * SECOND, 0);
    uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0x600);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0);
    builder_select(task, first, 2);
    task->arg = 5; /* and three more */
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    const json_t *one = json_array_get(json_object_get(group, "tasks"), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "cases_omitted")), 3);
    const json_t *cases = json_object_get(one, "cases");
    assert_int_equal(json_array_size(cases), 2);
    assert_string_equal(string_at(json_array_get(cases, 0), "op"), "chan send");
    assert_string_equal(string_at(json_array_get(cases, 0), "address"), "0x600");
    assert_true(json_is_null(json_object_get(json_array_get(cases, 1), "address")));
    json_decref(json);
}

/* Of channels of which each has one who waits, those on the other side are counted. */
static void json__different_channels__say_who_is_on_the_other_side(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (uint64_t channel = 0x600; channel <= 0x700; channel += 0x100) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "s");
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, channel, 30 * SECOND, 0);
        builder_channel(task, 0, 0);
    }
    struct rec_task *other = builder_task(b, REC_KIND_TASK, "r");
    builder_park(b, other, "taskrt_receive", REC_OP_CHAN_RECEIVE, 0x700, 0, 0);
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    const json_t *tasks = json_object_get(group, "tasks");
    assert_int_equal(json_array_size(tasks), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *object = json_object_get(json_array_get(tasks, i), "object");
        assert_true(json_is_null(json_object_get(object, "senders")));
        assert_int_equal(integer_at(object, "receivers"),
                         strcmp(string_at(object, "address"), "0x700") == 0);
    }
    json_decref(json);
}

static void json__nobody_looked_lately__a_note(void **state)
{
    (void)state;
    json_t *json = write_json(build_unwatched(-1), &usual, 100);
    assert_contract(json);
    assert_true(json_is_null(json_object_get(json_object_get(json, "source"), "last_walk")));
    const json_t *note = json_array_get(json_object_get(json, "notes"), 0);
    assert_string_equal(string_at(note, "path"), builder_path("report.rec"));
    assert_non_null(strstr(string_at(note, "note"), "nobody has looked at its tasks yet"));
    json_decref(json);

    json = write_json(build_leak(), &usual, 100);
    assert_string_equal(string_at(json_object_get(json, "source"), "last_walk"),
                        "2026-11-18T11:08:20.000Z");
    json_decref(json);
}

static void json__names_that_are_no_utf8__still_json(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w\xff\xfe\033"), "sem_wait", REC_OP_SEM_WAIT, 0x500,
                 30 * SECOND, 0);
    builder_header(b)->exe = builder_string(b, "/opt/\xc3(");
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    assert_string_equal(string_at(json_object_get(json, "source"), "exe"), "/opt/\xef\xbf\xbd(");
    json_decref(json);
}

static void json__unknown_age__null(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_thread(b, "early")->state = REC_TASK_FINISHED;
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_string_equal(string_at(group, "verdict"), "unjoined");
    assert_true(json_is_null(json_object_get(group, "oldest_ns")));
    assert_int_equal(json_array_size(json_object_get(group, "wait_stack")), 0);
    json_decref(json);
}

static void json__sites_in_a_file_that_was_loaded_again__one_group(void **state)
{
    static const char *const paths[] = {"/nowhere/plugin.so", "/nowhere/plugin.so",
                                        "/nowhere/other.so"};
    (void)state;
    struct builder *b = recording_builder_create();
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t start = 0x10000 * (i + 1);
        builder_module(b, paths[i], start, start + 0x1000);
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 20 * SECOND,
                     builder_site(b, (uint64_t[]){start + 0x10}, 1));
    }
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *groups = json_object_get(json, "groups");
    assert_int_equal(json_array_size(groups), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(groups, 0), "count")), 2);
    json_decref(json);
}

/* Sizes as they come: nothing grows faster than the number of tasks. */
static void many_tasks__one_group_with_few_of_them_listed(void **state)
{
    (void)state;
    struct builder *b = builder_create_for(20000);
    uint32_t site = builder_site(b, (uint64_t[]){0x10}, 1);
    for (unsigned i = 0; i < 20000; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "t");
        task->spawn_site = site;
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500 + 16 * i, 20 * SECOND + i,
                     site);
        builder_channel(task, 0, 0);
    }
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    assert_int_equal(json_array_size(json_object_get(json, "groups")), 1);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_int_equal(integer_at(group, "count"), 20000);
    assert_int_equal(integer_at(group, "tasks_omitted"), 19900);
    assert_int_equal(integer_at(json_array_get(json_object_get(group, "tasks"), 0), "id"), 20000);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json__keeps_the_contract),
        cmocka_unit_test(json__join__says_which_task_is_joined),
        cmocka_unit_test(json__different_objects__stand_with_the_tasks),
        cmocka_unit_test(json__select__has_its_cases),
        cmocka_unit_test(json__different_channels__say_who_is_on_the_other_side),
        cmocka_unit_test(json__nobody_looked_lately__a_note),
        cmocka_unit_test(json__names_that_are_no_utf8__still_json),
        cmocka_unit_test(json__unknown_age__null),
        cmocka_unit_test(json__sites_in_a_file_that_was_loaded_again__one_group),
        cmocka_unit_test(many_tasks__one_group_with_few_of_them_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
