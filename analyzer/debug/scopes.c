#include "analyzer/debug/scopes.h"

#include <dwarf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/debug/walk.h"

#define MAX_SCOPE_BYTES 4096

/* An entry that gives its name to what stands in it: a namespace, a class, a function. */
struct container {
    Dwarf_Off start, end; /* of it and all that stands in it */
    Dwarf_Die die;
    size_t parent; /* index + 1; 0: the unit */
    char *scope;   /* its name with those around it; NULL: not worked out yet */
    bool asked;    /* it is being worked out, or was: damaged references may lead round to it */
};

struct debug_scopes {
    Dwarf_Die unit;
    struct container *containers; /* in the order of the file, what is outside first */
    size_t container_count;
    bool indexed;
};

struct debug_scopes *debug_scopes_create(Dwarf_Die *unit)
{
    struct debug_scopes *scopes = calloc(1, sizeof(*scopes));
    if (scopes != NULL)
        scopes->unit = *unit;
    return scopes;
}

void debug_scopes_destroy(struct debug_scopes *scopes)
{
    if (scopes == NULL)
        return;
    for (size_t i = 0; i < scopes->container_count; i++)
        free(scopes->containers[i].scope);
    free(scopes->containers);
    free(scopes);
}

static bool is_container(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_subprogram;
}

static void collect_containers(struct debug_scopes *scopes, Dwarf_Die *parent, size_t parent_number,
                               Dwarf_Off parent_end, int nesting, size_t *walked)
{
    Dwarf_Die die;
    if (nesting > DEBUG_MAX_NESTING || dwarf_child(parent, &die) != 0)
        return;
    bool more = true;
    while (more) {
        Dwarf_Die container = die;
        size_t number = scopes->container_count + 1;
        more = debug_next_child(&die, walked);
        Dwarf_Off end = more ? dwarf_dieoffset(&die) : parent_end;
        if (dwarf_tag(&container) == DW_TAG_lexical_block)
            collect_containers(scopes, &container, parent_number, end, nesting + 1, walked);
        if (!is_container(dwarf_tag(&container)) || !dwarf_haschildren(&container) ||
            !debug_grow(&scopes->containers, scopes->container_count, sizeof(*scopes->containers)))
            continue;
        scopes->containers[scopes->container_count++] = (struct container){
            .start = dwarf_dieoffset(&container),
            .end = end,
            .die = container,
            .parent = parent_number,
        };
        collect_containers(scopes, &container, number, end, nesting + 1, walked);
    }
}

/* The number of the innermost container around an entry, 0 when it stands in the unit itself. */
static size_t container_around(struct debug_scopes *scopes, Dwarf_Die *die)
{
    Dwarf_Off offset = dwarf_dieoffset(die);
    if (!scopes->indexed) {
        size_t walked = 0;
        scopes->indexed = true;
        collect_containers(scopes, &scopes->unit, 0, UINT64_MAX, 0, &walked);
    }
    size_t low = 0, high = scopes->container_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scopes->containers[middle].start < offset)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && scopes->containers[low - 1].end <= offset)
        low = scopes->containers[low - 1].parent;
    return low;
}

/* The entry that says where a function was declared: what an inlined or a copied one came from, and
 * what a method's body refers to. Returns false when that stands in another unit. */
static bool find_declaration(struct debug_scopes *scopes, Dwarf_Die *die)
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
    return die->cu == scopes->unit.cu;
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
        } while (debug_next_child(&die, &walked));
    return "{unnamed}";
}

/* The scope that an entry was declared in, "shop::Box<int>"; NULL when there is none. */
static const char *scope_of(struct debug_scopes *scopes, Dwarf_Die die, int nesting)
{
    if (nesting > DEBUG_MAX_NESTING || !find_declaration(scopes, &die))
        return NULL;
    size_t number = container_around(scopes, &die);
    if (number == 0)
        return NULL;
    struct container *container = &scopes->containers[number - 1];
    if (!container->asked) {
        container->asked = true;
        const char *outer = scope_of(scopes, container->die, nesting + 1);
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

const char *debug_scopes_of(struct debug_scopes *scopes, Dwarf_Die *function)
{
    return scope_of(scopes, *function, 0);
}
