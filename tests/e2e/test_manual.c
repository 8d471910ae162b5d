/* The manual page says what the command does: it has every option that the command's own help has,
 * every field of the JSON, and every kind of object. */
#include "tests/e2e/harness.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/recording.h"

static char *manual; /* without escapes */

/* Drops what troff reads as orders: "\-" is "-", "\fI" is nothing. */
static int read_manual(void **state)
{
    (void)state;
    manual = read_file(LEAKSPY_SOURCE_DIR "/analyzer/leakspy.1");
    assert_non_null(manual);
    char *to = manual;
    for (const char *from = manual; *from; from++) {
        if (strncmp(from, "\\f", 2) == 0 && from[2])
            from += 2;
        else if (*from != '\\')
            *to++ = *from;
    }
    *to = '\0';
    return 0;
}

static int free_manual(void **state)
{
    (void)state;
    free(manual);
    return 0;
}

static bool is_part_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Whether the page has a word, not as a part of another one. A line's end is a space. */
static bool has_word(const char *word)
{
    size_t length = strlen(word);
    for (const char *at = manual; (at = strchr(at, word[0])) != NULL; at++) {
        size_t same = 0;
        while (same < length && (at[same] == word[same] || (at[same] == '\n' && word[same] == ' ')))
            same++;
        if (same == length && (at == manual || !is_part_of_word(at[-1])) &&
            !is_part_of_word(at[length]))
            return true;
    }
    return false;
}

static void assert_word(const char *word)
{
    if (!has_word(word))
        fail_msg("analyzer/leakspy.1 does not have '%s'", word);
}

static void manual__has_every_option_of_the_help(void **state)
{
    static const char *const commands[] = {"run", "report", "list", "dump", "help", "version"};
    (void)state;
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(commands); i++) {
        struct outcome help = run_program(false, LIST(LEAKSPY_COMMAND, "help", commands[i]), NULL);
        assert_int_equal(help.status, 0);
        for (const char *at = help.out; (at = strstr(at, "--")) != NULL; count++) {
            char option[32] = "--";
            for (at += 2; is_part_of_word(*at) && strlen(option) < sizeof option - 1; at++)
                option[strlen(option)] = *at;
            if (option[2])
                assert_word(option);
        }
        outcome_deinit(&help);
    }
    assert_true(count > 10);
    assert_word("--help");
    assert_word("--version");
}

/* Looks for the names of all fields; those of labels are the program's. */
static void assert_fields(const json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)json, key, value)
    {
        assert_word(key);
        if (strcmp(key, "labels") != 0)
            assert_fields(value);
    }
    if (json_is_array(json))
        json_array_foreach(json, i, value) assert_fields(value);
}

static void manual__has_every_field_of_the_json(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(LEAKSPY_SAMPLES "/select_no_live_case"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "60ms", LIST("--all"),
                                  &(struct expected_group){.op = "select", .verdict = "stuck"});
    assert_fields(json);
    json_decref(json);
    struct outcome list = run_program(false, LIST(LEAKSPY_COMMAND, "list", "--format=json"), NULL);
    json = json_loads(list.out, 0, NULL);
    assert_non_null(json);
    assert_true(json_array_size(json_object_get(json, "recordings")) > 0);
    assert_fields(json);
    json_decref(json);
    outcome_deinit(&list);
}

static void manual__has_every_kind_of_object_and_task(void **state)
{
    static const char *const kinds[] = {
#define X(name, number, text) text,
        REC_OBJECTS(X) REC_KINDS(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(kinds); i++)
        if (strcmp(kinds[i], "none") != 0)
            assert_word(kinds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manual__has_every_option_of_the_help),
        cmocka_unit_test_teardown(manual__has_every_field_of_the_json, end_all_targets),
        cmocka_unit_test(manual__has_every_kind_of_object_and_task),
    };
    return cmocka_run_group_tests(tests, read_manual, free_manual);
}
