/* A recording: read, judged, told. */
#include "analyzer/source/recording.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct snapshot snapshot;
    struct err err = {0};
    snapshot_init(&snapshot);
    if (source_recording_read(fuzz_file(data, bytes), &snapshot, &err))
        fuzz_report(&snapshot);
    else
        FUZZ_CHECK(err.kind != ERR_NONE);
    snapshot_deinit(&snapshot);
    return 0;
}
