/* layout.def, for the version of Go that the tests are built with, against the DWARF of a program
 * that it built. tests/go-matrix.sh runs this with all versions. */
#include "preload/goscan/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/debug/file.h"
#include "analyzer/debug/go_symbols.h"
#include "analyzer/debug/types.h"
#include "tests/unit/goroutines.h"

static uint16_t value_of(const struct go_layout *layout, const struct go_layout_field *field)
{
    uint16_t value;
    memcpy(&value, (const char *)layout + field->offset, sizeof(value));
    return value;
}

/* By the unit of the runtime alone, as for any program that is looked at. */
static void assert_unit_says(const struct go_layout *whole)
{
    struct go_symbols symbols;
    struct go_layout found;
    const char *missing;
    memset(&found, 0xee, sizeof(found));
    go_symbols_read(goroutines_program("static"), 0, &symbols);
    struct debug_head *head = debug_head_open(goroutines_program("static"), &symbols.debug);
    assert_non_null(head);
    assert_true(debug_types_layout_in_head(head, &found, &missing));
    debug_head_close(head);
    assert_memory_equal(&found, whole, sizeof(found));
}

static void table__for_the_version_of_the_tests__is_what_dwarf_says(void **state)
{
    static char folders[] = ":.debug:/usr/lib/debug";
    struct debug_file *file = NULL;
    struct go_layout table, found;
    const char *missing = NULL;
    (void)state;
    if (!goroutines_is_there("static"))
        skip();
    assert_true(go_layout_of(GO_MINOR, &table));
    /* What the program's DWARF does not tell keeps a value that no field has. */
    memset(&found, 0xee, sizeof(found));
    assert_int_equal(debug_file_open(goroutines_program("static"), NULL, 0, folders, &file),
                     DEBUG_FILE_OK);
    bool read = debug_types_layout(file, &found, &missing);
    debug_file_close(file);
    if (!read)
        fail_msg("%s is missing", missing ? missing : "everything");
    assert_unit_says(&found);
    size_t told = 0;
    for (size_t i = 0; i < go_layout_field_count; i++) {
        const struct go_layout_field *field = &go_layout_fields[i];
        if (value_of(&found, field) == 0xeeee) {
            /* The type itself is not there, and so the table has none either. */
            if (value_of(&table, field) != GO_ABSENT)
                fail_msg("%s is in the table, and not in the DWARF", field->member);
            continue;
        }
        told++;
        if (value_of(&found, field) != value_of(&table, field))
            fail_msg("%s is %u by DWARF, %u in the table", field->member, value_of(&found, field),
                     value_of(&table, field));
    }
    assert_in_range(told, go_layout_field_count - 8, go_layout_field_count);
}

static void version__outside_of_the_table__is_not_known(void **state)
{
    struct go_layout before, after, newest;
    (void)state;
    assert_false(go_layout_of(GO_MINOR_OLDEST - 1, &before));
    assert_false(go_layout_of(GO_MINOR_NEWEST + 1, &after));
    assert_true(go_layout_of(GO_MINOR_NEWEST, &newest));
    assert_int_equal(after.minor, GO_MINOR_NEWEST + 1);
    after.minor = newest.minor;
    assert_memory_equal(&after, &newest, sizeof(newest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__for_the_version_of_the_tests__is_what_dwarf_says),
        cmocka_unit_test(version__outside_of_the_table__is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
