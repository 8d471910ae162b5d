/* What files of Go programs say of the runtime: by symbols (go_symbols.c), by DWARF
 * (debug_types.c). LEAKSPY_GO_FIXTURES is the folder that make_go.sh made with Go 1.19. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "analyzer/debug_types.h"
#include "analyzer/go_symbols.h"

#define FIXTURE(name) LEAKSPY_GO_FIXTURES "/" name

static char folders[] = ":.debug:/usr/lib/debug";

static struct debug_file *open_file(const char *path)
{
    struct debug_file *file = NULL;
    assert_int_equal(debug_file_open(path, NULL, 0, folders, &file), DEBUG_FILE_OK);
    return file;
}

/* The layout that DWARF tells, started from that of another version. */
static bool read_layout(const char *path, struct go_layout *ret, const char **ret_missing)
{
    struct debug_file *file = open_file(path);
    (void)go_layout_of(GO_MINOR_NEWEST, ret);
    bool ok = debug_types_layout(file, ret, ret_missing);
    debug_file_close(file);
    return ok;
}

static void assert_is_layout_of_1_19(const char *path)
{
    struct go_layout found, table;
    const char *missing;
    if (!read_layout(path, &found, &missing))
        fail_msg("%s: %s is missing", path, missing ? missing : "everything");
    assert_true(go_layout_of(19, &table));
    for (size_t i = 0; i < go_layout_field_count; i++) {
        const struct go_layout_field *field = &go_layout_fields[i];
        uint16_t value = *(uint16_t *)((char *)&found + field->offset);
        uint16_t wanted = *(uint16_t *)((char *)&table + field->offset);
        if (value != wanted)
            fail_msg("%s: %s is %u by DWARF, %u in the table", path, field->member, value, wanted);
    }
}

static void dwarf__read__is_what_the_table_says(void **state)
{
    (void)state;
    assert_is_layout_of_1_19(FIXTURE("plain"));
}

static void compressed_dwarf__is_read(void **state)
{
    (void)state;
    assert_is_layout_of_1_19(FIXTURE("usual"));
}

static void dwarf_of_a_separate_file__is_read(void **state)
{
    (void)state;
    assert_is_layout_of_1_19(FIXTURE("apart"));
}

static void file_without_dwarf__has_no_layout(void **state)
{
    struct go_layout layout;
    const char *missing = "something";
    (void)state;
    assert_false(read_layout(FIXTURE("stripped"), &layout, &missing));
    assert_null(missing);
}

static void dwarf_of_another_language__has_no_layout(void **state)
{
    struct go_layout layout;
    const char *missing = NULL;
    (void)state;
    /* This test itself: its units are C's. */
    assert_false(read_layout("/proc/self/exe", &layout, &missing));
}

static void variables__by_dwarf_and_by_symbols__are_the_same(void **state)
{
    struct debug_variable variables[] = {{"runtime.allgs", 0},
                                         {"runtime.waitReasonStrings", 0},
                                         {"runtime.nothingOfThatName", 0},
                                         {"runtime.firstmoduledata", 0}};
    struct go_symbols symbols;
    (void)state;
    struct debug_file *file = open_file(FIXTURE("apart"));
    assert_int_equal(debug_types_variables(file, variables, 4), 3);
    debug_file_close(file);
    go_symbols_read(FIXTURE("plain"), 0, &symbols);
    assert_true(symbols.has_symbols);
    assert_int_not_equal(symbols.hints.all_gs, 0);
    assert_int_equal(variables[0].address, symbols.hints.all_gs);
    assert_int_equal(variables[1].address, symbols.hints.wait_reason_strings);
    assert_int_equal(variables[2].address, 0);
    assert_int_equal(variables[3].address, symbols.hints.module_data);
}

static void symbols__of_a_usual_program__are_all_found(void **state)
{
    struct go_symbols symbols;
    (void)state;
    go_symbols_read(FIXTURE("usual"), 0x1000, &symbols);
    assert_true(symbols.is_go);
    assert_true(symbols.has_sections);
    const uint64_t found[] = {
        symbols.hints.build_info, symbols.hints.module_data,
        symbols.hints.pclntab,    symbols.hints.all_gs,
        symbols.hints.all_ps,     symbols.hints.wait_reason_strings,
        symbols.scheduler,        symbols.all_m,
    };
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
        assert_int_not_equal(found[i], 0);
    assert_in_range(symbols.hints.wait_reason_count, 20, GO_MAX_REASONS);
    struct go_symbols unmoved;
    go_symbols_read(FIXTURE("usual"), 0, &unmoved);
    assert_int_equal(symbols.hints.all_gs, unmoved.hints.all_gs + 0x1000);
    assert_int_equal(symbols.hints.build_info, unmoved.hints.build_info + 0x1000);
}

static void sections_alone__are_told_of_a_stripped_program(void **state)
{
    static const char *const names[] = {FIXTURE("stripped"), FIXTURE("apart")};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct go_symbols symbols;
        go_symbols_read(names[i], 0, &symbols);
        assert_true(symbols.is_go);
        assert_false(symbols.has_symbols);
        assert_int_not_equal(symbols.hints.pclntab, 0);
        assert_int_not_equal(symbols.hints.build_info, 0);
        assert_int_equal(symbols.hints.all_gs, 0);
    }
}

static void position_independent_program__is_go_too(void **state)
{
    struct go_symbols symbols;
    (void)state;
    go_symbols_read(FIXTURE("pie"), 0, &symbols);
    assert_true(symbols.is_go);
    assert_int_not_equal(symbols.hints.pclntab, 0);
    assert_int_not_equal(symbols.hints.all_gs, 0);
}

static void other_files__are_no_go(void **state)
{
    static const char *const names[] = {"/proc/self/exe", "/bin/sh", "/nowhere",
                                        "/dev/null",      "/",       FIXTURE("../CMakeCache.txt")};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct go_symbols symbols;
        memset(&symbols, 0xff, sizeof(symbols));
        go_symbols_read(names[i], 0, &symbols);
        assert_false(symbols.is_go);
        assert_int_equal(symbols.hints.pclntab, 0);
    }
}

/* A file that ends too early, or says that its tables are elsewhere, is read as far as it goes. */
static void damaged_file__is_survived(void **state)
{
    char path[] = "/tmp/leakspy-test-go-XXXXXX";
    (void)state;
    int to = mkstemp(path);
    FILE *from = fopen(FIXTURE("plain"), "r");
    assert_true(to >= 0 && from);
    size_t most = 6 << 20;
    char *bytes = malloc(most);
    assert_non_null(bytes);
    size_t count = fread(bytes, 1, most, from);
    fclose(from);
    for (unsigned round = 0; round < 64; round++) {
        struct go_symbols symbols;
        struct go_layout layout;
        const char *missing;
        size_t keep = count - count / 64 * (round % 8);
        char kept[64];
        assert_int_equal(ftruncate(to, 0), 0);
        memcpy(kept, bytes, 64);
        if (round >= 8) /* the header of the file, a byte at a time */
            bytes[round] = (char)~bytes[round];
        assert_int_equal(pwrite(to, bytes, keep, 0), (ssize_t)keep);
        memcpy(bytes, kept, 64);
        go_symbols_read(path, 0, &symbols);
        struct debug_file *file = NULL;
        (void)go_layout_of(19, &layout);
        if (debug_file_open(path, NULL, 0, folders, &file) == DEBUG_FILE_OK)
            (void)debug_types_layout(file, &layout, &missing);
        debug_file_close(file);
    }
    free(bytes);
    close(to);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dwarf__read__is_what_the_table_says),
        cmocka_unit_test(compressed_dwarf__is_read),
        cmocka_unit_test(dwarf_of_a_separate_file__is_read),
        cmocka_unit_test(file_without_dwarf__has_no_layout),
        cmocka_unit_test(dwarf_of_another_language__has_no_layout),
        cmocka_unit_test(variables__by_dwarf_and_by_symbols__are_the_same),
        cmocka_unit_test(symbols__of_a_usual_program__are_all_found),
        cmocka_unit_test(sections_alone__are_told_of_a_stripped_program),
        cmocka_unit_test(position_independent_program__is_go_too),
        cmocka_unit_test(other_files__are_no_go),
        cmocka_unit_test(damaged_file__is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
