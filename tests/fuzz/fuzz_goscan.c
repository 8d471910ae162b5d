/* The memory of a program of Go's own compiler, in pieces (see sparse.h): the scanner finds its way
 * through what was changed of it, twice, as a sampler does. */
#include <stdlib.h>

#include "preload/goscan/goscan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sparse.h"

#define AT_ONCE 64

struct sparse_reader {
    struct mem_reader reader;
    const uint8_t *data;
    size_t bytes;
    uint32_t count;
    struct sparse_piece pieces[SPARSE_PIECES];
    size_t at[SPARSE_PIECES]; /* where the bytes of each are */
};

/* NULL: no piece has all of it. Those that lie side by side are one in the input. */
static const uint8_t *bytes_of(const struct sparse_reader *sparse, const struct mem_piece *asked)
{
    uint32_t first = 0, end = sparse->count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (sparse->pieces[middle].address <= asked->address)
            first = middle + 1;
        else
            end = middle;
    }
    if (first == 0)
        return NULL;
    const struct sparse_piece *piece = &sparse->pieces[first - 1];
    uint64_t offset = asked->address - piece->address;
    if (offset > piece->bytes || asked->bytes > piece->bytes - offset)
        return NULL;
    return sparse->data + sparse->at[first - 1] + offset;
}

static void read_sparse(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    const struct sparse_reader *sparse = (struct sparse_reader *)reader;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = bytes_of(sparse, &pieces[i]);
        pieces[i].ok = bytes;
        if (bytes && pieces[i].bytes)
            memcpy(pieces[i].to, bytes, pieces[i].bytes);
    }
}

/* The rows that are in order, as far as all their bytes are there. */
static void take_pieces(struct sparse_reader *ret, uint32_t count)
{
    size_t at = sizeof(struct sparse_head) + count * sizeof(struct sparse_piece);
    uint64_t last = 0;
    ret->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sparse_piece piece;
        memcpy(&piece, ret->data + sizeof(struct sparse_head) + i * sizeof(piece), sizeof(piece));
        if (piece.bytes > ret->bytes - at)
            return;
        if (piece.address >= last) {
            last = piece.address;
            ret->pieces[ret->count] = piece;
            ret->at[ret->count++] = at;
        }
        at += piece.bytes;
    }
}

static bool visit(const struct go_goroutine *it, void *arg)
{
    struct goscan *scan = arg;
    struct go_text labels[2 * GO_MAX_LABELS];
    uint32_t count = 0;
    bool cut = false;
    FUZZ_CHECK(it->case_count <= GO_MAX_CASES);
    FUZZ_CHECK(it->reason < scan->reason_count || it->reason == 0);
    FUZZ_CHECK(!it->stack || it->stack->count <= GO_STACK_DEPTH);
    FUZZ_CHECK(goscan_labels(scan, it->labels, labels) <= GO_MAX_LABELS + 1);
    FUZZ_CHECK(!goscan_spawn_pcs(it, &count, &cut) || (count > 0 && count <= GO_MAX_ANCESTORS));
    FUZZ_CHECK((goscan_case_numbers(it) & 0xffff) + (goscan_case_numbers(it) >> 16) >=
               it->case_count);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sparse_reader memory = {.reader = {read_sparse}};
    static struct goscan scan;
    static void *scratch;
    size_t scratch_bytes = goscan_scratch_bytes(AT_ONCE);
    struct sparse_head head;
    struct go_range ranges[SPARSE_RANGES];
    struct go_totals totals;
    if (bytes < sizeof(head))
        return 0;
    memcpy(&head, data, sizeof(head));
    if (head.piece_count > SPARSE_PIECES ||
        head.piece_count * sizeof(struct sparse_piece) > bytes - sizeof(head))
        return 0;
    memory.data = data;
    memory.bytes = bytes;
    take_pieces(&memory, head.piece_count);
    size_t range_count = 0;
    while (range_count < SPARSE_RANGES && head.ranges[range_count].end > 0) {
        uint32_t access = head.ranges[range_count].access;
        ranges[range_count] = (struct go_range){.start = head.ranges[range_count].start,
                                                .end = head.ranges[range_count].end,
                                                .readable = access & SPARSE_READ,
                                                .writable = access & SPARSE_WRITE,
                                                .executable = access & SPARSE_EXECUTE};
        range_count++;
    }
    struct go_hints hints = sparse_hints(&head);
    if (!scratch)
        scratch = malloc(scratch_bytes);
    FUZZ_CHECK(scratch);
    memset(scratch, 0, scratch_bytes);
    if (goscan_open(&scan, &memory.reader, ranges, range_count, &hints, scratch, scratch_bytes) !=
        GO_OK)
        return 0;
    goscan_run(&scan, visit, &scan, &totals);
    goscan_run(&scan, visit, &scan, &totals);
    return 0;
}
