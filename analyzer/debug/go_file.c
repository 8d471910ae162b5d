#include "analyzer/debug/go_file.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/image/elf.h"
#include "preload/goscan/build_info.h"
#include "preload/goscan/find.h"
#include "preload/goscan/search.h"

#define MAX_SEGMENTS 128
#define MAX_DYNAMIC 1024
#define MAX_CANDIDATES 64        /* tables that are looked at, and moduledatas for one table */
#define CHUNK_BYTES (256 * 1024) /* at least SEARCH_BUFFER_BYTES */
#define BLOCK_BYTES 4096         /* that are kept together */
#define BLOCKS 64                /* that are kept, at most */
#define MAX_READS 32             /* of the whole file, while it is opened */
#define MODULE_BYTES 512         /* of a moduledata that are looked at */

struct segment {
    uint64_t address, offset, bytes; /* that are in the file */
    bool executable, writable;
};

/* A part of the file that is kept: of the table a few bytes are read at a time, mostly near the
 * last ones. */
struct block {
    uint64_t at;  /* offset in the file, a multiple of BLOCK_BYTES */
    size_t bytes; /* 0: free */
    uint8_t data[BLOCK_BYTES];
};

struct go_file {
    struct mem_reader reader; /* first: the table reads the file by this */
    int fd;
    uint64_t bytes;  /* of the file */
    uint64_t budget; /* bytes that may still be read: a file can be made so that it is read again
                        and again while it is opened */
    struct segment segments[MAX_SEGMENTS];
    size_t segment_count;
    uint64_t dynamic_at, dynamic_bytes;         /* offset in the file */
    uint64_t relocations, relocations_bytes;    /* address */
    uint64_t sections_at, section_count, names; /* offset in the file; index of the names */
    /* A moduledata as the loader leaves it, laid over what is in the file. */
    uint64_t module_data;
    uint8_t module[MODULE_BYTES];
    struct go_build build; /* all 0: not known */
    struct pclntab table;
    uint8_t *chunk; /* CHUNK_BYTES, while it is opened */
    struct block blocks[BLOCKS];
};

/* ---- Bytes of the file ---- */

static bool read_file(const struct go_file *file, uint64_t offset, void *to, size_t bytes)
{
    return file_read_at(file->fd, offset, to, bytes) == (ssize_t)bytes;
}

/* Reads what lies within one block. */
static bool read_block(struct go_file *file, uint64_t offset, void *to, size_t bytes)
{
    size_t into = (size_t)(offset % BLOCK_BYTES);
    uint64_t at = offset - into, left = file->bytes - at;
    struct block *block = &file->blocks[at / BLOCK_BYTES % BLOCKS];
    if (block->bytes == 0 || block->at != at) {
        block->at = at;
        block->bytes = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        if (!read_file(file, at, block->data, block->bytes)) {
            block->bytes = 0;
            return false;
        }
    }
    memcpy(to, block->data + into, bytes);
    return true;
}

static bool read_at(struct go_file *file, uint64_t offset, void *to, size_t bytes)
{
    if (offset > file->bytes || bytes > file->bytes - offset || bytes > file->budget)
        return false;
    file->budget -= bytes;
    return offset % BLOCK_BYTES + bytes <= BLOCK_BYTES ? read_block(file, offset, to, bytes)
                                                       : read_file(file, offset, to, bytes);
}

/* How many bytes follow the address in the file, 0: none; and where they are. */
static uint64_t bytes_at(const struct go_file *file, uint64_t address, uint64_t *ret_offset)
{
    for (size_t i = 0; i < file->segment_count; i++) {
        const struct segment *segment = &file->segments[i];
        uint64_t into = address - segment->address;
        if (address < segment->address || into >= segment->bytes)
            continue;
        *ret_offset = segment->offset + into;
        return segment->bytes - into;
    }
    return 0;
}

static bool read_address(struct go_file *file, uint64_t address, void *to, size_t bytes)
{
    uint64_t offset = 0, into = address - file->module_data;
    if (file->module_data != 0 && address >= file->module_data && into < MODULE_BYTES &&
        bytes <= MODULE_BYTES - into) {
        memcpy(to, file->module + into, bytes);
        return true;
    }
    return bytes_at(file, address, &offset) >= bytes && read_at(file, offset, to, bytes);
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct go_file *file = (struct go_file *)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = read_address(file, pieces[i].address, pieces[i].to, pieces[i].bytes);
}

/* ---- ELF ---- */

static bool read_headers(struct go_file *file)
{
    Elf64_Ehdr header;
    if (!read_at(file, 0, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_phentsize != sizeof(Elf64_Phdr) ||
        header.e_phnum > MAX_SEGMENTS)
        return false;
    file->sections_at = header.e_shentsize == sizeof(Elf64_Shdr) ? header.e_shoff : 0;
    file->section_count = header.e_shnum < IMAGE_ELF_SECTIONS ? header.e_shnum : 0;
    file->names = header.e_shstrndx;
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr row;
        if (!read_at(file, header.e_phoff + i * sizeof(row), &row, sizeof(row)))
            return false;
        bool inside = row.p_offset <= file->bytes && row.p_filesz <= file->bytes - row.p_offset &&
                      row.p_vaddr <= UINT64_MAX - row.p_filesz;
        if (!inside || row.p_filesz == 0)
            continue;
        if (row.p_type == PT_LOAD) {
            file->segments[file->segment_count++] = (struct segment){
                .address = row.p_vaddr,
                .offset = row.p_offset,
                .bytes = row.p_filesz,
                .executable = (row.p_flags & PF_X) != 0,
                .writable = (row.p_flags & PF_W) != 0,
            };
        } else if (row.p_type == PT_DYNAMIC) {
            file->dynamic_at = row.p_offset;
            file->dynamic_bytes = row.p_filesz;
        }
    }
    return file->segment_count > 0;
}

/* The address of a section that has bytes in the file; 0: there is none. */
static uint64_t section_address(struct go_file *file, const char *name)
{
    Elf64_Shdr names, row;
    char found[64];
    size_t bytes = strlen(name) + 1;
    if (file->names >= file->section_count ||
        !read_at(file, file->sections_at + file->names * sizeof(names), &names, sizeof(names)))
        return 0;
    for (size_t i = 1; i < file->section_count; i++) {
        if (!read_at(file, file->sections_at + i * sizeof(row), &row, sizeof(row)))
            return 0;
        if (row.sh_type != SHT_NOBITS && names.sh_offset < file->bytes &&
            row.sh_name < file->bytes - names.sh_offset && bytes <= sizeof(found) &&
            read_at(file, names.sh_offset + row.sh_name, found, bytes) &&
            memcmp(found, name, bytes) == 0)
            return row.sh_addr;
    }
    return 0;
}

/* Where the loader's relocations are. */
static void find_relocations(struct go_file *file)
{
    uint64_t offset = file->dynamic_at;
    for (size_t i = 0; i < MAX_DYNAMIC && i < file->dynamic_bytes / sizeof(Elf64_Dyn); i++) {
        Elf64_Dyn row;
        if (!read_at(file, offset + i * sizeof(row), &row, sizeof(row)) || row.d_tag == DT_NULL)
            return;
        if (row.d_tag == DT_RELA)
            file->relocations = row.d_un.d_ptr;
        else if (row.d_tag == DT_RELASZ)
            file->relocations_bytes = row.d_un.d_val;
    }
}

/* Calls visit for each relative relocation until it returns false. */
static void each_relocation(struct go_file *file,
                            bool (*visit)(struct go_file *file, const Elf64_Rela *row, void *arg),
                            void *arg)
{
    uint64_t offset, at = 0, bytes = file->relocations_bytes;
    uint64_t there = bytes_at(file, file->relocations, &offset);
    if (bytes > there)
        bytes = there;
    while (bytes - at >= sizeof(Elf64_Rela)) {
        size_t count = (bytes - at) / sizeof(Elf64_Rela);
        if (count > CHUNK_BYTES / sizeof(Elf64_Rela))
            count = CHUNK_BYTES / sizeof(Elf64_Rela);
        if (!read_at(file, offset + at, file->chunk, count * sizeof(Elf64_Rela)))
            return;
        at += count * sizeof(Elf64_Rela);
        /* visit may use the chunk no more than this does: it is not to read. */
        for (size_t i = 0; i < count; i++) {
            Elf64_Rela row;
            memcpy(&row, file->chunk + i * sizeof(row), sizeof(row));
            if (ELF64_R_TYPE(row.r_info) == R_X86_64_RELATIVE && !visit(file, &row, arg))
                return;
        }
    }
}

/* Calls visit for each place of a segment, `step` bytes apart, where 8 bytes are `wanted` in what
 * `mask` says, until it returns false. */
struct search_of {
    uint64_t wanted, mask;
    unsigned step;
    bool (*visit)(struct go_file *file, uint64_t address, void *arg);
    void *arg;
};

static bool search_segment(struct go_file *file, const struct segment *segment,
                           const struct search_of *search)
{
    uint64_t address = (segment->address + search->step - 1) & -(uint64_t)search->step;
    uint64_t end = segment->address + segment->bytes;
    while (address < end && end - address >= 8) {
        size_t bytes = end - address < CHUNK_BYTES ? end - address : CHUNK_BYTES;
        if (!read_at(file, segment->offset + (address - segment->address), file->chunk, bytes))
            return true;
        uint64_t found[MAX_CANDIDATES];
        size_t found_count = 0, at = 0;
        for (; at + 8 <= bytes && found_count < MAX_CANDIDATES; at += search->step) {
            uint64_t word;
            memcpy(&word, file->chunk + at, sizeof(word));
            if ((word & search->mask) == search->wanted)
                found[found_count++] = address + at;
        }
        /* The chunk is the visitors' from here on. */
        for (size_t i = 0; i < found_count; i++) {
            if (!search->visit(file, found[i], search->arg))
                return false;
        }
        address += at;
    }
    return true;
}

/* ---- Is it Go's ---- */

static bool take_build_info(struct go_file *file, uint64_t address, void *arg)
{
    (void)arg;
    struct go_build build;
    if (!go_build_read(&build, &file->reader, address))
        return true;
    file->build = build;
    return false;
}

/* By build info, which even a file without sections has among its variables. */
static bool find_build_info(struct go_file *file)
{
    uint64_t address = section_address(file, ".go.buildinfo");
    if (address != 0 && !take_build_info(file, address, NULL))
        return true;
    uint64_t wanted;
    memcpy(&wanted, GO_BUILD_MAGIC, sizeof(wanted));
    const struct search_of search = {wanted, UINT64_MAX, 16, take_build_info, NULL};
    for (size_t i = 0; i < file->segment_count; i++) {
        if (file->segments[i].writable && !search_segment(file, &file->segments[i], &search))
            return true;
    }
    return false;
}

/* Whether it can be one of Go's: linkers can be told to leave the build info out. */
static bool may_be_go(struct go_file *file)
{
    if (find_build_info(file))
        return !file->build.old;
    static const char *const sections[] = {
        ".gopclntab", ".data.rel.ro.gopclntab", ".note.go.buildid", ".go.buildinfo", ".go.module",
        ".typelink",
    };
    bool may_be = file->section_count == 0;
    for (size_t i = 0; !may_be && i < sizeof(sections) / sizeof(*sections); i++)
        may_be = section_address(file, sections[i]) != 0;
    return may_be;
}

/* ---- The table ---- */

struct module_search {
    uint64_t table;
    uint64_t found[MAX_CANDIDATES];
    size_t found_count;
    bool done;
};

static bool is_pointer_to_table(struct go_file *file, const Elf64_Rela *row, void *arg)
{
    (void)file;
    struct module_search *search = arg;
    if ((uint64_t)row->r_addend == search->table)
        search->found[search->found_count++] = row->r_offset;
    return search->found_count < MAX_CANDIDATES;
}

static bool relocate_module(struct go_file *file, const Elf64_Rela *row, void *arg)
{
    (void)arg;
    uint64_t into = row->r_offset - file->module_data;
    if (row->r_offset >= file->module_data && into <= MODULE_BYTES - sizeof(row->r_addend))
        memcpy(file->module + into, &row->r_addend, sizeof(row->r_addend));
    return true;
}

/* Takes what is at an address for a moduledata. Returns whether to go on looking. */
static bool try_module(struct go_file *file, uint64_t address, void *arg)
{
    struct module_search *search = arg;
    uint64_t offset, there = bytes_at(file, address, &offset);
    if (address == 0 || there < sizeof(uint64_t))
        return true;
    memset(file->module, 0, sizeof(file->module));
    if (!read_at(file, offset, file->module, there < MODULE_BYTES ? there : MODULE_BYTES))
        return true;
    file->module_data = address;
    each_relocation(file, relocate_module, NULL);
    search->done = pclntab_open_module(&file->table, &file->reader, address, file->build.minor) &&
                   file->table.start == search->table;
    if (!search->done)
        file->module_data = 0;
    return !search->done;
}

/* Takes what is at an address for the table: a moduledata must speak of it. */
static bool try_table(struct go_file *file, uint64_t address, void *arg)
{
    struct module_search search = {.table = address};
    unsigned *tables = arg;
    struct pclntab table;
    uint64_t offset, there = bytes_at(file, address, &offset);
    if (address == 0 || !pclntab_open(&table, &file->reader, address, address + there, 0, 0, 0, 0))
        return true;
    each_relocation(file, is_pointer_to_table, &search);
    for (size_t i = 0; i < search.found_count && !search.done; i++)
        (void)try_module(file, search.found[i], &search);
    const struct search_of words = {address, UINT64_MAX, 8, try_module, &search};
    for (size_t i = 0; i < file->segment_count && !search.done; i++) {
        if (!file->segments[i].executable)
            (void)search_segment(file, &file->segments[i], &words);
    }
    return !search.done && --*tables > 0;
}

static bool find_table(struct go_file *file)
{
    static const char *const table_sections[] = {".gopclntab", ".data.rel.ro.gopclntab"};
    unsigned tables = MAX_CANDIDATES;
    for (size_t i = 0; i < sizeof(table_sections) / sizeof(*table_sections); i++) {
        if (!try_table(file, section_address(file, table_sections[i]), &tables))
            return file->module_data != 0;
    }
    /* fffffff0 or fffffff1, two zeroes, the quantum, the size of a pointer. */
    const struct search_of search = {
        .wanted = 0x08000000fffffff0,
        .mask = 0xff00fffffffffffe,
        .step = 8,
        .visit = try_table,
        .arg = &tables,
    };
    for (size_t i = 0; i < file->segment_count; i++) {
        if (!search_segment(file, &file->segments[i], &search))
            break;
    }
    return file->module_data != 0;
}

/* Where there is no build info, the runtime itself knows its version. */
static void find_version_of_runtime(struct go_file *file)
{
    struct go_layout layout; /* moduledata's variables are at one place in all versions */
    (void)go_layout_of(GO_MINOR_NEWEST, &layout);
    struct finder finder = {
        .search = {.reader = &file->reader, .buffer = file->chunk},
        .layout = &layout,
        .functions = &file->table,
    };
    struct go_build build;
    struct pclntab table;
    if (!find_sections(&finder, file->module_data) || !find_version(&finder, &build) ||
        !pclntab_open_module(&table, &file->reader, file->module_data, build.minor))
        return;
    file->build = build;
    file->table = table;
}

/* ---- Opening ---- */

static bool open_file(struct go_file *file, const char *path)
{
    file->fd = file_open(path, &file->bytes);
    if (file->fd < 0)
        return false;
    file->budget = MAX_READS * file->bytes + CHUNK_BYTES;
    return true;
}

struct go_file *go_file_open(const char *path)
{
    struct go_file *file = calloc(1, sizeof(*file));
    if (file == NULL)
        return NULL;
    file->fd = -1;
    file->reader.read = read_pieces;
    file->chunk = malloc(CHUNK_BYTES);
    bool ok = file->chunk != NULL && open_file(file, path) && read_headers(file) && may_be_go(file);
    if (ok) {
        find_relocations(file);
        ok = find_table(file);
    }
    if (ok && file->build.minor == 0)
        find_version_of_runtime(file);
    file->budget = UINT64_MAX;
    free(file->chunk);
    file->chunk = NULL;
    if (!ok) {
        go_file_close(file);
        return NULL;
    }
    return file;
}

void go_file_close(struct go_file *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file->chunk);
    free(file);
}

size_t go_file_calls(struct go_file *file, uint64_t address,
                     struct pclntab_call calls[PCLNTAB_MAX_INLINED])
{
    return pclntab_calls(&file->table, address, calls);
}

/* The linker's names of instances and of functions in assembler say more than the table's:
 * "main.F[go.shape.int]" is "main.F[...]", "runtime.asmcgocall.abi0" is "runtime.asmcgocall". */
static bool is_same_function(const char *one, const char *other)
{
    size_t bytes = strcspn(one, "["), other_bytes = strcspn(other, "[");
    const char *abi = strstr(one, ".abi"), *other_abi = strstr(other, ".abi");
    if (abi && abi < one + bytes)
        bytes = (size_t)(abi - one);
    if (other_abi && other_abi < other + other_bytes)
        other_bytes = (size_t)(other_abi - other);
    return bytes == other_bytes && memcmp(one, other, bytes) == 0;
}

bool go_file_contradicts(const struct go_file *file, uint64_t address, const char *name)
{
    char found[PCLNTAB_NAME_BYTES];
    struct pclntab_function function;
    return pclntab_find(&file->table, address, &function) &&
           pclntab_name(&file->table, &function, found, sizeof(found)) &&
           !is_same_function(found, name);
}

const struct pclntab *go_file_table(const struct go_file *file)
{
    return &file->table;
}

const char *go_file_version(const struct go_file *file)
{
    return file->build.version;
}
