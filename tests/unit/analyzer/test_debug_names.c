/* Names of functions by the symbol tables of a file: of one that is made here, and of the test's
 * own program. */
#include "analyzer/debug/names.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#define VALUE 0x1234

static const char names[] = "\0here";

/* Header, sections, symbols and their names. */
struct layout {
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
    Elf64_Sym symbols[2];
    struct {
        Elf64_Chdr header;
        uint8_t bytes[64];
    } names;
};

/* A file of one function, whose name stands there compressed or not. */
static void write_file(const char *path, bool compressed)
{
    struct layout file = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                               EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_shoff = offsetof(struct layout, sections),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 3},
        .sections = {[1] = {.sh_type = SHT_SYMTAB,
                            .sh_link = 2,
                            .sh_offset = offsetof(struct layout, symbols),
                            .sh_size = sizeof(file.symbols),
                            .sh_entsize = sizeof(Elf64_Sym)},
                     [2] = {.sh_type = SHT_STRTAB,
                            .sh_offset = offsetof(struct layout, names.bytes),
                            .sh_size = sizeof(names)}},
        .symbols = {[1] = {.st_name = 1,
                           .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                           .st_shndx = 1,
                           .st_value = VALUE,
                           .st_size = 8}},
    };
    memcpy(file.names.bytes, names, sizeof(names));
    if (compressed) {
        uLongf bytes = sizeof(file.names.bytes);
        file.names.header =
            (Elf64_Chdr){.ch_type = ELFCOMPRESS_ZLIB, .ch_size = sizeof(names), .ch_addralign = 1};
        assert_int_equal(compress(file.names.bytes, &bytes, (const Bytef *)names, sizeof(names)),
                         Z_OK);
        file.sections[2].sh_flags = SHF_COMPRESSED;
        file.sections[2].sh_offset = offsetof(struct layout, names);
        file.sections[2].sh_size = sizeof(file.names.header) + bytes;
        file.sections[2].sh_addralign = 1;
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(&file, sizeof(file), 1, out), 1);
    assert_int_equal(fclose(out), 0);
}

/* Nothing writes them so, and they may unfold to anything. */
static void names_that_are_compressed__opened__are_not_read(void **state)
{
    char path[] = "/tmp/test_debug_names.XXXXXX";
    uint64_t start;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, false);
    struct debug_names *found = debug_names_open(path);
    assert_non_null(found);
    assert_string_equal(debug_names_function(found, VALUE + 4, &start), "here");
    debug_names_close(found);
    write_file(path, true);
    found = debug_names_open(path);
    unlink(path);
    assert_null(found);
}

static void own_program__names__are_found_both_ways(void **state)
{
    (void)state;
    struct debug_names *own = debug_names_open("/proc/self/exe");
    uint64_t address, start;
    assert_non_null(own);
    assert_true(debug_names_find(own, "main", &address));
    assert_string_equal(debug_names_function(own, address, &start), "main");
    assert_int_equal(start, address);
    assert_string_equal(debug_names_function(own, address + 1, &start), "main");
    assert_true(debug_names_begin(own, address + 1, &start));
    assert_int_equal(start, address);
    assert_false(debug_names_begin(own, 0, &start));
    size_t count = 0;
    uint64_t bytes;
    for (size_t at = 0; debug_names_next(own, &at, &start, &bytes) != NULL; count++)
        assert_int_not_equal(start, 0);
    assert_true(count > 10);
    assert_false(debug_names_find(own, "no_such_function", &address));
    assert_null(debug_names_function(own, UINT64_MAX, &start));
    assert_null(debug_names_function(own, 0, &start));
    debug_names_close(own);
    assert_null(debug_names_open("/no/such/file"));
    assert_null(debug_names_open("/dev/null"));
    assert_null(debug_names_open("/etc/passwd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_compressed__opened__are_not_read),
        cmocka_unit_test(own_program__names__are_found_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
