#include "analyzer/debug/go_symbols.h"

#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/image/elf.h"

#define MAX_BYTES (UINT64_C(512) << 20) /* of a table of symbols, or of their names */

/* A piece of the file in memory, with a NUL behind it. */
struct piece {
    char *bytes;
    uint64_t count;
};

/* Sections of Go's linker. The second spelling is of position-independent programs. */
static const struct {
    const char *names[2];
    size_t offset; /* in struct go_hints */
} sections[] = {
    {{".go.buildinfo", NULL}, offsetof(struct go_hints, build_info)},
    {{".gopclntab", ".data.rel.ro.gopclntab"}, offsetof(struct go_hints, pclntab)},
};

/* Sections of its debug information. Go 1.18 says by the name that one is compressed. */
static const struct {
    const char *name;
    size_t offset; /* in struct go_symbols */
    enum debug_packing packing;
} debug_sections[] = {
#define SECTION(name) offsetof(struct go_symbols, debug) + offsetof(struct debug_sections, name)
    {".debug_info", SECTION(info), DEBUG_PACKING_NONE},
    {".debug_abbrev", SECTION(abbreviations), DEBUG_PACKING_NONE},
    {".zdebug_info", SECTION(info), DEBUG_PACKING_GNU},
    {".zdebug_abbrev", SECTION(abbreviations), DEBUG_PACKING_GNU},
#undef SECTION
};

/* Data of the runtime. */
static const struct {
    const char *name;
    size_t offset; /* in struct go_symbols */
} symbols[] = {
#define HINT(name) offsetof(struct go_symbols, hints) + offsetof(struct go_hints, name)
    {"runtime.firstmoduledata", HINT(module_data)},
    {"runtime.pclntab", HINT(pclntab)},
    {"runtime.allgs", HINT(all_gs)},
    {"runtime.waitReasonStrings", HINT(wait_reason_strings)},
    {"runtime.allp", HINT(all_ps)},
    {"runtime.allm", offsetof(struct go_symbols, all_m)},
    {"runtime.sched", offsetof(struct go_symbols, scheduler)},
#undef HINT
};

#define GO_STRING_BYTES 16 /* a string header: pointer, length */

static bool read_piece(int fd, uint64_t offset, uint64_t bytes, struct piece *ret)
{
    *ret = (struct piece){0};
    if (bytes > MAX_BYTES || offset > INT64_MAX - bytes || !(ret->bytes = calloc(1, bytes + 1)))
        return false;
    if (file_read_at(fd, offset, ret->bytes, bytes) != (ssize_t)bytes)
        return false;
    ret->count = bytes;
    return true;
}

static const char *name_in(const struct piece *names, uint64_t offset)
{
    return offset < names->count ? names->bytes + offset : "";
}

static void take_section(const char *name, const Elf64_Shdr *header, uint64_t bias,
                         struct go_symbols *ret)
{
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        for (size_t k = 0; k < 2 && sections[i].names[k]; k++) {
            if (strcmp(name, sections[i].names[k]) != 0)
                continue;
            ret->is_go = true;
            *(uint64_t *)((char *)&ret->hints + sections[i].offset) = header->sh_addr + bias;
        }
    }
    for (size_t i = 0; i < sizeof(debug_sections) / sizeof(debug_sections[0]); i++) {
        if (header->sh_type == SHT_NOBITS || strcmp(name, debug_sections[i].name) != 0)
            continue;
        *(struct debug_section *)((char *)ret + debug_sections[i].offset) = (struct debug_section){
            .offset = header->sh_offset,
            .bytes = header->sh_size,
            .packing =
                header->sh_flags & SHF_COMPRESSED ? DEBUG_PACKING_ELF : debug_sections[i].packing,
        };
    }
}

static void take_symbol(const char *name, const Elf64_Sym *symbol, uint64_t bias,
                        struct go_symbols *ret)
{
    if (strncmp(name, "runtime.", 8) != 0)
        return;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        if (strcmp(name, symbols[i].name) != 0)
            continue;
        uint64_t *to = (uint64_t *)((char *)ret + symbols[i].offset);
        if (*to == 0 || symbol->st_size)
            *to = symbol->st_value + bias;
        if (to == &ret->hints.wait_reason_strings)
            ret->hints.wait_reason_count = symbol->st_size / GO_STRING_BYTES;
        ret->has_symbols = ret->has_symbols || to != &ret->hints.pclntab;
    }
}

static void read_symbols(int fd, const Elf64_Shdr *table, const Elf64_Shdr *strings, uint64_t bias,
                         struct go_symbols *ret)
{
    struct piece rows, names = {0};
    if (read_piece(fd, table->sh_offset, table->sh_size, &rows) &&
        read_piece(fd, strings->sh_offset, strings->sh_size, &names)) {
        for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= rows.count; at += sizeof(Elf64_Sym)) {
            Elf64_Sym symbol;
            memcpy(&symbol, rows.bytes + at, sizeof(symbol));
            unsigned type = ELF64_ST_TYPE(symbol.st_info);
            if ((type == STT_OBJECT || type == STT_NOTYPE) && symbol.st_shndx != SHN_UNDEF)
                take_symbol(name_in(&names, symbol.st_name), &symbol, bias, ret);
        }
    }
    free(rows.bytes);
    free(names.bytes);
}

static void read_file(int fd, uint64_t bias, struct go_symbols *ret)
{
    Elf64_Ehdr header = {0};
    struct piece rows = {0}, names = {0};
    if (file_read_at(fd, 0, &header, sizeof(header)) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(Elf64_Shdr) ||
        header.e_shnum == 0 || header.e_shnum > IMAGE_ELF_SECTIONS ||
        header.e_shstrndx >= header.e_shnum)
        return;
    if (read_piece(fd, header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr), &rows)) {
        const Elf64_Shdr *headers = (const Elf64_Shdr *)(const void *)rows.bytes;
        const Elf64_Shdr *own = &headers[header.e_shstrndx];
        ret->has_sections = read_piece(fd, own->sh_offset, own->sh_size, &names);
        for (unsigned i = 0; ret->has_sections && i < header.e_shnum; i++)
            take_section(name_in(&names, headers[i].sh_name), &headers[i], bias, ret);
        for (unsigned i = 0; ret->is_go && i < header.e_shnum; i++) {
            if (headers[i].sh_type == SHT_SYMTAB && headers[i].sh_link < header.e_shnum)
                read_symbols(fd, &headers[i], &headers[headers[i].sh_link], bias, ret);
        }
    }
    free(rows.bytes);
    free(names.bytes);
}

void go_symbols_read(const char *path, uint64_t bias, struct go_symbols *ret)
{
    *ret = (struct go_symbols){0};
    int fd = file_open(path, NULL);
    if (fd < 0)
        return;
    read_file(fd, bias, ret);
    close(fd);
}
