/* The scanner over a real program's memory in which any words are changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/goscan/scan.h"
#include "tests/unit/goroutines.h"
#include "tests/unit/random.h"

#define AT_ONCE 8
#ifndef ROUNDS
#define ROUNDS 400 /* more may be given, to look for more */
#endif

struct mutation {
    uint8_t *at;
    uint64_t before;
};

static uint64_t mutated(uint64_t word, uint64_t *seed)
{
    static const uint64_t values[] = {0,
                                      1,
                                      UINT64_MAX,
                                      8,
                                      4096,
                                      0xc000000000,
                                      INT64_MAX,
                                      UINT32_MAX,
                                      16,
                                      0x7fffffff,
                                      UINT64_C(1) << 40,
                                      UINT64_MAX - 7};
    uint64_t random = next_random(seed);
    if (random % 3 == 0)
        return values[(random >> 8) % (sizeof(values) / sizeof(*values))];
    if (random % 3 == 1)
        return word + (random >> 8) % 64 - 32;
    return word ^ UINT64_C(1) << (random >> 8) % 64;
}

static bool look_closely(const struct go_goroutine *it, void *arg)
{
    struct goscan *scan = arg;
    struct go_text pairs[2 * GO_MAX_LABELS];
    assert_in_range(it->case_count, 0, GO_MAX_CASES);
    assert_in_range(it->reason, 0, scan->reason_count - 1);
    if (it->stack)
        assert_in_range(it->stack->count, 0, GO_STACK_DEPTH);
    assert_in_range(goscan_labels(scan, it->labels, pairs), 0, GO_MAX_LABELS + 1);
    return true;
}

/* Opens and runs; the more of it is broken, the earlier it ends. */
static enum go_result try(struct page_reader *pages, const struct goroutines *program,
                          void *scratch, size_t bytes)
{
    struct goscan scan;
    struct go_totals totals;
    memset(scratch, 0, bytes);
    pages->pieces = 0;
    enum go_result result = goscan_open(&scan, &pages->reader, program->ranges,
                                        program->range_count, NULL, scratch, bytes);
    if (result == GO_OK)
        result = goscan_run(&scan, look_closely, &scan, &totals);
    return result;
}

/* Changes a word that a run reads. */
static void mutate(struct page_reader *pages, const struct mem_piece *read, size_t count,
                   struct mutation *ret, uint64_t *seed)
{
    const struct mem_piece *piece = &read[next_random(seed) % count];
    uint64_t address = piece->address + next_random(seed) % piece->bytes;
    ret->at = page_reader_at(pages, address & ~UINT64_C(7));
    assert_non_null(ret->at);
    memcpy(&ret->before, ret->at, 8);
    uint64_t word = mutated(ret->before, seed);
    memcpy(ret->at, &word, 8);
}

static void memory__with_any_words_changed__is_survived(void **state)
{
    enum { MAX_MUTATIONS = 32, ROOM = 1 << 15 };
    struct goroutines program;
    struct page_reader pages;
    struct mutation mutations[MAX_MUTATIONS];
    uint64_t seed = 0x5eed, results[GO_UNREADABLE + 1] = {0};
    (void)state;
    if (!goroutines_is_there("static_stripped"))
        skip();
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    void *scratch = calloc(1, bytes);
    goroutines_start(&program, "static_stripped", "tracebackancestors=3");
    page_reader_init(&pages, program.pid);
    struct mem_piece *read = calloc(ROOM, sizeof(*read));
    pages.asked = read;
    pages.asked_room = ROOM;
    assert_int_equal(try(&pages, &program, scratch, bytes), GO_OK);
    uint64_t pieces = pages.pieces;
    size_t read_count = pages.asked_count;
    pages.asked = NULL;
    goroutines_end(&program);
    pages.pid = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = 1 + next_random(&seed) % MAX_MUTATIONS;
        for (size_t i = 0; i < count; i++)
            mutate(&pages, read, read_count, &mutations[i], &seed);
        results[try(&pages, &program, scratch, bytes)]++;
        assert_in_range(pages.pieces, 0, pieces * 1000);
        while (count-- > 0)
            memcpy(mutations[count].at, &mutations[count].before, 8);
    }
    /* Some of what was changed is needed to find anything, and some is not. */
    assert_in_range(results[GO_OK], 1, ROUNDS - 1);
    page_reader_deinit(&pages);
    free(read);
    free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__with_any_words_changed__is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
