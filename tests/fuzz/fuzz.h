/* What the fuzz targets share. A target is a function over bytes, LLVMFuzzerTestOneInput: libFuzzer
 * calls it (preset `fuzz`), and in the other builds replay.c does, with the inputs that are kept in
 * corpus/. */
#ifndef LEAKSPY_FUZZ_H
#define LEAKSPY_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"
#include "preload/goscan/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Ends the program, as libFuzzer wants to see a mistake, unless what must hold does. */
#define FUZZ_CHECK(what) ((what) ? (void)0 : __builtin_trap())

/* A file with these bytes, good until the next call. */
const char *fuzz_file(const uint8_t *data, size_t bytes);

/* Memory that holds the bytes at FUZZ_ADDRESS, and nothing elsewhere. */
#define FUZZ_ADDRESS UINT64_C(0x100000)
struct mem_reader *fuzz_memory(const uint8_t *data, size_t bytes);

/* All that is said of a snapshot, as text and as JSON: nothing that a terminal obeys, nothing but
 * UTF-8. */
void fuzz_report(const struct snapshot *snapshot);

/* Text for a terminal: no control characters but the ends of lines. */
void fuzz_check_text(const char *text, size_t bytes);

#endif
