/* Files that are no cores, cores that cannot be read, and cores that are damaged. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/core/image.h"
#include "tests/unit/analyzer/core_made.h"

/* ---- what is no core ---- */

static void what_is_no_core__is_said(void **state)
{
    (void)state;
    write_bytes("", 0);
    assert_refused(NULL, ERR_NOT_A_CORE, "no ELF file");
    assert_false(image_is_core(made_core.path));
    write_bytes("leakspy\n", 8);
    assert_refused(NULL, ERR_NOT_A_CORE, "no ELF file");
    assert_false(image_is_core(made_core.path));
    write_bytes("\x28\xb5\x2f\xfd packed", 11);
    assert_refused(NULL, ERR_NOT_A_CORE, "packed by zstd");
    assert_true(image_is_core(made_core.path));
    write_bytes(own.bytes, 4096);
    assert_refused(NULL, ERR_NOT_A_CORE, "a program");
    assert_true(image_is_core(made_core.path));
    assert_false(image_is_core("/nowhere"));
    assert_false(image_is_core("/"));
}

/* What can only be written to cannot be opened, or, by who is obeyed in all, not be read. */
static void file_that_cannot_be_read__is_refused_with_the_reason(void **state)
{
    const char *no_file = "it is not a core: it is no regular file";
    const char *only_written = "/proc/self/clear_refs";
    bool opens = access(only_written, R_OK) == 0;
    const struct {
        const char *path;
        enum err_kind kind;
        const char *why;
    } rows[] = {
        {"/nowhere", ERR_NOT_FOUND, strerror(ENOENT)},
        {"/dev/null", ERR_NOT_A_CORE, no_file},
        {"/", ERR_NOT_A_CORE, no_file},
        {only_written, opens ? ERR_IO : ERR_NOT_PERMITTED, strerror(opens ? EINVAL : EACCES)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct image image;
        struct err err = {0};
        assert_false(image_open_core(&image, rows[i].path, NULL, &err));
        assert_string_equal(err.why, rows[i].why);
        assert_int_equal(err.kind, rows[i].kind);
    }
}

static void assert_header_refused(void (*change)(Elf64_Ehdr *header), enum err_kind kind,
                                  const char *why)
{
    struct core_builder *other = core_builder_create();
    struct core_builder *kept = made_core.builder;
    made_core.builder = other;
    add_thread(7, 0);
    change(core_builder_header(made_core.builder));
    write_core();
    assert_refused(NULL, kind, why);
    core_builder_destroy(other);
    made_core.builder = kept;
}

static void be_arm(Elf64_Ehdr *header)
{
    header->e_machine = EM_AARCH64;
}

static void be_i386(Elf64_Ehdr *header)
{
    header->e_machine = EM_386;
    header->e_ident[EI_CLASS] = ELFCLASS32;
}

static void be_x32(Elf64_Ehdr *header)
{
    header->e_ident[EI_CLASS] = ELFCLASS32;
}

static void be_big_endian(Elf64_Ehdr *header)
{
    header->e_ident[EI_DATA] = ELFDATA2MSB;
}

static void core_of_another_machine__is_said(void **state)
{
    (void)state;
    assert_header_refused(be_arm, ERR_UNSUPPORTED, "another machine (ELF machine 183)");
    assert_header_refused(be_i386, ERR_UNSUPPORTED, "32 bits");
    assert_header_refused(be_x32, ERR_UNSUPPORTED, "32 bits");
    assert_header_refused(be_big_endian, ERR_UNSUPPORTED, "another machine");
}

static void core_without_threads__is_said(void **state)
{
    (void)state;
    core_builder_load(made_core.builder, BASE, 4096, "x", 1, PF_R);
    write_core();
    assert_refused(NULL, ERR_CORRUPT, "no thread");
}

/* ---- damage ---- */

/* A core with something of everything. */
static const unsigned char *build_rich_core(size_t *ret_bytes)
{
    uint64_t stack[64] = {0};
    uint64_t pairs[][2] = {{33, 5}, {AT_PHDR, BASE + 64}, {AT_ENTRY, BASE + 0x1000}, {0, 0}};
    memcpy(&stack[10], (uint64_t[]){1, STACK + 400, 0, 0}, 32);
    memcpy(&stack[14], pairs, sizeof(pairs));
    struct core_builder_thread thread = {.tid = 7,
                                         .signal = SIGSEGV,
                                         .call = SYS_futex,
                                         .result = -ERESTARTSYS,
                                         .pc = BASE + 0x1002,
                                         .sp = STACK + 8};
    core_builder_thread(made_core.builder, &thread);
    core_builder_process(made_core.builder, 7, "prog", "prog with words");
    core_builder_vector(made_core.builder, (const uint64_t(*)[2])pairs, 4);
    thread.tid = 8;
    core_builder_thread(made_core.builder, &thread);
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &own.segments[i];
        if (segment->p_type == PT_LOAD)
            core_builder_file(made_core.builder, BASE + page_of(segment->p_vaddr),
                              BASE + page_of(segment->p_vaddr + segment->p_filesz + 4095),
                              page_of(segment->p_offset), own.path);
    }
    core_builder_load(made_core.builder, BASE, 4096, own.bytes, 4096, PF_R);
    core_builder_load(made_core.builder, STACK, 4096, stack, sizeof(stack), PF_R | PF_W);
    return core_builder_finish(made_core.builder, 0, ret_bytes);
}

/* Opens what there is, and reads here and there. Returns whether it was a core. */
static bool try_core(const char *exe)
{
    struct image image;
    struct err err = {0};
    if (!image_open_core(&image, made_core.path, exe, &err)) {
        assert_int_not_equal(err.kind, ERR_NONE);
        assert_true(err.why[0] != '\0');
        return false;
    }
    unsigned char bytes[256];
    for (size_t i = 0; i < image.mapping_count && i < 100; i++) {
        mem_read(image.memory, image.mappings[i].start, bytes, sizeof(bytes));
        mem_read(image.memory, image.mappings[i].end - 8, bytes, 16);
    }
    for (size_t i = 1; i < image.mapping_count; i++)
        assert_true(image.mappings[i].start >= image.mappings[i - 1].end);
    for (size_t i = 2; i < image.module_count; i++)
        assert_true(image.modules[i].start >= image.modules[i - 1].end);
    image.functions->check(&image, &err);
    image_close(&image);
    return true;
}

static void core_cut_at_any_place__is_refused_or_says_so(void **state)
{
    (void)state;
    size_t count, opened = 0;
    const unsigned char *bytes = build_rich_core(&count);
    write_bytes(bytes, count);
    assert_true(try_core(NULL));
    for (size_t left = count - 1; left > 0; left -= left > 3000 ? 37 : 1) {
        struct image image;
        struct err err = {0};
        assert_int_equal(ftruncate(made_core.fd, (off_t)left), 0);
        if (image_open_core(&image, made_core.path, NULL, &err)) {
            assert_non_null(image.doubt);
            assert_non_null(strstr(image.doubt, "cut short"));
            image_close(&image);
            opened++;
        }
        try_core(NULL);
    }
    assert_true(opened > 10);
}

static void damaged_core__is_survived(void **state)
{
    (void)state;
    size_t count, opened = 0;
    const unsigned char *bytes = build_rich_core(&count);
    unsigned char *copy = malloc(count);
    unsigned seed = 1;
    for (int round = 0; round < 6000; round++) {
        static const uint64_t strange[] = {0,
                                           UINT64_MAX,
                                           UINT64_MAX - 4095,
                                           UINT64_C(1) << 63,
                                           UINT64_C(1) << 47,
                                           0x7fffffff,
                                           0xffffffff,
                                           4096};
        memcpy(copy, bytes, count);
        /* The headers and the notes are where damage matters. */
        size_t most = round % 2 ? count : 2400;
        for (int i = 0; i <= round % 4; i++) {
            size_t at = (size_t)rand_r(&seed) % most;
            if (round % 3 == 0)
                memcpy(copy + (at & ~(size_t)7), &strange[(unsigned)rand_r(&seed) % 8], 8);
            else
                copy[at] ^= (unsigned char)(1u << (rand_r(&seed) % 8));
        }
        write_bytes(copy, count);
        opened += try_core(round % 5 ? NULL : own.path);
    }
    free(copy);
    assert_true(opened > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_start, core_end)
        TEST(what_is_no_core__is_said),
        TEST(file_that_cannot_be_read__is_refused_with_the_reason),
        TEST(core_of_another_machine__is_said),
        TEST(core_without_threads__is_said),
        TEST(core_cut_at_any_place__is_refused_or_says_so),
        TEST(damaged_core__is_survived),
#undef TEST
    };
    return cmocka_run_group_tests(tests, read_own_program, free_own_program);
}
