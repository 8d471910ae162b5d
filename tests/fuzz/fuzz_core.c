/* A core: its segments and notes, and every runtime that may be in its memory. */
#include "analyzer/source/core.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct snapshot snapshot;
    struct err err = {0};
    snapshot_init(&snapshot);
    if (source_core_read(fuzz_file(data, bytes), NULL, &snapshot, &err))
        fuzz_report(&snapshot);
    else
        FUZZ_CHECK(err.kind != ERR_NONE);
    snapshot_deinit(&snapshot);
    return 0;
}
