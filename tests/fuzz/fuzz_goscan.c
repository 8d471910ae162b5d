/* The memory of a program of Go's own compiler. Its list of goroutines is where the first words
 * say. */
#include <stdlib.h>

#include "preload/goscan/goscan.h"
#include "tests/fuzz/fuzz.h"

static bool visit(const struct go_goroutine *goroutine, void *arg)
{
    struct goscan *scan = arg;
    (void)scan;
    FUZZ_CHECK(goroutine->case_count <= GO_MAX_CASES);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static void *scratch;
    static struct goscan scan;
    if (bytes < 64)
        return 0;
    if (!scratch)
        scratch = malloc(goscan_scratch_bytes(64));
    struct go_range range = {.start = FUZZ_ADDRESS, .end = FUZZ_ADDRESS + bytes};
    struct go_hints hints = {.build_info = FUZZ_ADDRESS,
                             .all_gs = FUZZ_ADDRESS + half_at(data, 32) % bytes,
                             .pclntab = FUZZ_ADDRESS + half_at(data, 36) % bytes};
    if (goscan_open(&scan, fuzz_memory(data, bytes), &range, 1, &hints, scratch,
                    goscan_scratch_bytes(64)) == GO_OK) {
        struct go_totals totals;
        goscan_run(&scan, visit, &scan, &totals);
    }
    return 0;
}
