/* The executable that a core is of: which file is taken for it, and what is read from there. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/analyzer/core_made.h"

static uint64_t own_code_offset; /* of its executable segment */

enum { WRITTEN = 0x5a };

enum dumped {
    HEADERS,          /* as the kernel does: the first page of an ELF file */
    HEADERS_AND_DATA, /* and, last, a page of what was written, all WRITTEN */
    OTHER_BUILD_ID,
    NOTHING,
};

static const Elf64_Phdr *own_data(void)
{
    const Elf64_Phdr *found = NULL;
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        if (own.segments[i].p_type == PT_LOAD && own.segments[i].p_flags & PF_W)
            found = &own.segments[i];
    }
    assert_non_null(found);
    return found;
}

/* A core in which this program was loaded at BASE, and nothing of its code is dumped. `name`: of
 * its file; NULL: it has no names. */
static void build_core_as(enum dumped dumped, const char *name)
{
    uint64_t pairs[][2] = {{33, 1}, {AT_PHDR, BASE + own.header->e_phoff}, {AT_NULL, 0}};
    unsigned char page[4096];
    memcpy(page, own.bytes, sizeof(page));
    core_builder_process(made_core.builder, 7, "test_core_files", "test_core_files");
    add_thread(7, 0);
    core_builder_vector(made_core.builder, (const uint64_t(*)[2])pairs, 3);
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &own.segments[i];
        if (segment->p_type == PT_NOTE && dumped == OTHER_BUILD_ID)
            for (size_t at = segment->p_offset;
                 at + 16 <= segment->p_offset + segment->p_filesz && at + 20 < sizeof(page); at++) {
                static const unsigned char start_of_note[] = {3, 0, 0, 0, 'G', 'N', 'U', 0};
                if (memcmp(page + at, start_of_note, 8) == 0)
                    page[at + 12] ^= 1;
            }
        if (segment->p_type != PT_LOAD)
            continue;
        uint64_t start_at = BASE + page_of(segment->p_vaddr);
        uint64_t end_at = BASE + page_of(segment->p_vaddr + segment->p_filesz + 4095);
        if (name)
            core_builder_file(made_core.builder, start_at, end_at, page_of(segment->p_offset),
                              name);
        if (segment->p_flags & PF_X)
            own_code_offset = page_of(segment->p_offset);
    }
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &own.segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        bool first = page_of(segment->p_offset) == 0 && dumped != NOTHING;
        if (dumped == HEADERS_AND_DATA && segment == own_data()) {
            memset(page, WRITTEN, sizeof(page));
            first = true;
        }
        core_builder_load(made_core.builder, BASE + page_of(segment->p_vaddr),
                          page_of(segment->p_memsz + segment->p_vaddr % 4096 + 4095), page,
                          first ? sizeof(page) : 0, segment->p_flags);
    }
    write_core();
}

static void build_core_of_own_program(enum dumped dumped, bool names)
{
    build_core_as(dumped, names ? own.path : NULL);
}

static uint64_t code_address(void)
{
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        if (own.segments[i].p_type == PT_LOAD && own.segments[i].p_flags & PF_X)
            return BASE + page_of(own.segments[i].p_vaddr);
    }
    fail();
    return 0;
}

static void assert_code(const struct image *image, bool there)
{
    unsigned char got[4096];
    assert_int_equal(mem_read(image->memory, code_address(), got, sizeof(got)), there);
    if (there)
        assert_memory_equal(got, own.bytes + own_code_offset, sizeof(got));
}

static void file_with_the_core_s_build_id__is_laid_under_it(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(HEADERS, true);
    open_core(&image, NULL);
    uint32_t row = image_exe_module(&image);
    assert_int_not_equal(row, 0);
    assert_int_equal(image.module_count, 2);
    assert_int_equal(image.modules[row].start, BASE);
    assert_int_equal(image.modules[row].bias, BASE);
    assert_string_equal(image.modules[row].path, own.path);
    assert_string_equal(image.modules[row].file, own.path);
    assert_string_equal(image.exe, own.path);
    assert_int_equal(image_module_at(&image, code_address()), row);
    assert_true(image_mapping_at(&image, code_address())->executable);
    assert_code(&image, true);
    assert_int_equal(image.note_count, 0);
    image_close(&image);
}

static void file_of_another_build__is_not_believed(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(OTHER_BUILD_ID, true);
    open_core(&image, NULL);
    uint32_t row = image_exe_module(&image);
    assert_int_not_equal(row, 0);
    assert_string_equal(image.modules[row].path, own.path);
    assert_string_equal(image.modules[row].file, "");
    assert_noted(&image, "name it with --exe");
    assert_code(&image, false);
    image_close(&image);
    assert_refused(own.path, ERR_OTHER_BUILD, "it is another build than the core's executable");
}

static void exe__is_taken_where_it_fits(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(HEADERS, true);
    open_core(&image, "/proc/self/exe");
    assert_string_equal(image.modules[image_exe_module(&image)].file, "/proc/self/exe");
    assert_code(&image, true);
    image_close(&image);
    assert_refused("/nowhere/at all", ERR_NOT_FOUND, "No such file");
    assert_refused("/etc/passwd", ERR_UNSUPPORTED, "no program");
    assert_refused("/", ERR_UNSUPPORTED, "no program");
}

static void set_core_time(time_t seconds)
{
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    assert_int_equal(futimens(made_core.fd, times), 0);
}

static void core_without_headers__file_is_taken_if_it_is_older(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(NOTHING, true);
    open_core(&image, NULL);
    assert_string_equal(image.modules[image_exe_module(&image)].file, own.path);
    assert_noted(&image, "could not be compared");
    assert_code(&image, true);
    image_close(&image);

    set_core_time(1000000);
    open_core(&image, NULL);
    assert_int_equal(image.taken_unix_ns, INT64_C(1000000000000000));
    assert_int_equal(image_exe_module(&image), 0);
    assert_noted(&image, "name it with --exe");
    assert_code(&image, false);
    image_close(&image);

    open_core(&image, own.path);
    assert_int_not_equal(image_exe_module(&image), 0);
    assert_noted(&image, "was not checked");
    assert_code(&image, true);
    image_close(&image);
}

static void core_that_names_no_files__exe_tells_them(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(HEADERS, false);
    open_core(&image, NULL);
    assert_int_equal(image.module_count, 1);
    assert_code(&image, false);
    image_close(&image);
    open_core(&image, own.path);
    assert_int_not_equal(image_exe_module(&image), 0);
    assert_code(&image, true);
    image_close(&image);
}

/* What was written is in the core alone: the file has what it was before. */
static void data_cut_off__is_not_what_the_file_has(void **state)
{
    (void)state;
    struct image image;
    struct err err = {0};
    unsigned char got[4096];
    uint64_t data = BASE + page_of(own_data()->p_vaddr);
    build_core_of_own_program(HEADERS_AND_DATA, true);
    open_core(&image, NULL);
    assert_true(mem_read(image.memory, data, got, sizeof(got)));
    for (size_t i = 0; i < sizeof(got); i++)
        assert_int_equal(got[i], WRITTEN);
    assert_null(image.doubt);
    image_close(&image);

    off_t bytes = lseek(made_core.fd, 0, SEEK_END);
    assert_int_equal(ftruncate(made_core.fd, bytes - 100), 0);
    open_core(&image, NULL);
    assert_code(&image, true);
    assert_true(mem_read(image.memory, data, got, sizeof(got) - 100));
    assert_false(mem_read(image.memory, data, got, sizeof(got)));
    assert_false(mem_read(image.memory, data + sizeof(got) - 8, got, 8));
    assert_non_null(strstr(image.doubt, "cut short"));
    assert_true(image.functions->check(&image, &err));
    assert_noted(&image, "memory is not in the core: 2 pieces");
    image_close(&image);
}

static void file_that_was_removed__is_taken_by_its_build_id_alone(void **state)
{
    (void)state;
    struct image image;
    char name[5000];
    snprintf(name, sizeof(name), "%s (deleted)", own.path);
    build_core_as(HEADERS, name); /* removed, and put there again */
    open_core(&image, NULL);
    assert_string_equal(image.modules[image_exe_module(&image)].path, own.path);
    assert_string_equal(image.modules[image_exe_module(&image)].file, own.path);
    assert_string_equal(image.exe, own.path);
    assert_code(&image, true);
    image_close(&image);
}

static void file_that_was_removed__without_headers__is_not_believed(void **state)
{
    (void)state;
    struct image image;
    char name[5000];
    snprintf(name, sizeof(name), "%s (deleted)", own.path);
    build_core_as(NOTHING, name); /* what is there now is another, though it is older */
    open_core(&image, NULL);
    assert_int_equal(image_exe_module(&image), 0);
    assert_noted(&image, "name it with --exe");
    assert_code(&image, false);
    image_close(&image);
}

static void core_that_says_nothing_of_its_start__exe_is_laid_nowhere(void **state)
{
    (void)state;
    struct image image;
    unsigned char byte;
    core_builder_process(made_core.builder, 7, "test_core_files", "test_core_files");
    add_thread(7, 0);
    core_builder_load(made_core.builder, BASE, 4096, "", 1, PF_R);
    write_core();
    open_core(&image, own.path);
    assert_int_equal(image_exe_module(&image), 0);
    assert_noted(&image, "was loaded is not known");
    assert_false(mem_read(image.memory, 0, &byte, 1));
    image_close(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_start, core_end)
        TEST(file_with_the_core_s_build_id__is_laid_under_it),
        TEST(file_of_another_build__is_not_believed),
        TEST(exe__is_taken_where_it_fits),
        TEST(core_without_headers__file_is_taken_if_it_is_older),
        TEST(core_that_names_no_files__exe_tells_them),
        TEST(data_cut_off__is_not_what_the_file_has),
        TEST(file_that_was_removed__is_taken_by_its_build_id_alone),
        TEST(file_that_was_removed__without_headers__is_not_believed),
        TEST(core_that_says_nothing_of_its_start__exe_is_laid_nowhere),
#undef TEST
    };
    return cmocka_run_group_tests(tests, read_own_program, free_own_program);
}
