/* Tables that grow a row at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "analyzer/base/rows.h"

static void rows__many_more__keep_those_before(void **state)
{
    (void)state;
    const uint32_t count = 1000;
    uint32_t *rows = NULL;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(rows_grow(&rows, i, sizeof(*rows)));
        rows[i] = i;
    }
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(rows[i], i);
    free(rows);
}

static void rows__begun_anew__grow_again(void **state)
{
    (void)state;
    uint64_t *rows = NULL;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 100; i++) {
            assert_true(rows_grow(&rows, i, sizeof(*rows)));
            rows[i] = i;
        }
    }
    free(rows);
}

static void rows__too_large__stay_as_they_were(void **state)
{
    (void)state;
    uint64_t *rows = NULL;
    assert_true(rows_grow(&rows, 0, sizeof(*rows)));
    uint64_t *before = rows;
    assert_false(rows_grow(&rows, SIZE_MAX / 2 + 1, sizeof(*rows)));
    assert_false(rows_grow(&rows, (SIZE_MAX / 2 + 1) / 8, sizeof(*rows)));
    assert_ptr_equal(rows, before);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__many_more__keep_those_before),
        cmocka_unit_test(rows__begun_anew__grow_again),
        cmocka_unit_test(rows__too_large__stay_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
