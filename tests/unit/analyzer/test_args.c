/* Durations, sizes and counts of the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "analyzer/args.h"
#include "preload/text.h"

static void assert_duration(const char *text, int64_t expected_ns)
{
    struct err err = {0};
    int64_t got = -1;
    if (!args_duration("--threshold", text, &got, &err))
        fail_msg("'%s' is refused: %s", text, err.why);
    assert_int_equal(got, expected_ns);
}

static void assert_no_duration(const char *text)
{
    struct err err = {0};
    int64_t got;
    if (args_duration("--threshold", text, &got, &err))
        fail_msg("'%s' is read as %lld ns", text, (long long)got);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_string_equal(err.what, "--threshold");
}

static void duration__units__read(void **state)
{
    (void)state;
    assert_duration("0", 0);
    assert_duration("0s", 0);
    assert_duration("10s", INT64_C(10000000000));
    assert_duration("500ms", 500000000);
    assert_duration("2m", INT64_C(120000000000));
    assert_duration("1h", INT64_C(3600000000000));
    assert_duration("1d", INT64_C(86400000000000));
    assert_duration("7us", 7000);
    assert_duration("7ns", 7);
    assert_duration("5", INT64_C(5000000000));
}

static void duration__fractions_and_sums__read(void **state)
{
    (void)state;
    assert_duration("1.5s", 1500000000);
    assert_duration(".5s", 500000000);
    assert_duration("0.000000001s", 1);
    assert_duration("1h30m", INT64_C(5400000000000));
    assert_duration("9223372036854775807ns", INT64_MAX);
}

static void duration__nonsense__is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "s",
        "-1s",
        "+1s",
        "1 s",
        "10x",
        "1.2.3s",
        "1e3s",
        "0x10",
        "ten",
        "1s ",
        "1m5",
        ".",
        ".s",
        "1S",
        "inf",
        "nan",
        "10s;",
        "--5s",
        "1,5s",
        "٣s",
        "9223372036854775808ns",
        "300y",
        "106752d",
        "99999999999999999999999s",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_no_duration(texts[i]);
}

static void size__units__read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"0", 0},          {"4096", 4096},
                {"64K", 65536},    {"1.5G", 1610612736},
                {"2MiB", 2097152}, {"1T", UINT64_C(1) << 40},
                {"12B", 12}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got = 1;
        assert_true(args_size("--size", rows[i].text, &got, NULL));
        assert_int_equal(got, rows[i].bytes);
    }
    static const char *const bad[] = {"", "K", "-1", "1Q", "1 K", "1KB2", "99999999999T"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t got;
        struct err err = {0};
        if (args_size("--size", bad[i], &got, &err))
            fail_msg("'%s' is read as %llu", bad[i], (unsigned long long)got);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void count__digits_alone__read(void **state)
{
    (void)state;
    uint64_t got;
    struct err err = {0};
    assert_true(args_count("--min-count", "12", 1, &got, &err));
    assert_int_equal(got, 12);
    assert_true(args_count("--min-count", "9223372036854775807", 1, &got, &err));
    assert_int_equal(got, INT64_MAX);
    static const char *const bad[] = {"", "-1", "1.5", "0x1", "1k", " 1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(args_count("--min-count", bad[i], 0, &got, &err));
    assert_false(args_count("--min-count", "0", 1, &got, &err));
    assert_string_equal(err.why, "'0' is less than 1");
}

static void assert_library_reads_the_same(const char *text)
{
    int64_t ours = -1;
    uint64_t library = 0;
    bool good = args_duration("--threshold", text, &ours, NULL);
    if (text_parse_duration(text, &library) != good)
        fail_msg("'%s' is %s", text, good ? "refused by the library" : "read by the library");
    if (good && library != (uint64_t)ours)
        fail_msg("'%s' is %lld ns, and to the library %llu", text, (long long)ours,
                 (unsigned long long)library);
}

/* All words of up to five letters, of what durations are written with; and larger numbers. */
static void duration__preload_library__reads_the_same(void **state)
{
    (void)state;
    static const char letters[] = "019.nusmhdx";
    static const char *const texts[] = {
        "0.000000001s",
        "1.000000019s",
        "1.5h30m0.25s",
        "9223372036854775807ns",
        "9223372036854775808ns",
        "18446744073709551616ns",
        "99999999999999999999s",
        "9223372036s854775807ns",
        "9223372036s854775808ns",
        "106751d",
        "106752d",
        "2562047h47m16.854775807s",
        "0.5ns",
        "1.9999us",
        "1m5.",
        "1m.5",
        " 1s",
        "-1s",
        "100000000000000.5d",
        "0.123456789m",
        "1s 500ms",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_library_reads_the_same(texts[i]);
    const size_t count = strlen(letters);
    for (size_t length = 0, words = 1; length <= 5; length++, words *= count) {
        for (size_t word = 0; word < words; word++) {
            char text[6] = "";
            for (size_t at = 0, rest = word; at < length; at++, rest /= count)
                text[at] = letters[rest % count];
            assert_library_reads_the_same(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duration__units__read),
        cmocka_unit_test(duration__fractions_and_sums__read),
        cmocka_unit_test(duration__nonsense__is_refused),
        cmocka_unit_test(duration__preload_library__reads_the_same),
        cmocka_unit_test(size__units__read),
        cmocka_unit_test(count__digits_alone__read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
