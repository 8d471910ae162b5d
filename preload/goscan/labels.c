/* pprof labels: g.labels points to a runtime/pprof.labelMap. Until 1.23 that is a
 * map[string]string, since 1.24 a list of pairs. */
#include "preload/goscan/scan.h"

#define LIST_SINCE_MINOR 24
#define BUCKET_ROWS 8
#define BUCKET_BYTES (BUCKET_ROWS * 33 + 8) /* top bytes of hashes, keys, values, next bucket */
#define BUCKET_KEYS 8
#define BUCKET_VALUES (BUCKET_KEYS + BUCKET_ROWS * 16)
#define BUCKET_NEXT (BUCKET_VALUES + BUCKET_ROWS * 16)
#define MAX_BITS 10 /* of the number of buckets: more than enough for GO_MAX_LABELS */
#define MAX_BUCKETS 2048
#define ROW_USED 5 /* runtime's minTopHash: smaller bytes say why a row is empty */

struct labels {
    struct go_text *pairs;
    size_t count; /* GO_MAX_LABELS + 1: there are more */
};

static void add_row(struct labels *labels, const void *key, const void *value)
{
    if (labels->count >= GO_MAX_LABELS) {
        labels->count = GO_MAX_LABELS + 1;
        return;
    }
    struct go_text *pair = &labels->pairs[2 * labels->count++];
    pair[0] = (struct go_text){word_at(key, 0), word_at(key, 8)};
    pair[1] = (struct go_text){word_at(value, 0), word_at(value, 8)};
}

/* One bucket and those that it overflows into. */
static void read_bucket(struct goscan *scan, uint64_t address, struct labels *labels,
                        unsigned *budget)
{
    while (address != 0 && *budget > 0) {
        uint8_t bucket[BUCKET_BYTES];
        --*budget;
        if (!mem_read(scan->reader, address, bucket, sizeof(bucket)))
            return;
        for (size_t i = 0; i < BUCKET_ROWS; i++) {
            if (bucket[i] >= ROW_USED)
                add_row(labels, bucket + BUCKET_KEYS + i * 16, bucket + BUCKET_VALUES + i * 16);
        }
        address = word_at(bucket, BUCKET_NEXT);
    }
}

/* While a map grows its rows are in old buckets and in new ones, and each in one of them: those
 * that were moved are marked in the old ones. */
static void read_map(struct goscan *scan, uint64_t map, struct labels *labels)
{
    const struct go_layout *layout = &scan->layout;
    uint64_t buckets, old_buckets;
    uint8_t bits;
    unsigned budget = MAX_BUCKETS;
    if (layout->map_buckets == GO_ABSENT ||
        !mem_read(scan->reader, map + layout->map_bits, &bits, 1) || bits > MAX_BITS ||
        !mem_read(scan->reader, map + layout->map_buckets, &buckets, sizeof(buckets)) ||
        !mem_read(scan->reader, map + layout->map_old_buckets, &old_buckets, sizeof(old_buckets)))
        return;
    for (size_t i = 0; buckets != 0 && i < (size_t)1 << bits; i++)
        read_bucket(scan, buckets + i * BUCKET_BYTES, labels, &budget);
    for (size_t i = 0; old_buckets != 0 && bits > 0 && i < (size_t)1 << (bits - 1); i++)
        read_bucket(scan, old_buckets + i * BUCKET_BYTES, labels, &budget);
}

static void read_list(struct goscan *scan, uint64_t address, struct labels *labels)
{
    uint64_t list[2]; /* address, count */
    if (!mem_read(scan->reader, address, list, sizeof(list)))
        return;
    for (uint64_t i = 0; i < list[1] && i < GO_MAX_LABELS; i++) {
        uint64_t row[4];
        if (!mem_read(scan->reader, list[0] + i * sizeof(row), row, sizeof(row)))
            return;
        add_row(labels, row, row + 2);
    }
    if (list[1] > GO_MAX_LABELS)
        labels->count = GO_MAX_LABELS + 1;
}

size_t goscan_labels(struct goscan *scan, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    struct labels found = {pairs, 0};
    uint64_t map;
    if (labels == 0)
        return 0;
    if (scan->minor >= LIST_SINCE_MINOR)
        read_list(scan, labels, &found);
    else if (mem_read(scan->reader, labels, &map, sizeof(map)) && map != 0)
        read_map(scan, map, &found);
    return found.count;
}
