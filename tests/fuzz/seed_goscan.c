/* Writes what a scan of a running Go program reads of its memory, as an input for fuzz_goscan:
 * seed_goscan PID FILE. The seeds in corpus/goscan were made so, of
 * tests/unit/preload/fixture_goroutines.go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/inspect/go_runtime.h"
#include "analyzer/process/image.h"
#include "tests/fuzz/sparse.h"

#define MAX_BYTES 16384 /* of a piece: a deep stack makes an input long, and a run slow */

/* Passes on what is asked, and notes it. */
struct noting_reader {
    struct mem_reader reader;
    struct mem_reader *inner;
    struct sparse_piece *asked;
    size_t count, room;
};

static void read_and_note(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct noting_reader *noting = (struct noting_reader *)reader;
    noting->inner->read(noting->inner, pieces, count);
    for (size_t i = 0; i < count; i++) {
        if (!pieces[i].ok || pieces[i].bytes == 0 || pieces[i].bytes > MAX_BYTES)
            continue;
        if (noting->count == noting->room) {
            noting->room = noting->room ? 2 * noting->room : 4096;
            noting->asked = realloc(noting->asked, noting->room * sizeof(*noting->asked));
            if (!noting->asked)
                abort();
        }
        noting->asked[noting->count++] = (struct sparse_piece){pieces[i].address, pieces[i].bytes};
    }
}

static int by_address(const void *a, const void *b)
{
    const struct sparse_piece *one = a, *other = b;
    return one->address < other->address ? -1 : one->address > other->address;
}

/* In order, and those that touch or overlap made one. */
static size_t merged(struct sparse_piece *pieces, size_t count)
{
    size_t kept = 0;
    qsort(pieces, count, sizeof(*pieces), by_address);
    for (size_t i = 0; i < count; i++) {
        struct sparse_piece *last = kept ? &pieces[kept - 1] : NULL;
        uint64_t end = pieces[i].address + pieces[i].bytes;
        if (!last || pieces[i].address > last->address + last->bytes)
            pieces[kept++] = pieces[i];
        else if (end > last->address + last->bytes)
            last->bytes = end - last->address;
    }
    return kept;
}

static bool visit(const struct go_goroutine *it, void *arg)
{
    struct go_text labels[2 * GO_MAX_LABELS];
    (void)goscan_labels(arg, it->labels, labels);
    return true;
}

static size_t take_ranges(const struct image *image, uint32_t module, struct sparse_head *head,
                          struct go_range ranges[SPARSE_RANGES])
{
    size_t count = 0;
    for (size_t i = 0; i < image->mapping_count && count < SPARSE_RANGES; i++) {
        const struct image_mapping *mapping = &image->mappings[i];
        if (mapping->module != module)
            continue;
        ranges[count] = (struct go_range){.start = mapping->start,
                                          .end = mapping->end,
                                          .readable = mapping->readable,
                                          .writable = mapping->writable,
                                          .executable = mapping->executable};
        head->ranges[count].start = mapping->start;
        head->ranges[count].end = mapping->end;
        head->ranges[count++].access = (mapping->readable ? SPARSE_READ : 0) |
                                       (mapping->writable ? SPARSE_WRITE : 0) |
                                       (mapping->executable ? SPARSE_EXECUTE : 0);
    }
    return count;
}

static bool write_seed(const char *path, struct sparse_head *head, struct sparse_piece *pieces,
                       struct mem_reader *memory)
{
    FILE *out = fopen(path, "wb");
    if (!out)
        return false;
    fwrite(head, sizeof(*head), 1, out);
    fwrite(pieces, sizeof(*pieces), head->piece_count, out);
    for (uint32_t i = 0; i < head->piece_count; i++) {
        void *bytes = calloc(1, pieces[i].bytes);
        if (!bytes || !mem_read(memory, pieces[i].address, bytes, pieces[i].bytes))
            fprintf(stderr, "%#lx: gone meanwhile\n", (unsigned long)pieces[i].address);
        if (bytes)
            fwrite(bytes, pieces[i].bytes, 1, out);
        free(bytes);
    }
    return fclose(out) == 0;
}

int main(int argc, char **argv)
{
    struct image image;
    struct err err;
    struct go_runtime runtime;
    if (argc != 3 || !image_open_process(&image, atoi(argv[1]), &err) ||
        !go_runtime_open(&runtime, &image) || runtime.result != GO_OK) {
        fprintf(stderr, "usage: seed_goscan PID FILE, of a running Go program\n");
        return 2;
    }
    /* Once more, with all that was found given as hints: a search reads the whole program. */
    const struct go_hints *found = &runtime.scan.found;
    struct sparse_head head = {.build_info = runtime.symbols.hints.build_info,
                               .module_data = found->module_data,
                               .pclntab = found->pclntab,
                               .all_gs = found->all_gs,
                               .wait_reason_strings = found->wait_reason_strings,
                               .all_ps = found->all_ps};
    struct go_hints hints = sparse_hints(&head);
    struct go_range ranges[SPARSE_RANGES];
    struct noting_reader noting = {.reader = {read_and_note}, .inner = image.memory};
    struct goscan scan;
    struct go_totals totals;
    size_t bytes = goscan_scratch_bytes(64);
    void *scratch = calloc(1, bytes);
    size_t range_count = take_ranges(&image, runtime.module, &head, ranges);
    if (!scratch ||
        goscan_open(&scan, &noting.reader, ranges, range_count, &hints, scratch, bytes) != GO_OK ||
        goscan_run(&scan, visit, &scan, &totals) != GO_OK)
        return 1;
    head.piece_count = (uint32_t)merged(noting.asked, noting.count);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < head.piece_count; i++)
        sum += noting.asked[i].bytes;
    printf("%s: %lu goroutines, %u pieces, %lu bytes\n", scan.version, (unsigned long)totals.seen,
           head.piece_count, (unsigned long)sum);
    if (head.piece_count > SPARSE_PIECES || !write_seed(argv[2], &head, noting.asked, image.memory))
        return 1;
    free(noting.asked);
    free(scratch);
    go_runtime_close(&runtime);
    image_close(&image);
    return 0;
}
