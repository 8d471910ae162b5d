/* The units' ranges are taken from the units themselves, because .debug_aranges is missing in what
 * LLVM makes. */
#include "analyzer/debug/units.h"

#include <dwarf.h>
#include <stdlib.h>

#include "analyzer/debug/scopes.h"
#include "analyzer/debug/walk.h"

#define MAX_UNITS (1U << 20)
#define MAX_OVERLAPS 64 /* ranges looked at to the left of an address */

struct range {
    uint64_t low, high; /* high is past the end */
    uint32_t owner;     /* index of a unit, or of a function in its unit */
};

struct ranges {
    struct range *rows; /* sorted by low, once complete */
    size_t count;
};

struct unit {
    Dwarf_Die die;     /* has the lines */
    Dwarf_Die entries; /* has the functions: the same, or the one in a .dwo file */
    Dwarf_Die *functions;
    size_t function_count;
    struct ranges function_ranges;
    bool indexed, indexed_deeply;
    struct debug_scopes *scopes; /* NULL: not needed yet */
};

struct debug_units {
    struct unit *units;
    size_t unit_count;
    struct ranges unit_ranges;
};

/* ---- Ranges ---- */

static void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, size_t owner)
{
    /* Functions that the linker threw away stay behind at address 0. */
    if (low == 0 || low >= high || !debug_grow(&ranges->rows, ranges->count, sizeof(*ranges->rows)))
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
           ranges->count - before < DEBUG_MAX_ROWS / 16)
        ranges_add(ranges, low, high, owner);
}

/* ---- Units and functions ---- */

static void index_units(struct debug_units *units, Dwarf *dwarf)
{
    Dwarf_CU *cursor = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die die, split;
    while (units->unit_count < MAX_UNITS &&
           dwarf_get_units(dwarf, cursor, &cursor, &version, &type, &die, &split) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        if (!debug_grow(&units->units, units->unit_count, sizeof(*units->units)))
            break;
        add_ranges_of(&die, &units->unit_ranges, units->unit_count);
        units->units[units->unit_count++] = (struct unit){
            .die = die,
            .entries = type == DW_UT_skeleton && split.addr != NULL ? split : die,
        };
    }
    ranges_sort(&units->unit_ranges);
}

struct debug_units *debug_units_create(Dwarf *dwarf)
{
    struct debug_units *units = calloc(1, sizeof(*units));
    if (units == NULL)
        return NULL;
    index_units(units, dwarf);
    if (units->unit_count == 0) {
        debug_units_destroy(units);
        return NULL;
    }
    return units;
}

void debug_units_destroy(struct debug_units *units)
{
    if (units == NULL)
        return;
    for (size_t i = 0; i < units->unit_count; i++) {
        free(units->units[i].functions);
        free(units->units[i].function_ranges.rows);
        debug_scopes_destroy(units->units[i].scopes);
    }
    free(units->units);
    free(units->unit_ranges.rows);
    free(units);
}

/* Collect the functions below an entry. Without `deeply`, only where compilers put nearly all of
 * them: in the unit itself and in namespaces. */
static void collect_functions(struct unit *unit, Dwarf_Die *parent, bool deeply, int nesting,
                              size_t *walked)
{
    Dwarf_Die die;
    if (nesting > DEBUG_MAX_NESTING || dwarf_child(parent, &die) != 0)
        return;
    do {
        int tag = dwarf_tag(&die);
        if (tag == DW_TAG_subprogram &&
            (dwarf_hasattr(&die, DW_AT_low_pc) || dwarf_hasattr(&die, DW_AT_ranges)) &&
            debug_grow(&unit->functions, unit->function_count, sizeof(*unit->functions))) {
            add_ranges_of(&die, &unit->function_ranges, unit->function_count);
            unit->functions[unit->function_count++] = die;
        }
        if (deeply || tag == DW_TAG_namespace || tag == DW_TAG_module)
            collect_functions(unit, &die, deeply, nesting + 1, walked);
    } while (debug_next_child(&die, walked));
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
    for (int nesting = 0; nesting < 4 * DEBUG_MAX_NESTING && count < most; nesting++) {
        Dwarf_Die die;
        bool found = false;
        if (dwarf_child(&parent, &die) != 0)
            break;
        do {
            int tag = dwarf_tag(&die);
            found = (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
                     tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
                    dwarf_haspc(&die, address) > 0;
        } while (!found && debug_next_child(&die, &walked));
        if (!found)
            break;
        if (dwarf_tag(&die) == DW_TAG_inlined_subroutine)
            calls[count++] = die;
        parent = die;
    }
    return count;
}

/* ---- Names and lines ---- */

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
    if (frame->name == NULL || !has_scopes(language))
        return;
    if (unit->scopes == NULL)
        unit->scopes = debug_scopes_create(&unit->entries);
    if (unit->scopes != NULL)
        frame->scope = debug_scopes_of(unit->scopes, die);
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

size_t debug_units_frames(struct debug_units *units, uint64_t address,
                          struct debug_frame frames[DEBUG_FILE_MAX_FRAMES])
{
    const struct ranges *ranges = &units->unit_ranges;
    size_t end = ranges_up_to(ranges, address);
    for (size_t i = end; i > 0 && i + MAX_OVERLAPS > end; i--) {
        if (address >= ranges->rows[i - 1].high)
            continue;
        size_t count = frames_in_unit(&units->units[ranges->rows[i - 1].owner], address, frames);
        if (count > 0)
            return count;
    }
    return 0;
}
