#include "analyzer/debug/names.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"

#define MAX_SYMBOLS (1U << 22) /* of one table */
#define UNKNOWN_BYTES 4096     /* that a function has at most which does not say how many */

struct function {
    uint64_t address, bytes;
    const char *name;
};

struct table_of {
    Elf_Data *data;
    size_t strings; /* the section that its names are in */
    size_t count;
};

/* The table that linkers write for unwinding: pairs of offsets from its own beginning, sorted
 * (Linux Standard Base, "Exception Frames"). */
struct begin {
    int32_t function;
    int32_t entry;
};

struct debug_names {
    int fd;
    Elf *elf;
    struct table_of tables[2];  /* .symtab, .dynsym */
    struct function *functions; /* sorted by address; one for each address */
    size_t count;
    const unsigned char *begins; /* struct begin[], not aligned */
    size_t begin_count;
    uint64_t begins_from; /* what they are offsets from */
};

static bool is_function(const GElf_Sym *symbol)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF &&
           symbol->st_value != 0;
}

/* Of several names for one place the one with the fewest decorations is best known. */
static int compare(const void *a, const void *b)
{
    const struct function *left = a, *right = b;
    if (left->address != right->address)
        return left->address < right->address ? -1 : 1;
    size_t underscores[] = {strspn(left->name, "_"), strspn(right->name, "_")};
    if (underscores[0] != underscores[1])
        return underscores[0] < underscores[1] ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* libelf would unfold it, to whatever size it claims. Nothing writes symbols or their names so. */
static bool is_compressed(Elf_Scn *section)
{
    GElf_Shdr header;
    return gelf_getshdr(section, &header) && (header.sh_flags & SHF_COMPRESSED);
}

static void find_tables(struct debug_names *names)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(names->elf, section)) != NULL;) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) ||
            (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) ||
            header.sh_entsize != sizeof(Elf64_Sym) || is_compressed(section) ||
            is_compressed(elf_getscn(names->elf, header.sh_link)))
            continue;
        struct table_of *table = &names->tables[header.sh_type == SHT_DYNSYM];
        table->data = elf_getdata(section, NULL);
        table->strings = header.sh_link;
        table->count = table->data ? table->data->d_size / sizeof(Elf64_Sym) : 0;
        if (table->count > MAX_SYMBOLS)
            table->count = MAX_SYMBOLS;
    }
}

static bool read_functions(struct debug_names *names)
{
    size_t room = names->tables[0].count + names->tables[1].count;
    names->functions = calloc(room + 1, sizeof(*names->functions));
    if (!names->functions)
        return false;
    for (size_t t = 0; t < 2; t++) {
        const struct table_of *table = &names->tables[t];
        for (size_t i = 1; i < table->count; i++) {
            GElf_Sym symbol;
            if (!gelf_getsym(table->data, (int)i, &symbol) || !is_function(&symbol))
                continue;
            const char *name = elf_strptr(names->elf, table->strings, symbol.st_name);
            if (name && name[0])
                names->functions[names->count++] =
                    (struct function){symbol.st_value, symbol.st_size, name};
        }
    }
    if (names->count == 0)
        return false;
    qsort(names->functions, names->count, sizeof(*names->functions), compare);
    size_t kept = 1;
    for (size_t i = 1; i < names->count; i++) {
        if (names->functions[i].address != names->functions[kept - 1].address)
            names->functions[kept++] = names->functions[i];
    }
    names->count = kept;
    return true;
}

static void find_begins(struct debug_names *names)
{
    size_t count;
    if (elf_getphdrnum(names->elf, &count) != 0)
        return;
    for (size_t i = 0; i < count && i < INT32_MAX; i++) {
        GElf_Phdr segment;
        if (!gelf_getphdr(names->elf, (int)i, &segment) || segment.p_type != PT_GNU_EH_FRAME)
            continue;
        Elf_Data *data = elf_getdata_rawchunk(names->elf, (int64_t)segment.p_offset,
                                              segment.p_filesz, ELF_T_BYTE);
        const unsigned char *bytes = data ? data->d_buf : NULL;
        /* Version, three encodings, the offset of .eh_frame, the number of rows, the rows. */
        if (!bytes || data->d_size < 12 || bytes[0] != 1 ||
            bytes[1] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) || bytes[2] != DW_EH_PE_udata4 ||
            bytes[3] != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
            return;
        uint32_t rows;
        memcpy(&rows, bytes + 8, sizeof(rows));
        names->begin_count = (data->d_size - 12) / sizeof(struct begin);
        if (rows < names->begin_count)
            names->begin_count = rows;
        names->begins = bytes + 12;
        names->begins_from = segment.p_vaddr;
        return;
    }
}

struct debug_names *debug_names_open(const char *path)
{
    elf_version(EV_CURRENT);
    struct debug_names *names = calloc(1, sizeof(*names));
    if (!names)
        return NULL;
    names->fd = file_open(path, NULL);
    if (names->fd >= 0)
        names->elf = elf_begin(names->fd, ELF_C_READ_MMAP, NULL);
    if (names->elf && elf_kind(names->elf) == ELF_K_ELF &&
        gelf_getclass(names->elf) == ELFCLASS64) {
        find_tables(names);
        find_begins(names);
    }
    if (names->elf && read_functions(names))
        return names;
    debug_names_close(names);
    return NULL;
}

void debug_names_close(struct debug_names *names)
{
    if (!names)
        return;
    free(names->functions);
    elf_end(names->elf);
    if (names->fd >= 0)
        close(names->fd);
    free(names);
}

const char *debug_names_function(const struct debug_names *names, uint64_t address,
                                 uint64_t *ret_start)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names->functions[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    /* A function of no size, from assembly, ends where the next one begins, or soon. */
    const struct function *function = &names->functions[low - 1];
    uint64_t bytes = function->bytes ? function->bytes : UNKNOWN_BYTES;
    if (address - function->address >= bytes)
        return NULL;
    *ret_start = function->address;
    return function->name;
}

static uint64_t begin_at(const struct debug_names *names, size_t row)
{
    struct begin begin;
    memcpy(&begin, names->begins + row * sizeof(begin), sizeof(begin));
    return names->begins_from + (uint64_t)(int64_t)begin.function;
}

bool debug_names_begin(const struct debug_names *names, uint64_t address, uint64_t *ret_start)
{
    size_t low = 0, high = names->begin_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (begin_at(names, middle) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    *ret_start = begin_at(names, low - 1);
    return true;
}

const char *debug_names_next(const struct debug_names *names, size_t *at, uint64_t *ret_start,
                             uint64_t *ret_bytes)
{
    if (*at >= names->count)
        return NULL;
    const struct function *function = &names->functions[(*at)++];
    *ret_start = function->address;
    *ret_bytes = function->bytes;
    return function->name;
}

bool debug_names_find(const struct debug_names *names, const char *name, uint64_t *ret)
{
    for (size_t t = 0; t < 2; t++) {
        const struct table_of *table = &names->tables[t];
        for (size_t i = 1; i < table->count; i++) {
            GElf_Sym symbol;
            if (!gelf_getsym(table->data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF)
                continue;
            const char *found = elf_strptr(names->elf, table->strings, symbol.st_name);
            if (found && strcmp(found, name) == 0) {
                *ret = symbol.st_value;
                return true;
            }
        }
    }
    return false;
}
