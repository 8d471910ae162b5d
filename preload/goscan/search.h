/* Searching memory of a Go program for what has no symbol. */
#ifndef LEAKSPY_GOSCAN_SEARCH_H
#define LEAKSPY_GOSCAN_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/goscan.h"
#include "preload/goscan/pclntab.h"
#include "preload/goscan/reader.h"

#define SEARCH_BUFFER_BYTES 65536 /* a multiple of pages */

/* What the search functions read into, and from where. */
struct search {
    struct mem_reader *reader;
    uint8_t *buffer; /* of SEARCH_BUFFER_BYTES, aligned to 8 */
};

/* Shows all of [start, end) to `look`, piece by piece, of which each begins with the last `overlap`
 * bytes of the one before (a multiple of 8). Parts that cannot be read are passed over, up to some.
 * Ends when look returns false; then it returns false. */
bool search_memory(struct search *search, uint64_t start, uint64_t end, size_t overlap,
                   bool (*look)(void *arg, uint64_t address, const uint8_t *bytes, size_t count),
                   void *arg);

/* The same for words of 8 bytes, those at addresses that are multiples of 8, one by one. */
bool search_words(struct search *search, uint64_t start, uint64_t end,
                  bool (*look)(void *arg, uint64_t address, uint64_t word), void *arg);

/* The function of that name; of several the first. */
bool search_function(struct search *search, const struct pclntab *table, const char *name,
                     struct pclntab_function *ret);

/* Addresses within [low, high) that the code of a function names, relative to its instructions, in
 * order of appearance, each once. Bytes that only look like an instruction are taken too. */
size_t search_operands(struct search *search, const struct pclntab_function *function, uint64_t low,
                       uint64_t high, uint64_t *ret, size_t room);

#endif
