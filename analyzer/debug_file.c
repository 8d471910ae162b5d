/* libdwfl finds and checks separate debug files, libdw reads DWARF. Addresses are looked up by two
 * indexes of our own, each made when it is first needed: the ranges of all units of a file (from
 * the units themselves, because .debug_aranges is missing in what LLVM makes), and the functions of
 * one unit. */
#include "analyzer/debug_file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bounds for damaged files, far above what compilers make. */
#define MAX_UNITS (1U << 20)
#define MAX_RANGES (1U << 24)
#define MAX_SYMBOLS (1U << 24)
#define MAX_ENTRIES_WALKED (1U << 26) /* debugging entries looked at for one index */
#define MAX_NESTING 64
#define MAX_SCOPE_BYTES 4096
#define MAX_OVERLAPS 64 /* ranges looked at to the left of an address */
/* A compressed section grows to at most this many times the file's size. */
#define MAX_INFLATION 64

struct range {
    uint64_t low, high; /* high is past the end */
    uint32_t owner;     /* index of a unit, or of a function in its unit */
};

struct ranges {
    struct range *rows; /* sorted by low, once complete */
    size_t count, room;
};

/* An entry that gives its name to what stands in it: a namespace, a class, a function. */
struct container {
    Dwarf_Off start, end; /* of it and all that stands in it */
    Dwarf_Die die;
    size_t parent; /* index + 1; 0: the unit */
    char *scope;   /* its name with those around it; NULL: not worked out yet */
};

struct unit {
    Dwarf_Die die;     /* has the lines */
    Dwarf_Die entries; /* has the functions: the same, or the one in a .dwo file */
    Dwarf_Die *functions;
    size_t function_count, function_room;
    struct ranges function_ranges;
    bool indexed, indexed_deeply;
    struct container *containers; /* in the order of the file, what is outside first */
    size_t container_count, container_room;
    bool containers_indexed;
};

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
    bool has_build_id;

    bool dwarf_opened;
    Dwarf *dwarf; /* NULL: there is none */
    Dwarf_Addr dwarf_bias;
    struct unit *units;
    size_t unit_count, unit_room;
    struct ranges unit_ranges;

    bool symbols_read;
    struct symbol *symbols; /* sorted by address, best name first */
    size_t symbol_count;
};

/* ---- Tables that grow, ranges that are searched ---- */

/* Make room for one row more. Returns false when there is no memory or `most` is reached. */
static bool grow(void **rows, size_t *room, size_t count, size_t row_bytes, size_t most)
{
    if (count < *room)
        return true;
    size_t wanted = *room == 0 ? 64 : *room * 2;
    if (count >= most)
        return false;
    void *larger = reallocarray(*rows, wanted, row_bytes);
    if (larger == NULL)
        return false;
    *rows = larger;
    *room = wanted;
    return true;
}

static void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, size_t owner)
{
    /* Functions that the linker threw away stay behind at address 0. */
    if (low == 0 || low >= high ||
        !grow((void **)&ranges->rows, &ranges->room, ranges->count, sizeof(*ranges->rows),
              MAX_RANGES))
        return;
    ranges->rows[ranges->count++] = (struct range){low, high, (uint32_t)owner};
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *left = a, *right = b;
    return left->low != right->low ? (left->low > right->low) - (left->low < right->low)
                                   : (left->high < right->high) - (left->high > right->high);
}

static void ranges_sort(struct ranges *ranges)
{
    if (ranges->count > 0)
        qsort(ranges->rows, ranges->count, sizeof(*ranges->rows), compare_ranges);
}

/* The number of ranges that begin at or before an address: those that can hold it come last. */
static size_t ranges_up_to(const struct ranges *ranges, uint64_t address)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->rows[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_ranges_of(Dwarf_Die *die, struct ranges *ranges, size_t owner)
{
    Dwarf_Addr base, low, high;
    ptrdiff_t offset = 0;
    size_t before = ranges->count;
    while ((offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0 &&
           ranges->count - before < MAX_RANGES / 16)
        ranges_add(ranges, low, high, owner);
}

/* ---- Opening ---- */

/* No file whose sections claim to unfold to a multiple of it that no compiler reaches. */
static bool inflation_is_bounded(int fd)
{
    struct stat stat;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf == NULL || fstat(fd, &stat) != 0) {
        elf_end(elf);
        return false;
    }
    uint64_t most = (uint64_t)stat.st_size * MAX_INFLATION;
    uint64_t sum = 0;
    bool bounded = true;
    for (Elf_Scn *section = NULL; bounded && (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        GElf_Chdr compressed;
        if (gelf_getshdr(section, &header) == NULL || (header.sh_flags & SHF_COMPRESSED) == 0 ||
            gelf_getchdr(section, &compressed) == NULL)
            continue;
        bounded = compressed.ch_size <= most && (sum += compressed.ch_size) <= most;
    }
    elf_end(elf);
    return bounded;
}

static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                          const char *path, const char *debuglink, GElf_Word crc,
                          char **debuginfo_path)
{
    int fd = dwfl_standard_find_debuginfo(module, userdata, name, base, path, debuglink, crc,
                                          debuginfo_path);
    if (fd >= 0 && !inflation_is_bounded(fd)) {
        close(fd);
        fd = -1;
    }
    return fd;
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
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? DEBUG_FILE_GONE : DEBUG_FILE_UNREADABLE;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) ||
        pread(fd, magic, sizeof(magic), 0) != sizeof(magic) ||
        memcmp(magic, ELFMAG, SELFMAG) != 0 || !inflation_is_bounded(fd)) {
        close(fd);
        return DEBUG_FILE_UNREADABLE;
    }
    *ret = fd;
    return DEBUG_FILE_OK;
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
    file->has_build_id = found_bytes > 0;
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
        if (file->module != NULL)
            fd = -1; /* libdwfl has it now */
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
    for (size_t i = 0; i < file->unit_count; i++) {
        free(file->units[i].functions);
        free(file->units[i].function_ranges.rows);
        for (size_t c = 0; c < file->units[i].container_count; c++)
            free(file->units[i].containers[c].scope);
        free(file->units[i].containers);
    }
    free(file->units);
    free(file->unit_ranges.rows);
    free(file->symbols);
    dwfl_end(file->dwfl);
    free(file);
}

bool debug_file_has_build_id(const struct debug_file *file)
{
    return file->has_build_id;
}

/* ---- Units and functions ---- */

static void index_units(struct debug_file *file)
{
    Dwarf_CU *cursor = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die die, split;
    while (file->unit_count < MAX_UNITS &&
           dwarf_get_units(file->dwarf, cursor, &cursor, &version, &type, &die, &split) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        if (!grow((void **)&file->units, &file->unit_room, file->unit_count, sizeof(*file->units),
                  MAX_UNITS))
            break;
        add_ranges_of(&die, &file->unit_ranges, file->unit_count);
        file->units[file->unit_count++] = (struct unit){
            .die = die,
            .entries = type == DW_UT_skeleton && split.addr != NULL ? split : die,
        };
    }
    ranges_sort(&file->unit_ranges);
}

bool debug_file_has_lines(struct debug_file *file)
{
    if (!file->dwarf_opened) {
        file->dwarf_opened = true;
        file->dwarf = dwfl_module_getdwarf(file->module, &file->dwarf_bias);
        if (file->dwarf != NULL)
            index_units(file);
    }
    return file->unit_count > 0;
}

/* The next child in a list, NULL after the last. Entries follow each other in the file; a reference
 * that leads back would make a circle. */
static bool next_child(Dwarf_Die *die, size_t *walked)
{
    Dwarf_Off before = dwarf_dieoffset(die);
    return ++*walked < MAX_ENTRIES_WALKED && dwarf_siblingof(die, die) == 0 &&
           dwarf_dieoffset(die) > before;
}

/* Collect the functions below an entry. Without `deeply`, only where compilers put nearly all of
 * them: in the unit itself and in namespaces. */
static void collect_functions(struct unit *unit, Dwarf_Die *parent, bool deeply, int nesting,
                              size_t *walked)
{
    Dwarf_Die die;
    if (nesting > MAX_NESTING || dwarf_child(parent, &die) != 0)
        return;
    do {
        int tag = dwarf_tag(&die);
        if (tag == DW_TAG_subprogram &&
            (dwarf_hasattr(&die, DW_AT_low_pc) || dwarf_hasattr(&die, DW_AT_ranges)) &&
            grow((void **)&unit->functions, &unit->function_room, unit->function_count,
                 sizeof(*unit->functions), MAX_RANGES)) {
            add_ranges_of(&die, &unit->function_ranges, unit->function_count);
            unit->functions[unit->function_count++] = die;
        }
        if (deeply || tag == DW_TAG_namespace || tag == DW_TAG_module)
            collect_functions(unit, &die, deeply, nesting + 1, walked);
    } while (next_child(&die, walked));
}

static void index_functions(struct unit *unit, bool deeply)
{
    size_t walked = 0;
    unit->function_count = unit->function_ranges.count = 0;
    collect_functions(unit, &unit->entries, deeply, 0, &walked);
    ranges_sort(&unit->function_ranges);
    unit->indexed = true;
    unit->indexed_deeply = deeply;
}

static Dwarf_Die *function_in_index(struct unit *unit, uint64_t address)
{
    const struct ranges *ranges = &unit->function_ranges;
    size_t end = ranges_up_to(ranges, address);
    for (size_t i = end; i > 0 && i + MAX_OVERLAPS > end; i--)
        if (address < ranges->rows[i - 1].high)
            return &unit->functions[ranges->rows[i - 1].owner];
    return NULL;
}

static Dwarf_Die *find_function(struct unit *unit, uint64_t address)
{
    if (!unit->indexed)
        index_functions(unit, false);
    Dwarf_Die *function = function_in_index(unit, address);
    if (function == NULL && !unit->indexed_deeply) {
        index_functions(unit, true);
        function = function_in_index(unit, address);
    }
    return function;
}

/* The inlined calls around an address in a function, outermost first. Returns how many. */
static size_t find_inlined(Dwarf_Die *function, uint64_t address, Dwarf_Die *calls, size_t most)
{
    size_t count = 0;
    size_t walked = 0;
    Dwarf_Die parent = *function;
    for (int nesting = 0; nesting < 4 * MAX_NESTING && count < most; nesting++) {
        Dwarf_Die die;
        bool found = false;
        if (dwarf_child(&parent, &die) != 0)
            break;
        do {
            int tag = dwarf_tag(&die);
            found = (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
                     tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
                    dwarf_haspc(&die, address) > 0;
        } while (!found && next_child(&die, &walked));
        if (!found)
            break;
        if (dwarf_tag(&die) == DW_TAG_inlined_subroutine)
            calls[count++] = die;
        parent = die;
    }
    return count;
}

/* ---- Names and lines ---- */

static bool is_container(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_subprogram;
}

static void collect_containers(struct unit *unit, Dwarf_Die *parent, size_t parent_number,
                               Dwarf_Off parent_end, int nesting, size_t *walked)
{
    Dwarf_Die die;
    if (nesting > MAX_NESTING || dwarf_child(parent, &die) != 0)
        return;
    bool more = true;
    while (more) {
        Dwarf_Die container = die;
        size_t number = unit->container_count + 1;
        more = next_child(&die, walked);
        if (!is_container(dwarf_tag(&container)) || !dwarf_haschildren(&container) ||
            !grow((void **)&unit->containers, &unit->container_room, unit->container_count,
                  sizeof(*unit->containers), MAX_RANGES))
            continue;
        Dwarf_Off end = more ? dwarf_dieoffset(&die) : parent_end;
        unit->containers[unit->container_count++] = (struct container){
            .start = dwarf_dieoffset(&container),
            .end = end,
            .die = container,
            .parent = parent_number,
        };
        collect_containers(unit, &container, number, end, nesting + 1, walked);
    }
}

/* The number of the innermost container around an entry, 0 when it stands in the unit itself. */
static size_t container_around(struct unit *unit, Dwarf_Die *die)
{
    Dwarf_Off offset = dwarf_dieoffset(die);
    if (!unit->containers_indexed) {
        size_t walked = 0;
        unit->containers_indexed = true;
        collect_containers(unit, &unit->entries, 0, UINT64_MAX, 0, &walked);
    }
    size_t low = 0, high = unit->container_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unit->containers[middle].start < offset)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && unit->containers[low - 1].end <= offset)
        low = unit->containers[low - 1].parent;
    return low;
}

/* The entry that says where a function was declared: what an inlined or a copied one came from, and
 * what a method's body refers to. Returns false when that stands in another unit. */
static bool find_declaration(struct unit *unit, Dwarf_Die *die)
{
    static const unsigned int links[] = {DW_AT_abstract_origin, DW_AT_specification};
    for (int steps = 0; steps < 8; steps++) {
        Dwarf_Attribute attribute;
        Dwarf_Die next;
        size_t i = 0;
        while (i < 2 && (dwarf_attr(die, links[i], &attribute) == NULL ||
                         dwarf_formref_die(&attribute, &next) == NULL))
            i++;
        if (i == 2)
            break;
        *die = next;
    }
    return die->cu == unit->entries.cu;
}

/* What a container without a name is called. A lambda is a class whose only purpose is to be
 * called. */
static const char *name_of_unnamed(Dwarf_Die *container)
{
    Dwarf_Die die;
    size_t walked = 0;
    if (dwarf_tag(container) == DW_TAG_namespace)
        return "(anonymous namespace)";
    if (dwarf_child(container, &die) == 0)
        do {
            const char *name = dwarf_tag(&die) == DW_TAG_subprogram ? dwarf_diename(&die) : NULL;
            if (name != NULL && strcmp(name, "operator()") == 0)
                return "{lambda}";
        } while (next_child(&die, &walked));
    return "{unnamed}";
}

/* The scope that an entry was declared in, "shop::Box<int>"; NULL when there is none. */
static const char *scope_of(struct unit *unit, Dwarf_Die die, int nesting)
{
    if (nesting > MAX_NESTING || !find_declaration(unit, &die))
        return NULL;
    size_t number = container_around(unit, &die);
    if (number == 0)
        return NULL;
    struct container *container = &unit->containers[number - 1];
    if (container->scope == NULL) {
        const char *outer = scope_of(unit, container->die, nesting + 1);
        const char *name = dwarf_diename(&container->die);
        if (name == NULL)
            name = name_of_unnamed(&container->die);
        size_t bytes = strlen(name) + (outer != NULL ? strlen(outer) : 0) + sizeof("::");
        char *scope = bytes <= MAX_SCOPE_BYTES ? malloc(bytes) : NULL;
        if (scope == NULL)
            return NULL;
        strcpy(stpcpy(stpcpy(scope, outer != NULL ? outer : ""), outer != NULL ? "::" : ""), name);
        container->scope = scope;
    }
    return container->scope;
}

static bool has_scopes(int language)
{
    switch (language) {
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case DW_LANG_Rust:
        return true;
    default:
        return false;
    }
}

static void name_frame(struct unit *unit, Dwarf_Die *die, struct debug_frame *frame)
{
    static const unsigned int linker_names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};
    Dwarf_Attribute attribute;
    for (size_t i = 0; i < 2 && frame->name == NULL; i++)
        frame->name = dwarf_formstring(dwarf_attr_integrate(die, linker_names[i], &attribute));
    frame->name_kind = DEBUG_NAME_LINKER;
    if (frame->name != NULL)
        return;
    int language = dwarf_srclang(&unit->entries);
    frame->name = dwarf_diename(die);
    frame->name_kind = language == DW_LANG_Go ? DEBUG_NAME_GO : DEBUG_NAME_SOURCE;
    if (frame->name != NULL && has_scopes(language))
        frame->scope = scope_of(unit, *die, 0);
}

/* Where the line table puts an address. */
static void locate_address(struct unit *unit, uint64_t address, struct debug_frame *frame)
{
    Dwarf_Line *line = dwarf_getsrc_die(&unit->die, address);
    if (line == NULL)
        return;
    if (dwarf_lineno(line, &frame->line) != 0 || frame->line < 0)
        frame->line = 0;
    frame->file = dwarf_linesrc(line, NULL, NULL);
}

/* Where an inlined call stands. */
static void locate_call(struct unit *unit, Dwarf_Die *call, struct debug_frame *frame)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &attribute), &number) == 0 &&
        number <= INT32_MAX)
        frame->line = (int)number;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &attribute), &number) == 0 &&
        dwarf_getsrcfiles(&unit->entries, &files, &count) == 0 && number < count)
        frame->file = dwarf_filesrc(files, number, NULL, NULL);
}

static size_t frames_in_unit(struct unit *unit, uint64_t address, struct debug_frame *frames)
{
    struct debug_frame innermost = {.name = NULL};
    Dwarf_Attribute attribute;
    Dwarf_Die calls[DEBUG_FILE_MAX_FRAMES - 1];
    Dwarf_Die *function = find_function(unit, address);
    size_t inlined =
        function == NULL ? 0 : find_inlined(function, address, calls, DEBUG_FILE_MAX_FRAMES - 1);
    locate_address(unit, address, &innermost);
    if (function == NULL && innermost.file == NULL)
        return 0;
    const char *folder = dwarf_formstring(dwarf_attr(&unit->die, DW_AT_comp_dir, &attribute));
    for (size_t i = 0; i <= inlined; i++) {
        struct debug_frame *frame = &frames[i];
        *frame = i == 0 ? innermost : (struct debug_frame){.name = NULL};
        frame->folder = folder;
        frame->inlined = i < inlined;
        if (i > 0)
            locate_call(unit, &calls[inlined - i], frame);
        if (frame->inlined)
            name_frame(unit, &calls[inlined - 1 - i], frame);
        else if (function != NULL)
            name_frame(unit, function, frame);
    }
    return inlined + 1;
}

size_t debug_file_frames(struct debug_file *file, uint64_t address,
                         struct debug_frame frames[DEBUG_FILE_MAX_FRAMES])
{
    if (!debug_file_has_lines(file))
        return 0;
    uint64_t in_dwarf = address - file->dwarf_bias;
    const struct ranges *ranges = &file->unit_ranges;
    size_t end = ranges_up_to(ranges, in_dwarf);
    for (size_t i = end; i > 0 && i + MAX_OVERLAPS > end; i--) {
        if (in_dwarf >= ranges->rows[i - 1].high)
            continue;
        size_t count = frames_in_unit(&file->units[ranges->rows[i - 1].owner], in_dwarf, frames);
        if (count > 0)
            return count;
    }
    return 0;
}

/* ---- Symbol tables ---- */

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
    size_t room = 0;
    int count = dwfl_module_getsymtab(file->module);
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
        if (!grow((void **)&file->symbols, &room, file->symbol_count, sizeof(*file->symbols),
                  MAX_SYMBOLS))
            break;
        file->symbols[file->symbol_count++] =
            (struct symbol){address, symbol.st_size, name, rank_symbol(&symbol, name)};
    }
    if (file->symbol_count > 0)
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
