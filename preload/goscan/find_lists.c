/* Finding the lists of all goroutines and of all processors: slices of pointers to structures that
 * can be told by their shape. The code of a function that grows the list names its three words. */
#include "preload/goscan/find.h"

#include <string.h>

#include "preload/goscan/g.h"

#define MAX_OPERANDS 96
#define MAX_LIST (1U << 28) /* goroutines */
#define SAMPLES 8           /* members of a list that are looked at */

struct list {
    uint64_t address, count, room;
};

struct list_kind {
    const char *const *functions; /* that name it, up to NULL */
    uint64_t most;
    /* Whether there is such a structure; `index`: in the list. */
    bool (*fits)(struct finder *finder, uint64_t address, uint64_t index);
};

static bool read_list(struct finder *finder, uint64_t address, uint64_t most, struct list *ret)
{
    return mem_read(finder->search.reader, address, ret, sizeof(*ret)) && ret->count <= ret->room &&
           ret->room <= most && ret->address % 8 == 0 && (ret->address == 0) == (ret->room == 0);
}

/* Looks at members all over the list. */
static bool members_fit(struct finder *finder, const struct list_kind *kind,
                        const struct list *list)
{
    uint64_t step = list->count > SAMPLES ? list->count / SAMPLES : 1;
    uint64_t before = 0;
    for (uint64_t i = 0; i < list->count; i += step) {
        uint64_t member;
        if (!mem_read(finder->search.reader, list->address + i * 8, &member, sizeof(member)) ||
            member == before || !kind->fits(finder, member, i))
            return false;
        before = member;
    }
    return true;
}

static bool contains(const uint64_t *words, size_t count, uint64_t word)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] == word)
            return true;
    }
    return false;
}

/* By the code. A list that is empty yet counts if there is no other one. */
static uint64_t find_by_code(struct finder *finder, const struct list_kind *kind)
{
    uint64_t empty = 0;
    size_t empties = 0;
    for (size_t f = 0; kind->functions[f]; f++) {
        struct pclntab_function function;
        uint64_t words[MAX_OPERANDS];
        if (!search_function(&finder->search, finder->functions, kind->functions[f], &function))
            continue;
        size_t count = search_operands(&finder->search, &function, finder->sections.variables,
                                       finder->sections.variables_end, words, MAX_OPERANDS);
        for (size_t i = 0; i < count; i++) {
            struct list list;
            if (!contains(words, count, words[i] + 8) || !contains(words, count, words[i] + 16) ||
                !read_list(finder, words[i], kind->most, &list))
                continue;
            if (list.count == 0) {
                empty = words[i];
                empties++;
            } else if (members_fit(finder, kind, &list)) {
                return words[i];
            }
        }
    }
    return empties == 1 ? empty : 0;
}

static bool is_list(struct finder *finder, const struct list_kind *kind, uint64_t address)
{
    struct list list;
    return address >= finder->sections.variables && address < finder->sections.variables_end &&
           address % 8 == 0 && read_list(finder, address, kind->most, &list) && list.count > 0 &&
           members_fit(finder, kind, &list);
}

/* By the code of a program that loads plugins (-dynlink): it has the address of a variable from a
 * table of addresses, or loads it where the linker knew better, and counts from there. */
static uint64_t find_by_address(struct finder *finder, const struct list_kind *kind)
{
    uint64_t low = UINT64_MAX, high = 0;
    for (size_t i = 0; i < finder->range_count; i++) {
        low = finder->ranges[i].start < low ? finder->ranges[i].start : low;
        high = finder->ranges[i].end > high ? finder->ranges[i].end : high;
    }
    for (size_t f = 0; kind->functions[f]; f++) {
        struct pclntab_function function;
        uint64_t words[MAX_OPERANDS], address;
        if (!search_function(&finder->search, finder->functions, kind->functions[f], &function))
            continue;
        size_t count = search_operands(&finder->search, &function, low, high, words, MAX_OPERANDS);
        for (size_t i = 0; i < count; i++) {
            if (is_list(finder, kind, words[i]))
                return words[i];
            if (words[i] % 8 == 0 &&
                mem_read(finder->search.reader, words[i], &address, sizeof(address)) &&
                is_list(finder, kind, address))
                return address;
        }
    }
    return 0;
}

struct shape_search {
    struct finder *finder;
    const struct list_kind *kind;
    uint64_t before[2];
    uint64_t found, found_count;
};

/* `word` is the third one of a list. */
static bool look_for_list(void *arg, uint64_t address, uint64_t word)
{
    struct shape_search *search = arg;
    struct list list = {search->before[0], search->before[1], word};
    search->before[0] = search->before[1];
    search->before[1] = word;
    /* The longest one: there are others, of some goroutines. */
    if (list.count > search->found_count && list.count <= list.room &&
        list.room <= search->kind->most && list.address >= 4096 && list.address % 8 == 0 &&
        members_fit(search->finder, search->kind, &list)) {
        search->found = address - 16;
        search->found_count = list.count;
    }
    return true;
}

static uint64_t find_by_shape(struct finder *finder, const struct list_kind *kind)
{
    struct shape_search search = {.finder = finder, .kind = kind};
    search_words(&finder->search, finder->sections.bss, finder->sections.bss_end, look_for_list,
                 &search);
    return search.found;
}

static bool fits_g(struct finder *finder, uint64_t address, uint64_t index)
{
    uint8_t bytes[GO_G_BYTES];
    (void)index;
    return address % 8 == 0 && g_read(finder->search.reader, finder->layout, address, bytes) &&
           g_is_plausible(finder->layout, bytes, finder->functions);
}

uint64_t find_all_gs(struct finder *finder)
{
    static const char *const functions[] = {"runtime.allgadd", "runtime.allGsSnapshot", NULL};
    static const struct list_kind kind = {functions, MAX_LIST, fits_g};
    struct list list;
    uint64_t hint = finder->hints->all_gs;
    if (hint != 0 && read_list(finder, hint, kind.most, &list))
        return hint;
    uint64_t found = find_by_code(finder, &kind);
    if (found == 0)
        found = find_by_address(finder, &kind);
    return found != 0 ? found : find_by_shape(finder, &kind);
}

/* A processor knows its number. */
static bool fits_p(struct finder *finder, uint64_t address, uint64_t index)
{
    uint32_t id_status[2];
    return address != 0 && address % 8 == 0 &&
           mem_read(finder->search.reader, address + finder->layout->p_id, id_status,
                    sizeof(id_status)) &&
           id_status[0] == index && id_status[1] <= 4;
}

uint64_t find_all_ps(struct finder *finder)
{
    static const char *const functions[] = {"runtime.procresize", NULL};
    static const struct list_kind kind = {functions, GO_MAX_PROCESSORS, fits_p};
    struct list list;
    uint64_t hint = finder->hints->all_ps;
    if (hint != 0 && read_list(finder, hint, kind.most, &list))
        return hint;
    uint64_t found = find_by_code(finder, &kind);
    return found != 0 ? found : find_by_address(finder, &kind);
}
