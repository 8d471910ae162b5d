/* The table of functions as the runtime's moduledata speaks of it: src/runtime/symtab.go and
 * src/cmd/link/internal/ld/symtab.go of Go 1.18 to 1.27. */
#include "preload/goscan/pclntab.h"

#define NEWEST_MINOR 27
#define MAX_FUNCDATA_BYTES (UINT64_C(1) << 32) /* their offsets have 32 bits */

/* runtime.moduledata up to what all versions have alike, in words. */
enum module_word {
    MODULE_HEADER = 0,
    MODULE_NAMES = 1,
    MODULE_UNITS = 4,
    MODULE_FILES = 7,
    MODULE_PCS = 10,
    MODULE_FUNCTIONS = 13,
    MODULE_FUNCTIONS_BYTES = 14,
    MODULE_PLACES = 16,
    MODULE_PLACE_COUNT = 17,
    MODULE_FIRST_PC = 20,
    MODULE_LAST_PC = 21,
    MODULE_TEXT = 22,
    MODULE_TEXT_END = 23,
    MODULE_WORDS = 24,
};

/* Where gofunc is, by the first version that has it there. */
static const struct {
    uint8_t minor, offset_words;
} funcdata_places[] = {{27, 43}, {20, 40}, {18, 38}};

/* From 1.26 on funcdata stand in the table, and moduledata says where the table ends behind where
 * funcdata begin; in 1.27 that is three words further on. What stands there before are the
 * lengths of slices and addresses of other things. 0: it looks like neither. */
static unsigned layout_by_looks(const struct pclntab *table, uint64_t module_data)
{
    static const struct {
        uint8_t minor, offset_words;
    } rows[] = {{27, 43}, {26, 40}};
    for (size_t i = 0; table->go_minor >= 20 && i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t word[2]; /* gofunc, epclntab */
        uint64_t address = module_data + rows[i].offset_words * sizeof(word[0]);
        if (mem_read(table->reader, address, word, sizeof(word)) && word[0] >= table->functions &&
            word[0] <= word[1] && word[1] - word[0] <= MAX_FUNCDATA_BYTES)
            return rows[i].minor;
    }
    return 0;
}

/* Of which version a moduledata is; 0: of one that is newer than what is known here. */
static unsigned layout_of(struct pclntab *table, uint64_t module_data, unsigned go_minor)
{
    if (go_minor != 0 && go_minor <= NEWEST_MINOR)
        return table->go_minor;
    unsigned minor = layout_by_looks(table, module_data);
    if (go_minor != 0)
        return minor;
    if (minor != 0)
        table->go_minor = (uint16_t)minor;
    /* One of 1.18 and 1.19, or of 1.20 to 1.25. */
    return minor != 0 ? minor : table->go_minor < 20 ? 18 : 20;
}

bool pclntab_open_module(struct pclntab *ret, struct mem_reader *reader, uint64_t module_data,
                         unsigned go_minor)
{
    uint64_t word[MODULE_WORDS];
    if (!mem_read(reader, module_data, word, sizeof(word)))
        return false;
    uint64_t start = word[MODULE_HEADER];
    uint64_t end = word[MODULE_FUNCTIONS] + word[MODULE_FUNCTIONS_BYTES];
    uint64_t text = word[MODULE_TEXT], etext = word[MODULE_TEXT_END];
    if (end < word[MODULE_FUNCTIONS] || word[MODULE_FIRST_PC] < text ||
        word[MODULE_LAST_PC] < word[MODULE_FIRST_PC] || word[MODULE_LAST_PC] > etext ||
        !pclntab_open(ret, reader, start, end, text, etext, 0, go_minor))
        return false;
    if (word[MODULE_NAMES] != ret->names || word[MODULE_UNITS] != ret->units ||
        word[MODULE_FILES] != ret->files || word[MODULE_PCS] != ret->pcs ||
        word[MODULE_FUNCTIONS] != ret->functions || word[MODULE_PLACES] != ret->functions ||
        word[MODULE_PLACE_COUNT] != (uint64_t)ret->function_count + 1)
        return false;
    unsigned minor = layout_of(ret, module_data, go_minor);
    for (size_t i = 0; i < sizeof(funcdata_places) / sizeof(*funcdata_places); i++) {
        if (minor < funcdata_places[i].minor)
            continue;
        uint64_t address = module_data + funcdata_places[i].offset_words * sizeof(uint64_t);
        if (!mem_read(reader, address, &ret->funcdata, sizeof(ret->funcdata)))
            ret->funcdata = 0;
        break;
    }
    return true;
}
