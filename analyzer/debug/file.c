/* libdwfl finds and checks separate debug files; what is in them is units.c's business. */
#include "analyzer/debug/file.h"

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/debug/units.h"

/* A file's compressed sections grow to at most this many times its size; no compiler comes near.
 * That holds for the file and the separate one that libdwfl finds; not for what libdw opens by
 * itself, .dwo files and what dwz moved to another file (.gnu_debugaltlink), nor for a separate
 * file that is packed as a whole, which libdwfl unpacks before it can be refused. Of those only
 * libelf's bound holds, a thousand times for a section, and of all the limits of the process
 * (base/limits.h). */
#define MAX_INFLATION 64
#define MAX_SYMBOLS (1 << 24)
#define MAX_OVERLAPS 64 /* symbols looked at to the left of an address */

struct symbol {
    uint64_t address, bytes; /* 0 bytes: up to the next symbol */
    const char *name;
    int rank; /* of names for one place, the lowest is shown */
};

struct debug_file {
    Dwfl *dwfl;
    Dwfl_Callbacks callbacks;
    char *debug_folders;
    Dwfl_Module *module;

    bool units_looked_for;
    struct debug_units *units; /* NULL: there is no debug information */
    Dwarf_Addr dwarf_bias;     /* address in the file minus address in the debug information */

    bool symbols_read;
    struct symbol *symbols; /* sorted by address, best name first */
    size_t symbol_count;
};

/* ---- Opening ---- */

/* How many bytes a section claims to unfold to that says so by its flags. 0: nothing, and it cannot
 * be unfolded. (gelf_getchdr copies the whole section where it is not aligned, as Go's are not.) */
static uint64_t claimed_by_flags(Elf *elf, const GElf_Shdr *section)
{
    size_t bytes = gelf_fsize(elf, ELF_T_CHDR, 1, EV_CURRENT);
    Elf_Data *data = bytes <= section->sh_size
                         ? elf_getdata_rawchunk(elf, (int64_t)section->sh_offset, bytes, ELF_T_CHDR)
                         : NULL;
    if (data == NULL)
        return 0;
    return gelf_getclass(elf) == ELFCLASS32 ? ((const Elf32_Chdr *)data->d_buf)->ch_size
                                            : ((const Elf64_Chdr *)data->d_buf)->ch_size;
}

/* The same of one that says so by its name, as was usual before: .zdebug_info. */
static uint64_t claimed_by_name(Elf *elf, const GElf_Shdr *section)
{
    static const char magic[4] = "ZLIB";
    uint64_t claimed = 0;
    size_t bytes = sizeof(magic) + sizeof(claimed);
    Elf_Data *data = bytes <= section->sh_size
                         ? elf_getdata_rawchunk(elf, (int64_t)section->sh_offset, bytes, ELF_T_BYTE)
                         : NULL;
    if (data == NULL || memcmp(data->d_buf, magic, sizeof(magic)) != 0)
        return 0;
    memcpy(&claimed, (const char *)data->d_buf + sizeof(magic), sizeof(claimed));
    return be64toh(claimed);
}

static uint64_t claimed_bytes(Elf *elf, size_t names, const GElf_Shdr *section)
{
    if ((section->sh_flags & SHF_COMPRESSED) != 0)
        return claimed_by_flags(elf, section);
    const char *name =
        section->sh_type != SHT_NOBITS ? elf_strptr(elf, names, section->sh_name) : NULL;
    return name != NULL && strncmp(name, ".zdebug", 7) == 0 ? claimed_by_name(elf, section) : 0;
}

/* The section that the names of sections are in; 0: there is none. False: elf_strptr would unfold
 * it first, and nothing writes it so. */
static bool names_are_plain(Elf *elf, size_t *ret)
{
    GElf_Shdr header;
    if (elf_getshdrstrndx(elf, ret) != 0)
        *ret = SHN_UNDEF;
    return gelf_getshdr(elf_getscn(elf, *ret), &header) == NULL ||
           (header.sh_flags & SHF_COMPRESSED) == 0;
}

/* No file whose sections claim to unfold to a multiple of it that no compiler reaches. */
static bool inflation_is_bounded(int fd)
{
    struct stat stat;
    size_t names;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf == NULL || fstat(fd, &stat) != 0 || !names_are_plain(elf, &names)) {
        elf_end(elf);
        return false;
    }
    uint64_t most = (uint64_t)stat.st_size * MAX_INFLATION;
    uint64_t sum = 0;
    bool bounded = true;
    for (Elf_Scn *section = NULL; bounded && (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL)
            continue;
        uint64_t bytes = claimed_bytes(elf, names, &header);
        bounded = bytes <= most && (sum += bytes) <= most;
    }
    elf_end(elf);
    return bounded;
}

static int find_no_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                       char **path, Elf **elf)
{
    (void)module, (void)userdata, (void)name, (void)base, (void)path, (void)elf;
    return -1;
}

/* Open a regular file that begins like ELF; a recorded path may name a pipe or a device by now. */
static enum debug_file_result open_elf(const char *path, int *ret)
{
    char magic[SELFMAG];
    int fd = file_open(path, NULL);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? DEBUG_FILE_GONE : DEBUG_FILE_UNREADABLE;
    if (file_read_at(fd, 0, magic, sizeof(magic)) != sizeof(magic) ||
        memcmp(magic, ELFMAG, SELFMAG) != 0 || !inflation_is_bounded(fd)) {
        close(fd);
        return DEBUG_FILE_UNREADABLE;
    }
    *ret = fd;
    return DEBUG_FILE_OK;
}

/* libdwfl closes descriptor 0 with a module whose separate file it found by build-id, unless it
 * asked for it itself, and so was told its descriptor. */
static void end_search(Dwfl *dwfl)
{
    int flags = fcntl(0, F_GETFD);
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 3);
    dwfl_end(dwfl);
    if (kept < 0)
        return; /* there was none */
    dup3(kept, 0, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    close(kept);
}

/* Whether the separate file that libdwfl would take is one whose sections may be unfolded. It keeps
 * the one that it finds, whatever is said of it afterwards: so it looks for another module first.
 */
static bool separate_is_bounded(const struct debug_file *file, const char *path,
                                const char *debuglink, GElf_Word crc)
{
    int fd, found = -1;
    char *name = NULL;
    if (open_elf(path, &fd) != DEBUG_FILE_OK)
        return false;
    Dwfl *dwfl = dwfl_begin(&file->callbacks);
    Dwfl_Module *module = NULL;
    if (dwfl != NULL) {
        dwfl_report_begin(dwfl);
        module = dwfl_report_elf(dwfl, path, path, fd, 0, true);
        dwfl_report_end(dwfl, NULL, NULL);
    }
    if (module == NULL)
        close(fd);
    else
        found = dwfl_standard_find_debuginfo(module, NULL, path, 0, path, debuglink, crc, &name);
    bool bounded = module != NULL && (found < 0 || inflation_is_bounded(found));
    free(name);
    end_search(dwfl);
    if (found >= 0)
        close(found);
    return bounded;
}

static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                          const char *path, const char *debuglink, GElf_Word crc,
                          char **debuginfo_path)
{
    if (path == NULL) /* of an alternate file (dwz), which is not measured */
        return -1;
    if (!separate_is_bounded(*userdata, path, debuglink, crc))
        return -1;
    return dwfl_standard_find_debuginfo(module, userdata, name, base, path, debuglink, crc,
                                        debuginfo_path);
}

static enum debug_file_result check_build_id(struct debug_file *file, const uint8_t *build_id,
                                             size_t build_id_bytes)
{
    GElf_Addr bias;
    GElf_Ehdr header;
    Elf *elf = dwfl_module_getelf(file->module, &bias);
    if (elf == NULL || gelf_getehdr(elf, &header) == NULL ||
        (header.e_type != ET_DYN && header.e_type != ET_EXEC))
        return DEBUG_FILE_UNREADABLE;
    const void *found;
    ssize_t found_bytes = dwelf_elf_gnu_build_id(elf, &found);
    if (build_id_bytes == 0)
        return DEBUG_FILE_OK;
    return found_bytes >= 0 && (size_t)found_bytes == build_id_bytes &&
                   memcmp(found, build_id, build_id_bytes) == 0
               ? DEBUG_FILE_OK
               : DEBUG_FILE_CHANGED;
}

enum debug_file_result debug_file_open(const char *path, const uint8_t *build_id,
                                       size_t build_id_bytes, char *debug_folders,
                                       struct debug_file **ret)
{
    elf_version(EV_CURRENT);
    unsetenv("DEBUGINFOD_URLS"); /* libdwfl asks the servers that it names for debug files */
    int fd;
    enum debug_file_result result = open_elf(path, &fd);
    if (result != DEBUG_FILE_OK)
        return result;
    struct debug_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        close(fd);
        return DEBUG_FILE_UNREADABLE;
    }
    file->debug_folders = debug_folders;
    file->callbacks = (Dwfl_Callbacks){
        .find_elf = find_no_elf,
        .find_debuginfo = find_debuginfo,
        .section_address = dwfl_offline_section_address,
        .debuginfo_path = &file->debug_folders,
    };
    file->dwfl = dwfl_begin(&file->callbacks);
    if (file->dwfl != NULL) {
        dwfl_report_begin(file->dwfl);
        file->module = dwfl_report_elf(file->dwfl, path, path, fd, 0, true);
        if (file->module != NULL) {
            void **userdata;
            dwfl_module_info(file->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
            *userdata = file;
            fd = -1; /* libdwfl has it now */
        }
        dwfl_report_end(file->dwfl, NULL, NULL);
    }
    if (fd >= 0)
        close(fd);
    result = file->module != NULL ? check_build_id(file, build_id, build_id_bytes)
                                  : DEBUG_FILE_UNREADABLE;
    if (result != DEBUG_FILE_OK) {
        debug_file_close(file);
        return result;
    }
    *ret = file;
    return DEBUG_FILE_OK;
}

void debug_file_close(struct debug_file *file)
{
    if (file == NULL)
        return;
    debug_units_destroy(file->units);
    free(file->symbols);
    dwfl_end(file->dwfl);
    free(file);
}

/* ---- What stands at an address ---- */

bool debug_file_has_lines(struct debug_file *file)
{
    if (!file->units_looked_for) {
        file->units_looked_for = true;
        Dwarf *dwarf = dwfl_module_getdwarf(file->module, &file->dwarf_bias);
        if (dwarf != NULL)
            file->units = debug_units_create(dwarf);
    }
    return file->units != NULL;
}

Dwarf *debug_file_dwarf(struct debug_file *file, uint64_t *ret_bias)
{
    Dwarf *dwarf = dwfl_module_getdwarf(file->module, &file->dwarf_bias);
    if (ret_bias != NULL)
        *ret_bias = file->dwarf_bias;
    return dwarf;
}

size_t debug_file_frames(struct debug_file *file, uint64_t address,
                         struct debug_frame frames[DEBUG_FILE_MAX_FRAMES])
{
    if (!debug_file_has_lines(file))
        return 0;
    return debug_units_frames(file->units, address - file->dwarf_bias, frames);
}

/* Of several names for one place the public one with the fewest decorations is best known. */
static int rank_symbol(const GElf_Sym *symbol, const char *name)
{
    int rank = GELF_ST_BIND(symbol->st_info) == STB_LOCAL ? 100 : 0;
    rank += GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE ? 50 : 0;
    rank += (int)strspn(name, "_") * 2;
    return rank + (GELF_ST_BIND(symbol->st_info) == STB_WEAK);
}

static int compare_symbols(const void *a, const void *b)
{
    const struct symbol *left = a, *right = b;
    if (left->address != right->address)
        return left->address < right->address ? -1 : 1;
    return left->rank != right->rank ? left->rank - right->rank : strcmp(left->name, right->name);
}

static void read_symbols(struct debug_file *file)
{
    int count = dwfl_module_getsymtab(file->module);
    if (count <= 0 || count > MAX_SYMBOLS)
        return;
    file->symbols = calloc((size_t)count, sizeof(*file->symbols));
    if (file->symbols == NULL)
        return;
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *name =
            dwfl_module_getsym_info(file->module, i, &symbol, &address, NULL, NULL, NULL);
        if (name == NULL || name[0] == '\0' || symbol.st_shndx == SHN_UNDEF)
            continue;
        int type = GELF_ST_TYPE(symbol.st_info);
        if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
            continue;
        file->symbols[file->symbol_count++] =
            (struct symbol){address, symbol.st_size, name, rank_symbol(&symbol, name)};
    }
    qsort(file->symbols, file->symbol_count, sizeof(*file->symbols), compare_symbols);
}

const char *debug_file_symbol(struct debug_file *file, uint64_t address)
{
    if (!file->symbols_read) {
        file->symbols_read = true;
        read_symbols(file);
    }
    size_t low = 0, high = file->symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (file->symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* The nearest place that covers the address, and there the best name. A symbol of no size, from
     * assembly, ends where the next one begins. */
    const char *name = NULL;
    uint64_t place = 0;
    uint64_t nearest = low > 0 ? file->symbols[low - 1].address : 0;
    for (size_t i = low; i > 0 && i + MAX_OVERLAPS > low; i--) {
        const struct symbol *symbol = &file->symbols[i - 1];
        if (name != NULL && symbol->address != place)
            break;
        if (symbol->bytes != 0 ? address - symbol->address < symbol->bytes
                               : symbol->address == nearest) {
            name = symbol->name;
            place = symbol->address;
        }
    }
    return name;
}
