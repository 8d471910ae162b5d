/* The table of all symbols, of a file that is made here. */
#include "analyzer/image/symbols.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "analyzer/image/image.h"

#define NAMES_BYTES 100000
#define BIAS 0x10000
#define VALUE 0x1234

/* Header, sections, symbols and their names. */
struct layout {
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
    Elf64_Sym symbols[2];
    char names[NAMES_BYTES];
};

/* A file with one symbol, whose name is at that offset among the names. */
static void write_file(const char *path, const char *name, size_t at)
{
    struct layout *file = calloc(1, sizeof(*file));
    assert_non_null(file);
    memcpy(file->header.e_ident, ELFMAG, SELFMAG);
    file->header.e_ident[EI_CLASS] = ELFCLASS64;
    file->header.e_ident[EI_DATA] = ELFDATA2LSB;
    file->header.e_shoff = offsetof(struct layout, sections);
    file->header.e_shentsize = sizeof(file->sections[0]);
    file->header.e_shnum = 3;
    file->sections[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                     .sh_link = 2,
                                     .sh_offset = offsetof(struct layout, symbols),
                                     .sh_size = sizeof(file->symbols)};
    file->sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                     .sh_offset = offsetof(struct layout, names),
                                     .sh_size = sizeof(file->names)};
    file->symbols[1] =
        (Elf64_Sym){.st_name = (uint32_t)at, .st_shndx = 1, .st_value = VALUE, .st_size = 8};
    memset(file->names + 1, 'x', sizeof(file->names) - 1);
    file->names[at - 1] = '\0';
    strcpy(file->names + at, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(file, sizeof(*file), 1, out), 1);
    assert_int_equal(fclose(out), 0);
    free(file);
}

static size_t look_for(const char *path, struct image_symbol *symbols, size_t count)
{
    struct image_module modules[] = {{0}, {.bias = BIAS, .path = path, .file = path}};
    struct image image = {.modules = modules, .module_count = 2};
    return image_all_symbols(&image, 1, symbols, count);
}

/* The names are read in parts: wherever it lies, also across two of them. */
static void name_anywhere__is_found(void **state)
{
    static const char name[] = "runtime.allgptr";
    char path[] = "/tmp/test_image_symbols.XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t part = 0; part <= NAMES_BYTES - sizeof(name); part += 16384) {
        for (size_t at = part > 20 ? part - 20 : 1; at <= part + 2; at++) {
            struct image_symbol symbols[] = {{.name = name}, {.name = "runtime.allglen"}};
            write_file(path, name, at);
            assert_int_equal(look_for(path, symbols, 2), 1);
            assert_int_equal(symbols[0].address, VALUE + BIAS);
            assert_int_equal(symbols[0].bytes, 8);
            assert_int_equal(symbols[1].address, 0);
        }
    }
    unlink(path);
}

static void first_name_not_there__finds_none(void **state)
{
    char path[] = "/tmp/test_image_symbols.XXXXXX";
    struct image_symbol symbols[] = {{.name = "runtime.allglen"}, {.name = "runtime.allgptr"}};
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "runtime.allgptr", 40000);
    assert_int_equal(look_for(path, symbols, 2), 0);
    assert_int_equal(look_for(path, symbols + 1, 1), 1);
    assert_int_equal(truncate(path, 50000), 0);
    assert_int_equal(look_for(path, symbols + 1, 1), 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_anywhere__is_found),
        cmocka_unit_test(first_name_not_there__finds_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
