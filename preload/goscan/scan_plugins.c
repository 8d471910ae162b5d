/* Plugins: each is a module of its own, with its table of functions. The runtime has them in a list
 * that begins with the program's module. Where in a module the link is differs from version to
 * version (moduledata.next, src/runtime/symtab.go); what it leads to cannot be taken for anything
 * else. */
#include "preload/goscan/scan.h"

#define LINK_FIRST_WORD 24 /* what is before it is known to be something else */
#define LINK_LAST_WORD 127 /* a module has some 90 words in Go 1.27 */
#define WORDS_AT_ONCE 8

static bool is_known(const struct goscan *scan, uint64_t start)
{
    const struct pclntab *table = &scan->functions;
    while (table != NULL && table->start != start)
        table = table->next;
    return table != NULL;
}

/* The first of some words that leads to a module which is not known yet; 0: none. */
static uint64_t find_link(struct goscan *scan, uint64_t module, struct pclntab *ret)
{
    uint64_t words[WORDS_AT_ONCE];
    for (size_t at = LINK_FIRST_WORD; at <= LINK_LAST_WORD; at += WORDS_AT_ONCE) {
        if (!mem_read(scan->reader, module + at * sizeof(*words), words, sizeof(words)))
            return 0;
        for (size_t i = 0; i < WORDS_AT_ONCE; i++) {
            if (words[i] != 0 && words[i] % 8 == 0 && words[i] != module &&
                pclntab_open_module(ret, scan->reader, words[i], scan->minor) &&
                !is_known(scan, ret->start))
                return words[i];
        }
    }
    return 0;
}

void scan_take_plugins(struct goscan *scan)
{
    struct scan_state *state = scan_state(scan);
    struct pclntab table, *last = &scan->functions;
    uint64_t module = scan->found.module_data;
    state->plugins_lacking = false;
    state->plugin_count = 0;
    scan->functions.next = NULL;
    while (module != 0 && state->plugin_count < SCAN_PLUGINS) {
        module = find_link(scan, module, &table);
        if (module == 0)
            return;
        struct pclntab *plugin = &state->plugins[state->plugin_count++];
        *plugin = table;
        last->next = plugin;
        last = plugin;
    }
}
