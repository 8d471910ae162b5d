#include "preload/goscan/find.h"

#include <string.h>

/* ---- Build info ---- */

#define BUILD_INFO_ALIGNMENT 16
#define MAX_VARIABLES 256 /* of a function */

struct build_search {
    struct mem_reader *reader;
    struct go_build *ret;
    bool found;
};

static bool look_for_build(void *arg, uint64_t address, const uint8_t *bytes, size_t count)
{
    struct build_search *search = arg;
    for (size_t i = -address % BUILD_INFO_ALIGNMENT; i + BUILD_INFO_ALIGNMENT <= count;
         i += BUILD_INFO_ALIGNMENT) {
        if (go_build_begins(bytes + i) && go_build_read(search->ret, search->reader, address + i)) {
            search->found = true;
            return false;
        }
    }
    return true;
}

bool find_build(struct finder *finder, struct go_build *ret)
{
    struct mem_reader *reader = finder->search.reader;
    uint64_t hint = finder->hints->build_info;
    if (hint != 0 && go_build_read(ret, reader, hint))
        return true;
    /* It is in the data of most programs, so that is looked at first. */
    struct build_search search = {.reader = reader, .ret = ret};
    for (int writable = 1; writable >= 0 && !search.found; writable--) {
        for (size_t i = 0; i < finder->range_count && !search.found; i++) {
            const struct go_range *range = &finder->ranges[i];
            if (range->readable && range->writable == (writable != 0) && !range->executable)
                search_memory(&finder->search, range->start, range->end, 0, look_for_build,
                              &search);
        }
    }
    return search.found;
}

bool find_version(struct finder *finder, struct go_build *ret)
{
    struct pclntab_function function;
    uint64_t variables[MAX_VARIABLES];
    if (!search_function(&finder->search, finder->functions, "runtime.schedinit", &function))
        return false;
    size_t count = search_operands(&finder->search, &function, finder->sections.variables,
                                   finder->sections.variables_end, variables, MAX_VARIABLES);
    for (size_t i = 0; i < count; i++) {
        if (go_build_read_variable(ret, finder->search.reader, variables[i]))
            return true;
    }
    return false;
}

/* ---- Module data ---- */

#define MAX_TABLES 8

/* How the header of the table begins on amd64: magic, 0, 0, quantum 1, pointers of 8 bytes. */
#define HEADER_1_18 UINT64_C(0x08010000fffffff0)
#define HEADER_1_20 UINT64_C(0x08010000fffffff1)

struct module_search {
    struct finder *finder;
    struct pclntab *ret;
    unsigned minor;
    uint64_t tables[MAX_TABLES]; /* addresses where one may be */
    size_t table_count;
    uint64_t found;
};

static bool look_for_tables(void *arg, uint64_t address, uint64_t word)
{
    struct module_search *search = arg;
    if (word == HEADER_1_18 || word == HEADER_1_20)
        search->tables[search->table_count++] = address;
    return search->table_count < MAX_TABLES;
}

static bool look_for_module(void *arg, uint64_t address, uint64_t word)
{
    struct module_search *search = arg;
    for (size_t i = 0; i < search->table_count; i++) {
        if (word == search->tables[i] &&
            pclntab_open_module(search->ret, search->finder->search.reader, address,
                                search->minor)) {
            search->found = address;
            return false;
        }
    }
    return true;
}

bool find_module(struct finder *finder, unsigned minor, struct pclntab *ret, uint64_t *ret_address)
{
    struct mem_reader *reader = finder->search.reader;
    *ret_address = finder->hints->module_data;
    if (*ret_address != 0 && pclntab_open_module(ret, reader, *ret_address, minor))
        return true;
    struct module_search search = {.finder = finder, .ret = ret, .minor = minor};
    if (finder->hints->pclntab != 0)
        search.tables[search.table_count++] = finder->hints->pclntab;
    for (size_t i = 0; i < finder->range_count && finder->hints->pclntab == 0; i++) {
        const struct go_range *range = &finder->ranges[i];
        if (range->readable && search.table_count < MAX_TABLES)
            search_words(&finder->search, range->start, range->end, look_for_tables, &search);
    }
    if (search.table_count == 0)
        return false;
    for (int writable = 1; writable >= 0 && search.found == 0; writable--) {
        for (size_t i = 0; i < finder->range_count && search.found == 0; i++) {
            const struct go_range *range = &finder->ranges[i];
            if (range->readable && range->writable == (writable != 0) && !range->executable)
                search_words(&finder->search, range->start, range->end, look_for_module, &search);
        }
    }
    *ret_address = search.found;
    return search.found != 0;
}

bool find_sections(struct finder *finder, uint64_t module_data)
{
    const struct go_layout *layout = finder->layout;
    struct go_sections *sections = &finder->sections;
    const struct {
        uint16_t offset;
        uint64_t *to;
    } words[] = {
        {layout->module_noptrdata, &sections->variables},
        {layout->module_enoptrbss, &sections->variables_end},
        {layout->module_data, &sections->data},
        {layout->module_edata, &sections->data_end},
        {layout->module_bss, &sections->bss},
        {layout->module_ebss, &sections->bss_end},
    };
    struct mem_piece pieces[sizeof(words) / sizeof(*words)];
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        pieces[i] = (struct mem_piece){
            .address = module_data + words[i].offset, .to = words[i].to, .bytes = 8};
    finder->search.reader->read(finder->search.reader, pieces, sizeof(words) / sizeof(*words));
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!pieces[i].ok)
            return false;
    }
    return sections->variables < sections->variables_end && sections->data <= sections->data_end &&
           sections->bss <= sections->bss_end;
}

/* ---- Wait reasons ---- */

struct reason_search {
    struct mem_reader *reader;
    uint64_t before[2]; /* the last words: length, pointer */
    uint64_t found;
};

/* The first one is "", and this is the second one, in all versions. */
static const char second_reason[] = "GC assist marking";

static bool look_for_reasons(void *arg, uint64_t address, uint64_t word)
{
    struct reason_search *search = arg;
    if (word == sizeof(second_reason) - 1 && search->before[0] == 0) {
        char text[sizeof(second_reason) - 1];
        if (mem_read(search->reader, search->before[1], text, sizeof(text)) &&
            memcmp(text, second_reason, sizeof(text)) == 0) {
            search->found = address - 24;
            return false;
        }
    }
    search->before[0] = search->before[1];
    search->before[1] = word;
    return true;
}

uint64_t find_wait_reasons(struct finder *finder)
{
    uint64_t hint = finder->hints->wait_reason_strings;
    if (hint != 0)
        return hint;
    struct reason_search search = {.reader = finder->search.reader};
    search_words(&finder->search, finder->sections.data, finder->sections.data_end,
                 look_for_reasons, &search);
    return search.found;
}
