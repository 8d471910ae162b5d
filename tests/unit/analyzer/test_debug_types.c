/* What files of Go programs say of the runtime: by symbols (go_symbols.c), by DWARF
 * (debug/types.c). LEAKSPY_GO_FIXTURES is the folder that make_go.sh made with Go 1.19. */
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

#include "analyzer/debug/go_symbols.h"
#include "analyzer/debug/types.h"
#include "tests/unit/random.h"

#define FIXTURE(name) LEAKSPY_GO_FIXTURES "/" name

static char folders[] = ":.debug:/usr/lib/debug";

static struct debug_file *open_file(const char *path)
{
    struct debug_file *file = NULL;
    assert_int_equal(debug_file_open(path, NULL, 0, folders, &file), DEBUG_FILE_OK);
    return file;
}

/* What the unit of the runtime alone tells, started from the layout of a version. */
static bool read_head(const char *path, unsigned minor, struct go_layout *ret,
                      const char **ret_missing)
{
    struct go_symbols symbols;
    go_symbols_read(path, 0, &symbols);
    struct debug_head *head = debug_head_open(path, &symbols.debug);
    assert_true(go_layout_of(minor, ret));
    *ret_missing = NULL;
    bool ok = head && debug_types_layout_in_head(head, ret, ret_missing);
    debug_head_close(head);
    return ok;
}

/* The layout that DWARF tells, started from that of another version (which has all structures). */
static bool read_layout(const char *path, struct go_layout *ret, const char **ret_missing)
{
    struct debug_file *file = open_file(path);
    assert_true(go_layout_of(23, ret));
    bool ok = debug_types_layout(file, ret, ret_missing);
    debug_file_close(file);
    return ok;
}

static void assert_is_layout_of_1_19(const char *path)
{
    struct go_layout found, in_head, table;
    const char *missing;
    if (!read_layout(path, &found, &missing))
        fail_msg("%s: %s is missing", path, missing ? missing : "everything");
    assert_true(go_layout_of(19, &table));
    if (read_head(path, 23, &in_head, &missing))
        assert_memory_equal(&in_head, &found, sizeof(found));
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

static void unit_of_the_runtime__alone__is_enough(void **state)
{
    static const char *const names[] = {FIXTURE("plain"), FIXTURE("usual"), FIXTURE("pie"),
                                        FIXTURE("gnu"), FIXTURE("apart.debug")};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct go_layout layout;
        const char *missing;
        if (!read_head(names[i], 23, &layout, &missing))
            fail_msg("%s: %s is missing", names[i], missing ? missing : "everything");
        assert_is_layout_of_1_19(names[i]);
    }
}

static void program_without_dwarf_of_its_own__has_no_unit(void **state)
{
    static const char *const names[] = {FIXTURE("stripped"), FIXTURE("undebugged"),
                                        FIXTURE("apart"), "/proc/self/exe", "/nowhere"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct go_layout layout, table;
        const char *missing;
        assert_false(read_head(names[i], 19, &layout, &missing));
        assert_null(missing);
        assert_true(go_layout_of(19, &table));
        assert_memory_equal(&layout, &table, sizeof(table));
    }
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

/* ---- Debug information that was changed ---- */

/* A copy of a fixture, to be changed. */
struct changed {
    char path[64];
    int fd;
    char *bytes;
    size_t count;
    struct debug_sections sections;
};

static void changed_open(struct changed *ret, const char *fixture)
{
    struct go_symbols symbols;
    strcpy(ret->path, "/tmp/leakspy-test-go-XXXXXX");
    ret->fd = mkstemp(ret->path);
    FILE *from = fopen(fixture, "r");
    assert_true(ret->fd >= 0 && from);
    assert_int_equal(fseek(from, 0, SEEK_END), 0);
    ret->count = (size_t)ftell(from);
    ret->bytes = malloc(ret->count);
    assert_non_null(ret->bytes);
    rewind(from);
    assert_int_equal(fread(ret->bytes, 1, ret->count, from), ret->count);
    fclose(from);
    assert_int_equal(write(ret->fd, ret->bytes, ret->count), (ssize_t)ret->count);
    go_symbols_read(fixture, 0, &symbols);
    ret->sections = symbols.debug;
    assert_int_not_equal(ret->sections.info.bytes, 0);
}

static void changed_close(struct changed *changed)
{
    free(changed->bytes);
    close(changed->fd);
    unlink(changed->path);
}

static void put_bytes(struct changed *changed, size_t at, const void *bytes, size_t count)
{
    assert_int_equal(pwrite(changed->fd, bytes, count, (off_t)at), (ssize_t)count);
}

/* Changes all places of some bytes in .debug_info; `count`: of both. */
static void replace(struct changed *changed, const char *from, const char *to, size_t count)
{
    const struct debug_section *info = &changed->sections.info;
    const char *end = changed->bytes + info->offset + info->bytes;
    const char *at = changed->bytes + info->offset;
    size_t places = 0;
    for (; (at = memmem(at, (size_t)(end - at), from, count)); at += count, places++)
        put_bytes(changed, (size_t)(at - changed->bytes), to, count);
    assert_int_not_equal(places, 0);
}

static void offset__that_is_not_the_tables__is_told(void **state)
{
    struct changed changed;
    struct go_layout layout, table;
    const char *missing;
    (void)state;
    changed_open(&changed, FIXTURE("plain"));
    /* From 176 to 248. */
    replace(&changed, "waitreason\0\xb0\x01", "waitreason\0\xf8\x01", 13);
    assert_true(read_head(changed.path, 19, &layout, &missing));
    assert_true(go_layout_of(19, &table));
    assert_int_equal(layout.g_wait_reason, 248);
    table.g_wait_reason = 248;
    assert_memory_equal(&layout, &table, sizeof(table));
    changed_close(&changed);
}

static void field__that_dwarf_lacks__stays_as_it_was(void **state)
{
    struct changed changed;
    struct go_layout layout, table;
    const char *missing;
    (void)state;
    changed_open(&changed, FIXTURE("plain"));
    replace(&changed, "goid\0\x98\x01", "goix\0\x98\x01", 7);
    assert_false(read_head(changed.path, 23, &layout, &missing));
    assert_string_equal(missing, "g_id");
    assert_true(go_layout_of(23, &table));
    assert_int_equal(layout.g_id, table.g_id);
    assert_int_not_equal(layout.g_status, table.g_status); /* that was told */
    changed_close(&changed);
}

static void type__that_dwarf_lacks__stays_as_it_was(void **state)
{
    struct changed changed;
    struct go_layout layout, table;
    const char *missing;
    (void)state;
    changed_open(&changed, FIXTURE("plain"));
    replace(&changed, "runtime.pollDesc", "runtime.poolDesc", 17);
    assert_true(read_head(changed.path, 23, &layout, &missing));
    assert_true(go_layout_of(23, &table));
    assert_int_equal(layout.poll_self, table.poll_self);
    assert_int_not_equal(layout.g_status, table.g_status);
    changed_close(&changed);
}

static void optional_field__that_its_type_lacks__is_absent(void **state)
{
    struct changed changed;
    struct go_layout layout;
    const char *missing;
    (void)state;
    changed_open(&changed, FIXTURE("plain"));
    replace(&changed, "readerSem", "readerSam", 10);
    assert_true(read_head(changed.path, 19, &layout, &missing));
    assert_int_equal(layout.rwlock_reader_sema, GO_ABSENT);
    assert_int_equal(layout.rwlock_writer_sema, 8);
    changed_close(&changed);
}

/* Any bytes of the sections themselves, some at a time: the first ones more often. */
static void damaged_dwarf__is_survived(void **state)
{
    static const char *const names[] = {FIXTURE("plain"), FIXTURE("usual"), FIXTURE("gnu")};
    uint64_t seed = 0xd3b;
    size_t good = 0, rounds = 150;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct changed changed;
        changed_open(&changed, names[i]);
        for (size_t round = 0; round < rounds; round++) {
            size_t places[8], count = 1 + next_random(&seed) % 8;
            struct go_layout layout;
            const char *missing;
            for (size_t k = 0; k < count; k++) {
                const struct debug_section *section = next_random(&seed) % 4
                                                          ? &changed.sections.info
                                                          : &changed.sections.abbreviations;
                uint64_t most = next_random(&seed) % 4 ? section->bytes : 48;
                uint8_t byte = (uint8_t)(next_random(&seed) >> 32);
                places[k] = section->offset + next_random(&seed) % most;
                put_bytes(&changed, places[k], &byte, 1);
            }
            good += read_head(changed.path, 19, &layout, &missing);
            for (size_t k = 0; k < count; k++)
                put_bytes(&changed, places[k], changed.bytes + places[k], 1);
        }
        /* Cut short, anywhere. */
        for (size_t round = 0; round < 16; round++) {
            struct go_symbols symbols;
            struct go_layout layout;
            const char *missing;
            go_symbols_read(names[i], 0, &symbols);
            assert_int_equal(
                ftruncate(changed.fd, (off_t)(changed.sections.info.offset +
                                              changed.sections.info.bytes / 16 * (15 - round))),
                0);
            struct debug_head *head = debug_head_open(changed.path, &symbols.debug);
            assert_true(go_layout_of(19, &layout));
            if (head)
                (void)debug_types_layout_in_head(head, &layout, &missing);
            debug_head_close(head);
        }
        changed_close(&changed);
    }
    /* Most bytes are of no interest to us where they are not compressed. */
    assert_in_range(good, 1, 3 * rounds - 1);
}

/* Sections that claim to unfold to more than there can be, or are elsewhere. */
static void section__that_claims_too_much__is_none(void **state)
{
    struct changed changed;
    struct go_layout layout;
    const char *missing;
    const uint64_t claims[] = {0, 1, 64, UINT64_C(1) << 32, UINT64_MAX};
    (void)state;
    changed_open(&changed, FIXTURE("usual"));
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        put_bytes(&changed, changed.sections.info.offset + 8, &claims[i], sizeof(claims[i]));
        assert_false(read_head(changed.path, 19, &layout, &missing));
    }
    const struct debug_section odd[] = {{UINT64_MAX - 8, 100, DEBUG_PACKING_NONE},
                                        {changed.count - 8, 100, DEBUG_PACKING_NONE},
                                        {0, UINT64_MAX, DEBUG_PACKING_NONE},
                                        {0, UINT64_MAX, DEBUG_PACKING_ELF},
                                        {0, 11, DEBUG_PACKING_GNU},
                                        {0, 23, DEBUG_PACKING_ELF}};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct debug_sections sections = changed.sections;
        sections.info = odd[i];
        struct debug_head *head = debug_head_open(changed.path, &sections);
        assert_true(go_layout_of(19, &layout));
        assert_false(head && debug_types_layout_in_head(head, &layout, &missing));
        debug_head_close(head);
        sections = changed.sections;
        sections.abbreviations = odd[i];
        head = debug_head_open(changed.path, &sections);
        assert_false(head && debug_types_layout_in_head(head, &layout, &missing));
        debug_head_close(head);
    }
    changed_close(&changed);
}

static void file__opened_where_servers_are_named__asks_none(void **state)
{
    (void)state;
    setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9/", 1);
    debug_file_close(open_file("/proc/self/exe"));
    assert_null(getenv("DEBUGINFOD_URLS")); /* libdwfl looks there each time */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dwarf__read__is_what_the_table_says),
        cmocka_unit_test(compressed_dwarf__is_read),
        cmocka_unit_test(unit_of_the_runtime__alone__is_enough),
        cmocka_unit_test(program_without_dwarf_of_its_own__has_no_unit),
        cmocka_unit_test(dwarf_of_a_separate_file__is_read),
        cmocka_unit_test(file_without_dwarf__has_no_layout),
        cmocka_unit_test(dwarf_of_another_language__has_no_layout),
        cmocka_unit_test(variables__by_dwarf_and_by_symbols__are_the_same),
        cmocka_unit_test(symbols__of_a_usual_program__are_all_found),
        cmocka_unit_test(sections_alone__are_told_of_a_stripped_program),
        cmocka_unit_test(position_independent_program__is_go_too),
        cmocka_unit_test(other_files__are_no_go),
        cmocka_unit_test(damaged_file__is_survived),
        cmocka_unit_test(offset__that_is_not_the_tables__is_told),
        cmocka_unit_test(field__that_dwarf_lacks__stays_as_it_was),
        cmocka_unit_test(type__that_dwarf_lacks__stays_as_it_was),
        cmocka_unit_test(optional_field__that_its_type_lacks__is_absent),
        cmocka_unit_test(damaged_dwarf__is_survived),
        cmocka_unit_test(section__that_claims_too_much__is_none),
        cmocka_unit_test(file__opened_where_servers_are_named__asks_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
