#include "analyzer/debug/types.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/debug/walk.h"

#define MAX_TYPES 64    /* that the layout speaks of */
#define MAX_MEMBERS 512 /* of one structure */
#define MAX_ALIASES 16  /* typedefs of typedefs */

/* A structure that the layout speaks of. */
struct found_type {
    const char *name;
    bool found;
    Dwarf_Die die;
};

/* Calls visit for each entry right below a unit, until it returns false: then this does, too. */
static bool walk_unit(Dwarf_Die *unit, size_t *walked, bool (*visit)(Dwarf_Die *die, void *arg),
                      void *arg)
{
    Dwarf_Die die;
    if (dwarf_child(unit, &die) != 0)
        return true;
    do {
        if (!visit(&die, arg))
            return false;
    } while (debug_next_child(&die, walked));
    return true;
}

/* The same for all units of the runtime's language. */
static void walk(Dwarf *dwarf, bool (*visit)(Dwarf_Die *die, void *arg), void *arg)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die unit_die;
    uint8_t unit_type;
    size_t walked = 0;
    while (dwarf_get_units(dwarf, unit, &unit, NULL, &unit_type, &unit_die, NULL) == 0) {
        if (unit_type == DW_UT_compile && dwarf_srclang(&unit_die) == DW_LANG_Go &&
            !walk_unit(&unit_die, &walked, visit, arg))
            return;
    }
}

/* ---- Structures ---- */

struct types {
    struct found_type rows[MAX_TYPES];
    size_t count, found;
};

static bool take_type(Dwarf_Die *die, void *arg)
{
    struct types *types = arg;
    if (dwarf_tag(die) != DW_TAG_structure_type)
        return true;
    const char *name = dwarf_diename(die);
    for (size_t i = 0; name && i < types->count; i++) {
        struct found_type *type = &types->rows[i];
        if (!type->found && strcmp(type->name, name) == 0) {
            type->found = true;
            type->die = *die;
            types->found++;
            break;
        }
    }
    return types->found < types->count;
}

static struct found_type *type_of(struct types *types, const char *name)
{
    for (size_t i = 0; i < types->count; i++) {
        if (strcmp(types->rows[i].name, name) == 0)
            return &types->rows[i];
    }
    return NULL;
}

static bool add_type(struct types *types, const char *name)
{
    if (type_of(types, name))
        return true;
    if (types->count == MAX_TYPES)
        return false;
    types->rows[types->count++].name = name;
    return true;
}

/* The type of a member, without names that were given to it. */
static bool type_of_member(Dwarf_Die *member, Dwarf_Die *ret)
{
    Dwarf_Attribute attribute;
    if (!dwarf_attr(member, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, ret))
        return false;
    for (unsigned i = 0; i < MAX_ALIASES && dwarf_tag(ret) == DW_TAG_typedef; i++) {
        if (!dwarf_attr(ret, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, ret))
            return false;
    }
    return true;
}

/* Finds the member called so many bytes of `name`. */
static bool find_member(Dwarf_Die *structure, const char *name, size_t bytes, Dwarf_Die *ret)
{
    size_t walked = 0;
    if (dwarf_child(structure, ret) != 0)
        return false;
    for (unsigned i = 0; i < MAX_MEMBERS; i++) {
        const char *found = dwarf_tag(ret) == DW_TAG_member ? dwarf_diename(ret) : NULL;
        if (found && strncmp(found, name, bytes) == 0 && found[bytes] == '\0')
            return true;
        if (!debug_next_child(ret, &walked))
            return false;
    }
    return false;
}

/* The offset of "stack.lo" in a structure. */
static bool offset_of(Dwarf_Die *structure, const char *path, size_t path_bytes, uint64_t *ret)
{
    Dwarf_Die at = *structure, member;
    uint64_t sum = 0;
    for (const char *end = path + path_bytes;;) {
        const char *dot = memchr(path, '.', (size_t)(end - path));
        size_t bytes = (size_t)((dot ? dot : end) - path);
        Dwarf_Attribute attribute;
        Dwarf_Word offset;
        if (!find_member(&at, path, bytes, &member) ||
            !dwarf_attr(&member, DW_AT_data_member_location, &attribute) ||
            dwarf_formudata(&attribute, &offset) != 0)
            return false;
        sum += offset;
        if (!dot) {
            *ret = sum;
            return true;
        }
        path = dot + 1;
        if (!type_of_member(&member, &at))
            return false;
    }
}

/* The first of the paths that exists; "" is the structure's size. */
static bool value_of(Dwarf_Die *structure, const char *paths, uint16_t *ret)
{
    uint64_t value;
    if (!paths[0]) {
        int bytes = dwarf_bytesize(structure);
        *ret = (uint16_t)bytes;
        return bytes > 0 && bytes < (int)GO_ABSENT;
    }
    for (const char *path = paths; *path;) {
        size_t bytes = strcspn(path, "|");
        if (offset_of(structure, path, bytes, &value) && value < GO_ABSENT) {
            *ret = (uint16_t)value;
            return true;
        }
        path += bytes + (path[bytes] == '|');
    }
    return false;
}

static uint16_t *field_of(struct go_layout *layout, const struct go_layout_field *field)
{
    return (uint16_t *)(void *)((char *)layout + field->offset);
}

/* The types of which something is in the layout. Others are not looked for: what is not there is
 * only known at the end of a long list. NULL: no memory. */
static struct types *types_create(struct go_layout *layout)
{
    struct types *types = calloc(1, sizeof(*types));
    bool ok = types;
    for (size_t i = 0; ok && i < go_layout_field_count; i++) {
        const struct go_layout_field *field = &go_layout_fields[i];
        ok = *field_of(layout, field) == GO_ABSENT || add_type(types, field->type);
    }
    if (!ok) {
        free(types);
        return NULL;
    }
    return types;
}

/* Takes what was found. False: something that is needed was not. */
static bool take_fields(struct types *types, struct go_layout *layout, const char **ret_missing)
{
    for (size_t i = 0; i < go_layout_field_count; i++) {
        const struct go_layout_field *field = &go_layout_fields[i];
        struct found_type *type = type_of(types, field->type);
        bool found = type && type->found;
        uint16_t value;
        if (found && value_of(&type->die, field->path, &value))
            *field_of(layout, field) = value;
        else if (found && field->optional)
            *field_of(layout, field) = GO_ABSENT;
        else if (!field->optional && !*ret_missing)
            *ret_missing = field->member;
    }
    return !*ret_missing;
}

bool debug_types_layout(struct debug_file *file, struct go_layout *layout, const char **ret_missing)
{
    *ret_missing = NULL;
    Dwarf *dwarf = debug_file_dwarf(file, NULL);
    struct types *types = dwarf ? types_create(layout) : NULL;
    if (!types)
        return false;
    walk(dwarf, take_type, types);
    bool ok = take_fields(types, layout, ret_missing);
    free(types);
    return ok;
}

bool debug_types_layout_in_head(struct debug_head *head, struct go_layout *layout,
                                const char **ret_missing)
{
    static const char one[] = "runtime.g"; /* and the NUL behind it: no other name begins so */
    struct types *types = types_create(layout);
    Dwarf *dwarf;
    uint64_t offset;
    size_t walked = 0;
    bool ok = false;
    *ret_missing = NULL;
    while (types && types->found == 0 &&
           (dwarf = debug_head_next(head, DW_LANG_Go, one, sizeof(one), &offset))) {
        Dwarf_Die unit;
        if (dwarf_offdie(dwarf, offset, &unit))
            walk_unit(&unit, &walked, take_type, types);
        if (types->found > 0)
            ok = take_fields(types, layout, ret_missing);
    }
    free(types);
    return ok;
}

/* ---- Variables ---- */

struct wanted {
    struct debug_variable *rows;
    size_t count, found;
    uint64_t bias;
};

static bool take_variable(Dwarf_Die *die, void *arg)
{
    struct wanted *wanted = arg;
    if (dwarf_tag(die) != DW_TAG_variable)
        return true;
    const char *name = dwarf_diename(die);
    for (size_t i = 0; name && i < wanted->count; i++) {
        struct debug_variable *row = &wanted->rows[i];
        Dwarf_Attribute attribute;
        Dwarf_Block code; /* by Go's linker not as dwarf_getlocation expects it */
        uint64_t address;
        if (row->address || strcmp(row->name, name) != 0 ||
            !dwarf_attr(die, DW_AT_location, &attribute) ||
            dwarf_formblock(&attribute, &code) != 0 || code.length != 1 + sizeof(address) ||
            code.data[0] != DW_OP_addr)
            continue;
        memcpy(&address, code.data + 1, sizeof(address));
        row->address = address + wanted->bias;
        wanted->found++;
    }
    return wanted->found < wanted->count;
}

size_t debug_types_variables(struct debug_file *file, struct debug_variable *variables,
                             size_t count)
{
    struct wanted wanted = {variables, count, 0, 0};
    Dwarf *dwarf = debug_file_dwarf(file, &wanted.bias);
    for (size_t i = 0; i < count; i++)
        variables[i].address = 0;
    if (dwarf)
        walk(dwarf, take_variable, &wanted);
    return wanted.found;
}
