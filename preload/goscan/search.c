#include "preload/goscan/search.h"

#include <string.h>

#define PAGE_BYTES 4096
#define MAX_BYTES (UINT64_C(4) << 30) /* that are searched: a program's own data is no larger */
#define MAX_HOLES 4096                /* pages that cannot be read, before it is given up */

bool search_memory(struct search *search, uint64_t start, uint64_t end, size_t overlap,
                   bool (*look)(void *arg, uint64_t address, const uint8_t *bytes, size_t count),
                   void *arg)
{
    uint8_t *buffer = search->buffer;
    unsigned holes = 0;
    if (end > start && end - start > MAX_BYTES)
        end = start + MAX_BYTES;
    size_t kept = 0; /* bytes of the piece before at the beginning of the buffer */
    for (uint64_t at = start; at < end;) {
        size_t room = SEARCH_BUFFER_BYTES - kept;
        size_t bytes = end - at < room ? end - at : room;
        if (!mem_read(search->reader, at, buffer + kept, bytes)) {
            /* Up to the next page, which may be there. */
            bytes = PAGE_BYTES - at % PAGE_BYTES;
            if (bytes > end - at)
                bytes = end - at;
            if (!mem_read(search->reader, at, buffer + kept, bytes)) {
                if (++holes > MAX_HOLES)
                    return true;
                at += bytes;
                kept = 0;
                continue;
            }
        }
        size_t count = kept + bytes;
        if (!look(arg, at - kept, buffer, count))
            return false;
        at += bytes;
        kept = count < overlap ? count : overlap;
        memmove(buffer, buffer + count - kept, kept);
    }
    return true;
}

struct words {
    bool (*look)(void *arg, uint64_t address, uint64_t word);
    void *arg;
};

static bool look_at_words(void *arg, uint64_t address, const uint8_t *bytes, size_t count)
{
    const struct words *words = arg;
    for (size_t i = -address % 8; i + 8 <= count; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof(word));
        if (!words->look(words->arg, address + i, word))
            return false;
    }
    return true;
}

bool search_words(struct search *search, uint64_t start, uint64_t end,
                  bool (*look)(void *arg, uint64_t address, uint64_t word), void *arg)
{
    struct words words = {look, arg};
    return search_memory(search, (start + 7) & ~UINT64_C(7), end, 0, look_at_words, &words);
}

/* ---- A function by its name ---- */

struct name_search {
    const char *name;
    size_t bytes;   /* with the 0 at its end */
    uint64_t found; /* address; 0: not found */
    uint64_t first; /* of all names */
};

static bool look_for_name(void *arg, uint64_t address, const uint8_t *bytes, size_t count)
{
    struct name_search *wanted = arg;
    const uint8_t *end = bytes + count;
    for (const uint8_t *at = bytes; (size_t)(end - at) >= wanted->bytes; at++) {
        at = memchr(at, wanted->name[0], (size_t)(end - at) - wanted->bytes + 1);
        if (!at)
            return true;
        if (memcmp(at, wanted->name, wanted->bytes) != 0)
            continue;
        uint64_t found = address + (uint64_t)(at - bytes);
        /* A name of its own, and not the end of another one. */
        if (found == wanted->first || (at > bytes && at[-1] == '\0')) {
            wanted->found = found;
            return false;
        }
    }
    return true;
}

/* runtime.functab; runtime._func begins with the code's and the name's offset, 32 bits each. */
#define PLACE_BYTES 8
#define PLACE_ROW 4
#define RECORD_NAME 4
#define PLACES_AT_ONCE 512
#define RECORDS_BYTES (SEARCH_BUFFER_BYTES - (PLACES_AT_ONCE + 1) * PLACE_BYTES)

/* Among the functions first … first + count - 1; the buffer holds their places, and the one that
 * follows. */
static bool find_among(struct search *search, const struct pclntab *table, uint32_t first,
                       uint32_t count, uint32_t name, uint32_t *ret)
{
    const uint8_t *places = search->buffer;
    uint8_t *records = search->buffer + (PLACES_AT_ONCE + 1) * PLACE_BYTES;
    for (uint32_t i = 0; i < count;) {
        /* As many as fit; records lie in the order of their functions. */
        uint32_t start = half_at(places, i * PLACE_BYTES + PLACE_ROW);
        uint32_t last = i;
        while (last + 1 < count) {
            uint32_t row = half_at(places, (last + 1) * PLACE_BYTES + PLACE_ROW);
            if (row < start || row - start > RECORDS_BYTES - PLACE_BYTES)
                break;
            last++;
        }
        uint32_t end = half_at(places, last * PLACE_BYTES + PLACE_ROW) + PLACE_BYTES;
        bool read = end > start && end - start <= RECORDS_BYTES &&
                    mem_read(search->reader, table->functions + start, records, end - start);
        for (; i <= last; i++) {
            uint32_t row = half_at(places, i * PLACE_BYTES + PLACE_ROW);
            if (!read || row < start || row > end - PLACE_BYTES ||
                half_at(records, row - start + RECORD_NAME) != name)
                continue;
            *ret = first + i;
            return true;
        }
    }
    return false;
}

bool search_function(struct search *search, const struct pclntab *table, const char *name,
                     struct pclntab_function *ret)
{
    struct name_search wanted = {.name = name, .bytes = strlen(name) + 1, .first = table->names};
    search_memory(search, table->names, table->units, 256, look_for_name, &wanted);
    if (wanted.found == 0)
        return false;
    uint32_t offset = (uint32_t)(wanted.found - table->names);
    for (uint32_t first = 0; first < table->function_count; first += PLACES_AT_ONCE) {
        uint32_t count = table->function_count - first;
        if (count > PLACES_AT_ONCE)
            count = PLACES_AT_ONCE;
        uint32_t index;
        if (mem_read(search->reader, table->functions + (uint64_t)first * PLACE_BYTES,
                     search->buffer, count * PLACE_BYTES) &&
            find_among(search, table, first, count, offset, &index))
            return pclntab_at(table, index, ret);
    }
    return false;
}

/* ---- Operands ---- */

#define MAX_CODE_BYTES 8192 /* of a function that is looked at */

size_t search_operands(struct search *search, const struct pclntab_function *function, uint64_t low,
                       uint64_t high, uint64_t *ret, size_t room)
{
    size_t bytes = function->end - function->entry;
    if (bytes > MAX_CODE_BYTES)
        bytes = MAX_CODE_BYTES;
    if (!mem_read(search->reader, function->entry, search->buffer, bytes))
        return 0;
    size_t count = 0;
    const uint8_t *code = search->buffer;
    for (size_t i = 0; i + 6 <= bytes && count < room; i++) {
        /* mov, lea and cmp with a register; the operand's byte says "relative to the next
         * instruction". */
        bool move = code[i] == 0x8b || code[i] == 0x89 || code[i] == 0x8d || code[i] == 0x3b ||
                    code[i] == 0x39;
        if (!move || (code[i + 1] & 0xc7) != 0x05)
            continue;
        uint64_t next = function->entry + i + 6;
        uint64_t address = next + (uint64_t)(int64_t)(int32_t)half_at(code, i + 2);
        size_t j = 0;
        while (j < count && ret[j] != address)
            j++;
        if (j == count && address >= low && address < high)
            ret[count++] = address;
    }
    return count;
}
