#include "analyzer/image/symbols.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/image/elf.h"

#define MAX_DYNAMIC 256         /* rows of the dynamic section that are looked at */
#define MAX_CHAIN (1U << 16)    /* symbols of one hash that are looked at */
#define MAX_NAME 256            /* bytes of a name that is looked for */
#define MAX_BYTES (256UL << 20) /* of a table of all symbols, or of its names */
#define NAMES_AT_ONCE 32768     /* bytes */

static bool open_file(struct file_reader *ret, const struct image_module *module)
{
    return module->file && file_reader_open(ret, module->file);
}

/* ---- The loader's tables ---- */

/* Addresses as `reader` counts. */
struct exports {
    struct mem_reader *reader;
    uint64_t hash, symbols, names;
};

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static void take(struct image_symbol *symbol, const Elf64_Sym *row, uint64_t bias)
{
    symbol->is_local = ELF64_ST_TYPE(row->st_info) == STT_TLS;
    symbol->address = row->st_value + (symbol->is_local ? 0 : bias);
    symbol->bytes = row->st_size;
}

static bool is_named(const struct exports *exports, const Elf64_Sym *row, const char *name)
{
    char there[MAX_NAME];
    size_t bytes = strlen(name) + 1;
    return bytes <= sizeof(there) && row->st_shndx != SHN_UNDEF &&
           mem_read(exports->reader, exports->names + row->st_name, there, bytes) &&
           memcmp(there, name, bytes) == 0;
}

/* Looks in a table of DT_GNU_HASH: four numbers, a Bloom filter, buckets, chains. */
static bool find_export(const struct exports *exports, const char *name, Elf64_Sym *ret)
{
    uint32_t head[4]; /* buckets, first symbol, words of the filter, shift */
    uint32_t hash = hash_of(name), at, there;
    uint64_t word;
    if (!mem_read(exports->reader, exports->hash, head, sizeof(head)) || head[0] == 0 ||
        head[2] == 0)
        return false;
    uint64_t filter = exports->hash + sizeof(head);
    if (!mem_read(exports->reader, filter + hash / 64 % head[2] * sizeof(word), &word,
                  sizeof(word)) ||
        !(word >> hash % 64 & 1) || !(word >> (hash >> (head[3] & 31)) % 64 & 1))
        return false;
    uint64_t buckets = filter + head[2] * sizeof(word);
    uint64_t chains = buckets + head[0] * sizeof(at);
    if (!mem_read(exports->reader, buckets + hash % head[0] * sizeof(at), &at, sizeof(at)) ||
        at < head[1])
        return false;
    for (uint32_t i = 0; i < MAX_CHAIN; i++, at++) {
        if (!mem_read(exports->reader, chains + (uint64_t)(at - head[1]) * sizeof(there), &there,
                      sizeof(there)))
            return false;
        if ((there | 1) == (hash | 1) &&
            mem_read(exports->reader, exports->symbols + at * sizeof(*ret), ret, sizeof(*ret)) &&
            is_named(exports, ret, name))
            return true;
        if (there & 1)
            return false;
    }
    return false;
}

/* Where the dynamic section says that the tables are, in memory. */
static bool exports_in_memory(struct image *image, const struct image_module *module,
                              struct exports *ret)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    Elf64_Dyn row;
    uint64_t dynamic = 0;
    *ret = (struct exports){.reader = image->memory};
    if (!mem_read(image->memory, module->start, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(segment))
        return false;
    for (unsigned i = 0; i < header.e_phnum && i < MAX_DYNAMIC && !dynamic; i++) {
        if (!mem_read(image->memory, module->start + header.e_phoff + i * sizeof(segment), &segment,
                      sizeof(segment)))
            return false;
        if (segment.p_type == PT_DYNAMIC)
            dynamic = module->bias + segment.p_vaddr;
    }
    for (unsigned i = 0; dynamic && i < MAX_DYNAMIC; i++) {
        if (!mem_read(image->memory, dynamic + i * sizeof(row), &row, sizeof(row)) ||
            row.d_tag == DT_NULL)
            break;
        uint64_t *to = row.d_tag == DT_GNU_HASH ? &ret->hash
                       : row.d_tag == DT_SYMTAB ? &ret->symbols
                       : row.d_tag == DT_STRTAB ? &ret->names
                                                : NULL;
        /* The loader has made addresses of them, but for the kernel's own library. */
        if (to)
            *to = row.d_un.d_ptr < module->bias ? row.d_un.d_ptr + module->bias : row.d_un.d_ptr;
    }
    return ret->hash && ret->symbols && ret->names;
}

/* ---- Sections of the file ---- */

struct sections {
    Elf64_Shdr *rows;
    unsigned count;
};

static bool read_sections(struct file_reader *file, struct sections *ret)
{
    Elf64_Ehdr header;
    *ret = (struct sections){0};
    if (!mem_read(&file->reader, 0, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(*ret->rows) ||
        header.e_shnum == 0 || header.e_shnum > IMAGE_ELF_SECTIONS)
        return false;
    ret->rows = calloc(header.e_shnum, sizeof(*ret->rows));
    if (!ret->rows ||
        !mem_read(&file->reader, header.e_shoff, ret->rows, header.e_shnum * sizeof(*ret->rows))) {
        free(ret->rows);
        return false;
    }
    ret->count = header.e_shnum;
    return true;
}

/* The first section of a type whose link is a section too; NULL: there is none. */
static const Elf64_Shdr *section_of(const struct sections *sections, uint32_t type)
{
    for (unsigned i = 0; i < sections->count; i++) {
        if (sections->rows[i].sh_type == type && sections->rows[i].sh_link < sections->count)
            return &sections->rows[i];
    }
    return NULL;
}

static bool exports_in_file(struct file_reader *file, struct exports *ret)
{
    struct sections sections;
    if (!read_sections(file, &sections))
        return false;
    const Elf64_Shdr *hash = section_of(&sections, SHT_GNU_HASH);
    const Elf64_Shdr *symbols = section_of(&sections, SHT_DYNSYM);
    bool ok = hash && symbols;
    if (ok)
        *ret = (struct exports){&file->reader, hash->sh_offset, symbols->sh_offset,
                                sections.rows[symbols->sh_link].sh_offset};
    free(sections.rows);
    return ok;
}

static void forget(struct image_symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        symbols[i].address = symbols[i].bytes = 0;
        symbols[i].is_local = false;
    }
}

size_t image_exported(struct image *image, uint32_t module, struct image_symbol *symbols,
                      size_t count)
{
    const struct image_module *at = &image->modules[module];
    struct file_reader file;
    struct exports exports;
    size_t found = 0;
    forget(symbols, count);
    bool open = open_file(&file, at);
    if ((open && exports_in_file(&file, &exports)) || exports_in_memory(image, at, &exports)) {
        for (size_t i = 0; i < count; i++) {
            Elf64_Sym row;
            if (!find_export(&exports, symbols[i].name, &row))
                continue;
            take(&symbols[i], &row, at->bias);
            found++;
        }
    }
    if (open)
        file_reader_close(&file);
    return found;
}

/* ---- All symbols ---- */

static char *read_section(struct file_reader *file, const Elf64_Shdr *section)
{
    char *bytes = section->sh_size <= MAX_BYTES ? malloc(section->sh_size + 1) : NULL;
    if (bytes && !mem_read(&file->reader, section->sh_offset, bytes, section->sh_size)) {
        free(bytes);
        return NULL;
    }
    if (bytes)
        bytes[section->sh_size] = '\0';
    return bytes;
}

/* Whether the name is among the names of symbols: read in passing, which costs a small part of what
 * it takes to keep all symbols of a large program, most of which have none that is looked for. */
static bool has_name(struct file_reader *file, const Elf64_Shdr *names, const char *name)
{
    char chunk[NAMES_AT_ONCE + MAX_NAME];
    size_t bytes = strlen(name) + 1, kept = 0;
    if (bytes > MAX_NAME || names->sh_size > MAX_BYTES)
        return false;
    for (uint64_t at = 0; at < names->sh_size;) {
        uint64_t left = names->sh_size - at;
        size_t more = left < NAMES_AT_ONCE ? (size_t)left : NAMES_AT_ONCE;
        if (!mem_read(&file->reader, names->sh_offset + at, chunk + kept, more))
            return false;
        if (memmem(chunk, kept + more, name, bytes))
            return true;
        at += more;
        /* It may begin at the end of this chunk. */
        size_t end = kept + more;
        kept = end < bytes - 1 ? end : bytes - 1;
        memmove(chunk, chunk + end - kept, kept);
    }
    return false;
}

static size_t search(const char *rows, uint64_t row_bytes, const char *names, uint64_t name_bytes,
                     uint64_t bias, struct image_symbol *symbols, size_t count)
{
    size_t found = 0;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= row_bytes && found < count;
         at += sizeof(Elf64_Sym)) {
        Elf64_Sym row;
        memcpy(&row, rows + at, sizeof(row));
        if (row.st_shndx == SHN_UNDEF || row.st_name >= name_bytes || row.st_value == 0)
            continue;
        const char *name = names + row.st_name;
        for (size_t i = 0; i < count; i++) {
            if (symbols[i].address || strcmp(symbols[i].name, name) != 0)
                continue;
            take(&symbols[i], &row, bias);
            found++;
        }
    }
    return found;
}

size_t image_all_symbols(struct image *image, uint32_t module, struct image_symbol *symbols,
                         size_t count)
{
    const struct image_module *at = &image->modules[module];
    struct file_reader file;
    struct sections sections;
    size_t found = 0;
    forget(symbols, count);
    if (!open_file(&file, at))
        return 0;
    if (read_sections(&file, &sections)) {
        const Elf64_Shdr *table = section_of(&sections, SHT_SYMTAB);
        bool there = table && has_name(&file, &sections.rows[table->sh_link], symbols[0].name);
        char *rows = there ? read_section(&file, table) : NULL;
        char *names = rows ? read_section(&file, &sections.rows[table->sh_link]) : NULL;
        if (names)
            found = search(rows, table->sh_size, names, sections.rows[table->sh_link].sh_size,
                           at->bias, symbols, count);
        free(rows);
        free(names);
        free(sections.rows);
    }
    file_reader_close(&file);
    return found;
}
