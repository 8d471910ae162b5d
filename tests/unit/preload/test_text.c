/* Text without libc: numbers both ways, lines, and what does not fit. */
#include <string.h>

#include "preload/text.h"
#include "tests/unit/preload/recording_here.h"

static const struct {
    uint64_t number;
    const char *text;
} numbers[] = {
    {0, "0"},           {7, "7"},
    {10, "10"},         {4294967296, "4294967296"},
    {100000, "100000"}, {UINT64_MAX, "18446744073709551615"},
};

static void numbers__written__are_decimal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char room[32] = "";
        struct text text = {.at = room, .room = sizeof(room)};
        text_number(&text, numbers[i].number);
        assert_string_equal(room, numbers[i].text);
        assert_int_equal(text.room, sizeof(room) - strlen(numbers[i].text));
    }
}

/* Every room from nothing to enough: a prefix, one NUL, and nothing written behind. */
static void text__in_every_room__is_cut_and_terminated(void **state)
{
    static const char whole[] = "leakspy-1234567890.rec";
    (void)state;
    for (size_t bytes = 1; bytes <= sizeof(whole) + 2; bytes++) {
        char room[64];
        memset(room, '#', sizeof(room));
        room[0] = '\0';
        struct text text = {.at = room, .room = bytes};
        text_string(&text, "leakspy");
        text_char(&text, '-');
        text_number(&text, 1234567890);
        text_string(&text, ".rec");
        size_t kept = bytes - 1 < sizeof(whole) - 1 ? bytes - 1 : sizeof(whole) - 1;
        assert_int_equal(strlen(room), kept);
        assert_memory_equal(room, whole, kept);
        for (size_t i = kept + 1; i < sizeof(room); i++)
            assert_int_equal(room[i], '#');
    }
}

static void no_room_at_all__nothing_is_written(void **state)
{
    char room[2] = "#";
    struct text text = {.at = room, .room = 0};
    (void)state;
    text_string(&text, "x");
    assert_string_equal(room, "#");
}

static const struct {
    const char *text;
    bool good;
    uint64_t number;
    size_t used;
} parses[] = {
    {"0", true, 0, 1},
    {"42ms", true, 42, 2},
    {"007", true, 7, 3},
    {"", false, 0, 0},
    {"-1", false, 0, 0},
    {" 1", false, 0, 0},
    {"ms", false, 0, 0},
    {"1844674407370955160", true, 1844674407370955160, 19},
    {"99999999999999999999", false, 0, 0},
    {"184467440737095516150", false, 0, 0},
};

static void numbers__read__stop_at_the_first_other_character(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(parses) / sizeof(*parses); i++) {
        const char *at = parses[i].text;
        uint64_t number = 1;
        assert_int_equal(text_parse_number(&at, &number), parses[i].good);
        if (!parses[i].good)
            continue;
        assert_int_equal(number, parses[i].number);
        assert_int_equal(at - parses[i].text, parses[i].used);
    }
}

static const struct {
    const char *text;
    const char *name;
    const char *found; /* NULL: there is none */
} lines[] = {
    {"Name:\tx\nUid:\t1\t2\n", "Uid", "1\t2"},
    {"\nA: \t 7 \nB:8\n", "A", "7 "},
    {"\nA:7\nB:8\n", "B", "8"},
    {"\nGroups:\t \nNStgid:\t1\n", "Groups", ""},
    {"\nNStgid:\t1\n", "NS", NULL},
    {"Uid:\t1\n", "Uid", NULL},
    {"\nUid:\t1", "Uid", NULL},
};

static void lines__of_a_name__begin_behind_its_blanks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        size_t bytes = 1;
        const char *at = text_line(lines[i].text, lines[i].name, &bytes);
        assert_int_equal(at != NULL, lines[i].found != NULL);
        assert_int_equal(bytes, lines[i].found != NULL ? strlen(lines[i].found) : 0);
        if (at != NULL)
            assert_memory_equal(at, lines[i].found, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers__written__are_decimal),
        cmocka_unit_test(text__in_every_room__is_cut_and_terminated),
        cmocka_unit_test(no_room_at_all__nothing_is_written),
        cmocka_unit_test(numbers__read__stop_at_the_first_other_character),
        cmocka_unit_test(lines__of_a_name__begin_behind_its_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
