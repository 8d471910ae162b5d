/* pprof labels of goroutines, as the recording has them. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/go_record.h"
#include "preload/goscan/scan.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

/* Memory of a program whose goroutines have labels in lists of equal pairs: each in another one, as
 * far from that of the first as its number is. */
static struct {
    struct mem_reader reader;
    uint64_t g_labels; /* of the first */
    uint64_t pairs, key_bytes, value_bytes;
    char value[512];
} memory;

#define LABELS 0xc000900000
#define LISTS 0xc000a00000
#define LISTS_END 0xc000b00000
#define LIST_BYTES 16
#define LABELS_OFFSET 352
#define FIRST 42
#define MANY 1500 /* more than are read in one scan */

/* What a goroutine's g says, if it is asked for that. */
static bool find_labels(uint64_t address, uint64_t *ret)
{
    const uint64_t first = here_parked(FIRST, SEND).g + LABELS_OFFSET;
    const uint64_t bytes = here_parked(FIRST + 1, SEND).g + LABELS_OFFSET - first;
    uint64_t number = (address - first) / bytes;
    if (address < first || number >= MANY || (address - first) % bytes != 0)
        return false;
    *ret = memory.g_labels + number * LIST_BYTES;
    return true;
}

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
    };
    (void)reader;
    for (size_t i = 0; i < count; i++) {
        uint64_t labels;
        if (find_labels(pieces[i].address, &labels)) {
            memcpy(pieces[i].to, &labels, sizeof(labels));
            pieces[i].ok = true;
        } else if (pieces[i].address >= LISTS && pieces[i].address < LISTS_END) {
            memcpy(pieces[i].to, list, pieces[i].bytes);
            pieces[i].ok = true;
        }
        for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++)
            if (pieces[i].address == parts[k].address ||
                (parts[k].bytes == pair && pieces[i].bytes == sizeof(pair) &&
                 (pieces[i].address - parts[k].address) / sizeof(pair) < memory.pairs)) {
                memcpy(pieces[i].to, parts[k].bytes, pieces[i].bytes);
                pieces[i].ok = true;
            }
    }
}

static struct go_goroutine labelled(void)
{
    struct go_goroutine it = here_parked(FIRST, SEND);
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

static uint64_t labels_at_touch;

static void look_at_labels(void)
{
    labels_at_touch = here_only_task()->labels;
}

/* The stack is read for what is told of the wait. */
static void labels__of_another_address__are_not_told_of_its_next_wait(void **state)
{
    (void)state;
    struct go_goroutine it = labelled();
    here_look_at(&it, 1);
    assert_value("shop");
    uint32_t gen = here_only_task()->gen;
    struct go_stack *stack =
        mmap(NULL, sizeof(*stack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stack, MAP_FAILED);
    *stack = here_stack;
    it.stack = stack;
    it.labels = memory.g_labels = LISTS;
    strcpy(memory.value, "sold");
    here_run_again(&it);
    labels_at_touch = 1;
    here_watch_page(stack, PROT_NONE, look_at_labels);
    go_record_begin(here_now_ns += 1000000); /* a scan that is stopped */
    assert_true(go_record_visit(&it, &here_scan));
    assert_int_equal(labels_at_touch, 0);
    assert_int_not_equal(here_only_task()->gen, gen);
    assert_int_equal(here_only_task()->labels, 0);
    here_look_at(&it, 1);
    assert_value("sold");
    munmap(stack, sizeof(*stack));
}

static int open_for_many(void **state)
{
    (void)state;
    return here_open_go_for(MANY + 10);
}

static uint32_t count_labelled(void)
{
    uint32_t count = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        count += recorder.tasks[row].labels != 0;
    return count;
}

static void labels__of_more_than_are_read_in_a_scan__have_their_turns(void **state)
{
    static struct go_goroutine all[MANY];
    (void)state;
    struct go_goroutine it = labelled();
    it.labels = memory.g_labels = LISTS;
    for (uint64_t i = 0; i < MANY; i++) {
        all[i] = it;
        all[i].id += i;
        all[i].g = here_parked(FIRST + i, SEND).g;
        all[i].labels += i * LIST_BYTES;
    }
    here_look_at(all, MANY);
    uint32_t labelled_first = count_labelled();
    for (size_t i = 0; i < MANY; i++)
        here_run_again(&all[i]);
    here_look_at(all, MANY);
    assert_in_range(labelled_first, 1, MANY - 1);
    assert_int_equal(count_labelled(), MANY);
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
        TEST(labels__of_another_address__are_not_told_of_its_next_wait),
        cmocka_unit_test_setup_teardown(labels__of_more_than_are_read_in_a_scan__have_their_turns,
                                        open_for_many, here_close),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
