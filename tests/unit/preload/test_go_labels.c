/* pprof labels of goroutines, as the recording has them. */
#include <stdio.h>
#include <string.h>

#include "preload/goscan/scan.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

/* Memory of a program with one g, which has labels in a list of equal pairs. */
static struct {
    struct mem_reader reader;
    uint64_t g_labels;
    uint64_t pairs, key_bytes, value_bytes;
    char value[512];
} memory;

#define LABELS 0xc000900000
#define LABELS_OFFSET 352

static void read_memory(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    const uint64_t list[] = {LABELS + 0x100, memory.pairs};
    const uint64_t pair[] = {LABELS + 0x1000, memory.key_bytes, LABELS + 0x2000,
                             memory.value_bytes};
    const struct {
        uint64_t address;
        const void *bytes;
    } parts[] = {
        {LABELS, list},
        {LABELS + 0x100, pair},
        {LABELS + 0x1000, "key"},
        {LABELS + 0x2000, memory.value},
        {0xc000000000 + 42 * 448 + LABELS_OFFSET, &memory.g_labels},
    };
    (void)reader;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++)
            if (pieces[i].address == parts[k].address ||
                (parts[k].bytes == pair && pieces[i].bytes == sizeof(pair) &&
                 (pieces[i].address - parts[k].address) / sizeof(pair) < memory.pairs)) {
                memcpy(pieces[i].to, parts[k].bytes, pieces[i].bytes);
                pieces[i].ok = true;
            }
}

static struct go_goroutine labelled(void)
{
    struct go_goroutine it = here_parked(42, SEND);
    memory.reader.read = read_memory;
    strcpy(memory.value, "shop");
    memory.pairs = 1;
    memory.key_bytes = 3;
    memory.value_bytes = 4;
    here_scan.reader = &memory.reader;
    here_scan.minor = 24;
    here_scan.layout.g_labels = LABELS_OFFSET;
    it.labels = memory.g_labels = LABELS;
    return it;
}

static void assert_value(const char *value)
{
    const char *labels = recorder.strings + here_only_task()->labels;
    assert_int_not_equal(here_only_task()->labels, 0);
    assert_string_equal(labels, "key");
    assert_string_equal(labels + 4, value);
}

static void labels__of_one_that_ran__are_read_again(void **state)
{
    (void)state;
    struct go_goroutine it = labelled();
    here_look_at(&it, 1);
    assert_value("shop");
    strcpy(memory.value, "sold"); /* another map at the same address */
    here_look_at(&it, 1);
    assert_value("shop");
    here_run_again(&it);
    here_look_at(&it, 1);
    assert_value("sold");
}

static void labels__of_too_many_kinds__are_lost_once_each(void **state)
{
    const struct rec_table *strings = &recorder.header->tables[REC_TABLE_STRINGS - 1];
    (void)state;
    struct go_goroutine it = labelled();
    for (unsigned i = 0; i < 2 * 2060; i++) {
        snprintf(memory.value, sizeof(memory.value), "%04u", i % 2060);
        it.wait_number = 0x100 | (i & 0xff);
        here_look_at(&it, 1);
        if (i % 2060 < 2048)
            assert_value(memory.value);
        else
            assert_int_equal(here_only_task()->labels, 0);
    }
    assert_int_equal(strings->lost, 12);
}

static void labels__that_are_not_told_whole__are_lost_once_a_set(void **state)
{
    const struct rec_table *strings = &recorder.header->tables[REC_TABLE_STRINGS - 1];
    static const struct {
        const char *value;
        uint64_t pairs, key_bytes, value_bytes;
        uint32_t lost;
    } rows[] = {
        {"all", GO_MAX_LABELS, 3, 3, 0}, {"more", GO_MAX_LABELS + 1, 3, 4, 1},
        {"long", 1, 3, 255, 1},          {"cut", 1, 3, 256, 2},
        {"room", 20, 3, 255, 3},         {"no key", 1, 0, 6, 4},
    };
    (void)state;
    struct go_goroutine it = labelled();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        memset(memory.value, 'x', sizeof(memory.value));
        memcpy(memory.value, rows[i].value, strlen(rows[i].value));
        memory.pairs = rows[i].pairs;
        memory.key_bytes = rows[i].key_bytes;
        memory.value_bytes = rows[i].value_bytes;
        for (int look = 0; look < 2; look++) {
            it.wait_number++; /* it ran */
            here_look_at(&it, 1);
            assert_int_equal(strings->lost, rows[i].lost);
            assert_int_equal(here_only_task()->labels != 0, rows[i].key_bytes > 0);
        }
    }
}

static void labels__that_it_has_no_more__are_not_told(void **state)
{
    (void)state;
    struct go_goroutine it = labelled();
    memory.g_labels = 0; /* since the scan was there */
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->labels, 0);
    memory.g_labels = LABELS;
    here_look_at(&it, 1);
    assert_value("shop");
}

static void
labels__not_told_whole_of_one_that_has_them_no_more__are_lost_with_the_next(void **state)
{
    const struct rec_table *strings = &recorder.header->tables[REC_TABLE_STRINGS - 1];
    (void)state;
    struct go_goroutine it = labelled();
    memory.pairs = GO_MAX_LABELS + 1;
    memory.g_labels = 0;
    here_look_at(&it, 1);
    assert_int_equal(strings->lost, 0);
    memory.g_labels = LABELS;
    here_look_at(&it, 1);
    assert_int_equal(strings->lost, 1);
    assert_value("shop");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(labels__of_one_that_ran__are_read_again),
        TEST(labels__of_too_many_kinds__are_lost_once_each),
        TEST(labels__that_are_not_told_whole__are_lost_once_a_set),
        TEST(labels__that_it_has_no_more__are_not_told),
        TEST(labels__not_told_whole_of_one_that_has_them_no_more__are_lost_with_the_next),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
