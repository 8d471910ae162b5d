#include "preload/goscan/goscan.h"

size_t goscan_scratch_bytes(size_t goroutines_at_once)
{
    return goroutines_at_once * 4096;
}

enum go_result goscan_open(struct goscan *ret, struct mem_reader *reader,
                           const struct go_range *ranges, size_t range_count,
                           const struct go_hints *hints, void *scratch, size_t scratch_bytes)
{
    (void)ret, (void)reader, (void)ranges, (void)range_count, (void)hints, (void)scratch,
        (void)scratch_bytes;
    return GO_NOT_FOUND;
}

enum go_result goscan_run(struct goscan *scan,
                          bool (*visit)(const struct go_goroutine *it, void *arg), void *arg,
                          struct go_totals *ret)
{
    (void)scan, (void)visit, (void)arg, (void)ret;
    return GO_NOT_FOUND;
}

size_t goscan_labels(struct goscan *scan, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    (void)scan, (void)labels, (void)pairs;
    return 0;
}
