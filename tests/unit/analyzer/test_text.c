/* Text from somebody else, made harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/base/text.h"

static void assert_printable(const char *from, const char *expected)
{
    char *got = text_printable_dup(from);
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

static void printable__plain_and_utf8__kept(void **state)
{
    (void)state;
    assert_printable("", "");
    assert_printable("worker 1", "worker 1");
    assert_printable("Gärtner €𝄞", "Gärtner €𝄞");
}

static void printable__what_a_terminal_obeys__escaped(void **state)
{
    (void)state;
    assert_printable("a\033[2Jb", "a\\x1b[2Jb");
    assert_printable("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f");
    assert_printable("\xc2\x9b"
                     "2J",
                     "\\xc2\\x9b2J"); /* CSI as a C1 control */
    assert_printable(
        "a\u202eb\u2066\u2028\u200f\u061c\u2030",
        "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6\\xe2\\x80\\xa8\\xe2\\x80\\x8f\\xd8\\x9c\u2030");
}

static void printable__invalid_utf8__escaped(void **state)
{
    (void)state;
    assert_printable("a\xff\xfe", "a\\xff\\xfe");
    assert_printable("\xc0\xaf", "\\xc0\\xaf");          /* overlong */
    assert_printable("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
    assert_printable("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    assert_printable("a\xe2\x82", "a\\xe2\\x82"); /* cut short */
}

static void printable__too_long__cut_between_characters(void **state)
{
    (void)state;
    char to[6];
    assert_string_equal(text_printable("abcdefgh", to, sizeof(to)), "abcde");
    assert_string_equal(text_printable("abcd\xc3\xa4", to, sizeof(to)), "abcd");
    assert_string_equal(text_printable("ab\001", to, sizeof(to)), "ab");
}

static void utf8__invalid_bytes__replaced(void **state)
{
    (void)state;
    char *got = text_utf8_dup("a\xff"
                              "b\0c",
                              5);
    assert_string_equal(got, "a\xef\xbf\xbd"
                             "b\xef\xbf\xbd"
                             "c");
    free(got);
}

static void duration__said_shortly(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {1, "1ns"},
        {1500, "1.5us"},
        {350000000, "350ms"},
        {1900000000, "1.9s"},
        {12000000000, "12s"},
        {12900000000, "12s"},
        {60000000000, "1m"},
        {125000000000, "2m 5s"},
        {11400000000000, "3h 10m"},
        {90000000000000, "1d 1h"},
        {INT64_MAX, "106751d 23h"},
        {-1, "unknown time"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char to[32];
        assert_string_equal(text_duration(rows[i].ns, to), rows[i].text);
    }
}

static void time__rfc3339_in_utc(void **state)
{
    (void)state;
    char to[40];
    assert_string_equal(text_rfc3339(INT64_C(1795000000123000000), to), "2026-11-18T11:06:40.123Z");
    assert_string_equal(text_rfc3339(0, to), "1970-01-01T00:00:00.000Z");
    assert_string_equal(text_rfc3339(-1, to), "1969-12-31T23:59:59.999Z");
}

static void path_of_a_removed_file__is_without_what_the_kernel_says(void **state)
{
    static const struct {
        const char *path;
        size_t bytes;
    } rows[] = {
        {"/lib/x.so (deleted)", 9},
        {"/lib/x.so", 9},
        {"/a (deleted) (deleted)", 12},
        {" (deleted)", 10},
        {"/ (deleted)", 1},
        {"[stack] (deleted)", 17},
        {"", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(text_undeleted(rows[i].path), rows[i].bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable__plain_and_utf8__kept),
        cmocka_unit_test(printable__what_a_terminal_obeys__escaped),
        cmocka_unit_test(printable__invalid_utf8__escaped),
        cmocka_unit_test(printable__too_long__cut_between_characters),
        cmocka_unit_test(utf8__invalid_bytes__replaced),
        cmocka_unit_test(duration__said_shortly),
        cmocka_unit_test(time__rfc3339_in_utc),
        cmocka_unit_test(path_of_a_removed_file__is_without_what_the_kernel_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
