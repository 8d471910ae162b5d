/* What libleakspy.so shows to the programs that it is loaded into: the functions that it
 * intercepts, and nothing else but names of its own; and what it asks of them. Reads the file
 * itself. */
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/preload/recording_here.h"

/* The rows of the table of intercepted functions, and whether the library has each. */
static struct row {
    const char *symbol;
    const char *old; /* the version that only programs linked long ago are bound to; else NULL */
    unsigned found;
} rows[] = {
#define WAIT(result, name, params, args, op, object, arg, flags, version) {#name, NULL, 0},
#define TASK(result, name, params, args, op, object, arg, flags) {#name, NULL, 0},
#define HAND(result, name, symbol, params, args, op, version) {symbol, NULL, 0},
#define OLD(result, name, symbol, params, args, op, version) {symbol, version, 0},
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

struct library {
    int fd;
    Elf *elf;
};

static int open_library(void **state)
{
    static struct library library;
    elf_version(EV_CURRENT);
    const char *named = getenv("LEAKSPY_TEST_LIBRARY"); /* as for the tests in tests/e2e */
    library.fd = open(named ? named : LEAKSPY_PRELOAD, O_RDONLY | O_CLOEXEC);
    library.elf = elf_begin(library.fd, ELF_C_READ, NULL);
    *state = &library;
    return library.elf == NULL;
}

static int close_library(void **state)
{
    struct library *library = *state;
    elf_end(library->elf);
    return close(library->fd);
}

/* The only section of a type. */
static Elf_Data *section_of(struct library *library, GElf_Word type, GElf_Shdr *header)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(library->elf, section)) != NULL;)
        if (gelf_getshdr(section, header) != NULL && header->sh_type == type)
            return elf_getdata(section, NULL);
    return NULL;
}

static struct row *row_of(const char *symbol, const char *old)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].symbol, symbol) == 0 &&
            (old != NULL ? rows[i].old != NULL && strcmp(rows[i].old, old) == 0
                         : rows[i].old == NULL))
            return &rows[i];
    return NULL;
}

/* The version that a symbol of the library has where it is hidden: to be had only by those who ask
 * for that version. NULL: anybody may have the symbol. */
static const char *hidden_version(struct library *library, size_t number)
{
    GElf_Shdr header;
    GElf_Versym of_symbol;
    Elf_Data *numbers = section_of(library, SHT_GNU_versym, &header);
    if (numbers == NULL || gelf_getversym(numbers, (int)number, &of_symbol) == NULL ||
        !(of_symbol & 0x8000))
        return NULL;
    Elf_Data *definitions = section_of(library, SHT_GNU_verdef, &header);
    assert_non_null(definitions);
    int offset = 0;
    for (unsigned i = 0; i < header.sh_info; i++) {
        GElf_Verdef definition;
        GElf_Verdaux name;
        assert_non_null(gelf_getverdef(definitions, offset, &definition));
        assert_non_null(gelf_getverdaux(definitions, offset + (int)definition.vd_aux, &name));
        if (definition.vd_ndx == (of_symbol & 0x7fff))
            return elf_strptr(library->elf, header.sh_link, name.vda_name);
        offset += (int)definition.vd_next;
    }
    fail_msg("a symbol of a version that is not there");
    return NULL;
}

static void library__exports__the_table_of_hooks_and_nothing_else(void **state)
{
    struct library *library = *state;
    GElf_Shdr header;
    Elf_Data *symbols = section_of(library, SHT_DYNSYM, &header);
    unsigned wrong = 0, defined = 0;
    assert_non_null(symbols);
    for (size_t i = 1; i < header.sh_size / header.sh_entsize; i++) {
        GElf_Sym symbol;
        assert_non_null(gelf_getsym(symbols, (int)i, &symbol));
        const char *name = elf_strptr(library->elf, header.sh_link, symbol.st_name);
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) /* names of versions */
            continue;
        defined++;
        struct row *row = row_of(name, hidden_version(library, i));
        if (row != NULL && GELF_ST_TYPE(symbol.st_info) == STT_FUNC) {
            row->found++;
        } else if (strncmp(name, "leakspy_", 8) != 0) {
            print_error("exported, and in no row of hooks.def: %s\n", name);
            wrong++;
        }
    }
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].found != 1) {
            print_error("exported %u times: %s\n", rows[i].found, rows[i].symbol);
            wrong++;
        }
    assert_int_equal(wrong, 0);
    assert_in_range(defined, ROWS, ROWS + 20);
}

/* No libunwind, and no libgcc_s: their _Unwind_* functions are the program's business. */
static void library__needs__libc_alone(void **state)
{
    struct library *library = *state;
    GElf_Shdr header;
    Elf_Data *dynamic = section_of(library, SHT_DYNAMIC, &header);
    unsigned libc = 0;
    assert_non_null(dynamic);
    for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
        GElf_Dyn entry;
        assert_non_null(gelf_getdyn(dynamic, (int)i, &entry));
        if (entry.d_tag != DT_NEEDED)
            continue;
        const char *name = elf_strptr(library->elf, header.sh_link, entry.d_un.d_val);
        if (strcmp(name, "libc.so.6") == 0)
            libc++;
        else
            fail_msg("needs %s", name);
    }
    assert_int_equal(libc, 1);
}

static void library__wants_nothing_of_unwinders_and_no_memory_or_strings(void **state)
{
    struct library *library = *state;
    GElf_Shdr header;
    Elf_Data *symbols = section_of(library, SHT_DYNSYM, &header);
    assert_non_null(symbols);
    for (size_t i = 1; i < header.sh_size / header.sh_entsize; i++) {
        GElf_Sym symbol;
        assert_non_null(gelf_getsym(symbols, (int)i, &symbol));
        const char *name = elf_strptr(library->elf, header.sh_link, symbol.st_name);
        if (symbol.st_shndx != SHN_UNDEF)
            continue;
        if (strncmp(name, "_Unwind_", 8) == 0 || strncmp(name, "unw_", 4) == 0 ||
            strncmp(name, "_U", 2) == 0 || strncmp(name, "__gcc_", 6) == 0)
            fail_msg("wants %s", name);
        /* A sanitizer's runtime has those in libc's place; see preload/bytes.c. */
        if (strncmp(name, "mem", 3) == 0 || strncmp(name, "str", 3) == 0 ||
            strncmp(name, "__mem", 5) == 0 || strncmp(name, "__str", 5) == 0)
            fail_msg("wants %s: preload/bytes.c has none", name);
    }
}

static void library__loaded__is_bound_at_once_and_stays(void **state)
{
    struct library *library = *state;
    GElf_Shdr header;
    Elf_Data *dynamic = section_of(library, SHT_DYNAMIC, &header);
    uint64_t flags = 0, flags_1 = 0;
    bool text_relocations = false;
    assert_non_null(dynamic);
    for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
        GElf_Dyn entry;
        gelf_getdyn(dynamic, (int)i, &entry);
        if (entry.d_tag == DT_FLAGS)
            flags = entry.d_un.d_val;
        if (entry.d_tag == DT_FLAGS_1)
            flags_1 = entry.d_un.d_val;
        text_relocations |= entry.d_tag == DT_TEXTREL;
    }
    assert_int_equal(flags & DF_BIND_NOW, DF_BIND_NOW);
    assert_int_equal(flags_1 & DF_1_NOW, DF_1_NOW);
    assert_int_equal(flags_1 & DF_1_NODELETE, DF_1_NODELETE);
    assert_int_equal(flags & DF_STATIC_TLS, DF_STATIC_TLS); /* thread-locals cost no call */
    assert_false(text_relocations);
}

/* Its stack is that of any thread, never executable; what the loader wrote is read-only after. */
static void library__mapped__has_no_executable_data(void **state)
{
    struct library *library = *state;
    size_t count = 0;
    bool stack = false, relro = false;
    assert_int_equal(elf_getphdrnum(library->elf, &count), 0);
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        assert_non_null(gelf_getphdr(library->elf, (int)i, &header));
        stack |= header.p_type == PT_GNU_STACK;
        relro |= header.p_type == PT_GNU_RELRO;
        if (header.p_type == PT_GNU_STACK || header.p_type == PT_LOAD)
            assert_int_not_equal(header.p_flags & (PF_W | PF_X), PF_W | PF_X);
    }
    assert_true(stack);
    assert_true(relro);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library__exports__the_table_of_hooks_and_nothing_else),
        cmocka_unit_test(library__needs__libc_alone),
        cmocka_unit_test(library__wants_nothing_of_unwinders_and_no_memory_or_strings),
        cmocka_unit_test(library__loaded__is_bound_at_once_and_stays),
        cmocka_unit_test(library__mapped__has_no_executable_data),
    };
    return cmocka_run_group_tests(tests, open_library, close_library);
}
